//! Robust estimates: every measure is taken in several short rounds, in turn with all others, and the
//! median counts; a burst of foreign load strikes one round of each and no median.

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What rounds of one measure came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Half of the rounds were below.
    pub median: f64,
    /// The second smallest of at least five rounds, else the smallest.
    pub low: f64,
    /// The second largest of at least five rounds, else the largest.
    pub high: f64,
}

impl Estimate {
    /// Of at least one round; zero of none.
    #[must_use]
    pub fn of(rounds: &[f64]) -> Self {
        let mut sorted = rounds.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let aside = usize::from(sorted.len() >= 5);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        let last = sorted.len().saturating_sub(1);
        let middle = (at(last / 2) + at(last.div_ceil(2))) / 2.0;
        Self { median: middle, low: at(aside), high: at(last.saturating_sub(aside)) }
    }

    /// Distance from low to high, as a share of the median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        if self.median > 0.0 { (self.high - self.low) / self.median } else { 0.0 }
    }

    /// Of something that is so many of these.
    #[must_use]
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        let Self { median, low, high } = self;
        let (low, high) = (change(low), change(high));
        Self { median: change(median), low: low.min(high), high: low.max(high) }
    }
}

/// Nanoseconds of CPU that this thread spends on `work`. What others do meanwhile does not count,
/// but for the caches and the clock rate that they take away.
pub(super) fn cpu_nanos(work: impl FnOnce()) -> f64 {
    let before = thread_nanos();
    work();
    thread_nanos().saturating_sub(before) as f64
}

/// CPU time of this thread, in nanoseconds.
pub(super) fn thread_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or_default().saturating_mul(1_000_000_000) + nanos.unwrap_or_default()
}

/// Nanoseconds of the monotonic clock that `work` takes.
pub(super) fn nanos(work: impl FnOnce()) -> f64 {
    let before = runtime::clock::monotonic_nanos();
    work();
    (runtime::clock::monotonic_nanos() - before) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_that_is_far_off_changes_nothing() {
        let quiet = Estimate::of(&[10.0, 11.0, 9.0, 10.0, 10.5]);
        let disturbed = Estimate::of(&[10.0, 11.0, 900.0, 10.0, 10.5]);
        assert_eq!((quiet.median, disturbed.median), (10.0, 10.5));
        assert_eq!((disturbed.low, disturbed.high), (10.0, 11.0));
        assert!(disturbed.spread() < 0.1);
    }

    #[test]
    fn few_rounds_and_none() {
        assert_eq!(Estimate::of(&[]), Estimate::default());
        let two = Estimate::of(&[1.0, 3.0]);
        assert_eq!((two.median, two.low, two.high), (2.0, 1.0, 3.0));
        let inverted = two.map(|per| 6.0 / per);
        assert_eq!((inverted.median, inverted.low, inverted.high), (3.0, 2.0, 6.0));
    }
}

//! When transactions are due: an open-loop schedule that is fixed before the run (rule R-CLI-1).

use cross_shard_msg::Duration;

use super::random::Stream;
use crate::scenario::{Arrivals, Rate};

/// Nanoseconds in a thousand seconds, the time over which a [`Rate`] counts.
const KILOSECOND: u128 = 1_000_000_000_000;
/// Poisson gaps are summed in 2⁻²⁰ ns, so that rounding does not change the rate.
const FRACTION_BITS: u32 = 20;

/// Times of arrival since the beginning of the phase, ascending, without end.
#[derive(Clone, Debug)]
pub struct Schedule {
    rate: Rate,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The number of arrivals so far.
    Uniform(u128),
    /// The time so far in 2⁻²⁰ ns, and where gaps come from.
    Poisson(u128, Box<Stream>),
}

impl Schedule {
    /// Arrivals at a mean rate. Uniform ones begin at once and have equal gaps (to the nanosecond,
    /// without drift); Poisson ones have independent exponential gaps from `stream`.
    #[must_use]
    pub fn new(arrivals: Arrivals, rate: Rate, stream: Stream) -> Self {
        let kind = match arrivals {
            Arrivals::Uniform => Kind::Uniform(0),
            Arrivals::Poisson => Kind::Poisson(0, Box::new(stream)),
        };
        Self { rate, kind }
    }

    /// All arrivals before `end`, at most `count`.
    #[must_use]
    pub fn collect_until(self, end: Option<Duration>, count: Option<u64>) -> Vec<Duration> {
        let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
        self.take(count).take_while(|at| end.is_none_or(|end| *at < end)).collect()
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let per_kilosecond = u128::from(self.rate.per_kilosecond.max(1));
        let nanos = match &mut self.kind {
            Kind::Uniform(index) => {
                let at = *index * KILOSECOND / per_kilosecond;
                *index += 1;
                at
            }
            Kind::Poisson(sum, stream) => {
                let mean = KILOSECOND as f64 / per_kilosecond as f64;
                let scale = f64::from(1 << FRACTION_BITS);
                *sum += (stream.exponential() * mean * scale) as u128;
                *sum >> FRACTION_BITS
            }
        };
        // 584 years: beyond every phase.
        Some(Duration(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(arrivals: Arrivals, per_kilosecond: u64) -> Schedule {
        Schedule::new(arrivals, Rate { per_kilosecond }, Stream::new(3, "arrivals", 0, 0))
    }

    #[test]
    fn uniform_arrivals_do_not_drift() {
        let second = Some(Duration::from_secs(1));
        let at = schedule(Arrivals::Uniform, 3_000).collect_until(second, None);
        assert_eq!(at, [Duration(0), Duration(333_333_333), Duration(666_666_666)]);
        let hour = Some(Duration::from_secs(3_600));
        assert_eq!(schedule(Arrivals::Uniform, 7_000).collect_until(hour, None).len(), 25_200);
        assert_eq!(schedule(Arrivals::Uniform, 1).nth(2), Some(Duration::from_secs(2_000)));
    }

    #[test]
    fn poisson_arrivals_have_their_rate_and_spread() {
        let minute = Some(Duration::from_secs(60));
        let at = schedule(Arrivals::Poisson, 1_000_000).collect_until(minute, None);
        // 60,000 expected, standard deviation 245.
        assert!((58_800..=61_200).contains(&at.len()), "{}", at.len());
        assert!(at.is_sorted());
        // Exponential gaps: 1 − 1/e of them are below the mean.
        let below = at.windows(2).filter(|pair| pair[1].0 - pair[0].0 < 1_000_000).count();
        let share = below as f64 / at.len() as f64;
        assert!((share - 0.632).abs() < 0.01, "{share}");
    }

    #[test]
    fn a_schedule_ends_at_its_count_or_its_end() {
        let at = |count, end: Option<u64>| {
            let end = end.map(Duration::from_secs);
            schedule(Arrivals::Uniform, 10_000).collect_until(end, count).len()
        };
        assert_eq!(at(Some(5), None), 5);
        assert_eq!(at(Some(5), Some(10)), 5);
        assert_eq!(at(Some(500), Some(10)), 100);
        assert_eq!(at(None, Some(0)), 0);
    }
}

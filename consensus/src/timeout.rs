//! When views end (rule R-CONS-11).

use cross_shard_msg::Duration;

/// The times of the protocol. All are settings, without defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    /// Between a value and its child: a leader proposes at the parent's timestamp plus this.
    pub interval: Duration,
    /// How long a view may take from the time its proposal is due, when all goes well.
    pub timeout: Duration,
    /// What the timeout never exceeds, however many views fail.
    pub max_timeout: Duration,
    /// Between two repetitions of the votes of a view that has timed out.
    pub retry: Duration,
    /// How long something may be missing before it is asked for: it may be on its way.
    pub fetch_after: Duration,
    /// Between two requests for what is missing.
    pub fetch_retry: Duration,
    /// How far a proposal's timestamp may be ahead of the receiver's clock. One that is further
    /// ahead is not voted for until it no longer is.
    pub max_skew: Duration,
}

impl Timing {
    /// The timeout after `failed` views in a row without finality: doubles with each up to the
    /// maximum, and is back at its base once a value is final.
    #[must_use]
    pub fn after(&self, failed: u64) -> Duration {
        let factor = 1_u64.checked_shl(u32::try_from(failed).unwrap_or(u32::MAX));
        self.timeout.times(factor.unwrap_or(u64::MAX)).min(self.max_timeout.max(self.timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_double_up_to_a_bound() {
        let millis = Duration::from_millis;
        let timing = Timing {
            interval: millis(1),
            timeout: millis(100),
            max_timeout: millis(1_000),
            retry: millis(1),
            fetch_after: millis(1),
            fetch_retry: millis(1),
            max_skew: millis(1),
        };
        let table = [(0, 100), (1, 200), (3, 800), (4, 1_000), (63, 1_000), (64, 1_000)];
        for (failed, expected) in table {
            assert_eq!(timing.after(failed), millis(expected), "after {failed}");
        }
        assert_eq!(timing.after(u64::MAX), millis(1_000));
    }
}

//! A distribution of times: an HdrHistogram of nanoseconds with 3 significant digits.

use cross_shard_msg::Duration;
use hdrhistogram::Histogram;

use crate::scenario::Statistic;

/// Significant decimal digits of every histogram.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// A histogram of nanoseconds. It grows as needed.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    // Fails for more than 5 digits only.
    Histogram::new(SIGNIFICANT_DIGITS).unwrap_or_else(|_| unreachable!("3 digits are allowed"))
}

/// How long something took, over many times.
#[derive(Clone, Debug)]
pub struct Distribution {
    histogram: Histogram<u64>,
    /// Exact; the histogram rounds.
    max: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self::new()
    }
}

impl Distribution {
    /// Nothing measured yet.
    #[must_use]
    pub fn new() -> Self {
        Self { histogram: histogram(), max: 0 }
    }

    /// Adds one measurement.
    pub fn record(&mut self, time: Duration) {
        // `saturating_record` would cap at the present range instead of growing. Every u64 can be
        // recorded by a histogram that grows, so there is no error to handle.
        let _ = self.histogram.record(time.0);
        self.max = self.max.max(time.0);
    }

    /// How many were measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The largest, exactly; `None` when nothing was measured.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then_some(Duration(self.max))
    }

    /// The value that `quantile` (0 to 1) of all do not exceed: at most 0.1 % too high, never above
    /// the largest. `None` when nothing was measured.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let max = self.max()?;
        Some(Duration(self.histogram.value_at_quantile(quantile)).min(max))
    }

    /// A statistic that is a time; `None` for the count, or when nothing was measured.
    #[must_use]
    pub fn time(&self, statistic: Statistic) -> Option<Duration> {
        match statistic {
            Statistic::Count => None,
            Statistic::P50 => self.quantile(0.5),
            Statistic::P90 => self.quantile(0.9),
            Statistic::P99 => self.quantile(0.99),
            Statistic::P999 => self.quantile(0.999),
            Statistic::Max => self.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_a_thousand() {
        let mut distribution = Distribution::new();
        assert_eq!((distribution.count(), distribution.time(Statistic::P50)), (0, None));
        for nanos in 1..=1_000 {
            distribution.record(Duration(nanos));
        }
        for (statistic, nanos) in [
            (Statistic::P50, 500),
            (Statistic::P90, 900),
            (Statistic::P99, 990),
            (Statistic::P999, 999),
            (Statistic::Max, 1_000),
        ] {
            assert_eq!(distribution.time(statistic), Some(Duration(nanos)), "{statistic}");
        }
    }

    #[test]
    fn it_grows_with_what_it_is_given() {
        let mut distribution = Distribution::new();
        for seconds in [1, 100, 10_000] {
            distribution.record(Duration::from_secs(seconds));
        }
        let found = distribution.quantile(0.5).map(Duration::as_millis);
        assert_eq!(found.map(|millis| millis / 1_000), Some(100));
    }

    #[test]
    fn no_quantile_exceeds_the_largest() {
        let mut distribution = Distribution::new();
        let largest = Duration::from_millis(500);
        distribution.record(largest);
        assert_eq!(distribution.quantile(0.99), Some(largest));
    }
}

//! `forecast` predicts the next window's graph from the past ones and lets another strategy
//! partition it; `reactive`, its twin, hands the same strategy the last window as it was.
//!
//! The weight of every pair and the load of every account are extrapolated by Holt's linear
//! method (C. C. Holt, "Forecasting seasonals and trends by exponentially weighted moving averages",
//! ONR Memorandum 52, 1957): level l ← αx + (1−α)(l+b), trend b ← β(l−l′) + (1−β)b, forecast
//! max(0, l+b). The simplest form of what prediction-based account migration does with learnt
//! models (LB-Chain, IEEE TPDS 2023). A pair that no window has seen is not predicted.

use serde::{Deserialize, Serialize};

use super::options;
use crate::access_graph::AccessGraph;
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Problem, Proposal};

/// How a forecast follows the past.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForecastOptions {
    /// α: how fast the level follows, from 0 to 1.
    pub level: f64,
    /// β: how fast the trend follows, from 0 to 1.
    pub trend: f64,
}

impl ForecastOptions {
    /// Holt's customary middle.
    pub const PUBLISHED: Self = Self { level: 0.5, trend: 0.3 };
}

/// The strategy.
#[derive(Debug)]
pub struct Forecast {
    /// `None`: the last window as it was.
    options: Option<ForecastOptions>,
    then: Box<dyn Partitioner>,
}

impl Forecast {
    /// Predicts, then asks `then`.
    ///
    /// # Errors
    /// Options out of their bounds.
    pub fn new(options: ForecastOptions, then: Box<dyn Partitioner>) -> Result<Self, OptionsError> {
        let share = "a number from 0 to 1";
        options::within("forecast", "level", options.level, 0.0, 1.0, share)?;
        options::within("forecast", "trend", options.trend, 0.0, 1.0, share)?;
        Ok(Self { options: Some(options), then })
    }

    /// Asks `then` for the last window.
    #[must_use]
    pub fn reactive(then: Box<dyn Partitioner>) -> Self {
        Self { options: None, then }
    }
}

impl Partitioner for Forecast {
    fn name(&self) -> &'static str {
        if self.options.is_some() { "forecast" } else { "reactive" }
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let predicted = match (self.options, problem.windows.last()) {
            (_, None) => return self.then.propose(problem),
            (None, Some(last)) => return self.then.propose(&Problem { graph: last, ..*problem }),
            (Some(options), Some(_)) => predict(problem.windows, options),
        };
        self.then.propose(&Problem { graph: &predicted, ..*problem })
    }
}

/// The graph that the windows lead one to expect next.
pub fn predict(windows: &[AccessGraph], options: ForecastOptions) -> AccessGraph {
    let mut loads = Vec::new();
    for (window, graph) in windows.iter().enumerate() {
        let accounts = graph.accounts().iter().zip(graph.loads());
        loads.extend(accounts.map(|(account, load)| (*account, window, *load)));
    }
    loads.sort_unstable();
    let mut accounts = Vec::new();
    for same in loads.chunk_by(|a, b| a.0 == b.0) {
        let values = same.iter().map(|(_, window, load)| (*window, *load));
        if let Some((account, ..)) = same.first() {
            accounts.push((*account, holt(values, windows.len(), options)));
        }
    }
    drop(loads);
    let position = |account| {
        let at = accounts.binary_search_by_key(account, |(account, _)| *account);
        at.ok().and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX)
    };
    let mut pairs = Vec::new();
    for (window, graph) in windows.iter().enumerate() {
        let positions: Vec<u32> = graph.accounts().iter().map(position).collect();
        for a in 0..graph.len() {
            for (b, weight) in graph.neighbours(a).filter(|(b, _)| *b > a) {
                pairs.push((positions[a as usize], positions[b as usize], window, weight));
            }
        }
    }
    pairs.sort_unstable();
    let mut expected = Vec::new();
    for same in pairs.chunk_by(|x, y| (x.0, x.1) == (y.0, y.1)) {
        let values = same.iter().map(|(_, _, window, weight)| (*window, *weight));
        if let Some((a, b, ..)) = same.first() {
            expected.push((*a, *b, holt(values, windows.len(), options)));
        }
    }
    AccessGraph::from_parts(accounts, expected)
}

/// Holt's forecast of a series that is zero where no value is given. Values come in order of
/// their windows; the series begins with the first of them.
fn holt(
    values: impl Iterator<Item = (usize, u64)>,
    windows: usize,
    options: ForecastOptions,
) -> u64 {
    let mut values = values.peekable();
    let Some((first, value)) = values.next() else { return 0 };
    let (mut level, mut trend) = (value as f64, 0.0);
    for window in first + 1..windows {
        let value = values.next_if(|(at, _)| *at == window).map_or(0.0, |(_, value)| value as f64);
        let before = level;
        level = options.level * value + (1.0 - options.level) * (level + trend);
        trend = options.trend * (level - before) + (1.0 - options.trend) * trend;
    }
    libm::round((level + trend).max(0.0)) as u64
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;

    fn series(values: &[u64], level: f64, trend: f64) -> u64 {
        let given = values.iter().copied().enumerate().filter(|(_, value)| *value > 0);
        holt(given, values.len(), ForecastOptions { level, trend })
    }

    #[test]
    fn a_series_goes_on_as_it_went() {
        assert_eq!(series(&[100, 100, 100], 0.5, 0.3), 100);
        assert_eq!(series(&[100, 200, 300], 1.0, 1.0), 400, "a line");
        assert_eq!(series(&[300, 150, 0], 1.0, 1.0), 0, "never below zero");
        assert_eq!(series(&[0, 0, 80], 0.5, 0.3), 80, "new ones count from their beginning");
        assert_eq!(series(&[], 0.5, 0.3), 0);
    }

    #[test]
    fn a_growing_pair_is_predicted_to_grow() {
        let account = |index: u8| Address::with_last_byte(0x40 + index);
        let window = |grows: usize, falls: usize| {
            let grows = std::iter::repeat_n([account(0), account(1)], grows);
            AccessGraph::new(grows.chain(std::iter::repeat_n([account(1), account(2)], falls)))
        };
        let windows = [window(1, 9), window(4, 6), window(7, 3)];
        let predicted = predict(&windows, ForecastOptions { level: 1.0, trend: 1.0 });
        let million = crate::access_graph::TRANSACTION_WEIGHT;
        assert_eq!(predicted.accounts().len(), 3);
        assert_eq!(predicted.neighbours(0).collect::<Vec<_>>(), [(1, 10 * million)]);
        assert_eq!(predicted.pair_weight(), 10 * million, "the other pair is gone");
    }
}

//! What a number of summary.json is called, by its path, and which way is better.

use crate::compare::Unit;
use crate::compare::output::shown;

/// A number of summary.json.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    /// Its path.
    pub path: String,
    /// What people call it.
    pub title: String,
    /// Its unit.
    pub unit: Unit,
    /// Whether more is better; `None` if nobody knows.
    pub higher_is_better: Option<bool>,
}

/// Titles that are not made from the path.
const TITLES: [(&str, &str); 7] = [
    ("throughput_tps", "Throughput"),
    ("cross_shard_ratio", "Cross-shard ratio"),
    ("load_imbalance.max_over_mean", "Load imbalance, max ÷ mean"),
    ("transactions.settled", "Settled transactions"),
    ("transactions.unfinished", "Unfinished transactions"),
    ("transactions.refused", "Refused transactions"),
    ("transactions.failed", "Failed transactions"),
];

/// Ends of paths of which less is better.
const COSTS: [&str; 9] = [
    "latency_ms",
    "imbalance",
    "ratio",
    "share",
    "unfinished",
    "failed",
    "refused",
    "view_changes",
    "migrations",
];

impl Named {
    /// The number at this path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let is_count = path.ends_with(".count");
        let unit = match path {
            _ if is_count => Unit::Number,
            path if path.contains("_ms.") || path.ends_with("_ms") => Unit::Milliseconds,
            path if path.ends_with("_tps") => Unit::PerSecond,
            path if path.ends_with("_ratio") || path.ends_with("_share") => Unit::Share,
            _ => Unit::Number,
        };
        let higher_is_better = match path {
            _ if is_count => None,
            path if path.contains("throughput") || path.ends_with(".settled") => Some(true),
            path if COSTS.iter().any(|cost| path.contains(cost)) => Some(false),
            _ => None,
        };
        let known = TITLES.iter().find(|(known, _)| *known == path);
        let title = known.map_or_else(|| title(path), |(_, title)| (*title).to_owned());
        Self { path: path.to_owned(), title, unit, higher_is_better }
    }

    /// What a value is multiplied by in charts: ratios are drawn in percent.
    #[must_use]
    pub fn scale(&self) -> f64 {
        if self.unit == Unit::Share { 100.0 } else { 1.0 }
    }

    /// The unit on axes.
    #[must_use]
    pub fn axis(&self) -> &'static str {
        match self.unit {
            Unit::Milliseconds => "ms",
            Unit::PerSecond => "tx/s",
            Unit::Share => "%",
            Unit::Number => "",
        }
    }

    /// A value with its unit.
    #[must_use]
    pub fn words(&self, value: f64) -> String {
        let unit = match self.unit {
            Unit::Milliseconds => " ms",
            Unit::PerSecond => " tx/s",
            Unit::Share | Unit::Number => "",
        };
        format!("{}{unit}", shown(value, self.unit))
    }

    /// `lower is better`.
    #[must_use]
    pub fn direction(&self) -> &'static str {
        match self.higher_is_better {
            Some(true) => "higher is better",
            Some(false) => "lower is better",
            None => "",
        }
    }
}

/// `latency_ms.settlement.all.p50` is `Settlement latency, p50`.
fn title(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let words: Vec<String> = match parts.as_slice() {
        ["latency_ms", span, "all", statistic] => vec![format!("{span} latency, {statistic}")],
        ["latency_ms", span, class @ ("intra" | "cross"), statistic] => {
            vec![format!("{span} latency, {class}, {statistic}")]
        }
        ["latency_ms", "cross_shard", "stages", stage, statistic] => {
            vec![format!("{stage} stage, {statistic}")]
        }
        parts => vec![parts.join(", ")],
    };
    let words = words.concat().replace("_ms", "").replace('_', " ");
    let words = words.replace("cross shard", "cross-shard");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_names() {
        let of = |path: &str| {
            let named = Named::of(path);
            (named.title.clone(), named.axis(), named.higher_is_better)
        };
        let found = of("latency_ms.settlement.all.p50");
        assert_eq!(found, ("Settlement latency, p50".to_owned(), "ms", Some(false)));
        let found = of("latency_ms.cross_shard.stages.queue.p99");
        assert_eq!(found, ("Queue stage, p99".to_owned(), "ms", Some(false)));
        assert_eq!(of("throughput_tps"), ("Throughput".to_owned(), "tx/s", Some(true)));
        assert_eq!(of("checkpoints.finalized").2, None);
        assert_eq!(of("latency_ms.finality.all.count").2, None);
        assert_eq!(Named::of("cross_shard_ratio").words(0.7512), "75.1 %");
    }
}

//! What is compared: the numbers of `summary.json`, each with its name, its unit and which way is
//! better.

use serde::Serialize;
use serde_json::Value;

/// Latencies in the order of reports: name in files, and whether transactions that stayed on one
/// shard have them.
pub const SPANS: [(&str, bool); 4] =
    [("inclusion", true), ("cross_shard", false), ("settlement", true), ("finality", true)];
/// Parts of the cross-shard latency.
pub const STAGES: [&str; 5] = ["release", "network", "gate", "queue", "execution"];
/// Percentiles that are compared: name in files, share.
pub const PERCENTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];
/// Outcomes that are compared as shares of what was offered, and which way is better.
const OUTCOMES: [(&str, Better); 4] = [
    ("settled", Better::Higher),
    ("failed", Better::Lower),
    ("refused", Better::Lower),
    ("unfinished", Better::Lower),
];

/// In what a number is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Transactions per second.
    PerSecond,
    /// A share of 0 to 1.
    Share,
    /// A number without a unit.
    Number,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less is.
    Lower,
    /// More is.
    Higher,
}

/// One number that runs are compared by.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name: `settlement.cross.p99`, as in thresholds where those know it.
    pub name: String,
    /// In what it is measured.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// Whether it is in the table on the terminal; the files have all.
    pub main: bool,
    /// Where it comes from.
    pub source: Source,
}

/// Where a metric comes from in `summary.json`, and what gives it an interval within one run.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A percentile of a distribution.
    Percentile {
        /// Where the distribution is.
        pointer: String,
        /// Name of the percentile in the file.
        statistic: &'static str,
        /// Its share.
        share: f64,
        /// Key of the distribution in the samples of a run.
        series: String,
    },
    /// One number divided by another one, both summed over transactions.
    Ratio {
        /// Where the ratio is, or the dividend if there is a divisor.
        pointer: String,
        /// Where the divisor is.
        divisor: Option<&'static str>,
        /// Key in the samples of a run.
        tally: &'static str,
    },
    /// The mean of `shards_per_transaction`.
    ShardsPerTransaction,
    /// One number of the whole run, which gives no interval by itself.
    Whole {
        /// Where it is.
        pointer: &'static str,
    },
}

impl Metric {
    /// All of them, in the order of tables.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::ratio(
            "throughput_tps",
            Unit::PerSecond,
            Better::Higher,
            Source::Ratio {
                pointer: "/throughput_tps".to_owned(),
                divisor: None,
                tally: "throughput",
            },
        )];
        for (outcome, better) in OUTCOMES {
            let source = Source::Ratio {
                pointer: format!("/transactions/{outcome}"),
                divisor: Some("/transactions/offered"),
                tally: outcome,
            };
            all.push(Self::ratio(&format!("{outcome}_share"), Unit::Share, better, source));
        }
        all.push(Self::ratio(
            "cross_shard_ratio",
            Unit::Share,
            Better::Lower,
            Source::Ratio {
                pointer: "/cross_shard_ratio".to_owned(),
                divisor: None,
                tally: "cross_shard_ratio",
            },
        ));
        all.push(Self::ratio(
            "shards_per_transaction",
            Unit::Number,
            Better::Lower,
            Source::ShardsPerTransaction,
        ));
        all.push(Self::ratio(
            "load_imbalance",
            Unit::Number,
            Better::Lower,
            Source::Whole { pointer: "/load_imbalance/max_over_mean" },
        ));
        for (span, has_classes) in SPANS {
            let scopes: &[&str] = if has_classes { &["all", "intra", "cross"] } else { &["all"] };
            for scope in scopes {
                let name = match *scope {
                    "all" => span.to_owned(),
                    scope => format!("{span}.{scope}"),
                };
                all.extend(percentiles(
                    &name,
                    &format!("/latency_ms/{span}/{scope}"),
                    *scope == "all",
                ));
            }
        }
        for stage in STAGES {
            let pointer = format!("/latency_ms/cross_shard/stages/{stage}");
            all.extend(percentiles(&format!("cross_shard.{stage}"), &pointer, false));
        }
        all.extend(percentiles("checkpoints.latency", "/checkpoints/latency_ms", false));
        all
    }

    fn ratio(name: &str, unit: Unit, better: Better, source: Source) -> Self {
        Self { name: name.to_owned(), unit, better, main: true, source }
    }

    /// Its value in a `summary.json`; `None` where nothing was measured.
    #[must_use]
    pub fn value(&self, summary: &Value) -> Option<f64> {
        let number = |pointer: &str| summary.pointer(pointer).and_then(Value::as_f64);
        match &self.source {
            Source::Percentile { pointer, statistic, .. } => {
                number(&format!("{pointer}/{statistic}"))
            }
            Source::Ratio { pointer, divisor: None, .. } => number(pointer),
            Source::Ratio { pointer, divisor: Some(divisor), .. } => {
                let divisor = number(divisor).filter(|divisor| *divisor > 0.0)?;
                Some(number(pointer)? / divisor)
            }
            Source::ShardsPerTransaction => shards_per_transaction(summary),
            Source::Whole { pointer } => number(pointer),
        }
    }

    /// How many measurements its value in a `summary.json` rests on; `None` where nobody counts.
    #[must_use]
    pub fn count(&self, summary: &Value) -> Option<u64> {
        match &self.source {
            Source::Percentile { pointer, .. } => {
                summary.pointer(&format!("{pointer}/count")).and_then(Value::as_u64)
            }
            _ => None,
        }
    }
}

fn percentiles(name: &str, pointer: &str, main: bool) -> Vec<Metric> {
    let of = |(statistic, share): (&'static str, f64)| Metric {
        name: format!("{name}.{statistic}"),
        unit: Unit::Milliseconds,
        better: Better::Lower,
        main: main && statistic != "p999" || statistic == "p50" || statistic == "p99",
        source: Source::Percentile {
            pointer: pointer.to_owned(),
            statistic,
            share,
            series: name.to_owned(),
        },
    };
    PERCENTILES.into_iter().map(of).collect()
}

fn shards_per_transaction(summary: &Value) -> Option<f64> {
    let counts = summary.pointer("/shards_per_transaction")?.as_object()?;
    let pairs = counts
        .iter()
        .filter_map(|(shards, count)| Some((shards.parse::<f64>().ok()?, count.as_f64()?)));
    let (shards, all) =
        pairs.fold((0.0, 0.0), |(shards, all), (of, count)| (shards + of * count, all + count));
    (all > 0.0).then(|| shards / all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_come_from_the_summary() {
        let summary = json!({
            "throughput_tps": 199.6,
            "transactions": { "offered": 200, "settled": 150 },
            "shards_per_transaction": { "1": 1, "3": 3 },
            "latency_ms": { "settlement": { "cross": { "count": 12, "p99": 450.5 } } },
        });
        let all = Metric::all();
        let find = |name: &str| all.iter().find(|metric| metric.name == name).unwrap();
        assert_eq!(find("throughput_tps").value(&summary), Some(199.6));
        assert_eq!(find("settled_share").value(&summary), Some(0.75));
        assert_eq!(find("shards_per_transaction").value(&summary), Some(2.5));
        assert_eq!(find("settlement.cross.p99").value(&summary), Some(450.5));
        assert_eq!(find("settlement.cross.p99").count(&summary), Some(12));
        assert_eq!(find("finality.p50").value(&summary), None);
        let mut names: Vec<&str> = all.iter().map(|metric| metric.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
    }
}

//! One run of the search: what came of it, and whether it met what is asked.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::signals::{Signal, signals};
use crate::report::html::source::HtmlError;
use crate::scenario::{Limit, Metric, Scenario, Statistic, Threshold};

/// What must settle of what is offered if the scenario has no threshold that can be judged.
pub const USUAL_SHARE: f64 = 0.99;

/// A run at a rate with a seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Its step on the ladder.
    pub step: i32,
    /// What the scenario's rates were multiplied by.
    pub factor: f64,
    /// Its seed.
    pub seed: u64,
    /// Its directory, below the search's.
    pub directory: String,
    /// Transactions per second that recorded phases offer, at the most at one time.
    pub offered_tps: f64,
    /// Settled transactions per second.
    pub throughput_tps: f64,
    /// Share of the offered transactions that settled.
    pub settled_share: Option<f64>,
    /// Settlement latency in milliseconds.
    pub settlement: Times,
    /// Finality latency in milliseconds.
    pub finality: Times,
    /// The run's own verdict.
    pub verdict: String,
    /// Whether it met what is asked.
    pub met: bool,
    /// Why not.
    pub unmet: Vec<String>,
    /// What was scarce.
    pub signals: Vec<Signal>,
    /// How long it took, in seconds of real time.
    pub took_seconds: f64,
}

/// Percentiles of a latency in milliseconds; `None`: nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

/// Which of a scenario's thresholds can be judged at any rate, in words. The others are numbers
/// that grow with the rate, such as `transactions.settled >= 1000`: they say nothing about the
/// highest rate.
#[must_use]
pub fn criteria(scenario: &Scenario) -> Vec<String> {
    let mut words: Vec<String> =
        scenario.thresholds.iter().filter(|it| is_judged(it)).map(ToString::to_string).collect();
    if words.is_empty() {
        words.push(format!("transactions.settled >= {}%", USUAL_SHARE * 100.0));
    }
    words.push("no invariant breaks, nothing is missing of the measurements".to_owned());
    words.push("queues do not grow for as long as the load lasts".to_owned());
    words
}

/// Thresholds that are not judged, in words.
#[must_use]
pub fn not_judged(scenario: &Scenario) -> Vec<String> {
    scenario.thresholds.iter().filter(|it| !is_judged(it)).map(ToString::to_string).collect()
}

fn is_judged(threshold: &Threshold) -> bool {
    let counts = match threshold.metric {
        Metric::Throughput | Metric::CheckpointsFinalized => true,
        Metric::Latency(_, _, statistic)
        | Metric::Stage(_, statistic)
        | Metric::Stalled(statistic)
        | Metric::CheckpointLatency(statistic) => statistic == Statistic::Count,
        Metric::Transactions(_) => match threshold.limit {
            // None is none at any rate.
            Limit::Number(number) => number != 0.0,
            _ => false,
        },
        Metric::Migrations(_) => true,
        Metric::CrossShardRatio | Metric::MigrationRatio(_) => false,
    };
    !counts
}

/// Where a probe stands in the search.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its step.
    pub step: i32,
    /// The step's factor.
    pub factor: f64,
    /// Its seed.
    pub seed: u64,
    /// Its directory, below the search's.
    pub directory: String,
    /// What recorded phases offer.
    pub offered_tps: f64,
    /// How long the run took, in seconds.
    pub took_seconds: f64,
}

/// Judges the run whose files are in `at`. `scenario` is the scaled one.
///
/// # Errors
/// When a file is missing or is not what a run writes.
pub fn judge(at: &Path, scenario: &Scenario, place: Place) -> Result<Probe, HtmlError> {
    let summary = json(&at.join("summary.json"))?;
    let manifest = json(&at.join("manifest.json"))?;
    let signals = signals(at, scenario, &summary, &manifest)?;
    let number = |pointer: &str| summary.pointer(pointer).and_then(Value::as_f64);
    let times = |span: &str| {
        let of = |statistic: &str| number(&format!("/latency_ms/{span}/all/{statistic}"));
        Times { p50: of("p50"), p90: of("p90"), p99: of("p99") }
    };
    let offered = number("/transactions/offered").filter(|offered| *offered > 0.0);
    let settled_share = offered.zip(number("/transactions/settled")).map(|(all, of)| of / all);
    let verdict = summary.get("verdict").and_then(Value::as_str).unwrap_or_default().to_owned();
    let unmet = unmet(scenario, &summary, &verdict, settled_share, &signals);
    Ok(Probe {
        step: place.step,
        factor: place.factor,
        seed: place.seed,
        directory: place.directory,
        offered_tps: place.offered_tps,
        throughput_tps: number("/throughput_tps").unwrap_or(0.0),
        settled_share,
        settlement: times("settlement"),
        finality: times("finality"),
        verdict,
        met: unmet.is_empty(),
        unmet,
        signals,
        took_seconds: (place.took_seconds * 1e3).round() / 1e3,
    })
}

fn unmet(
    scenario: &Scenario,
    summary: &Value,
    verdict: &str,
    settled_share: Option<f64>,
    signals: &[Signal],
) -> Vec<String> {
    let mut unmet = Vec::new();
    match verdict {
        "invariant_broken" => unmet.push("an invariant broke".to_owned()),
        "network_down" => unmet.push("the network went down".to_owned()),
        _ => {}
    }
    if summary.get("incomplete") == Some(&Value::Bool(true)) {
        unmet.push("observations are missing".to_owned());
    }
    let found = summary.get("thresholds").and_then(Value::as_array);
    let found = found.map(Vec::as_slice).unwrap_or_default();
    let mut judged = 0;
    for (threshold, result) in scenario.thresholds.iter().zip(found) {
        if !is_judged(threshold) {
            continue;
        }
        judged += 1;
        if result.get("held") != Some(&Value::Bool(true)) {
            let measured = match result.get("measured").and_then(Value::as_f64) {
                Some(number) => format!(", measured {}", shown(number, threshold)),
                None => ", nothing was measured".to_owned(),
            };
            unmet.push(format!("{threshold}{measured}"));
        }
    }
    if judged == 0 && settled_share.is_none_or(|share| share < USUAL_SHARE) {
        let share = settled_share.unwrap_or(0.0) * 100.0;
        unmet.push(format!("{share:.1} % of the offered transactions settled"));
    }
    let queues = signals.iter().find(|signal| signal.name == "queues");
    unmet.extend(queues.filter(|signal| signal.is_saturated()).map(Signal::words));
    unmet
}

fn shown(number: f64, threshold: &Threshold) -> String {
    let text = crate::report::number::plain(number);
    match threshold.limit {
        Limit::Duration(_) => format!("{text} ms"),
        _ => text,
    }
}

fn json(path: &Path) -> Result<Value, HtmlError> {
    let text = fs::read_to_string(path).map_err(|error| HtmlError::new(path, error))?;
    serde_json::from_str(&text).map_err(|error| HtmlError::new(path, error))
}

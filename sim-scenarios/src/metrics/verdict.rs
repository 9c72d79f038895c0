//! How a run ended: thresholds, invariants, and what is missing.

use std::fmt;

use cross_shard_msg::Duration;
use simulation::checkers::{self, Checked, Invariant};

use super::Distribution;
use super::circumstances::circumstances;
use super::input::RunData;
use super::joined::Joined;
use super::results::{PhaseResults, Results};
use super::stages::Part;
use crate::cli::Exit;
use crate::scenario::{Limit, Metric, Scenario, Side, Stage, Statistic, Threshold};

/// How a run ended; the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An invariant broke.
    InvariantBroken,
    /// The network did not start, or a process died.
    NetworkDown,
    /// The user stopped it.
    Interrupted,
    /// A threshold did not hold.
    ThresholdFailed,
    /// Everything held.
    Passed,
}

impl Verdict {
    /// The name in summary.json.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvariantBroken => "invariant_broken",
            Self::NetworkDown => "network_down",
            Self::Interrupted => "interrupted",
            Self::ThresholdFailed => "threshold_failed",
            Self::Passed => "passed",
        }
    }

    /// The program's exit code.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::InvariantBroken => Exit::InvariantBroke,
            Self::NetworkDown => Exit::NetworkDown,
            Self::Interrupted => Exit::Interrupted,
            Self::ThresholdFailed => Exit::ThresholdFailed,
            Self::Passed => Exit::Passed,
        }
    }
}

/// A threshold and what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdResult {
    /// The threshold.
    pub threshold: Threshold,
    /// `None` when there was nothing to measure; then it does not hold.
    pub measured: Option<Quantity>,
    /// Whether it holds.
    pub held: bool,
}

/// A measured value in the unit of its metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// A time.
    Time(Duration),
    /// A count, a rate or a ratio.
    Number(f64),
    /// A count, compared as a share of the offered transactions.
    OfOffered {
        /// The count.
        count: u64,
        /// Of so many.
        offered: u64,
    },
}

/// An invariant and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvariantResult {
    /// The invariant.
    pub invariant: Invariant,
    /// Where it broke; empty when it did not.
    pub breaches: Vec<String>,
    /// What was looked at where it held; empty when it was nowhere judged.
    pub checked: Checked,
    /// Why it was not judged, of the first network where it was not.
    pub not_judged: Option<String>,
}

impl InvariantResult {
    /// Whether it did not break.
    #[must_use]
    pub fn held(&self) -> bool {
        self.breaches.is_empty()
    }

    /// Whether it neither held nor broke: there was nothing to judge in any network.
    #[must_use]
    pub fn not_applicable(&self) -> bool {
        self.held() && self.checked.0.is_empty()
    }

    /// The verdict's name in summary.json.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match (self.held(), self.not_applicable()) {
            (false, _) => "broken",
            (true, true) => "not_applicable",
            (true, false) => "held",
        }
    }
}

pub(super) fn verdict(run: &RunData, results: &Results) -> Verdict {
    if !results.invariants.iter().all(InvariantResult::held) {
        Verdict::InvariantBroken
    } else if run.died.is_some() {
        Verdict::NetworkDown
    } else if run.interrupted {
        Verdict::Interrupted
    } else if !results.thresholds.iter().all(|result| result.held) {
        Verdict::ThresholdFailed
    } else {
        Verdict::Passed
    }
}

/// Looks at the records of every network.
pub(super) fn invariants(run: &RunData, networks: &[Joined<'_>]) -> Vec<InvariantResult> {
    let empty = |invariant| InvariantResult {
        invariant,
        breaches: Vec::new(),
        checked: Checked::default(),
        not_judged: None,
    };
    let mut results: Vec<InvariantResult> = Invariant::ALL.into_iter().map(empty).collect();
    for network in networks {
        let place = match network.data.label {
            0 => String::new(),
            label => format!("network {label}: "),
        };
        let findings = checkers::examine(&network.data.records, &circumstances(run, network));
        for (result, finding) in results.iter_mut().zip(findings) {
            match finding.verdict {
                checkers::Verdict::Held(checked) => result.checked.add(&checked),
                checkers::Verdict::Broken(detail) => {
                    result.breaches.push(format!("{place}{detail}"));
                }
                checkers::Verdict::NotApplicable(why) => {
                    result.not_judged.get_or_insert(format!("{place}{why}"));
                }
            }
        }
    }
    results
}

/// Compares every threshold with what was measured.
pub(super) fn thresholds(scenario: &Scenario, results: &Results) -> Vec<ThresholdResult> {
    let evaluate = |threshold: &Threshold| {
        let phase = results.phase(threshold.phase.as_deref());
        let measured = phase.and_then(|phase| measure(threshold, phase, results));
        let held = measured.is_some_and(|measured| holds(threshold, measured));
        ThresholdResult { threshold: threshold.clone(), measured, held }
    };
    scenario.thresholds.iter().map(evaluate).collect()
}

fn measure(threshold: &Threshold, phase: &PhaseResults, results: &Results) -> Option<Quantity> {
    let of = |distribution: &Distribution, statistic: Statistic| match statistic {
        Statistic::Count => Some(Quantity::Number(distribution.count() as f64)),
        statistic => distribution.time(statistic).map(Quantity::Time),
    };
    match threshold.metric {
        Metric::Latency(span, scope, statistic) => of(phase.latency(span, scope), statistic),
        Metric::Stage(stage, statistic) => of(phase.part(part_of(stage)), statistic),
        Metric::Throughput => Some(Quantity::Number(phase.throughput_tps())),
        Metric::CrossShardRatio => phase.cross_shard_ratio().map(Quantity::Number),
        Metric::Transactions(outcome) => {
            let (count, offered) = (phase.counts.of(outcome), phase.counts.offered);
            match threshold.limit {
                // A share of nothing is not known.
                Limit::OfOffered(_) if offered == 0 => None,
                Limit::OfOffered(_) => Some(Quantity::OfOffered { count, offered }),
                Limit::Duration(_) | Limit::Number(_) => Some(Quantity::Number(count as f64)),
            }
        }
        Metric::CheckpointsFinalized => {
            Some(Quantity::Number(results.checkpoints.finalized as f64))
        }
        Metric::CheckpointLatency(statistic) => of(&results.checkpoints.latency, statistic),
        Metric::Migrations(count) => {
            let count = results.migrations.as_ref()?.count(count);
            Some(Quantity::Number(count as f64))
        }
        Metric::Stalled(statistic) => of(&results.migrations.as_ref()?.stalled, statistic),
        Metric::MigrationRatio(side) => {
            let migrations = results.migrations.as_ref()?;
            let ratio = match side {
                Side::Before => migrations.ratio_before,
                Side::After => migrations.ratio_after,
            };
            ratio.map(Quantity::Number)
        }
    }
}

fn holds(threshold: &Threshold, measured: Quantity) -> bool {
    let (measured, limit) = match (measured, threshold.limit) {
        (Quantity::Time(time), Limit::Duration(limit)) => (time.0 as f64, limit.0 as f64),
        (Quantity::Number(number), Limit::Number(limit)) => (number, limit),
        // Without a division, so that a share of exactly the limit is found equal to it.
        (Quantity::OfOffered { count, offered }, Limit::OfOffered(share)) => {
            (count as f64 * 1e6, offered as f64 * f64::from(share.millionths))
        }
        // The parser lets no metric have a limit of another unit.
        _ => return false,
    };
    threshold.comparison.holds(measured, limit)
}

fn part_of(stage: Stage) -> Part {
    match stage {
        Stage::Gate => Part::Gate,
        Stage::Network => Part::Network,
        Stage::Queue => Part::Queue,
        Stage::Execution => Part::Execution,
    }
}

/// What is missing of the measurements, for a person.
pub(super) fn incomplete(run: &RunData, networks: &[Joined<'_>]) -> Vec<String> {
    let mut missing = Vec::new();
    for network in &run.networks {
        for (node, facts) in &network.processes {
            match facts.report.as_ref().map(|report| report.lost_observations) {
                Some(0) => {}
                None if facts.killed => {}
                Some(lost) => missing.push(format!("{node} could not write {lost} observations")),
                None => missing.push(format!("{node} did not end in order; its last are lost")),
            }
        }
    }
    let untimed: u64 = networks.iter().map(Joined::untimed_blocks).sum();
    if untimed > 0 {
        missing.push(format!("{untimed} blocks have no observation, what they executed no times"));
    }
    missing
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{} ms", crate::report::number::millis(*time)),
            Self::Number(number) => write!(f, "{}", crate::report::number::plain(*number)),
            Self::OfOffered { count, offered } => {
                let percent = *count as f64 * 100.0 / *offered as f64;
                write!(f, "{count} of {offered} ({}%)", crate::report::number::plain(percent))
            }
        }
    }
}

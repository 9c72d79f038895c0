//! All probes of a search put together: rungs, the capacity, the knee, what gave out first.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::probe::Probe;
use super::search::{Known, Rule, search};
use super::signals::Signal;

/// Version of capacity.json and capacity.csv.
pub const VERSION: u32 = 1;

/// What is searched for and how: what a search that goes on must have in common with its beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the scenario.
    pub name: String,
    /// The scenario with every default.
    pub scenario: String,
    /// `simulated` or `processes`.
    pub world: String,
    /// Name of the cost profile and its costs; empty for processes.
    pub profile: String,
    /// How the ladder is climbed.
    pub rule: Rule,
    /// What must hold.
    pub criteria: Vec<String>,
    /// Thresholds of the scenario that are not judged, since they are numbers that grow with the
    /// rate.
    pub not_judged: Vec<String>,
}

/// `capacity.json`: a search, as far as it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ladder {
    /// [`VERSION`]
    pub schema_version: u32,
    /// Version of the program.
    pub shardlab: String,
    /// What is searched for.
    pub plan: Plan,
    /// Whether the search is done.
    pub done: bool,
    /// What came of it so far.
    pub capacity: Capacity,
    /// Steps with their runs, from the lowest rate.
    pub rungs: Vec<Rung>,
    /// All runs, by step and seed.
    pub probes: Vec<Probe>,
}

/// What came of a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// The highest step that every seed met.
    pub step: Option<i32>,
    /// Its rate: offered transactions per second.
    pub offered_tps: Option<f64>,
    /// What the scenario's rates are multiplied by there.
    pub factor: Option<f64>,
    /// The rate of the lowest step above it that a seed did not meet.
    pub unmet_tps: Option<f64>,
    /// Where throughput ÷ median settlement latency is largest.
    pub knee: Option<Knee>,
    /// What was beyond its bound at the lowest rate, by rate.
    pub saturated: Vec<Saturated>,
    /// Why the lowest step above the capacity is not met.
    pub because: Vec<String>,
}

/// The knee: L. Kleinrock's power (1979), throughput divided by latency, is largest here. A higher
/// rate costs more latency than it gives throughput.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// Offered transactions per second.
    pub offered_tps: f64,
    /// Throughput there.
    pub throughput_tps: f64,
    /// Median settlement latency there, in milliseconds.
    pub settlement_p50_ms: f64,
    /// 99th percentile there.
    pub settlement_p99_ms: f64,
}

/// A signal and where it first was beyond its bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saturated {
    /// What.
    pub signal: Signal,
    /// In words.
    pub words: String,
    /// Offered transactions per second.
    pub offered_tps: f64,
    /// Whether that is above the capacity.
    pub above: bool,
}

/// A step: the means over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// The step.
    pub step: i32,
    /// Its factor.
    pub factor: f64,
    /// Offered transactions per second.
    pub offered_tps: f64,
    /// How many seeds were tried.
    pub seeds: usize,
    /// How many of them met what is asked.
    pub met: usize,
    /// Mean, smallest, largest over seeds; so are the next ones.
    pub throughput_tps: Range,
    /// Median settlement latency, ms.
    pub settlement_p50_ms: Option<Range>,
    /// 99th percentile, ms.
    pub settlement_p99_ms: Option<Range>,
    /// 99th percentile of finality, ms.
    pub finality_p99_ms: Option<Range>,
    /// Throughput ÷ median settlement latency, relative to the largest of all rungs.
    pub power: Option<f64>,
}

/// Over seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Mean.
    pub mean: f64,
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.collect();
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        Some(Self { mean: values.iter().sum::<f64>() / values.len() as f64, low, high })
    }
}

impl Ladder {
    /// Puts probes together; they are sorted by step and seed.
    #[must_use]
    pub fn new(plan: Plan, mut probes: Vec<Probe>) -> Self {
        probes.sort_by_key(|probe| (probe.step, probe.seed));
        let found = search(&plan.rule, &known(&probes));
        let rungs = rungs(&probes);
        let capacity = capacity(found.met, found.unmet, &rungs, &probes);
        Self {
            schema_version: VERSION,
            shardlab: env!("CARGO_PKG_VERSION").to_owned(),
            done: found.next.is_empty(),
            plan,
            capacity,
            rungs,
            probes,
        }
    }
}

/// What the search needs of probes.
#[must_use]
pub fn known(probes: &[Probe]) -> Known {
    probes.iter().map(|probe| ((probe.step, probe.seed), probe.met)).collect()
}

fn rungs(probes: &[Probe]) -> Vec<Rung> {
    let mut steps: BTreeMap<i32, Vec<&Probe>> = BTreeMap::new();
    for probe in probes {
        steps.entry(probe.step).or_default().push(probe);
    }
    let mut rungs: Vec<Rung> = steps
        .into_iter()
        .filter_map(|(step, probes)| {
            let range = |of: fn(&Probe) -> Option<f64>| {
                Range::of(probes.iter().filter_map(|probe| of(probe)))
            };
            let throughput = range(|probe| Some(probe.throughput_tps))?;
            let middle = range(|probe| probe.settlement.p50);
            Some(Rung {
                step,
                factor: probes[0].factor,
                offered_tps: probes[0].offered_tps,
                seeds: probes.len(),
                met: probes.iter().filter(|probe| probe.met).count(),
                throughput_tps: throughput,
                settlement_p50_ms: middle,
                settlement_p99_ms: range(|probe| probe.settlement.p99),
                finality_p99_ms: range(|probe| probe.finality.p99),
                power: middle.filter(|it| it.mean > 0.0).map(|it| throughput.mean / it.mean),
            })
        })
        .collect();
    let most = rungs.iter().filter_map(|rung| rung.power).fold(0.0, f64::max);
    if most > 0.0 {
        for power in rungs.iter_mut().filter_map(|rung| rung.power.as_mut()) {
            *power /= most;
        }
    }
    rungs
}

fn capacity(met: Option<i32>, unmet: Option<i32>, rungs: &[Rung], probes: &[Probe]) -> Capacity {
    let rung = |step: Option<i32>| rungs.iter().find(|rung| Some(rung.step) == step);
    let at = rung(met);
    let knee = rungs
        .iter()
        .filter(|rung| rung.power.is_some())
        .max_by(|one, two| one.power.unwrap_or(0.0).total_cmp(&two.power.unwrap_or(0.0)));
    let mut because: Vec<String> = Vec::new();
    for probe in probes.iter().filter(|probe| Some(probe.step) == unmet) {
        for reason in &probe.unmet {
            because.push(format!("seed {}: {reason}", probe.seed));
        }
    }
    Capacity {
        step: met,
        offered_tps: at.map(|rung| rung.offered_tps),
        factor: at.map(|rung| rung.factor),
        unmet_tps: rung(unmet).map(|rung| rung.offered_tps),
        knee: knee.and_then(|rung| {
            Some(Knee {
                offered_tps: rung.offered_tps,
                throughput_tps: rung.throughput_tps.mean,
                settlement_p50_ms: rung.settlement_p50_ms?.mean,
                settlement_p99_ms: rung.settlement_p99_ms?.mean,
            })
        }),
        saturated: saturated(met, probes),
        because,
    }
}

/// Each signal at the lowest rate from which on it is beyond its bound, up to the highest rate.
fn saturated(met: Option<i32>, probes: &[Probe]) -> Vec<Saturated> {
    let names: BTreeSet<&str> =
        probes.iter().flat_map(|probe| &probe.signals).map(|it| it.name.as_str()).collect();
    let mut all: Vec<Saturated> = Vec::new();
    for name in names {
        let mut lowest: Option<(&Probe, &Signal)> = None;
        for step in probes.chunk_by(|one, two| one.step == two.step).rev() {
            let found = step.iter().find_map(|probe| {
                let signal = probe.signals.iter().find(|signal| signal.name == name)?;
                signal.is_saturated().then_some((probe, signal))
            });
            if found.is_none() {
                break;
            }
            lowest = found;
        }
        all.extend(lowest.map(|(probe, signal)| Saturated {
            signal: signal.clone(),
            words: signal.words(),
            offered_tps: probe.offered_tps,
            above: met.is_none_or(|met| probe.step > met),
        }));
    }
    // At one rate, the one that is farthest beyond its bound comes first.
    let excess = |it: &Saturated| it.signal.value / it.signal.bound.max(1e-9);
    all.sort_by(|one, two| {
        one.offered_tps.total_cmp(&two.offered_tps).then(excess(two).total_cmp(&excess(one)))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::super::probe::Times;
    use super::*;

    fn probe(step: i32, met: bool, gas: f64) -> Probe {
        let rate = 100.0 * f64::from(step + 1);
        let signal = |name: &str, value| Signal { name: name.to_owned(), value, bound: 0.9 };
        Probe {
            step,
            factor: f64::from(step + 1),
            seed: 7,
            directory: String::new(),
            offered_tps: rate,
            throughput_tps: rate.min(350.0),
            settled_share: Some(1.0),
            settlement: Times {
                p50: Some(if met { 200.0 } else { 900.0 }),
                p90: None,
                p99: Some(500.0),
            },
            finality: Times::default(),
            verdict: "passed".to_owned(),
            met,
            unmet: if met { Vec::new() } else { vec!["too slow".to_owned()] },
            signals: vec![signal("gas", gas), signal("cpu", 0.95)],
            took_seconds: 1.0,
        }
    }

    #[test]
    fn rungs_knee_and_what_gave_out_first() {
        let probes = vec![
            probe(3, false, 1.0),
            probe(0, true, 0.92),
            probe(1, true, 0.5),
            probe(2, true, 0.95),
        ];
        let rule = Rule { resolution: 1.0, seeds: vec![7], furthest: 8.0, curve: false };
        let plan = Plan {
            name: "test".to_owned(),
            scenario: String::new(),
            world: "simulated".to_owned(),
            profile: String::new(),
            rule,
            criteria: Vec::new(),
            not_judged: Vec::new(),
        };
        let ladder = Ladder::new(plan, probes);
        assert!(ladder.done);
        let found = &ladder.capacity;
        assert_eq!(
            (found.step, found.offered_tps, found.unmet_tps),
            (Some(2), Some(300.0), Some(400.0))
        );
        assert_eq!(found.because, ["seed 7: too slow"]);
        assert_eq!(found.knee.unwrap().offered_tps, 300.0);
        // Gas was beyond its bound at the lowest rate by accident, and stays there from 300 on.
        let first: Vec<(&str, f64)> =
            found.saturated.iter().map(|it| (it.signal.name.as_str(), it.offered_tps)).collect();
        assert_eq!(first, [("cpu", 100.0), ("gas", 300.0)]);
        let text = serde_json::to_string(&ladder).unwrap();
        assert_eq!(serde_json::from_str::<Ladder>(&text).unwrap(), ladder);
    }
}

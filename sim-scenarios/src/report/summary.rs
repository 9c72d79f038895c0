//! `summary.json`: the results for programs. It says nothing about the machine, so that two equal
//! simulated runs give equal files. Keys stand in the order of docs/output.md.

use std::collections::BTreeMap;
use std::fmt;

use cross_shard_msg::{Gate, Timestamp};
use partitioning::Shape;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::SCHEMA_VERSION;
use super::byzantine::ByzantineSummary;
use super::migrations::MigrationsSummary;
use super::number::{milliseconds, rounded};
use crate::metrics::graph;
use crate::metrics::results::{Counts, PhaseResults, Spread, failure_name};
use crate::metrics::shards::{self, CROSS_SHARD_WEIGHT, ShardRow};
use crate::metrics::stages::Part;
use crate::metrics::verdict::{InvariantResult, Quantity, ThresholdResult};
use crate::metrics::{Distribution, Measured, SimulationFacts, Verdict};
use crate::scenario::{FaultBand, Statistic};

/// The whole file; serialize it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    schema_version: u32,
    name: String,
    seed: u64,
    verdict: &'static str,
    interrupted: bool,
    incomplete: bool,
    simulation: Option<Simulation>,
    shards: u32,
    validators: u32,
    gate: &'static str,
    signatures: &'static str,
    durability: &'static str,
    #[serde(flatten)]
    total: Measures,
    checkpoints: Checkpoints,
    invariants: Ordered<InvariantSummary>,
    breaches: Vec<String>,
    thresholds: Vec<ThresholdSummary>,
    phases: Ordered<Measures>,
    load_imbalance: Imbalance,
    access_graph: GraphSummary,
    by_shard: Vec<ShardSummary>,
    refusals: Counted,
    dropped: Counted,
    skipped_rows: Counted,
    setup: Setup,
    faults: Vec<FaultSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migrations: Option<MigrationsSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    byzantine: Option<ByzantineSummary>,
    warnings: Vec<String>,
}

/// The contents of `summary.json`.
#[must_use]
pub fn summary(measured: &Measured<'_>) -> Summary {
    let results = &measured.results;
    let mut dropped = Counted::new();
    for ((_, reason), count) in &results.drops {
        *dropped.entry(reason.name()).or_default() += count;
    }
    let invariants = results.invariants.iter();
    let invariants =
        invariants.map(|result| (result.invariant.name().to_owned(), InvariantSummary::of(result)));
    let phases = results.phases.iter();
    Summary {
        schema_version: SCHEMA_VERSION,
        name: results.name.clone(),
        seed: results.seed,
        verdict: results.verdict.name(),
        interrupted: results.verdict == Verdict::Interrupted,
        incomplete: !results.incomplete.is_empty(),
        simulation: measured.run.simulation.as_ref().map(Simulation::of),
        shards: results.shards,
        validators: results.validators,
        gate: gate_name(results.gate),
        signatures: if results.signatures_assumed { "assumed" } else { "verified" },
        durability: results.durability.name(),
        total: Measures::of(&results.total),
        checkpoints: Checkpoints {
            finalized: results.checkpoints.finalized,
            latency_ms: Times::of(&results.checkpoints.latency),
            interval_ms: Times::of(&results.checkpoints.interval),
            view_changes: results.checkpoints.view_changes,
        },
        invariants: Ordered(invariants.collect()),
        breaches: results.invariants.iter().flat_map(|result| result.breaches.clone()).collect(),
        thresholds: results.thresholds.iter().map(ThresholdSummary::of).collect(),
        phases: Ordered(phases.map(|phase| (phase.name.clone(), Measures::of(phase))).collect()),
        load_imbalance: Imbalance {
            max_over_mean: shards::imbalance(&results.by_shard).map(rounded),
            cross_shard_weight: CROSS_SHARD_WEIGHT,
        },
        access_graph: GraphSummary::of(&graph::shape(measured)),
        by_shard: results.by_shard.iter().map(ShardSummary::of).collect(),
        refusals: results.refusals.iter().map(|(reason, count)| (reason.name(), *count)).collect(),
        dropped,
        skipped_rows: results.skipped.clone(),
        setup: Setup { transactions: results.setup.0, settled: results.setup.1 },
        faults: measured.run.faults.iter().map(FaultSummary::of).collect(),
        migrations: MigrationsSummary::of(measured),
        byzantine: ByzantineSummary::of(measured),
        warnings: results.warnings.run.clone(),
    }
}

/// What came of checking an invariant.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct InvariantSummary {
    verdict: &'static str,
    checked: Ordered<u64>,
    not_judged: Option<String>,
}

impl InvariantSummary {
    fn of(result: &InvariantResult) -> Self {
        let counts = result.checked.0.iter();
        Self {
            verdict: result.name(),
            checked: Ordered(counts.map(|(what, count)| ((*what).to_owned(), *count)).collect()),
            not_judged: result.not_judged.clone(),
        }
    }
}

/// The workload as a partitioner sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct GraphSummary {
    accounts: u64,
    pairs: u64,
    components: u64,
    largest_component: u64,
    crossing_share: Option<f64>,
}

impl GraphSummary {
    fn of(shape: &Shape) -> Self {
        let share = shape.crossing_weight as f64 / shape.weight as f64;
        Self {
            accounts: shape.accounts,
            pairs: shape.pairs,
            components: shape.components,
            largest_component: shape.largest_component,
            crossing_share: (shape.weight > 0).then(|| rounded(share)),
        }
    }
}

/// As in the file: indented JSON and a line break.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?;
        writeln!(f, "{text}")
    }
}

/// A gate's name in scenarios and reports.
#[must_use]
pub fn gate_name(gate: Gate) -> &'static str {
    match gate {
        Gate::Checkpoint => "checkpoint",
        Gate::Certified => "certified",
    }
}

type Counted = BTreeMap<&'static str, u64>;

/// A JSON object whose keys keep their order.
#[derive(Clone, Debug, PartialEq)]
struct Ordered<V>(Vec<(String, V)>);

impl<V: Serialize> Serialize for Ordered<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// What is said of each phase and of all together.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Measures {
    transactions: Transactions,
    throughput_tps: f64,
    cross_shard_ratio: Option<f64>,
    shards_per_transaction: BTreeMap<u32, u64>,
    latency_ms: Latencies,
    generator_lag_ms: Times,
}

impl Measures {
    fn of(phase: &PhaseResults) -> Self {
        let failed_by = phase.failed_by.iter();
        Self {
            transactions: Transactions {
                counts: CountsSummary::of(&phase.counts),
                refused_by: phase.refused_by.iter().map(|(why, n)| (why.name(), *n)).collect(),
                failed_by: failed_by.map(|(why, n)| (failure_name(*why), *n)).collect(),
            },
            throughput_tps: rounded(phase.throughput_tps()),
            cross_shard_ratio: phase.cross_shard_ratio().map(|ratio| (ratio * 1e6).round() / 1e6),
            shards_per_transaction: phase.shards_touched.clone(),
            latency_ms: Latencies {
                inclusion: Scopes::of(&phase.inclusion),
                cross_shard: CrossShard {
                    scopes: Scopes::of(&phase.cross_shard),
                    stages: Ordered(
                        Part::ALL
                            .iter()
                            .map(|part| (part.name().to_owned(), Times::of(phase.part(*part))))
                            .collect(),
                    ),
                },
                settlement: Scopes::of(&phase.settlement),
                finality: Scopes::of(&phase.finality),
            },
            generator_lag_ms: Times::of(&phase.generator_lag),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Transactions {
    #[serde(flatten)]
    counts: CountsSummary,
    refused_by: Counted,
    failed_by: Counted,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct CountsSummary {
    offered: u64,
    admitted: u64,
    refused: u64,
    settled: u64,
    failed: u64,
    replaced: u64,
    unfinished: u64,
    not_due: u64,
}

impl CountsSummary {
    fn of(counts: &Counts) -> Self {
        let Counts { offered, admitted, refused, settled, failed, replaced, unfinished, not_due } =
            *counts;
        Self { offered, admitted, refused, settled, failed, replaced, unfinished, not_due }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Latencies {
    inclusion: Scopes,
    cross_shard: CrossShard,
    settlement: Scopes,
    finality: Scopes,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct CrossShard {
    #[serde(flatten)]
    scopes: Scopes,
    stages: Ordered<Times>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Scopes {
    all: Times,
    intra: Times,
    cross: Times,
}

impl Scopes {
    fn of(spread: &Spread) -> Self {
        let [all, intra, cross] = [&spread.all, &spread.intra, &spread.cross].map(Times::of);
        Self { all, intra, cross }
    }
}

/// A distribution in milliseconds; without a measurement, `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Times {
    count: u64,
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    p999: Option<f64>,
    max: Option<f64>,
}

impl Times {
    pub(super) fn of(distribution: &Distribution) -> Self {
        let at = |statistic| distribution.time(statistic).map(milliseconds);
        Self {
            count: distribution.count(),
            p50: at(Statistic::P50),
            p90: at(Statistic::P90),
            p99: at(Statistic::P99),
            p999: at(Statistic::P999),
            max: at(Statistic::Max),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Checkpoints {
    finalized: u64,
    latency_ms: Times,
    interval_ms: Times,
    view_changes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ThresholdSummary {
    threshold: String,
    measured: Option<f64>,
    held: bool,
}

impl ThresholdSummary {
    fn of(result: &ThresholdResult) -> Self {
        let measured = result.measured.map(|measured| match measured {
            Quantity::Time(time) => milliseconds(time),
            Quantity::Number(number) => rounded(number),
            Quantity::OfOffered { count, .. } => count as f64,
        });
        Self { threshold: result.threshold.to_string(), measured, held: result.held }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Imbalance {
    max_over_mean: Option<f64>,
    cross_shard_weight: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ShardSummary {
    shard: u32,
    blocks: u64,
    transactions: u64,
    receipts_in: u64,
    receipts_out: u64,
    failed_legs: u64,
    gas_used: u64,
    gas_limit: u64,
    mempool_max: u32,
    delayed_max: u64,
    buffered_max: u64,
    transaction_bytes: u64,
    receipt_bytes: u64,
    load: f64,
}

impl ShardSummary {
    fn of(row: &ShardRow) -> Self {
        Self {
            shard: row.shard.0,
            blocks: row.blocks,
            transactions: row.transactions,
            receipts_in: row.receipts_in,
            receipts_out: row.receipts_out,
            failed_legs: row.failed,
            gas_used: row.gas_used.0,
            gas_limit: row.gas_limit.0,
            mempool_max: row.mempool_max,
            delayed_max: row.delayed_max,
            buffered_max: row.buffered_max,
            transaction_bytes: row.transaction_bytes,
            receipt_bytes: row.receipt_bytes,
            load: rounded(row.load),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Setup {
    transactions: u64,
    settled: u64,
}

/// What only a simulated run has.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Simulation {
    profile: String,
    digest: String,
    events: u64,
    virtual_ms: f64,
}

impl Simulation {
    fn of(facts: &SimulationFacts) -> Self {
        Self {
            profile: facts.profile.name.clone(),
            digest: facts.digest.to_string(),
            events: facts.events,
            virtual_ms: milliseconds(facts.time),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct FaultSummary {
    network: u64,
    kind: &'static str,
    target: String,
    start_ms: f64,
    end_ms: Option<f64>,
}

impl FaultSummary {
    fn of(band: &FaultBand) -> Self {
        let since_start = |at: Timestamp| milliseconds(at.since(Timestamp::ZERO));
        Self {
            network: band.network,
            kind: band.kind,
            target: band.target.clone(),
            start_ms: since_start(band.start),
            end_ms: band.end.map(since_start),
        }
    }
}

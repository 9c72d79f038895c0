//! What a run says in numbers: counts, throughput, distributions, by phase and in total.
//!
//! Only recorded phases count, and nothing that prepared the network. Tables by shard, checkpoints,
//! refusals and drops are over the whole run, and the invariants over everything.

use std::collections::BTreeMap;

use cross_shard_msg::{DropReason, Duration, Failure, Gate, NodeId, Refusal, Timestamp};

use super::byzantine::{self, ByzantineResults};
use super::checkpoints::CheckpointRow;
use super::input::RunData;
use super::joined::Joined;
use super::lifecycle::{Class, Lifecycle};
use super::migrations::{self, MigrationResults};
use super::saturation::{self, Warnings};
use super::shards::{self, ShardRow, is_recorded};
use super::stages::Part;
use super::verdict::{self, InvariantResult, ThresholdResult, Verdict};
use super::{Distribution, Moment};
use crate::scenario::{Durability, Outcome, Scenario, Scope, Signatures, Span};

/// Everything that the report says, apart from single transactions.
#[derive(Debug)]
pub struct Results {
    /// The scenario's name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// Number of shards.
    pub shards: u32,
    /// Number of coordinators.
    pub validators: u32,
    /// When destinations consume batches.
    pub gate: Gate,
    /// Whether signatures were assumed, not verified.
    pub signatures_assumed: bool,
    /// What a durable write survives.
    pub durability: Durability,
    /// How the run ended.
    pub verdict: Verdict,
    /// Why the network did not start or which process died.
    pub died: Option<String>,
    /// What is missing of the measurements; empty when nothing is.
    pub incomplete: Vec<String>,
    /// The scenario's thresholds, in its order.
    pub thresholds: Vec<ThresholdResult>,
    /// The invariants, in the order of reports.
    pub invariants: Vec<InvariantResult>,
    /// All recorded phases together.
    pub total: PhaseResults,
    /// Each recorded phase.
    pub phases: Vec<PhaseResults>,
    /// Each shard.
    pub by_shard: Vec<ShardRow>,
    /// Checkpoints.
    pub checkpoints: CheckpointResults,
    /// Answers of shards by reason; what was tried again counts again.
    pub refusals: BTreeMap<Refusal, u64>,
    /// Dropped inputs.
    pub drops: BTreeMap<(NodeId, DropReason), u64>,
    /// Rows of traces that were not replayed, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Transactions that prepared the network, and how many of them settled.
    pub setup: (u64, u64),
    /// Epochs and accounts that moved; `None` where none may.
    pub migrations: Option<MigrationResults>,
    /// What Byzantine nodes did; `None` when there were none.
    pub byzantine: Option<ByzantineResults>,
    /// Where the run was limited by something else than the protocol.
    pub warnings: Warnings,
}

/// Counts and distributions of what was scheduled in one phase.
#[derive(Clone, Debug, Default)]
pub struct PhaseResults {
    /// Its name; empty for the total.
    pub name: String,
    /// How many transactions ended how.
    pub counts: Counts,
    /// The refused ones, by the last reason.
    pub refused_by: BTreeMap<Refusal, u64>,
    /// The failed ones, by the reason of the first failed leg.
    pub failed_by: BTreeMap<Failure, u64>,
    /// Executed at their source: intra-shard.
    pub intra: u64,
    /// Executed at their source: cross-shard.
    pub cross: u64,
    /// How many transactions touched so many shards.
    pub shards_touched: BTreeMap<u32, u64>,
    /// Time from the first scheduled to the last settled transaction, summed over networks.
    pub span: Duration,
    /// Submitted → executed at the source.
    pub inclusion: Spread,
    /// Executed at the source → last call executed, of what settled or failed.
    pub cross_shard: Spread,
    /// Its parts, in the order of [`Part::ALL`].
    pub stages: [Distribution; 5],
    /// Scheduled → settled.
    pub settlement: Spread,
    /// Scheduled → finalized, of what settled.
    pub finality: Spread,
    /// Scheduled → first submitted: how late the load generator was.
    pub generator_lag: Distribution,
}

/// How many transactions ended how. Offered = refused + settled + failed + replaced + unfinished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Scheduled.
    pub offered: u64,
    /// In a mempool at some time.
    pub admitted: u64,
    /// Refused for good.
    pub refused: u64,
    /// Done everywhere.
    pub settled: u64,
    /// Done everywhere; a leg failed.
    pub failed: u64,
    /// Another transaction took its place.
    pub replaced: u64,
    /// Nothing of this when the run ended.
    pub unfinished: u64,
    /// Those unfinished ones that were not due yet when the run ended.
    pub not_due: u64,
}

/// One distribution for all transactions, and one for each class.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// All of them.
    pub all: Distribution,
    /// Those that stayed on one shard.
    pub intra: Distribution,
    /// Those that crossed.
    pub cross: Distribution,
}

/// Checkpoints over the whole run.
#[derive(Clone, Debug, Default)]
pub struct CheckpointResults {
    /// How many were finalized.
    pub finalized: u64,
    /// Proposed → finalized by the first coordinator.
    pub latency: Distribution,
    /// From one finalized checkpoint to the next.
    pub interval: Distribution,
    /// Views that ended without a checkpoint.
    pub view_changes: u64,
}

impl Results {
    pub(super) fn new(run: &RunData, networks: &[Joined<'_>]) -> Self {
        let scenario = &run.scenario;
        let (phases, total) = phases(scenario, networks);
        let mut results = Self {
            name: scenario.name.clone(),
            seed: scenario.seed,
            shards: scenario.network.shards,
            validators: scenario.network.validators,
            gate: scenario.network.gate,
            signatures_assumed: scenario.network.signatures == Signatures::Assumed,
            durability: scenario.network.durability,
            verdict: Verdict::Passed,
            died: run.died.clone(),
            incomplete: verdict::incomplete(run, networks),
            thresholds: Vec::new(),
            invariants: verdict::invariants(run, networks),
            total,
            phases,
            by_shard: shards::rows(scenario, networks),
            checkpoints: checkpoints(networks),
            refusals: BTreeMap::new(),
            drops: BTreeMap::new(),
            skipped: run.skipped.clone(),
            setup: setup(networks),
            migrations: migrations::results(run, networks),
            byzantine: byzantine::results(run),
            warnings: Warnings::default(),
        };
        for network in networks {
            for (reason, count) in network.refusals() {
                *results.refusals.entry(*reason).or_default() += count;
            }
            for (drop, count) in network.drops() {
                *results.drops.entry(*drop).or_default() += count;
            }
        }
        results.warnings = saturation::warnings(run, networks, &results);
        results.thresholds = verdict::thresholds(scenario, &results);
        results.verdict = verdict::verdict(run, &results);
        results
    }

    /// The results of the recorded phase with this name, or of all recorded phases.
    #[must_use]
    pub fn phase(&self, name: Option<&str>) -> Option<&PhaseResults> {
        match name {
            None => Some(&self.total),
            Some(name) => self.phases.iter().find(|phase| phase.name == name),
        }
    }
}

impl PhaseResults {
    /// Settled transactions per second, from the first scheduled to the last settled one. A
    /// cross-shard transaction counts once.
    #[must_use]
    pub fn throughput_tps(&self) -> f64 {
        if self.span == Duration::ZERO {
            return 0.0;
        }
        self.counts.settled as f64 * 1e9 / self.span.0 as f64
    }

    /// Cross-shard transactions among those that were executed at their source; `None` when there
    /// are none.
    #[must_use]
    pub fn cross_shard_ratio(&self) -> Option<f64> {
        let executed = self.intra + self.cross;
        (executed > 0).then(|| self.cross as f64 / executed as f64)
    }

    /// A latency's distribution.
    #[must_use]
    pub fn latency(&self, span: Span, scope: Scope) -> &Distribution {
        let spread = match span {
            Span::Inclusion => &self.inclusion,
            Span::CrossShard => &self.cross_shard,
            Span::Settlement => &self.settlement,
            Span::Finality => &self.finality,
        };
        match scope {
            Scope::All => &spread.all,
            Scope::Intra => &spread.intra,
            Scope::Cross => &spread.cross,
        }
    }

    /// The distribution of a part of the cross-shard latency.
    #[must_use]
    pub fn part(&self, part: Part) -> &Distribution {
        &self.stages[part as usize]
    }

    fn add(&mut self, life: &Lifecycle) {
        self.counts.add(life);
        match (life.outcome, life.refusal, life.failure) {
            (Outcome::Refused, Some(refusal), _) => {
                *self.refused_by.entry(refusal).or_default() += 1;
            }
            (Outcome::Failed, _, Some(failure)) => {
                *self.failed_by.entry(failure).or_default() += 1;
            }
            _ => {}
        }
        let Some(class) = life.class else { return };
        *match class {
            Class::Intra => &mut self.intra,
            Class::Cross => &mut self.cross,
        } += 1;
        *self.shards_touched.entry(life.shards).or_default() += 1;
        self.inclusion.record(class, life.inclusion());
        self.cross_shard.record(class, life.cross_shard());
        for (distribution, part) in
            self.stages.iter_mut().zip(life.stages.into_iter().flat_map(|s| s.0))
        {
            distribution.record(part);
        }
        if life.outcome == Outcome::Settled {
            self.settlement.record(class, life.settlement());
            self.finality.record(class, life.finality());
        }
    }

    fn lag(&mut self, life: &Lifecycle) {
        if let Some(lag) = life.submitted.since(Moment::at(life.scheduled)) {
            self.generator_lag.record(lag);
        }
    }
}

impl Counts {
    /// One of them.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Offered => self.offered,
            Outcome::Admitted => self.admitted,
            Outcome::Refused => self.refused,
            Outcome::Settled => self.settled,
            Outcome::Failed => self.failed,
            Outcome::Replaced => self.replaced,
            Outcome::Unfinished => self.unfinished,
        }
    }

    fn add(&mut self, life: &Lifecycle) {
        self.offered += 1;
        self.admitted += u64::from(life.was_admitted);
        match life.outcome {
            Outcome::Refused => self.refused += 1,
            Outcome::Settled => self.settled += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Replaced => self.replaced += 1,
            Outcome::Offered | Outcome::Admitted | Outcome::Unfinished => {
                self.unfinished += 1;
                self.not_due += u64::from(!life.due);
            }
        }
    }
}

impl Spread {
    fn record(&mut self, class: Class, time: Option<Duration>) {
        let Some(time) = time else { return };
        self.all.record(time);
        match class {
            Class::Intra => self.intra.record(time),
            Class::Cross => self.cross.record(time),
        }
    }
}

/// First scheduled and last settled of some transactions of one network.
#[derive(Clone, Copy, Default)]
struct Reach {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Reach {
    fn add(&mut self, life: &Lifecycle) {
        let scheduled = life.scheduled;
        self.first = Some(self.first.map_or(scheduled, |first| first.min(scheduled)));
        if life.outcome == Outcome::Settled {
            self.last = self.last.max(life.settled.time());
        }
    }

    fn span(self) -> Duration {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last.since(first),
            _ => Duration::ZERO,
        }
    }
}

/// The results of each recorded phase, and of all together.
fn phases(scenario: &Scenario, networks: &[Joined<'_>]) -> (Vec<PhaseResults>, PhaseResults) {
    let named = |name: &String| PhaseResults { name: name.clone(), ..PhaseResults::default() };
    let mut phases: Vec<_> = scenario.phases.iter().map(|phase| named(&phase.name)).collect();
    let mut total = PhaseResults::default();
    for network in networks {
        let mut reaches = vec![Reach::default(); phases.len()];
        let mut reach = Reach::default();
        for (info, life) in network.transactions() {
            let index = usize::from(info.phase);
            if info.setup || !is_recorded(scenario, info.phase) {
                continue;
            }
            let Some(phase) = phases.get_mut(index) else { continue };
            for results in [phase, &mut total] {
                results.add(life);
                results.lag(life);
            }
            reaches[index].add(life);
            reach.add(life);
        }
        for (phase, reach) in phases.iter_mut().zip(reaches) {
            phase.span = phase.span + reach.span();
        }
        total.span = total.span + reach.span();
    }
    let recorded = scenario.phases.iter().map(|phase| phase.record);
    let phases = phases.into_iter().zip(recorded).filter(|(_, recorded)| *recorded);
    (phases.map(|(phase, _)| phase).collect(), total)
}

fn setup(networks: &[Joined<'_>]) -> (u64, u64) {
    let all = networks.iter().flat_map(Joined::transactions).filter(|(info, _)| info.setup);
    all.fold((0, 0), |(all, settled), (_, life)| {
        (all + 1, settled + u64::from(life.outcome == Outcome::Settled))
    })
}

fn checkpoints(networks: &[Joined<'_>]) -> CheckpointResults {
    let mut results = CheckpointResults::default();
    for network in networks {
        results.finalized += network.checkpoints.len() as u64;
        results.view_changes += network.view_changes();
        let latencies = network.checkpoints.iter().filter_map(CheckpointRow::latency);
        latencies.for_each(|latency| results.latency.record(latency));
        for pair in network.checkpoints.windows(2) {
            if let Some(interval) = pair[1].finalized.since(pair[0].finalized) {
                results.interval.record(interval);
            }
        }
    }
    results
}

/// A failure's name in reports.
#[must_use]
pub fn failure_name(failure: Failure) -> &'static str {
    match failure {
        Failure::Revert => "revert",
        Failure::Halt => "halt",
        Failure::RemoteAccount => "remote_account",
        Failure::Collision => "collision",
    }
}

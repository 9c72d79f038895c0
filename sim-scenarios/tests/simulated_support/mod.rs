//! Runs scenarios in the simulated world and says what became of every transaction: once as the
//! client sees it and once as the shards' blocks have it.

#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::{BTreeMap, BTreeSet};

use cross_shard_msg::{
    Cause, Event, Failure, LegStatus, NodeId, Refusal, ShardId, Timestamp, TransactionKey,
    ValidatorIndex, Wei,
};
use sim_scenarios::client::{ClientProgress, Ended, Outcome};
use sim_scenarios::run::prepare::{Job, prepare};
use sim_scenarios::run::reexecute::reexecute;
use sim_scenarios::run::simulated::{Conditions, Simulated, simulate_job};
use sim_scenarios::scenario::{Places, Scenario, parse};
use sim_scenarios::workload::Workers;
use simulation::{CostProfile, checkers};

/// Environment variable that replaces the seed of every scenario.
pub const SEED: &str = "SHARDLAB_SEED";
/// No run takes longer than this in virtual time.
const END: Timestamp = Timestamp(3_600_000_000_000);

/// Tells how to repeat a test that fails: the seed and the command.
pub struct Replay {
    program: &'static str,
    test: &'static str,
    seed: u64,
}

impl Replay {
    /// For a test that starts now; `seed` counts unless the environment has another.
    pub fn new(program: &'static str, test: &'static str, seed: u64) -> Self {
        let seed = match std::env::var(SEED) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{SEED}={text}: not a seed")),
            Err(_) => seed,
        };
        Self { program, test, seed }
    }

    /// The same test with another seed; none if the environment names the seed.
    pub fn others(&self, seeds: std::ops::Range<u64>) -> Vec<Self> {
        if std::env::var_os(SEED).is_some() {
            return vec![Self { ..*self }];
        }
        seeds.map(|seed| Self { seed, ..*self }).collect()
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A scenario's text with changes, at this test's seed.
    pub fn scenario(&self, text: &str, changes: &[&str]) -> Scenario {
        let mut changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        changes.push(format!("seed={}", self.seed));
        let places = Places { base: ".".into(), data: cross_shard_msg::testdata::dir() };
        parse("scenario.toml", text, &changes, &places).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { program, test, seed } = self;
            eprintln!(
                "failed with seed {seed}; to repeat it:\n    {SEED}={seed} cargo test --release \
                 -p sim-scenarios --test {program} -- --exact {test} --nocapture"
            );
        }
    }
}

/// A job that has run.
pub struct Ran {
    pub job: Job,
    pub simulated: Simulated,
    pub progress: ClientProgress,
}

/// Runs the only job of a scenario, and checks what must hold of every run.
pub fn run(scenario: &Scenario) -> Ran {
    run_with(scenario, CostProfile::FREE)
}

/// The same with a price for work.
pub fn run_with(scenario: &Scenario, profile: CostProfile) -> Ran {
    let mut prepared = prepare(scenario, &Workers::single()).unwrap();
    assert_eq!(prepared.jobs.len(), 1);
    run_job(scenario, prepared.jobs.remove(0), profile)
}

/// Runs one network, and checks what must hold of every run: no invariant is broken, the client's
/// word on every transaction is what the blocks have, and once all is settled nothing is in flight.
pub fn run_job(scenario: &Scenario, job: Job, profile: CostProfile) -> Ran {
    let network = &scenario.network;
    let links = network.links.default;
    // What the client does not wait for (a `Migrate`, a resident's share) arrives meanwhile.
    let linger = network.checkpoint_every.times(6)
        + network.block_time.times(6)
        + (links.delay + links.jitter).times(6);
    let conditions = Conditions { profile, end: END, linger };
    let (simulated, progress) = simulate_job(scenario, &job, conditions).unwrap();
    let progress = progress.expect("the client says something at its start");
    let mut ran = Ran { job, simulated, progress };
    let workers = Workers::single();
    let again = reexecute(&ran.job.plan, &ran.simulated.logs, &ran.job.transactions, &workers);
    ran.simulated.records.executions = again;
    ran.check();
    ran
}

impl Ran {
    fn check(&self) {
        let breaches = checkers::check(&self.simulated.records);
        assert!(breaches.is_empty(), "{}: {breaches:#?}", self.label());
        assert_eq!(self.progress.outcomes.len(), self.job.workload.transactions.len());
        let fates = self.fates();
        let refused = self.refusals();
        let mut wrong = Vec::new();
        for (index, outcome) in self.progress.outcomes.iter().enumerate() {
            let key = self.job.workload.transactions[index].key;
            let fate = fates.get(&key);
            let agrees = match outcome {
                Outcome::Settled => fate.is_some_and(|fate| fate.is_final() && !fate.failed()),
                Outcome::Failed => fate.is_some_and(|fate| fate.is_final() && fate.failed()),
                Outcome::Refused(refusal) => {
                    fate.is_none() && refused.get(&key).is_some_and(|all| all.contains(refusal))
                }
                Outcome::Replaced => fate.is_none(),
                Outcome::Unfinished => self.progress.ended != Some(Ended::Complete),
            };
            if !agrees {
                wrong.push((key, *outcome, fate.cloned()));
            }
        }
        assert!(wrong.is_empty(), "{}: client and blocks disagree: {wrong:#?}", self.label());
        let known: BTreeSet<_> = self.job.workload.transactions.iter().map(|t| t.key).collect();
        let strange = fates.iter().find(|(key, fate)| !known.contains(key) && !fate.migrates);
        assert!(strange.is_none(), "{}: nobody sent {strange:?}", self.label());
        if self.progress.ended == Some(Ended::Complete) {
            self.check_nothing_in_flight();
        }
    }

    /// Genesis + minted = held + burnt, to the wei, and every queue is empty.
    fn check_nothing_in_flight(&self) {
        let records = &self.simulated.records;
        let mut sums = [Wei::ZERO; 5];
        for (shard, blocks) in &records.blocks {
            let header = &blocks.last().unwrap().header;
            let Some(&genesis) = records.settings.genesis_held.get(shard.0 as usize) else {
                panic!("shard {shard} has no genesis");
            };
            let ledger = &header.ledger;
            let parts = [genesis + ledger.minted, ledger.held, ledger.burnt];
            for (sum, part) in
                sums.iter_mut().zip(parts.into_iter().chain([ledger.sent, ledger.received]))
            {
                *sum += part;
            }
            let congestion = header.congestion;
            assert_eq!(
                (congestion.delayed, congestion.buffered),
                (0, 0),
                "{} shard {shard}: {congestion:?}",
                self.label()
            );
        }
        let [whole, held, burnt, sent, received] = sums;
        assert_eq!(sent, received, "{}: in flight at the end", self.label());
        assert_eq!(whole, held + burnt, "{}: value", self.label());
    }

    pub fn label(&self) -> String {
        format!("network {} of {} shards", self.job.label, self.shards())
    }

    pub fn shards(&self) -> u32 {
        self.job.plan.settings.shard_count()
    }

    /// The outcome of each transaction by name, with the reason, in the order of the workload.
    pub fn outcomes(&self) -> Vec<(TransactionKey, String)> {
        let fates = self.fates();
        let transactions = self.job.workload.transactions.iter();
        let named = transactions.zip(&self.progress.outcomes).map(|(transaction, outcome)| {
            let name = match outcome {
                Outcome::Settled => "settled".to_owned(),
                Outcome::Failed => format!("failed:{}", fates[&transaction.key].reasons()),
                Outcome::Refused(refusal) => format!("refused:{refusal}"),
                Outcome::Replaced => "replaced".to_owned(),
                Outcome::Unfinished => "unfinished".to_owned(),
            };
            (transaction.key, name)
        });
        named.collect()
    }

    /// How many transactions had each outcome.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (_, outcome) in self.outcomes() {
            *counts.entry(outcome).or_default() += 1;
        }
        counts
    }

    /// Asserts that all settled and all is final.
    pub fn assert_all_settled(&self) {
        self.assert_complete();
        let counts = self.counts();
        assert_eq!(
            counts.keys().map(String::as_str).collect::<Vec<_>>(),
            ["settled"],
            "{counts:?}"
        );
    }

    /// Asserts that the client waited for everything and says what it waited for if not.
    pub fn assert_complete(&self) {
        let unfinished: Vec<_> = self
            .outcomes()
            .into_iter()
            .filter(|(_, outcome)| outcome == "unfinished")
            .map(|(key, _)| key)
            .collect();
        let said = self.refusals();
        let fates = self.fates();
        let known: Vec<_> =
            unfinished.iter().take(8).map(|key| (key, fates.get(key), said.get(key))).collect();
        assert!(
            self.progress.ended == Some(Ended::Complete) && unfinished.is_empty(),
            "{}: ended {:?} with {} unfinished: {known:#?}; drops {:?}, {:?}",
            self.label(),
            self.progress.ended,
            unfinished.len(),
            self.drops(),
            self.progress.run,
        );
    }

    /// How often a node dropped something, by reason.
    pub fn drops(&self) -> BTreeMap<&'static str, u64> {
        let mut drops = BTreeMap::new();
        for observation in self.simulated.observations.values().flatten() {
            if let Event::Dropped { reason } = observation.event {
                *drops.entry(reason.name()).or_default() += 1;
            }
        }
        drops
    }

    /// Legs that were executed for receipts.
    pub fn receipt_legs(&self) -> usize {
        let legs = self.simulated.records.blocks.values().flatten().flat_map(|block| &block.legs);
        legs.filter(|leg| matches!(leg.cause, Cause::Receipt { .. })).count()
    }

    fn refusals(&self) -> BTreeMap<TransactionKey, BTreeSet<Refusal>> {
        let mut refusals: BTreeMap<TransactionKey, BTreeSet<Refusal>> = BTreeMap::new();
        for (node, observations) in &self.simulated.observations {
            if !matches!(node, NodeId::Shard(_)) {
                continue;
            }
            for observation in observations {
                if let Event::Refused { key, refusal } = observation.event {
                    refusals.entry(key).or_default().insert(refusal);
                }
            }
        }
        refusals
    }

    fn fates(&self) -> BTreeMap<TransactionKey, Fate> {
        let records = &self.simulated.records;
        let mut covered: BTreeMap<ShardId, u64> = BTreeMap::new();
        for finalized in &records.checkpoints[&ValidatorIndex(0)] {
            for crosslink in &finalized.checkpoint.crosslinks {
                covered.insert(crosslink.shard, crosslink.tip().0);
            }
        }
        let mut fates: BTreeMap<TransactionKey, Fate> = BTreeMap::new();
        for (shard, blocks) in &records.blocks {
            for block in blocks {
                for leg in &block.legs {
                    let fate = fates.entry(leg.key).or_default();
                    match leg.cause {
                        Cause::Transaction(_) => fate.included += 1,
                        Cause::Receipt { kind, .. } => {
                            fate.executed += 1;
                            fate.migrates |= kind == cross_shard_msg::ReceiptKind::Handover;
                        }
                    }
                    fate.caused += leg.caused;
                    if let LegStatus::Failed(failure) = leg.status {
                        fate.failures.insert(failure_name(failure));
                    }
                    let is_covered =
                        covered.get(shard).is_some_and(|tip| block.header.height.0 <= *tip);
                    fate.uncovered += u32::from(!is_covered);
                }
            }
        }
        fates
    }
}

/// What the blocks have of one transaction.
#[derive(Clone, Debug, Default)]
struct Fate {
    included: u32,
    caused: u32,
    executed: u32,
    uncovered: u32,
    failures: BTreeSet<&'static str>,
    migrates: bool,
}

impl Fate {
    fn is_final(&self) -> bool {
        self.included == 1 && self.caused == self.executed && self.uncovered == 0
    }

    fn failed(&self) -> bool {
        !self.failures.is_empty()
    }

    fn reasons(&self) -> String {
        self.failures.iter().copied().collect::<Vec<_>>().join("+")
    }
}

fn failure_name(failure: Failure) -> &'static str {
    match failure {
        Failure::Revert => "revert",
        Failure::Halt => "halt",
        Failure::RemoteAccount => "remote_account",
        Failure::Collision => "collision",
    }
}

//! One trial: the safety phase with its faults, then the liveness phase in which everything must
//! settle.
//!
//! At every durable block and final checkpoint of an honest node the invariants are checked
//! ([`simulation::Honest`]); no honest node may ever be accused. Once the load is sent and all faults
//! are over, every transaction that a client sent gets its outcome within [`Options::bound`], and what
//! a durable block began has settled. At the end the checkers of all runs look at the records, and
//! every block is executed again from genesis.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::{
    AccountKey, Cause, Checkpoint, CheckpointNumber, Duration, LegStatus, NodeId, ReceiptKind,
    ShardId, Timestamp,
};
use simulation::checkers::{self, Circumstances, Verdict};
use simulation::online::Validity;
use simulation::{Honest, Monitor};

use super::options::Options;
use super::panics;
use super::proven::{Proofs, Proven};
use super::situations::{Situation, Situations};
use super::witness::Witness;
use crate::client::{ClientProgress, Ended};
use crate::run::prepare::{Job, prepare};
use crate::run::reexecute::reexecute;
use crate::run::simulate_faults::{fault_plan, restartable};
use crate::run::simulate_trace::{TraceOptions, tracer};
use crate::run::simulated::{
    Conditions, Simulated, SimulationError, Surroundings, Tracer, simulate_workload,
};
use crate::workload::Workers;

/// A trial that takes more events than this does not end.
const MAX_EVENTS: u64 = 20_000_000;
/// A network is set up within this virtual time, or its client gives up.
const END: Timestamp = Timestamp(4 * 3_600_000_000_000);

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Digest of everything that happened; zero if the trial did not come to its end.
    pub digest: B256,
    /// Events that were handled.
    pub events: u64,
    /// Virtual time at its end.
    pub end: Timestamp,
    /// What seldom happens and happened.
    pub situations: Situations,
    /// What broke.
    pub failure: Option<Failure>,
}

/// What broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The invariant, by a name that stays the same when the trial is made smaller.
    pub invariant: String,
    /// Where and what, for a person.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.detail)
    }
}

/// Runs a trial. A machine that panics has failed it.
#[must_use]
pub fn run_trial(options: &Options) -> Trial {
    panics::catch(|| go(options, None)).unwrap_or_else(|words| Trial {
        digest: B256::ZERO,
        events: 0,
        end: Timestamp::ZERO,
        situations: Situations::default(),
        failure: Some(failure("panic", words)),
    })
}

/// The same, and every event is printed to standard output.
#[must_use]
pub fn trace_trial(options: &Options) -> Option<Failure> {
    let shown = tracer(TraceOptions::default());
    match panics::catch(|| go(options, Some(shown))) {
        Ok(trial) => trial.failure,
        Err(words) => Some(failure("panic", words)),
    }
}

fn failure(invariant: &str, detail: impl Into<String>) -> Failure {
    Failure { invariant: invariant.to_owned(), detail: detail.into() }
}

fn go(options: &Options, shown: Option<Tracer>) -> Trial {
    match simulated(options, shown) {
        Ok(trial) => trial,
        Err(failure) => Trial {
            digest: B256::ZERO,
            events: 0,
            end: Timestamp::ZERO,
            situations: Situations::default(),
            failure: Some(failure),
        },
    }
}

fn simulated(options: &Options, shown: Option<Tracer>) -> Result<Trial, Failure> {
    let scenario = &options.scenario;
    let mut prepared = prepare(scenario, &Workers::single())
        .map_err(|error| failure("preparation", error.to_string()))?;
    let Some(job) = prepared.jobs.pop() else {
        return Err(failure("preparation", "the scenario has no network"));
    };
    let dishonest: BTreeSet<ShardId> = dishonest(options).collect();
    let monitor = Monitor::new();
    let plan = &job.plan;
    monitor.add(Honest::new(&plan.settings, plan.base, &plan.residents, dishonest.iter().copied()));
    let honest = plan.settings.shard_ids().filter(|shard| !dishonest.contains(shard));
    let configs = honest.map(|shard| plan.shard_config(shard)).collect::<Result<Vec<_>, _>>();
    let configs = configs.map_err(|error| failure("preparation", error.to_string()))?;
    let validity =
        Validity::new(configs).map_err(|error| failure("preparation", error.to_string()))?;
    monitor.add(validity);
    let byzantine = scenario.byzantine.iter().map(|one| one.target).collect();
    let proofs = (!dishonest.is_empty()).then(Proofs::default);
    if let Some(proofs) = proofs.clone() {
        monitor.add(Proven { proofs, dishonest: dishonest.clone() });
    }
    let witness = Witness::new(byzantine, options.disk.torn, proofs, shown);
    let workload = Arc::new(job.workload.clone());
    let conditions = Conditions { profile: options.profile(), end: END, linger: linger(options) };
    let mut looks = 0;
    let surroundings = Surroundings {
        faults: &|origin| fault_plan(scenario, &workload.phases, origin),
        restartable: restartable(scenario),
        trust_senders: true,
        tracer: Some(witness.tracer()),
        look: &mut |_, _| {
            looks += 1;
            looks > MAX_EVENTS / crate::run::simulated::LOOK_EVERY
        },
        monitor: Some(monitor.clone()),
        disk: Some(options.disk),
    };
    let ran = simulate_workload(scenario, plan, Arc::clone(&workload), conditions, surroundings);
    let (mut simulated, last) = ran.map_err(|error| match error {
        SimulationError::Recovery { .. } => failure("recovery", error.to_string()),
        _ => failure("network", error.to_string()),
    })?;
    let situations = situations(&witness, &simulated);
    let accused = witness.seen(|seen| seen.accused.clone());
    let broken = monitor
        .violation()
        .map(|violation| failure(&word(&violation.detail), violation.detail))
        .or(accused.map(|detail| failure("an honest node is accused", detail)))
        .or_else(|| liveness(options, last.as_ref(), &dishonest))
        .or_else(|| settled(&monitor).filter(|_| !withholds(&simulated, &dishonest)))
        .or_else(|| records(&job, &mut simulated, dishonest));
    Ok(Trial {
        digest: simulated.digest,
        events: simulated.events,
        end: simulated.end,
        situations,
        failure: broken,
    })
}

/// The words of a violation that stay the same when numbers change.
fn word(detail: &str) -> String {
    let words = detail.split_whitespace().filter(|word| {
        let plain = |c: char| c.is_ascii_lowercase() || ",;".contains(c);
        word.chars().all(plain)
    });
    words.take(8).collect::<Vec<_>>().join(" ")
}

fn dishonest(options: &Options) -> impl Iterator<Item = ShardId> {
    options.scenario.byzantine.iter().filter_map(|one| match one.target {
        NodeId::Shard(shard) => Some(shard),
        _ => None,
    })
}

/// What a client does not wait for (a `Migrate`, the last headers) arrives meanwhile.
fn linger(options: &Options) -> Duration {
    let network = &options.scenario.network;
    let link = network.links.default;
    network.checkpoint_every.times(8)
        + network.block_time.times(8)
        + (link.delay + link.jitter).times(20)
        + options.disk.durable_after.times(8)
        + Options::muteness(&options.scenario)
        + network.checkpoint_every.times(2 * Options::restless(&options.scenario))
}

/// Every transaction has an outcome. One that goes through a dishonest shard need not have one.
fn liveness(
    options: &Options,
    last: Option<&ClientProgress>,
    dishonest: &BTreeSet<ShardId>,
) -> Option<Failure> {
    let Some(last) = last else { return Some(failure("liveness", "the client said nothing")) };
    match last.ended {
        Some(Ended::Complete) => None,
        Some(Ended::DrainTimeout) if !dishonest.is_empty() => None,
        Some(Ended::DrainTimeout) => Some(failure(
            "liveness",
            format!(
                "{} of {} transactions have no outcome {} after the load and all faults: {:?}",
                last.run.total - last.run.decided,
                last.run.total,
                crate::scenario::print_duration(options.scenario.client.drain_timeout),
                last.run
            ),
        )),
        Some(Ended::SetupFailed(why)) => Some(failure("set-up", format!("{why:?}"))),
        Some(Ended::Stopped) | None => {
            Some(failure("liveness", format!("no end after {MAX_EVENTS} events: {:?}", last.run)))
        }
    }
}

fn settled(monitor: &Monitor) -> Option<Failure> {
    monitor.finish();
    monitor.violation().map(|violation| failure("liveness: settled", violation.detail))
}

/// Whether an account was to leave a dishonest shard, or to come to it: such a shard may keep it, and
/// what waits for it waits for ever.
fn withholds(simulated: &Simulated, dishonest: &BTreeSet<ShardId>) -> bool {
    let checkpoints = simulated.records.checkpoints.values().flatten();
    let mut moves = checkpoints.flat_map(|it| &it.checkpoint.moves);
    moves.any(|it| dishonest.contains(&it.from) || dishonest.contains(&it.to))
}

/// The checkers of every run, with all blocks executed again.
fn records(job: &Job, simulated: &mut Simulated, dishonest: BTreeSet<ShardId>) -> Option<Failure> {
    let logs = std::mem::take(&mut simulated.logs);
    simulated.records.executions =
        reexecute(&job.plan, &logs, &job.transactions, &Workers::single());
    let circumstances = Circumstances { dishonest, ..Circumstances::default() };
    let findings = checkers::examine(&simulated.records, &circumstances);
    findings.into_iter().find_map(|finding| match finding.verdict {
        Verdict::Broken(detail) => Some(failure(finding.invariant.name(), detail)),
        Verdict::Held(_) | Verdict::NotApplicable(_) => None,
    })
}

/// What the records show, beside what was seen.
fn situations(witness: &Witness, simulated: &Simulated) -> Situations {
    let mut situations = witness.seen(|seen| seen.situations.clone());
    let records = &simulated.records;
    for block in records.blocks.values().flatten() {
        let congestion = &block.header.congestion;
        situations.add(Situation::ReceiptDelayed, u64::from(congestion.delayed > 0));
        situations.add(Situation::ReceiptsHeldBack, u64::from(congestion.buffered > 0));
        for leg in &block.legs {
            match leg.cause {
                Cause::Receipt { kind: ReceiptKind::Refund, .. } => {
                    situations.note(Situation::Refund);
                }
                Cause::Receipt { kind: ReceiptKind::Handover, .. } => {
                    situations.note(Situation::Handover);
                }
                Cause::Receipt { .. } | Cause::Transaction(_) => {}
            }
            match leg.status {
                LegStatus::Failed(_) => situations.note(Situation::FailedLeg),
                LegStatus::Forwarded => situations.note(Situation::Forwarded),
                LegStatus::Succeeded => {}
            }
        }
    }
    let shards = records.settings.shards.len();
    let longest = records.checkpoints.values().max_by_key(|list| list.len());
    for finalized in longest.into_iter().flatten() {
        let missing = shards - finalized.checkpoint.crosslinks.len().min(shards);
        situations.add(Situation::CrosslinkMissing, missing as u64);
    }
    // The first move sends an account off, a later one brings it elsewhere.
    let moves = || longest.into_iter().flatten().flat_map(|it| moves_of(&it.checkpoint));
    let sent: BTreeMap<(AccountKey, CheckpointNumber), ShardId> = moves().collect();
    let redirected = witness.seen(|seen| {
        let elsewhere = |(node, account, checkpoint): &&(NodeId, AccountKey, CheckpointNumber)| {
            sent.get(&(*account, *checkpoint)).is_some_and(|to| *node != NodeId::Shard(*to))
        };
        seen.arrived.iter().filter(elsewhere).count() as u64
    });
    situations.add(Situation::MovedInFlight, redirected);
    let mut snapshots = 0;
    for observations in simulated.observations.values() {
        let mut arrived = BTreeSet::new();
        for seen in observations {
            use cross_shard_msg::Event::{BatchAccepted, BatchArrived};
            match seen.event {
                BatchArrived { source, height } => {
                    arrived.insert((source, height, seen.at));
                }
                BatchAccepted { source, height } => {
                    let at_once = arrived.contains(&(source, height, seen.at));
                    situations.add(Situation::BatchWaited, u64::from(!at_once));
                }
                _ => {}
            }
        }
    }
    for blocks in records.blocks.values() {
        snapshots += blocks.len() as u64 / shard_node_snapshot_every();
    }
    situations.add(Situation::Snapshot, snapshots);
    situations
}

fn moves_of(
    checkpoint: &Checkpoint,
) -> impl Iterator<Item = ((AccountKey, CheckpointNumber), ShardId)> {
    let number = checkpoint.number;
    checkpoint.moves.iter().map(move |it| ((AccountKey::of(&it.account), number), it.to))
}

/// Blocks from one snapshot to the next.
fn shard_node_snapshot_every() -> u64 {
    1_024
}

//! What happened to each transaction, from scheduled to finalized, and its one outcome (rules
//! R-CLI-1, R-CLI-4 to R-CLI-6).

use cross_shard_msg::{Duration, Failure, LegStatus, ReceiptKind, Refusal, ShardId, Timestamp};

use super::Moment;
use super::blocks::Blocks;
use super::legs::{self, LegRow, Legs};
use super::observed::Observed;
use super::stages::{self, Stages};
use crate::scenario::Outcome;

/// Whether a transaction stayed on its source shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It did.
    Intra,
    /// A leg was executed on another shard, or a receipt was released for one.
    Cross,
}

impl Class {
    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Intra => "intra",
            Self::Cross => "cross",
        }
    }
}

/// One transaction's life. Times count from the network's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    /// Refused, settled, failed, replaced or unfinished.
    pub outcome: Outcome,
    /// Why it was refused for good.
    pub refusal: Option<Refusal>,
    /// Why its first failed leg failed.
    pub failure: Option<Failure>,
    /// `None` until it was executed at its source.
    pub class: Option<Class>,
    /// When it was due. Latency counts from here.
    pub scheduled: Timestamp,
    /// Whether it was due before the client stopped.
    pub due: bool,
    /// Attempts to submit it.
    pub attempts: u32,
    /// The client sent it for the first time.
    pub submitted: Moment,
    /// A mempool took it for the first time.
    pub admitted: Moment,
    /// Whether it was in a mempool: observed, or known since it was executed.
    pub was_admitted: bool,
    /// The client gave up, or another transaction took its place.
    pub refused: Moment,
    /// Executed at its source.
    pub executed: Moment,
    /// The last call on another shard was executed; only of those that settled or failed.
    pub last_call: Moment,
    /// The parts of executed → last call; `None` where there was no call or a time is unknown.
    pub stages: Option<Stages>,
    /// The last leg was executed, refunds included, and created contracts are known everywhere.
    pub settled: Moment,
    /// Checkpoints that cover all its legs are final.
    pub finalized: Moment,
    /// The shard that executed it first; before that, its sender's home at genesis.
    pub source: ShardId,
    /// Shards that executed a leg of it.
    pub shards: u32,
    /// Executed legs.
    pub legs: u32,
}

impl Lifecycle {
    /// Submitted → executed at the source.
    #[must_use]
    pub fn inclusion(&self) -> Option<Duration> {
        self.executed.since(self.submitted)
    }

    /// Executed at the source → last call executed.
    #[must_use]
    pub fn cross_shard(&self) -> Option<Duration> {
        self.last_call.since(self.executed)
    }

    /// Scheduled → settled.
    #[must_use]
    pub fn settlement(&self) -> Option<Duration> {
        self.settled.since(Moment::at(self.scheduled))
    }

    /// Scheduled → finalized.
    #[must_use]
    pub fn finality(&self) -> Option<Duration> {
        self.finalized.since(Moment::at(self.scheduled))
    }

    /// When its outcome was known; unknown for what is unfinished.
    #[must_use]
    pub fn ended(&self) -> Moment {
        match self.outcome {
            Outcome::Settled | Outcome::Failed => self.settled,
            Outcome::Refused | Outcome::Replaced => self.refused,
            Outcome::Offered | Outcome::Admitted | Outcome::Unfinished => Moment::NONE,
        }
    }
}

/// Puts together what is known of the transaction at position `at`.
pub(super) fn join(
    at: usize,
    home: ShardId,
    end: Timestamp,
    blocks: &Blocks<'_>,
    all: &Legs,
    observed: &Observed,
) -> Option<Lifecycle> {
    let times = observed.transactions.get(at)?;
    let own = all.of(at);
    let first = own.iter().find(|leg| leg.origin.is_none());
    let source = first.map_or(home, |leg| blocks.at(leg.block).shard());
    let shards = u32::try_from(legs::shards(own, blocks).len()).unwrap_or(u32::MAX);
    let travelled = all.travelled.get(at).copied().unwrap_or(false);
    let mut lifecycle = Lifecycle {
        outcome: Outcome::Unfinished,
        refusal: None,
        failure: failure_of(own, blocks),
        class: first.map(|_| match travelled || shards > 1 {
            true => Class::Cross,
            false => Class::Intra,
        }),
        scheduled: times.scheduled,
        due: times.was_reached && times.scheduled <= end,
        attempts: times.attempts,
        submitted: times.submitted,
        admitted: times.admitted,
        was_admitted: times.admitted.is_known() || first.is_some(),
        refused: Moment::NONE,
        executed: first.map_or(Moment::NONE, |leg| blocks.at(leg.block).executed),
        last_call: Moment::NONE,
        stages: None,
        settled: Moment::NONE,
        finalized: Moment::NONE,
        source,
        shards,
        legs: u32::try_from(own.len()).unwrap_or(u32::MAX),
    };
    match (first, times.refusal) {
        (Some(_), _) => finish(&mut lifecycle, own, blocks, observed),
        (None, Some(refusal)) => {
            lifecycle.refusal = Some(refusal);
            lifecycle.refused = times.refused;
            lifecycle.outcome = match refusal {
                Refusal::Replaced => Outcome::Replaced,
                _ => Outcome::Refused,
            };
        }
        (None, None) => {}
    }
    Some(lifecycle)
}

/// What follows once all legs are done; nothing before.
fn finish(lifecycle: &mut Lifecycle, own: &[LegRow], blocks: &Blocks<'_>, observed: &Observed) {
    if !is_complete(own, blocks) {
        return;
    }
    lifecycle.outcome = match lifecycle.failure {
        Some(_) => Outcome::Failed,
        None => Outcome::Settled,
    };
    let rows = || own.iter().map(|leg| (leg, blocks.at(leg.block)));
    let start = Moment::at(Timestamp::ZERO);
    let executed = rows().fold(start, |latest, (_, row)| latest.and_later(row.executed));
    lifecycle.settled = rows()
        .filter(|(leg, _)| leg.leg(blocks).created > 0)
        .fold(executed, |latest, (_, row)| latest.and_later(row.finalized));
    lifecycle.finalized = rows().fold(start, |latest, (_, row)| latest.and_later(row.finalized));
    if lifecycle.class == Some(Class::Cross) {
        let last = own.iter().rposition(|leg| is_call(leg, blocks));
        if let Some(last) = last {
            lifecycle.last_call = blocks.at(own[last].block).executed;
            lifecycle.stages = stages::split(own, last, blocks, observed);
        }
    }
}

/// Whether as many receipts were executed as were caused, and every placement is final (R-CLI-4).
fn is_complete(own: &[LegRow], blocks: &Blocks<'_>) -> bool {
    let receipts = own.iter().filter(|leg| leg.origin.is_some()).count() as u64;
    let caused: u64 = own.iter().map(|leg| u64::from(leg.leg(blocks).caused)).sum();
    let placed =
        |leg: &LegRow| leg.leg(blocks).created == 0 || blocks.at(leg.block).checkpoint.is_some();
    receipts == caused && own.iter().all(placed)
}

fn is_call(leg: &LegRow, blocks: &Blocks<'_>) -> bool {
    leg.kind() == Some(ReceiptKind::Call) && leg.leg(blocks).status != LegStatus::Forwarded
}

fn failure_of(own: &[LegRow], blocks: &Blocks<'_>) -> Option<Failure> {
    own.iter().find_map(|leg| match leg.leg(blocks).status {
        LegStatus::Failed(failure) => Some(failure),
        LegStatus::Succeeded | LegStatus::Forwarded => None,
    })
}

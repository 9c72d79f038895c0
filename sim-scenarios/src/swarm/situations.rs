//! What seldom happens, and must sometimes happen for a swarm to prove anything.

use std::collections::BTreeMap;

/// A rare situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Situation {
    /// A view passed without a value.
    ViewNullified,
    /// A coordinator died while a vote of its own was being written.
    CrashWhileVoting,
    /// A shard died while a block was being written.
    CrashWhileWritingBlock,
    /// A node started again from a log whose end may be torn.
    TornEnd,
    /// A snapshot was written, from which recovery starts.
    Snapshot,
    /// A shard pulled batches that it had missed.
    BatchesPulled,
    /// A coordinator pulled headers.
    HeadersPulled,
    /// A shard or the client asked for checkpoints.
    CheckpointsPulled,
    /// A batch arrived again.
    DuplicateBatch,
    /// A batch arrived that was let through only later: for its checkpoint, or for a newer header.
    BatchWaited,
    /// A batch found no room among those that wait.
    BatchesFull,
    /// A receipt waited for gas.
    ReceiptDelayed,
    /// Receipts waited for their release.
    ReceiptsHeldBack,
    /// A transaction was refused because a shard is congested.
    Congested,
    /// A transaction was refused because a mempool is full.
    MempoolFull,
    /// A transaction waited too long in a mempool.
    Expired,
    /// What a mempool lost, or never got, was sent again by the client.
    Resubmitted,
    /// A client gave up on a transaction.
    GaveUp,
    /// A refund went home.
    Refund,
    /// A contract's balance moved with its placement.
    Handover,
    /// A receipt came to an account that lives elsewhere.
    Forwarded,
    /// A call or transaction failed in the EVM.
    FailedLeg,
    /// A checkpoint did not cover a shard.
    CrosslinkMissing,
    /// A leader left a shard out because it breaks a rule.
    ShardLeftOut,
    /// A shard was seen to sign two headers of one height.
    ShardEquivocated,
    /// A validator was seen to contradict itself.
    ValidatorEquivocated,
    /// A proof of inclusion was wrong.
    ProofRefused,
    /// A message got lost with a node's life.
    MessageLost,
    /// An account became live at a new home.
    AccountMoved,
    /// An account moved again on its way.
    MovedInFlight,
    /// An account took storage along.
    StorageMoved,
    /// A receipt waited for an account on its way.
    ReceiptParked,
    /// A transaction was refused because its sender lives elsewhere.
    RefusedMoved,
    /// A transaction was refused because its sender is on its way.
    RefusedInFlight,
}

impl Situation {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 34] = [
        Self::ViewNullified,
        Self::CrashWhileVoting,
        Self::CrashWhileWritingBlock,
        Self::TornEnd,
        Self::Snapshot,
        Self::BatchesPulled,
        Self::HeadersPulled,
        Self::CheckpointsPulled,
        Self::DuplicateBatch,
        Self::BatchWaited,
        Self::BatchesFull,
        Self::ReceiptDelayed,
        Self::ReceiptsHeldBack,
        Self::Congested,
        Self::MempoolFull,
        Self::Expired,
        Self::Resubmitted,
        Self::GaveUp,
        Self::Refund,
        Self::Handover,
        Self::Forwarded,
        Self::FailedLeg,
        Self::CrosslinkMissing,
        Self::ShardLeftOut,
        Self::ShardEquivocated,
        Self::ValidatorEquivocated,
        Self::ProofRefused,
        Self::MessageLost,
        Self::AccountMoved,
        Self::MovedInFlight,
        Self::StorageMoved,
        Self::ReceiptParked,
        Self::RefusedMoved,
        Self::RefusedInFlight,
    ];

    /// As the report says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ViewNullified => "view without a value",
            Self::CrashWhileVoting => "crash while a vote was being written",
            Self::CrashWhileWritingBlock => "crash while a block was being written",
            Self::TornEnd => "restart from a log with a torn end",
            Self::Snapshot => "snapshot written",
            Self::BatchesPulled => "missing batches pulled",
            Self::HeadersPulled => "missing headers pulled",
            Self::CheckpointsPulled => "missing checkpoints pulled",
            Self::DuplicateBatch => "input arrived again",
            Self::BatchWaited => "batch waited for its gate",
            Self::BatchesFull => "a queue was full",
            Self::ReceiptDelayed => "receipt waited for gas",
            Self::ReceiptsHeldBack => "receipts waited for their release",
            Self::Congested => "transaction refused: congested",
            Self::MempoolFull => "transaction refused: mempool full",
            Self::Expired => "transaction refused: expired",
            Self::Resubmitted => "transaction sent again",
            Self::GaveUp => "client gave up",
            Self::Refund => "refund",
            Self::Handover => "balance moved with a placement",
            Self::Forwarded => "receipt forwarded",
            Self::FailedLeg => "leg failed",
            Self::CrosslinkMissing => "checkpoint without a shard",
            Self::ShardLeftOut => "shard left out for a broken rule",
            Self::ShardEquivocated => "evidence against a shard",
            Self::ValidatorEquivocated => "evidence against a validator",
            Self::ProofRefused => "proof refused",
            Self::MessageLost => "message lost",
            Self::AccountMoved => "account moved",
            Self::MovedInFlight => "account moved again on its way",
            Self::StorageMoved => "storage moved",
            Self::ReceiptParked => "receipt parked",
            Self::RefusedMoved => "transaction refused: moved",
            Self::RefusedInFlight => "transaction refused: in flight",
        }
    }
}

/// How often each happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situations(BTreeMap<Situation, u64>);

impl Situations {
    /// It happened once more.
    pub fn note(&mut self, situation: Situation) {
        self.add(situation, 1);
    }

    /// It happened so often more.
    pub fn add(&mut self, situation: Situation, times: u64) {
        if times > 0 {
            *self.0.entry(situation).or_default() += times;
        }
    }

    /// Both together.
    pub fn join(&mut self, other: &Self) {
        for (situation, times) in &other.0 {
            self.add(*situation, *times);
        }
    }

    /// How often it happened.
    #[must_use]
    pub fn times(&self, situation: Situation) -> u64 {
        self.0.get(&situation).copied().unwrap_or(0)
    }
}

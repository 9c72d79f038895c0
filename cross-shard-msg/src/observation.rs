//! What nodes tell about a run: small records from which every metric is computed afterwards.

use serde::{Deserialize, Serialize};

use crate::ids::{
    AccountKey, CheckpointNumber, Epoch, Height, ShardId, TransactionKey, ValidatorIndex, View,
};
use crate::refusal::Refusal;
use crate::units::Timestamp;

/// One thing that happened on one node. The driver stamps the time: in processes when the effect
/// leaves the machine, in the simulation the virtual time at which the node's CPU got there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Client: a transaction was sent to a shard. `scheduled` is when it was due.
    Submitted {
        /// The transaction.
        key: TransactionKey,
        /// When it was due; the same for every attempt.
        scheduled: Timestamp,
        /// Where it was sent.
        shard: ShardId,
        /// 1 for the first attempt.
        attempt: u32,
    },
    /// Client: it gave up on a transaction that was refused for the last time.
    GaveUp {
        /// The transaction.
        key: TransactionKey,
        /// The last refusal.
        refusal: Refusal,
    },
    /// Shard: a transaction entered the mempool.
    Admitted {
        /// The transaction.
        key: TransactionKey,
    },
    /// Shard: a transaction was refused, or left the mempool without being executed.
    Refused {
        /// The transaction.
        key: TransactionKey,
        /// Why.
        refusal: Refusal,
    },
    /// Shard: a block was executed and its header made.
    BlockExecuted {
        /// The block.
        height: Height,
        /// When its execution began.
        started: Timestamp,
        /// Transactions that remain in the mempool.
        waiting: u32,
    },
    /// Shard: a block is durable; its header and receipts were sent.
    BlockReleased {
        /// The block.
        height: Height,
    },
    /// Shard: a batch arrived and is proven.
    BatchArrived {
        /// The source.
        source: ShardId,
        /// Height of the source's block.
        height: Height,
    },
    /// Shard: the gate let a batch through.
    BatchAccepted {
        /// The source.
        source: ShardId,
        /// Height of the source's block.
        height: Height,
    },
    /// Shard: an account left for its new home, in the block that is being made.
    AccountLeft {
        /// The account.
        account: AccountKey,
        /// The checkpoint that moved it.
        checkpoint: CheckpointNumber,
        /// Receipts that carry it.
        parts: u32,
        /// Slots of its storage.
        slots: u64,
        /// Bytes of all parts, encoded.
        bytes: u64,
    },
    /// Shard: all parts of an account have arrived, and it is live here.
    AccountArrived {
        /// The account.
        account: AccountKey,
        /// The checkpoint that moved it.
        checkpoint: CheckpointNumber,
        /// Receipts that waited for it.
        parked: u32,
    },
    /// Coordinator: it began to ask the partitioner.
    PartitionerAsked {
        /// The epoch that ended.
        epoch: Epoch,
        /// Accounts of the traffic.
        accounts: u32,
        /// Executions of the traffic.
        accesses: u32,
        /// Reports that did not arrive, or did not fit.
        missing: u32,
    },
    /// Coordinator: the partitioner answered.
    PartitionerAnswered {
        /// The epoch that ended.
        epoch: Epoch,
        /// Moves that it wants, as many as may be.
        moves: u32,
    },
    /// Coordinator: the partitioner failed, and the allocation stays.
    PartitionerFailed {
        /// The epoch that ended.
        epoch: Epoch,
    },
    /// Coordinator: it proposed a checkpoint as leader.
    CheckpointProposed {
        /// The checkpoint.
        number: CheckpointNumber,
    },
    /// Coordinator: a checkpoint is final.
    CheckpointFinalized {
        /// The checkpoint.
        number: CheckpointNumber,
        /// When its leader proposed it.
        proposed: Timestamp,
    },
    /// Coordinator: a view ended without a value.
    ViewNullified {
        /// The view.
        view: View,
        /// Its leader.
        leader: ValidatorIndex,
    },
    /// Coordinator: a shard signed two headers of one height.
    ShardEquivocated {
        /// The shard.
        shard: ShardId,
        /// The height.
        height: Height,
    },
    /// Coordinator: a validator cast two votes that contradict one another.
    ValidatorEquivocated {
        /// The validator.
        validator: ValidatorIndex,
        /// The view.
        view: View,
    },
    /// Coordinator: as leader it left a shard out from this height on. Observed once for each
    /// height and rule in a row.
    LeftOut {
        /// The shard.
        shard: ShardId,
        /// The header that breaks a rule.
        height: Height,
        /// The code of the rule in the coordinator's list.
        rule: u8,
    },
    /// Any node: an input was dropped.
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

/// Why a node dropped an input. Closed, so that every drop is counted under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DropReason {
    /// Bytes that are no message.
    Undecodable,
    /// A message that this kind of node does not take, or not from this sender.
    Unexpected,
    /// More items than a message may have.
    TooMany,
    /// A certificate or signature is wrong.
    Signature,
    /// An inclusion proof is wrong.
    Proof,
    /// It was there already.
    Duplicate,
    /// It does not continue what is known.
    Disconnected,
    /// A queue is at its bound.
    QueueFull,
    /// It breaks a rule of the protocol.
    Invalid,
    /// It is far ahead of what this node knows.
    TooFarAhead,
    /// The network could not take a message for another node.
    Unsent,
}

impl DropReason {
    /// The name in reports, logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Unexpected => "unexpected",
            Self::TooMany => "too_many",
            Self::Signature => "signature",
            Self::Proof => "proof",
            Self::Duplicate => "duplicate",
            Self::Disconnected => "disconnected",
            Self::QueueFull => "queue_full",
            Self::Invalid => "invalid",
            Self::TooFarAhead => "too_far_ahead",
            Self::Unsent => "unsent",
        }
    }
}

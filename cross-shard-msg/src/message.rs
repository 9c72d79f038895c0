//! Everything that nodes say to one another (rule R-WIRE-5).

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

use crate::block::LegStatus;
use crate::checkpoint::FinalizedCheckpoint;
use crate::header::SignedHeader;
use crate::ids::{CheckpointNumber, Height, Sequence, ShardId, TransactionKey};
use crate::migration::TrafficReport;
use crate::receipt::ReceiptBatch;
use crate::refusal::Refusal;
use crate::submission::Submission;

/// Most submissions, admissions or headers in one message.
pub const MAX_MESSAGE_ITEMS: usize = 4_096;

/// A message between two nodes. Bulk content is shared, so that a broadcast does not copy it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Client to shard: transactions. The driver takes this message apart: it recovers the senders
    /// on worker threads and hands each transaction to the shard as `Input::Submit`.
    Submit(Vec<Submission>),
    /// Shard to client: what became of submissions.
    Admissions(Vec<Admission>),
    /// Shard to client: a block became durable.
    Included(Arc<BlockNotice>),
    /// Shard to shard: receipts.
    Batch(Arc<ReceiptBatch>),
    /// Destination to source: batches are missing; send again what was released for me above this
    /// height.
    PullBatches {
        /// Height of the last batch that entered the destination's state.
        above: Height,
    },
    /// Destination to source: a finalized checkpoint shows that everything up to here entered my
    /// state, so it need not be kept.
    Received {
        /// Sequence of the last receipt that entered.
        sequence: Sequence,
    },
    /// Shard to coordinator: headers, ascending; the shard's own, or another shard's that it
    /// consumed under gate `certified`.
    Headers(Arc<Vec<SignedHeader>>),
    /// Shard to coordinator: the traffic of a block whose header has its digest.
    Traffic(Arc<TrafficReport>),
    /// Coordinator to shard: headers of `shard` are missing.
    PullHeaders {
        /// Whose headers.
        shard: ShardId,
        /// First height that is missing.
        from: Height,
        /// Last height that is missing.
        to: Height,
    },
    /// Coordinator to coordinator: a message of the agreement that the committee runs, in that
    /// agreement's encoding.
    Consensus(Bytes),
    /// Coordinator to shard and client: a finalized checkpoint.
    Finalized(FinalizedCheckpoint),
    /// Shard or client to coordinator: checkpoints from this number on are missing.
    PullCheckpoints {
        /// First number that is missing.
        from: CheckpointNumber,
    },
}

/// A shard's answer to a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The transaction.
    pub hash: B256,
    /// Admitted, or why not.
    pub outcome: Result<(), Refusal>,
}

/// What a client needs to know of a durable block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockNotice {
    /// The shard.
    pub shard: ShardId,
    /// The block's height.
    pub height: Height,
    /// One entry per executed leg.
    pub legs: Vec<LegNotice>,
    /// Transactions that left the mempool without being executed, with the reason.
    pub dropped: Vec<(TransactionKey, Refusal)>,
    /// Contracts that the block created.
    pub placements: Vec<Address>,
}

/// What a client needs to know of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegNotice {
    /// The user's transaction.
    pub key: TransactionKey,
    /// Whether this is the transaction's own execution at its source, not a receipt's.
    pub first: bool,
    /// What came of it.
    pub status: LegStatus,
    /// Number of receipts that it caused.
    pub caused: u32,
    /// Number of contracts that it created.
    pub created: u32,
}

/// A group of receivers of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Every coordinator but the sender.
    Coordinators,
    /// Every shard but the sender.
    Shards,
    /// Every shard but the sender, and the client.
    ShardsAndClient,
}

//! What a shard makes durable, and what followers are handed (rule R-REC-1).

use std::sync::Arc;

use alloy_primitives::{Address, Bytes};
use cross_shard_msg::{Block, FinalizedCheckpoint, Sequence, ShardId, SignedHeader, Wei};
use serde::{Deserialize, Serialize};
use state::StateDiff;

use crate::snapshot::Snapshot;

/// One durable step of a shard. From genesis and its records in order a shard is rebuilt: block by
/// block the checkpoints are applied, then the administrator's requests, then the body is executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// Checkpoints that this block was the first to apply, ascending.
    pub checkpoints: Vec<FinalizedCheckpoint>,
    /// Requests of an administrator that this block carried out, in order.
    pub admin: Vec<Admin>,
    /// What destinations said that they received since the block before: it need not be sent again.
    pub received: Vec<(ShardId, Sequence)>,
    /// Under gate `certified`: headers that connect the batches of this block to their sources'
    /// crosslinks, each once, ascending per source. They are served to coordinators (R-GATE-3).
    pub connected: Vec<SignedHeader>,
    /// The shard before this block, now and then: recovery starts at the last one.
    pub before: Option<Arc<Snapshot>>,
    /// The block.
    pub block: Arc<Block>,
}

/// A durable block with what its execution changed. Handed to followers once it is durable.
#[derive(Clone, Debug)]
pub struct BlockExecution {
    /// The block.
    pub block: Arc<Block>,
    /// Results of all legs in order of execution, as they are under the results root: Ethereum's
    /// receipts, with a type byte of our own for incoming receipts.
    pub results: Vec<Bytes>,
    /// What it changed.
    pub diff: StateDiff,
}

/// What an administrator may ask of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admin {
    /// Gives an account that lives here this balance, in wei, with the next block. What is added
    /// counts as minted, what is taken away as burnt.
    SetBalance {
        /// The account.
        address: Address,
        /// Its new balance.
        balance: Wei,
    },
}

//! What a partitioning strategy gets and gives.
//!
//! A strategy is a pure function: it sees the traffic of past windows, the allocation in force and
//! the weights of the problem, and proposes moves. It has no clock, no randomness but the seed, and
//! no state of its own, so that the running network, a simulation and an offline evaluation can ask
//! the same one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alloy_primitives::Address;
pub use cross_shard_msg::Move;
use cross_shard_msg::{Duration, Epoch, ShardId};
use serde::{Deserialize, Serialize};

use crate::access_graph::AccessGraph;
use crate::allocation::Allocation;
use crate::stream::Stream;

/// A strategy that decides where accounts live.
pub trait Partitioner: fmt::Debug + Send + Sync {
    /// Its name in scenarios and reports.
    fn name(&self) -> &'static str;

    /// The moves that it wants, at most [`Problem::budget`], ascending by account, each account
    /// once. Equal problems give equal proposals, in whatever order the traffic was recorded;
    /// strategies that follow the stream depend on its order, and say so.
    ///
    /// # Errors
    /// Something that the strategy needs is absent from the problem, or its library failed. The
    /// allocation in force stays.
    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError>;
}

/// All that a strategy may know.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// The traffic of all past windows together.
    pub graph: &'a AccessGraph,
    /// The past windows one by one, oldest first.
    pub windows: &'a [AccessGraph],
    /// The transactions of the past windows in order, for strategies that decide on each.
    pub stream: &'a Stream,
    /// The traffic of the window to come, for the oracle alone.
    pub future: Option<&'a AccessGraph>,
    /// Accounts that are contracts.
    pub contracts: &'a BTreeSet<Address>,
    /// Where accounts live now. Its residents never move.
    pub allocation: &'a Allocation,
    /// What counts how much.
    pub weights: Weights,
    /// Most accounts that may move.
    pub budget: usize,
    /// Where shards and users are in the world, for strategies that care.
    pub places: Option<&'a Places>,
    /// Number of the epoch that ends; strategies that do different things in turn go by it.
    pub epoch: Epoch,
    /// The only source of randomness.
    pub seed: u64,
}

/// What counts how much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// What a vertex weighs when shards are balanced.
    pub vertex: VertexWeight,
    /// η: the work of a cross-shard transaction over all its shards, in intra-shard transactions.
    /// At least 1.
    pub eta: f64,
}

/// What a vertex weighs when shards are balanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VertexWeight {
    /// Its load: the transactions that touch it, each shared by the accounts it touches.
    Load,
    /// One each: shards hold equally many accounts.
    Unit,
}

/// Where shards and users are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// One-way delay from each shard (row) to each shard (column).
    pub delays: Vec<Vec<Duration>>,
    /// The shard that is nearest to each user. A user without an entry is where it lives.
    pub nearest: BTreeMap<Address, ShardId>,
}

/// What a strategy proposes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Ascending by account.
    pub moves: Vec<Move>,
    /// What it did to get there.
    pub stats: Stats,
}

/// What a strategy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Moves it wanted before the budget cut them.
    pub wanted: u64,
    /// Passes over the graph, or over the stream.
    pub rounds: u32,
    /// Weight of the pairs that cross shards before the moves.
    pub crossing_before: u64,
    /// The same after them.
    pub crossing_after: u64,
}

/// Why there is no proposal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionError {
    /// The oracle was asked where nobody knows the future.
    #[error("{strategy} needs the traffic of the window to come, which only an evaluation has")]
    NoFuture {
        /// The strategy.
        strategy: &'static str,
    },
    /// A strategy that goes by distance was asked without any.
    #[error("{strategy} needs the delays between shards and where users are")]
    NoPlaces {
        /// The strategy.
        strategy: &'static str,
    },
    /// Delays are not one row and column per shard.
    #[error("delays are given for {given} shards, but there are {shards}")]
    WrongPlaces {
        /// Shards with delays.
        given: usize,
        /// Shards.
        shards: u32,
    },
    /// A given allocation names a shard that is not there.
    #[error("{account} is given to shard {shard}, but shards are 0 to {}", shards.saturating_sub(1))]
    NoSuchShard {
        /// The account.
        account: Address,
        /// The shard it is given to.
        shard: ShardId,
        /// Number of shards.
        shards: u32,
    },
    /// A library refused the graph.
    #[error("{strategy}: {message}")]
    Library {
        /// The strategy.
        strategy: &'static str,
        /// What the library says.
        message: String,
    },
}

/// Options that a strategy refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{strategy}.{option} must be {expected}, not {found}")]
pub struct OptionsError {
    /// The strategy.
    pub strategy: &'static str,
    /// The option.
    pub option: &'static str,
    /// What it may be.
    pub expected: &'static str,
    /// What it is.
    pub found: String,
}

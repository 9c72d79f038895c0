//! Workloads: a resolved scenario becomes accounts at genesis and a schedule of transactions, all
//! of it before the run (rule R-CLI-1) and all of it a function of the scenario.
//!
//! In the order in which data flows: [`arrivals`] and `curve` say when, [`popularity`] and `society`
//! say who; [`transfer`], [`call`], `communities` and [`trace`] say what; `counterparts` brings both ends of a transaction to one shard
//! where that is asked for; [`build`] puts the transactions into one order; [`sign`] gives them
//! nonces and signatures. [`mainnet_blocks`] is a source of its own: each block is a
//! network.
//!
//! Nothing here reads a clock or opens a file: files come in through [`Open`], threads through
//! [`Workers`].

pub mod arrivals;
pub mod artifact;
mod build;
pub mod call;
mod communities;
mod contracts;
mod counterparts;
mod curve;
pub mod export;
pub mod keys;
pub mod mainnet_blocks;
mod parallel;
mod parquet_rows;
pub mod popularity;
pub mod random;
pub mod records;
pub mod seen;
pub mod sign;
mod society;
pub mod statistics;
pub mod trace;
pub mod transfer;

use std::io::Read;
use std::path::Path;

use alloy_primitives::{Address, Bytes};
use cross_shard_msg::{Duration, Gas, ShardId, Wei};
use state::GenesisAccount;

use crate::scenario::Signatures;

pub use build::build;
pub use keys::KeyOf;
pub use mainnet_blocks::{BlockNetwork, MainnetBlocks};
pub use parallel::Workers;
pub use sign::{SignError, SignedTransaction, SignedWorkload, sign};

/// Opens a file that a scenario names. The program passes one that opens real files.
pub type Open<'a> = &'a dyn Fn(&Path) -> std::io::Result<Box<dyn Read>>;

/// Everything that a run sends, not yet signed.
#[derive(Clone, Debug)]
pub struct Workload {
    /// What keys are derived from.
    pub seed: u64,
    /// Whether anybody will check signatures.
    pub signatures: Signatures,
    /// EIP-155 chain id of every transaction.
    pub chain_id: u64,
    /// `maxFeePerGas` of every transaction.
    pub max_fee: Wei,
    /// `maxPriorityFeePerGas` of every transaction.
    pub tip: Wei,
    /// Who sends: the scenario's accounts by index, then the stand-ins for senders of traces.
    pub users: Vec<User>,
    /// Accounts at genesis: all users, funded.
    pub genesis: Vec<(Address, GenesisAccount)>,
    /// By stage, then by time; a sender's nonces follow this order.
    pub transactions: Vec<Planned>,
    /// The phases, in order.
    pub phases: Vec<PhaseSpan>,
    /// What traces could not replay.
    pub skipped: Vec<Skipped>,
    /// Which address stands in for which of a trace, in order of their first appearance.
    pub trace_names: Vec<TraceName>,
    /// What `communities` loads planted, one for each.
    pub planted: Vec<Planted>,
}

/// What one `communities` load planted. Where everything is local, accounts are exchanged after
/// that, so that addresses say nothing about communities any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// Index of the phase.
    pub phase: u16,
    /// Index of the load in the phase.
    pub load: u16,
    /// The community of each account at the start, and of each contract when it is first called.
    pub community: Vec<(Address, u32)>,
    /// Contracts that all communities use when they are first called.
    pub hubs: Vec<Address>,
    /// Transactions between an account and an account or a contract of its community.
    pub inside: u64,
    /// Transactions between two communities.
    pub outside: u64,
    /// Transactions with an account or a contract that all use.
    pub hub: u64,
    /// How many times communities and hubs changed.
    pub periods: u64,
}

/// An account that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Its address.
    pub address: Address,
    /// Whose key signs for it.
    pub key: KeyOf,
}

/// Position of an account in [`Workload::users`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserIndex(pub u32);

/// What must be over before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Contracts are created.
    Deploy,
    /// Contracts are prepared: tokens are handed out, set-up calls are made.
    Prepare,
    /// The phases run: what is measured.
    Run,
}

impl Stage {
    /// Whether it comes before the run's clock starts.
    #[must_use]
    pub fn is_setup(self) -> bool {
        self != Self::Run
    }
}

/// A transaction that will be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it may be sent.
    pub stage: Stage,
    /// Index of its phase.
    pub phase: u16,
    /// Index of its load in the phase.
    pub load: u16,
    /// When it is due, counted from the start of the first phase; zero in the other stages.
    pub at: Duration,
    /// Who sends it.
    pub sender: UserIndex,
    /// The recipient; `None` creates a contract.
    pub to: Option<Address>,
    /// What it transfers.
    pub value: Wei,
    /// Its gas limit.
    pub gas: Gas,
    /// Call data or init code.
    pub input: Bytes,
}

/// When a phase is scheduled, counted from the start of the first one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseSpan {
    /// Its name.
    pub name: String,
    /// Whether it enters the results.
    pub record: bool,
    /// Its first moment.
    pub start: Duration,
    /// The moment after it: the next phase's start.
    pub end: Duration,
}

#[cfg(test)]
impl PhaseSpan {
    /// A recorded phase from one second to another.
    pub(crate) fn recorded(name: &str, start: u64, end: u64) -> Self {
        let (start, end) = (Duration::from_secs(start), Duration::from_secs(end));
        Self { name: name.to_owned(), record: true, start, end }
    }
}

/// Rows of one trace that are no transfers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Index of the phase.
    pub phase: u16,
    /// Index of the load in the phase.
    pub load: u16,
    /// Rows of the file that were read.
    pub rows: u64,
    /// Rows without a recipient.
    pub without_recipient: u64,
    /// Rows whose recipient is the sender.
    pub to_oneself: u64,
}

/// An address of a trace and what stands in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceName {
    /// The trace's.
    pub trace: Address,
    /// The run's.
    pub address: Address,
    /// Whether it sends, so has a key and a balance.
    pub sends: bool,
}

/// Why a scenario gives no workload.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// A file cannot be opened or read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// As the scenario writes it.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A row of a trace is wrong.
    #[error("{file}, {place}, column {column} (`{field}`): expected {expected}, found `{found}`")]
    Row {
        /// As the scenario writes it.
        file: String,
        /// `line 3` of a CSV, `row 3` of a Parquet file, counted from 1.
        place: String,
        /// Number of the field in its row, counted from 1.
        column: usize,
        /// The field's name.
        field: &'static str,
        /// What stands there in a good row.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A trace has nothing to replay.
    #[error("{file} has no row that is a transfer between two addresses")]
    NoRows {
        /// As the scenario writes it.
        file: String,
    },
    /// The file of an arrival curve is of no use.
    #[error("{file}: {problem}")]
    Curve {
        /// As the scenario writes it.
        file: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An artifact does not fit the load.
    #[error("{file}: {problem}")]
    Artifact {
        /// As the scenario writes it.
        file: String,
        /// What does not fit.
        problem: String,
    },
    /// A directory of mainnet blocks does not have what is expected.
    #[error("{file}: {problem}")]
    Block {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A pinned share of cross-shard transactions cannot be had.
    #[error("phase `{phase}`, load {load}: {problem}")]
    Pinned {
        /// Name of the phase.
        phase: String,
        /// Number of the load in the phase, counted from 1.
        load: usize,
        /// Why.
        problem: &'static str,
    },
    /// `accounts.all_local` is impossible.
    #[error("`accounts.all_local` is impossible on shard {}: {problem}", shard.0)]
    AllLocal {
        /// The shard that has not what it needs.
        shard: ShardId,
        /// What is missing.
        problem: &'static str,
    },
    /// More transactions than can be numbered.
    #[error("the workload has more than {} transactions", u32::MAX)]
    TooMany,
}

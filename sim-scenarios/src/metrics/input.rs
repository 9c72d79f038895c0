//! What metrics are computed from: the plan of a run, what its nodes observed and made durable,
//! and what its processes used of the machine.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use cross_shard_msg::{Duration, NodeId, Observation, ShardId, Timestamp, TransactionKey};
use runtime::process::ProcessReport;
use simulation::checkers::{MainnetBlock, Records};

use crate::launch::Question;
use crate::run::facts::{CpuUse, MachineFacts};
use crate::run::simulate_profile::NamedProfile;
use crate::scenario::{FaultBand, Scenario};

/// A finished run.
#[derive(Debug)]
pub struct RunData {
    /// What was asked for.
    pub scenario: Scenario,
    /// The networks that ran: one, or one for each block of `mainnet-blocks`. None when no network
    /// started.
    pub networks: Vec<NetworkData>,
    /// Rows of traces that were not replayed, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Which accounts stood in for those of traces.
    pub substitutes: Vec<Substitute>,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Processes that died while the network went on, each as a sentence.
    pub lost: Vec<String>,
    /// Why the network did not start or which process died, with the last lines of its log.
    pub died: Option<String>,
    /// What it took of the machine.
    pub machine: Option<MachineUse>,
    /// Of a simulated run: what it came to. `None` for processes.
    pub simulation: Option<SimulationFacts>,
    /// When faults were at work, in the order of the scenario.
    pub faults: Vec<FaultBand>,
}

/// What a simulated run came to: the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulationFacts {
    /// What work cost.
    pub profile: NamedProfile,
    /// Digest of everything that happened. Equal runs have equal digests.
    pub digest: B256,
    /// Events handled.
    pub events: u64,
    /// Virtual time from the network's start to the client's end, summed over networks.
    pub time: Duration,
}

/// What one network did. All times count from its start.
#[derive(Debug)]
pub struct NetworkData {
    /// The number of the block that it ran (`mainnet-blocks`), else 0.
    pub label: u64,
    /// Every planned transaction, at the position that is its index.
    pub transactions: Vec<TransactionInfo>,
    /// What mainnet says of the block that it ran.
    pub mainnet: Option<MainnetBlock>,
    /// What each node observed.
    pub observations: BTreeMap<NodeId, Vec<Observation>>,
    /// Blocks of shards and checkpoints of coordinators.
    pub records: Records,
    /// What coordinators asked the strategy that says which accounts move, each in the order of
    /// asking. The only thing here that is not the same on every machine.
    pub questions: Vec<Question>,
    /// When the client stopped.
    pub end: Timestamp,
    /// How its processes fared, the launcher's own node included; empty for a simulated run.
    pub processes: BTreeMap<NodeId, ProcessFacts>,
}

/// A planned transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionInfo {
    /// Its short key.
    pub key: TransactionKey,
    /// Its hash.
    pub hash: B256,
    /// Who signed it.
    pub sender: Address,
    /// Whom it calls or pays; `None` creates a contract.
    pub recipient: Option<Address>,
    /// Index of its phase.
    pub phase: u16,
    /// Index of its load in the phase.
    pub load: u16,
    /// When it is due, counted from the start of the first phase. What the client says when it
    /// submits it counts from the network's start and takes precedence.
    pub scheduled: Timestamp,
    /// Whether it prepares the network and so is in no result.
    pub setup: bool,
    /// What sort it is.
    pub kind: TransactionKind,
    /// Its sender's home at genesis.
    pub source: ShardId,
}

/// What sort of transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionKind {
    /// Of a `transfer` load.
    Transfer,
    /// Of a `call` load.
    Call,
    /// Creates the contract of a `call` load.
    Deploy,
    /// Of a `trace` load.
    Trace,
    /// Of a `mainnet-blocks` load.
    Mainnet,
}

impl TransactionKind {
    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Call => "call",
            Self::Deploy => "deploy",
            Self::Trace => "trace",
            Self::Mainnet => "mainnet",
        }
    }
}

/// An address of a trace and the account that stood in for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Substitute {
    /// The trace's.
    pub trace: Address,
    /// The run's.
    pub address: Address,
    /// Whether it sends, so has a key and a balance.
    pub sends: bool,
}

/// How a process fared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessFacts {
    /// The operating system's number of it.
    pub process: Option<u32>,
    /// What it said of itself when it stopped; `None` if it died.
    pub report: Option<ProcessReport>,
    /// Whether a fault had killed it for good. It had written all that it observed.
    pub killed: bool,
    /// Whether a fault killed or paused it: then late timers say nothing of the machine.
    pub disturbed: bool,
    /// What it used of the CPU from the first scheduled to the last finalized transaction.
    pub measured: Option<CpuUse>,
    /// What it used of the CPU in all.
    pub total: Option<CpuUse>,
}

/// What a run took of the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineUse {
    /// What the machine is.
    pub facts: MachineFacts,
    /// When the run was started: RFC 3339, UTC.
    pub started: String,
    /// Wall-clock time over which [`ProcessFacts::measured`] was taken: from the first scheduled
    /// to the last finalized transaction, summed over networks.
    pub measured: Duration,
    /// Wall-clock time of parts of the run, in order: signing, starting, load, …
    pub durations: Vec<(&'static str, Duration)>,
}

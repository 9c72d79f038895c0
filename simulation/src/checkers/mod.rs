//! Invariants, checked outside the machines on what they made durable. The same checkers look at
//! simulations and at the records of a run of processes.

mod agreement;
mod conservation;
mod delivery;
mod one_home;

use std::collections::BTreeMap;

use cross_shard_msg::{Block, FinalizedCheckpoint, Settings, ShardId, ValidatorIndex};
use partitioning::{Base, Residents};

/// What the nodes of a run made durable.
#[derive(Debug)]
pub struct Records {
    /// The network's settings.
    pub settings: Settings,
    /// The base rule of the allocation.
    pub base: Base,
    /// Accounts that live on every shard.
    pub residents: Residents,
    /// Blocks of each shard, ascending by height.
    pub blocks: BTreeMap<ShardId, Vec<Block>>,
    /// Finalized checkpoints of each coordinator, ascending by number.
    pub checkpoints: BTreeMap<ValidatorIndex, Vec<FinalizedCheckpoint>>,
}

/// An invariant that every run must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// The books of every shard balance, and so does the sum over all at every checkpoint.
    Conservation,
    /// Every receipt enters state and is executed at most once, as it was released.
    ExactlyOnce,
    /// Per (source, destination), sequences have no gap and no repeat.
    Order,
    /// No two finalized checkpoints have one number, each continues the one before, and what they
    /// crosslink is what the shards made durable.
    Agreement,
    /// A block writes only accounts whose home is its shard.
    OneHome,
}

impl Invariant {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 5] =
        [Self::Conservation, Self::ExactlyOnce, Self::Order, Self::Agreement, Self::OneHome];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Conservation => "conservation",
            Self::ExactlyOnce => "exactly_once",
            Self::Order => "order",
            Self::Agreement => "agreement",
            Self::OneHome => "one_home",
        }
    }
}

/// A broken invariant: where, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The invariant.
    pub invariant: Invariant,
    /// Where and what, for a person.
    pub detail: String,
}

/// Checks every invariant; the first breach of each is reported.
#[must_use]
pub fn check(records: &Records) -> Vec<Breach> {
    let checks: [(Invariant, Check); 5] = [
        (Invariant::Conservation, conservation::check),
        (Invariant::ExactlyOnce, delivery::exactly_once),
        (Invariant::Order, delivery::order),
        (Invariant::Agreement, agreement::check),
        (Invariant::OneHome, one_home::check),
    ];
    checks
        .into_iter()
        .filter_map(|(invariant, check)| {
            check(records).err().map(|detail| Breach { invariant, detail })
        })
        .collect()
}

type Check = fn(&Records) -> Result<(), String>;

impl Records {
    /// The checkpoints that the run finalized, ascending and each once, whoever recorded them.
    pub(crate) fn finalized(&self) -> BTreeMap<u64, &FinalizedCheckpoint> {
        let all = self.checkpoints.values().flatten();
        all.map(|finalized| (finalized.checkpoint.number.0, finalized)).collect()
    }
}

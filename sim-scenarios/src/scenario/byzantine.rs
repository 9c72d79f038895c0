//! Nodes that break the rules of the protocol.

use std::fmt::{self, Display};

use cross_shard_msg::{Duration, NodeId};

use super::network::Network;

/// One node that breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Byzantine {
    /// Who: a shard or a coordinator of the network, each at most once.
    pub target: NodeId,
    /// What it does; one that [`Behaviour::fits`] the target.
    pub behaviour: Behaviour,
    /// From when on, counted from the network's start; zero if the behaviour is not a shard's lie.
    pub from: Duration,
}

/// What a Byzantine node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behaviour {
    /// Coordinator: two with one key, each talks to a part of the committee.
    Twins,
    /// Coordinator: it follows, and says nothing.
    Silent,
    /// Coordinator: as leader it proposes one checkpoint to half of the committee and another one
    /// to the rest. Shard: it signs two blocks of each height, and shows each to a half.
    Equivocate,
    /// Both: random bytes, and what others said with bits turned.
    Garbage,
    /// Shard: it releases a receipt whose value nobody paid.
    ForgeReceipt,
    /// Shard: it releases a receipt whose value nobody paid, out of what it holds.
    ForgePaid,
    /// Shard: it never sends one batch.
    SkipReceipt,
    /// Shard: it releases one receipt twice.
    RepeatReceipt,
    /// Shard: it changes receipts after they were proven.
    TamperReceipt,
    /// Shard: its state roots are made up.
    LieStateRoot,
    /// Shard: its headers say that it holds more than it does.
    LieLedger,
    /// Shard: it says that an administrator added value, and spends it.
    Mint,
}

impl Byzantine {
    /// How many validators of a network may be Byzantine: f (R-CONS-1).
    #[must_use]
    pub fn most_validators(network: &Network) -> u32 {
        network.validators.saturating_sub(1) / 3
    }
}

impl Behaviour {
    /// What a coordinator may do.
    pub const OF_COORDINATORS: [Self; 4] =
        [Self::Twins, Self::Silent, Self::Equivocate, Self::Garbage];

    /// What a shard may do.
    pub const OF_SHARDS: [Self; 10] = [
        Self::ForgeReceipt,
        Self::ForgePaid,
        Self::SkipReceipt,
        Self::RepeatReceipt,
        Self::TamperReceipt,
        Self::LieStateRoot,
        Self::LieLedger,
        Self::Mint,
        Self::Equivocate,
        Self::Garbage,
    ];

    /// What a node may do; the client is always honest.
    #[must_use]
    pub fn of(target: NodeId) -> &'static [Self] {
        match target {
            NodeId::Coordinator(_) => &Self::OF_COORDINATORS,
            NodeId::Shard(_) => &Self::OF_SHARDS,
            NodeId::Client => &[],
        }
    }

    /// Whether it is told from a height on: a shard's lies.
    #[must_use]
    pub fn begins(self, target: NodeId) -> bool {
        matches!(target, NodeId::Shard(_)) && self != Self::Garbage
    }

    /// The name in scenario files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Twins => "twins",
            Self::Silent => "silent",
            Self::Equivocate => "equivocate",
            Self::Garbage => "garbage",
            Self::ForgeReceipt => "forge_receipt",
            Self::ForgePaid => "forge_paid",
            Self::SkipReceipt => "skip_receipt",
            Self::RepeatReceipt => "repeat_receipt",
            Self::TamperReceipt => "tamper_receipt",
            Self::LieStateRoot => "lie_state_root",
            Self::LieLedger => "lie_ledger",
            Self::Mint => "mint",
        }
    }
}

impl Display for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl super::Scenario {
    /// A warning, if more validators are Byzantine than the committee bears: safety is not promised.
    #[must_use]
    pub fn byzantine_warning(&self) -> Option<String> {
        let most = Byzantine::most_validators(&self.network);
        let validator = |one: &&Byzantine| matches!(one.target, NodeId::Coordinator(_));
        let validators = self.byzantine.iter().filter(validator).count();
        (validators > most as usize).then(|| {
            format!(
                "{validators} of {} validators are Byzantine and the committee bears {most}: \
                 safety is not promised",
                self.network.validators
            )
        })
    }
}

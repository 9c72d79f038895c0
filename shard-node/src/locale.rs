//! Where accounts live in the block that is being made (rules R-HOME-3 to R-HOME-5).

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256};
use cross_shard_msg::{Checkpoint, CheckpointNumber, Epoch, Placement, ShardId, Timestamp};
use partitioning::{Allocation, Home};
use serde::{Deserialize, Serialize};

use crate::evm::Locality;

/// The allocation at the newest applied checkpoint, and this shard's own creations whose placement
/// is not in it yet.
#[derive(Clone, Debug)]
pub(crate) struct Locale {
    shard: ShardId,
    allocation: Allocation,
    unplaced: BTreeSet<Address>,
    /// All placements that were applied, in order.
    placed: Vec<(CheckpointNumber, Placement)>,
}

/// What a locale is rebuilt from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    newest: CheckpointNumber,
    placed: Vec<(CheckpointNumber, Placement)>,
    unplaced: Vec<Address>,
}

impl Locale {
    pub(crate) fn new(shard: ShardId, allocation: Allocation) -> Self {
        Self { shard, allocation, unplaced: BTreeSet::new(), placed: Vec::new() }
    }

    pub(crate) fn shard(&self) -> ShardId {
        self.shard
    }

    pub(crate) fn allocation(&self) -> &Allocation {
        &self.allocation
    }

    /// Home of `address`; this shard's own creations live here.
    pub(crate) fn home(&self, address: &Address) -> Home {
        if !self.unplaced.is_empty() && self.unplaced.contains(address) {
            return Home::Shard(self.shard);
        }
        self.allocation.home(address)
    }

    /// Adds what a block created.
    pub(crate) fn created(&mut self, addresses: &[Address]) {
        self.unplaced.extend(addresses);
    }

    /// Takes over a finalized checkpoint. Returns those of its placements whose base home is this
    /// shard and that moved to another one: what is held of them here must follow (R-HOME-6).
    pub(crate) fn apply(&mut self, checkpoint: &Checkpoint) -> Vec<Placement> {
        let mut leaving = Vec::new();
        for placement in &checkpoint.placements {
            self.unplaced.remove(&placement.address);
            if placement.shard != self.shard
                && self.allocation.base_home(&placement.address) == self.shard
                && self.allocation.override_of(&placement.address).is_none()
                && !leaving.iter().any(|left: &Placement| left.address == placement.address)
            {
                leaving.push(*placement);
            }
        }
        let placements = checkpoint.placements.iter();
        self.placed.extend(placements.map(|placement| (checkpoint.number, *placement)));
        self.allocation.apply(checkpoint);
        leaving
    }

    /// What this is rebuilt from.
    pub(crate) fn placed(&self) -> Placed {
        Placed {
            newest: self.allocation.newest(),
            placed: self.placed.clone(),
            unplaced: self.unplaced.iter().copied().collect(),
        }
    }

    /// Takes over what an earlier life knew.
    pub(crate) fn place(&mut self, placed: &Placed) {
        let mut apply = |number, placements| {
            self.allocation.apply(&Checkpoint {
                number,
                parent: B256::ZERO,
                timestamp: Timestamp::ZERO,
                epoch: Epoch::ZERO,
                crosslinks: Vec::new(),
                placements,
                moves: Vec::new(),
            });
        };
        for run in placed.placed.chunk_by(|a, b| a.0 == b.0) {
            apply(run[0].0, run.iter().map(|(_, placement)| *placement).collect());
        }
        apply(placed.newest, Vec::new());
        self.placed.clone_from(&placed.placed);
        self.unplaced = placed.unplaced.iter().copied().collect();
    }
}

impl Locality for Locale {
    fn is_local(&self, address: &Address) -> bool {
        self.home(address).is(self.shard)
    }

    fn is_placed_elsewhere(&self, address: &Address) -> bool {
        self.allocation.override_of(address).is_some_and(|shard| shard != self.shard)
    }
}

//! The allocation: which shard is an account's home, at each checkpoint (rules R-HOME-1 to
//! R-HOME-4).

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use cross_shard_msg::{Checkpoint, CheckpointNumber, ShardId};

use crate::base::Base;
use crate::partitioner::Move;
use crate::residents::Residents;

/// Where an account lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// On every shard.
    Everywhere,
    /// On this shard.
    Shard(ShardId),
}

impl Home {
    /// Whether an account with this home lives on `shard`.
    #[must_use]
    pub fn is(self, shard: ShardId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Shard(home) => home == shard,
        }
    }
}

/// Homes of all accounts, at every checkpoint that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    shards: u32,
    base: Base,
    residents: Residents,
    newest: CheckpointNumber,
    /// Per address the checkpoints at which its home changed, ascending.
    overrides: BTreeMap<Address, Vec<(CheckpointNumber, ShardId)>>,
    /// Addresses whose home a placement has set.
    placed: BTreeSet<Address>,
}

impl Allocation {
    /// The allocation at genesis.
    #[must_use]
    pub fn new(shards: u32, base: Base, residents: Residents) -> Self {
        let newest = CheckpointNumber::ZERO;
        let (overrides, placed) = (BTreeMap::new(), BTreeSet::new());
        Self { shards, base, residents, newest, overrides, placed }
    }

    /// Number of shards.
    #[must_use]
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// The newest checkpoint that was applied.
    #[must_use]
    pub fn newest(&self) -> CheckpointNumber {
        self.newest
    }

    /// Home of `address` at the newest checkpoint.
    #[must_use]
    pub fn home(&self, address: &Address) -> Home {
        self.home_at(address, self.newest)
    }

    /// Home of `address` in a block that names checkpoint `at`.
    #[must_use]
    pub fn home_at(&self, address: &Address, at: CheckpointNumber) -> Home {
        if self.residents.contains(address) {
            return Home::Everywhere;
        }
        Home::Shard(
            self.override_at(address, at).unwrap_or_else(|| self.base.home(address, self.shards)),
        )
    }

    /// The home that the base rule gives, whatever overrides say.
    #[must_use]
    pub fn base_home(&self, address: &Address) -> ShardId {
        self.base.home(address, self.shards)
    }

    /// Whether `address` lives on `shard` or has lived there, at any checkpoint that was applied, or
    /// would have without overrides.
    #[must_use]
    pub fn was_home(&self, address: &Address, shard: ShardId) -> bool {
        let homes = self.overrides.get(address).into_iter().flatten();
        self.base_home(address) == shard || homes.into_iter().any(|(_, home)| *home == shard)
    }

    /// Where an override puts `address` at the newest checkpoint, if there is one.
    #[must_use]
    pub fn override_of(&self, address: &Address) -> Option<ShardId> {
        self.override_at(address, self.newest)
    }

    /// Takes over what a finalized checkpoint says: placements, of which the first of an address
    /// stands (R-HOME-4), then moves (R-EPOCH-4). Checkpoints are applied in order of their numbers;
    /// one that was applied already changes nothing.
    pub fn apply(&mut self, checkpoint: &Checkpoint) {
        if checkpoint.number <= self.newest {
            return;
        }
        self.newest = checkpoint.number;
        for placement in &checkpoint.placements {
            if self.placed.insert(placement.address) {
                let homes = self.overrides.entry(placement.address).or_default();
                homes.push((checkpoint.number, placement.shard));
            }
        }
        self.push(checkpoint.number, &checkpoint.moves);
    }

    /// Whether a placement has set the home of `address`; one that comes later changes nothing.
    #[must_use]
    pub fn is_placed(&self, address: &Address) -> bool {
        self.placed.contains(address)
    }

    /// Moves accounts as of checkpoint `at`, which must be newer than all before it. Residents stay
    /// everywhere, whatever the moves say.
    pub fn relocate(&mut self, at: CheckpointNumber, moves: &[Move]) {
        if at <= self.newest {
            return;
        }
        self.newest = at;
        self.push(at, moves);
    }

    fn push(&mut self, at: CheckpointNumber, moves: &[Move]) {
        for moved in moves {
            self.overrides.entry(moved.account).or_default().push((at, moved.to));
        }
    }

    fn override_at(&self, address: &Address, at: CheckpointNumber) -> Option<ShardId> {
        if self.overrides.is_empty() {
            return None;
        }
        let homes = self.overrides.get(address)?;
        homes.iter().rev().find(|(since, _)| *since <= at).map(|(_, shard)| *shard)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use cross_shard_msg::{Epoch, Placement, Timestamp};

    use super::*;

    fn checkpoint(number: u64, placements: Vec<Placement>) -> Checkpoint {
        Checkpoint {
            number: CheckpointNumber(number),
            parent: B256::ZERO,
            timestamp: Timestamp::ZERO,
            epoch: Epoch::ZERO,
            crosslinks: Vec::new(),
            placements,
            moves: Vec::new(),
        }
    }

    #[test]
    fn a_block_sees_the_allocation_of_the_checkpoint_it_names() {
        let contract = Address::with_last_byte(0x44);
        let mut allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        assert_eq!(allocation.home(&contract), Home::Shard(ShardId(0)));
        allocation.apply(&checkpoint(1, Vec::new()));
        let placement = Placement { address: contract, shard: ShardId(3) };
        allocation.apply(&checkpoint(2, vec![placement]));
        let at = |number| allocation.home_at(&contract, CheckpointNumber(number));
        assert_eq!(at(1), Home::Shard(ShardId(0)));
        assert_eq!(at(2), Home::Shard(ShardId(3)));
        assert_eq!(allocation.override_of(&contract), Some(ShardId(3)));
        assert_eq!(allocation.base_home(&contract), ShardId(0));
    }

    #[test]
    fn the_first_placement_of_an_address_stands() {
        let contract = Address::with_last_byte(0x44);
        let mut allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        let place = |shard| Placement { address: contract, shard: ShardId(shard) };
        allocation.apply(&checkpoint(1, vec![place(1), place(2)]));
        allocation.apply(&checkpoint(2, vec![place(3)]));
        allocation.apply(&checkpoint(1, vec![place(0)]));
        assert_eq!(allocation.home(&contract), Home::Shard(ShardId(1)));
        assert_eq!(allocation.newest(), CheckpointNumber(2));
    }

    #[test]
    fn a_moved_account_has_a_home_per_checkpoint() {
        let account = Address::with_last_byte(0x44);
        let mut allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        let to = |shard| [Move { account, from: ShardId(0), to: ShardId(shard) }];
        allocation.relocate(CheckpointNumber(2), &to(3));
        allocation.relocate(CheckpointNumber(2), &to(1));
        allocation.relocate(CheckpointNumber(5), &to(2));
        let homes = [1, 2, 4, 5].map(|at| allocation.home_at(&account, CheckpointNumber(at)));
        assert_eq!(homes, [0, 3, 3, 2].map(|shard| Home::Shard(ShardId(shard))));
    }

    #[test]
    fn a_placement_wins_over_a_move_and_may_be_followed_by_one() {
        let contract = Address::with_last_byte(0x44);
        let mut allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        let moved = |from, to| Move { account: contract, from: ShardId(from), to: ShardId(to) };
        let place = |shard| Placement { address: contract, shard: ShardId(shard) };
        allocation.apply(&Checkpoint { moves: vec![moved(0, 2)], ..checkpoint(1, Vec::new()) });
        assert!(!allocation.is_placed(&contract));
        allocation.apply(&checkpoint(2, vec![place(3)]));
        assert!(allocation.is_placed(&contract));
        allocation.apply(&Checkpoint { moves: vec![moved(3, 1)], ..checkpoint(3, vec![place(2)]) });
        let homes = [0, 1, 2, 3].map(|at| allocation.home_at(&contract, CheckpointNumber(at)));
        assert_eq!(homes, [0, 2, 3, 1].map(|shard| Home::Shard(ShardId(shard))));
    }

    #[test]
    fn residents_are_at_home_everywhere() {
        let allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        let home = allocation.home(&crate::OUTBOX);
        assert!((0..4).all(|shard| home.is(ShardId(shard))));
    }
}

//! Where accounts live in the block that is being made (rules R-HOME-3 to R-HOME-6, R-EPOCH-5,
//! R-EPOCH-6, R-EPOCH-9).

use std::collections::btree_map::Entry as BTreeEntry;
use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use cross_shard_msg::{
    Checkpoint, CheckpointNumber, Epoch, Height, Move, Placement, ShardId, Timestamp,
};
use partitioning::{Allocation, Home};
use serde::{Deserialize, Serialize};

use crate::evm::Locality;

/// The allocation at the newest applied checkpoint, this shard's own creations whose placement is not
/// in it yet, and what has not arrived yet.
#[derive(Clone, Debug)]
pub(crate) struct Locale {
    shard: ShardId,
    allocation: Allocation,
    unplaced: BTreeSet<Address>,
    /// Accounts whose home is this shard and that are on their way (R-EPOCH-6).
    in_flight: BTreeSet<Address>,
    /// All placements and moves that were applied, in order.
    placed: Vec<(CheckpointNumber, Placement)>,
    moved: Vec<(CheckpointNumber, Move)>,
    /// Up to where checkpoints cover each shard's blocks.
    covered: Vec<Height>,
    /// When the placement of an address became known that stands.
    placed_at: BTreeMap<Address, CheckpointNumber>,
}

/// What a locale is rebuilt from, beside what is in flight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    newest: CheckpointNumber,
    placed: Vec<(CheckpointNumber, Placement)>,
    moved: Vec<(CheckpointNumber, Move)>,
    unplaced: Vec<Address>,
    covered: Vec<Height>,
}

/// What a checkpoint means for one account of this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It was placed on another shard: what is held of it here must follow (R-HOME-6, R-EPOCH-9).
    HandOver {
        /// The account.
        account: Address,
        /// Where it lives now.
        to: ShardId,
    },
    /// It moves to another shard (R-EPOCH-5, R-EPOCH-8).
    Leave {
        /// The account.
        account: Address,
        /// Where it lives now.
        to: ShardId,
    },
    /// It moves here, and is in flight from now on (R-EPOCH-6).
    Expect(Address),
}

impl Locale {
    pub(crate) fn new(shard: ShardId, allocation: Allocation) -> Self {
        Self {
            shard,
            unplaced: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            placed: Vec::new(),
            moved: Vec::new(),
            covered: vec![Height::ZERO; allocation.shards() as usize],
            allocation,
            placed_at: BTreeMap::new(),
        }
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

    /// Whether an account that `checkpoint` moved was placed later: what the move still brings is value
    /// that was sent to the address before (R-EPOCH-9).
    pub(crate) fn was_placed_after(&self, address: &Address, checkpoint: CheckpointNumber) -> bool {
        self.placed_at.get(address).is_some_and(|placed| *placed > checkpoint)
    }

    /// Whether an applied checkpoint covers a block, so that the placements of what it and earlier ones
    /// created are applied.
    pub(crate) fn covers(&self, shard: ShardId, height: Height) -> bool {
        self.covered.get(shard.0 as usize).is_some_and(|covered| height <= *covered)
    }

    /// Adds what a block created.
    pub(crate) fn created(&mut self, addresses: &[Address]) {
        self.unplaced.extend(addresses);
    }

    /// Accounts are live that were in flight.
    pub(crate) fn arrived(&mut self, addresses: &[Address]) {
        for address in addresses {
            self.in_flight.remove(address);
        }
    }

    /// Takes over a finalized checkpoint. Returns what it changes for this shard, in order.
    pub(crate) fn apply(&mut self, checkpoint: &Checkpoint) -> Vec<Change> {
        for crosslink in &checkpoint.crosslinks {
            if let Some(covered) = self.covered.get_mut(crosslink.shard.0 as usize) {
                *covered = crosslink.tip();
            }
        }
        if checkpoint.placements.is_empty() && checkpoint.moves.is_empty() {
            self.allocation.apply(checkpoint);
            return Vec::new();
        }
        let number = checkpoint.number;
        let mut changes = Vec::new();
        for Placement { address, shard } in checkpoint.placements.iter().copied() {
            self.unplaced.remove(&address);
            // The first one stands (R-HOME-4).
            let BTreeEntry::Vacant(first) = self.placed_at.entry(address) else { continue };
            first.insert(number);
            if shard != self.shard && self.allocation.home(&address) == Home::Shard(self.shard) {
                changes.push(Change::HandOver { account: address, to: shard });
            }
        }
        for Move { account, to, .. } in checkpoint.moves.iter().copied() {
            // What was created here stays: its placement is on the way and wins (R-EPOCH-9).
            let Home::Shard(home) = self.allocation.home(&account) else { continue };
            if home == to || self.unplaced.contains(&account) {
                continue;
            }
            if home == self.shard {
                changes.push(Change::Leave { account, to });
            } else if to == self.shard {
                changes.push(Change::Expect(account));
            }
        }
        for change in &changes {
            match change {
                Change::Expect(account) => self.in_flight.insert(*account),
                Change::HandOver { account, .. } | Change::Leave { account, .. } => {
                    self.in_flight.remove(account)
                }
            };
        }
        self.placed.extend(checkpoint.placements.iter().map(|placement| (number, *placement)));
        self.moved.extend(checkpoint.moves.iter().map(|moved| (number, *moved)));
        self.allocation.apply(checkpoint);
        changes
    }

    /// What this is rebuilt from.
    pub(crate) fn placed(&self) -> Placed {
        Placed {
            newest: self.allocation.newest(),
            placed: self.placed.clone(),
            moved: self.moved.clone(),
            unplaced: self.unplaced.iter().copied().collect(),
            covered: self.covered.clone(),
        }
    }

    /// Takes over what an earlier life knew.
    pub(crate) fn place<'a>(
        &mut self,
        placed: &Placed,
        in_flight: impl Iterator<Item = &'a Address>,
    ) {
        let mut changes: BTreeMap<CheckpointNumber, (Vec<Placement>, Vec<Move>)> = BTreeMap::new();
        for (number, placement) in &placed.placed {
            changes.entry(*number).or_default().0.push(*placement);
            self.placed_at.entry(placement.address).or_insert(*number);
        }
        for (number, moved) in &placed.moved {
            changes.entry(*number).or_default().1.push(*moved);
        }
        changes.entry(placed.newest).or_default();
        for (number, (placements, moves)) in changes {
            self.allocation.apply(&Checkpoint {
                number,
                parent: B256::ZERO,
                timestamp: Timestamp::ZERO,
                epoch: Epoch::ZERO,
                crosslinks: Vec::new(),
                placements,
                moves,
            });
        }
        self.placed.clone_from(&placed.placed);
        self.moved.clone_from(&placed.moved);
        self.unplaced = placed.unplaced.iter().copied().collect();
        self.covered.clone_from(&placed.covered);
        self.in_flight = in_flight.copied().collect();
    }
}

impl Locality for Locale {
    fn is_local(&self, address: &Address) -> bool {
        self.home(address).is(self.shard) && !self.is_in_flight(address)
    }

    fn is_placed_elsewhere(&self, address: &Address) -> bool {
        self.allocation.override_of(address).is_some_and(|shard| shard != self.shard)
    }

    fn is_in_flight(&self, address: &Address) -> bool {
        !self.in_flight.is_empty() && self.in_flight.contains(address)
    }
}

#[cfg(test)]
mod tests {
    use partitioning::{Base, Residents};

    use super::*;

    /// An address whose base home is shard 0 of 4.
    fn account() -> Address {
        Address::with_last_byte(0x44)
    }

    fn locale(shard: u32) -> Locale {
        Locale::new(ShardId(shard), Allocation::new(4, Base::Hash, Residents::standard(4)))
    }

    fn checkpoint(number: u64, placed: Option<u32>, moved: Option<(u32, u32)>) -> Checkpoint {
        let (address, account) = (account(), account());
        let placement = placed.map(|shard| Placement { address, shard: ShardId(shard) });
        let moved = moved.map(|(from, to)| Move { account, from: ShardId(from), to: ShardId(to) });
        Checkpoint {
            number: CheckpointNumber(number),
            parent: B256::ZERO,
            timestamp: Timestamp::ZERO,
            epoch: Epoch::ZERO,
            crosslinks: Vec::new(),
            placements: placement.into_iter().collect(),
            moves: moved.into_iter().collect(),
        }
    }

    #[test]
    fn each_shard_does_its_part_of_moves_and_placements() {
        let leave = |to| vec![Change::Leave { account: account(), to: ShardId(to) }];
        let hand_over = |to| vec![Change::HandOver { account: account(), to: ShardId(to) }];
        let expect = || vec![Change::Expect(account())];
        let nothing = Vec::new;
        // What shards 0 to 3 do at each checkpoint in turn: (placed on, moved), their changes.
        type Row = (Option<u32>, Option<(u32, u32)>, [Vec<Change>; 4]);
        let tables: [Vec<Row>; 3] = [
            vec![
                (None, Some((0, 1)), [leave(1), expect(), nothing(), nothing()]),
                (None, Some((1, 2)), [nothing(), leave(2), expect(), nothing()]),
                (None, Some((2, 0)), [expect(), nothing(), leave(0), nothing()]),
            ],
            vec![
                (None, Some((0, 1)), [leave(1), expect(), nothing(), nothing()]),
                (Some(3), None, [nothing(), hand_over(3), nothing(), nothing()]),
                (Some(2), None, [nothing(), nothing(), nothing(), nothing()]),
                (None, Some((3, 2)), [nothing(), nothing(), expect(), leave(2)]),
            ],
            vec![
                (Some(3), None, [hand_over(3), nothing(), nothing(), nothing()]),
                (None, Some((3, 0)), [expect(), nothing(), nothing(), leave(0)]),
            ],
        ];
        for (table, rows) in tables.into_iter().enumerate() {
            let mut shards: Vec<Locale> = (0..4).map(locale).collect();
            for ((placed, moved, changes), number) in rows.into_iter().zip(1..) {
                let checkpoint = checkpoint(number, placed, moved);
                let home = |shard: &Locale| shard.allocation.home(&account());
                for (shard, expected) in shards.iter_mut().zip(changes) {
                    assert_eq!(shard.apply(&checkpoint), expected, "{table}, {number}");
                    let flies = expected == expect();
                    assert_eq!(shard.is_in_flight(&account()), flies, "{table}, {number}");
                    let mut again = locale(shard.shard.0);
                    let flying = [account()];
                    again.place(&shard.placed(), flying.iter().filter(|_| flies));
                    assert_eq!(home(&again), home(shard), "rebuilt");
                    assert_eq!(again.is_local(&account()), shard.is_local(&account()));
                }
            }
        }
    }

    #[test]
    fn what_was_created_here_stays_and_is_not_awaited() {
        let mut home = locale(0);
        home.created(&[account()]);
        assert_eq!(home.apply(&checkpoint(1, None, Some((0, 1)))), []);
        assert!(home.is_local(&account()));
        assert_eq!(home.apply(&checkpoint(2, Some(0), None)), []);
        assert!(home.is_local(&account()));
        let mut target = locale(1);
        target.created(&[account()]);
        assert_eq!(target.apply(&checkpoint(1, None, Some((0, 1)))), []);
        assert!(target.is_local(&account()) && !target.is_in_flight(&account()));
    }

    #[test]
    fn value_from_before_a_placement_is_no_part_of_the_contract() {
        let mut locale = locale(2);
        locale.apply(&checkpoint(1, None, Some((0, 1))));
        locale.apply(&checkpoint(2, Some(3), None));
        locale.apply(&checkpoint(3, None, Some((3, 2))));
        assert!(locale.was_placed_after(&account(), CheckpointNumber(1)));
        assert!(!locale.was_placed_after(&account(), CheckpointNumber(3)));
        locale.arrived(&[account()]);
        assert!(locale.is_local(&account()));
    }
}

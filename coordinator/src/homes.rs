//! Where accounts live after a checkpoint (rules R-HOME-1, R-HOME-2, R-HOME-4, R-EPOCH-4).
//!
//! The same as [`Allocation`], without its past, and kept so that the states of successive
//! checkpoints share what is equal: a copy costs what changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use cross_shard_msg::{CheckpointNumber, Move, Placement, Settings, ShardId};
use partitioning::{Allocation, Base, Home, Residents};

/// Number of maps over which overrides are spread.
const MAPS: usize = 256;

/// The homes of all accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Homes {
    shards: u32,
    residents: Arc<Residents>,
    /// By the last byte of the address.
    overrides: Vec<Arc<BTreeMap<Address, Override>>>,
}

/// The home of an account that does not live where the base rule puts it.
#[derive(Clone, Copy, Debug)]
struct Override {
    home: ShardId,
    /// Whether a placement was among what set it.
    placed: bool,
}

impl Homes {
    /// At genesis: the base rule, and the residents that every network has. A prescribed beneficiary
    /// is not among them; where one is, nothing moves.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let shards = settings.shard_count();
        Self {
            shards,
            residents: Arc::new(Residents::standard(shards)),
            overrides: vec![Arc::default(); MAPS],
        }
    }

    /// Number of shards.
    #[must_use]
    pub fn shards(&self) -> u32 {
        self.shards
    }

    /// Where `address` lives.
    #[must_use]
    pub fn home(&self, address: &Address) -> Home {
        if self.residents.contains(address) {
            return Home::Everywhere;
        }
        let moved = self.of(address).map(|known| known.home);
        Home::Shard(moved.unwrap_or_else(|| Base::Hash.home(address, self.shards)))
    }

    /// Whether a placement has set the home of `address`; the first one stands.
    #[must_use]
    pub fn is_placed(&self, address: &Address) -> bool {
        self.of(address).is_some_and(|known| known.placed)
    }

    /// Takes over what a checkpoint says: placements, then moves.
    pub fn apply(&mut self, placements: &[Placement], moves: &[Move]) {
        for placement in placements {
            if !self.is_placed(&placement.address) {
                let home = Override { home: placement.shard, placed: true };
                self.set(placement.address, home);
            }
        }
        for moved in moves {
            let placed = self.is_placed(&moved.account);
            self.set(moved.account, Override { home: moved.to, placed });
        }
    }

    /// The same as strategies know it.
    #[must_use]
    pub fn allocation(&self) -> Allocation {
        let mut allocation =
            Allocation::new(self.shards, Base::Hash, Residents::clone(&self.residents));
        let moves = self.overrides.iter().flat_map(|map| map.iter()).map(|(account, known)| Move {
            account: *account,
            from: Base::Hash.home(account, self.shards),
            to: known.home,
        });
        allocation.relocate(CheckpointNumber(1), &moves.collect::<Vec<_>>());
        allocation
    }

    fn of(&self, address: &Address) -> Option<&Override> {
        self.overrides.get(usize::from(address.0[19]))?.get(address)
    }

    fn set(&mut self, address: Address, home: Override) {
        if let Some(map) = self.overrides.get_mut(usize::from(address.0[19])) {
            Arc::make_mut(map).insert(address, home);
        }
    }
}

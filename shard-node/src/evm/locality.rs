//! Which accounts the executor may open (R-EXE-2).

use alloy_primitives::Address;

/// A shard's view of where accounts live, at the checkpoint that its block names.
///
/// The executor adds to this what it knows itself: contracts created earlier in the same block,
/// and the block's beneficiary, are local.
pub trait Locality {
    /// The account is this shard's to open: it lives here, is a resident, or was created here and
    /// its placement is on the way.
    fn is_local(&self, address: &Address) -> bool;

    /// A contract may not be created here at this address, because an override of the allocation
    /// places the address on another shard. (The base rule alone does not forbid it: a contract
    /// lives where it is created.)
    fn is_placed_elsewhere(&self, address: &Address) -> bool;

    /// The account's home is this shard, but it is still on its way here (R-EPOCH-6): it is not local,
    /// and whoever opens it waits for it.
    fn is_in_flight(&self, _address: &Address) -> bool {
        false
    }
}

/// A network of one shard: every account lives here.
#[derive(Clone, Copy, Debug, Default)]
pub struct SingleShard;

impl Locality for SingleShard {
    fn is_local(&self, _: &Address) -> bool {
        true
    }

    fn is_placed_elsewhere(&self, _: &Address) -> bool {
        false
    }
}

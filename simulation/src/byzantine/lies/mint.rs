//! Value that an administrator is said to have added. The books balance: only R-LED-4 finds it.

use cross_shard_msg::{Header, Wei};

use super::Surplus;

/// Wei in a unit of [`super::Lie::Mint`].
const ETHER: Wei = Wei::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);

pub(super) fn value(ether: u64) -> Wei {
    Wei::from(ether).saturating_mul(ETHER)
}

pub(super) fn book(header: &mut Header, surplus: &Surplus) {
    header.ledger.minted = header.ledger.minted.saturating_add(surplus.value);
}

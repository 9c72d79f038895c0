//! A receipt whose value nobody paid.

use cross_shard_msg::{Action, Header, Receipt, Wei};

use super::Surplus;

/// A gift to whom `last` goes.
pub(super) fn receipt(last: &Receipt, value: Wei) -> Receipt {
    let action = Action::Refund { to: last.account(), value };
    Receipt { action, ..last.clone() }
}

/// The shard's own books pay.
pub(super) fn pay(header: &mut Header, surplus: &Surplus) {
    header.ledger.held = header.ledger.held.saturating_sub(surplus.value);
}

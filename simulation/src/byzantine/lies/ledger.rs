//! A ledger that says that the shard holds more than it does.

use cross_shard_msg::{Header, Wei};

pub(super) fn inflate(header: &mut Header, more: u64) {
    header.ledger.held = header.ledger.held.saturating_add(Wei::from(more));
}

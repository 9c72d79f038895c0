//! A receipt that is released twice, under two sequences.

use cross_shard_msg::Receipt;

pub(super) fn receipt(last: &Receipt) -> Receipt {
    last.clone()
}

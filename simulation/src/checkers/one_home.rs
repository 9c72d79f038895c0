//! One home: a block writes only accounts that live on its shard at the checkpoint that it names,
//! residents, or contracts that the shard itself created.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use cross_shard_msg::CheckpointNumber;
use partitioning::Allocation;

use super::Records;
use super::finding::{Checked, Outcome, held};

pub(super) fn check(records: &Records) -> Outcome {
    let mut writes = 0;
    let settings = &records.settings;
    let mut allocation =
        Allocation::new(settings.shard_count(), records.base, records.residents.clone());
    for finalized in records.finalized().values() {
        allocation.apply(&finalized.checkpoint);
    }
    for (shard, blocks) in &records.blocks {
        let mut created: BTreeSet<Address> = BTreeSet::new();
        let mut before = CheckpointNumber::ZERO;
        for block in blocks {
            let header = &block.header;
            created.extend(&header.placements);
            for address in &block.written {
                let home = allocation.home_at(address, header.checkpoint);
                // The block that applies a placement is the last one that writes its old home.
                let leaving = allocation.home_at(address, before).is(*shard);
                if !home.is(*shard) && !leaving && !created.contains(address) {
                    return Err(format!(
                        "shard:{shard} block {} writes {address}, whose home is {home:?}",
                        header.height
                    ));
                }
            }
            writes += block.written.len();
            before = header.checkpoint;
        }
    }
    held(Checked::of("written_accounts", writes))
}

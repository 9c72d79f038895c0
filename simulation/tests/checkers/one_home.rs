//! Planted breaches of one home, and writes that only look like one.

use std::sync::Arc;

use alloy_primitives::Address;
use cross_shard_msg::{Settings, ShardId};
use partitioning::OUTBOX;
use simulation::checkers::Invariant::OneHome;

use crate::honest::{account, block_of, broken, contract, edit_header, honest};

fn writing(shard: u32, height: u64, address: Address) -> simulation::checkers::Records {
    let mut records = honest();
    block_of(&mut records, shard, height).written.push(address);
    records
}

#[test]
fn a_write_to_a_foreign_account() {
    assert_eq!(
        broken(&writing(0, 1, account(1)), &[OneHome]),
        format!("shard:0 block 1 writes {}, whose home is Shard(ShardId(1))", account(1))
    );
    broken(&writing(1, 3, account(2)), &[OneHome]);
}

#[test]
fn a_write_to_what_was_placed_elsewhere() {
    // Block 2 of shard 0 applies the placement; it is the last one that may write the old home.
    let mut records = honest();
    let mut late = block_of(&mut records, 0, 2).clone();
    late.body.incoming.clear();
    late.legs.clear();
    records.blocks.get_mut(&ShardId(0)).unwrap().push(Arc::new(late));
    let last = Arc::make_mut(records.blocks.get_mut(&ShardId(0)).unwrap().last_mut().unwrap());
    let mut header: cross_shard_msg::Header = (*last.header).clone();
    header.height = header.height.next();
    last.header.header = cross_shard_msg::SealedHeader::seal(header);
    let detail = broken(&records, &[OneHome]);
    let expected =
        format!("shard:0 block 3 writes {}, whose home is Shard(ShardId(1))", contract());
    assert_eq!(detail, expected);
}

#[test]
fn a_creation_that_the_header_does_not_list() {
    let mut records = honest();
    edit_header(&mut records, 1, 2, |header| header.placements.clear());
    let detail = broken(&records, &[OneHome]);
    assert!(detail.starts_with("shard:1 block 2 writes "), "{detail}");
}

#[test]
fn residents_are_written_everywhere() {
    for (shard, height) in [(0, 1), (1, 1), (1, 3)] {
        for resident in [OUTBOX, Settings::fee_account(ShardId(2)), Address::with_last_byte(1)] {
            broken(&writing(shard, height, resident), &[]);
        }
    }
}

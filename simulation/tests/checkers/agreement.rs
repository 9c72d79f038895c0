//! Planted breaches of agreement.

use alloy_primitives::B256;
use cross_shard_msg::{Header, SealedHeader, Timestamp, ValidatorIndex};
use simulation::checkers::Invariant::Agreement;
use simulation::checkers::Records;

use crate::honest::{block_of, broken, checkpoint, honest};

const LIAR: ValidatorIndex = ValidatorIndex(1);

fn of(records: &mut Records) -> &mut Vec<cross_shard_msg::FinalizedCheckpoint> {
    records.checkpoints.get_mut(&LIAR).unwrap()
}

#[test]
fn two_checkpoints_with_one_number() {
    let mut records = honest();
    let honest = of(&mut records)[1].checkpoint.clone();
    let other = checkpoint(&records, 2, honest.parent, &[(1, 3, 3), (0, 2, 2)], Vec::new());
    let digest = other.checkpoint.digest();
    of(&mut records)[1] = other;
    assert_eq!(
        broken(&records, &[Agreement]),
        format!(
            "checkpoint 2: coordinator:0 finalized {}, coordinator:1 finalized {digest}",
            honest.digest()
        )
    );
}

#[test]
fn a_checkpoint_that_does_not_continue_its_parent() {
    let text = |number, after| {
        format!("coordinator:1 finalized {number} after {after}, which it does not continue")
    };
    let mut records = honest();
    let parent = B256::repeat_byte(9);
    let orphan = checkpoint(&records, 2, parent, &[(0, 2, 2), (1, 3, 3)], Vec::new());
    of(&mut records)[1] = orphan;
    assert_eq!(broken(&records, &[Agreement]), text(2, 1), "another parent");
    let mut records = honest();
    of(&mut records).remove(0);
    assert_eq!(broken(&records, &[Agreement]), text(2, 0), "a gap");
    let mut records = honest();
    let first = of(&mut records)[0].clone();
    of(&mut records).insert(1, first);
    assert_eq!(broken(&records, &[Agreement]), text(1, 1), "a repeat");
    let mut records = honest();
    of(&mut records).reverse();
    assert_eq!(broken(&records, &[Agreement]), text(2, 0), "turned round");
}

#[test]
fn a_checkpoint_that_covers_another_block_than_the_shards() {
    let mut records = honest();
    let block = &mut block_of(&mut records, 1, 2).header;
    let covered = block.hash();
    let header = Header { timestamp: Timestamp(99), ..(*block.header).clone() };
    block.header = SealedHeader::seal(header);
    let own = block.hash();
    assert_eq!(
        broken(&records, &[Agreement]),
        format!("checkpoint 1 covers {covered} as block 2 of shard:1, whose own block is {own}")
    );
}

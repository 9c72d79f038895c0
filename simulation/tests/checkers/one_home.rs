//! Planted breaches of one home, and writes that only look like one.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use cross_shard_msg::{
    Action, Cause, CheckpointNumber, Gas, Height, Leg, LegStatus, Migration, Receipt, ReceiptKind,
    Sequence, Settings, ShardId,
};
use partitioning::OUTBOX;
use simulation::checkers::Execution;
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

/// Shard 0 releases parts of an account without value behind its two calls, and shard 1 takes them.
fn moving(parts: &[Migration]) -> simulation::checkers::Records {
    let mut records = honest();
    let receipts = parts.iter().map(|part| Receipt {
        origin: B256::ZERO,
        caused: Height(1),
        action: Action::Migrate(part.clone()),
    });
    let receipts: Vec<Receipt> = receipts.collect();
    block_of(&mut records, 0, 1).outgoing[0].receipts.extend(receipts.clone());
    let block = block_of(&mut records, 1, 2);
    block.body.incoming[0].receipts.extend(receipts.clone());
    for (receipt, sequence) in receipts.iter().zip(3..) {
        let (source, sequence) = (ShardId(0), Sequence(sequence));
        let cause = Cause::Receipt { source, sequence, kind: ReceiptKind::Migrate };
        let (key, status) = (receipt.key(), LegStatus::Succeeded);
        block.legs.push(Leg { key, cause, status, gas_used: Gas::ZERO, caused: 0, created: 0 });
    }
    records
}

fn part(part: u32) -> Migration {
    Migration {
        account: account(0),
        checkpoint: CheckpointNumber(1),
        part,
        parts: 2,
        nonce: 0,
        balance: U256::ZERO,
        code: Bytes::new(),
        slots: vec![(U256::from(part), U256::from(1))],
    }
}

#[test]
fn parts_that_add_to_state_twice_or_change_on_their_way() {
    broken(&moving(&[part(0), part(1)]), &[]);
    let detail = broken(&moving(&[part(0), part(1), part(1)]), &[OneHome]);
    assert!(detail.contains("more often than there are parts"), "{detail}");
    let changed = Migration { slots: Vec::new(), ..part(1) };
    let detail = broken(&moving(&[part(0), part(1), changed]), &[OneHome]);
    assert!(detail.contains("changes on its way"), "{detail}");
}

#[test]
fn a_state_with_an_account_that_lives_elsewhere() {
    let mut records = honest();
    let misplaced = Some("block 2: 0x01 is in the state, and lives elsewhere".to_owned());
    records.executions.insert(ShardId(1), Execution { misplaced, ..Execution::default() });
    let findings = simulation::checkers::check(&records);
    let found = findings.iter().find(|breach| breach.invariant == OneHome).unwrap();
    assert!(found.detail.starts_with("shard:1 block 2"), "{}", found.detail);
}

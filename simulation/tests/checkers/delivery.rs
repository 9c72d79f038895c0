//! Planted breaches of delivery: exactly once, as released, and in order.

use alloy_primitives::U256;
use cross_shard_msg::{Action, Cause, Leg, ReceiptKind, Sequence, ShardId};
use simulation::checkers::Invariant::{Conservation, ExactlyOnce, Order};

use crate::honest::{
    account, block_of, broken, call, detail, edit_ledgers, honest, incoming, leg, outgoing,
    transaction,
};

fn executed(source: u32, sequence: u64) -> Leg {
    let cause = Cause::Receipt {
        source: ShardId(source),
        sequence: Sequence(sequence),
        kind: ReceiptKind::Call,
    };
    Leg { cause, ..leg() }
}

#[test]
fn a_receipt_whose_content_changed() {
    let mut records = honest();
    let receipt = &mut block_of(&mut records, 1, 2).body.incoming[0].receipts[1];
    match &mut receipt.action {
        Action::Call(call) => call.to = account(4), // the value stays
        other => panic!("{other:?}"),
    }
    assert_eq!(
        broken(&records, &[ExactlyOnce]),
        "receipt 0→1 #2 in block 2 is not what was released"
    );
}

#[test]
fn receipts_that_entered_in_another_order() {
    let mut records = honest();
    block_of(&mut records, 1, 2).body.incoming[0].receipts.swap(0, 1);
    let detail = broken(&records, &[ExactlyOnce]);
    assert_eq!(detail, "receipt 0→1 #1 in block 2 is not what was released");
}

#[test]
fn a_receipt_that_enters_twice() {
    let mut records = honest();
    let again = block_of(&mut records, 1, 2).body.incoming[0].clone();
    block_of(&mut records, 1, 3).body.incoming.push(again);
    // The shard's books count it twice, too: only the delivery shows the breach where it is.
    edit_ledgers(&mut records, 1, 3, |ledger| {
        ledger.held += U256::from(27);
        ledger.received += U256::from(27);
    });
    let global = broken(&records, &[Conservation, ExactlyOnce, Order]);
    assert_eq!(global, "checkpoint 2: receipt 0→1 #1 entered, but is not in flight");
    assert_eq!(detail(&records, ExactlyOnce), "receipt 0→1 #1 in block 3 had entered before");
    assert_eq!(detail(&records, Order), "0→1: entered #1 where #3 is next");
}

#[test]
fn a_receipt_that_was_never_released() {
    let mut records = honest();
    let forged = incoming(0, 2, 3, vec![call(1, 0, 0)]);
    block_of(&mut records, 1, 3).body.incoming.push(forged);
    edit_ledgers(&mut records, 1, 3, |ledger| {
        ledger.held += U256::ONE;
        ledger.received += U256::ONE;
    });
    broken(&records, &[Conservation, ExactlyOnce]);
    assert_eq!(detail(&records, ExactlyOnce), "receipt 0→1 #3 in block 3 was never released");
}

#[test]
fn a_source_without_records_proves_nothing() {
    let mut records = honest();
    records.checkpoints.clear();
    records.blocks.remove(&ShardId(0));
    assert_eq!(broken(&records, &[]), "");
}

#[test]
fn a_receipt_that_is_executed_twice() {
    let mut records = honest();
    block_of(&mut records, 1, 3).legs.push(executed(0, 1));
    assert_eq!(broken(&records, &[ExactlyOnce]), "receipt 0→1 #1 is executed twice");
    let mut records = honest();
    // What a contract sent to its own shard is executed without entering, but once.
    block_of(&mut records, 1, 3).legs.push(executed(1, 1));
    assert_eq!(broken(&records, &[]), "");
    block_of(&mut records, 1, 3).legs.push(executed(1, 1));
    assert_eq!(broken(&records, &[ExactlyOnce]), "receipt 1→1 #1 is executed twice");
}

#[test]
fn a_receipt_that_is_executed_but_never_entered() {
    let mut records = honest();
    block_of(&mut records, 1, 3).legs.push(executed(2, 1));
    let detail = broken(&records, &[ExactlyOnce]);
    assert_eq!(detail, "receipt 2→1 #1 is executed, but never entered");
    let mut records = honest();
    block_of(&mut records, 1, 1).legs.push(executed(0, 1));
    let detail = broken(&records, &[ExactlyOnce]);
    assert_eq!(detail, "receipt 0→1 #1 is executed, but never entered", "before it enters");
}

#[test]
fn a_gap_in_what_entered() {
    let mut records = honest();
    let batch = &mut block_of(&mut records, 1, 2).body.incoming[0];
    batch.receipts.remove(0);
    batch.first = Sequence(2);
    assert_eq!(detail(&records, Order), "0→1: entered #2 where #1 is next");
}

#[test]
fn a_gap_and_a_repeat_in_what_was_released() {
    for first in [2, 4] {
        let mut records = honest();
        records.checkpoints.clear();
        block_of(&mut records, 0, 2).outgoing.push(outgoing(1, first, vec![call(1, 0, 0)]));
        let found = detail(&records, Order);
        assert_eq!(found, format!("0→1: released #{first} where #3 is next"));
    }
}

#[test]
fn a_transaction_that_is_executed_twice() {
    for (shard, height) in [(0, 1), (0, 2), (1, 3)] {
        let mut records = honest();
        block_of(&mut records, shard, height).body.transactions.push(transaction(0));
        let hash = transaction(0).0.hash();
        let detail = broken(&records, &[Order]);
        assert_eq!(detail, format!("transaction {hash} is executed twice"));
    }
}

//! Planted breaches of conservation: in a shard's books, and over all shards at a checkpoint.

use alloy_primitives::U256;
use cross_shard_msg::{Ledger, ShardId, Wei};
use simulation::checkers::Invariant::{Conservation, ExactlyOnce};

use crate::honest::{
    block_of, broken, call, checkpoint, detail, edit_header, edit_ledgers, honest,
};

const ONE: Wei = U256::ONE;

#[test]
fn a_ledger_that_is_off_by_one() {
    type Entry = (&'static str, fn(&mut Ledger));
    let entries: [Entry; 6] = [
        ("held", |ledger| ledger.held += ONE),
        ("held, less", |ledger| ledger.held -= ONE),
        ("received", |ledger| ledger.received += ONE),
        ("sent", |ledger| ledger.sent += ONE),
        ("burnt", |ledger| ledger.burnt += ONE),
        ("minted", |ledger| ledger.minted += ONE),
    ];
    for (name, edit) in entries {
        let mut records = honest();
        edit_header(&mut records, 0, 1, |header| edit(&mut header.ledger));
        let detail = broken(&records, &[Conservation]);
        assert!(detail.starts_with("shard:0 block 1: Ledger { held: "), "{name}: {detail}");
        assert!(detail.ends_with(" with genesis 1000"), "{name}: {detail}");
    }
}

#[test]
fn a_ledger_whose_sums_wrap() {
    let mut records = honest();
    edit_header(&mut records, 1, 1, |header| {
        header.ledger = Ledger { held: U256::from(1_999), received: U256::MAX, ..header.ledger };
    });
    assert!(broken(&records, &[Conservation]).starts_with("shard:1 block 1: Ledger"));
}

#[test]
fn a_ledger_that_balances_but_is_not_what_the_receipts_carry() {
    let mut records = honest();
    edit_ledgers(&mut records, 1, 2, |ledger| {
        ledger.held += ONE;
        ledger.received += ONE;
    });
    assert_eq!(
        broken(&records, &[Conservation]),
        "shard:1 block 2: the ledger has received 28 and sent 6, the receipts have 27 and 6"
    );
    let mut records = honest();
    edit_ledgers(&mut records, 0, 1, |ledger| {
        ledger.held += ONE;
        ledger.sent -= ONE;
    });
    assert_eq!(
        broken(&records, &[Conservation]),
        "shard:0 block 1: the ledger has received 0 and sent 26, the receipts have 0 and 27"
    );
}

/// Every shard's books balance and agree with its own receipts; only the sum over all is wrong.
#[test]
fn value_that_grows_on_its_way() {
    let mut records = honest();
    let entered = &mut block_of(&mut records, 1, 2).body.incoming[0].receipts;
    entered[1] = call(8, 0, 0);
    edit_ledgers(&mut records, 1, 2, |ledger| {
        ledger.held += ONE;
        ledger.received += ONE;
    });
    assert_eq!(
        broken(&records, &[Conservation, ExactlyOnce]),
        "checkpoint 1: genesis 3500 + minted 0 is not held 3488 + in flight 6 + burnt 7"
    );
}

#[test]
fn a_genesis_that_is_not_the_shards() {
    let mut records = honest();
    records.settings.genesis_held.push(ONE);
    let detail = broken(&records, &[Conservation]);
    assert!(detail.starts_with("checkpoint 1: genesis 3501 + minted 0 is not held"), "{detail}");
    let mut records = honest();
    records.settings.genesis_held.push(U256::MAX);
    let detail = broken(&records, &[Conservation]);
    assert_eq!(detail, "checkpoint 1: a sum of wei is beyond 256 bits");
}

#[test]
fn a_cut_that_is_not_closed() {
    let mut records = honest();
    let parent = records.checkpoints.values().next().unwrap()[0].checkpoint.parent;
    let unclosed = checkpoint(&records, 1, parent, &[(1, 1, 2)], Vec::new());
    for checkpoints in records.checkpoints.values_mut() {
        *checkpoints = vec![unclosed.clone()];
    }
    let detail = detail(&records, Conservation);
    assert_eq!(detail, "checkpoint 1: receipt 0→1 #1 entered, but is not in flight");
}

#[test]
fn a_cut_that_covers_a_block_that_is_not_there() {
    let mut records = honest();
    records.blocks.get_mut(&ShardId(1)).unwrap().truncate(2);
    assert_eq!(broken(&records, &[Conservation]), "checkpoint 2: shard:1 has no block 3");
    let mut records = honest();
    records.blocks.remove(&ShardId(0));
    assert_eq!(detail(&records, Conservation), "checkpoint 1: shard:0 has no block 1");
}

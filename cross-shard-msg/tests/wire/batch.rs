//! A batch is proven as its source released it, and by no tampering (rule R-RCPT-3).

use alloy_primitives::{Bytes, U256};
use cross_shard_msg::receipt::{
    MAX_BATCH_RECEIPTS, MAX_RECEIPT_INPUT_BYTES, outgoing_root, prove_outgoing,
};
use cross_shard_msg::{Action, Header, Height, Outgoing, Receipt, ReceiptBatch, Sequence, ShardId};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{arbitrary, examples};

/// The batches of a block that released `outgoing`.
fn batches(outgoing: Vec<Outgoing>) -> Vec<ReceiptBatch> {
    let (root, proofs) = prove_outgoing(&outgoing);
    let header = Header { outgoing_receipts_root: root, ..examples::header() };
    let header = examples::signed(header);
    let batch = |(outgoing, proof)| ReceiptBatch {
        chain: Vec::new(),
        header: header.clone(),
        outgoing,
        proof,
    };
    outgoing.into_iter().zip(proofs).map(batch).collect()
}

fn released() -> impl Strategy<Value = Vec<Outgoing>> {
    let receipt = arbitrary::receipt().prop_filter("well-formed", Receipt::is_well_formed);
    let outgoing = (1..u64::MAX, vec(receipt, 1..5));
    vec(outgoing, 1..9).prop_map(|list| {
        let numbered = list.into_iter().zip(0..);
        let outgoing = numbered.map(|((first, receipts), destination)| Outgoing {
            destination: ShardId(destination),
            first: Sequence(first),
            receipts,
        });
        outgoing.collect()
    })
}

proptest! {
    #[test]
    fn what_a_block_releases_is_proven(outgoing in released()) {
        let root = outgoing_root(&outgoing);
        let batches = batches(outgoing);
        for batch in &batches {
            prop_assert!(batch.is_proven());
            prop_assert_eq!(batch.header.outgoing_receipts_root, root);
        }
        // Each proof is for its own destination.
        for pair in batches.windows(2) {
            let crossed = ReceiptBatch { proof: pair[1].proof.clone(), ..pair[0].clone() };
            prop_assert!(!crossed.is_proven());
        }
    }
}

#[test]
fn no_tampered_batch_is_proven() {
    let honest = examples::batch();
    assert!(honest.is_proven());
    type Tampering = (&'static str, fn(&mut ReceiptBatch));
    let tamperings: [Tampering; 14] = [
        ("another destination", |b| b.outgoing.destination = ShardId(2)),
        ("another first sequence", |b| b.outgoing.first = Sequence(11)),
        ("a receipt is missing", |b| b.outgoing.receipts.truncate(2)),
        ("a receipt is added", |b| b.outgoing.receipts.push(examples::refund())),
        ("a receipt comes twice", |b| b.outgoing.receipts[1] = examples::call()),
        ("receipts are swapped", |b| b.outgoing.receipts.swap(0, 2)),
        ("a receipt's origin", |b| b.outgoing.receipts[0].origin = examples::hash(9)),
        ("a receipt's height", |b| b.outgoing.receipts[0].caused = Height(9)),
        ("a receipt's content", |b| b.outgoing.receipts[0].action = examples::refund().action),
        ("no receipts", |b| b.outgoing.receipts.clear()),
        ("a sibling", |b| b.proof.siblings[0].0[31] ^= 1),
        ("no sibling", |b| b.proof.siblings.clear()),
        ("another index", |b| b.proof.index = 1),
        ("another header", |b| {
            let header = Header { outgoing_receipts_root: examples::hash(9), ..examples::header() };
            b.header = examples::signed(header);
        }),
    ];
    for (name, tamper) in tamperings {
        let mut batch = honest.clone();
        tamper(&mut batch);
        assert!(!batch.is_proven(), "{name}");
    }
}

/// What breaks a bound is refused even where a source's header proves it.
#[test]
fn what_breaks_a_bound_is_not_proven() {
    let proven = |first: u64, receipts: Vec<Receipt>| {
        let outgoing = Outgoing { destination: ShardId(1), first: Sequence(first), receipts };
        batches(vec![outgoing])[0].is_proven()
    };
    let call = |change: fn(&mut cross_shard_msg::Call)| {
        let mut receipt = examples::call();
        if let Action::Call(call) = &mut receipt.action {
            change(call);
        }
        vec![receipt]
    };
    assert!(proven(1, vec![examples::call()]));
    assert!(!proven(0, vec![examples::call()]), "sequences begin at 1");
    assert!(!proven(1, Vec::new()), "a batch is never empty");
    assert!(proven(1, vec![examples::refund(); MAX_BATCH_RECEIPTS]));
    assert!(!proven(1, vec![examples::refund(); MAX_BATCH_RECEIPTS + 1]));
    assert!(proven(1, call(|c| c.input = vec![0; MAX_RECEIPT_INPUT_BYTES].into())));
    assert!(!proven(1, call(|c| c.input = Bytes::from(vec![0; MAX_RECEIPT_INPUT_BYTES + 1]))));
    assert!(!proven(1, call(|c| c.gas_price = U256::MAX)), "gas · price overflows");
    assert!(!proven(1, call(|c| c.value = U256::MAX)), "value + gas · price overflows");
    let mut refund = examples::refund();
    refund.action = Action::Refund { to: examples::address(1), value: U256::ZERO };
    assert!(!proven(1, vec![refund]), "a refund of nothing");
}

/// Numbers of a hostile source or leader saturate instead of stopping the node.
#[test]
fn the_last_of_hostile_numbers_saturates() {
    let mut outgoing = examples::outgoing().swap_remove(0);
    assert_eq!(outgoing.last(), Sequence(12));
    outgoing.first = Sequence(u64::MAX);
    assert_eq!(outgoing.last(), Sequence(u64::MAX));
    outgoing.receipts[0].action =
        Action::Handover { address: examples::address(1), balance: U256::MAX };
    assert_eq!(outgoing.value(), U256::MAX);
    let mut crosslink = examples::checkpoint().crosslinks.swap_remove(0);
    assert_eq!(crosslink.tip(), Height(31));
    assert_eq!(crosslink.hash_at(Height(31)), Some(&examples::hash(0x92)));
    assert_eq!(crosslink.hash_at(Height(29)), None);
    crosslink.first = Height(u64::MAX);
    assert_eq!(crosslink.tip(), Height(u64::MAX));
}

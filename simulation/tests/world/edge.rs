//! The edge of a node: submissions are taken apart, senders become known in order of arrival, and
//! what is no transaction is refused.

use alloy_consensus::{SignableTransaction as _, TxEnvelope, TxLegacy};
use alloy_primitives::{Address, Bytes, Signature, U256};
use cross_shard_msg::{
    Duration, Event, Message, NodeId, Refusal, Submission, Timestamp, Transaction, TransactionKey,
};
use simulation::{CostProfile, World};

use crate::probe::{Log, add, at_start, links, shard, silent, world};

fn submission(nonce: u64) -> Submission {
    let unsigned = TxLegacy { chain_id: Some(1), nonce, ..TxLegacy::default() };
    // A point on the curve: the signature of somebody.
    let signature = Signature::new(U256::from(1), U256::from(1), false);
    let signed = Transaction::signed(TxEnvelope::Legacy(unsigned.into_signed(signature)));
    Submission { encoded: signed.encoded().clone(), assumed_sender: None }
}

fn garbage() -> Submission {
    Submission { encoded: Bytes::from_static(b"garbage"), assumed_sender: None }
}

fn told(log: &Log) -> Vec<(u64, String)> {
    log.borrow().iter().skip(1).cloned().collect()
}

#[test]
fn senders_are_recovered_one_after_the_other() {
    let mut world = world();
    add(
        &mut world,
        NodeId::Client,
        at_start(|effects| {
            effects.send(shard(0), Message::Submit((0..3).map(submission).collect()));
            effects.send(shard(0), Message::Submit(vec![submission(3)]));
        }),
    );
    let log = add(&mut world, shard(0), silent);
    world.run(Timestamp(10_000), || false);
    // Both messages arrive at 100; the second one's transaction waits for the first one's.
    let expected = [(150, 0), (200, 1), (250, 2), (300, 3)];
    assert_eq!(told(&log), expected.map(|(at, nonce)| (at, format!("submit {nonce}"))));
}

#[test]
fn what_is_no_transaction_is_refused_by_the_edge() {
    let mut world = world();
    let client = add(
        &mut world,
        NodeId::Client,
        at_start(|effects| {
            effects.send(shard(0), Message::Submit(vec![garbage(), submission(0)]));
        }),
    );
    let log = add(&mut world, shard(0), silent);
    world.run(Timestamp(10_000), || false);
    assert_eq!(told(&log), [(200, "submit 0".to_owned())]);
    let answers = told(&client);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].0, 300, "recovery, then the link");
    assert!(answers[0].1.contains("Malformed"), "{answers:?}");
    let key = TransactionKey::of(&alloy_primitives::keccak256(b"garbage"));
    let observations = world.take_observations();
    assert_eq!(observations.len(), 1);
    assert_eq!(observations[0].0, shard(0));
    assert_eq!(observations[0].1.event, Event::Refused { key, refusal: Refusal::Malformed });
}

#[test]
fn an_assumed_sender_costs_no_time() {
    let profile = CostProfile { recovery: 50, ..CostProfile::FREE };
    let mut world = World::new(links(100), profile, Duration::ZERO, false);
    add(
        &mut world,
        NodeId::Client,
        at_start(|effects| {
            let sender = Some(Address::repeat_byte(1));
            let assumed = Submission { assumed_sender: sender, ..submission(4) };
            effects.send(shard(0), Message::Submit(vec![assumed]));
        }),
    );
    let log = add(&mut world, shard(0), silent);
    world.run(Timestamp(10_000), || false);
    assert_eq!(told(&log), [(100, "submit 4".to_owned())]);
}

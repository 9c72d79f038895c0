//! Proof that a shard is faulty: anybody can check it with the network's settings alone, and it
//! outlives the coordinator.

mod support;

use std::cell::RefCell;
use std::sync::Arc;

use coordinator::headers::{Equivocation, HeaderPool};
use coordinator::{
    BrokenHeader, CheckpointState, Coordinator, CoordinatorConfig, CoordinatorRecord, Proof, Rule,
};
use cross_shard_msg::{
    CheckpointNumber, Effect, Effects, Input, Machine, Message, NodeId, ShardId, SignedHeader,
    Timestamp, ValidatorIndex, Wei, Work,
};

use support::shards::{Plan, Shards, settings, validator_key};

/// Two headers of shard 0 at height 2, and the one before.
fn fork() -> (Shards, SignedHeader, [SignedHeader; 2]) {
    let mut shards = Shards::new(&settings(2, 1));
    let before = shards.block(0, &Plan::default());
    let draft = shards.draft(0, &Plan::default());
    let mut later = draft.clone();
    later.timestamp = Timestamp(later.timestamp.0 + 1);
    let pair = [shards.sign(draft), shards.sign(later)];
    (shards, before, pair)
}

#[test]
fn two_headers_of_one_height_prove_a_shard_faulty() {
    let (shards, before, [first, second]) = fork();
    let mut pool =
        HeaderPool::new(Arc::clone(&shards.settings), &CheckpointState::genesis(&shards.settings));
    for header in [&before, &first, &second] {
        let _ = pool.take(ShardId(0), header.clone(), &mut Work::default());
    }
    let [pair] = pool.equivocations() else { panic!("{:?}", pool.equivocations()) };
    let proof = Proof::Headers(pair.clone());
    assert!(proof.verify(&shards.settings));
    assert_eq!((proof.accused(), proof.place()), (NodeId::Shard(ShardId(0)), 2));
    let honest = Proof::Headers(Equivocation { first: first.clone(), second: first.clone() });
    assert!(!honest.verify(&shards.settings));
    let other = Proof::Headers(Equivocation { first: before, second: first.clone() });
    assert!(!other.verify(&shards.settings));
    let mut stolen = second;
    stolen.certificate = first.certificate.clone();
    assert!(!Proof::Headers(Equivocation { first, second: stolen }).verify(&shards.settings));
}

#[test]
fn a_signed_header_proves_that_it_breaks_a_rule() {
    let (shards, before, [honest, _]) = fork();
    let mut lie = (*honest.header).clone();
    lie.ledger.held += Wei::from(1);
    let lie = shards.sign(lie);
    let broken = BrokenHeader { before: Some(before.clone()), header: lie.clone() };
    assert_eq!(broken.violation(&shards.settings).unwrap().rule, Rule::Balance);
    assert!(Proof::Broken(broken).verify(&shards.settings));
    let blameless = BrokenHeader { before: Some(before.clone()), header: honest.clone() };
    assert!(!Proof::Broken(blameless).verify(&shards.settings));
    // Without the header before it, it does not follow genesis, and shows nothing.
    let torn = BrokenHeader { before: None, header: lie.clone() };
    assert!(!Proof::Broken(torn).verify(&shards.settings));
    let mut unsigned = lie;
    unsigned.certificate = honest.certificate;
    let unsigned = BrokenHeader { before: Some(before), header: unsigned };
    assert!(!Proof::Broken(unsigned).verify(&shards.settings));
}

#[test]
fn evidence_is_durable_and_outlives_the_process() {
    let (shards, before, [first, second]) = fork();
    let config = || CoordinatorConfig {
        index: ValidatorIndex(0),
        key: validator_key(0),
        settings: (*shards.settings).clone(),
        partitioner: None,
    };
    let mut coordinator = Coordinator::new(config()).unwrap();
    let records = RefCell::new(Vec::new());
    let tell = |coordinator: &mut Coordinator, header: &SignedHeader| {
        let message = Message::Headers(Arc::new(vec![header.clone()]));
        let input = Input::Message { from: NodeId::Shard(ShardId(0)), message };
        let mut effects = Effects::new();
        coordinator.handle(Timestamp(1), input, &mut effects);
        let mut writes = Vec::new();
        for effect in effects.drain() {
            if let Effect::Persist { id, record } = effect {
                writes.push(id);
                records.borrow_mut().push(record);
            }
        }
        for id in writes {
            coordinator.handle(Timestamp(1), Input::Durable(id), &mut Effects::new());
        }
    };
    for header in [&before, &first, &second, &second] {
        tell(&mut coordinator, header);
    }
    let written = records.borrow().clone();
    let [CoordinatorRecord::Evidence(proof)] = written.as_slice() else { panic!("{written:?}") };
    assert!(proof.verify(&shards.settings));
    let mut rebuilt = Coordinator::recover(config(), written.clone()).unwrap();
    assert_eq!(rebuilt.pool().equivocations().len(), 1);
    assert_eq!(rebuilt.tip().number(), CheckpointNumber::ZERO);
    // What it knows already is not written down again.
    for header in [&before, &second, &first] {
        tell(&mut rebuilt, header);
    }
    assert_eq!(rebuilt.pool().equivocations().len(), 1);
    assert_eq!(records.borrow().len(), 1);
}

//! Batches that are lost, doubled, forged or too many, and a disk that is slow (R-RCPT-4 to
//! R-RCPT-7, R-BLK-3, R-BLK-6, R-CONG-2, R-GATE-2, R-GATE-3).

mod node_support;

use std::sync::Arc;

use alloy_primitives::{B256, U256};
use consensus::checkpoint::FinalityProof;
use cross_shard_msg::header::signing_digest;
use cross_shard_msg::receipt::prove_outgoing;
use cross_shard_msg::settings::Minting;
use cross_shard_msg::{
    Action, Cause, Certificate, DropReason, Event, FinalizedCheckpoint, Gas, Gate, Header, Height,
    Input, Message, NodeId, Refusal, SealedHeader, Sequence, ShardId, SignedHeader, Timestamp,
    TransactionKey, ValidatorIndex, codec,
};
use node_support::*;

const GATES: [Gate; 2] = [Gate::Checkpoint, Gate::Certified];

/// A transfer of each of `count` users of shard 0 to shard 1.
fn transfers(world: &mut World, nonce: u64, count: u32) -> Vec<TransactionKey> {
    (0..count).map(|i| world.submit(transfer(user(2, 0, i), nonce, user(2, 1, i), 5))).collect()
}

fn all_settled(world: &World, keys: &[TransactionKey]) -> bool {
    keys.iter().all(|key| world.is_settled(*key))
}

#[test]
fn what_is_missing_between_batches_is_pulled() {
    for gate in GATES {
        let mut world = World::new(Options::new(2, gate));
        let mut lost = 0;
        world.filter = Box::new(move |_, to, message| match message {
            Message::Batch(_) if to == NodeId::Shard(ShardId(1)) && lost < 2 => {
                lost += 1;
                0
            }
            _ => 1,
        });
        let mut keys = transfers(&mut world, 0, 3);
        for nonce in 1..4 {
            world.millis(100);
            keys.extend(transfers(&mut world, nonce, 3));
        }
        world.millis(1_000);
        assert!(all_settled(&world, &keys), "{gate:?}");
        let pulled = world.sent.iter().any(|(from, _, message)| {
            *from == NodeId::Shard(ShardId(1))
                && *message == Message::PullBatches { above: Height::ZERO }
        });
        assert!(pulled, "{gate:?}");
    }
}

#[test]
fn a_lost_last_batch_is_sent_again() {
    for gate in GATES {
        let mut world = World::new(Options::new(2, gate));
        let mut lost = 0;
        world.filter = Box::new(move |_, _, message| match message {
            Message::Batch(_) if lost < 1 => {
                lost += 1;
                0
            }
            _ => 1,
        });
        let keys = transfers(&mut world, 0, 3);
        world.millis(1_000);
        assert!(!all_settled(&world, &keys));
        world.millis(1_500);
        assert!(all_settled(&world, &keys), "{gate:?}");
        // Nothing is sent again once it is received.
        let before = world.batches().len();
        world.millis(5_000);
        assert_eq!(world.batches().len(), before);
    }
}

#[test]
fn a_lost_received_is_repeated() {
    let mut world = World::new(Options::new(2, Gate::Certified));
    let mut lost = 0;
    world.filter = Box::new(move |_, _, message| match message {
        Message::Received { .. } if lost < 1 => {
            lost += 1;
            0
        }
        _ => 1,
    });
    transfers(&mut world, 0, 3);
    world.millis(3_000);
    let received = Message::Received { sequence: Sequence(3) };
    assert_eq!(world.sent.iter().filter(|(_, _, message)| *message == received).count(), 2);
    assert_eq!(world.dropped(1, DropReason::Duplicate), 1);
}

#[test]
fn duplicates_have_no_effect() {
    for gate in GATES {
        let mut world = World::new(Options::new(2, gate));
        world.filter = Box::new(|_, to, message| match (to, message) {
            (NodeId::Shard(_), Message::Batch(_) | Message::Finalized(_)) => 3,
            _ => 1,
        });
        let keys = transfers(&mut world, 0, 5);
        world.millis(1_500);
        assert!(all_settled(&world, &keys));
        assert_eq!(world.balance(1, user(2, 1, 0)), U256::from(ETHER + 5));
        assert!(world.dropped(1, DropReason::Duplicate) >= 2);
    }
}

#[test]
fn forged_batches_are_dropped_by_reason() {
    let mut world = World::new(Options::new(2, Gate::Certified));
    world.filter = Box::new(|_, _, message| u32::from(!matches!(message, Message::Batch(_))));
    transfers(&mut world, 0, 3);
    world.millis(350);
    transfers(&mut world, 1, 3);
    world.millis(100);
    let batches = world.batches();
    let (first, second) = (&batches[0], batches.last().unwrap());
    assert!(second.chain.len() > 1, "the headers in between travel along");

    let mut value = (**first).clone();
    value.outgoing.receipts.pop();
    let mut proof = (**first).clone();
    proof.proof.index += 1;
    let mut signature = (**first).clone();
    signature.header.certificate.signatures[0].1.0.0[5] ^= 1;
    let mut gap = (**second).clone();
    gap.chain.pop();
    let mut header = (**second).clone();
    header.chain[0].certificate.signatures[0].1.0.0[5] ^= 1;
    let mut relabelled = (**first).clone();
    relabelled.outgoing.destination = ShardId(0);
    let cases = [
        (value, DropReason::Invalid),
        (proof, DropReason::Proof),
        (signature, DropReason::Signature),
        (gap, DropReason::Disconnected),
        (header, DropReason::Signature),
        (relabelled, DropReason::Unexpected),
    ];
    for (batch, reason) in cases {
        let before = world.dropped(1, reason);
        let message = Message::Batch(Arc::new(batch));
        world.handle(1, Input::Message { from: NodeId::Shard(ShardId(0)), message });
        assert_eq!(world.dropped(1, reason), before + 1, "{reason:?}");
    }
    let stranger = Message::Batch(first.clone());
    world.handle(1, Input::Message { from: NodeId::Client, message: stranger });
    assert_eq!(world.dropped(1, DropReason::Unexpected), 2);
    world.filter = Box::new(|_, _, _| 1);
    world.millis(2_500);
    assert_eq!(world.balance(1, user(2, 1, 0)), U256::from(ETHER + 10), "the real ones come again");
}

#[test]
fn the_header_that_is_crosslinked_counts() {
    let mut world = World::new(Options::new(2, Gate::Checkpoint));
    world.filter = Box::new(|_, _, message| u32::from(!matches!(message, Message::Batch(_))));
    let keys = transfers(&mut world, 0, 3);
    world.millis(150);
    // The source signs another header of the same height, with the same receipts.
    let mut fork = (*world.batches()[0]).clone();
    let mut header: Header = (*fork.header).clone();
    header.timestamp = Timestamp(header.timestamp.0 + 1);
    let header = SealedHeader::seal(header);
    let digest = signing_digest(&world.settings.network, &header.hash());
    let certificate = Certificate::single(&shard_key(0), &digest);
    fork.header = SignedHeader { header, certificate };
    let message = Message::Batch(Arc::new(fork));
    world.handle(1, Input::Message { from: NodeId::Shard(ShardId(0)), message });
    world.filter = Box::new(|_, _, _| 1);
    world.millis(300);
    assert_eq!(world.dropped(1, DropReason::Disconnected), 1, "with the checkpoint");
    world.millis(2_500);
    assert!(all_settled(&world, &keys), "the real one came again");
}

/// Rule R-RCPT-10: what is in a batch is its source's word alone. Neither may stop the destination.
#[test]
fn value_and_gas_beyond_all_bounds_are_dropped() {
    for (value, gas) in [(U256::MAX, Gas(0)), (U256::ZERO, Gas(30_000_001))] {
        let mut world = World::new(Options::new(2, Gate::Certified));
        world.filter = Box::new(|_, _, message| u32::from(!matches!(message, Message::Batch(_))));
        transfers(&mut world, 0, 1);
        world.millis(150);
        let mut forged = (*world.batches()[0]).clone();
        let Action::Call(call) = &mut forged.outgoing.receipts[0].action else { panic!() };
        (call.value, call.gas, call.gas_price) = (value, gas, U256::ZERO);
        let (root, proofs) = prove_outgoing(std::slice::from_ref(&forged.outgoing));
        forged.proof = proofs[0].clone();
        let mut header: Header = (*forged.header).clone();
        header.outgoing_receipts_root = root;
        header.sent[0].value = value;
        let header = SealedHeader::seal(header);
        let digest = signing_digest(&world.settings.network, &header.hash());
        let certificate = Certificate::single(&shard_key(0), &digest);
        forged.header = SignedHeader { header, certificate };
        assert!(forged.is_proven());
        let message = Message::Batch(Arc::new(forged));
        world.handle(1, Input::Message { from: NodeId::Shard(ShardId(0)), message });
        assert_eq!(world.dropped(1, DropReason::Invalid), 1);
        world.filter = Box::new(|_, _, _| 1);
        world.millis(2_500);
        let balance = world.balance(1, user(2, 1, 0));
        assert_eq!(balance, U256::from(ETHER + 5), "the real one came");
    }
}

/// Rule R-LED-4: books that balance only because the source minted.
#[test]
fn a_batch_of_a_source_that_mints_is_dropped_where_nobody_may() {
    for (minting, gate) in [
        (Minting::Never, Gate::Checkpoint),
        (Minting::Never, Gate::Certified),
        (Minting::Administrator, Gate::Certified),
    ] {
        for in_chain in [false, true] {
            let options = Options { minting, ..Options::new(2, gate) };
            let mut world = World::new(options);
            world.filter = Box::new(|_, _, message| match message {
                Message::Batch(_) | Message::Headers(_) => 0,
                _ => 1,
            });
            world.millis(250);
            transfers(&mut world, 0, 1);
            world.millis(100);
            let mut minted = (*world.batches()[0]).clone();
            // The header of the batch, or one on which it builds.
            let mints = |signed: &SignedHeader| {
                let mut header: Header = (*signed.header).clone();
                header.ledger.minted += U256::from(ETHER);
                header.ledger.held += U256::from(ETHER);
                sign(&world, header)
            };
            if in_chain {
                let Some(last) = minted.chain.last_mut() else { continue };
                *last = mints(last);
                let parent = last.hash();
                let header = Header { parent, ..(*minted.header.header).clone() };
                minted.header = sign(&world, header);
            } else {
                minted.header = mints(&minted.header);
            }
            assert!(minted.is_proven());
            let message = Message::Batch(Arc::new(minted));
            let before = world.dropped(1, DropReason::Invalid);
            world.handle(1, Input::Message { from: NodeId::Shard(ShardId(0)), message });
            let dropped = world.dropped(1, DropReason::Invalid) - before;
            assert_eq!(dropped == 1, minting == Minting::Never, "{gate:?}, chain: {in_chain}");
        }
    }
}

fn sign(world: &World, header: Header) -> SignedHeader {
    let header = SealedHeader::seal(header);
    let digest = signing_digest(&world.settings.network, &header.hash());
    SignedHeader { header, certificate: Certificate::single(&shard_key(0), &digest) }
}

#[test]
fn a_full_queue_keeps_what_is_next() {
    let mut options = Options::new(2, Gate::Checkpoint);
    options.bounds.waiting_batches = 1;
    let mut world = World::new(options);
    let mut keys = Vec::new();
    for nonce in 0..5 {
        keys.extend(transfers(&mut world, nonce, 2));
        world.millis(100);
    }
    assert!(world.dropped(1, DropReason::QueueFull) > 0);
    world.millis(8_000);
    assert!(all_settled(&world, &keys));
}

#[test]
fn a_checkpoint_needs_its_certificate_and_its_parent() {
    let mut world = World::new(Options::new(2, Gate::Checkpoint));
    world.filter = Box::new(|from, _, _| u32::from(!matches!(from, NodeId::Coordinator(_))));
    world.millis(1_250);
    let finalized: Vec<FinalizedCheckpoint> = world
        .sent
        .iter()
        .filter_map(|(_, to, message)| match message {
            Message::Finalized(checkpoint) if *to == NodeId::Shard(ShardId(0)) => {
                Some(checkpoint.clone())
            }
            _ => None,
        })
        .collect();
    assert_eq!(finalized.len(), 4);
    let coordinator = NodeId::Coordinator(ValidatorIndex(0));
    let give = |world: &mut World, checkpoint: &FinalizedCheckpoint| {
        let message = Message::Finalized(checkpoint.clone());
        world.handle(0, Input::Message { from: coordinator, message });
    };
    let mut forged = finalized[0].clone();
    let mut checkpoint = (*forged.checkpoint).clone();
    checkpoint.timestamp = Timestamp(7);
    forged.checkpoint = Arc::new(checkpoint);
    give(&mut world, &forged);
    let mut unreadable = finalized[0].clone();
    unreadable.certificate = vec![1, 2, 3].into();
    give(&mut world, &unreadable);
    assert_eq!(world.dropped(0, DropReason::Signature), 1);
    assert_eq!(world.dropped(0, DropReason::Undecodable), 1);
    // The second one has no certificate of its own: the third one's proves it as an ancestor.
    let mut second = finalized[1].clone();
    let mut proof: FinalityProof = codec::decode(&finalized[2].certificate).unwrap();
    second.certificate = finalized[2].certificate.clone();
    give(&mut world, &second);
    assert_eq!(world.dropped(0, DropReason::Signature), 2);
    proof.descendants = vec![finalized[2].checkpoint.clone()];
    second.certificate = codec::encode(&proof).unwrap().into();
    for checkpoint in [&finalized[2], &second, &finalized[0], &finalized[3]] {
        give(&mut world, checkpoint);
    }
    let asked = Message::PullCheckpoints { from: cross_shard_msg::CheckpointNumber(1) };
    assert!(world.sent.iter().any(|(_, to, message)| *to == coordinator && *message == asked));
    world.millis(150);
    assert_eq!(world.blocks[0].last().unwrap().header.checkpoint.0, 4);
    assert_eq!(world.blocks[1].last().unwrap().header.checkpoint.0, 0);
}

#[test]
fn calls_that_do_not_fit_wait_in_order() {
    for gate in GATES {
        let vault = user(2, 1, 1_000);
        let mut options = Options::new(2, gate).vault(vault);
        options.gas_limit = Gas(150_000);
        let mut world = World::new(options);
        let mut keys = Vec::new();
        // Each block of the source has room for six; each of the destination for one at a time.
        for index in 0..6 {
            let input = calldata("burnGas()", &[]);
            keys.push(world.submit(transaction(
                user(2, 0, index),
                0,
                Some(vault),
                0,
                122_000,
                input,
            )));
        }
        world.millis(1_000);
        let delayed = world.blocks[1].iter().map(|block| block.header.congestion.delayed).max();
        assert!(delayed.unwrap() >= 3, "{gate:?}: {delayed:?}");
        world.millis(2_000);
        assert!(all_settled(&world, &keys), "{gate:?}");
        assert_eq!(world.slot(1, vault, 0), U256::ZERO, "all of them ran out of gas");
        let sequences: Vec<u64> = world.blocks[1]
            .iter()
            .flat_map(|block| &block.legs)
            .filter_map(|leg| match leg.cause {
                Cause::Receipt { sequence, .. } => Some(sequence.0),
                Cause::Transaction(_) => None,
            })
            .collect();
        assert!(sequences.is_sorted(), "{sequences:?}");
        for block in &world.blocks[1] {
            assert!(block.header.gas_used <= block.header.gas_limit);
        }
    }
}

#[test]
fn a_full_shard_holds_its_sources_back_without_deadlock() {
    let vault = user(3, 2, 1_000);
    let mut options = Options::new(3, Gate::Certified).vault(vault);
    options.gas_limit = Gas(1_000_000);
    options.bounds.delayed_gas = Gas(1_000_000);
    let mut world = World::new(options);
    let mut keys = Vec::new();
    for shard in 0..2 {
        for index in 0..40 {
            let sender = user(3, shard, index);
            let input = calldata("burnGas()", &[]);
            keys.push(world.submit(transaction(sender, 0, Some(vault), 0, 322_000, input)));
        }
    }
    world.millis(1_000);
    let levels: Vec<u16> = world.blocks[2].iter().map(|b| b.header.congestion.level).collect();
    assert!(levels.contains(&1_000), "{levels:?}");
    let refused = transfer(user(3, 0, 0), 1, user(3, 2, 0), 1);
    let hash = refused.transaction().hash();
    world.submit(refused);
    world.millis(10);
    assert_eq!(world.admissions.get(&hash), Some(&Err(Refusal::Congested)));
    world.millis(10_000);
    assert!(keys.iter().all(|key| world.is_settled(*key)));
    assert_eq!(world.blocks[2].last().unwrap().header.congestion.level, 0);
}

#[test]
fn a_full_buffer_leaves_transactions_in_the_mempool() {
    let mut options = Options::new(2, Gate::Certified);
    options.bounds.buffered = 4;
    let mut world = World::new(options);
    let keys = transfers(&mut world, 0, 20);
    world.millis(150);
    assert_eq!(world.batches()[0].outgoing.receipts.len(), 4);
    world.millis(2_500);
    assert!(all_settled(&world, &keys));
}

#[test]
fn nothing_leaves_before_it_is_durable() {
    let mut world = World::new(Options::new(2, Gate::Certified));
    world.stuck_disk = Some(ShardId(0));
    let keys = transfers(&mut world, 0, 3);
    world.millis(1_000);
    let leaves = |message: &Message| {
        matches!(message, Message::Headers(_) | Message::Batch(_) | Message::Included(_))
    };
    let me = NodeId::Shard(ShardId(0));
    assert!(!world.sent.iter().any(|(from, _, message)| *from == me && leaves(message)));
    assert!(world.blocks[0].is_empty());
    let coordinator = NodeId::Coordinator(ValidatorIndex(0));
    let message = Message::PullHeaders { shard: ShardId(0), from: Height(1), to: Height(9) };
    world.handle(0, Input::Message { from: coordinator, message });
    assert!(!world.sent.iter().any(|(from, _, message)| *from == me && leaves(message)));
    world.unstick();
    world.millis(1_000);
    assert!(all_settled(&world, &keys));
    let heights: Vec<u64> = world.blocks[0].iter().map(|block| block.header.height.0).collect();
    assert!(heights.is_sorted() && heights[0] == 1);
}

#[test]
fn headers_are_served_to_coordinators() {
    let mut world = World::new(Options::new(2, Gate::Certified));
    // The committee hears nothing of shard 0.
    world.filter = Box::new(|from, to, _| {
        u32::from(from != NodeId::Shard(ShardId(0)) || !matches!(to, NodeId::Coordinator(_)))
    });
    transfers(&mut world, 0, 3);
    world.millis(450);
    let coordinator = NodeId::Coordinator(ValidatorIndex(0));
    for shard in 0..2 {
        let before = world.sent.len();
        let message = Message::PullHeaders { shard: ShardId(0), from: Height(1), to: Height(2) };
        world.handle(shard, Input::Message { from: coordinator, message });
        let (_, to, Message::Headers(headers)) = &world.sent[before] else { panic!() };
        assert_eq!(*to, coordinator);
        assert_eq!(headers[0].height, Height(1));
        assert!(headers.iter().all(|header| header.shard == ShardId(0)));
    }
    let kept = world.events.iter().filter(|(shard, event)| {
        *shard == ShardId(1) && matches!(event, Event::BatchAccepted { .. })
    });
    assert_eq!(kept.count(), 1);
}

#[test]
fn an_administrator_mints_into_a_local_account() {
    use shard_node::Admin;
    let mut world = World::new(Options::new(2, Gate::Certified));
    let (mine, theirs) = (user(2, 0, 0), user(2, 1, 0));
    for address in [mine, theirs] {
        let balance = U256::from(3 * ETHER);
        world.handle(0, Input::Admin(Admin::SetBalance { address, balance }));
    }
    world.millis(300);
    assert_eq!(world.balance(0, mine), U256::from(3 * ETHER));
    assert_eq!(world.dropped(0, DropReason::Invalid), 1);
    assert_eq!(world.nodes[0].tip().unwrap().ledger.minted, U256::from(2 * ETHER));
    assert_eq!(world.blocks[0][0].legs.len(), 0);
    assert_ne!(world.blocks[0][0].header.state_root, B256::ZERO);
}

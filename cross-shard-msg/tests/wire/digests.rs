//! What each digest binds: a change of any one field changes it (rule R-WIRE-4).

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, U256};
use cross_shard_msg::{
    Action, Call, Checkpoint, CheckpointNumber, Duration, Epoch, Gas, Gate, Header, Height, Ledger,
    Migration, Outgoing, Receipt, Sequence, Settings, ShardId, Timestamp, TrafficReport,
    checkpoint, header,
};

use crate::examples::{self, address, hash};

/// A field's name and a change of it alone.
type Changes<T> = Vec<(&'static str, fn(&mut T))>;

macro_rules! changes {
    ($($name:literal: |$value:ident| $change:expr;)*) => {
        vec![$(($name, |$value| { $change; })),*]
    };
}

#[test]
fn a_header_hash_binds_every_field() {
    let changes: Changes<Header> = changes! {
        "shard": |h| h.shard = ShardId(9);
        "height": |h| h.height = Height(9);
        "parent": |h| h.parent = hash(99);
        "checkpoint": |h| h.checkpoint = CheckpointNumber(99);
        "timestamp": |h| h.timestamp = Timestamp(99);
        "state_root": |h| h.state_root = hash(98);
        "transactions_root": |h| h.transactions_root = hash(97);
        "results_root": |h| h.results_root = hash(96);
        "outgoing_receipts_root": |h| h.outgoing_receipts_root = hash(95);
        "watermarks.source": |h| h.watermarks[1].source = ShardId(9);
        "watermarks.height": |h| h.watermarks[1].height = Height(9);
        "watermarks.header": |h| h.watermarks[1].header = hash(99);
        "watermarks.sequence": |h| h.watermarks[1].sequence = Sequence(9);
        "watermarks.value": |h| h.watermarks[1].value = U256::from(9);
        "watermarks, one less": |h| h.watermarks.truncate(1);
        "watermarks, none": |h| h.watermarks.clear();
        "watermarks, swapped": |h| h.watermarks.reverse();
        "sent.destination": |h| h.sent[0].destination = ShardId(9);
        "sent.sequence": |h| h.sent[0].sequence = Sequence(9);
        "sent.value": |h| h.sent[0].value = U256::from(9);
        "sent, one less": |h| h.sent.truncate(1);
        "sent, none": |h| h.sent.clear();
        "sent, swapped": |h| h.sent.reverse();
        "placements": |h| h.placements[0] = address(9);
        "placements, one less": |h| h.placements.truncate(1);
        "placements, none": |h| h.placements.clear();
        "placements, swapped": |h| h.placements.reverse();
        "gas_used": |h| h.gas_used = Gas(9);
        "gas_limit": |h| h.gas_limit = Gas(9);
        "base_fee": |h| h.base_fee = 9;
        "congestion.delayed_gas": |h| h.congestion.delayed_gas = Gas(9);
        "congestion.delayed": |h| h.congestion.delayed = 9;
        "congestion.buffered": |h| h.congestion.buffered = 9;
        "congestion.level": |h| h.congestion.level = 9;
        "congestion.allowed": |h| h.congestion.allowed = ShardId(9);
        "ledger.held": |h| h.ledger.held = U256::from(9);
        "ledger.received": |h| h.ledger.received = U256::from(9);
        "ledger.sent": |h| h.ledger.sent = U256::from(9);
        "ledger.burnt": |h| h.ledger.burnt = U256::from(9);
        "ledger.minted": |h| h.ledger.minted = U256::from(9);
        "traffic": |h| h.traffic = hash(9);
    };
    all_differ(examples::header(), Header::hash, changes);
    // No field may be added without a change above.
    let Header {
        shard: _,
        height: _,
        parent: _,
        checkpoint: _,
        timestamp: _,
        state_root: _,
        transactions_root: _,
        results_root: _,
        outgoing_receipts_root: _,
        watermarks: _,
        sent: _,
        placements: _,
        gas_used: _,
        gas_limit: _,
        base_fee: _,
        congestion: _,
        ledger: _,
        traffic: _,
    } = examples::header();
}

#[test]
fn a_checkpoint_digest_binds_every_field() {
    let changes: Changes<Checkpoint> = changes! {
        "number": |c| c.number = CheckpointNumber(99);
        "parent": |c| c.parent = hash(99);
        "timestamp": |c| c.timestamp = Timestamp(99);
        "epoch": |c| c.epoch = Epoch(99);
        "crosslinks.shard": |c| c.crosslinks[0].shard = ShardId(1);
        "crosslinks.first": |c| c.crosslinks[0].first = Height(99);
        "crosslinks.headers": |c| c.crosslinks[0].headers[1] = hash(99);
        "crosslinks.headers, one less": |c| c.crosslinks[0].headers.truncate(1);
        "crosslinks.headers, swapped": |c| c.crosslinks[0].headers.reverse();
        "crosslinks.congestion": |c| c.crosslinks[0].congestion.level = 99;
        "crosslinks, one less": |c| c.crosslinks.truncate(1);
        "placements.address": |c| c.placements[0].address = address(99);
        "placements.shard": |c| c.placements[0].shard = ShardId(99);
        "placements, none": |c| c.placements.clear();
        "moves.account": |c| c.moves[0].account = address(99);
        "moves.from": |c| c.moves[0].from = ShardId(99);
        "moves.to": |c| c.moves[0].to = ShardId(99);
        "moves, none": |c| c.moves.clear();
    };
    all_differ(examples::checkpoint(), Checkpoint::digest, changes);
}

#[test]
fn a_receipt_digest_binds_every_field() {
    let changes: Changes<Receipt> = changes! {
        "origin": |r| r.origin = hash(99);
        "caused": |r| r.caused = Height(99);
        "from": |r| call_of(r).from = address(99);
        "to": |r| call_of(r).to = address(99);
        "value": |r| call_of(r).value = U256::from(99);
        "gas": |r| call_of(r).gas = Gas(99);
        "gas_price": |r| call_of(r).gas_price = U256::from(99);
        "input": |r| call_of(r).input = Bytes::from_static(b"call dat");
        "input, empty": |r| call_of(r).input = Bytes::new();
        "refund_to": |r| call_of(r).refund_to = address(99);
        "refund": |r| r.action = examples::refund().action;
        "handover": |r| r.action = examples::handover().action;
        "migrate": |r| r.action = examples::migrate().action;
    };
    all_differ(examples::call(), Receipt::digest, changes);
    let changes: Changes<Receipt> = changes! {
        "to": |r| r.action = Action::Refund { to: address(9), value: U256::from(123_456) };
        "value": |r| r.action = Action::Refund { to: address(0x34), value: U256::from(123_457) };
        "handover": |r| r.action =
            Action::Handover { address: address(0x34), balance: U256::from(123_456) };
    };
    all_differ(examples::refund(), Receipt::digest, changes);
}

#[test]
fn a_part_of_an_account_binds_every_field() {
    fn part(receipt: &mut Receipt) -> &mut Migration {
        match &mut receipt.action {
            Action::Migrate(part) => part,
            _ => panic!("the example is a migration"),
        }
    }
    let changes: Changes<Receipt> = changes! {
        "account": |r| part(r).account = address(99);
        "checkpoint": |r| part(r).checkpoint = CheckpointNumber(99);
        "part": |r| part(r).part = 1;
        "parts": |r| part(r).parts = 99;
        "nonce": |r| part(r).nonce = 99;
        "balance": |r| part(r).balance = U256::from(99);
        "code": |r| part(r).code = Bytes::new();
        "slots": |r| part(r).slots[0].0 = U256::from(99);
        "values": |r| part(r).slots[0].1 = U256::from(99);
        "slots, one less": |r| part(r).slots.truncate(1);
    };
    all_differ(examples::migrate(), Receipt::digest, changes);
}

#[test]
fn a_traffic_report_binds_every_field() {
    let changes: Changes<TrafficReport> = changes! {
        "shard": |t| t.shard = ShardId(99);
        "height": |t| t.height = Height(99);
        "omitted": |t| t.omitted = 99;
        "accounts": |t| t.accesses[0].accounts[0] = address(99);
        "contracts": |t| t.accesses[0].contracts = 1;
        "accesses, one less": |t| t.accesses.truncate(1);
        "accesses, swapped": |t| t.accesses.reverse();
        "accounts, cut elsewhere": |t| {
            let last = t.accesses[1].accounts.remove(0);
            t.accesses[0].accounts.push(last);
        };
    };
    all_differ(examples::traffic(), TrafficReport::digest, changes);
}

#[test]
fn outgoing_receipts_bind_their_place() {
    let changes: Changes<Outgoing> = changes! {
        "destination": |o| o.destination = ShardId(9);
        "first": |o| o.first = Sequence(11);
        "receipts": |o| o.receipts[0].caused = Height(9);
        "receipts, one less": |o| o.receipts.truncate(2);
        "receipts, swapped": |o| o.receipts.swap(0, 1);
        "receipts, none": |o| o.receipts.clear();
    };
    all_differ(examples::outgoing().swap_remove(0), Outgoing::digest, changes);
}

#[test]
fn a_network_id_binds_every_setting() {
    let changes: Changes<Settings> = changes! {
        "chain_id": |s| s.chain_id = 99;
        "shards.quorum": |s| s.shards[1].quorum = 1;
        "shards.replicas": |s| s.shards[1].replicas.reverse();
        "shards, swapped": |s| s.shards.reverse();
        "validators": |s| s.validators.reverse();
        "validators, one less": |s| s.validators.truncate(1);
        "genesis_held": |s| s.genesis_held.reverse();
        "epochs.checkpoints": |s| s.epochs.as_mut().unwrap().checkpoints = 99;
        "epochs.max_moves": |s| s.epochs.as_mut().unwrap().max_moves = 99;
        "epochs.max_accesses": |s| s.epochs.as_mut().unwrap().max_accesses = 99;
        "epochs, none": |s| s.epochs = None;
        "block_time": |s| s.block_time = Duration(99);
        "block_offset": |s| s.block_offset.reverse();
        "checkpoint_every": |s| s.checkpoint_every = Duration(99);
        "gas_limit": |s| s.gas_limit = Gas(99);
        "base_fee": |s| s.base_fee = 99;
        "base_fee_moves": |s| s.base_fee_moves = false;
        "genesis_time": |s| s.genesis_time = 99;
        "gate": |s| s.gate = Gate::Certified;
        "verify_signatures": |s| s.verify_signatures = false;
        "bounds.mempool": |s| s.bounds.mempool = 99;
        "bounds.nonce_window": |s| s.bounds.nonce_window = 99;
        "bounds.delayed_gas": |s| s.bounds.delayed_gas = Gas(99);
        "bounds.buffered": |s| s.bounds.buffered = 99;
        "bounds.waiting_batches": |s| s.bounds.waiting_batches = 99;
        "bounds.pending_headers": |s| s.bounds.pending_headers = 99;
        "bounds.mempool_time": |s| s.bounds.mempool_time = Duration(99);
    };
    let id = |settings: &Settings| settings.clone().with_network_id(&hash(1)).network.0;
    all_differ(examples::settings(), id, changes);
    let other = examples::settings().with_network_id(&hash(2)).network.0;
    assert_ne!(id(&examples::settings()), other, "the genesis");
    let named = examples::settings().with_network_id(&hash(1));
    assert_eq!(id(&named), named.network.0, "naming twice changes nothing");
}

#[test]
fn what_is_signed_names_the_network_and_the_kind() {
    let (one, two) = (examples::network(), cross_shard_msg::NetworkId(hash(1)));
    let digests = [
        header::signing_digest(&one, &hash(5)),
        header::signing_digest(&two, &hash(5)),
        header::genesis_hash(&one, ShardId(0)),
        header::genesis_hash(&one, ShardId(1)),
        header::genesis_hash(&two, ShardId(0)),
        checkpoint::genesis_digest(&one),
        checkpoint::genesis_digest(&two),
    ];
    for (index, digest) in digests.iter().enumerate() {
        assert!(!digests[..index].contains(digest), "{index}");
    }
}

#[test]
fn a_ledger_balances_only_as_it_should() {
    let wei = |value: u64| U256::from(value);
    let honest =
        Ledger { held: wei(95), received: wei(7), sent: wei(9), burnt: wei(5), minted: wei(2) };
    assert!(honest.balances(wei(100)));
    assert!(!honest.balances(wei(99)) && !honest.balances(wei(101)));
    let changes: [fn(&mut Ledger) -> &mut U256; 5] = [
        |l| &mut l.held,
        |l| &mut l.received,
        |l| &mut l.sent,
        |l| &mut l.burnt,
        |l| &mut l.minted,
    ];
    for (index, field) in changes.iter().enumerate() {
        for change in [U256::from(1), U256::MAX] {
            let mut ledger = honest;
            let value = field(&mut ledger);
            *value = value.wrapping_add(change);
            assert!(!ledger.balances(wei(100)), "{index} by {change}");
        }
    }
    let wraps = Ledger { held: wei(99), received: U256::MAX, ..Ledger::default() };
    assert!(!wraps.balances(wei(100)), "sums do not wrap");
    let wraps = Ledger { held: U256::MAX, sent: wei(101), ..Ledger::default() };
    assert!(!wraps.balances(wei(100)), "sums do not wrap");
    assert!(Ledger { held: U256::MAX, ..Ledger::default() }.balances(U256::MAX));
}

fn call_of(receipt: &mut Receipt) -> &mut Call {
    match &mut receipt.action {
        Action::Call(call) => call,
        other => panic!("{other:?}"),
    }
}

fn all_differ<T: Clone>(value: T, digest: impl Fn(&T) -> B256, changes: Changes<T>) {
    let mut seen = BTreeMap::from([(digest(&value), "no change")]);
    for (name, change) in changes {
        let mut changed = value.clone();
        change(&mut changed);
        if let Some(same) = seen.insert(digest(&changed), name) {
            panic!("a change of {name} has the digest of {same}");
        }
    }
}

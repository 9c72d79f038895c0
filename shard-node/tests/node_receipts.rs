//! What travels between shards: transfers, calls, refunds, creations (R-EXE-3 to R-EXE-9, R-HOME-4
//! to R-HOME-6).

mod node_support;

use alloy_primitives::{Bytes, U256};
use cross_shard_msg::{
    Cause, Failure, Gate, Header, LegStatus, ReceiptKind, Refusal, Settings, ShardId,
};
use node_support::*;

const GATES: [Gate; 2] = [Gate::Checkpoint, Gate::Certified];

fn wei(value: u64) -> U256 {
    U256::from(value)
}

#[test]
fn a_transfer_there_and_back() {
    for gate in GATES {
        let mut world = World::new(Options::new(2, gate));
        let (alice, bob) = (user(2, 0, 0), user(2, 1, 0));
        let there = world.submit(transfer(alice, 0, bob, 1_000));
        world.millis(1_000);
        assert!(world.is_settled(there), "{gate:?}: {:?}", world.legs(there));
        assert_eq!(world.balance(1, bob), wei(ETHER + 1_000));
        let back = world.submit(transfer(bob, 0, alice, 400));
        world.millis(1_000);
        assert!(world.is_settled(back), "{gate:?}");
        let fee = 21_000 * PRICE;
        assert_eq!(world.balance(0, alice), wei(ETHER - 600 - fee));
        assert_eq!(world.balance(1, bob), wei(ETHER + 600 - fee));
        let tip = 21_000 * (PRICE - BASE_FEE);
        assert_eq!(world.balance(0, Settings::fee_account(ShardId(0))), wei(tip));
        let legs: Vec<_> =
            world.legs(there).iter().map(|(shard, _, leg)| (*shard, leg.caused)).collect();
        assert_eq!(legs, [(0, 1), (1, 0)]);
    }
}

#[test]
fn the_certified_gate_needs_no_checkpoint() {
    let heights = GATES.map(|gate| {
        let mut world = World::new(Options::new(2, gate));
        let key = world.submit(transfer(user(2, 0, 0), 0, user(2, 1, 0), 1));
        world.millis(2_000);
        assert!(world.is_settled(key));
        world.legs(key)[1].1
    });
    // Shard 0 makes a block at 0 ms, shard 1 at 10 ms; the next ones are 100 ms later.
    assert_eq!(heights, [4, 2], "after the checkpoint at 300 ms; with the very next block");
}

#[test]
fn a_remote_call_runs_and_its_unused_gas_comes_home() {
    for gate in GATES {
        let (alice, vault) = (user(2, 0, 0), user(2, 1, 1_000));
        let mut world = World::new(Options::new(2, gate).vault(vault));
        let input = calldata("increment()", &[]);
        let key = world.submit(transaction(alice, 0, Some(vault), 0, 200_000, input));
        world.millis(2_000);
        assert!(world.is_settled(key), "{gate:?}: {:?}", world.legs(key));
        let legs = world.legs(key);
        let kinds: Vec<_> = legs.iter().map(|(shard, _, leg)| (*shard, kind(leg.cause))).collect();
        assert_eq!(
            kinds,
            [(0, None), (0, Some(ReceiptKind::Refund)), (1, Some(ReceiptKind::Call))]
        );
        assert_eq!(world.slot(1, vault, 0), wei(1));
        let gas: u64 = legs.iter().map(|(_, _, leg)| leg.gas_used.0).sum();
        assert_eq!(world.balance(0, alice), wei(ETHER - gas * PRICE));
    }
}

#[test]
fn a_failing_remote_call_returns_its_value() {
    let (alice, vault) = (user(2, 0, 0), user(2, 1, 1_000));
    let mut world = World::new(Options::new(2, Gate::Certified).vault(vault));
    let input = calldata("fail(uint256)", &[wei(3)]);
    let key = world.submit(transaction(alice, 0, Some(vault), 777, 200_000, input));
    world.millis(1_500);
    assert!(world.is_settled(key));
    let legs = world.legs(key);
    assert_eq!(legs[2].2.status, LegStatus::Failed(Failure::Revert));
    assert_eq!(world.slot(1, vault, 0), wei(0), "no effect");
    assert_eq!(world.balance(1, vault), wei(0));
    let gas: u64 = legs.iter().map(|(_, _, leg)| leg.gas_used.0).sum();
    assert_eq!(world.balance(0, alice), wei(ETHER - gas * PRICE), "the value came back");
}

#[test]
fn a_contract_sends_through_the_outbox_to_either_shard() {
    let (alice, vault) = (user(2, 0, 0), user(2, 0, 1_000));
    for (target, home) in [(user(2, 1, 1_000), 1), (user(2, 0, 1_001), 0)] {
        let options = Options::new(2, Gate::Certified).vault(vault).vault(target);
        let mut world = World::new(options);
        let increment = U256::from_be_slice(&calldata("increment()", &[])) << 224;
        let words = [
            word(partitioning::OUTBOX),
            word(target),
            wei(100_000),
            wei(PRICE),
            wei(160),
            wei(4),
            increment,
        ];
        let input = calldata("sendOn(address,address,uint64,uint128,bytes)", &words);
        let value = 100_000 * PRICE;
        let key = world.submit(transaction(alice, 0, Some(vault), value, 300_000, input));
        world.millis(2_000);
        let legs = world.legs(key);
        assert!(world.is_settled(key), "{home}: {legs:?}");
        assert!(legs.iter().all(|(_, _, leg)| leg.status == LegStatus::Succeeded), "{legs:?}");
        assert_eq!(world.slot(home, target, 0), wei(1), "{home}");
        let local = legs.iter().any(|(_, _, leg)| {
            matches!(leg.cause, Cause::Receipt { source, .. } if source == ShardId(0) && home == 0)
        });
        assert_eq!(local, home == 0, "a call to the own shard is executed, but not released");
    }
}

#[test]
fn a_creation_is_placed_and_its_balance_follows() {
    for gate in GATES {
        let mut world = World::new(Options::new(3, gate));
        // A creator on shard 0 whose first contract has its base home on shard 1.
        let home = |address| partitioning::Base::Hash.home(&address, 3);
        let creator =
            (0..40).map(|i| user(3, 0, i)).find(|a| home(a.create(0)) == ShardId(1)).unwrap();
        let contract = creator.create(0);
        let created = world.submit(transaction(
            creator,
            0,
            None,
            0,
            2_000_000,
            artifact("Vault", "bytecode"),
        ));
        // Nobody else knows of the creation yet: both take the base home.
        let early = world.submit(transfer(user(3, 1, 0), 0, contract, 500));
        let stale = world.submit(transaction(
            user(3, 2, 0),
            0,
            Some(contract),
            50,
            100_000,
            calldata("deposit()", &[]),
        ));
        world.millis(150);
        let early_call = if gate == Gate::Certified { 50 } else { 0 };
        assert_eq!(world.balance(1, contract), wei(500 + early_call), "{gate:?}");
        world.millis(2_500);
        for key in [created, early, stale] {
            assert!(world.is_settled(key), "{gate:?} {:?}", world.legs(key));
        }
        assert_eq!(world.balance(1, contract), wei(0));
        assert_eq!(world.balance(0, contract), wei(550), "{gate:?}");
        let legs = world.legs(stale);
        let forwarded = legs.iter().find(|(_, _, leg)| leg.status == LegStatus::Forwarded);
        if gate == Gate::Checkpoint {
            // The checkpoint that lets the call through brings the placement too.
            assert_eq!(forwarded.map(|(shard, ..)| *shard), Some(1));
            assert_eq!(legs.last().unwrap().0, 2, "the refund");
        }
        let migrations = world.blocks[0].iter().flat_map(|block| &block.legs);
        let migrations = migrations.filter(|leg| kind(leg.cause) == Some(ReceiptKind::Handover));
        assert_eq!(migrations.count(), 1, "{gate:?}");
        // From now on everybody knows the way.
        let late = world.submit(transaction(
            user(3, 2, 0),
            1,
            Some(contract),
            7,
            100_000,
            calldata("deposit()", &[]),
        ));
        world.millis(2_000);
        assert!(world.is_settled(late));
        assert_eq!(world.balance(0, contract), wei(557));
    }
}

#[test]
fn transactions_are_refused_by_name() {
    let mut world = World::new(Options::new(2, Gate::Certified));
    let (alice, far) = (user(2, 0, 0), user(2, 1, 0));
    let poor = user(2, 0, 5_000);
    let cases = [
        (transfer(poor, 0, far, 1), Refusal::InsufficientBalance),
        (transfer(alice, 64, far, 1), Refusal::NonceTooHigh),
        (transaction(alice, 0, Some(far), 0, 20_999, Bytes::new()), Refusal::IntrinsicGas),
        (transaction(alice, 0, Some(far), 0, 30_000_001, Bytes::new()), Refusal::GasLimit),
        (transaction(alice, 0, None, 0, 29_000_000, vec![0; 49_153].into()), Refusal::InitCodeSize),
    ];
    let hashes: Vec<_> = cases
        .iter()
        .map(|(transaction, refusal)| (transaction.transaction().hash(), *refusal))
        .collect();
    for (transaction, _) in cases {
        world.submit(transaction);
    }
    world.handle(1, cross_shard_msg::Input::Submit(transfer(alice, 0, far, 1)));
    world.millis(10);
    for (hash, refusal) in hashes {
        assert_eq!(world.admissions.get(&hash), Some(&Err(refusal)));
    }
    let moved = transfer(alice, 0, far, 1).transaction().hash();
    assert_eq!(world.admissions.get(&moved), Some(&Err(Refusal::Moved)));
}

#[test]
fn headers_follow_their_rules() {
    let mut world = World::new(Options::new(2, Gate::Certified));
    for index in 0..20 {
        world.submit(transfer(user(2, 0, index), 0, user(2, 1, index), 5));
        world.submit(transfer(user(2, 1, index), 0, user(2, 1, index + 1), 5));
    }
    world.millis(1_500);
    for (blocks, shard) in world.blocks.iter().zip(0..) {
        let mut before: Option<&Header> = None;
        let genesis =
            cross_shard_msg::header::genesis_hash(&world.settings.network, ShardId(shard));
        let mut parent = genesis;
        for (block, height) in blocks.iter().zip(1..) {
            let header = &block.header;
            assert_eq!((header.height.0, header.parent), (height, parent));
            parent = header.hash();
            if let Some(before) = before {
                assert!(before.timestamp < header.timestamp);
                assert!(before.checkpoint <= header.checkpoint);
            }
            assert!(header.gas_used <= header.gas_limit);
            let used: u64 = block.legs.iter().map(|leg| leg.gas_used.0).sum();
            assert_eq!(used, header.gas_used.0);
            before = Some(header);
        }
        assert!(before.unwrap().checkpoint.0 >= 4);
    }
}

fn kind(cause: Cause) -> Option<ReceiptKind> {
    match cause {
        Cause::Receipt { kind, .. } => Some(kind),
        Cause::Transaction(_) => None,
    }
}

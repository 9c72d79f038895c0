//! Random moves, transfers, calls and crashes on a few shards: no account is lost, doubled or changed
//! on its way (R-EPOCH-5 to R-EPOCH-9).
//!
//! The books of all shards together are checked to the wei at every block by the world itself.

mod node_support;

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use cross_shard_msg::{Cause, Duration, Gate, LegStatus, Recovered, ShardId};
use node_support::*;
use partitioning::Home;
use proptest::collection::vec;
use proptest::prelude::*;
use shard_node::Replay;
use state::GenesisAccount;

const SHARDS: u32 = 4;
const USERS: u32 = 6;
const SLOTS: u64 = 1_500;

#[derive(Clone, Debug)]
enum Step {
    Move { account: usize, to: u32 },
    Pay { from: usize, to: usize, value: u64 },
    Call { from: usize, contract: usize },
    Wait { millis: u64 },
    Kill { shard: u32, millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (users, contracts) = (USERS as usize, 4_usize);
    let all = users + contracts + 1;
    prop_oneof![
        4 => (0..all, 0..SHARDS).prop_map(|(account, to)| Step::Move { account, to }),
        4 => (0..users, 0..all, 1..1_000u64)
            .prop_map(|(from, to, value)| Step::Pay { from, to, value }),
        4 => (0..users, 0..contracts).prop_map(|(from, contract)| Step::Call { from, contract }),
        5 => (10..700u64).prop_map(|millis| Step::Wait { millis }),
        1 => (0..SHARDS, 50..500u64).prop_map(|(shard, millis)| Step::Kill { shard, millis }),
    ]
}

fn contract(code: Vec<u8>) -> GenesisAccount {
    GenesisAccount { nonce: 1, code: code.into(), ..Default::default() }
}

/// Users on all shards; two contracts that count their calls and have many slots; one that looks at
/// the first user's balance; one that creates an account; and that account.
struct Cast {
    users: Vec<Address>,
    contracts: Vec<(Address, GenesisAccount)>,
    created: Address,
}

impl Cast {
    fn new() -> Self {
        let users: Vec<Address> = (0..USERS).map(|i| user(SHARDS, i % SHARDS, i)).collect();
        let counts = [0x5f, 0x54, 0x60, 0x01, 0x01, 0x80, 0x5f, 0x55, 0x33, 0x90, 0x55].to_vec();
        let mut looks = vec![0x73];
        looks.extend_from_slice(users[0].as_slice());
        looks.extend_from_slice(&[0x31, 0x50, 0x5f, 0x54, 0x60, 0x01, 0x01, 0x5f, 0x55]);
        let codes = [counts.clone(), counts, looks, vec![0x5f, 0x5f, 0x5f, 0x5f, 0xf5]];
        let contracts = codes.into_iter().zip(0..).map(|(code, i)| {
            let mut account = contract(code);
            if i < 2 {
                account.storage =
                    (0..SLOTS).map(|s| (U256::from(s + 9_000), U256::from(s + 1))).collect();
            }
            (user(SHARDS, i % SHARDS, 1_000 + i), account)
        });
        let contracts: Vec<_> = contracts.collect();
        let created = contracts[3].0.create2(B256::ZERO, keccak256([]));
        Self { users, contracts, created }
    }

    fn account(&self, index: usize) -> Address {
        let contracts = self.contracts.iter().map(|(address, _)| address);
        let mut all = self.users.iter().chain(contracts).chain([&self.created]);
        *all.nth(index).unwrap()
    }
}

fn submit_missing(world: &mut World, sent: &[Recovered]) -> bool {
    let mut missing = false;
    for transaction in sent {
        let legs = world.legs(transaction.transaction().key());
        if !legs.iter().any(|(_, _, leg)| matches!(leg.cause, Cause::Transaction(_))) {
            missing = true;
            world.submit(transaction.clone());
        }
    }
    missing
}

fn run(gate: Gate, snapshots: u64, steps: &[Step]) {
    let cast = Cast::new();
    let mut options = Options::new(SHARDS, gate);
    options.snapshots = snapshots;
    options.accounts.extend(cast.contracts.iter().cloned());
    options.epochs = Some(cross_shard_msg::settings::Epochs {
        checkpoints: 1,
        max_moves: 100,
        max_accesses: 100,
    });
    let genesis: U256 = U256::from(ETHER) * U256::from(40 * SHARDS);
    let mut world = World::new(options);
    let mut nonces = vec![0; cast.users.len()];
    let mut sent = Vec::new();
    for step in steps {
        match *step {
            Step::Move { account, to } => world.relocate(cast.account(account), to),
            Step::Pay { from, to, value } => {
                let (sender, to) = (cast.users[from], cast.account(to));
                let gas = 60_000;
                sent.push(transaction(sender, nonces[from], Some(to), value, gas, Bytes::new()));
                nonces[from] += 1;
            }
            Step::Call { from, contract } => {
                let (sender, to) = (cast.users[from], cast.contracts[contract].0);
                sent.push(transaction(sender, nonces[from], Some(to), 0, 200_000, Bytes::new()));
                nonces[from] += 1;
            }
            Step::Wait { millis } => {
                submit_missing(&mut world, &sent);
                world.millis(millis);
            }
            Step::Kill { shard, millis } => world.kill(shard, Duration::from_millis(millis)),
        }
    }
    for _ in 0..60 {
        if !submit_missing(&mut world, &sent) {
            break;
        }
        world.millis(700);
    }
    world.millis(8_000);

    let mut calls: BTreeMap<Address, u64> = BTreeMap::new();
    for transaction in &sent {
        let key = transaction.transaction().key();
        let legs = world.legs(key);
        assert!(world.is_settled(key), "{legs:?}");
        let first = legs.iter().filter(|(_, _, leg)| matches!(leg.cause, Cause::Transaction(_)));
        assert_eq!(first.count(), 1, "executed once");
        if legs.iter().all(|(_, _, leg)| !matches!(leg.status, LegStatus::Failed(_))) {
            *calls.entry(transaction.transaction().recipient().unwrap()).or_default() += 1;
        }
    }
    // Everybody lives once, at home, as it was.
    let all = (0..cast.users.len() + 5).map(|index| cast.account(index));
    for account in all {
        let Some((shard, ..)) = world.found(account) else {
            assert_eq!(account, cast.created, "nothing else may not exist");
            continue;
        };
        let home = world.committee.allocation.home(&account);
        assert_eq!(home, Home::Shard(ShardId(shard)), "{account}");
    }
    for (user, nonce) in cast.users.iter().zip(&nonces) {
        assert_eq!(world.found(*user).unwrap().1, *nonce, "one nonce for each transaction");
    }
    for (address, account) in &cast.contracts[..3] {
        let (shard, nonce, _) = world.found(*address).unwrap();
        assert_eq!(nonce, 1);
        let state = world.nodes[shard as usize].state();
        let hash = state.account(address).unwrap().code_hash;
        assert_eq!(state.code(&hash), Some(&account.code));
        let count = calls.get(address).copied().unwrap_or_default();
        assert_eq!(world.slot(shard, *address, 0), U256::from(count));
        for (slot, value) in &account.storage {
            assert_eq!(state.storage(address, *slot), *value);
        }
    }
    let (mut held, mut burnt) = (U256::ZERO, U256::ZERO);
    for (node, shard) in world.nodes.iter().zip(0..) {
        let mut replay = Replay::new(world.config(shard).clone()).unwrap();
        for record in &world.records[shard as usize] {
            let held = replay.block(record.clone()).unwrap();
            assert_eq!(held, record.block.header.ledger.held);
        }
        assert_eq!(replay.stray(), None, "nobody lives on two shards");
        let tip = node.tip().unwrap();
        assert_eq!((tip.congestion.delayed, tip.congestion.buffered), (0, 0));
        held += replay.balances();
        burnt += tip.ledger.burnt;
    }
    assert_eq!(held + burnt, genesis, "to the wei, all of it on accounts");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_doubled(
        certified in any::<bool>(),
        snapshots in prop_oneof![Just(3), Just(1_000)],
        steps in vec(step(), 5..60),
    ) {
        let gate = if certified { Gate::Certified } else { Gate::Checkpoint };
        run(gate, snapshots, &steps);
    }
}

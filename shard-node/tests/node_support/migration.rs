//! Moves accounts, holds them up on their way, and recovers shards meanwhile.

use alloy_primitives::{Bytes, keccak256};

use super::*;

pub const GATES: [Gate; 2] = [Gate::Checkpoint, Gate::Certified];

impl World {
    /// The next checkpoint moves an account.
    pub fn relocate(&mut self, account: Address, to: u32) {
        self.committee.moves.insert(account, ShardId(to));
    }

    /// The shard on which an account is live, its nonce and its balance; on at most one.
    pub fn found(&self, account: Address) -> Option<(u32, u64, U256)> {
        let each = self.nodes.iter().zip(0..);
        let found = each.filter_map(|(node, shard)| {
            node.state().account(&account).map(|it| (shard, it.nonce, it.balance))
        });
        let found: Vec<_> = found.collect();
        assert!(found.len() <= 1, "{account} is on several shards: {found:?}");
        found.first().copied()
    }
}

/// Nothing arrives at the very moment of a block, so that what a block has is what there was.
pub const OFFSET: u64 = 12;

pub fn options(shards: u32, gate: Gate) -> Options {
    Options { offset: OFFSET, ..Options::new(shards, gate) }
}

pub fn arrivals(world: &World, account: Address) -> Vec<(u32, u32)> {
    let key = AccountKey::of(&account);
    let arrived = world.events.iter().filter_map(|(shard, event)| match event {
        Event::AccountArrived { account, parked, .. } if *account == key => {
            Some((shard.0, *parked))
        }
        _ => None,
    });
    arrived.collect()
}

pub fn departures(world: &World, account: Address) -> Vec<(u32, u32, u64)> {
    let key = AccountKey::of(&account);
    let left = world.events.iter().filter_map(|(shard, event)| match event {
        Event::AccountLeft { account, parts, slots, .. } if *account == key => {
            Some((shard.0, *parts, *slots))
        }
        _ => None,
    });
    left.collect()
}

/// Runs until the newest checkpoint has moved what is to move and a shard has applied it.
pub fn until_in_flight(world: &mut World, account: Address, to: u32) {
    world.relocate(account, to);
    while world.nodes[to as usize].tip().is_none_or(|tip| {
        let home = world.committee.allocation.home_at(&account, tip.checkpoint);
        !home.is(ShardId(to))
    }) {
        world.millis(10);
    }
}

/// Holds every batch that has a part of an account back until it is let go, shard by shard.
pub fn hold_parts(world: &mut World, from: u32) {
    world.filter = Box::new(move |source, _, message| match message {
        Message::Batch(batch) if source == NodeId::Shard(ShardId(from)) => {
            let migrates = |receipt: &Receipt| receipt.kind() == ReceiptKind::Migrate;
            u32::from(!batch.outgoing.receipts.iter().any(migrates))
        }
        _ => 1,
    });
}

pub fn let_go(world: &mut World) {
    world.filter = Box::new(|_, _, _| 1);
}

/// A shard as its records make it is as it is. True only when nothing has arrived since its block
/// became durable: 2 ms after it.
pub fn check_recovery(world: &World, shard: u32) {
    if world.nodes[shard as usize].tip().is_none() {
        return;
    }
    let (live, again) = (&world.nodes[shard as usize], world.recovered(shard));
    let same = again.snapshot().is_some() && again.snapshot() == live.snapshot();
    assert!(same, "shard {shard} at {}", world.now.0);
}

/// Runs on, and checks recovery after every block of every shard.
pub fn run_checked(world: &mut World, millis: u64) {
    let end = world.now.0 / 1_000_000 + millis;
    loop {
        let now = world.now.0 / 1_000_000;
        let shards = 0..world.nodes.len() as u64;
        // After `now`, and of the same remainder as shard s's blocks and 2 ms.
        let next = shards.map(|s| (now + 1 + (OFFSET * s + 1 + 100 - now % 100) % 100, s));
        let Some((at, shard)) = next.min().filter(|(at, _)| *at <= end) else { break };
        world.millis(at - now);
        check_recovery(world, shard as u32);
    }
    let now = world.now.0 / 1_000_000;
    world.millis(end - now);
}

pub fn contract(code: &[u8]) -> GenesisAccount {
    GenesisAccount { nonce: 1, code: code.to_vec().into(), ..Default::default() }
}

/// Writes the balance of an account into slot 0.
pub fn looks_at(account: Address) -> GenesisAccount {
    let mut code = vec![0x73];
    code.extend_from_slice(account.as_slice());
    code.extend_from_slice(&[0x31, 0x5f, 0x55]);
    contract(&code)
}

/// Adds to slot 0, and notes in the slot of the sum who called: the order of calls.
pub fn call_log() -> GenesisAccount {
    // PUSH0 SLOAD PUSH1 1 ADD DUP1 PUSH0 SSTORE CALLER SWAP1 SSTORE
    contract(&[0x5f, 0x54, 0x60, 0x01, 0x01, 0x80, 0x5f, 0x55, 0x33, 0x90, 0x55])
}

pub fn call(sender: Address, nonce: u64, to: Address) -> Recovered {
    transaction(sender, nonce, Some(to), 0, 200_000, Bytes::new())
}

pub fn first_leg(world: &World, key: TransactionKey) -> Option<u64> {
    let legs = world.legs(key);
    legs.iter().find(|(_, _, leg)| matches!(leg.cause, Cause::Transaction(_))).map(|leg| leg.1)
}

pub fn create2_at(creator: Address) -> Address {
    creator.create2(B256::ZERO, keccak256([]))
}

/// Creates an account without code whose address has its base home on `base`, on shard 0.
pub fn creator(shards: u32, base: u32) -> (Address, Address) {
    let all = (1_000..).map(|index| user(shards, 0, index));
    let wanted = all.map(|creator| (creator, create2_at(creator)));
    let is = |created: &Address| partitioning::Base::Hash.home(created, shards) == ShardId(base);
    wanted.into_iter().find(|(_, created)| is(created)).unwrap()
}

pub fn creates() -> GenesisAccount {
    contract(&[0x5f, 0x5f, 0x5f, 0x5f, 0xf5])
}

//! Shards that die and come back (R-BLK-6, R-GATE-3, R-RCPT-6, R-REC-1 to R-REC-4, R-REC-6).

mod node_support;

use std::collections::VecDeque;
use std::sync::Arc;

use alloy_primitives::{Address, U256};
use cross_shard_msg::{
    Cause, DropReason, Duration, Gas, Gate, Height, Input, Message, NodeId, Recovered,
    SealedHeader, Sequence, ShardId, ValidatorIndex,
};
use node_support::*;
use shard_node::{RecoverError, ShardNode, ShardRecord};

const GATES: [Gate; 2] = [Gate::Checkpoint, Gate::Certified];

/// Transfers, calls that leave gas over, calls that fail, and a contract that is created.
fn workload(vault: [Address; 2]) -> Vec<Recovered> {
    let mut all = Vec::new();
    for nonce in 0..3 {
        for index in 0..4 {
            all.push(transfer(user(2, 0, index), nonce, user(2, 1, index), 5));
            all.push(transfer(user(2, 1, index), nonce, user(2, 0, 10 + index), 7));
        }
        for (home, other) in [(0, 1), (1, 0)] {
            let (sender, to) = (user(2, home, 5), Some(vault[other]));
            let input = calldata("increment()", &[]);
            all.push(transaction(sender, nonce, to, 0, 200_000, input));
            let fails = calldata("burnGas()", &[]);
            all.push(transaction(user(2, home, 6), nonce, to, 9, 60_000, fails));
        }
    }
    let code = artifact("Vault", "bytecode");
    all.push(transaction(user(2, 0, 7), 0, None, 0, 3_000_000, code));
    all
}

fn busy_world(gate: Gate) -> (World, Vec<Recovered>) {
    snapshot_world(gate, shard_node::SNAPSHOT_EVERY)
}

/// With a snapshot every so many blocks.
fn snapshot_world(gate: Gate, every: u64) -> (World, Vec<Recovered>) {
    let vaults = [user(2, 0, 1_000), user(2, 1, 1_000)];
    let mut options = Options::new(2, gate).vault(vaults[0]).vault(vaults[1]);
    options.snapshots = every;
    (World::new(options), workload(vaults))
}

/// What clients do: they send again what is in no block.
fn submit_missing(world: &mut World, transactions: &[Recovered]) {
    for transaction in transactions {
        if world.legs(transaction.transaction().key()).is_empty() {
            world.submit(transaction.clone());
        }
    }
}

fn settle(world: &mut World, transactions: &[Recovered]) {
    for _ in 0..8 {
        submit_missing(world, transactions);
        world.millis(500);
    }
    world.millis(4_000);
    for transaction in transactions {
        let key = transaction.transaction().key();
        assert!(world.is_settled(key), "{key:?}: {:?}", world.legs(key));
        let firsts = world.legs(key);
        let firsts = firsts.iter().filter(|(_, _, leg)| matches!(leg.cause, Cause::Transaction(_)));
        assert_eq!(firsts.count(), 1, "executed once");
    }
}

/// Balances of all users, which do not depend on the order of what happened.
fn balances(world: &World) -> Vec<U256> {
    let users = (0..2).flat_map(|shard| (0..20).map(move |index| (shard, index)));
    users.map(|(shard, index)| world.balance(shard, user(2, shard, index))).collect()
}

/// Every receipt enters its destination's state once and in order.
fn check_delivery(world: &World) {
    for (destination, blocks) in world.blocks.iter().enumerate() {
        let mut next = [1; 2];
        for batch in blocks.iter().flat_map(|block| &block.body.incoming) {
            assert_eq!(batch.first, Sequence(next[batch.source.0 as usize]));
            next[batch.source.0 as usize] += batch.receipts.len() as u64;
        }
        for (source, next) in next.into_iter().enumerate() {
            let sent =
                world.nodes[source].tip().and_then(|tip| tip.sent_to(ShardId(destination as u32)));
            assert_eq!(sent.map_or(0, |sent| sent.sequence.0), next - 1, "nothing is lost");
        }
    }
}

#[test]
fn a_crash_at_any_boundary_loses_and_doubles_nothing() {
    for gate in GATES {
        let (mut calm, transactions) = busy_world(gate);
        settle(&mut calm, &transactions);
        let expected = balances(&calm);
        for shard in 0..2 {
            for boundary in Boundary::ALL {
                for height in 1..=9 {
                    // Half of them with snapshots, which may stand in the very block.
                    let every = if height % 2 == 0 { 2 } else { shard_node::SNAPSHOT_EVERY };
                    let (mut world, transactions) = snapshot_world(gate, every);
                    let away = Duration::from_millis(150 * height);
                    world.crash = Some(Crash { shard, height, boundary, away });
                    settle(&mut world, &transactions);
                    assert!(world.crash.is_none(), "it happened");
                    check_delivery(&world);
                    let place = format!("{gate:?}, shard {shard}, {boundary:?} at {height}");
                    assert_eq!(balances(&world), expected, "{place}");
                    assert_eq!(world.dropped(0, DropReason::Invalid), 0, "{place}");
                }
            }
        }
    }
}

#[test]
fn crash_after_crash() {
    for (gate, every) in GATES.into_iter().zip([5, 1]) {
        let (mut world, transactions) = snapshot_world(gate, every);
        for round in 0..12u64 {
            submit_missing(&mut world, &transactions);
            world.millis(130 + 37 * round);
            world.kill((round % 2) as u32, Duration::from_millis(40 + 90 * (round % 5)));
            if round % 3 == 0 {
                world.kill(((1 + round) % 2) as u32, Duration::from_millis(10));
            }
        }
        world.millis(1_000);
        settle(&mut world, &transactions);
        check_delivery(&world);
    }
}

/// Stops 2 ms after blocks of shard 0: they are durable, and nothing has arrived since.
fn at_blocks_of_shard_0(world: &mut World, mut look: impl FnMut(&World)) {
    world.millis(2);
    for _ in 0..40 {
        look(world);
        world.millis(100);
    }
}

#[test]
fn what_was_recovered_equals_what_was_not_interrupted() {
    for gate in GATES {
        let (mut world, transactions) = busy_world(gate);
        submit_missing(&mut world, &transactions);
        world.millis(99);
        world.millis(1);
        at_blocks_of_shard_0(&mut world, |world| {
            let (live, again) = (&world.nodes[0], world.recovered(0));
            assert!(live.snapshot().is_some());
            assert_eq!(again.snapshot(), live.snapshot(), "{gate:?} at {}", world.now.0);
            let (is, was) = (again.state(), live.state());
            for address in was.sorted_addresses() {
                assert_eq!(is.account(&address), was.account(&address));
                assert_eq!(is.sorted_storage(&address), was.sorted_storage(&address));
            }
        });
        settle(&mut world, &transactions);
    }
}

#[test]
fn recovery_starts_at_the_last_snapshot() {
    for gate in GATES {
        let (mut world, transactions) = snapshot_world(gate, 3);
        submit_missing(&mut world, &transactions);
        world.millis(1_000);
        at_blocks_of_shard_0(&mut world, |world| {
            let all = &world.records[0];
            let last = all.iter().rposition(|record| record.before.is_some()).unwrap();
            assert!(all.len() - last <= 4, "a bound on what is executed again");
            let snapshot = all[last].before.as_ref().unwrap();
            assert_eq!(snapshot.height().next(), all[last].block.header.height);
            let mut whole = all.clone();
            whole.iter_mut().for_each(|record| record.before = None);
            let config = || world.config(0).clone();
            let whole = ShardNode::recover(config(), whole).unwrap();
            // What is before the last snapshot is not needed at all.
            let tail = ShardNode::recover(config(), all[last..].to_vec()).unwrap();
            assert_eq!(tail.snapshot(), whole.snapshot());
            assert_eq!(tail.snapshot(), world.nodes[0].snapshot());
        });
    }
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let (mut world, transactions) = snapshot_world(Gate::Certified, 3);
    submit_missing(&mut world, &transactions);
    world.millis(1_500);
    let foreign = ShardNode::recover(world.config(0).clone(), world.records[1].clone());
    assert!(matches!(foreign.unwrap_err(), RecoverError::Snapshot(_)));
}

#[test]
fn a_shard_catches_up_over_any_number_of_checkpoints() {
    let mut options = Options::new(2, Gate::Checkpoint);
    options.bounds.mempool_time = Duration::from_secs(1_000);
    let mut world = World::new(options);
    world.millis(1_000);
    // 2,000 checkpoints, more than a node looks ahead.
    world.kill(0, Duration::from_secs(600));
    world.millis(600_000);
    let blocks = world.blocks[0].len();
    world.millis(1_000);
    assert!(world.blocks[0].len() > blocks);
    let header = &world.blocks[0][blocks].header;
    assert!(header.checkpoint.0 > 1_990, "it waited: {:?}", header.checkpoint);
    let key = world.submit(transfer(user(2, 0, 0), 0, user(2, 1, 0), 1));
    world.millis(1_500);
    assert!(world.is_settled(key));
}

/// Rule R-REC-4: the newest checkpoint is always more than two intervals old when a shard hears of it,
/// and there is always a newer one soon.
#[test]
fn a_shard_goes_on_where_finality_takes_longer_than_two_intervals() {
    for gate in GATES {
        let mut world = World::new(Options::new(2, gate));
        let late = world.settings.checkpoint_every.times(3);
        world.filter = Box::new(|from, _, _| u32::from(!matches!(from, NodeId::Coordinator(_))));
        let mut heard = 0;
        hear_late(&mut world, &mut heard, late, 4_000);
        world.kill(0, Duration::from_millis(1_500));
        hear_late(&mut world, &mut heard, late, 1_600);
        let blocks = world.blocks[0].len();
        hear_late(&mut world, &mut heard, late, 4_000);
        let made = world.blocks[0].len() - blocks;
        assert!(made >= 20, "{gate:?}: {made} blocks in 4 s");
        let key = world.submit(transfer(user(2, 0, 0), 0, user(2, 1, 0), 1));
        hear_late(&mut world, &mut heard, late, 4_000);
        assert!(world.is_settled(key), "{gate:?}");
    }
}

/// Runs for some time; what coordinators say to shards arrives so much later. `heard` counts what was
/// looked at.
fn hear_late(world: &mut World, heard: &mut usize, late: Duration, millis: u64) {
    let mut waiting = VecDeque::new();
    for _ in 0..millis / 10 {
        world.millis(10);
        let said = world.sent[*heard..].iter();
        waiting.extend(said.filter_map(|(from, to, message)| match (from, to) {
            (NodeId::Coordinator(_), NodeId::Shard(shard)) => {
                Some((world.now + late, *shard, *from, message.clone()))
            }
            _ => None,
        }));
        *heard = world.sent.len();
        while waiting.front().is_some_and(|(due, ..)| *due <= world.now)
            && let Some((_, shard, from, message)) = waiting.pop_front()
        {
            world.handle(shard.0 as usize, Input::Message { from, message });
        }
    }
    // What is still on its way is lost.
}

#[test]
fn without_coordinators_a_shard_goes_on_after_a_while() {
    let mut world = World::new(Options::new(2, Gate::Certified));
    world.millis(1_000);
    world.filter = Box::new(|from, _, _| u32::from(!matches!(from, NodeId::Coordinator(_))));
    world.kill(0, Duration::from_secs(5));
    world.millis(5_050);
    let blocks = world.blocks[0].len();
    world.millis(1_000);
    assert_eq!(world.blocks[0].len(), blocks, "it asks first");
    world.millis(1_000);
    assert!(world.blocks[0].len() > blocks + 3);
}

#[test]
fn headers_of_a_silent_source_survive_their_consumer() {
    // Shard 1 consumes what shard 0 sent, nobody else sees shard 0's headers, and shard 1 dies.
    let mut world = World::new(Options::new(2, Gate::Certified));
    world.filter = Box::new(|from, to, _| {
        u32::from(!(from == NodeId::Shard(ShardId(0)) && matches!(to, NodeId::Coordinator(_))))
    });
    let key = world.submit(transfer(user(2, 0, 0), 0, user(2, 1, 0), 1));
    world.millis(500);
    assert!(world.is_settled(key));
    world.kill(1, Duration::from_millis(300));
    world.millis(500);
    let pull = Message::PullHeaders { shard: ShardId(0), from: Height(1), to: Height(9) };
    let from = NodeId::Coordinator(ValidatorIndex(0));
    let before = world.sent.len();
    world.handle(1, Input::Message { from, message: pull });
    let served = world.sent[before..].iter().find_map(|(_, _, message)| match message {
        Message::Headers(headers) => Some(headers.clone()),
        _ => None,
    });
    let mark = *world.nodes[1].tip().unwrap().watermark(ShardId(0)).unwrap();
    assert_eq!(served.unwrap().last().map(|header| header.hash()), Some(mark.header));
}

#[test]
fn delayed_calls_survive() {
    let vault = user(2, 1, 1_000);
    let mut options = Options::new(2, Gate::Certified).vault(vault);
    options.gas_limit = Gas(150_000);
    let mut world = World::new(options);
    let transactions: Vec<Recovered> = (0..6)
        .map(|index| {
            let input = calldata("burnGas()", &[]);
            transaction(user(2, 0, index), 0, Some(vault), 0, 122_000, input)
        })
        .collect();
    submit_missing(&mut world, &transactions);
    while world.blocks[1].last().is_none_or(|block| block.header.congestion.delayed == 0) {
        world.millis(10);
    }
    world.kill(1, Duration::from_millis(250));
    settle(&mut world, &transactions);
    check_delivery(&world);
}

fn records(gate: Gate) -> (World, Vec<ShardRecord>) {
    let (mut world, transactions) = busy_world(gate);
    settle(&mut world, &transactions);
    let records = world.records[0].clone();
    (world, records)
}

#[test]
fn damaged_histories_are_refused() {
    let (world, records) = records(Gate::Checkpoint);
    let recover = |records: Vec<ShardRecord>| {
        ShardNode::recover(world.config(0).clone(), records).unwrap_err()
    };
    let mut missing = records.clone();
    missing.remove(2);
    assert!(matches!(recover(missing), RecoverError::Order { .. }));
    let busy = records.iter().position(|r| !r.block.body.transactions.is_empty()).unwrap();
    let mut other = records.clone();
    Arc::make_mut(&mut other[busy].block).body.transactions.pop();
    assert!(matches!(recover(other), RecoverError::Diverged { .. }));
    let mut root = records.clone();
    let block = Arc::make_mut(&mut root[busy].block);
    let mut header = (*block.header.header).clone();
    header.state_root.0[0] ^= 1;
    block.header.header = SealedHeader::seal(header);
    let error = recover(root);
    assert!(matches!(error, RecoverError::Diverged { what: "state root", .. }), "{error}");
    let applying = records.iter().position(|r| !r.checkpoints.is_empty()).unwrap();
    let mut skipped = records.clone();
    skipped[applying].checkpoints.clear();
    assert!(ShardNode::recover(world.config(0).clone(), skipped).is_err());
    let entering = records.iter().position(|r| !r.block.body.incoming.is_empty()).unwrap();
    let mut doubled = records;
    let block = Arc::make_mut(&mut doubled[entering].block);
    let again = block.body.incoming[0].clone();
    block.body.incoming.push(again);
    assert!(matches!(recover(doubled), RecoverError::Incoming(_)));
}

//! Stages sum to the cross-shard latency, whatever the chain of calls looks like.

use cross_shard_msg::{Duration, ReceiptKind};
use proptest::prelude::*;
use sim_scenarios::metrics::measure;
use sim_scenarios::scenario::Outcome;

use crate::numbers::SCENARIO;
use crate::world::{BlockPlan, LegPlan, World, call, own};

/// A chain of calls between two shards. For each hop: how long release, network, gate, queue and
/// execution take, in ms; the last hop causes nothing.
fn chain(hops: &[[u64; 5]]) -> World {
    let mut world = World::new(SCENARIO);
    let tx = world.send(1, [0, 0, 0], 0);
    let mut executed = 10;
    let mut heights = [0_u64; 2];
    let mut released = executed + hops.first().map_or(0, |hop| hop[0]);
    let caused = u32::from(!hops.is_empty());
    let release = |to, height| vec![(to, tx, ReceiptKind::Call, height)];
    let first = if caused == 1 { release(1, 1) } else { Vec::new() };
    heights[0] = 1;
    world.block(
        0,
        &BlockPlan {
            at: [5, executed, released],
            waiting: 0,
            enters: &[],
            legs: &[own(tx, caused)],
            releases: &first,
        },
    );
    for (index, [_, network, gate, queue, execution]) in hops.iter().enumerate() {
        let (from, to) = (index as u32 % 2, (index as u32 + 1) % 2);
        let height = heights[from as usize];
        let arrived = released + network;
        let accepted = arrived + gate;
        let started = accepted + queue;
        executed = started + execution;
        world.batch(to, from, height, [arrived, accepted]);
        heights[to as usize] += 1;
        let next = hops.get(index + 1);
        released = executed + next.map_or(0, |hop| hop[0]);
        let releases = next.map_or(Vec::new(), |_| release(from, heights[to as usize]));
        world.block(
            to,
            &BlockPlan {
                at: [started, executed, released],
                waiting: 0,
                enters: &[(from, height)],
                legs: &[call(tx, from, releases.len() as u32)],
                releases: &releases,
            },
        );
    }
    world
}

fn block<'a>(
    at: [u64; 3],
    enters: &'a [(u32, u64)],
    legs: &'a [LegPlan],
    releases: &'a [(u32, usize, ReceiptKind, u64)],
) -> BlockPlan<'a> {
    BlockPlan { at, waiting: 0, enters, legs, releases }
}

proptest! {
    #[test]
    fn along_any_chain(hops in prop::collection::vec(prop::array::uniform5(0_u64..1_000), 1..6)) {
        let world = chain(&hops);
        let measured = measure(&world.run);
        let life = &measured.networks[0].lifecycles[0];
        prop_assert_eq!(life.outcome, Outcome::Settled);
        let mut sums = [0; 5];
        for hop in &hops {
            for (sum, part) in sums.iter_mut().zip(hop) {
                *sum += part;
            }
        }
        let stages = life.stages.expect("all times are known");
        prop_assert_eq!(stages.0, sums.map(Duration::from_millis));
        prop_assert_eq!(Some(stages.total()), life.cross_shard());
    }
}

#[test]
fn a_forwarded_call_counts_from_the_first_source() {
    // 0 → 1, where the account is no more, → 0.
    let mut world = World::new(SCENARIO);
    let tx = world.send(1, [0, 0, 0], 0);
    let call_to = |shard| [(shard, tx, ReceiptKind::Call, 1)];
    world.block(0, &block([0, 10, 12], &[], &[own(tx, 1)], &call_to(1)));
    world.batch(1, 0, 1, [20, 21]);
    // An empty block, so that the heights of both shards differ: the receipt keeps its own.
    world.block(1, &block([15, 16, 17], &[], &[], &[]));
    world.block(1, &block([30, 33, 35], &[(0, 1)], &[call(tx, 0, 1).forwards()], &call_to(0)));
    world.batch(0, 1, 2, [40, 42]);
    world.block(0, &block([50, 55, 56], &[(1, 2)], &[call(tx, 1, 0)], &[]));
    let measured = measure(&world.run);
    let life = &measured.networks[0].lifecycles[0];
    assert_eq!(life.outcome, Outcome::Settled);
    assert_eq!(life.cross_shard(), Some(Duration::from_millis(45)));
    let stages = [2 + 2, 8 + 5, 1 + 2, 9 + 8, 3 + 5].map(Duration::from_millis);
    assert_eq!(life.stages.map(|stages| stages.0), Some(stages));
}

#[test]
fn what_a_contract_sends_to_its_own_shard_does_not_cross() {
    let mut world = World::new(SCENARIO);
    let tx = world.send(1, [0, 0, 0], 0);
    world.block(0, &block([0, 10, 12], &[], &[own(tx, 1)], &[]));
    world.block(0, &block([50, 60, 61], &[], &[call(tx, 0, 0)], &[]));
    let measured = measure(&world.run);
    let life = &measured.networks[0].lifecycles[0];
    assert_eq!((life.outcome, life.shards), (Outcome::Settled, 1));
    assert_eq!((life.cross_shard(), life.settlement()), (None, Some(Duration::from_millis(60))));
    assert!(measured.results.invariants.iter().all(|result| result.held()));
}

#[test]
fn a_delayed_receipt_waits_in_the_queue() {
    let mut world = World::new(SCENARIO);
    let tx = world.send(1, [0, 0, 0], 0);
    let other = world.send(1, [0, 0, 0], 0);
    let calls = [(1, tx, ReceiptKind::Call, 1), (1, other, ReceiptKind::Call, 1)];
    world.block(0, &block([0, 10, 12], &[], &[own(tx, 1), own(other, 1)], &calls));
    world.batch(1, 0, 1, [20, 21]);
    world.block(1, &block([30, 33, 35], &[(0, 1)], &[call(tx, 0, 0)], &[]));
    world.block(1, &block([80, 84, 85], &[], &[call(other, 0, 0)], &[]));
    let measured = measure(&world.run);
    let stages = |tx: usize| measured.networks[0].lifecycles[tx].stages.map(|stages| stages.0);
    assert_eq!(stages(tx), Some([2, 8, 1, 9, 3].map(Duration::from_millis)));
    assert_eq!(stages(other), Some([2, 8, 1, 59, 4].map(Duration::from_millis)));
}

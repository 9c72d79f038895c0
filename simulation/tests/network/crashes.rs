//! Nodes die and start again from what is durable.

use cross_shard_msg::{Gate, Timestamp};
use simulation::{Fault, FaultPlan, Mode, Target};

use crate::support::{Conditions, SHARDS, Scene, VALIDATORS, at, coordinator, millis, shard};

fn crash(node: Target, after: u64) -> Fault {
    Fault::Crash { node, restart_after: Some(millis(after)) }
}

fn end() -> Timestamp {
    at(20_000)
}

#[test]
fn without_faults_everything_settles() {
    for gate in [Gate::Checkpoint, Gate::Certified] {
        let mut scene = Scene::new(&Conditions { gate, ..Conditions::new(1) });
        let tally = scene.settle(end());
        // 2/3 of transfers cross.
        assert!(tally.legs > 900, "{tally:?}");
        assert!(tally.checkpoints > 50, "{tally:?}");
        assert!(tally.blocks.values().all(|blocks| *blocks > 190), "{tally:?}");
    }
}

#[test]
fn equal_seeds_have_equal_digests() {
    let digest = |seed| {
        let mut scene = Scene::new(&Conditions::new(seed));
        scene.torn();
        let fault = crash(Target::Node(shard(1)), 700);
        scene.plan(&FaultPlan::new().with(at(1_000), fault));
        scene.run(at(5_000));
        (scene.world.digest(), scene.world.statistics())
    };
    let first = digest(5);
    assert_eq!(first, digest(5));
    assert_ne!(first.0, digest(6).0);
    assert_eq!((first.1.crashes, first.1.restarts), (1, 1));
}

#[test]
fn a_shard_that_crashes_comes_back_and_all_settles() {
    for seed in 0..6 {
        let mut scene = Scene::new(&Conditions::new(seed));
        scene.torn();
        let plan = (0..SHARDS).map(|index| {
            let when = at(900 + u64::from(index) * 1_300 + seed * 17);
            (when, crash(Target::Node(shard(index)), 400 + seed * 300))
        });
        scene.plan(&plan.collect());
        let tally = scene.settle(end());
        let statistics = scene.world.statistics();
        assert_eq!((statistics.crashes, statistics.restarts), (3, 3), "seed {seed}");
        assert!(tally.blocks.values().all(|blocks| *blocks > 150), "seed {seed}: {tally:?}");
        assert!(tally.covered.values().all(|height| *height > 150), "seed {seed}: {tally:?}");
    }
}

#[test]
fn coordinators_that_crash_in_turn_do_not_stop_the_others() {
    for seed in 0..4 {
        let mut scene = Scene::new(&Conditions::new(seed));
        scene.torn();
        let mut plan = FaultPlan::new();
        for index in 0..VALIDATORS {
            let when = at(700 + u64::from(index) * 1_500 + seed * 13);
            plan.push(when, crash(Target::Node(coordinator(index)), 900));
        }
        plan.push(at(7_000), crash(Target::Leader, 500));
        scene.plan(&plan);
        let tally = scene.settle(end());
        assert_eq!(scene.world.statistics().restarts, 5);
        assert!(tally.checkpoints > 40, "seed {seed}: {tally:?}");
    }
}

#[test]
fn the_whole_network_crashes_at_once_and_goes_on() {
    let mut scene = Scene::new(&Conditions::new(3));
    scene.torn();
    let nodes: Vec<_> = scene.network.nodes().collect();
    let crashes = nodes.iter().map(|node| (at(2_345), crash(Target::Node(*node), 1_000)));
    scene.plan(&crashes.collect());
    let tally = scene.settle(end());
    assert_eq!(scene.world.statistics().restarts, u64::from(SHARDS + VALIDATORS));
    assert!(tally.checkpoints > 40, "{tally:?}");
}

#[test]
fn too_few_validators_finalize_nothing_and_go_on_when_they_are_enough() {
    let mut scene = Scene::new(&Conditions::new(4));
    scene.run(at(1_000));
    for index in 0..2 {
        scene.world.crash(coordinator(index));
    }
    scene.run(at(1_100));
    let before = scene.tally.borrow().checkpoints;
    scene.run(at(4_000));
    assert_eq!(scene.tally.borrow().checkpoints, before, "two of four are no quorum");
    assert!(scene.world.restart(coordinator(0)));
    assert!(!scene.world.restart(coordinator(0)), "it is up");
    let tally = scene.settle(end());
    assert!(tally.checkpoints > before + 30, "{tally:?}");
}

#[test]
fn a_pause_and_a_clock_that_is_off_are_survived() {
    let mut scene = Scene::new(&Conditions { mode: Mode::Raw, ..Conditions::new(9) });
    let mut plan = FaultPlan::new();
    plan.push(at(500), Fault::Pause { node: Target::Node(shard(0)), span: millis(1_500) });
    plan.push(at(900), Fault::Pause { node: Target::Leader, span: millis(1_000) });
    for (index, offset) in [(1, 40_000_000), (2, -40_000_000)] {
        let node = Target::Node(coordinator(index));
        plan.push(at(300), Fault::ClockSkew { node, offset, span: millis(3_000) });
    }
    scene.plan(&plan);
    scene.settle(end());
}

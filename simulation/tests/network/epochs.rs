//! Accounts move at every epoch, to any shard, while nodes die, links lose and leaders do harm.

use cross_shard_msg::{Epochs, Event, Gate, ValidatorIndex};
use simulation::byzantine::{EquivocatingLeader, Twins};
use simulation::{Fault, FaultPlan, Mode, Target};

use crate::support::{
    Conditions, SHARDS, Scene, Tally, VALIDATORS, at, coordinator, millis, shard,
};

/// Two of three epochs' checkpoints move a sixth of all accounts each.
fn conditions(seed: u64) -> Conditions {
    let epochs = Epochs { checkpoints: 4, max_moves: 10, max_accesses: 1_000 };
    Conditions { epochs: Some(epochs), ..Conditions::new(seed) }
}

/// What the coordinators observed of their partitioners: asked, answered.
fn questions(scene: &mut Scene) -> (usize, usize) {
    let observations = scene.world.take_observations();
    let count = |wanted: fn(&Event) -> bool| {
        observations.iter().filter(|(_, seen)| wanted(&seen.event)).count()
    };
    (
        count(|event| matches!(event, Event::PartitionerAsked { .. })),
        count(|event| matches!(event, Event::PartitionerAnswered { .. })),
    )
}

#[track_caller]
fn assert_moved(tally: &Tally, at_least: u64) {
    assert!(tally.moved >= at_least, "{tally:?}");
    assert_eq!(tally.transfers, 600, "every transfer was executed: {tally:?}");
}

#[test]
fn accounts_move_and_everything_settles() {
    for gate in [Gate::Checkpoint, Gate::Certified] {
        let mut scene = Scene::new(&Conditions { gate, ..conditions(1) });
        let tally = scene.settle(at(20_000));
        assert_moved(&tally, 20);
        let (asked, answered) = questions(&mut scene);
        assert!(asked >= 2 && asked == answered, "{asked} {answered}");
    }
}

#[test]
fn equal_seeds_have_equal_digests() {
    let digest = |seed| {
        let mut scene = Scene::new(&conditions(seed));
        scene.run(at(5_000));
        assert!(scene.tally.borrow().moved > 0);
        scene.world.digest()
    };
    assert_eq!(digest(5), digest(5));
}

#[test]
fn a_coordinator_that_crashes_while_it_waits_for_an_answer_forgets_the_question() {
    for seed in 0..4 {
        let mut scene = Scene::new(&conditions(seed));
        scene.torn();
        let mut plan = FaultPlan::new();
        for (index, when) in (0..VALIDATORS).zip([1_210, 2_420, 3_630, 1_890]) {
            let node = Target::Node(coordinator(index));
            plan.push(at(when + seed * 7), Fault::Crash { node, restart_after: Some(millis(600)) });
        }
        scene.plan(&plan);
        let tally = scene.settle(at(20_000));
        assert_moved(&tally, 10);
        assert_eq!(scene.world.statistics().restarts, 4);
    }
}

#[test]
fn shards_that_crash_between_checkpoints_lose_no_account() {
    for seed in 0..6 {
        let mut scene = Scene::new(&Conditions { mode: Mode::Reliable, ..conditions(seed) });
        scene.torn();
        let plan = (0..SHARDS).map(|index| {
            let when = at(1_300 + u64::from(index) * 400 + seed * 83);
            let node = Target::Node(shard(index));
            (when, Fault::Crash { node, restart_after: Some(millis(300 + seed * 200)) })
        });
        scene.plan(&plan.collect());
        let tally = scene.settle(at(25_000));
        assert!(tally.moved >= 10, "{tally:?}");
    }
}

#[test]
fn twins_and_leaders_that_equivocate_move_nothing_twice() {
    let all = || [0, 1, 2].map(ValidatorIndex).to_vec();
    for seed in 0..2 {
        let except = vec![coordinator(3)];
        let mut scene = Scene::new(&Conditions { except, ..conditions(seed) });
        let config = || scene.network.coordinator_config(ValidatorIndex(3));
        if seed == 0 {
            let twin = || coordinator::Coordinator::new(config()).unwrap();
            let twins = Twins::new([twin(), twin()], all(), all());
            scene.world.add(coordinator(3), twins, ());
        } else {
            let leader = EquivocatingLeader::new(config()).unwrap();
            scene.world.add(coordinator(3), leader, ());
        }
        let tally = scene.settle(at(20_000));
        assert_moved(&tally, 10);
    }
}

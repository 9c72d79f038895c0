//! One of four validators breaks the rules: nothing unsafe becomes final, and the rest goes on.

use coordinator::{Coordinator, Proof};
use cross_shard_msg::{Gate, NodeId, ValidatorIndex};
use simulation::byzantine::{EquivocatingLeader, Garbage, Silent, Twins};

use crate::support::{Conditions, Scene, Tally, at, coordinator};

fn machine(scene: &Scene, index: u32) -> Coordinator {
    Coordinator::new(scene.network.coordinator_config(ValidatorIndex(index))).unwrap()
}

fn without(index: u32, gate: Gate, seed: u64) -> Scene {
    Scene::new(&Conditions { except: vec![coordinator(index)], gate, ..Conditions::new(seed) })
}

#[test]
fn a_silent_validator_costs_its_views_only() {
    for index in 0..4 {
        let mut scene = without(index, Gate::Checkpoint, 1);
        let silent = Silent::new(machine(&scene, index));
        scene.world.add(coordinator(index), silent, ());
        let tally = scene.settle(at(20_000));
        assert!(tally.checkpoints > 25, "{tally:?}");
    }
}

#[test]
fn garbage_is_dropped_by_everybody() {
    for seed in 0..3 {
        let mut scene = without(3, Gate::Certified, seed);
        scene.world.add(coordinator(3), Garbage::new(seed), ());
        let tally = scene.settle(at(20_000));
        assert!(tally.checkpoints > 25, "{tally:?}");
        let reason = cross_shard_msg::DropReason::Undecodable;
        assert!(scene.dropped(reason) > 100, "seed {seed}");
    }
}

/// Votes of which coordinators keep that they contradict one another, each of validator 3.
#[track_caller]
fn proven(tally: &Tally) -> usize {
    // That each piece is verified with the settings alone is checked as it is kept.
    let votes = |proof: &&Proof| matches!(proof, Proof::Votes(_));
    assert!(tally.evidence.iter().all(|proof| proof.accused() == coordinator(3)), "{tally:?}");
    tally.evidence.iter().filter(votes).count()
}

#[test]
fn twins_finalize_nothing_twice_and_leave_evidence() {
    let all = || [0, 1, 2].map(ValidatorIndex).to_vec();
    let parts: [[Vec<ValidatorIndex>; 2]; 4] = [
        [vec![ValidatorIndex(0), ValidatorIndex(1)], vec![ValidatorIndex(2)]],
        [vec![ValidatorIndex(0)], vec![ValidatorIndex(1), ValidatorIndex(2)]],
        [vec![ValidatorIndex(0), ValidatorIndex(1)], vec![ValidatorIndex(1), ValidatorIndex(2)]],
        [all(), all()],
    ];
    let mut found = 0;
    for (parts, seed) in parts.into_iter().zip(0..) {
        for gate in [Gate::Checkpoint, Gate::Certified] {
            let mut scene = without(3, gate, seed);
            let [first, second] = parts.clone();
            let twins = Twins::new([machine(&scene, 3), machine(&scene, 3)], first, second);
            scene.world.add(coordinator(3), twins, ());
            let tally = scene.settle(at(20_000));
            assert!(tally.checkpoints > 20, "seed {seed}: {tally:?}");
            found += proven(&tally);
        }
    }
    assert!(found > 0, "twins that both speak to a validator are found out");
}

#[test]
fn a_leader_that_proposes_two_checkpoints_finalizes_one_and_leaves_evidence() {
    for (gate, seed) in [(Gate::Checkpoint, 0), (Gate::Certified, 1)] {
        let mut scene = without(3, gate, seed);
        let config = scene.network.coordinator_config(ValidatorIndex(3));
        scene.world.add(coordinator(3), EquivocatingLeader::new(config).unwrap(), ());
        let tally = scene.settle(at(20_000));
        assert!(tally.checkpoints > 20, "seed {seed}: {tally:?}");
        assert!(proven(&tally) > 0, "both votes are shown to everybody");
    }
}

#[test]
fn a_client_is_not_a_validator() {
    // Garbage from outside the committee does no more than from inside.
    let mut scene = Scene::new(&Conditions { except: vec![coordinator(2)], ..Conditions::new(8) });
    scene.world.add(coordinator(2), Garbage::new(5), ());
    assert!(scene.world.is_up(NodeId::Client));
    scene.settle(at(15_000));
}

//! One of four validators breaks the rules: nothing unsafe becomes final, and the rest goes on.

use std::cell::RefCell;
use std::rc::Rc;

use coordinator::Coordinator;
use cross_shard_msg::{Effects, Input, Machine, NodeId, Timestamp, ValidatorIndex};
use simulation::byzantine::{Garbage, Silent, Twins};

use crate::support::{Conditions, Scene, at, coordinator};

fn machine(scene: &Scene, index: u32) -> Coordinator {
    Coordinator::new(scene.network.coordinator_config(ValidatorIndex(index))).unwrap()
}

fn without(index: u32, seed: u64) -> Scene {
    Scene::new(&Conditions { except: vec![coordinator(index)], ..Conditions::new(seed) })
}

/// A machine that the test can look into.
struct Shared(Rc<RefCell<Coordinator>>);

impl Machine for Shared {
    type Timer = <Coordinator as Machine>::Timer;
    type Record = <Coordinator as Machine>::Record;
    type Job = <Coordinator as Machine>::Job;
    type JobResult = <Coordinator as Machine>::JobResult;
    type Admin = <Coordinator as Machine>::Admin;
    type Executed = <Coordinator as Machine>::Executed;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        let input = match input {
            Input::Start => Input::Start,
            Input::Message { from, message } => Input::Message { from, message },
            Input::Timer(timer) => Input::Timer(timer),
            Input::Durable(id) => Input::Durable(id),
            _ => return,
        };
        let mut inner = Effects::new();
        self.0.borrow_mut().handle(now, input, &mut inner);
        for effect in inner.drain() {
            use cross_shard_msg::Effect::*;
            effects.push(match effect {
                Send { to, message } => Send { to, message },
                Broadcast { to, message } => Broadcast { to, message },
                SetTimer { timer, at } => SetTimer { timer, at },
                CancelTimer(timer) => CancelTimer(timer),
                Persist { id, record } => Persist { id, record },
                Busy(work) => Busy(work),
                Observe(event) => Observe(event),
                Executed(executed) => Executed(executed),
                Compute(id, job) => Compute(id, job),
            });
        }
    }

    fn compute(job: Self::Job) -> Self::JobResult {
        job
    }
}

#[test]
fn a_silent_validator_costs_its_views_only() {
    for index in 0..4 {
        let mut scene = without(index, 1);
        let silent = Silent::new(machine(&scene, index));
        scene.world.add(coordinator(index), silent, ());
        let tally = scene.settle(at(20_000));
        assert!(tally.checkpoints > 25, "{tally:?}");
    }
}

#[test]
fn garbage_is_dropped_by_everybody() {
    for seed in 0..3 {
        let mut scene = without(3, seed);
        scene.world.add(coordinator(3), Garbage::new(seed), ());
        let tally = scene.settle(at(20_000));
        assert!(tally.checkpoints > 25, "{tally:?}");
        let reason = cross_shard_msg::DropReason::Undecodable;
        assert!(scene.dropped(reason) > 100, "seed {seed}");
    }
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
    let mut proven = 0;
    for (parts, seed) in parts.into_iter().zip(0..) {
        let except = vec![coordinator(3), coordinator(0), coordinator(1)];
        let mut scene = Scene::new(&Conditions { except, ..Conditions::new(seed) });
        let [first, second] = parts;
        let twins = Twins::new([machine(&scene, 3), machine(&scene, 3)], first, second);
        scene.world.add(coordinator(3), twins, ());
        let watched: Vec<_> = [0, 1]
            .map(|index| {
                let shared = Rc::new(RefCell::new(machine(&scene, index)));
                scene.world.add(
                    coordinator(index),
                    Shared(Rc::clone(&shared)),
                    Watch(&scene).of(index),
                );
                shared
            })
            .into();
        let tally = scene.settle(at(20_000));
        assert!(tally.checkpoints > 20, "seed {seed}: {tally:?}");
        for shared in watched {
            for evidence in shared.borrow().evidence() {
                assert_eq!(evidence.first.validator, ValidatorIndex(3));
                proven += 1;
            }
        }
    }
    assert!(proven > 0, "twins that both speak to a validator are found out");
}

/// Lets the monitor follow a machine that the test holds.
struct Watch<'a>(&'a Scene);

impl Watch<'_> {
    fn of(&self, index: u32) -> Follow {
        Follow(self.0.monitor.clone(), ValidatorIndex(index))
    }
}

struct Follow(simulation::Monitor, ValidatorIndex);

impl simulation::Follower<Shared> for Follow {
    fn executed(&mut self, _: &std::sync::Arc<<Coordinator as Machine>::Executed>) {}

    fn record(&mut self, _: &<Coordinator as Machine>::Record) {}

    fn durable(&mut self, record: &<Coordinator as Machine>::Record) {
        for finalized in record.checkpoints() {
            self.0.checkpoint(self.1, &finalized);
        }
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

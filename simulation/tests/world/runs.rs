//! Runs: where they stop, and the digest that tells them apart.

use std::cell::Cell;
use std::rc::Rc;

use alloy_primitives::B256;
use cross_shard_msg::{Duration, Input, Message, Timestamp};
use simulation::{Link, Links, Statistics, World};

use crate::probe::{add, at_start, event, legs, numbered, shard, world, world_with};

/// Three nodes that pass numbers round on shaky links.
fn traffic(seed: u64, first: u64) -> World {
    let shaky = Link { delay: Duration(1_000), jitter: Duration(500) };
    let mut world = world_with(Links::uniform(shaky, seed));
    for index in 0..3 {
        add(&mut world, shard(index), move |_, input, effects| match input {
            Input::Start => effects.send(shard((index + 1) % 3), numbered(first)),
            Input::Message { message: Message::PullBatches { above }, .. } => {
                effects.busy(legs(index));
                effects.observe(event(above.0));
                effects.send(shard((index + 1) % 3), numbered(above.0 + 1));
            }
            _ => {}
        });
    }
    world
}

fn digest_of(mut world: World, end: u64) -> (B256, Statistics) {
    world.run(Timestamp(end), || false);
    (world.digest(), world.statistics())
}

#[test]
fn equal_runs_have_equal_digests() {
    let (digest, statistics) = digest_of(traffic(1, 0), 100_000);
    assert!(statistics.events > 100 && statistics.messages > 100, "{statistics:?}");
    assert_eq!(digest_of(traffic(1, 0), 100_000), (digest, statistics));
    assert_ne!(digest_of(traffic(2, 0), 100_000).0, digest, "another seed");
    assert_ne!(digest_of(traffic(1, 1), 100_000).0, digest, "another content");
    assert_ne!(digest_of(traffic(1, 0), 90_000).0, digest, "another end");
}

#[test]
fn a_run_in_pieces_is_the_same_run() {
    let whole = digest_of(traffic(1, 0), 100_000);
    let mut world = traffic(1, 0);
    for end in [0, 1, 1_700, 1_700, 50_000, 100_000] {
        assert!(!world.run(Timestamp(end), || false));
        assert_eq!(world.now(), Timestamp(end));
    }
    assert_eq!((world.digest(), world.statistics()), whole);
}

#[test]
fn a_run_stops_when_it_is_told_to() {
    let mut world = world();
    let log = add(
        &mut world,
        shard(0),
        at_start(|effects| {
            for (timer, at) in [('a', 10), ('b', 10), ('c', 30)] {
                effects.set_timer(timer, Timestamp(at));
            }
        }),
    );
    let events = Rc::new(Cell::new(0));
    let counted = Rc::clone(&events);
    let second = move || {
        counted.set(counted.get() + 1);
        counted.get() == 2
    };
    assert!(world.run(Timestamp(1_000), second), "after the start and one timer");
    assert_eq!((world.now(), log.borrow().len()), (Timestamp(10), 2));
    assert!(!world.run(Timestamp(29), || false));
    assert_eq!((world.now(), log.borrow().len()), (Timestamp(29), 3));
    assert!(!world.run(Timestamp(30), || false), "the end is included");
    assert_eq!(log.borrow().len(), 4);
    assert_eq!(world.statistics().events, 4);
}

#[test]
fn a_node_that_is_added_later_starts_then() {
    let mut world = world();
    world.run(Timestamp(500), || false);
    let log = add(&mut world, shard(0), at_start(|effects| effects.set_timer('t', Timestamp(1))));
    world.run(Timestamp(600), || false);
    let log = log.borrow();
    assert_eq!(*log, [(500, "start".to_owned()), (500, "timer t".to_owned())]);
}

//! A node has one core: work delays what is asked for after it, and every later input. Writes and
//! computations take their time beside it.

use std::sync::Arc;

use cross_shard_msg::{Effect, Input, JobId, Timestamp};

use crate::probe::{
    Seen, add, add_followed, assert_log, at_start, event, legs, numbered, persist, shard, silent,
    world,
};

#[test]
fn work_delays_what_follows_it() {
    let mut world = world();
    add(
        &mut world,
        shard(0),
        at_start(|effects| {
            effects.send(shard(1), numbered(1));
            effects.observe(event(1));
            effects.busy(legs(3));
            effects.send(shard(1), numbered(2));
            effects.observe(event(2));
            effects.busy(legs(4));
            effects.send(shard(1), numbered(3));
            effects.observe(event(3));
        }),
    );
    let log = add(&mut world, shard(1), silent);
    let arrivals = [(100, "1 from shard:0"), (130, "2 from shard:0"), (170, "3 from shard:0")];
    assert_log(&mut world, &log, &[&[(0, "start")], &arrivals[..]].concat());
    let observed: Vec<_> = world.take_observations();
    let times: Vec<u64> = observed.iter().map(|(_, observation)| observation.at.0).collect();
    assert_eq!(times, [0, 30, 70]);
    assert!(observed.iter().all(|(node, _)| *node == shard(0)));
    assert_eq!(observed[2].1.event, event(3));
    assert!(world.take_observations().is_empty(), "they are taken once");
}

#[test]
fn a_busy_node_handles_inputs_when_it_is_free_in_order_of_arrival() {
    let mut world = world();
    let log = add(&mut world, shard(0), |_, input, effects| match input {
        Input::Start => {
            effects.set_timer('a', Timestamp(10));
            effects.set_timer('b', Timestamp(20));
            effects.set_timer('c', Timestamp(200));
        }
        Input::Timer('a') => effects.busy(legs(10)), // until 110
        Input::Timer('b') => {
            effects.busy(legs(2)); // until 130
            effects.set_timer('d', Timestamp(0)); // not before the work is done
        }
        _ => {}
    });
    let answer = at_start(|effects| effects.send(shard(0), numbered(5)));
    add(&mut world, shard(1), answer); // arrives at 100
    let expected = [
        (0, "start"),
        (10, "timer a"),
        (110, "timer b"),
        (130, "5 from shard:1"),
        (130, "timer d"),
        (200, "timer c"),
    ];
    assert_log(&mut world, &log, &expected);
}

#[test]
fn a_timer_that_comes_due_while_busy_can_still_be_cancelled() {
    let mut world = world();
    let log = add(&mut world, shard(0), |_, input, effects| match input {
        Input::Start => {
            effects.set_timer('a', Timestamp(10));
            effects.set_timer('b', Timestamp(20));
        }
        Input::Timer('a') => {
            effects.busy(legs(10));
            effects.push(Effect::CancelTimer('b'));
        }
        _ => {}
    });
    assert_log(&mut world, &log, &[(0, "start"), (10, "timer a")]);
}

#[test]
fn a_write_is_durable_later_and_in_order() {
    let mut world = world();
    let seen = Seen::default();
    let log = add_followed(
        &mut world,
        shard(0),
        seen.clone(),
        at_start(|effects| {
            effects.push(persist(1, "one"));
            effects.push(persist(2, "two"));
            effects.busy(legs(5));
            effects.push(persist(3, "three"));
            effects.push(Effect::Executed(Arc::new("a block")));
        }),
    );
    let expected = [(0, "start"), (1_000, "durable 1"), (1_000, "durable 2"), (1_050, "durable 3")];
    assert_log(&mut world, &log, &expected);
    assert_eq!(*seen.0.borrow(), ["one", "two", "three", "a block"]);
}

#[test]
fn a_computation_answers_from_another_core() {
    let mut world = world();
    let log = add(
        &mut world,
        shard(0),
        at_start(|effects| {
            effects.push(Effect::Compute(JobId(4), 21));
            effects.busy(legs(7));
            effects.push(Effect::Compute(JobId(5), 22));
        }),
    );
    let expected = [(0, "start"), (1_000_000, "computed 4: 42"), (1_000_070, "computed 5: 44")];
    assert_log(&mut world, &log, &expected);
}

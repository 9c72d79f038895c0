//! Events happen by time and, at one time, in the order in which they were asked for; timers can
//! be moved and cancelled; links keep their order.

use cross_shard_msg::{Audience, Duration, Effect, Input, NodeId, Timestamp, ValidatorIndex};
use simulation::{Link, Links};

use crate::probe::{
    add, assert_log, at_start, legs, links, numbered, shard, silent, world, world_with,
};

#[test]
fn events_are_ordered_by_time_then_by_sequence() {
    let mut world = world();
    let log = add(
        &mut world,
        shard(0),
        at_start(|effects| {
            for (timer, at) in [('c', 10), ('z', 20), ('a', 10), ('b', 10), ('e', 5)] {
                effects.set_timer(timer, Timestamp(at));
            }
        }),
    );
    let expected = [
        (0, "start"),
        (5, "timer e"),
        (10, "timer c"),
        (10, "timer a"),
        (10, "timer b"),
        (20, "timer z"),
    ];
    assert_log(&mut world, &log, &expected);
}

#[test]
fn a_timer_is_moved_and_cancelled() {
    let mut world = world();
    let log = add(&mut world, shard(0), |now, input, effects| match input {
        Input::Start => {
            effects.set_timer('l', Timestamp(10));
            effects.set_timer('l', Timestamp(30)); // later
            effects.set_timer('e', Timestamp(40));
            effects.set_timer('e', Timestamp(15)); // earlier
            effects.set_timer('x', Timestamp(20));
            effects.push(Effect::CancelTimer('x'));
            effects.push(Effect::CancelTimer('n')); // never set
            effects.set_timer('y', Timestamp(35));
        }
        Input::Timer('e') if now == Timestamp(15) => effects.set_timer('e', Timestamp(50)),
        Input::Timer('l') => {
            effects.push(Effect::CancelTimer('y'));
            effects.set_timer('p', Timestamp(1)); // has passed
        }
        _ => {}
    });
    let expected =
        [(0, "start"), (15, "timer e"), (30, "timer l"), (30, "timer p"), (50, "timer e")];
    assert_log(&mut world, &log, &expected);
}

#[test]
fn a_message_takes_its_links_delay() {
    let slow = Link { delay: Duration(700), jitter: Duration::ZERO };
    let mut world = world_with(links(100).with(shard(0), shard(2), slow));
    add(
        &mut world,
        shard(0),
        at_start(|effects| {
            for to in [shard(2), shard(1), NodeId::Client] {
                effects.send(to, numbered(7)); // there is no client: nothing happens
            }
        }),
    );
    let near = add(&mut world, shard(1), silent);
    let far = add(&mut world, shard(2), |_, input, effects| {
        if let Input::Message { from, .. } = input {
            effects.send(*from, numbered(8)); // the other direction is as fast as any
        }
    });
    assert_log(&mut world, &near, &[(0, "start"), (100, "7 from shard:0")]);
    assert_log(&mut world, &far, &[(0, "start"), (700, "7 from shard:0")]);
    assert_eq!(world.statistics().messages, 4);
}

#[test]
fn messages_of_one_link_keep_their_order() {
    let shaky = Link { delay: Duration(50), jitter: Duration(10_000) };
    let mut world = world_with(Links::uniform(shaky, 3));
    add(&mut world, shard(0), |_, input, effects| {
        // A burst, and more of it as time passes.
        let first = match input {
            Input::Start => 0,
            Input::Timer(_) => 50,
            _ => return,
        };
        for number in first..first + 50 {
            effects.busy(legs(1));
            effects.send(shard(1), numbered(number));
        }
        if first == 0 {
            effects.set_timer('t', Timestamp(2_000));
        }
    });
    let log = add(&mut world, shard(1), silent);
    world.run(Timestamp(1_000_000), || false);
    let seen: Vec<String> = log.borrow().iter().skip(1).map(|(_, what)| what.clone()).collect();
    let sent: Vec<String> = (0..100).map(|number| format!("{number} from shard:0")).collect();
    assert_eq!(seen, sent);
    assert!(log.borrow().iter().skip(1).all(|(at, _)| *at > 50));
}

#[test]
fn a_group_is_everyone_in_it_but_the_sender() {
    let coordinator = |index| NodeId::Coordinator(ValidatorIndex(index));
    let nodes = [shard(0), shard(1), coordinator(0), coordinator(1), NodeId::Client];
    let groups = [
        (shard(0), Audience::Shards, vec![shard(1)]),
        (shard(0), Audience::ShardsAndClient, vec![shard(1), NodeId::Client]),
        (shard(0), Audience::Coordinators, vec![coordinator(0), coordinator(1)]),
        (coordinator(1), Audience::Coordinators, vec![coordinator(0)]),
        (coordinator(1), Audience::ShardsAndClient, vec![shard(0), shard(1), NodeId::Client]),
        (NodeId::Client, Audience::ShardsAndClient, vec![shard(0), shard(1)]),
    ];
    for (sender, audience, receivers) in groups {
        let mut world = world();
        let logs = nodes.map(|node| {
            let answer = at_start(move |effects| {
                if node == sender {
                    effects.broadcast(audience, numbered(1));
                }
            });
            (node, add(&mut world, node, answer))
        });
        world.run(Timestamp(1_000), || false);
        for (node, log) in logs {
            let received = log.borrow().len() == 2;
            assert_eq!(received, receivers.contains(&node), "{sender} to {audience:?}: {node}");
        }
    }
}

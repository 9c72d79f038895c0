use cross_shard_msg::ShardId;

use super::super::config::peer_id;
use super::super::inbox::{Inbox, inbox};
use super::*;

const CLASS: TrafficClass = TrafficClass::Receipts;
const WIDE: Window = Window { messages: 100, bytes: 1 << 20 };

fn link() -> (Link, Inbox) {
    let config = NetworkConfig::new(NodeId::Client, [1; 32]);
    let counters = Counters::default();
    let (sender, inbox) = inbox(config.bounds, &counters);
    let to = (NodeId::Shard(ShardId(0)), peer_id([2; 32]).unwrap());
    (Link::new(&config, to, Instant::now(), &counters, sender), inbox)
}

fn taken(link: &Link, window: Window) -> (Next, Vec<u64>) {
    let mut batch = Vec::new();
    let next = link.take(CLASS, window, &mut batch);
    (next, batch.into_iter().map(|(sequence, _)| sequence).collect())
}

#[test]
fn what_was_not_delivered_is_sent_again() {
    let (link, _inbox) = link();
    for _ in 0..5 {
        link.send(CLASS, Bytes::from_static(b"receipt")).unwrap();
    }
    assert_eq!(taken(&link, WIDE), (Next::Write, vec![1, 2, 3, 4, 5]));
    assert_eq!(taken(&link, WIDE), (Next::Idle, vec![]));
    link.acknowledge(CLASS, 1).unwrap();
    link.resume(CLASS, 7, 3).unwrap();
    assert_eq!(link.first(CLASS), 4);
    assert_eq!(taken(&link, WIDE), (Next::Write, vec![4, 5]));
    let counters = &link.lanes[CLASS.index()].counters;
    assert_eq!((counters.sent_messages.get(), counters.resent_messages.get()), (5, 2));
    assert_eq!(link.acknowledge(CLASS, 6), Err(RefusalReason::BadAcknowledgement));
    assert_eq!(link.resume(CLASS, 7, 2), Err(RefusalReason::BadHello));
}

#[test]
fn credit_bounds_what_is_in_flight_but_lets_one_pass() {
    let (link, _inbox) = link();
    for _ in 0..3 {
        link.send(CLASS, Bytes::from(vec![0; 100])).unwrap();
    }
    let narrow = Window { messages: 2, bytes: 50 };
    assert_eq!(taken(&link, narrow), (Next::Write, vec![1]));
    assert_eq!(taken(&link, narrow), (Next::Idle, vec![]));
    link.acknowledge(CLASS, 1).unwrap();
    let pair = Window { messages: 2, bytes: 1 << 20 };
    assert_eq!(taken(&link, pair), (Next::Write, vec![2, 3]));
}

#[test]
fn lingering_messages_leave_at_common_moments() {
    let began = Instant::now();
    let linger = Linger { began, every: Duration::from_millis(2) };
    let at = |micros| began + Duration::from_micros(micros);
    assert_eq!(linger.next(at(0)), at(0));
    assert_eq!(linger.next(at(1)), at(2_000));
    assert_eq!(linger.next(at(2_000)), at(2_000));
    assert_eq!(linger.next(at(3_999)), at(4_000));
}

#[test]
fn a_new_life_is_reported_once() {
    let (link, mut inbox) = link();
    for life in [1, 1, 2, 2] {
        link.met(life);
    }
    let mut got = VecDeque::new();
    inbox.wait(None, 10, &mut got);
    assert_eq!(got.len(), 1);
}

#[test]
fn a_disconnected_link_holds_what_is_sent_and_lets_go_of_it_in_order() {
    let (link, _inbox) = link();
    link.send(CLASS, Bytes::from_static(b"before")).unwrap();
    link.set_faults(&[LinkFault::Disconnected]);
    for _ in 0..2 {
        link.send(CLASS, Bytes::from_static(b"during")).unwrap();
    }
    assert_eq!(taken(&link, WIDE), (Next::Write, vec![1]), "what was sent before leaves");
    assert_eq!(taken(&link, WIDE), (Next::Idle, vec![]));
    link.set_faults(&[LinkFault::Disconnected, LinkFault::Lossy { per_mille: 1 }]);
    assert_eq!(taken(&link, WIDE), (Next::Idle, vec![]), "another fault ended");
    link.set_faults(&[]);
    link.send(CLASS, Bytes::from_static(b"after")).unwrap();
    assert_eq!(taken(&link, WIDE), (Next::Write, vec![2, 3, 4]));
}

#[test]
fn a_late_message_holds_up_those_behind_it() {
    let (link, _inbox) = link();
    let hour = cross_shard_msg::Duration::from_secs(3_600);
    let delayed = LinkFault::Delayed { delay: hour, jitter: cross_shard_msg::Duration::ZERO };
    link.send(CLASS, Bytes::from_static(b"before")).unwrap();
    link.set_faults(&[delayed]);
    link.send(CLASS, Bytes::from_static(b"late")).unwrap();
    link.set_faults(&[]);
    link.send(CLASS, Bytes::from_static(b"after")).unwrap();
    assert_eq!(taken(&link, WIDE), (Next::Write, vec![1]));
    assert!(matches!(taken(&link, WIDE), (Next::Sleep(_), batch) if batch.is_empty()));
}

#[test]
fn a_copy_is_written_with_its_original() {
    let (link, _inbox) = link();
    link.set_faults(&[LinkFault::Duplicating { per_mille: 1_000 }]);
    link.send(CLASS, Bytes::from_static(b"twice")).unwrap();
    assert_eq!(taken(&link, WIDE), (Next::Write, vec![1, 1]));
    let counters = &link.lanes[CLASS.index()].counters;
    assert_eq!((counters.sent_messages.get(), counters.resent_messages.get()), (1, 1));
    link.acknowledge(CLASS, 1).unwrap();
    assert_eq!(link.held(CLASS), 0);
}

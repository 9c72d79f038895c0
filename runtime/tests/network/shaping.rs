//! Shaped links: lower bounds only, since a busy machine may add any delay.

use std::time::{Duration, Instant};

use cross_shard_msg::Duration as Span;
use runtime::network::{LinkFault, LinkShape, TrafficClass};

use crate::nodes::{blocking, config, decode, encode, shard, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_link_delivers_late_and_in_order() {
    let mut delayed = config(0);
    let shape =
        LinkShape { delay: Span::from_millis(50), jitter: Span::from_millis(20), bandwidth: None };
    delayed.links.overrides.insert((shard(0), shard(1)), shape);
    let mut nodes = start(vec![delayed, config(1)]).await;
    let mut receiver = nodes.pop().unwrap();
    let sender = nodes.pop().unwrap();
    let mut sent = Vec::new();
    for number in 0..100 {
        sent.push(Instant::now());
        sender.handle.send(shard(1), TrafficClass::Consensus, encode(number)).unwrap();
    }
    blocking(move || {
        for (number, sent) in sent.iter().enumerate() {
            let message = receiver.reader.message();
            assert_eq!(decode(&message.bytes), number as u64);
            assert!(sent.elapsed() >= Duration::from_millis(50));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_link_takes_its_time() {
    let mut narrow = config(0);
    narrow.links.default.bandwidth = Some(1_000_000);
    let mut nodes = start(vec![narrow, config(1)]).await;
    let mut receiver = nodes.pop().unwrap();
    let sender = nodes.pop().unwrap();
    let began = Instant::now();
    for _ in 0..10 {
        sender.handle.send(shard(1), TrafficClass::Receipts, vec![0; 10_000]).unwrap();
    }
    sender.handle.send(shard(1), TrafficClass::Consensus, vec![1]).unwrap();
    blocking(move || {
        let classes: Vec<_> = (0..11).map(|_| receiver.reader.message().class).collect();
        assert!(began.elapsed() >= Duration::from_millis(100));
        assert_eq!(classes.iter().filter(|class| **class == TrafficClass::Receipts).count(), 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disconnected_link_holds_everything_back() {
    let mut nodes = start(vec![config(0), config(1)]).await;
    let mut receiver = nodes.pop().unwrap();
    let mut sender = nodes.pop().unwrap();
    let class = TrafficClass::Control;
    sender.handle.set_faults(shard(1), &[LinkFault::Disconnected]).unwrap();
    sender.handle.send(shard(1), class, encode(1)).unwrap();
    // The other direction is open, and shows that the connection stands.
    receiver.handle.send(shard(0), class, encode(2)).unwrap();
    let sender = blocking(move || {
        assert_eq!(decode(&sender.reader.message().bytes), 2);
        sender
    })
    .await;
    assert_eq!(sender.handle.queued(shard(1), class), 1);
    sender.handle.set_faults(shard(1), &[]).unwrap();
    blocking(move || assert_eq!(decode(&receiver.reader.message().bytes), 1)).await;
}

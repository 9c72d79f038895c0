//! Order and exactly-once, with and without lost connections; overflow; restarts.

use std::collections::BTreeMap;
use std::time::Duration;

use cross_shard_msg::NodeId;
use prometheus_client::registry::Registry;
use runtime::network::{
    Delivery, LinkFault, NetworkEvent, PeerAddress, SendError, TrafficClass, Wakeup, bind, peer_id,
};

use crate::nodes::{Node, blocking, config, decode, encode, send_numbers, shard, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_messages_arrive_once_and_in_order() {
    const COUNT: u64 = 100_000;
    let mut nodes = start(vec![config(0), config(1)]).await;
    let mut readers = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let other = shard(1 - index as u32);
        send_numbers(node.handle.clone(), other, TrafficClass::Receipts, COUNT);
    }
    for (index, mut node) in nodes.drain(..).enumerate() {
        readers.push(tokio::task::spawn_blocking(move || {
            for number in 0..COUNT {
                let message = node.reader.message();
                assert_eq!(message.from, shard(1 - index as u32));
                assert_eq!(decode(&message.bytes), number);
            }
            node
        }));
    }
    // A node that has received everything lives on until the other has too.
    let mut done = Vec::new();
    for reader in readers {
        done.push(reader.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_nodes_exchange_all_classes_and_sizes() {
    const COUNT: u64 = 2_000;
    let nodes = start((0..4).map(config).collect()).await;
    let length = |number: u64| {
        8 + (number as usize * 7919) % if number.is_multiple_of(100) { 300_000 } else { 900 }
    };
    for node in &nodes {
        let handle = node.handle.clone();
        std::thread::spawn(move || {
            for number in 0..COUNT {
                for class in TrafficClass::ALL {
                    let mut bytes = encode(number);
                    bytes.resize(length(number), number as u8);
                    assert_eq!(handle.broadcast(handle.nodes(), class, bytes), []);
                }
            }
        });
    }
    let mut readers = Vec::new();
    for mut node in nodes {
        readers.push(tokio::task::spawn_blocking(move || {
            let mut expected = BTreeMap::<_, u64>::new();
            for _ in 0..COUNT * 3 * TrafficClass::COUNT as u64 {
                let message = node.reader.message();
                let number = expected.entry((message.from, message.class)).or_default();
                assert_eq!(decode(&message.bytes[..8]), *number);
                assert_eq!(message.bytes.len(), length(*number));
                assert!(message.bytes[8..].iter().all(|byte| *byte == *number as u8));
                *number += 1;
            }
            assert_eq!(expected.len(), 3 * TrafficClass::COUNT);
            node
        }));
    }
    let mut nodes = Vec::new();
    for reader in readers {
        nodes.push(reader.await.unwrap());
    }
    for node in &nodes {
        assert_eq!(node.network.drain(Duration::from_secs(60)).await, BTreeMap::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_lose_repeat_and_reorder_nothing() {
    const COUNT: u64 = 100_000;
    const CUTS: u64 = 10;
    let mut nodes = start(vec![config(0), config(1)]).await;
    let mut receiver = nodes.pop().unwrap();
    let sender = nodes.pop().unwrap();
    send_numbers(sender.handle.clone(), shard(1), TrafficClass::Receipts, COUNT);
    let runtime = tokio::runtime::Handle::current();
    let connections = blocking(move || {
        let mut connections = 0;
        let mut expected = 0;
        while expected < COUNT {
            match receiver.reader.next() {
                Delivery::Event(NetworkEvent::Connected(_)) => connections += 1,
                Delivery::Event(_) => {}
                Delivery::Message(message) => {
                    assert_eq!(decode(&message.bytes), expected);
                    expected += 1;
                    if expected % (COUNT / CUTS) == 0 && expected < COUNT {
                        runtime.block_on(receiver.handle.disconnect(shard(0))).unwrap();
                    }
                }
            }
        }
        connections
    })
    .await;
    // Cuts in quick succession may hit one connection.
    assert!(connections > 1, "the connection was never lost");
    drop(sender);
}

#[tokio::test]
async fn a_full_queue_refuses_and_reports() {
    let mut small = config(0);
    small.bounds.queue_messages = 10;
    let mut nodes = start(vec![small, config(1)]).await;
    let mut receiver = nodes.pop().unwrap();
    let mut sender = nodes.pop().unwrap();
    let class = TrafficClass::Control;
    sender.handle.set_faults(shard(1), &[LinkFault::Disconnected]).unwrap();
    for number in 0..10 {
        sender.handle.send(shard(1), class, encode(number)).unwrap();
    }
    for _ in 0..3 {
        let refused = sender.handle.send(shard(1), class, encode(99));
        assert_eq!(refused, Err(SendError::QueueFull { to: shard(1), class }));
    }
    // Other classes have queues of their own.
    sender.handle.send(shard(1), TrafficClass::Consensus, encode(0)).unwrap();
    sender.handle.set_faults(shard(1), &[]).unwrap();
    let receiver = blocking(move || {
        let mut got: Vec<_> = (0..11).map(|_| receiver.reader.message()).collect();
        got.retain(|message| message.class == class);
        let numbers: Vec<_> = got.iter().map(|message| decode(&message.bytes)).collect();
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
        receiver
    })
    .await;
    while sender.handle.send(shard(1), class, encode(10)).is_err() {
        tokio::task::yield_now().await;
    }
    blocking(move || {
        let to = shard(1);
        let full = sender.reader.event(|event| *event == NetworkEvent::Overflow { to, class });
        assert_eq!(full, NetworkEvent::Overflow { to, class });
        let ended =
            sender.reader.event(|event| matches!(event, NetworkEvent::OverflowEnded { .. }));
        assert!(matches!(ended, NetworkEvent::OverflowEnded { refused: 3.., .. }), "{ended:?}");
    })
    .await;
    drop(receiver);
}

#[tokio::test]
async fn a_node_that_never_comes_fills_the_queue_only() {
    let mut small = config(0);
    small.bounds.queue_bytes = 100;
    let bound = bind(small).await.unwrap();
    let absent = PeerAddress { node: shard(1), peer: peer_id([9; 32]).unwrap(), address: None };
    let mut node = Node::start(bound, &[absent]);
    let class = TrafficClass::Receipts;
    assert!(node.handle.send(shard(1), class, vec![0; 1_000]).is_ok(), "one is always allowed");
    assert!(node.handle.send(shard(1), class, vec![0; 1]).is_err());
    let too_long = node.handle.send(shard(1), class, vec![0; (16 << 20) + 1]);
    assert!(matches!(too_long, Err(SendError::TooLong { .. })));
    let unknown = node.handle.send(NodeId::Client, class, vec![]);
    assert_eq!(unknown, Err(SendError::UnknownNode(NodeId::Client)));
    blocking(move || node.reader.event(|event| matches!(event, NetworkEvent::Overflow { .. })))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_pass_receipts_that_nobody_takes() {
    let mut slow = config(1);
    slow.bounds.inbox_messages = 10;
    let mut nodes = start(vec![config(0), slow]).await;
    let mut receiver = nodes.pop().unwrap();
    let sender = nodes.pop().unwrap();
    for number in 0..1_000 {
        let mut receipt = encode(number);
        receipt.resize(50_000, 0);
        sender.handle.send(shard(1), TrafficClass::Receipts, receipt).unwrap();
    }
    sender.handle.send(shard(1), TrafficClass::Consensus, encode(7)).unwrap();
    while sender.handle.queued(shard(1), TrafficClass::Consensus) > 0 {
        tokio::task::yield_now().await;
    }
    assert!(sender.handle.queued(shard(1), TrafficClass::Receipts) > 0);
    let vote = blocking(move || receiver.reader.message()).await;
    assert_eq!((vote.class, decode(&vote.bytes)), (TrafficClass::Consensus, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_is_noticed_and_reached() {
    let first = bind(config(0)).await.unwrap();
    let second = bind(config(1)).await.unwrap();
    let peers = [(0, &first), (1, &second)].map(|(index, bound)| PeerAddress {
        node: shard(index),
        peer: bound.peer_id(),
        address: Some(bound.address()),
    });
    let mut stays = Node::start(first, &peers);
    let mut dies = Node::start(second, &peers);
    let class = TrafficClass::Control;
    stays.handle.send(shard(1), class, encode(1)).unwrap();
    let dies = blocking(move || {
        assert_eq!(decode(&dies.reader.message().bytes), 1);
        dies
    })
    .await;
    // Acknowledged, so that it is not sent to the next life.
    while stays.handle.queued(shard(1), class) > 0 {
        tokio::task::yield_now().await;
    }
    drop(dies);
    stays.handle.send(shard(1), class, encode(2)).unwrap();
    let again = bind(config(1)).await.unwrap();
    stays.handle.set_address(shard(1), again.address()).await.unwrap();
    let mut again = Node::start(again, &peers);
    blocking(move || {
        assert_eq!(decode(&again.reader.message().bytes), 2);
        stays.reader.event(|event| *event == NetworkEvent::PeerRestarted(shard(1)));
        again
    })
    .await;
}

#[tokio::test]
async fn an_inbox_ends_with_its_network() {
    let bound = bind(config(0)).await.unwrap();
    let (network, mut inbox) = bound.connect(&[], &mut Registry::default()).unwrap();
    let reader = std::thread::spawn(move || inbox.wait(None, 1, &mut Default::default()));
    drop(network);
    assert_eq!(reader.join().unwrap(), Wakeup::Closed);
}

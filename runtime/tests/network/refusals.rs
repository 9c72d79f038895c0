//! Strangers, oversize frames, garbage: refused with a counted reason, and without harm to others.

use libp2p::futures::{AsyncWriteExt, StreamExt};
use libp2p::swarm::SwarmEvent;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use runtime::network::{
    Inbox, Network, NetworkBounds, NetworkError, NetworkEvent, PeerAddress, RefusalReason,
    TrafficClass, bind, peer_id,
};

use crate::nodes::{Node, blocking, config, shard, start};
use crate::raw::{Intruder, dial, ends, frame, swarm, target};

const KEY: [u8; 32] = [200; 32];

/// A node that allows the intruder under the name of shard 1.
async fn victim() -> (Node, Intruder) {
    let bound = bind(config(0)).await.unwrap();
    let target = target(&bound);
    let intruder = PeerAddress { node: shard(1), peer: peer_id(KEY).unwrap(), address: None };
    let node = Node::start(bound, &[intruder]);
    (node, Intruder::connect(KEY, target).await)
}

async fn refusal(mut node: Node) -> (Node, RefusalReason) {
    blocking(move || {
        let event = node.reader.event(|event| matches!(event, NetworkEvent::Refused { .. }));
        match event {
            NetworkEvent::Refused { reason, .. } => (node, reason),
            other => panic!("{other:?}"),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_refused() {
    let bound = bind(config(0)).await.unwrap();
    let target = target(&bound);
    let mut registry = Registry::default();
    let (_network, mut inbox): (Network, Inbox) = bound.connect(&[], &mut registry).unwrap();
    let mut stranger = swarm([77; 32]);
    dial(&mut stranger, &target);
    // The stranger may see its connection stand for a moment; then it is closed.
    loop {
        match stranger.select_next_some().await {
            SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => {
                break;
            }
            _ => {}
        }
    }
    let mut got = Default::default();
    blocking(move || {
        inbox.wait(None, 1, &mut got);
        let refused = NetworkEvent::Refused { reason: RefusalReason::NotAllowed, from: None };
        assert_eq!(got, [runtime::network::Delivery::Event(refused)]);
    })
    .await;
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(text.contains("network_refused_total{reason=\"not_allowed\"} 1"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversize_frame_ends_the_stream() {
    let (node, mut intruder) = victim().await;
    let (mut stream, _) = intruder.greeted(TrafficClass::Receipts, 1).await;
    let length = NetworkBounds::default().message_bytes as u32 + 1;
    let mut header = length.to_le_bytes().to_vec();
    header.extend(1u64.to_le_bytes());
    stream.write_all(&header).await.unwrap();
    let (_node, reason) = refusal(node).await;
    assert_eq!(reason, RefusalReason::Oversize);
    ends(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_ends_only_its_stream() {
    let (node, mut intruder) = victim().await;
    let class = TrafficClass::Control;

    let mut stream = intruder.open(class).await;
    stream.write_all(&[0xa5; 4096]).await.unwrap();
    let (node, reason) = refusal(node).await;
    assert_eq!(reason, RefusalReason::BadHello);

    let (mut stream, _) = intruder.greeted(class, 1).await;
    stream.write_all(&[0xa5; 4096]).await.unwrap();
    let (node, reason) = refusal(node).await;
    assert_eq!(reason, RefusalReason::Oversize);

    let (mut stream, delivered) = intruder.greeted(class, 1).await;
    assert_eq!(delivered, 0);
    stream.write_all(&frame(1, b"first")).await.unwrap();
    stream.write_all(&frame(1, b"again")).await.unwrap();
    stream.write_all(&frame(3, b"gap")).await.unwrap();
    let (mut node, reason) = refusal(node).await;
    assert_eq!(reason, RefusalReason::SequenceGap);

    let (mut stream, delivered) = intruder.greeted(class, 1).await;
    assert_eq!(delivered, 1);
    stream.write_all(&frame(2, b"second")).await.unwrap();
    blocking(move || {
        assert_eq!(&node.reader.message().bytes[..], b"first");
        assert_eq!(&node.reader.message().bytes[..], b"second");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_stream_replaces_the_older() {
    let (mut node, mut intruder) = victim().await;
    let class = TrafficClass::Client;
    let (mut older, _) = intruder.greeted(class, 1).await;
    older.write_all(&frame(1, b"one")).await.unwrap();
    let (mut node, message) = blocking(move || {
        let message = node.reader.message();
        (node, message)
    })
    .await;
    assert_eq!(&message.bytes[..], b"one");
    let (mut newer, delivered) = intruder.greeted(class, 1).await;
    assert_eq!(delivered, 1);
    ends(&mut older).await;
    newer.write_all(&frame(1, b"one")).await.unwrap();
    newer.write_all(&frame(2, b"two")).await.unwrap();
    blocking(move || assert_eq!(&node.reader.message().bytes[..], b"two")).await;
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let first = bind(config(0)).await.unwrap();
    let mut second = config(1);
    second.listen = first.address();
    let Err(error) = bind(second).await else { panic!("two nodes on one port") };
    assert!(matches!(error, NetworkError::Listen { address, .. } if address == first.address()));
    assert!(error.to_string().contains("in use"), "{error}");
}

#[tokio::test]
async fn two_nodes_cannot_share_an_identity() {
    let bound = bind(config(0)).await.unwrap();
    let peer = peer_id([5; 32]).unwrap();
    let peers = [1, 2].map(|index| PeerAddress { node: shard(index), peer, address: None });
    let refused = bound.connect(&peers, &mut Registry::default());
    assert!(matches!(refused, Err(NetworkError::Duplicate(node)) if node == shard(2)));
    drop(start(vec![config(3)]).await);
}

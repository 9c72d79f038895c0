//! Networks for tests, and reading from an inbox with a limit on patience.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cross_shard_msg::{NodeId, ShardId};
use prometheus_client::registry::Registry;
use runtime::network::{
    Bound, Delivery, Inbound, Inbox, Network, NetworkConfig, NetworkEvent, NetworkHandle,
    PeerAddress, TrafficClass, Wakeup, bind,
};

/// How long a test waits before it gives up. Not an expectation: a failing test should end.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn shard(index: u32) -> NodeId {
    NodeId::Shard(ShardId(index))
}

pub fn config(index: u32) -> NetworkConfig {
    NetworkConfig::new(shard(index), [index as u8 + 1; 32])
}

/// A node of a test network.
pub struct Node {
    pub network: Network,
    pub handle: NetworkHandle,
    pub reader: InboxReader,
}

impl Node {
    pub fn start(bound: Bound, peers: &[PeerAddress]) -> Self {
        let (network, inbox) = bound.connect(peers, &mut Registry::default()).unwrap();
        let handle = network.handle();
        Self {
            network,
            handle,
            reader: InboxReader { inbox, waiting: VecDeque::new(), kept: VecDeque::new() },
        }
    }
}

/// Takes single deliveries from an inbox.
pub struct InboxReader {
    inbox: Inbox,
    waiting: VecDeque<Delivery>,
    /// Messages that came while an event was looked for.
    kept: VecDeque<Inbound>,
}

impl InboxReader {
    /// The next delivery; blocks.
    pub fn next(&mut self) -> Delivery {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(delivery) = self.waiting.pop_front() {
                return delivery;
            }
            match self.inbox.wait(Some(until), 256, &mut self.waiting) {
                Wakeup::Delivered | Wakeup::Woken => {}
                other => panic!("waited in vain: {other:?}"),
            }
        }
    }

    /// The next message, skipping events.
    pub fn message(&mut self) -> Inbound {
        if let Some(message) = self.kept.pop_front() {
            return message;
        }
        loop {
            if let Delivery::Message(message) = self.next() {
                return message;
            }
        }
    }

    /// The next event that `wanted` accepts, skipping other events and keeping messages.
    pub fn event(&mut self, wanted: impl Fn(&NetworkEvent) -> bool) -> NetworkEvent {
        loop {
            match self.next() {
                Delivery::Event(event) if wanted(&event) => return event,
                Delivery::Event(_) => {}
                Delivery::Message(message) => self.kept.push_back(message),
            }
        }
    }
}

/// Binds the configured nodes and gives each the addresses of all.
pub async fn start(configs: Vec<NetworkConfig>) -> Vec<Node> {
    let mut bound = Vec::new();
    let mut peers = Vec::new();
    for config in configs {
        let node = config.node;
        let one = bind(config).await.unwrap();
        peers.push(PeerAddress { node, peer: one.peer_id(), address: Some(one.address()) });
        bound.push(one);
    }
    bound.into_iter().map(|one| Node::start(one, &peers)).collect()
}

/// A number as a message, and back.
pub fn encode(number: u64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

pub fn decode(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

/// Sends `0..count` from a thread of its own, again when the queue is full.
pub fn send_numbers(
    handle: NetworkHandle,
    to: NodeId,
    class: TrafficClass,
    count: u64,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for number in 0..count {
            while handle.send(to, class, encode(number)).is_err() {
                std::thread::yield_now();
            }
        }
    })
}

/// Runs blocking code of a test without holding up the runtime.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

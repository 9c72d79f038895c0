//! What a message costs: throughput and latency over loopback, and CPU time of both ends together.
//!
//! Each node has a runtime with one worker thread and a thread that takes messages, as a process
//! has. The "cpu" benches report processor time per message, not elapsed time; "paced" sends a
//! message to each of eight nodes every millisecond, as a node of a busy network does, and so pays
//! for the wake-ups that a flood of messages shares; its "idle" twin does the same without sending.
#![allow(
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark reads clocks and spawns threads"
)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cross_shard_msg::{NodeId, ShardId};
use prometheus_client::registry::Registry;
use runtime::network::{
    Bound, Bytes, Delivery, Network, NetworkConfig, NetworkHandle, PeerAddress, TrafficClass,
    Wakeup, bind,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};

const PEERS: u32 = 8;
const SMALL: usize = 100;

/// Sent at once.
const CLASS: TrafficClass = TrafficClass::Control;

/// Lingers, so that messages share wake-ups.
const LINGERING: TrafficClass = TrafficClass::Client;

/// Messages that may be under way in the flood, so that queues stay below their bounds.
const FLIGHT: u64 = 50_000;

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn shard(index: u32) -> NodeId {
    NodeId::Shard(ShardId(index))
}

struct Bench {
    /// Node 0.
    sender: NetworkHandle,
    /// Messages that the other nodes received.
    received: Arc<AtomicU64>,
    /// Told of each message that came back to node 0.
    returned: mpsc::Receiver<()>,
    _nodes: Vec<(Runtime, Network)>,
}

impl Bench {
    /// Node 0 and `peers` others; these echo what is longer than a small message.
    fn start(peers: u32) -> Self {
        let bound: Vec<(Runtime, Bound)> = (0..=peers)
            .map(|index| {
                let runtime =
                    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
                let config = NetworkConfig::new(shard(index), [index as u8 + 1; 32]);
                let bound = runtime.block_on(bind(config)).unwrap();
                (runtime, bound)
            })
            .collect();
        let addresses: Vec<_> = bound
            .iter()
            .enumerate()
            .map(|(index, (_, bound))| PeerAddress {
                node: shard(index as u32),
                peer: bound.peer_id(),
                address: Some(bound.address()),
            })
            .collect();
        let received = Arc::new(AtomicU64::new(0));
        let (back, returned) = mpsc::channel();
        let mut nodes = Vec::new();
        for (index, (runtime, bound)) in bound.into_iter().enumerate() {
            let guard = runtime.enter();
            let (network, mut inbox) = bound.connect(&addresses, &mut Registry::default()).unwrap();
            drop(guard);
            let (handle, received, back) = (network.handle(), Arc::clone(&received), back.clone());
            thread::spawn(move || {
                let mut batch = VecDeque::new();
                while inbox.wait(None, 256, &mut batch) != Wakeup::Closed {
                    for delivery in batch.drain(..) {
                        let Delivery::Message(message) = delivery else { continue };
                        if index == 0 {
                            let _ = back.send(());
                            continue;
                        }
                        if message.bytes.len() > SMALL {
                            handle.send(message.from, CLASS, message.bytes).unwrap();
                        }
                        received.fetch_add(1, Ordering::Release);
                    }
                }
            });
            nodes.push((runtime, network));
        }
        let bench = Self { sender: nodes[0].1.handle(), received, returned, _nodes: nodes };
        for index in 1..=peers {
            bench.round_trip(shard(index));
        }
        bench
    }

    fn round_trip(&self, to: NodeId) {
        self.sender.send(to, CLASS, vec![0; 1024]).unwrap();
        self.returned.recv().unwrap();
    }

    fn flood(&self, count: u64) {
        let message = Bytes::from(vec![0; SMALL]);
        let before = self.received.load(Ordering::Acquire);
        for sent in 0..count {
            while sent - (self.received.load(Ordering::Acquire) - before) >= FLIGHT {
                thread::sleep(Duration::from_micros(100));
            }
            self.sender.send(shard(1), CLASS, message.clone()).unwrap();
        }
        self.await_received(before + count);
    }

    /// Every millisecond one message to each node, if a class is given.
    fn pace(&self, count: u64, class: Option<TrafficClass>) {
        let message = Bytes::from(vec![0; SMALL]);
        let before = self.received.load(Ordering::Acquire);
        let mut next = Instant::now();
        let rounds = count.div_ceil(u64::from(PEERS));
        for _ in 0..rounds {
            next += Duration::from_millis(1);
            thread::sleep(next.saturating_duration_since(Instant::now()));
            if let Some(class) = class {
                let refused = self.sender.broadcast((1..=PEERS).map(shard), class, message.clone());
                assert!(refused.is_empty());
            }
        }
        if class.is_some() {
            self.await_received(before + rounds * u64::from(PEERS));
        }
    }

    fn await_received(&self, count: u64) {
        while self.received.load(Ordering::Acquire) < count {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

fn network(criterion: &mut Criterion) {
    let pair = Bench::start(1);
    let mut group = criterion.benchmark_group("network");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    group.bench_function("round trip 1 KiB", |bench| bench.iter(|| pair.round_trip(shard(1))));
    group.bench_function("flood", |bench| {
        bench.iter_custom(|count| {
            let began = Instant::now();
            pair.flood(count);
            began.elapsed()
        })
    });
    group.bench_function("flood cpu", |bench| {
        bench.iter_custom(|count| {
            let began = cpu();
            pair.flood(count);
            cpu() - began
        })
    });
    drop(pair);
    let star = Bench::start(PEERS);
    let paced = [
        ("paced cpu", Some(CLASS)),
        ("paced cpu lingering", Some(LINGERING)),
        ("paced cpu idle", None),
    ];
    for (name, class) in paced {
        group.bench_function(name, |bench| {
            bench.iter_custom(|count| {
                let began = cpu();
                star.pace(count, class);
                cpu() - began
            })
        });
    }
    group.finish();
}

criterion_group!(benches, network);
criterion_main!(benches);

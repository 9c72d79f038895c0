//! What a message costs between two nodes of this machine, and how late a sleeping thread wakes.
//!
//! Two nodes with the network of processes: each with its own runtime and a thread that takes what
//! arrives, as every process has. Pauses between messages let threads fall asleep, as they do in a
//! network with little load.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::Duration;

use alloy_primitives::{B256, U256};
use cross_shard_msg::{
    CheckpointNumber, Congestion, Gas, Header, Height, Ledger, Message, NodeId, SealedHeader, Sent,
    Sequence, ShardId, Timestamp, Watermark, codec,
};
use prometheus_client::registry::Registry;
use runtime::network::{
    Bound, Bytes, Delivery, Network, NetworkConfig, NetworkHandle, PeerAddress, TrafficClass,
    Wakeup, bind,
};
use tokio::runtime::{Builder, Runtime};

use super::rounds::{Estimate, cpu_nanos, nanos, thread_nanos};
use super::{Batch, CalibrateError};

/// Sent at once, as blocks' notices and headers are.
const CLASS: TrafficClass = TrafficClass::Control;
/// Bytes of a message that is sent back.
const ECHOED: usize = 1_024;
/// Round trips of a round.
const TRIPS: usize = 30;
/// Messages of a flood.
const FLOOD: u64 = 1_000;
/// Between two messages, so that threads sleep.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a message of this machine to itself may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(5);
/// Timers of a round.
const TIMERS: usize = 30;

/// Two connected nodes.
pub(super) struct Pair {
    sender: NetworkHandle,
    /// Told of each message that came back.
    returned: mpsc::Receiver<()>,
    /// What the second node's thread received, and the CPU time that it has used, in nanoseconds.
    received: Arc<AtomicU64>,
    used: Arc<AtomicU64>,
    _nodes: Vec<(Runtime, Network)>,
}

fn node(index: u32) -> NodeId {
    NodeId::Shard(ShardId(index))
}

impl Pair {
    pub fn start() -> Result<Self, CalibrateError> {
        let problem = |what: &dyn std::fmt::Display| CalibrateError::Network(what.to_string());
        let mut bound: Vec<(Runtime, Bound)> = Vec::new();
        for index in 0..2 {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .map_err(|error| problem(&error))?;
            let config = NetworkConfig::new(node(index), [index as u8 + 1; 32]);
            let node = runtime.block_on(bind(config)).map_err(|error| problem(&error))?;
            bound.push((runtime, node));
        }
        let addresses: Vec<PeerAddress> = bound
            .iter()
            .zip(0..)
            .map(|((_, bound), index)| PeerAddress {
                node: node(index),
                peer: bound.peer_id(),
                address: Some(bound.address()),
            })
            .collect();
        let (received, used) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (back, returned) = mpsc::channel();
        let mut nodes = Vec::new();
        for (index, (runtime, bound)) in bound.into_iter().enumerate() {
            let guard = runtime.enter();
            let connected = bound.connect(&addresses, &mut Registry::default());
            let (network, mut inbox) = connected.map_err(|error| problem(&error))?;
            drop(guard);
            let (handle, back) = (network.handle(), back.clone());
            let (received, used) = (Arc::clone(&received), Arc::clone(&used));
            let take = move || {
                let mut batch = VecDeque::new();
                while inbox.wait(None, 256, &mut batch) != Wakeup::Closed {
                    for delivery in batch.drain(..) {
                        let Delivery::Message(message) = delivery else { continue };
                        if index == 0 {
                            let _ = back.send(());
                        } else if message.bytes.len() >= ECHOED {
                            let _ = handle.send(message.from, CLASS, message.bytes);
                        } else {
                            let _ = std::hint::black_box(codec::decode::<Message>(&message.bytes));
                            used.store(thread_nanos(), Ordering::Release);
                            received.fetch_add(1, Ordering::Release);
                        }
                    }
                }
            };
            std::thread::Builder::new()
                .name(format!("calibrate-{index}"))
                .spawn(take)
                .map_err(|error| problem(&error))?;
            nodes.push((runtime, network));
        }
        let sender = nodes.first().map(|(_, network)| network.handle());
        let sender = sender.ok_or_else(|| problem(&"no node"))?;
        let pair = Self { sender, returned, received, used, _nodes: nodes };
        // The first one waits for the connection.
        pair.round_trip().ok_or_else(|| problem(&"two nodes of this machine do not connect"))?;
        Ok(pair)
    }

    /// Nanoseconds there and back again; `None` if it does not come back.
    fn round_trip(&self) -> Option<f64> {
        let mut came = false;
        let took = nanos(|| {
            let sent = self.sender.send(node(1), CLASS, vec![0; ECHOED]);
            came = sent.is_ok() && self.returned.recv_timeout(PATIENCE).is_ok();
        });
        came.then_some(took)
    }

    /// Sends small messages as fast as they can be handed over; nanoseconds for each of them, of
    /// the sender and of the CPU of the receiving thread.
    fn flood(&self) -> (f64, f64) {
        let encoded = codec::encode(&Message::Received { sequence: Sequence(7) });
        let message = Bytes::from(encoded.unwrap_or_default());
        let (before, began) =
            (self.received.load(Ordering::Acquire), self.used.load(Ordering::Acquire));
        let mut taken = 0u64;
        let took = cpu_nanos(|| {
            for _ in 0..FLOOD {
                let bytes = codec::encode(&Message::Received { sequence: Sequence(7) });
                std::hint::black_box(bytes.is_ok());
                taken += u64::from(self.sender.send(node(1), CLASS, message.clone()).is_ok());
            }
        });
        let patience = runtime::clock::monotonic_nanos() + PATIENCE.as_nanos() as u64;
        while self.received.load(Ordering::Acquire) < before + taken
            && runtime::clock::monotonic_nanos() < patience
        {
            std::thread::sleep(Duration::from_micros(200));
        }
        let used = self.used.load(Ordering::Acquire).saturating_sub(began);
        (took / FLOOD as f64, used as f64 / taken.max(1) as f64)
    }
}

/// Time from hand to thread; CPU of the sending and of the receiving thread per message.
pub(super) fn messages() -> Result<[Batch; 3], CalibrateError> {
    let pair = Arc::new(Mutex::new(Pair::start()?));
    let of = |measure: fn(&Pair) -> f64| -> Batch {
        let pair = Arc::clone(&pair);
        Box::new(move || measure(&pair.lock().unwrap_or_else(PoisonError::into_inner)))
    };
    let transit = |pair: &Pair| {
        let trips: Vec<f64> = (0..TRIPS)
            .filter_map(|_| {
                std::thread::sleep(PAUSE);
                pair.round_trip()
            })
            .collect();
        Estimate::of(&trips).median / 2.0
    };
    Ok([of(transit), of(|pair| pair.flood().0), of(|pair| pair.flood().1)])
}

/// By how much a thread that sleeps until a moment wakes late.
pub(super) fn wakes() -> Result<Batch, CalibrateError> {
    Ok(Box::new(|| {
        let (lock, condition) = (Mutex::new(()), Condvar::new());
        let mut late = Vec::with_capacity(TIMERS);
        for _ in 0..TIMERS {
            let took = nanos(|| {
                let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = condition.wait_timeout(guard, PAUSE);
            });
            late.push((took - PAUSE.as_nanos() as f64).max(0.0));
        }
        Estimate::of(&late).median
    }))
}

/// A header of a network of four shards in which everyone has sent to everyone.
pub(super) fn header(outgoing_receipts_root: B256) -> SealedHeader {
    let others = || (1..4).map(ShardId);
    SealedHeader::seal(Header {
        shard: ShardId(0),
        height: Height(1_001),
        parent: B256::repeat_byte(2),
        checkpoint: CheckpointNumber(300),
        timestamp: Timestamp(2_000_000_000_000),
        state_root: B256::repeat_byte(3),
        transactions_root: B256::repeat_byte(4),
        results_root: B256::repeat_byte(5),
        outgoing_receipts_root,
        watermarks: others()
            .map(|source| Watermark {
                source,
                height: Height(1_000),
                header: B256::repeat_byte(1),
                sequence: Sequence(100_000),
                value: U256::from(1u128 << 80),
            })
            .collect(),
        sent: others()
            .map(|destination| Sent {
                destination,
                sequence: Sequence(100_000),
                value: U256::from(1u128 << 80),
            })
            .collect(),
        placements: Vec::new(),
        gas_used: Gas(21_000_000),
        gas_limit: Gas(30_000_000),
        base_fee: 1_000_000_000,
        congestion: Congestion::default(),
        ledger: Ledger::default(),
        traffic: alloy_primitives::B256::ZERO,
    })
}

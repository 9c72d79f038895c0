//! The outbox: what waits to be sent to one node, and what was sent and is not yet acknowledged.
//!
//! Each class of a link is a lane: a bounded queue whose front part is in flight. Plain threads
//! append; the lane's writer task takes batches; acknowledgements remove from the front. When a
//! stream is lost, the part in flight waits again, so that nothing is lost and nothing overtakes.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cross_shard_msg::NodeId;
use libp2p::PeerId;
use libp2p::bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::config::{NetworkBounds, NetworkConfig, TrafficClass};
use super::counters::{Counters, OutgoingCounters};
use super::events::{NetworkEvent, RefusalReason};
use super::fault::LinkFault;
use super::frame::FRAME_HEADER_BYTES;
use super::inbox::InboxSender;
use super::lock;
use super::shape::{Release, Shaper};

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The node is not in the network, or is this node.
    #[error("{0} is not another node of this network")]
    UnknownNode(NodeId),
    /// The message is longer than the bound allows.
    #[error("a message of {bytes} bytes exceeds the bound of {bound}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The bound (`message_bytes`).
        bound: usize,
    },
    /// The queue of this class to this node is full (`queue_messages`, `queue_bytes`).
    #[error("the queue of {class} messages to {to} is full")]
    QueueFull {
        /// The node.
        to: NodeId,
        /// The class.
        class: TrafficClass,
    },
}

/// A message of a lane, as the writer takes it.
pub(super) type Numbered = (u64, Bytes);

/// What the writer of a lane does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Write the batch that was taken.
    Write,
    /// The next message leaves at this time.
    Sleep(Instant),
    /// Wait for a message, an acknowledgement or a change of the link.
    Idle,
}

/// The credit of a receiver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub messages: u64,
    pub bytes: u64,
}

/// Everything that is sent to one node.
#[derive(Debug)]
pub(super) struct Link {
    pub to: NodeId,
    pub peer: PeerId,
    pub lanes: [Lane; TrafficClass::COUNT],
    /// Whether the connection stands.
    pub connected: watch::Sender<bool>,
    bounds: NetworkBounds,
    shaper: Mutex<Shaper>,
    /// Whether the shaper lets everything through at once.
    open: AtomicBool,
    /// The receiver's life as last seen; 0 before the first welcome.
    life: AtomicU64,
    inbox: InboxSender,
}

/// One class of a link.
#[derive(Debug)]
pub(super) struct Lane {
    pub counters: OutgoingCounters,
    /// Wakes the writer.
    pub wake: Notify,
    /// Told whenever the queue becomes empty.
    pub drained: Notify,
    /// When messages leave: at multiples of this time after the beginning.
    linger: Option<Linger>,
    state: Mutex<LaneState>,
}

#[derive(Debug)]
struct LaneState {
    /// In flight, then waiting.
    messages: VecDeque<Queued>,
    bytes: usize,
    /// Sequence of the first message.
    first: u64,
    /// How many messages are in flight, and their bytes.
    flying: usize,
    flying_bytes: u64,
    /// Sequence of the last message ever written; a later writing is a resend.
    highest_written: u64,
    /// The writer sleeps until it is told of a message.
    writer_waits: bool,
    /// Something was written since the writer last looked in vain.
    lively: bool,
    /// Messages refused since the queue became full.
    refused: u64,
}

/// The moments at which a lingering lane sends.
#[derive(Clone, Copy, Debug)]
struct Linger {
    began: Instant,
    every: Duration,
}

impl Linger {
    /// The first moment at or after `at`.
    fn next(&self, at: Instant) -> Instant {
        let every = self.every.as_nanos();
        let moments = at.saturating_duration_since(self.began).as_nanos().div_ceil(every);
        self.began + Duration::from_nanos(u64::try_from(moments * every).unwrap_or(u64::MAX))
    }
}

#[derive(Debug)]
struct Queued {
    bytes: Bytes,
    release: Release,
    /// Written twice, as a link with a fault does.
    copied: bool,
}

/// Payload bytes taken at most into one batch, unless a single message is longer.
const BATCH_BYTES: usize = 64 << 10;

impl Link {
    /// The link to `to`. All links of a node have the same `began`.
    pub(super) fn new(
        config: &NetworkConfig,
        (to, peer): (NodeId, PeerId),
        began: Instant,
        counters: &Counters,
        inbox: InboxSender,
    ) -> Self {
        let shape = config.links.shape(config.node, to);
        let shaper = Shaper::new(shape, config.seed, config.node, to);
        Self {
            to,
            peer,
            lanes: TrafficClass::ALL.map(|class| Lane {
                counters: counters.outgoing(to, class),
                wake: Notify::new(),
                drained: Notify::new(),
                linger: Some(Linger { began, every: config.linger[class.index()] })
                    .filter(|linger| !linger.every.is_zero()),
                state: Mutex::new(LaneState {
                    messages: VecDeque::new(),
                    bytes: 0,
                    first: 1,
                    flying: 0,
                    flying_bytes: 0,
                    highest_written: 0,
                    writer_waits: false,
                    lively: false,
                    refused: 0,
                }),
            }),
            connected: watch::Sender::new(false),
            bounds: config.bounds,
            open: AtomicBool::new(shaper.is_open()),
            shaper: Mutex::new(shaper),
            life: AtomicU64::new(0),
            inbox,
        }
    }

    /// Appends a message to its lane.
    pub(super) fn send(&self, class: TrafficClass, bytes: Bytes) -> Result<(), SendError> {
        if bytes.len() > self.bounds.message_bytes {
            let bound = self.bounds.message_bytes;
            return Err(SendError::TooLong { bytes: bytes.len(), bound });
        }
        let lane = &self.lanes[class.index()];
        let mut state = lock(&lane.state);
        let held = state.bytes + bytes.len();
        let full = state.messages.len() >= self.bounds.queue_messages
            || (held > self.bounds.queue_bytes && !state.messages.is_empty());
        if full {
            state.refused += 1;
            let first = state.refused == 1;
            drop(state);
            lane.counters.refused_messages.inc();
            if first {
                self.inbox.event(NetworkEvent::Overflow { to: self.to, class });
            }
            return Err(SendError::QueueFull { to: self.to, class });
        }
        let ended = std::mem::take(&mut state.refused);
        // The lane stays locked, so that release times have the order of the queue.
        let (release, copied) = self.release(lane, class, bytes.len());
        state.bytes = held;
        state.messages.push_back(Queued { bytes, release, copied });
        lane.gauge(&state);
        let wake = std::mem::take(&mut state.writer_waits);
        drop(state);
        if wake {
            lane.wake.notify_one();
        }
        if ended > 0 {
            self.inbox.event(NetworkEvent::OverflowEnded { to: self.to, class, refused: ended });
        }
        Ok(())
    }

    /// When a message leaves that is sent now, and whether it leaves twice.
    fn release(&self, lane: &Lane, class: TrafficClass, bytes: usize) -> (Release, bool) {
        let open = self.open.load(Ordering::Acquire);
        if open && lane.linger.is_none() {
            return (Release::AtOnce, false);
        }
        let now = Instant::now();
        let (release, copied) = match open {
            true => (Release::At(now), false),
            false => lock(&self.shaper).release(now, class, bytes + FRAME_HEADER_BYTES),
        };
        match (release, lane.linger) {
            (Release::At(at), Some(linger)) => (Release::At(linger.next(at)), copied),
            _ => (release, copied),
        }
    }

    /// Takes what may be written now into `batch`, which must be empty, and marks it as in flight.
    pub(super) fn take(
        &self,
        class: TrafficClass,
        window: Window,
        batch: &mut Vec<Numbered>,
    ) -> Next {
        let lane = &self.lanes[class.index()];
        let mut guard = lock(&lane.state);
        let state = &mut *guard;
        let mut now = None;
        let mut taken = 0;
        let mut fresh = (0, 0);
        let next = loop {
            let Some(message) = state.messages.get(state.flying) else {
                if batch.is_empty()
                    && std::mem::take(&mut state.lively)
                    && let Some(linger) = lane.linger
                {
                    // Where there was a message there will be more: looking again at the next
                    // moment is cheaper than being woken to wait for it.
                    break Next::Sleep(linger.next(Instant::now()));
                }
                state.writer_waits = batch.is_empty();
                break Next::Idle;
            };
            match message.release {
                Release::AtOnce => {}
                Release::At(at) if at <= *now.get_or_insert_with(Instant::now) => {}
                Release::At(at) => break Next::Sleep(at),
                // Told when the link is connected again.
                Release::Held => break Next::Idle,
            }
            let length = message.bytes.len();
            let flying_bytes = state.flying_bytes + length as u64;
            let credit = (state.flying as u64) < window.messages && flying_bytes <= window.bytes;
            if (!credit && state.flying > 0) || (taken + length > BATCH_BYTES && taken > 0) {
                break Next::Idle;
            }
            let sequence = state.first + state.flying as u64;
            batch.push((sequence, message.bytes.clone()));
            if message.copied {
                batch.push((sequence, message.bytes.clone()));
            }
            taken += length;
            if sequence > state.highest_written {
                state.highest_written = sequence;
                fresh = (fresh.0 + 1, fresh.1 + length as u64);
            }
            state.flying += 1;
            state.flying_bytes = flying_bytes;
        };
        state.lively |= !batch.is_empty();
        drop(guard);
        if batch.is_empty() {
            return next;
        }
        lane.counters.sent_messages.inc_by(fresh.0);
        lane.counters.sent_bytes.inc_by(fresh.1);
        lane.counters.resent_messages.inc_by(batch.len() as u64 - fresh.0);
        Next::Write
    }

    /// Waits until this lane has a message.
    pub(super) async fn waiting(&self, class: TrafficClass) {
        let lane = &self.lanes[class.index()];
        loop {
            {
                let mut state = lock(&lane.state);
                if !state.messages.is_empty() {
                    return;
                }
                state.writer_waits = true;
            }
            lane.wake.notified().await;
        }
    }

    /// Waits until this lane is empty: everything was acknowledged.
    pub(super) async fn drained(&self, class: TrafficClass) {
        let lane = &self.lanes[class.index()];
        loop {
            let drained = lane.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if lock(&lane.state).messages.is_empty() {
                return;
            }
            drained.await;
        }
    }

    /// How many messages of this lane are not acknowledged.
    pub(super) fn held(&self, class: TrafficClass) -> usize {
        lock(&self.lanes[class.index()].state).messages.len()
    }

    /// The first sequence that this lane can still send.
    pub(super) fn first(&self, class: TrafficClass) -> u64 {
        lock(&self.lanes[class.index()].state).first
    }

    /// Removes what the receiver has delivered, up to and with `sequence`.
    pub(super) fn acknowledge(
        &self,
        class: TrafficClass,
        sequence: u64,
    ) -> Result<(), RefusalReason> {
        let lane = &self.lanes[class.index()];
        let mut state = lock(&lane.state);
        if sequence > state.highest_written {
            return Err(RefusalReason::BadAcknowledgement);
        }
        while state.first <= sequence
            && let Some(message) = state.messages.pop_front()
        {
            state.first += 1;
            state.bytes -= message.bytes.len();
            if state.flying > 0 {
                state.flying -= 1;
                state.flying_bytes -= message.bytes.len() as u64;
            }
        }
        lane.gauge(&state);
        if state.messages.is_empty() {
            lane.drained.notify_waiters();
        }
        Ok(())
    }

    /// Goes on over a new stream, whose receiver has delivered up to and with `delivered`: all
    /// later messages wait again.
    pub(super) fn resume(
        &self,
        class: TrafficClass,
        life: u64,
        delivered: u64,
    ) -> Result<(), RefusalReason> {
        self.acknowledge(class, delivered)?;
        let lane = &self.lanes[class.index()];
        let mut state = lock(&lane.state);
        if delivered + 1 < state.first {
            return Err(RefusalReason::BadHello);
        }
        state.flying = 0;
        state.flying_bytes = 0;
        drop(state);
        lane.counters.streams.inc();
        self.met(life);
        Ok(())
    }

    /// Notes the life of the node at the other end, seen on any of its streams.
    pub(super) fn met(&self, life: u64) {
        let earlier = self.life.swap(life, Ordering::AcqRel);
        if earlier != 0 && earlier != life {
            self.inbox.event(NetworkEvent::PeerRestarted(self.to));
        }
    }

    /// Breaks the link in these ways and in no others. What waited for a connection goes on its
    /// way, unless the link is still disconnected.
    pub(super) fn set_faults(&self, faults: &[LinkFault]) {
        {
            let mut shaper = lock(&self.shaper);
            shaper.faults = faults.to_vec();
            self.open.store(shaper.is_open(), Ordering::Release);
        }
        for (class, lane) in TrafficClass::ALL.into_iter().zip(&self.lanes) {
            let mut state = lock(&lane.state);
            for message in state.messages.iter_mut().filter(|it| it.release == Release::Held) {
                let length = message.bytes.len();
                (message.release, message.copied) = self.release(lane, class, length);
            }
            drop(state);
            lane.wake.notify_one();
        }
    }
}

impl Lane {
    fn gauge(&self, state: &LaneState) {
        self.counters.queue_messages.set(state.messages.len() as i64);
        self.counters.queue_bytes.set(state.bytes as i64);
    }
}

#[cfg(test)]
mod tests;

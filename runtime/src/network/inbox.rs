//! The inbox: where received messages wait for the thread that handles them.
//!
//! It has a bounded queue per class. A full one holds back only its class: its streams stop
//! reading, senders run out of credit, their queues fill. A thread that also waits for other things
//! (timers, writes, computations) lets their owners call [`InboxWaker::wake`] and gives its next
//! deadline to [`Inbox::wait`].

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use cross_shard_msg::NodeId;
use libp2p::bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

use super::config::{NetworkBounds, TrafficClass};
use super::counters::Counters;
use super::events::{NetworkEvent, RefusalReason};
use super::lock;

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Who sent it; authenticated by the transport.
    pub from: NodeId,
    /// Its class.
    pub class: TrafficClass,
    /// What was sent.
    pub bytes: Bytes,
}

/// What an inbox delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A message.
    Message(Inbound),
    /// An event of the network.
    Event(NetworkEvent),
}

/// Why [`Inbox::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// At least one delivery was added.
    Delivered,
    /// [`InboxWaker::wake`] was called since the last return for this reason; nothing was added.
    Woken,
    /// The deadline passed.
    Deadline,
    /// The network is shut down and everything was delivered.
    Closed,
}

/// The receiving end, for one plain thread.
#[derive(Debug)]
pub struct Inbox {
    shared: Arc<Shared>,
}

/// Wakes the thread that waits at an [`Inbox`]. Cheap to clone.
#[derive(Clone, Debug)]
pub struct InboxWaker {
    shared: Arc<Shared>,
}

impl Inbox {
    /// Waits until something has arrived, a waker was used, or `until` has passed; then appends at
    /// most `limit` deliveries to `into`: events first, then messages of the most urgent class.
    /// Returns at once when something is already there. A limit keeps a long queue of one class
    /// from delaying what arrives meanwhile in a more urgent one.
    pub fn wait(
        &mut self,
        until: Option<Instant>,
        limit: usize,
        into: &mut VecDeque<Delivery>,
    ) -> Wakeup {
        let mut state = lock(&self.shared.state);
        loop {
            if self.shared.take(&mut state, limit, into) > 0 {
                // A pending wake is answered by this return too: the caller looks at everything.
                state.woken = false;
                return Wakeup::Delivered;
            }
            if std::mem::take(&mut state.woken) {
                return Wakeup::Woken;
            }
            if state.closed {
                return Wakeup::Closed;
            }
            state.waiting = true;
            state = match until {
                None => self.shared.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let now = Instant::now();
                    if until <= now {
                        state.waiting = false;
                        return Wakeup::Deadline;
                    }
                    self.shared
                        .arrived
                        .wait_timeout(state, until - now)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            state.waiting = false;
        }
    }

    /// A handle that makes [`Self::wait`] return.
    #[must_use]
    pub fn waker(&self) -> InboxWaker {
        InboxWaker { shared: Arc::clone(&self.shared) }
    }
}

impl InboxWaker {
    /// Makes the current or the next [`Inbox::wait`] return.
    pub fn wake(&self) {
        let mut state = lock(&self.shared.state);
        state.woken = true;
        self.shared.rouse(state);
    }
}

/// The producing end, for the tasks of the network.
#[derive(Clone, Debug)]
pub(super) struct InboxSender {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    /// Told when a class has room again.
    room: [Notify; TrafficClass::COUNT],
    bounds: NetworkBounds,
    depth: [Gauge; TrafficClass::COUNT],
    counters: Counters,
}

#[derive(Debug, Default)]
struct State {
    classes: [VecDeque<Inbound>; TrafficClass::COUNT],
    bytes: [usize; TrafficClass::COUNT],
    events: VecDeque<NetworkEvent>,
    lost_events: u64,
    woken: bool,
    /// The consumer sleeps, so that waking it is worth a system call.
    waiting: bool,
    closed: bool,
}

/// An inbox and its producing end.
pub(super) fn inbox(bounds: NetworkBounds, counters: &Counters) -> (InboxSender, Inbox) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        arrived: Condvar::new(),
        room: Default::default(),
        bounds,
        depth: TrafficClass::ALL.map(|class| counters.inbox(class)),
        counters: counters.clone(),
    });
    (InboxSender { shared: Arc::clone(&shared) }, Inbox { shared })
}

impl InboxSender {
    /// Moves messages of one class from the front of `batch` into the inbox, waiting for room.
    /// Cancel safe: what was moved is gone from `batch`.
    pub(super) async fn deliver(&self, class: TrafficClass, batch: &mut VecDeque<Inbound>) {
        loop {
            if self.try_deliver(class, batch) {
                return;
            }
            let room = self.shared.room[class.index()].notified();
            tokio::pin!(room);
            // Enabled before the second try, so that room made in between is not missed.
            room.as_mut().enable();
            if self.try_deliver(class, batch) {
                return;
            }
            room.await;
        }
    }

    /// Reports an event.
    pub(super) fn event(&self, event: NetworkEvent) {
        let mut state = lock(&self.shared.state);
        if state.events.len() < self.shared.bounds.events {
            state.events.push_back(event);
        } else {
            state.lost_events += 1;
        }
        self.shared.rouse(state);
    }

    /// Counts and reports a refusal.
    pub(super) fn refuse(&self, reason: RefusalReason, from: Option<NodeId>) {
        tracing::warn!(%reason, from = ?from, "refused");
        self.shared.counters.refused(reason).inc();
        self.event(NetworkEvent::Refused { reason, from });
    }

    /// Ends the inbox: the consumer gets what is there, then [`Wakeup::Closed`].
    pub(super) fn close(&self) {
        let mut state = lock(&self.shared.state);
        state.closed = true;
        self.shared.rouse(state);
    }

    /// Whether all of `batch` was moved.
    fn try_deliver(&self, class: TrafficClass, batch: &mut VecDeque<Inbound>) -> bool {
        let bounds = &self.shared.bounds;
        let index = class.index();
        let mut state = lock(&self.shared.state);
        while let Some(message) = batch.front() {
            let waiting = state.classes[index].len();
            let bytes = state.bytes[index] + message.bytes.len();
            let room = waiting < bounds.inbox_messages && bytes <= bounds.inbox_bytes;
            if !room && waiting > 0 {
                break;
            }
            state.bytes[index] = bytes;
            state.classes[index].extend(batch.pop_front());
        }
        self.shared.depth[index].set(state.classes[index].len() as i64);
        self.shared.rouse(state);
        batch.is_empty()
    }
}

impl Shared {
    /// Wakes the consumer if it sleeps.
    fn rouse(&self, mut state: std::sync::MutexGuard<'_, State>) {
        let waiting = std::mem::replace(&mut state.waiting, false);
        drop(state);
        if waiting {
            self.arrived.notify_one();
        }
    }

    fn take(&self, state: &mut State, limit: usize, into: &mut VecDeque<Delivery>) -> usize {
        let mut taken = 0;
        while taken < limit
            && let Some(event) = state.events.pop_front()
        {
            into.push_back(Delivery::Event(event));
            taken += 1;
        }
        if taken < limit && state.lost_events > 0 {
            let lost = std::mem::take(&mut state.lost_events);
            into.push_back(Delivery::Event(NetworkEvent::EventsLost(lost)));
            taken += 1;
        }
        for index in 0..TrafficClass::COUNT {
            let before = taken;
            while taken < limit
                && let Some(message) = state.classes[index].pop_front()
            {
                state.bytes[index] -= message.bytes.len();
                into.push_back(Delivery::Message(message));
                taken += 1;
            }
            if taken > before {
                self.depth[index].set(state.classes[index].len() as i64);
                self.room[index].notify_waiters();
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn message(class: TrafficClass, length: usize) -> Inbound {
        Inbound { from: NodeId::Client, class, bytes: Bytes::from(vec![0; length]) }
    }

    fn small() -> (InboxSender, Inbox) {
        let bounds = NetworkBounds {
            inbox_messages: 2,
            inbox_bytes: 10,
            events: 1,
            ..NetworkBounds::default()
        };
        inbox(bounds, &Counters::default())
    }

    #[test]
    fn urgent_classes_come_first_and_the_limit_holds() {
        let (sender, mut inbox) = small();
        for class in [TrafficClass::Receipts, TrafficClass::Consensus] {
            assert!(sender.try_deliver(class, &mut VecDeque::from([message(class, 1)])));
        }
        let mut got = VecDeque::new();
        assert_eq!(inbox.wait(None, 1, &mut got), Wakeup::Delivered);
        assert_eq!(got, [Delivery::Message(message(TrafficClass::Consensus, 1))]);
    }

    #[test]
    fn each_class_is_bounded_by_count_and_bytes() {
        let (sender, mut inbox) = small();
        let class = TrafficClass::Control;
        let mut batch = VecDeque::from(vec![message(class, 1); 3]);
        assert!(!sender.try_deliver(class, &mut batch));
        assert_eq!(batch.len(), 1);
        let other = TrafficClass::Client;
        let mut large = VecDeque::from(vec![message(other, 100), message(other, 0)]);
        assert!(!sender.try_deliver(other, &mut large));
        assert_eq!(large.len(), 1);
        inbox.wait(None, 100, &mut VecDeque::new());
        assert!(sender.try_deliver(class, &mut batch));
        assert!(sender.try_deliver(other, &mut large));
    }

    #[test]
    fn it_wakes_for_wakers_deadlines_and_the_end() {
        let (sender, mut inbox) = small();
        let mut got = VecDeque::new();
        inbox.waker().wake();
        assert_eq!(inbox.wait(None, 1, &mut got), Wakeup::Woken);
        let soon = Instant::now() + Duration::from_millis(1);
        assert_eq!(inbox.wait(Some(soon), 1, &mut got), Wakeup::Deadline);
        let waker = inbox.waker();
        let thread = std::thread::spawn(move || waker.wake());
        assert_eq!(inbox.wait(None, 1, &mut got), Wakeup::Woken);
        thread.join().unwrap();
        sender.close();
        assert_eq!(inbox.wait(None, 1, &mut got), Wakeup::Closed);
    }

    #[test]
    fn events_that_do_not_fit_are_counted() {
        let (sender, mut inbox) = small();
        for _ in 0..3 {
            sender.event(NetworkEvent::Connected(NodeId::Client));
        }
        let mut got = VecDeque::new();
        inbox.wait(None, 10, &mut got);
        assert_eq!(
            got,
            [
                Delivery::Event(NetworkEvent::Connected(NodeId::Client)),
                Delivery::Event(NetworkEvent::EventsLost(2)),
            ]
        );
    }
}

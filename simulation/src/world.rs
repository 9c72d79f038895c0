//! The world: nodes, links, CPUs and time (rules R-CORE-1 to R-CORE-4).
//!
//! Each node has one core. An input that arrives while the node is busy is handled when it is
//! free; what the machine asks for after a `Busy` happens that much later. Everything that happens
//! is folded into one digest, so that two runs can be told apart by one line.

use std::collections::BTreeMap;

use cross_shard_msg::{
    Audience, Duration, Event, Machine, Message, NodeId, Observation, Timestamp, Work,
};

use crate::cost::CostProfile;
use crate::host::{Delivery, Follower, Host, Hosted, Outgoing};
use crate::links::Links;
use crate::queue::Queue;

/// Time of a computation that a machine gave away; its worker is another core.
const COMPUTE_TIME: Duration = Duration::from_millis(1);

/// A simulated network.
pub struct World {
    now: Timestamp,
    queue: Queue,
    nodes: BTreeMap<NodeId, Node>,
    links: Links,
    profile: CostProfile,
    durable_after: Duration,
    verify_signatures: bool,
    observations: Vec<(NodeId, Observation)>,
    digest: blake3::Hasher,
    statistics: Statistics,
}

struct Node {
    host: Box<dyn Host>,
    free_at: Timestamp,
    /// When the worker that recovers senders is free. There is one, so that what a client sends in
    /// two messages is not turned round.
    recovered_at: Timestamp,
}

/// What a world has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Events handled.
    pub events: u64,
    /// Messages sent.
    pub messages: u64,
}

impl World {
    /// An empty world at time zero. `durable_after` is how long a write takes; `verify_signatures`
    /// says whether senders of submissions are recovered or assumed.
    #[must_use]
    pub fn new(
        links: Links,
        profile: CostProfile,
        durable_after: Duration,
        verify_signatures: bool,
    ) -> Self {
        Self {
            now: Timestamp::ZERO,
            queue: Queue::default(),
            nodes: BTreeMap::new(),
            links,
            profile,
            durable_after,
            verify_signatures,
            observations: Vec::new(),
            digest: blake3::Hasher::new(),
            statistics: Statistics::default(),
        }
    }

    /// Adds a node that starts now. `follower` sees its blocks and records.
    pub fn add<M, F>(&mut self, id: NodeId, machine: M, follower: F)
    where
        M: Machine + 'static,
        F: Follower<M> + 'static,
    {
        let host = Box::new(Hosted::new(machine, follower));
        self.nodes.insert(id, Node { host, free_at: self.now, recovered_at: self.now });
        self.queue.push(self.now, id, Delivery::Start);
    }

    /// Handles events until none is left at or before `end`, or `stop` says so after an event.
    /// Returns whether `stop` did.
    pub fn run(&mut self, end: Timestamp, mut stop: impl FnMut() -> bool) -> bool {
        while self.queue.next_time().is_some_and(|at| at <= end) {
            let Some(scheduled) = self.queue.pop() else { break };
            self.now = self.now.max(scheduled.at);
            self.handle(scheduled.node, scheduled.delivery);
            if stop() {
                return true;
            }
        }
        self.now = self.now.max(end);
        false
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Takes what the nodes observed since the last call, in order of events.
    pub fn take_observations(&mut self) -> Vec<(NodeId, Observation)> {
        std::mem::take(&mut self.observations)
    }

    /// Counters of the run so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Digest of everything that happened so far. Equal runs have equal digests.
    #[must_use]
    pub fn digest(&self) -> alloy_primitives::B256 {
        alloy_primitives::B256::from(*self.digest.finalize().as_bytes())
    }

    fn handle(&mut self, id: NodeId, delivery: Delivery) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        self.statistics.events += 1;
        fold(&mut self.digest, self.now, id, &delivery);
        if let Delivery::Message { from, message: Message::Submit(submissions) } = delivery {
            self.submit(id, from, &submissions);
            return;
        }
        let start = node.free_at.max(self.now);
        let mut out = Vec::new();
        node.host.deliver(start, delivery, &mut out);
        let mut at = start;
        for outgoing in out {
            match outgoing {
                Outgoing::Busy(work) => at = at + self.profile.price(&work),
                Outgoing::Send(to, message) => self.send(id, to, message, at),
                Outgoing::Broadcast(audience, message) => {
                    for to in self.audience(audience, id) {
                        self.send(id, to, message.clone(), at);
                    }
                }
                Outgoing::SetTimer(token, when) => {
                    self.queue.push(when.max(at), id, Delivery::Timer(token));
                }
                Outgoing::Persist(write) => {
                    self.queue.push(at + self.durable_after, id, Delivery::Durable(write));
                }
                Outgoing::Compute(token) => {
                    self.queue.push(at + COMPUTE_TIME, id, Delivery::Computed(token));
                }
                Outgoing::Observe(event) => self.observe(id, at, event),
            }
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            node.free_at = at;
        }
    }

    /// The edge of a node: makes senders known in order of arrival, as a process does on its worker
    /// thread.
    fn submit(&mut self, id: NodeId, from: NodeId, submissions: &[cross_shard_msg::Submission]) {
        let Some(node) = self.nodes.get(&id) else { return };
        let mut refused = Vec::new();
        let mut ready = node.recovered_at.max(self.now);
        for submission in submissions {
            if self.verify_signatures {
                let work = Work { recoveries: 1, ..Work::default() };
                ready = ready + self.profile.price(&work);
            }
            match submission.recover(self.verify_signatures) {
                Ok(recovered) => self.queue.push(ready, id, Delivery::Submit(recovered)),
                Err(admission) => refused.push(admission),
            }
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            node.recovered_at = ready;
        }
        for admission in &refused {
            if let Err(refusal) = admission.outcome {
                let key = cross_shard_msg::TransactionKey::of(&admission.hash);
                self.observe(id, ready, Event::Refused { key, refusal });
            }
        }
        if !refused.is_empty() {
            self.send(id, from, Message::Admissions(refused), ready);
        }
    }

    fn send(&mut self, from: NodeId, to: NodeId, message: Message, at: Timestamp) {
        self.statistics.messages += 1;
        let arrival = self.links.arrival(from, to, at);
        self.queue.push(arrival, to, Delivery::Message { from, message });
    }

    fn observe(&mut self, node: NodeId, at: Timestamp, event: Event) {
        self.observations.push((node, Observation { at, event }));
    }

    fn audience(&self, audience: Audience, sender: NodeId) -> Vec<NodeId> {
        let belongs = |node: &NodeId| match audience {
            Audience::Coordinators => matches!(node, NodeId::Coordinator(_)),
            Audience::Shards => matches!(node, NodeId::Shard(_)),
            Audience::ShardsAndClient => matches!(node, NodeId::Shard(_) | NodeId::Client),
        };
        self.nodes.keys().copied().filter(|node| belongs(node) && *node != sender).collect()
    }
}

/// Folds an event into the digest: when, to whom, what, and the content that decides the rest.
fn fold(digest: &mut blake3::Hasher, at: Timestamp, node: NodeId, delivery: &Delivery) {
    digest.update(&at.0.to_be_bytes());
    fold_node(digest, node);
    match delivery {
        Delivery::Start => digest.update(&[0]),
        Delivery::Timer(token) => digest.update(&[1]).update(&token.to_be_bytes()),
        Delivery::Durable(id) => digest.update(&[2]).update(&id.0.to_be_bytes()),
        Delivery::Computed(token) => digest.update(&[3]).update(&token.to_be_bytes()),
        Delivery::Submit(recovered) => {
            digest.update(&[4]).update(recovered.transaction().hash().as_slice())
        }
        Delivery::Message { from, message } => {
            fold_node(digest, *from);
            fold_message(digest.update(&[5]), message)
        }
    };
}

fn fold_node(digest: &mut blake3::Hasher, node: NodeId) {
    let (kind, index) = match node {
        NodeId::Shard(shard) => (0, shard.0),
        NodeId::Coordinator(index) => (1, index.0),
        NodeId::Client => (2, 0),
    };
    digest.update(&[kind]).update(&u32::to_be_bytes(index));
}

fn fold_message<'a>(digest: &'a mut blake3::Hasher, message: &Message) -> &'a mut blake3::Hasher {
    match message {
        Message::Submit(items) => digest.update(&[0]).update(&items.len().to_be_bytes()),
        Message::Admissions(items) => digest.update(&[1]).update(&items.len().to_be_bytes()),
        Message::Included(notice) => digest.update(&[2]).update(&notice.height.0.to_be_bytes()),
        Message::Batch(batch) => digest.update(&[3]).update(batch.header.hash().as_slice()),
        Message::PullBatches { above } => digest.update(&[4]).update(&above.0.to_be_bytes()),
        Message::Received { sequence } => digest.update(&[5]).update(&sequence.0.to_be_bytes()),
        Message::Headers(headers) => {
            digest.update(&[6]);
            for header in headers.iter() {
                digest.update(header.hash().as_slice());
            }
            digest
        }
        Message::PullHeaders { shard, from, to } => digest
            .update(&[7])
            .update(&shard.0.to_be_bytes())
            .update(&from.0.to_be_bytes())
            .update(&to.0.to_be_bytes()),
        Message::Consensus(bytes) => digest.update(&[8]).update(bytes),
        Message::Finalized(finalized) => {
            digest.update(&[9]).update(finalized.checkpoint.digest().as_slice())
        }
        Message::PullCheckpoints { from } => digest.update(&[10]).update(&from.0.to_be_bytes()),
    }
}

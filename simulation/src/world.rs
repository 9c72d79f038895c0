//! The world: nodes, links, CPUs, disks, faults and time (rules R-CORE-1 to R-CORE-4).
//!
//! Each node has one core. An input that arrives while the node is busy is handled when it is
//! free; what the machine asks for after a `Busy` happens that much later. A write becomes durable
//! after its disk's delay; a crash loses what is not, with everything that was on its way to the
//! node. Everything that happens is folded into one digest, so that two runs can be told apart by
//! one line.

mod breaking;
mod node;
mod sending;

use std::collections::BTreeMap;

use cross_shard_msg::{
    Audience, Duration, Event, Machine, Message, NodeId, Observation, Timestamp, verified::Verified,
};
use rand_chacha::ChaCha12Rng;
use rand_core::SeedableRng as _;

use crate::cost::{CostProfile, job_time};
use crate::digest::Digest;
use crate::fault::Fault;
use crate::host::{Delivery, Follower, Host, Hosted, Outgoing};
use crate::links::Links;
use crate::queue::Queue;
use crate::trace::{Happening, TraceEvent};

pub use breaking::FaultId;
pub use node::Disk;

use node::Node;
use sending::Flight;

/// A simulated network.
pub struct World {
    now: Timestamp,
    queue: Queue<Due>,
    nodes: Vec<Node>,
    places: BTreeMap<NodeId, usize>,
    /// Members of each group, ascending by name, without regard to the sender.
    groups: BTreeMap<Audience, Vec<usize>>,
    links: Links,
    /// What waits for the end of a disconnection.
    waiting: Vec<Flight>,
    profile: CostProfile,
    disk: Disk,
    torn: ChaCha12Rng,
    verify_signatures: bool,
    trust_senders: bool,
    observations: Vec<(NodeId, Observation)>,
    /// Who proposed last.
    leader: Option<NodeId>,
    faults: u64,
    tracer: Option<Tracer>,
    digest: Digest,
    statistics: Statistics,
    out: Vec<Outgoing>,
    /// Of signatures that all nodes check one really is; each is charged.
    verified: Verified,
}

/// Is shown every event.
type Tracer = Box<dyn FnMut(&TraceEvent<'_>)>;

/// What is due. What concerns a node is meant for one of its lives.
enum Due {
    Delivery {
        to: usize,
        life: usize,
        delivery: Delivery,
    },
    Arrival(Flight),
    /// The node may be free.
    Wake(usize),
    Restart {
        node: usize,
        life: usize,
    },
    Fault(Box<Fault>),
    FaultEnds(u64),
    SkewEnds {
        node: usize,
        life: usize,
        offset: i64,
    },
}

/// What a world has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Events handled.
    pub events: u64,
    /// Messages sent.
    pub messages: u64,
    /// Messages that got lost on links, or because one of their ends was down.
    pub lost: u64,
    /// Messages that arrived twice.
    pub duplicated: u64,
    /// Crashes of nodes.
    pub crashes: u64,
    /// Nodes that started again.
    pub restarts: u64,
    /// Writes that a crash lost.
    pub lost_writes: u64,
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
            nodes: Vec::new(),
            places: BTreeMap::new(),
            groups: BTreeMap::new(),
            links,
            waiting: Vec::new(),
            profile,
            disk: Disk { durable_after, torn: false },
            torn: ChaCha12Rng::seed_from_u64(0),
            verify_signatures,
            trust_senders: false,
            observations: Vec::new(),
            leader: None,
            faults: 0,
            tracer: None,
            digest: Digest::new(),
            statistics: Statistics::default(),
            out: Vec::new(),
            verified: Verified::default(),
        }
    }

    /// Believes the senders that travel with submissions, although signatures are verified: the
    /// time for it is charged, and the real work is saved. For workloads whose signatures are known
    /// to be good, because the run itself made them; a submission that names no sender is recovered
    /// as ever.
    pub fn trust_senders(&mut self) {
        self.trust_senders = true;
    }

    /// Adds a node that starts now. `follower` sees its blocks and records. It never restarts.
    ///
    /// # Panics
    /// When there is a node of this name.
    pub fn add<M, F>(&mut self, id: NodeId, machine: M, follower: F)
    where
        M: Machine + 'static,
        F: Follower<M> + 'static,
    {
        self.place(id, Box::new(Hosted::new(machine, follower, None)));
    }

    /// Adds a node that starts now and can be restarted. `restart` makes its machine from its
    /// durable records, oldest first; of none, at first.
    ///
    /// # Panics
    /// When there is a node of this name.
    pub fn add_restartable<M, F, R>(&mut self, id: NodeId, mut restart: R, follower: F)
    where
        M: Machine + 'static,
        F: Follower<M> + 'static,
        R: FnMut(&[M::Record]) -> M + 'static,
    {
        let machine = restart(&[]);
        self.place(id, Box::new(Hosted::new(machine, follower, Some(Box::new(restart)))));
    }

    /// Handles events until none is left at or before `end`, or `stop` says so after an event.
    /// Returns whether `stop` did.
    pub fn run(&mut self, end: Timestamp, stop: impl FnMut() -> bool) -> bool {
        let mut verified = std::mem::take(&mut self.verified);
        let stopped = verified.during(|| self.go_on(end, stop));
        self.verified = verified;
        stopped
    }

    fn go_on(&mut self, end: Timestamp, mut stop: impl FnMut() -> bool) -> bool {
        while let Some((at, due)) = self.queue.pop_until(end) {
            self.now = self.now.max(at);
            self.happen(due);
            if stop() {
                return true;
            }
        }
        self.now = self.now.max(end);
        false
    }

    /// Shows every event from now on to `tracer`, before its node handles it.
    pub fn trace(&mut self, tracer: impl FnMut(&TraceEvent<'_>) + 'static) {
        self.tracer = Some(Box::new(tracer));
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
        self.digest.finish()
    }

    fn place(&mut self, id: NodeId, host: Box<dyn Host>) {
        let place = self.nodes.len();
        let before = self.places.insert(id, place);
        assert!(before.is_none(), "there are two nodes {id}");
        self.nodes.push(Node::new(id, host, self.disk, self.now));
        for audience in [Audience::Coordinators, Audience::Shards, Audience::ShardsAndClient] {
            let members = self.places.iter().filter(|(id, _)| belongs(audience, **id));
            self.groups.insert(audience, members.map(|(_, place)| *place).collect());
        }
        self.deliver_at(self.now, place, Delivery::Start);
    }

    fn deliver_at(&mut self, at: Timestamp, to: usize, delivery: Delivery) {
        let life = self.nodes[to].life();
        self.queue.push(at, Due::Delivery { to, life, delivery });
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Delivery { to, life, delivery } => {
                let node = &mut self.nodes[to];
                if !node.lives(life) {
                    return;
                }
                if let Delivery::Durable(id) = delivery {
                    node.written(id);
                }
                self.receive(to, delivery);
            }
            Due::Arrival(flight) => self.arrive(flight),
            Due::Wake(to) => {
                if let Some(delivery) = self.nodes[to].wake(self.now) {
                    self.handle(to, delivery);
                }
                self.wake_when_free(to);
            }
            Due::Restart { node, life } => {
                if self.nodes[node].life() == life {
                    self.restart_at(node);
                }
            }
            Due::Fault(fault) => {
                self.inject(&fault);
            }
            Due::FaultEnds(id) => self.heal(FaultId(id)),
            Due::SkewEnds { node, life, offset } => {
                if self.nodes[node].lives(life) {
                    self.nodes[node].skew(-offset);
                }
            }
        }
    }

    /// What has reached a node is handled at once or when the node is free.
    fn receive(&mut self, to: usize, delivery: Delivery) {
        let node = &mut self.nodes[to];
        let at_edge = matches!(&delivery, Delivery::Message { message: Message::Submit(_), .. });
        if node.is_free(self.now) || (at_edge && !node.is_paused(self.now)) {
            self.handle(to, delivery);
        } else {
            node.queue(delivery);
            self.wake_when_free(to);
        }
    }

    fn wake_when_free(&mut self, to: usize) {
        if let Some(at) = self.nodes[to].next_wake(self.now) {
            self.queue.push(at, Due::Wake(to));
        }
    }

    fn handle(&mut self, place: usize, delivery: Delivery) {
        self.statistics.events += 1;
        self.note(place, &delivery);
        if let Delivery::Message { from, message: Message::Submit(submissions) } = delivery {
            self.submit(place, from, &submissions);
            return;
        }
        let taking = match delivery {
            Delivery::Message { .. } => self.profile.input,
            _ => 0,
        };
        let mut out = std::mem::take(&mut self.out);
        self.nodes[place].deliver(self.now, delivery, &mut out);
        let mut at = self.now + Duration(taking);
        for outgoing in out.drain(..) {
            match outgoing {
                Outgoing::Busy(work) => at = at + self.profile.price(&work),
                Outgoing::Send(to, message) => {
                    at = at + Duration(self.profile.message);
                    self.send(place, to, message, at);
                }
                Outgoing::Broadcast(audience, message) => {
                    at = self.broadcast(place, audience, &message, at);
                }
                Outgoing::SetTimer(token, when) => {
                    let wake = Duration(self.profile.wake);
                    let due = (self.nodes[place].world_time(when) + wake).max(at);
                    self.deliver_at(due, place, Delivery::Timer(token));
                }
                Outgoing::Persist(write) => {
                    let durable = self.nodes[place].write(at);
                    self.deliver_at(durable, place, Delivery::Durable(write));
                }
                Outgoing::Compute(token, size) => {
                    self.deliver_at(at + job_time(&size), place, Delivery::Computed(token));
                }
                Outgoing::Observe(event) => self.observe(place, at, event),
            }
        }
        self.out = out;
        self.nodes[place].busy_until(at);
    }

    fn observe(&mut self, place: usize, at: Timestamp, event: Event) {
        let id = self.nodes[place].id;
        if let Event::CheckpointProposed { .. } = event {
            self.leader = Some(id);
        }
        self.show(at, id, Happening::Observed(&event));
        self.observations.push((id, Observation { at, event }));
    }

    /// Folds what a node is about to handle into the digest, and shows it.
    fn note(&mut self, place: usize, delivery: &Delivery) {
        let (kind, name) = match delivery {
            Delivery::Start => (0, 0),
            Delivery::Timer(token) => (1, *token),
            Delivery::Durable(id) => (2, id.0),
            Delivery::Computed(token) => (3, *token),
            Delivery::Submit(recovered) => (4, recovered.transaction().key().0),
            Delivery::Message { from, .. } => (5, self.places.get(from).map_or(0, |at| *at as u64)),
        };
        self.digest.event(self.now, place as u32, kind, name);
        if self.tracer.is_none() {
            return;
        }
        let name;
        let node = &self.nodes[place];
        let what = match delivery {
            Delivery::Start => Happening::Started,
            Delivery::Timer(token) => {
                name = node.timer_name(*token);
                Happening::Timer { name: &name }
            }
            Delivery::Durable(id) => Happening::Durable(*id),
            Delivery::Computed(_) => Happening::Computed,
            Delivery::Submit(recovered) => {
                Happening::Submitted { hash: recovered.transaction().hash() }
            }
            Delivery::Message { from, message } => Happening::Message { from: *from, message },
        };
        let id = node.id;
        self.show(self.now, id, what);
    }

    fn show(&mut self, at: Timestamp, node: NodeId, what: Happening<'_>) {
        if let Some(tracer) = &mut self.tracer {
            tracer(&TraceEvent { at, node, what });
        }
    }
}

fn belongs(audience: Audience, node: NodeId) -> bool {
    match audience {
        Audience::Coordinators => matches!(node, NodeId::Coordinator(_)),
        Audience::Shards => matches!(node, NodeId::Shard(_)),
        Audience::ShardsAndClient => matches!(node, NodeId::Shard(_) | NodeId::Client),
    }
}

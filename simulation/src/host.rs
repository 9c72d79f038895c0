//! Hosts one machine of any kind behind one object type: keeps its timers, its writes and what of
//! them is durable; unpacks its effects; rebuilds it after a crash.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use cross_shard_msg::{
    Audience, Effect, Effects, Event, Input, JobId, JobSize, Machine, Message, NodeId, Recovered,
    Timestamp, Work, WriteId,
};

/// What a world tells a host.
#[derive(Debug)]
pub(crate) enum Delivery {
    Start,
    Message { from: NodeId, message: Message },
    Timer(u64),
    Submit(Recovered),
    Durable(WriteId),
    Computed(u64),
}

/// What a host tells the world, in order.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Send(NodeId, Message),
    Broadcast(Audience, Message),
    /// Deliver the timer with this token when the node's clock says so.
    SetTimer(u64, Timestamp),
    Persist(WriteId),
    /// A computation of this size began; deliver its result by this token.
    Compute(u64, JobSize),
    Busy(Work),
    Observe(Event),
}

/// Sees what a machine executes and makes durable, as it happens.
pub trait Follower<M: Machine> {
    /// A block was executed.
    fn executed(&mut self, executed: &Arc<M::Executed>);
    /// A record was asked to be made durable. A crash may still lose it.
    fn record(&mut self, record: &M::Record);
    /// A record became durable: it is what the node is rebuilt from. Called in order, before the
    /// machine learns of it.
    fn durable(&mut self, _: &M::Record) {}
}

/// Ignores everything.
impl<M: Machine> Follower<M> for () {
    fn executed(&mut self, _: &Arc<M::Executed>) {}
    fn record(&mut self, _: &M::Record) {}
}

/// Rebuilds a machine from its durable records, oldest first.
pub(crate) type Restart<M> = Box<dyn FnMut(&[<M as Machine>::Record]) -> M>;

pub(crate) trait Host {
    fn deliver(&mut self, now: Timestamp, delivery: Delivery, out: &mut Vec<Outgoing>);
    /// A write is durable, whether or not the machine has time to be told.
    fn written(&mut self, id: WriteId);
    /// The node is gone. Of its pending writes the first `kept` had reached the disk.
    fn crash(&mut self, kept: usize);
    /// Rebuilds the machine; false if nobody knows how.
    fn restart(&mut self) -> bool;
    /// Which timer has this token, for people.
    fn timer_name(&self, token: u64) -> String;
}

pub(crate) struct Hosted<M: Machine, F> {
    machine: M,
    follower: F,
    restart: Option<Restart<M>>,
    effects: Effects<M>,
    timers: BTreeMap<M::Timer, u64>,
    tokens: BTreeMap<u64, (M::Timer, Timestamp)>,
    results: BTreeMap<u64, (JobId, M::JobResult)>,
    next_token: u64,
    pending: VecDeque<(WriteId, M::Record)>,
    /// Kept only where it is needed to restart.
    log: Vec<M::Record>,
}

impl<M: Machine, F: Follower<M>> Hosted<M, F> {
    pub fn new(machine: M, follower: F, restart: Option<Restart<M>>) -> Self {
        Self {
            machine,
            follower,
            restart,
            effects: Effects::new(),
            timers: BTreeMap::new(),
            tokens: BTreeMap::new(),
            results: BTreeMap::new(),
            next_token: 0,
            pending: VecDeque::new(),
            log: Vec::new(),
        }
    }

    fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    fn input(
        &mut self,
        now: Timestamp,
        delivery: Delivery,
        out: &mut Vec<Outgoing>,
    ) -> Option<Input<M>> {
        Some(match delivery {
            Delivery::Start => Input::Start,
            Delivery::Message { from, message } => Input::Message { from, message },
            Delivery::Submit(recovered) => Input::Submit(recovered),
            Delivery::Durable(id) => Input::Durable(id),
            // A timer that was moved or cancelled leaves a token that names nothing.
            Delivery::Timer(token) => {
                let (timer, due) = self.tokens.remove(&token)?;
                if now < due {
                    // The node's clock was set back meanwhile.
                    self.tokens.insert(token, (timer, due));
                    out.push(Outgoing::SetTimer(token, due));
                    return None;
                }
                self.timers.remove(&timer);
                Input::Timer(timer)
            }
            Delivery::Computed(token) => {
                let (id, result) = self.results.remove(&token)?;
                Input::Computed(id, result)
            }
        })
    }

    fn keep(&mut self, record: M::Record) {
        self.follower.durable(&record);
        if self.restart.is_some() {
            self.log.push(record);
        }
    }

    fn cancel(&mut self, timer: &M::Timer) {
        if let Some(token) = self.timers.remove(timer) {
            self.tokens.remove(&token);
        }
    }
}

impl<M: Machine, F: Follower<M>> Host for Hosted<M, F> {
    fn deliver(&mut self, now: Timestamp, delivery: Delivery, out: &mut Vec<Outgoing>) {
        let Some(input) = self.input(now, delivery, out) else { return };
        let mut effects = std::mem::take(&mut self.effects);
        self.machine.handle(now, input, &mut effects);
        for effect in effects.drain() {
            match effect {
                Effect::Send { to, message } => out.push(Outgoing::Send(to, message)),
                Effect::Broadcast { to, message } => out.push(Outgoing::Broadcast(to, message)),
                Effect::SetTimer { timer, at } => {
                    self.cancel(&timer);
                    let token = self.token();
                    self.timers.insert(timer.clone(), token);
                    self.tokens.insert(token, (timer, at));
                    out.push(Outgoing::SetTimer(token, at));
                }
                Effect::CancelTimer(timer) => self.cancel(&timer),
                Effect::Persist { id, record } => {
                    self.follower.record(&record);
                    self.pending.push_back((id, record));
                    out.push(Outgoing::Persist(id));
                }
                Effect::Compute(id, job) => {
                    let token = self.token();
                    let size = M::job_size(&job);
                    self.results.insert(token, (id, M::compute(job)));
                    out.push(Outgoing::Compute(token, size));
                }
                Effect::Busy(work) => out.push(Outgoing::Busy(work)),
                Effect::Executed(executed) => self.follower.executed(&executed),
                Effect::Observe(event) => out.push(Outgoing::Observe(event)),
            }
        }
        self.effects = effects;
    }

    fn written(&mut self, id: WriteId) {
        let Some((oldest, record)) = self.pending.pop_front() else { return };
        assert!(oldest == id, "writes become durable in order: {oldest} is before {id}");
        self.keep(record);
    }

    fn crash(&mut self, kept: usize) {
        for _ in 0..kept {
            if let Some((_, record)) = self.pending.pop_front() {
                self.keep(record);
            }
        }
        self.pending.clear();
        self.timers.clear();
        self.tokens.clear();
        self.results.clear();
    }

    fn restart(&mut self) -> bool {
        let Some(restart) = &mut self.restart else { return false };
        self.machine = restart(&self.log);
        true
    }

    fn timer_name(&self, token: u64) -> String {
        match self.tokens.get(&token) {
            Some((timer, _)) => format!("{timer:?}"),
            None => "cancelled".to_owned(),
        }
    }
}

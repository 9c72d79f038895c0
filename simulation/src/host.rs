//! Hosts one machine of any kind behind one object type: keeps its timers, unpacks its effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use cross_shard_msg::{
    Audience, Effect, Effects, Event, Input, JobId, Machine, Message, NodeId, Recovered, Timestamp,
    Work, WriteId,
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
pub enum Outgoing {
    /// Send a message.
    Send(NodeId, Message),
    /// Send a message to a group.
    Broadcast(Audience, Message),
    /// Deliver the timer with this token.
    SetTimer(u64, Timestamp),
    /// A write began.
    Persist(WriteId),
    /// A computation began; deliver its result by this token.
    Compute(u64),
    /// Charge work.
    Busy(Work),
    /// Something happened.
    Observe(Event),
}

/// Sees what a machine executes and makes durable, as it happens.
pub trait Follower<M: Machine> {
    /// A block was executed.
    fn executed(&mut self, executed: &Arc<M::Executed>);
    /// A record was asked to be made durable.
    fn record(&mut self, record: &M::Record);
}

/// Ignores everything.
impl<M: Machine> Follower<M> for () {
    fn executed(&mut self, _: &Arc<M::Executed>) {}
    fn record(&mut self, _: &M::Record) {}
}

pub(crate) trait Host {
    fn deliver(&mut self, now: Timestamp, delivery: Delivery, out: &mut Vec<Outgoing>);
}

pub(crate) struct Hosted<M: Machine, F> {
    machine: M,
    follower: F,
    effects: Effects<M>,
    timers: BTreeMap<M::Timer, u64>,
    tokens: BTreeMap<u64, M::Timer>,
    results: BTreeMap<u64, (JobId, M::JobResult)>,
    next_token: u64,
}

impl<M: Machine, F: Follower<M>> Hosted<M, F> {
    pub fn new(machine: M, follower: F) -> Self {
        Self {
            machine,
            follower,
            effects: Effects::new(),
            timers: BTreeMap::new(),
            tokens: BTreeMap::new(),
            results: BTreeMap::new(),
            next_token: 0,
        }
    }

    fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    fn input(&mut self, delivery: Delivery) -> Option<Input<M>> {
        Some(match delivery {
            Delivery::Start => Input::Start,
            Delivery::Message { from, message } => Input::Message { from, message },
            Delivery::Submit(recovered) => Input::Submit(recovered),
            Delivery::Durable(id) => Input::Durable(id),
            // A timer that was moved or cancelled leaves a token that names nothing.
            Delivery::Timer(token) => {
                let timer = self.tokens.remove(&token)?;
                self.timers.remove(&timer);
                Input::Timer(timer)
            }
            Delivery::Computed(token) => {
                let (id, result) = self.results.remove(&token)?;
                Input::Computed(id, result)
            }
        })
    }

    fn cancel(&mut self, timer: &M::Timer) {
        if let Some(token) = self.timers.remove(timer) {
            self.tokens.remove(&token);
        }
    }
}

impl<M: Machine, F: Follower<M>> Host for Hosted<M, F> {
    fn deliver(&mut self, now: Timestamp, delivery: Delivery, out: &mut Vec<Outgoing>) {
        let Some(input) = self.input(delivery) else { return };
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
                    self.tokens.insert(token, timer);
                    out.push(Outgoing::SetTimer(token, at));
                }
                Effect::CancelTimer(timer) => self.cancel(&timer),
                Effect::Persist { id, record } => {
                    self.follower.record(&record);
                    out.push(Outgoing::Persist(id));
                }
                Effect::Compute(id, job) => {
                    let token = self.token();
                    self.results.insert(token, (id, M::compute(job)));
                    out.push(Outgoing::Compute(token));
                }
                Effect::Busy(work) => out.push(Outgoing::Busy(work)),
                Effect::Executed(executed) => self.follower.executed(&executed),
                Effect::Observe(event) => out.push(Outgoing::Observe(event)),
            }
        }
        self.effects = effects;
    }
}

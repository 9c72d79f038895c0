//! Drives one machine in a process: the wall clock, sockets and a disk around `Machine::handle`.
//!
//! One plain thread owns the machine. It waits for messages, recovered transactions and timers,
//! hands each to the machine, and carries out the effects in order. A record is written before
//! the next effect is looked at, so `Durable` follows at once. Jobs run on a thread of their own; one
//! that is not done when the machine is stopped is abandoned.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alloy_primitives::Bytes;
use cross_shard_msg::message::MAX_MESSAGE_ITEMS;
use cross_shard_msg::{
    Audience, DropReason, Duration, Effect, Effects, Event, Input, Machine, Message, NodeId,
    Observation, Timestamp, TransactionKey, codec,
};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::clock::RunClock;
use crate::jobs::Jobs;
use crate::network::{Delivery, Inbound, Inbox, NetworkEvent, NetworkHandle, TrafficClass, Wakeup};
use crate::node_metrics::NodeMetrics;
use crate::observations::ObservationLog;
use crate::records::{RecordError, RecordLog};
use crate::recovery::RecoveryPool;
use crate::timers::Timers;

/// Deliveries that are taken from the inbox at a time, so that timers are not held up.
const DELIVERIES_AT_A_TIME: usize = 64;

/// Observations reach the disk within this time, so that little is missing of a killed process.
const FLUSH_EVERY: Duration = Duration::from_millis(250);

/// What a machine needs around it.
pub struct Surroundings {
    /// The run's clock.
    pub clock: RunClock,
    /// Sends messages.
    pub network: NetworkHandle,
    /// Receives messages.
    pub inbox: Inbox,
    /// Where records go.
    pub records: RecordLog,
    /// Where observations go.
    pub observations: ObservationLog,
    /// Recovers senders; only shards have one.
    pub recovery: Option<RecoveryPool>,
    /// Counters for Prometheus.
    pub metrics: NodeMetrics,
}

/// How a machine's thread fared.
#[derive(Debug)]
pub struct DriveReport {
    /// How late timers were handled, in microseconds.
    pub timer_lag: Histogram<u64>,
    /// Observations that could not be written.
    pub lost_observations: u64,
    /// Messages that the network did not take.
    pub unsent: u64,
}

/// Runs `machine` until `stop` is set or the network closes. `follow` sees what it executes.
///
/// # Errors
/// When a record cannot be written: the node must not go on, because what it says would not be
/// durable.
///
/// # Panics
/// When a job panicked: its machine waits for a result that never comes.
pub fn drive<M>(
    machine: M,
    surroundings: Surroundings,
    stop: &AtomicBool,
    follow: impl FnMut(&Arc<M::Executed>),
) -> Result<DriveReport, RecordError>
where
    M: Machine + 'static,
    M::Record: Serialize,
    M::Job: Send,
    M::JobResult: Send,
{
    let mut driver = Driver {
        jobs: Jobs::new(surroundings.inbox.waker()),
        machine,
        surroundings,
        follow,
        timers: Timers::new(),
        inputs: VecDeque::new(),
        effects: Effects::new(),
        flush: None,
        report: DriveReport { timer_lag: lag_histogram(), lost_observations: 0, unsent: 0 },
    };
    let outcome = driver.run(stop);
    driver.surroundings.observations.flush();
    driver.report.lost_observations = driver.surroundings.observations.lost();
    outcome.map(|()| driver.report)
}

struct Driver<M: Machine, F> {
    machine: M,
    surroundings: Surroundings,
    follow: F,
    timers: Timers<M::Timer>,
    inputs: VecDeque<Input<M>>,
    effects: Effects<M>,
    jobs: Jobs<M>,
    /// When observations must be written, if any wait.
    flush: Option<Timestamp>,
    report: DriveReport,
}

impl<M, F> Driver<M, F>
where
    M: Machine + 'static,
    M::Record: Serialize,
    M::Job: Send,
    M::JobResult: Send,
    F: FnMut(&Arc<M::Executed>),
{
    fn run(&mut self, stop: &AtomicBool) -> Result<(), RecordError> {
        let mut deliveries = VecDeque::new();
        self.inputs.push_back(Input::Start);
        loop {
            self.handle_inputs()?;
            self.handle_timers()?;
            if !self.inputs.is_empty() {
                // A timer's records are durable by now: what waits for that must not wait longer.
                continue;
            }
            self.flush_if_due();
            let next = [self.timers.next(), self.flush].into_iter().flatten().min();
            let until = next.map(|at| self.surroundings.clock.instant(at));
            let inbox = &mut self.surroundings.inbox;
            if inbox.wait(until, DELIVERIES_AT_A_TIME, &mut deliveries) == Wakeup::Closed {
                return Ok(());
            }
            if stop.load(Ordering::Acquire) {
                return Ok(());
            }
            for delivery in deliveries.drain(..) {
                match delivery {
                    Delivery::Message(inbound) => self.receive(inbound),
                    Delivery::Event(event) => report_event(&event),
                }
            }
            self.take_recovered();
            let done = std::iter::from_fn(|| self.jobs.take());
            self.inputs.extend(done.map(|(id, result)| Input::Computed(id, result)));
        }
    }

    fn receive(&mut self, inbound: Inbound) {
        match codec::decode::<Message>(&inbound.bytes) {
            Err(error) => {
                tracing::warn!(from = %inbound.from, %error, "a message is undecodable");
                self.observe(Event::Dropped { reason: DropReason::Undecodable });
            }
            Ok(Message::Submit(submissions)) => match &mut self.surroundings.recovery {
                Some(_) if submissions.len() > MAX_MESSAGE_ITEMS => {
                    self.observe(Event::Dropped { reason: DropReason::TooMany });
                }
                Some(pool) if inbound.from == NodeId::Client => pool.submit(submissions),
                _ => self.observe(Event::Dropped { reason: DropReason::Unexpected }),
            },
            Ok(message) => self.inputs.push_back(Input::Message { from: inbound.from, message }),
        }
    }

    /// Takes what the recovery threads have done; what they refused is answered here.
    fn take_recovered(&mut self) {
        while let Some(batch) = self.surroundings.recovery.as_mut().and_then(RecoveryPool::take) {
            for admission in &batch.refused {
                if let Err(refusal) = admission.outcome {
                    let key = TransactionKey::of(&admission.hash);
                    self.observe(Event::Refused { key, refusal });
                }
            }
            if !batch.refused.is_empty() {
                self.send(&[NodeId::Client], &Message::Admissions(batch.refused));
            }
            self.inputs.extend(batch.recovered.into_iter().map(Input::Submit));
        }
    }

    fn handle_inputs(&mut self) -> Result<(), RecordError> {
        while let Some(input) = self.inputs.pop_front() {
            self.handle(input)?;
            // A long queue of inputs must not hold up timers: blocks are due on time.
            self.handle_timers()?;
        }
        Ok(())
    }

    fn handle_timers(&mut self) -> Result<(), RecordError> {
        let now = self.surroundings.clock.now();
        while let Some((due, timer)) = self.timers.expired(now) {
            self.report.timer_lag.saturating_record(now.since(due).0 / 1_000);
            self.handle(Input::Timer(timer))?;
        }
        Ok(())
    }

    fn handle(&mut self, input: Input<M>) -> Result<(), RecordError> {
        let now = self.surroundings.clock.now();
        let mut effects = std::mem::take(&mut self.effects);
        self.machine.handle(now, input, &mut effects);
        for effect in effects.drain() {
            self.carry_out(effect)?;
        }
        self.effects = effects;
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect<M>) -> Result<(), RecordError> {
        match effect {
            Effect::Send { to, message } => self.send(&[to], &message),
            Effect::Broadcast { to, message } => {
                let receivers = self.audience(to);
                self.send(&receivers, &message);
            }
            Effect::SetTimer { timer, at } => self.timers.set(timer, at),
            Effect::CancelTimer(timer) => self.timers.cancel(&timer),
            Effect::Persist { id, record } => {
                self.surroundings.records.append(&record)?;
                self.inputs.push_back(Input::Durable(id));
            }
            Effect::Compute(id, job) => self.jobs.start(id, job),
            // The time has already passed.
            Effect::Busy(_) => {}
            Effect::Executed(executed) => (self.follow)(&executed),
            Effect::Observe(event) => self.observe(event),
        }
        Ok(())
    }

    fn send(&mut self, to: &[NodeId], message: &Message) {
        let bytes: Bytes = match codec::encode(message) {
            Ok(bytes) => bytes.into(),
            Err(error) => {
                tracing::error!(%error, "a message is too large to send");
                self.unsent();
                return;
            }
        };
        let class = class_of(message);
        for (node, error) in self.surroundings.network.broadcast(to.iter().copied(), class, bytes.0)
        {
            tracing::debug!(%node, %error, "a message was not taken");
            self.unsent();
        }
    }

    fn unsent(&mut self) {
        self.report.unsent += 1;
        self.observe(Event::Dropped { reason: DropReason::Unsent });
    }

    fn observe(&mut self, event: Event) {
        self.surroundings.metrics.count(&event);
        let at = self.surroundings.clock.now();
        self.surroundings.observations.append(&Observation { at, event });
        self.flush.get_or_insert(at + FLUSH_EVERY);
    }

    fn flush_if_due(&mut self) {
        let now = self.surroundings.clock.now();
        if self.flush.take_if(|due| *due <= now).is_some() {
            self.surroundings.observations.flush();
        }
    }

    fn audience(&self, audience: Audience) -> Vec<NodeId> {
        let belongs = |node: &NodeId| match audience {
            Audience::Coordinators => matches!(node, NodeId::Coordinator(_)),
            Audience::Shards => matches!(node, NodeId::Shard(_)),
            Audience::ShardsAndClient => matches!(node, NodeId::Shard(_) | NodeId::Client),
        };
        self.surroundings.network.nodes().filter(belongs).collect()
    }
}

/// Which stream a message takes.
fn class_of(message: &Message) -> TrafficClass {
    match message {
        Message::Consensus(_) => TrafficClass::Consensus,
        Message::Headers(_)
        | Message::Traffic(_)
        | Message::PullHeaders { .. }
        | Message::Finalized(_)
        | Message::PullCheckpoints { .. }
        | Message::PullBatches { .. }
        | Message::Received { .. } => TrafficClass::Control,
        Message::Batch(_) => TrafficClass::Receipts,
        Message::Submit(_) | Message::Admissions(_) | Message::Included(_) => TrafficClass::Client,
    }
}

fn report_event(event: &NetworkEvent) {
    match event {
        NetworkEvent::Connected(node) => tracing::info!(%node, "connected"),
        NetworkEvent::Disconnected(node) => tracing::warn!(%node, "disconnected"),
        other => tracing::warn!(event = ?other, "network"),
    }
}

/// Microseconds up to an hour, with three digits.
fn lag_histogram() -> Histogram<u64> {
    Histogram::new_with_max(3_600_000_000, 3)
        .unwrap_or_else(|error| unreachable!("the bounds are constants: {error}"))
}

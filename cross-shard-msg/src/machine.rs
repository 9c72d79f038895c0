//! The shape of a node: a state machine without IO (rules R-CORE-1 to R-CORE-6).
//!
//! Two drivers run machines: one with the wall clock, sockets and disks, one with virtual time. A
//! machine cannot tell which: it sees inputs and the time, and answers with effects.

use std::sync::Arc;

use crate::ids::{JobId, NodeId, WriteId};
use crate::message::{Audience, Message};
use crate::observation::Event;
use crate::transaction::Recovered;
use crate::units::{Gas, Timestamp};

/// A node as a state machine.
pub trait Machine {
    /// Names a timer. Setting a timer that is set moves it.
    type Timer: Clone + Ord + std::fmt::Debug;
    /// What it makes durable, and what it is rebuilt from.
    type Record: std::fmt::Debug;
    /// A long computation, run off the machine's thread.
    type Job: std::fmt::Debug;
    /// Its result.
    type JobResult: std::fmt::Debug;
    /// What an administrator may ask for.
    type Admin: std::fmt::Debug;
    /// What followers (storage, checkers, a gateway) are handed for each block.
    type Executed: std::fmt::Debug;

    /// Handles one input at time `now`; pushes what must happen next. Never fails: bad input is
    /// dropped and observed.
    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>);

    /// Runs a job: a pure function, called by the driver where it does not hold up the machine.
    fn compute(job: Self::Job) -> Self::JobResult;

    /// How large a job is, for the simulation, which models its time from that. Machines without
    /// long jobs need not say; what wraps a machine must.
    fn job_size(_: &Self::Job) -> JobSize {
        JobSize::default()
    }
}

/// Size of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobSize {
    /// Accounts that it decides on.
    pub accounts: u64,
    /// Accounts that all the traffic it looks at names, each time that it does.
    pub touches: u64,
}

/// What a machine is told.
#[derive(Debug)]
pub enum Input<M: Machine + ?Sized> {
    /// The run starts. The first input of a machine, once.
    Start,
    /// A message arrived. The driver vouches for `from`.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: Message,
    },
    /// A timer expired. It is not set any more.
    Timer(M::Timer),
    /// A user's transaction whose sender is known.
    Submit(Recovered),
    /// A write is durable. Writes become durable in the order in which they were asked for.
    Durable(WriteId),
    /// A computation is done.
    Computed(JobId, M::JobResult),
    /// An administrator's request.
    Admin(M::Admin),
}

impl<M: Machine> Input<M> {
    /// The same input for a machine that is told the same, such as one that is wrapped by this one.
    #[must_use]
    pub fn for_machine<N>(self) -> Input<N>
    where
        N: Machine<Timer = M::Timer, JobResult = M::JobResult, Admin = M::Admin>,
    {
        match self {
            Self::Start => Input::Start,
            Self::Message { from, message } => Input::Message { from, message },
            Self::Timer(timer) => Input::Timer(timer),
            Self::Submit(recovered) => Input::Submit(recovered),
            Self::Durable(id) => Input::Durable(id),
            Self::Computed(id, result) => Input::Computed(id, result),
            Self::Admin(request) => Input::Admin(request),
        }
    }
}

/// What a machine asks for.
#[derive(Debug)]
pub enum Effect<M: Machine + ?Sized> {
    /// Send a message to one node.
    Send {
        /// The receiver.
        to: NodeId,
        /// The message.
        message: Message,
    },
    /// Send a message to a group.
    Broadcast {
        /// The receivers.
        to: Audience,
        /// The message.
        message: Message,
    },
    /// Wake the machine at `at`; a time that has passed means as soon as possible.
    SetTimer {
        /// Which timer.
        timer: M::Timer,
        /// When.
        at: Timestamp,
    },
    /// Do not wake the machine for this timer any more.
    CancelTimer(M::Timer),
    /// Make a record durable, then say so with `Input::Durable`.
    Persist {
        /// Comes back with the input.
        id: WriteId,
        /// What to keep.
        record: M::Record,
    },
    /// Compute something long elsewhere, then answer with `Input::Computed`.
    Compute(JobId, M::Job),
    /// The work of handling this input up to here. The simulation turns it into time; in processes
    /// the time has already passed.
    Busy(Work),
    /// A block was executed.
    Executed(Arc<M::Executed>),
    /// Something worth measuring happened.
    Observe(Event),
}

impl<M: Machine> Effect<M> {
    /// The same effect of a machine that asks for the same, such as one that wraps this one.
    #[must_use]
    pub fn of_machine<N>(self) -> Effect<N>
    where
        N: Machine<Timer = M::Timer, Record = M::Record, Job = M::Job, Executed = M::Executed>,
    {
        match self {
            Self::Send { to, message } => Effect::Send { to, message },
            Self::Broadcast { to, message } => Effect::Broadcast { to, message },
            Self::SetTimer { timer, at } => Effect::SetTimer { timer, at },
            Self::CancelTimer(timer) => Effect::CancelTimer(timer),
            Self::Persist { id, record } => Effect::Persist { id, record },
            Self::Compute(id, job) => Effect::Compute(id, job),
            Self::Busy(work) => Effect::Busy(work),
            Self::Executed(executed) => Effect::Executed(executed),
            Self::Observe(event) => Effect::Observe(event),
        }
    }
}

/// Effects of handling one input, in order.
#[derive(Debug)]
pub struct Effects<M: Machine + ?Sized>(Vec<Effect<M>>);

impl<M: Machine + ?Sized> Default for Effects<M> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<M: Machine + ?Sized> Effects<M> {
    /// No effects.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an effect.
    pub fn push(&mut self, effect: Effect<M>) {
        self.0.push(effect);
    }

    /// Sends a message to one node.
    pub fn send(&mut self, to: NodeId, message: Message) {
        self.push(Effect::Send { to, message });
    }

    /// Sends a message to a group.
    pub fn broadcast(&mut self, to: Audience, message: Message) {
        self.push(Effect::Broadcast { to, message });
    }

    /// Sets or moves a timer.
    pub fn set_timer(&mut self, timer: M::Timer, at: Timestamp) {
        self.push(Effect::SetTimer { timer, at });
    }

    /// Tells what happened.
    pub fn observe(&mut self, event: Event) {
        self.push(Effect::Observe(event));
    }

    /// Charges work.
    pub fn busy(&mut self, work: Work) {
        self.push(Effect::Busy(work));
    }

    /// Takes all effects, in order.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Effect<M>> {
        self.0.drain(..)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Work that a machine did, by kind. The simulation's cost profile gives each kind a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Gas executed in the EVM.
    pub gas: Gas,
    /// Transfers executed natively.
    pub transfers: u32,
    /// Legs executed in all.
    pub legs: u32,
    /// User signatures recovered.
    pub recoveries: u32,
    /// Node signatures made.
    pub signatures: u32,
    /// Node signatures checked.
    pub verifications: u32,
    /// Accounts and slots updated in the trie.
    pub trie_updates: u32,
    /// Bytes hashed, encoded or decoded.
    pub bytes: u64,
}

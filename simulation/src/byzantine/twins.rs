//! Twins: two coordinators with one key, each of which talks to a part of the committee. Where
//! their key leads they propose different checkpoints, and they vote for different ones.

use coordinator::{Coordinator, CoordinatorRecord, CoordinatorTimer};
use cross_shard_msg::{
    Audience, Effect, Effects, Input, JobId, JobSize, Machine, Message, NodeId, ShardId, Timestamp,
    ValidatorIndex, WriteId,
};

use super::ask;

/// Two coordinators with one key.
#[derive(Debug)]
pub struct Twins {
    twins: [Coordinator; 2],
    /// The other members of the committee, by whom they hear.
    parts: [Vec<ValidatorIndex>; 2],
}

impl Twins {
    /// Twins of which the first talks to the members in `first` and the second to those in
    /// `second`; a member may be in both. The second one does not hear shard 0, so that they do not
    /// propose the same.
    #[must_use]
    pub fn new(
        twins: [Coordinator; 2],
        first: Vec<ValidatorIndex>,
        second: Vec<ValidatorIndex>,
    ) -> Self {
        Self { twins, parts: [first, second] }
    }

    fn hears(&self, twin: usize, from: NodeId) -> bool {
        match from {
            NodeId::Coordinator(index) => self.parts[twin].contains(&index),
            NodeId::Shard(shard) => twin == 0 || shard != ShardId(0),
            NodeId::Client => true,
        }
    }

    fn tell(
        &mut self,
        twin: usize,
        now: Timestamp,
        input: Input<Coordinator>,
        effects: &mut Effects<Self>,
    ) {
        for effect in ask(&mut self.twins[twin], now, input) {
            match effect {
                Effect::Send { to: NodeId::Coordinator(to), message } => {
                    if self.parts[twin].contains(&to) {
                        effects.send(NodeId::Coordinator(to), message);
                    }
                }
                Effect::Broadcast { to: Audience::Coordinators, message } => {
                    for to in &self.parts[twin] {
                        effects.send(NodeId::Coordinator(*to), message.clone());
                    }
                }
                Effect::Send { to, message } => effects.send(to, message),
                Effect::Broadcast { to, message } => effects.broadcast(to, message),
                Effect::SetTimer { timer, at } => effects.set_timer((twin, timer), at),
                Effect::CancelTimer(timer) => effects.push(Effect::CancelTimer((twin, timer))),
                Effect::Persist { id, record } => {
                    let id = WriteId(id.0 * 2 + twin as u64);
                    effects.push(Effect::Persist { id, record });
                }
                Effect::Busy(work) => effects.busy(work),
                Effect::Observe(event) => effects.observe(event),
                Effect::Executed(_) => {}
                Effect::Compute(id, job) => {
                    let id = JobId(id.0 * 2 + twin as u64);
                    effects.push(Effect::Compute(id, job));
                }
            }
        }
    }
}

impl Machine for Twins {
    type Timer = (usize, CoordinatorTimer);
    type Record = CoordinatorRecord;
    type Job = <Coordinator as Machine>::Job;
    type JobResult = <Coordinator as Machine>::JobResult;
    type Admin = <Coordinator as Machine>::Admin;
    type Executed = <Coordinator as Machine>::Executed;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        match input {
            Input::Start => {
                for twin in 0..2 {
                    self.tell(twin, now, Input::Start, effects);
                }
            }
            Input::Message { from, message } => {
                for twin in 0..2 {
                    if self.hears(twin, from) {
                        let message: Message = message.clone();
                        self.tell(twin, now, Input::Message { from, message }, effects);
                    }
                }
            }
            Input::Timer((twin, timer)) => self.tell(twin, now, Input::Timer(timer), effects),
            Input::Durable(WriteId(id)) => {
                let (twin, id) = ((id % 2) as usize, WriteId(id / 2));
                self.tell(twin, now, Input::Durable(id), effects);
            }
            Input::Submit(_) => {}
            Input::Computed(JobId(id), result) => {
                let (twin, id) = ((id % 2) as usize, JobId(id / 2));
                self.tell(twin, now, Input::Computed(id, result), effects);
            }
            Input::Admin(request) => match request {},
        }
    }

    fn compute(job: Self::Job) -> Self::JobResult {
        Coordinator::compute(job)
    }

    fn job_size(job: &Self::Job) -> JobSize {
        Coordinator::job_size(job)
    }
}

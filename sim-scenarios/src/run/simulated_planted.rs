//! Planted bugs that stand outside of a machine: what it asks for is done in another way. Only with
//! the feature `planted-bugs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use coordinator::{Coordinator, CoordinatorRecord};
use cross_shard_msg::{
    Effect, Effects, Height, Input, JobSize, Machine, Message, ShardId, Timestamp,
};
use shard_node::{ShardNode, ShardRecord};
use simulation::Follower;

use super::simulated::Recorder;

/// A coordinator that is told at once that its writes are durable.
pub(super) struct Hasty(pub Coordinator);

/// A shard that pulls nothing, and sends no batch a second time in its life.
pub(super) struct Forgetful {
    node: ShardNode,
    sent: BTreeSet<(ShardId, Height)>,
}

impl Forgetful {
    pub fn new(node: ShardNode) -> Self {
        Self { node, sent: BTreeSet::new() }
    }
}

impl Machine for Hasty {
    type Timer = <Coordinator as Machine>::Timer;
    type Record = <Coordinator as Machine>::Record;
    type Job = <Coordinator as Machine>::Job;
    type JobResult = <Coordinator as Machine>::JobResult;
    type Admin = <Coordinator as Machine>::Admin;
    type Executed = <Coordinator as Machine>::Executed;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        let mut inputs = match input {
            Input::Start => vec![Input::Start],
            Input::Message { from, message } => vec![Input::Message { from, message }],
            Input::Timer(timer) => vec![Input::Timer(timer)],
            Input::Computed(job, result) => vec![Input::Computed(job, result)],
            // It was told.
            _ => Vec::new(),
        };
        while !inputs.is_empty() {
            let mut inner = Effects::new();
            self.0.handle(now, inputs.remove(0), &mut inner);
            for effect in inner.drain() {
                match effect {
                    Effect::Persist { id, record } => {
                        effects.push(Effect::Persist { id, record });
                        inputs.push(Input::Durable(id));
                    }
                    effect => effects.push(effect.of_machine()),
                }
            }
        }
    }

    fn compute(job: Self::Job) -> Self::JobResult {
        Coordinator::compute(job)
    }

    fn job_size(job: &Self::Job) -> JobSize {
        Coordinator::job_size(job)
    }
}

impl Machine for Forgetful {
    type Timer = <ShardNode as Machine>::Timer;
    type Record = <ShardNode as Machine>::Record;
    type Job = <ShardNode as Machine>::Job;
    type JobResult = <ShardNode as Machine>::JobResult;
    type Admin = <ShardNode as Machine>::Admin;
    type Executed = <ShardNode as Machine>::Executed;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        let mut inner = Effects::new();
        self.node.handle(now, input.for_machine(), &mut inner);
        for effect in inner.drain() {
            match effect {
                Effect::Send { message: Message::PullBatches { .. }, .. } => {}
                Effect::Send { to, message } => {
                    let first = match &message {
                        Message::Batch(batch) => {
                            self.sent.insert((batch.outgoing.destination, batch.header.height))
                        }
                        _ => true,
                    };
                    if first {
                        effects.send(to, message);
                    }
                }
                effect => effects.push(effect.of_machine()),
            }
        }
    }

    fn compute(job: Self::Job) -> Self::JobResult {
        job
    }
}

impl Follower<Hasty> for Recorder {
    fn executed(&mut self, _: &Arc<<Hasty as Machine>::Executed>) {}

    fn record(&mut self, _: &CoordinatorRecord) {}

    fn durable(&mut self, record: &CoordinatorRecord) {
        Follower::<Coordinator>::durable(self, record);
    }
}

impl Follower<Forgetful> for Recorder {
    fn executed(&mut self, _: &Arc<<Forgetful as Machine>::Executed>) {}

    fn record(&mut self, _: &ShardRecord) {}

    fn durable(&mut self, record: &ShardRecord) {
        Follower::<ShardNode>::durable(self, record);
    }
}

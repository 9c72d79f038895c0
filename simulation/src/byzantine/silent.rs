//! A validator that listens and never says a word.

use coordinator::Coordinator;
use cross_shard_msg::{Effect, Effects, Input, JobSize, Machine, Timestamp};

use super::ask;

/// A silent coordinator.
#[derive(Debug)]
pub struct Silent(Coordinator);

impl Silent {
    /// Silences a coordinator.
    #[must_use]
    pub fn new(machine: Coordinator) -> Self {
        Self(machine)
    }
}

impl Machine for Silent {
    type Timer = <Coordinator as Machine>::Timer;
    type Record = <Coordinator as Machine>::Record;
    type Job = <Coordinator as Machine>::Job;
    type JobResult = <Coordinator as Machine>::JobResult;
    type Admin = <Coordinator as Machine>::Admin;
    type Executed = <Coordinator as Machine>::Executed;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        for effect in ask(&mut self.0, now, input.for_machine()) {
            if matches!(
                effect,
                Effect::SetTimer { .. }
                    | Effect::CancelTimer(_)
                    | Effect::Persist { .. }
                    | Effect::Compute(..)
            ) {
                effects.push(effect.of_machine());
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

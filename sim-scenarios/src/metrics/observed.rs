//! One pass over all observations: times of transactions, blocks, batches and checkpoints, and
//! counts of what has no time.

use std::collections::BTreeMap;

use alloy_primitives::map::HashMap;
use cross_shard_msg::{
    CheckpointNumber, DropReason, Event, Height, NodeId, Observation, Refusal, ShardId, Timestamp,
    TransactionKey, View,
};

use super::Moment;
use super::blocks::Blocks;
use super::input::NetworkData;

/// A batch: destination, source, height of the source's block.
pub(super) type BatchKey = (ShardId, ShardId, Height);

/// What was observed.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// By transaction.
    pub transactions: Vec<TransactionTimes>,
    /// When each batch arrived and passed the gate. Looked up only.
    pub batches: HashMap<BatchKey, BatchTimes>,
    /// By number.
    pub checkpoints: BTreeMap<CheckpointNumber, CheckpointTimes>,
    /// Views that ended without a value, and when the first coordinator said so.
    pub nullified: BTreeMap<View, Timestamp>,
    /// Answers of shards, so a transaction that was tried again counts again.
    pub refusals: BTreeMap<Refusal, u64>,
    /// Inputs that nodes dropped.
    pub drops: BTreeMap<(NodeId, DropReason), u64>,
}

/// What the client and mempools said of a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransactionTimes {
    pub scheduled: Timestamp,
    /// Whether the run got as far as the part of the schedule in which it is.
    pub was_reached: bool,
    /// The first attempt.
    pub submitted: Moment,
    pub attempts: u32,
    /// By the first mempool that took it.
    pub admitted: Moment,
    /// For good: the client gave up, or another took its place.
    pub refused: Moment,
    pub refusal: Option<Refusal>,
    /// Whether a shard said that its sender lives elsewhere, or is on its way.
    pub rerouted: bool,
}

/// When a batch reached a shard.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BatchTimes {
    pub arrived: Moment,
    pub accepted: Moment,
}

/// What coordinators said of a checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CheckpointTimes {
    pub proposed: Moment,
    /// By the first coordinator.
    pub finalized: Moment,
    /// By how many coordinators.
    pub observers: u32,
}

impl Observed {
    /// Reads the observations of a network; `index` finds a transaction by its key.
    pub fn new(
        data: &NetworkData,
        index: &HashMap<TransactionKey, u32>,
        blocks: &mut Blocks<'_>,
    ) -> Self {
        let transactions = data.transactions.iter().map(|info| TransactionTimes {
            scheduled: info.scheduled,
            was_reached: true,
            submitted: Moment::NONE,
            attempts: 0,
            admitted: Moment::NONE,
            refused: Moment::NONE,
            refusal: None,
            rerouted: false,
        });
        let mut observed = Self { transactions: transactions.collect(), ..Self::default() };
        for (node, observations) in &data.observations {
            for observation in observations {
                observed.take(*node, observation, index, blocks);
            }
        }
        observed.shift_unsubmitted(data);
        observed
    }

    fn take(
        &mut self,
        node: NodeId,
        observation: &Observation,
        index: &HashMap<TransactionKey, u32>,
        blocks: &mut Blocks<'_>,
    ) {
        let at = observation.at;
        match (observation.event, node) {
            (Event::Submitted { key, scheduled, attempt, .. }, _) => {
                let Some(times) = self.of(key, index) else { return };
                times.submitted.or_earlier(at);
                times.scheduled = scheduled;
                times.attempts = times.attempts.max(attempt);
            }
            (Event::GaveUp { key, refusal }, _) => {
                let Some(times) = self.of(key, index) else { return };
                times.refused = Moment::at(at);
                times.refusal = Some(refusal);
            }
            (Event::Admitted { key }, _) => {
                let Some(times) = self.of(key, index) else { return };
                times.admitted.or_earlier(at);
            }
            (Event::Refused { key, refusal }, _) => {
                // The client may not live to hear it.
                if refusal == Refusal::Replaced
                    && let Some(times) = self.of(key, index)
                    && times.refusal.is_none()
                {
                    times.refused = Moment::at(at);
                    times.refusal = Some(refusal);
                }
                if matches!(refusal, Refusal::Moved | Refusal::InFlight)
                    && let Some(times) = self.of(key, index)
                {
                    times.rerouted = true;
                }
                *self.refusals.entry(refusal).or_default() += 1;
            }
            (Event::BlockExecuted { height, started, waiting }, NodeId::Shard(shard)) => {
                let Some(row) = blocks.find_mut(shard, height) else { return };
                row.started = Moment::at(started);
                row.executed = Moment::at(at);
                row.waiting = Some(waiting);
            }
            (Event::BlockReleased { height }, NodeId::Shard(shard)) => {
                let Some(row) = blocks.find_mut(shard, height) else { return };
                row.released = Moment::at(at);
            }
            (Event::BatchArrived { source, height }, NodeId::Shard(shard)) => {
                self.batches.entry((shard, source, height)).or_default().arrived.or_earlier(at);
            }
            (Event::BatchAccepted { source, height }, NodeId::Shard(shard)) => {
                self.batches.entry((shard, source, height)).or_default().accepted.or_earlier(at);
            }
            (Event::CheckpointProposed { number }, _) => {
                self.checkpoints.entry(number).or_default();
            }
            (Event::CheckpointFinalized { number, proposed }, _) => {
                let times = self.checkpoints.entry(number).or_default();
                times.proposed.or_earlier(proposed);
                times.finalized.or_earlier(at);
                times.observers += 1;
            }
            (Event::ViewNullified { view, .. }, _) => {
                let first = self.nullified.entry(view).or_insert(at);
                *first = at.min(*first);
            }
            (Event::Dropped { reason }, _) => {
                *self.drops.entry((node, reason)).or_default() += 1;
            }
            // The report on Byzantine nodes reads these by itself.
            (
                Event::ShardEquivocated { .. }
                | Event::ValidatorEquivocated { .. }
                | Event::LeftOut { .. },
                _,
            ) => {}
            // The report on migrations reads these by itself.
            (
                Event::AccountLeft { .. }
                | Event::AccountArrived { .. }
                | Event::PartitionerAsked { .. }
                | Event::PartitionerAnswered { .. }
                | Event::PartitionerFailed { .. },
                _,
            ) => {}
            // No node but a shard observes these.
            (
                Event::BlockExecuted { .. }
                | Event::BlockReleased { .. }
                | Event::BatchArrived { .. }
                | Event::BatchAccepted { .. },
                _,
            ) => {}
        }
    }

    fn of(
        &mut self,
        key: TransactionKey,
        index: &HashMap<TransactionKey, u32>,
    ) -> Option<&mut TransactionTimes> {
        self.transactions.get_mut(*index.get(&key)? as usize)
    }

    /// The plan counts from the start of the first phase, which the client chooses when the network
    /// is prepared: what was submitted says when that was, and so when the rest was due. If nothing
    /// was, nothing was due.
    fn shift_unsubmitted(&mut self, data: &NetworkData) {
        let mut planned = data.transactions.iter().zip(&self.transactions);
        let start = planned.find_map(|(info, times)| {
            let known = !info.setup && times.submitted.is_known();
            known.then(|| times.scheduled.since(info.scheduled))
        });
        for (info, times) in data.transactions.iter().zip(&mut self.transactions) {
            if !times.submitted.is_known() && !info.setup {
                times.scheduled = info.scheduled + start.unwrap_or_default();
                times.was_reached = start.is_some();
            }
        }
    }
}

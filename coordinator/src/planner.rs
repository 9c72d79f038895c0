//! Asks the partitioner when an epoch has ended, and has its answer at hand for the next checkpoint
//! (rules R-EPOCH-3, R-EPOCH-4).

use std::sync::Arc;

use cross_shard_msg::settings::Epochs;
use cross_shard_msg::{
    DropReason, Effect, Effects, Epoch, Event, JobId, Move, Settings, ShardId, TrafficReport, Work,
};
use partitioning::{PartitionError, Proposal};

use crate::config::PartitionerConfig;
use crate::coordinator::Coordinator;
use crate::moves::most_moves;
use crate::partition_job::PartitionJob;
use crate::state::CheckpointState;
use crate::traffic::Traffic;
use crate::value::CheckpointValue;

/// What a coordinator with a partitioner knows besides.
#[derive(Debug)]
pub(crate) struct Planner {
    config: PartitionerConfig,
    epochs: Epochs,
    traffic: Traffic,
    /// Whether something has become final since it last had the choice to ask. Between that and the
    /// next time a leader may have proposed moves already.
    due: bool,
    /// The last epoch about which it asked.
    asked: Option<Epoch>,
    /// Whether the answer is not here yet. There is one question at a time.
    running: bool,
    answer: Option<(Epoch, Vec<Move>)>,
}

impl Planner {
    pub fn new(
        config: PartitionerConfig,
        epochs: Epochs,
        settings: &Settings,
        tip: &CheckpointState,
    ) -> Self {
        let traffic = Traffic::new(settings, &epochs, config.windows, tip);
        Self { config, epochs, traffic, due: false, asked: None, running: false, answer: None }
    }

    /// Takes a report of a shard's traffic, or says why it is dropped.
    pub fn take(
        &mut self,
        from: ShardId,
        report: Arc<TrafficReport>,
        work: &mut Work,
    ) -> Result<(), DropReason> {
        let accounts = report.accesses.iter().map(|access| access.accounts.len() as u64);
        work.bytes += accounts.map(|accounts| 20 * accounts).sum::<u64>();
        self.traffic.take(from, report)
    }

    /// Moves up to a final checkpoint.
    pub fn advance(&mut self, value: &CheckpointValue) {
        self.due = true;
        self.traffic.advance(value.evidence());
        if self.epochs.is_last(value.checkpoint().number) {
            self.traffic.close();
        }
    }

    /// After something has become final: asks about the epochs that have ended, once, if the current
    /// one may still move accounts and this coordinator leads one of the next views.
    pub fn ask(
        &mut self,
        settings: &Settings,
        tip: &CheckpointState,
        leads: bool,
        work: &mut Work,
        effects: &mut Effects<Coordinator>,
    ) {
        if !std::mem::take(&mut self.due) || !leads {
            return;
        }
        let Some(ended) = self.epochs.of(tip.number().next()).previous() else { return };
        let budget = most_moves(settings, tip);
        if self.running || self.asked >= Some(ended) || budget == 0 {
            return;
        }
        self.asked = Some(ended);
        let extent = self.traffic.extent();
        work.bytes += 20 * extent.touches;
        if extent.accesses == 0 {
            // Whoever has just started knows nothing.
            return;
        }
        self.running = true;
        effects.observe(Event::PartitionerAsked {
            epoch: ended,
            accounts: extent.accounts,
            accesses: extent.accesses,
            missing: extent.missing,
        });
        let job = PartitionJob {
            config: self.config.clone(),
            windows: self.traffic.past().cloned().collect(),
            homes: tip.homes().clone(),
            extent,
            budget,
            epoch: ended,
        };
        effects.push(Effect::Compute(JobId(ended.0), job));
    }

    /// Takes the answer of a job.
    pub fn answered(
        &mut self,
        job: JobId,
        result: Result<Proposal, PartitionError>,
        effects: &mut Effects<Coordinator>,
    ) {
        let epoch = Epoch(job.0);
        self.running = false;
        match result {
            Ok(proposal) => {
                let moves = u32::try_from(proposal.moves.len()).unwrap_or(u32::MAX);
                effects.observe(Event::PartitionerAnswered { epoch, moves });
                self.answer = Some((epoch, proposal.moves));
            }
            Err(_) => effects.observe(Event::PartitionerFailed { epoch }),
        }
    }

    /// What the child of `parent` should move, as far as it may: the answer about the epoch before.
    pub fn moves(&self, parent: &CheckpointState) -> &[Move] {
        let ended = self.epochs.of(parent.number().next()).previous();
        match &self.answer {
            Some((epoch, moves)) if Some(*epoch) == ended => moves,
            _ => &[],
        }
    }
}

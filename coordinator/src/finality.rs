//! What is final: kept for a while, handed out to shards, the client and coordinators that lag.
//!
//! Checkpoints go out when their record is durable. Those who miss some ask for them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use alloy_primitives::B256;
use consensus::checkpoint::FinalityProof;
use consensus::{Finalized, Value as _};
use cross_shard_msg::{Checkpoint, CheckpointNumber, FinalizedCheckpoint, Settings, WriteId};

use crate::cut::encoded_bytes;
use crate::state::CheckpointState;
use crate::value::CheckpointValue;

/// Checkpoints that are kept for shards and the client.
pub const MAX_KEPT_CHECKPOINTS: usize = 16_384;
/// Bytes of checkpoints that are kept for them; the newest is kept always.
pub const MAX_KEPT_CHECKPOINT_BYTES: usize = 256 << 20;
/// Checkpoints that one request is answered with. Who needs more asks again.
pub const MAX_SERVED_CHECKPOINTS: usize = 64;
/// Encoded bytes of runs, with their headers, that are kept for coordinators that lag.
pub const MAX_KEPT_RUN_BYTES: usize = 64 << 20;
/// Encoded bytes of runs in one answer.
const MAX_SERVED_BYTES: usize = 12 << 20;

/// Final checkpoints, and the states from which the chain goes on.
#[derive(Clone, Debug)]
pub struct Finality {
    tip: Arc<CheckpointState>,
    /// Of the tip and of proposals above it.
    states: BTreeMap<B256, Arc<CheckpointState>>,
    checkpoints: VecDeque<FinalizedCheckpoint>,
    checkpoint_bytes: usize,
    runs: VecDeque<(usize, Finalized<CheckpointValue>)>,
    run_bytes: usize,
    /// What goes out when a write is durable.
    waiting: BTreeMap<WriteId, Vec<FinalizedCheckpoint>>,
}

impl Finality {
    /// At genesis.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let tip = Arc::new(CheckpointState::genesis(settings));
        Self {
            states: BTreeMap::from([(tip.digest(), Arc::clone(&tip))]),
            tip,
            checkpoints: VecDeque::new(),
            checkpoint_bytes: 0,
            runs: VecDeque::new(),
            run_bytes: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// The state after the newest final checkpoint.
    #[must_use]
    pub fn tip(&self) -> &Arc<CheckpointState> {
        &self.tip
    }

    /// The state after the checkpoint with this digest; `value` finds proposals above the tip.
    pub fn state<'a>(
        &mut self,
        digest: B256,
        value: impl Fn(&B256) -> Option<&'a CheckpointValue>,
    ) -> Option<Arc<CheckpointState>> {
        let mut missing = Vec::new();
        let mut at = digest;
        let mut state = loop {
            if let Some(state) = self.states.get(&at) {
                break Arc::clone(state);
            }
            let next = value(&at)?;
            // Numbers fall on the way down, so that the walk ends.
            if next.number() <= self.tip.number().0 {
                return None;
            }
            missing.push(next);
            at = next.parent();
        };
        for value in missing.into_iter().rev() {
            state = Arc::new(state.apply(value));
            self.remember(Arc::clone(&state));
        }
        Some(state)
    }

    /// Keeps the state after a valid proposal.
    pub fn remember(&mut self, state: Arc<CheckpointState>) {
        self.states.insert(state.digest(), state);
    }

    /// Moves the tip over a run that follows it.
    pub fn extend(&mut self, run: &Finalized<CheckpointValue>) {
        for value in &run.values {
            let known = self.states.get(&value.digest()).cloned();
            self.tip = known.unwrap_or_else(|| Arc::new(self.tip.apply(value)));
        }
        let number = self.tip.number();
        self.states.retain(|_, state| state.number() > number);
        self.remember(Arc::clone(&self.tip));
        let bytes = run_bytes(run);
        self.run_bytes += bytes;
        self.runs.push_back((bytes, run.clone()));
        while self.run_bytes > MAX_KEPT_RUN_BYTES && self.runs.len() > 1 {
            let oldest = self.runs.pop_front().map_or(0, |(bytes, _)| bytes);
            self.run_bytes -= oldest;
        }
    }

    /// Holds the checkpoints of a run back until its record is durable.
    pub fn hold(&mut self, write: WriteId, run: &Finalized<CheckpointValue>) {
        self.waiting.insert(write, finalized_checkpoints(run));
    }

    /// Keeps what has become durable with a write, and returns what goes out now.
    pub fn release(&mut self, write: WriteId) -> Vec<FinalizedCheckpoint> {
        let released = self.waiting.remove(&write).unwrap_or_default();
        self.keep(released.iter().cloned());
        released
    }

    /// Keeps durable checkpoints, which follow those that are kept already.
    pub fn keep(&mut self, checkpoints: impl IntoIterator<Item = FinalizedCheckpoint>) {
        for finalized in checkpoints {
            self.checkpoint_bytes += checkpoint_bytes(&finalized.checkpoint);
            self.checkpoints.push_back(finalized);
        }
        while self.checkpoints.len() > MAX_KEPT_CHECKPOINTS
            || (self.checkpoint_bytes > MAX_KEPT_CHECKPOINT_BYTES && self.checkpoints.len() > 1)
        {
            let oldest = self.checkpoints.pop_front();
            self.checkpoint_bytes -= oldest.map_or(0, |old| checkpoint_bytes(&old.checkpoint));
        }
    }

    /// Kept checkpoints from a number on, as many as one request is answered with. Empty when the
    /// first one asked for is not kept any more.
    pub fn checkpoints(
        &self,
        from: CheckpointNumber,
    ) -> impl Iterator<Item = &FinalizedCheckpoint> {
        let first = self.checkpoints.front().map_or(u64::MAX, |first| first.checkpoint.number.0);
        let skip = from.0.max(1).checked_sub(first).and_then(|skip| usize::try_from(skip).ok());
        self.checkpoints.iter().skip(skip.unwrap_or(usize::MAX)).take(MAX_SERVED_CHECKPOINTS)
    }

    /// Kept runs that follow the checkpoint `after`, at most `limit` and as many as fit into a
    /// message. Empty when the first of them is not kept any more.
    #[must_use]
    pub fn runs(&self, after: u64, limit: usize) -> Vec<Finalized<CheckpointValue>> {
        let last = |run: &Finalized<CheckpointValue>| run.values.last().map_or(0, |v| v.number());
        let first = self.runs.partition_point(|(_, run)| last(run) <= after);
        let mut bytes = 0;
        let mut answer: Vec<_> = self
            .runs
            .iter()
            .skip(first)
            .take(limit)
            .take_while(|(size, _)| {
                let fits = bytes == 0 || bytes + size <= MAX_SERVED_BYTES;
                bytes += size;
                fits
            })
            .map(|(_, run)| run.clone())
            .collect();
        if let Some(first) = answer.first_mut() {
            // The other side's runs may be cut elsewhere.
            first.values.retain(|value| value.number() > after);
        }
        let follows = answer.first().and_then(|run| run.values.first());
        if follows.is_some_and(|value| value.number() == after.saturating_add(1)) {
            answer
        } else {
            Vec::new()
        }
    }
}

/// The checkpoints of a run, each with a proof that stands alone.
#[must_use]
pub fn finalized_checkpoints(run: &Finalized<CheckpointValue>) -> Vec<FinalizedCheckpoint> {
    let checkpoints: Vec<Arc<Checkpoint>> =
        run.values.iter().map(|value| Arc::clone(value.checkpoint())).collect();
    let finalized = checkpoints.iter().enumerate().map(|(index, checkpoint)| {
        let descendants = checkpoints.get(index + 1..).unwrap_or_default().to_vec();
        FinalityProof { descendants, certificate: run.certificate.clone() }.attach(checkpoint)
    });
    // A proof that does not fit into a message needs thousands of views without finality.
    finalized.filter_map(Result::ok).collect()
}

/// About how many bytes a run takes, in memory and when encoded.
fn run_bytes(run: &Finalized<CheckpointValue>) -> usize {
    let headers =
        |value: &CheckpointValue| value.evidence().iter().map(encoded_bytes).sum::<usize>();
    run.values.iter().map(|value| checkpoint_bytes(value.checkpoint()) + headers(value)).sum()
}

/// The same of a checkpoint.
fn checkpoint_bytes(checkpoint: &Checkpoint) -> usize {
    let Checkpoint { crosslinks, placements, moves, .. } = checkpoint;
    let headers: usize = crosslinks.iter().map(|crosslink| 64 + 40 * crosslink.headers.len()).sum();
    128 + headers + 36 * (placements.len() + moves.len())
}

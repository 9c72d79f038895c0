//! Finalized checkpoints: when, and which blocks they cover (rule R-CLI-5).

use std::collections::BTreeMap;

use cross_shard_msg::{Checkpoint, CheckpointNumber, Duration, Timestamp};
use simulation::checkers::Records;

use super::Moment;
use super::blocks::Blocks;
use super::observed::Observed;

/// A finalized checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Its number.
    pub number: CheckpointNumber,
    /// When its leader proposed it.
    pub proposed: Moment,
    /// When the first coordinator finalized it.
    pub finalized: Moment,
    /// How many coordinators observed that it is final.
    pub observers: u32,
    /// Shards that moved.
    pub crosslinks: u32,
    /// Blocks that it covers.
    pub blocks: u32,
    /// Contracts that became known everywhere.
    pub placements: u32,
    /// Views that ended without a value since the checkpoint before was final.
    pub view_changes: u32,
}

impl CheckpointRow {
    /// Proposed → finalized.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.finalized.since(self.proposed)
    }
}

/// Lists the checkpoints that any coordinator finalized, ascending, and notes in `blocks` by which
/// of them each block is covered.
pub(super) fn join(
    records: &Records,
    observed: &Observed,
    blocks: &mut Blocks<'_>,
) -> Vec<CheckpointRow> {
    let all = records.checkpoints.values().flatten();
    // Where two differ, an invariant is broken and the report says so.
    let by_number: BTreeMap<CheckpointNumber, &Checkpoint> =
        all.map(|finalized| (finalized.checkpoint.number, &*finalized.checkpoint)).collect();
    let mut rows: Vec<CheckpointRow> =
        by_number.into_values().map(|checkpoint| row(checkpoint, observed, blocks)).collect();
    let mut ended: Vec<Timestamp> = observed.nullified.values().copied().collect();
    ended.sort_unstable();
    let mut counted = 0;
    for row in &mut rows {
        let Some(finalized) = row.finalized.time() else { continue };
        let until = ended.partition_point(|at| *at <= finalized).max(counted);
        row.view_changes = count(until - counted);
        counted = until;
    }
    rows
}

fn row(checkpoint: &Checkpoint, observed: &Observed, blocks: &mut Blocks<'_>) -> CheckpointRow {
    let times = observed.checkpoints.get(&checkpoint.number).copied().unwrap_or_default();
    let mut covered = 0;
    for crosslink in &checkpoint.crosslinks {
        let heights = crosslink.first.0..;
        for (hash, height) in crosslink.headers.iter().zip(heights) {
            covered += 1;
            let block = blocks.find_mut(crosslink.shard, cross_shard_msg::Height(height));
            if let Some(block) = block.filter(|block| block.block.header.hash() == *hash) {
                block.checkpoint = Some(checkpoint.number);
                block.finalized = times.finalized;
            }
        }
    }
    CheckpointRow {
        number: checkpoint.number,
        proposed: match times.proposed {
            Moment::NONE => Moment::at(checkpoint.timestamp),
            proposed => proposed,
        },
        finalized: times.finalized,
        observers: times.observers,
        crosslinks: count(checkpoint.crosslinks.len()),
        blocks: covered,
        placements: count(checkpoint.placements.len()),
        view_changes: 0,
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

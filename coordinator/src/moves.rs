//! Which accounts a checkpoint may move (rule R-EPOCH-4).
//!
//! What a partitioner wants is checked by nobody. These rules bound what a faulty leader can do: it
//! sends accounts to bad homes, so many in an epoch, and nothing else.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use cross_shard_msg::migration::MAX_MOVES;
use cross_shard_msg::{Checkpoint, Epoch, Move, Placement, Settings};
use partitioning::Home;

use crate::rules::{Rule, Violation};
use crate::state::CheckpointState;

/// How many accounts the child of `parent` may move. None without epochs, in epoch 0, and where a
/// checkpoint of its epoch moved some already.
#[must_use]
pub fn most_moves(settings: &Settings, parent: &CheckpointState) -> usize {
    let Some(epochs) = settings.epochs else { return 0 };
    let epoch = epochs.of(parent.number().next());
    if epoch == Epoch::ZERO || parent.moved() == Some(epoch) {
        return 0;
    }
    epochs.max_moves.min(MAX_MOVES) as usize
}

/// Of the moves that somebody wants those that the child of `parent` may make, if it brings these
/// placements. A home may have changed since they were wanted, and who wants them may be any program.
#[must_use]
pub fn allowed(
    parent: &CheckpointState,
    settings: &Settings,
    placements: &[Placement],
    wanted: &[Move],
) -> Vec<Move> {
    let most = most_moves(settings, parent);
    if most == 0 || wanted.is_empty() {
        return Vec::new();
    }
    let placed = addresses(placements);
    let mut moves: Vec<Move> =
        wanted.iter().filter(|moved| may_move(parent, &placed, moved)).copied().collect();
    moves.sort_unstable();
    moves.dedup_by_key(|moved| moved.account);
    moves.truncate(most);
    moves
}

/// R-EPOCH-4.
///
/// # Errors
/// When there are more moves than may be, an account stands twice or not in order, or may not move.
pub fn check_moves(
    settings: &Settings,
    parent: &CheckpointState,
    checkpoint: &Checkpoint,
) -> Result<(), Violation> {
    let moves = &checkpoint.moves;
    if moves.is_empty() {
        return Ok(());
    }
    let placed = addresses(&checkpoint.placements);
    let keeps = moves.len() <= most_moves(settings, parent)
        && moves.is_sorted_by(|a, b| a.account < b.account)
        && moves.iter().all(|moved| may_move(parent, &placed, moved));
    let broken = Violation { rule: Rule::Moves, shard: None, height: None };
    if keeps { Ok(()) } else { Err(broken) }
}

fn may_move(parent: &CheckpointState, placed: &BTreeSet<Address>, moved: &Move) -> bool {
    let homes = parent.homes();
    moved.from != moved.to
        && moved.to.0 < homes.shards()
        // A resident lives everywhere, and so not there.
        && homes.home(&moved.account) == Home::Shard(moved.from)
        && !placed.contains(&moved.account)
}

fn addresses(placements: &[Placement]) -> BTreeSet<Address> {
    placements.iter().map(|placement| placement.address).collect()
}

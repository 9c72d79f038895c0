//! Nodes that break the rules: machines around the real ones that alter what those hear and say.

mod equivocating_leader;
mod garbage;
mod lies;
mod lying_shard;
mod scatter;
mod silent;
mod story;
mod twins;

use cross_shard_msg::{Effect, Effects, Input, Machine, Timestamp};

pub use equivocating_leader::EquivocatingLeader;
pub use garbage::Garbage;
pub use lies::Lie;
pub use lying_shard::LyingShard;
pub use scatter::Scatter;
pub use silent::Silent;
pub use twins::Twins;

/// Hands one input to the machine inside and takes its effects.
fn ask<M: Machine>(machine: &mut M, now: Timestamp, input: Input<M>) -> Vec<Effect<M>> {
    let mut effects = Effects::new();
    machine.handle(now, input, &mut effects);
    effects.drain().collect()
}

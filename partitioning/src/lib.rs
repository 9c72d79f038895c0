//! Where an account lives (rules R-HOME-1 to R-HOME-5).
//!
//! The base rule gives every address a home; overrides, which finalized checkpoints bring, move
//! single addresses; residents live on every shard. All of it is a function of the checkpoint that
//! a block names, so that a validator can check a header against the allocation of its time.
//!
//! Strategies that decide which addresses to move are behind [`Partitioner`]; [`strategies`] has
//! them, one file each.

pub mod access_graph;
pub mod allocation;
pub mod base;
mod network;
pub mod partitioner;
pub mod registry;
pub mod residents;
pub mod strategies;
pub mod stream;

pub use access_graph::{AccessGraph, Shape};
pub use allocation::{Allocation, Home};
pub use base::Base;
pub use partitioner::{
    Move, OptionsError, PartitionError, Partitioner, Places, Problem, Proposal, Stats,
    VertexWeight, Weights,
};
pub use registry::Strategy;
pub use residents::{OUTBOX, Residents};
pub use stream::Stream;

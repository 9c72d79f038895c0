//! Where an account lives (rules R-HOME-1 to R-HOME-5).
//!
//! The base rule gives every address a home; overrides, which finalized checkpoints bring, move
//! single addresses; residents live on every shard. All of it is a function of the checkpoint that
//! a block names, so that a validator can check a header against the allocation of its time.

pub mod access_graph;
pub mod allocation;
pub mod base;
pub mod residents;

pub use access_graph::{AccessGraph, Shape};
pub use allocation::{Allocation, Home};
pub use base::Base;
pub use residents::{OUTBOX, Residents};

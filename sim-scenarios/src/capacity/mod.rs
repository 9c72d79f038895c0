//! `shardlab capacity`: the highest rate at which a scenario's thresholds hold, and what gives out
//! first above it. docs/capacity.md describes it for users.
//!
//! In the order in which data flows: [`search`] says which rate to try next, [`scaled`] makes the
//! scenario for it, [`climb()`] runs it, [`signals`] measures what was scarce, [`probe`] judges it,
//! [`ladder`] puts probes together and finds the knee, [`output`] tells.

pub mod climb;
pub mod ladder;
pub mod output;
pub mod probe;
pub mod scaled;
pub mod search;
pub mod signals;

pub use climb::{CapacityError, Climb, Told, climb};
pub use ladder::{Capacity, Ladder, Rung};
pub use probe::Probe;
pub use search::{Rule, Search};

//! Many small random networks, each a trial that a seed decides: does anything ever go wrong?
//!
//! In the order in which data flows: [`draw`] makes [`Options`] of a seed; [`trial`] runs them with
//! checkers at every event, first with faults and then until everything has settled; [`situations`]
//! counts what seldom happens; [`shrink`] looks for the smallest options that still fail; [`flock`]
//! runs many seeds on many threads. A trial is an ordinary scenario: `shardlab simulate` runs it,
//! too. docs/swarm.md is the user's page.

mod dice;
pub mod draw;
pub mod flock;
pub mod options;
mod panics;
mod proven;
pub mod shrink;
pub mod situations;
pub mod trial;
mod witness;

pub use draw::draw;
pub use flock::{Flock, FlockReport, fly};
pub use options::Options;
pub use shrink::shrink;
pub use situations::Situation;
pub use trial::{Failure, Trial, run_trial, trace_trial};

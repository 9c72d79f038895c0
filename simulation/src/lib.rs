//! The simulated world: the machines that run as processes run here in one thread under virtual
//! time, in an order that depends on the scenario and the seed alone.
//!
//! [`World`] is the second driver of [`cross_shard_msg::Machine`]; the first one is in the
//! `runtime` crate. It breaks what a [`FaultPlan`] says, and shows every event to whom
//! [`World::trace`] names. [`checkers`] hold the invariants over the records of a run of either
//! world; [`online`] has them as a world runs, behind a [`Monitor`]. [`byzantine`] has nodes that
//! break the rules. `examples/embed.rs` puts all of it together.

pub mod byzantine;
pub mod checkers;
pub mod cost;
mod digest;
pub mod fault;
mod host;
pub mod links;
pub mod monitor;
pub mod network;
pub mod online;
mod queue;
pub mod regions;
pub mod spender;
pub mod trace;
pub mod world;

pub use cost::CostProfile;
pub use fault::{Fault, FaultPlan, LinkSet, Target};
pub use host::Follower;
pub use links::{Link, Links, Mode};
pub use monitor::{Checker, Monitor, Violation};
pub use network::{Network, NetworkSpec};
pub use online::Honest;
pub use regions::Region;
pub use spender::Spender;
pub use trace::{Happening, TraceEvent};
pub use world::{Disk, FaultId, Statistics, World};

//! Networks of real processes on this machine: who takes part, starting them, watching them,
//! stopping them.

mod child;
mod losses;
mod node;
mod node_file;
mod plan;
mod processes;
mod start;

pub use child::Death;
pub use losses::Losses;
pub use node::{NodeError, run_node};
pub use node_file::{NodeFile, NodeFileError, Role};
pub use plan::{NetworkPlan, PlanError, Prescription, ShardPlan};
pub use processes::{LaunchError, NodeFacts, Processes, Stopped};
pub use start::{Started, start_network};

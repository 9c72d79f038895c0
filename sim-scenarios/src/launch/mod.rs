//! Networks of real processes on this machine: who takes part, starting them, watching them,
//! stopping them.

mod child;
mod losses;
mod node;
mod node_file;
mod plan;
mod processes;
mod questions;
mod start;
mod strategy;

pub use child::Death;
pub use losses::Losses;
pub use node::{NodeError, run_node};
pub use node_file::{NodeFile, NodeFileError, Role, questions_file};
pub use plan::{NetworkPlan, PlanError, Prescription, ShardPlan};
pub use processes::{LaunchError, NodeFacts, Processes, Stopped};
pub use questions::{Question, Questions};
pub use start::{Started, start_network};
pub use strategy::{OpenStrategy, StrategyPlan};

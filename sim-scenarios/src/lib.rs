//! The parts of the `shardlab` program, as a library for its tests and benches.

pub mod calibrate;
pub mod capacity;
pub mod cli;
pub mod client;
pub mod compare;
pub mod import;
pub mod launch;
pub mod metrics;
pub mod partition;
pub mod report;
pub mod run;
pub mod scenario;
pub mod statistics;
pub mod swarm;
pub mod sweep;
pub mod workload;

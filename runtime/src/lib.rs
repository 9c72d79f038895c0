//! The world of processes: the only crate with clock, sockets, threads and disks.
//!
//! - [`network`]: messages between the processes of a run, over libp2p;
//! - [`drive`]: one machine on one thread, between network, clock and disk; `jobs` beside it;
//! - [`recovery`]: senders of transactions, on worker threads;
//! - [`records`], [`observations`]: what a process leaves on disk;
//! - [`process`]: a process from its start by the launcher to its end, and what the two say;
//! - [`metrics`], [`node_metrics`]: `/metrics` for Prometheus on every process;
//! - [`logging`]: a log file per process.

pub mod clock;
pub mod drive;
mod jobs;
pub mod logging;
pub mod metrics;
pub mod network;
pub mod node_metrics;
pub mod observations;
pub mod process;
pub mod records;
pub mod recovery;
mod timers;

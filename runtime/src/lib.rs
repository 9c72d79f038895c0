//! The world of processes: the only crate with clock, sockets, threads and disks.
//!
//! - [`network`]: messages between the processes of a run, over libp2p;
//! - [`metrics`]: `/metrics` for Prometheus on every process;
//! - [`logging`]: a log file per process.

pub mod logging;
pub mod metrics;
pub mod network;

//! What a launcher and its processes say to each other, in lines of JSON.

use std::net::SocketAddr;

use cross_shard_msg::NodeId;
use serde::{Deserialize, Serialize};

use crate::network::LinkFault;

/// What the launcher says to a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToProcess {
    /// Connect to these nodes.
    Connect(Vec<PeerLine>),
    /// Start the machine; the run's time is zero at this value of the host's monotonic clock, in
    /// nanoseconds.
    Start {
        /// See [`crate::clock::monotonic_nanos`].
        at: u64,
    },
    /// A node was started again, and listens elsewhere now.
    Address(PeerLine),
    /// Links from this process are broken in these ways, and in no others, from now on.
    Faults(Vec<LinkLine>),
    /// Stop the machine, write everything, and end.
    Stop,
}

/// One node in [`ToProcess::Connect`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerLine {
    /// The node.
    pub node: NodeId,
    /// Its libp2p identity.
    pub peer: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// One link in [`ToProcess::Faults`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkLine {
    /// The node at its other end.
    pub to: NodeId,
    /// What is the matter with it; nothing mends it.
    pub faults: Vec<LinkFault>,
}

/// What a process says to the launcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromProcess {
    /// Its ports are open.
    Listening {
        /// Where it talks to nodes.
        network: SocketAddr,
        /// Where Prometheus finds `/metrics`.
        metrics: SocketAddr,
    },
    /// It is connected to all nodes.
    Ready,
    /// It has stopped and everything is on disk.
    Stopped(ProcessReport),
}

/// How a process fared, for the run's report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessReport {
    /// Timers that were handled.
    pub timers: u64,
    /// How late timers were handled, in microseconds: median.
    pub timer_lag_p50_us: u64,
    /// The same, 99th percentile.
    pub timer_lag_p99_us: u64,
    /// The same, largest.
    pub timer_lag_max_us: u64,
    /// Observations that could not be written; more than zero makes the run incomplete.
    pub lost_observations: u64,
    /// Messages that the network did not take.
    pub unsent: u64,
    /// Messages that no peer had acknowledged at the end.
    pub unacknowledged: u64,
}

//! A network's start: its processes, and the launcher's own node among them.

use std::path::Path;
use std::time::{Duration, Instant};

use cross_shard_msg::NodeId;
use runtime::process::{Connected, Listening};

use super::plan::NetworkPlan;
use super::processes::{LaunchError, Processes};

/// How long the launcher's own node may take to connect once all others are connected to it.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A network that has started.
pub struct Started {
    /// Its processes.
    pub processes: Processes,
    /// The launcher's own node, connected to all others.
    pub client: Connected,
    /// When the network's time is zero, in nanoseconds of the host's monotonic clock.
    pub start: u64,
}

/// Starts the network of `plan`, with files under `directory`. `metrics_port` is the first node's
/// port for `/metrics`, the others follow; 0 takes free ones. `stopped` is asked now and then
/// whether to give up.
///
/// # Errors
/// When anything does not start or takes too long; no process is left then.
#[expect(clippy::disallowed_methods, reason = "the launcher waits in real time")]
pub fn start_network(
    plan: &NetworkPlan,
    directory: &Path,
    log_filter: &str,
    metrics_port: u16,
    stopped: &dyn Fn() -> bool,
) -> Result<Started, LaunchError> {
    let mut processes = Processes::start(plan, directory, log_filter, metrics_port, stopped)?;
    let listening = Listening::open(plan.client_network(), 0)?;
    let peers = processes.connect(plan, listening.network_address())?;
    // The launcher's node connects meanwhile, in the background: who dies now is noticed.
    let mut client = listening.connect(NodeId::Client, &peers)?;
    processes.expect_ready(stopped)?;
    if let Some(node) = client.wait(Some(Instant::now() + CONNECT_PATIENCE)) {
        return Err(LaunchError::Unconnected(node));
    }
    let start = processes.begin();
    Ok(Started { processes, client, start })
}

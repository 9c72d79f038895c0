//! A process of a run, from its start by the launcher to its end.
//!
//! The two talk in lines of JSON: the launcher writes [`ToProcess`] to standard input, the process
//! answers with [`FromProcess`] on standard output. The process ends when its standard input does,
//! so a launcher that dies, however it dies, leaves nothing behind.

mod said;

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use cross_shard_msg::{Machine, NodeId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::RunClock;
use crate::drive::{DriveReport, Surroundings, drive};
use crate::metrics::{self, MetricsError, MetricsServer};
use crate::network::{
    self, Delivery, Inbox, Network, NetworkConfig, NetworkError, NetworkEvent, PeerAddress, PeerId,
    Wakeup,
};
use crate::node_metrics::NodeMetrics;
use crate::observations::ObservationLog;
use crate::records::{Durability, RecordError, RecordLog};
use crate::recovery::RecoveryPool;

pub use said::{FromProcess, LinkLine, PeerLine, ProcessReport, ToProcess};

/// How long a stopping process waits for its peers to acknowledge what it sent. They stop at the
/// same time, so what is not acknowledged soon never is.
const SHUTDOWN_PATIENCE: Duration = Duration::from_millis(200);
/// How long a process may take to write what it has when its launcher is gone.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(2);

/// What a process is started with besides its machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessPlan {
    /// The node that it is.
    pub node: NodeId,
    /// Where its records go.
    pub records: PathBuf,
    /// Where its observations go.
    pub observations: PathBuf,
    /// Port for `/metrics`; 0 takes a free one.
    pub metrics_port: u16,
    /// Worker threads that recover senders; `None` for nodes that take no transactions.
    pub recovery_workers: Option<usize>,
    /// Whether signatures are verified.
    pub verify_signatures: bool,
    /// What a durable record survives.
    pub durability: Durability,
    /// Whether the node had an earlier life: it goes on from the records of that, and does not wait
    /// for others, of whom some may be dead.
    pub again: bool,
    /// Whether observations are written at once, not a quarter of a second later at the latest: of a
    /// node that will be killed, or whose observations are read while it runs.
    pub observe_at_once: bool,
}

impl ProcessPlan {
    /// Opens the node's record log, and reads what an earlier life left.
    ///
    /// # Errors
    /// When the log cannot be opened or is damaged other than at its end.
    pub fn open_records<T: DeserializeOwned>(&self) -> Result<(RecordLog, Vec<T>), ProcessError> {
        if self.again {
            return Ok(RecordLog::open(&self.records, self.durability)?);
        }
        Ok((RecordLog::create(&self.records, self.durability)?, Vec::new()))
    }

    fn open_observations(&self) -> Result<ObservationLog, ProcessError> {
        let path = &self.observations;
        let log =
            if self.again { ObservationLog::open(path) } else { ObservationLog::create(path) };
        let log =
            log.map_err(|source| ProcessError::Observations { path: path.clone(), source })?;
        Ok(if self.observe_at_once { log.at_once() } else { log })
    }
}

/// Why a process cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// No thread pool for the network.
    #[error("cannot start the network's threads: {0}")]
    Runtime(io::Error),
    /// The network did not start.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The metrics endpoint did not start.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A record cannot be written.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// Observations cannot be written.
    #[error("{path}: {source}")]
    Observations {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The launcher said something that does not fit.
    #[error("the launcher said {0}")]
    Launcher(String),
    /// The launcher is gone. What was observed is on disk.
    #[error("the launcher is gone")]
    Orphaned,
    /// The machine's thread panicked; the message is in the log.
    #[error("the node's thread panicked")]
    Panicked,
}

/// A node whose network listens: the first half of a process's life, also used by the launcher for
/// its own node.
pub struct Listening {
    /// The threads of the network.
    pub runtime: tokio::runtime::Runtime,
    bound: network::Bound,
    registry: metrics::SharedRegistry,
    metrics: MetricsServer,
}

impl Listening {
    /// Opens the ports.
    ///
    /// # Errors
    /// When a port is busy or threads cannot be started.
    pub fn open(network: NetworkConfig, metrics_port: u16) -> Result<Self, ProcessError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("network")
            .enable_all()
            .build()
            .map_err(ProcessError::Runtime)?;
        let registry = metrics::registry();
        let address = SocketAddr::from(([127, 0, 0, 1], metrics_port));
        let (bound, metrics) = runtime.block_on(async {
            let bound = network::bind(network).await?;
            let metrics = MetricsServer::bind(address, Arc::clone(&registry)).await?;
            Ok::<_, ProcessError>((bound, metrics))
        })?;
        Ok(Self { runtime, bound, registry, metrics })
    }

    /// Where the node talks to nodes.
    #[must_use]
    pub fn network_address(&self) -> SocketAddr {
        self.bound.address()
    }

    /// Where `/metrics` is.
    #[must_use]
    pub fn metrics_address(&self) -> SocketAddr {
        self.metrics.address()
    }

    /// Begins to connect to `peers`; [`Connected::wait`] waits for them.
    ///
    /// # Errors
    /// When a peer's identity is no libp2p identity, or two are alike.
    pub fn connect(self, node: NodeId, peers: &[PeerLine]) -> Result<Connected, ProcessError> {
        let peers = peers.iter().map(peer_address).collect::<Result<Vec<_>, _>>()?;
        let (network, inbox, node_metrics) = {
            let _guard = self.runtime.enter();
            let mut registry =
                self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (network, inbox) = self.bound.connect(&peers, &mut registry)?;
            (network, inbox, NodeMetrics::register(&mut registry))
        };
        let awaited = peers.iter().map(|peer| peer.node).filter(|peer| *peer != node).collect();
        Ok(Connected {
            runtime: self.runtime,
            network,
            inbox,
            node_metrics,
            metrics: self.metrics,
            awaited,
        })
    }
}

/// A node that connects to all others, or is connected.
pub struct Connected {
    /// The threads of the network.
    pub runtime: tokio::runtime::Runtime,
    /// The network.
    pub network: Network,
    /// What arrives.
    pub inbox: Inbox,
    /// Counters of the machine.
    pub node_metrics: NodeMetrics,
    /// Keeps `/metrics` open.
    pub metrics: MetricsServer,
    awaited: BTreeSet<NodeId>,
}

impl Connected {
    /// Waits until all connections stand; returns the first node that is missing at `until`.
    ///
    /// Nobody speaks before the launcher starts all, so nothing but events can arrive here.
    pub fn wait(&mut self, until: Option<Instant>) -> Option<NodeId> {
        let mut deliveries = std::collections::VecDeque::new();
        self.awaited.retain(|node| !self.network.handle().is_connected(*node));
        while let Some(first) = self.awaited.first().copied() {
            if self.inbox.wait(until, 1, &mut deliveries) == Wakeup::Deadline {
                return Some(first);
            }
            for delivery in deliveries.drain(..) {
                if let Delivery::Event(NetworkEvent::Connected(node)) = delivery {
                    self.awaited.remove(&node);
                }
            }
        }
        None
    }
}

/// Tells a network that a node was started again and listens elsewhere now.
///
/// # Errors
/// When the node is unknown.
pub fn tell_address(
    runtime: &tokio::runtime::Runtime,
    network: &Network,
    peer: &PeerLine,
) -> Result<(), ProcessError> {
    let told = runtime.block_on(network.handle().set_address(peer.node, peer.address));
    told.map_err(|error| ProcessError::Launcher(error.to_string()))
}

/// Does what concerns the network alone; gives back every other command.
fn obey(
    command: Result<Command, RecvError>,
    runtime: &tokio::runtime::Runtime,
    network: &Network,
) -> Result<Option<Result<Command, RecvError>>, ProcessError> {
    match command {
        Ok(Command::Launcher(ToProcess::Address(peer))) => tell_address(runtime, network, &peer)?,
        Ok(Command::Launcher(ToProcess::Faults(links))) => {
            for link in &links {
                tracing::info!(to = %link.to, faults = ?link.faults, "this link is broken");
                let told = network.handle().set_faults(link.to, &link.faults);
                told.map_err(|error| ProcessError::Launcher(error.to_string()))?;
            }
        }
        other => return Ok(Some(other)),
    }
    Ok(None)
}

/// Runs a node as a child of the launcher, to its end; `machine` is as `records` left it.
///
/// # Errors
/// When it cannot start, cannot write, or its machine panics. The caller prints the error and
/// exits with a code other than zero.
pub fn run_child<M>(
    plan: &ProcessPlan,
    network: NetworkConfig,
    machine: M,
    records: RecordLog,
) -> Result<(), ProcessError>
where
    M: Machine + Send + 'static,
    M::Record: Serialize,
    M::Timer: Send,
    M::Job: Send,
    M::JobResult: Send,
    M::Admin: Send,
{
    let (sender, commands) = channel();
    go_on_without_launcher();
    listen_to_launcher(sender.clone());
    let listening = Listening::open(network, plan.metrics_port)?;
    tracing::info!(
        network = %listening.network_address(),
        metrics = %format_args!("http://{}/metrics", listening.metrics_address()),
        "listening"
    );
    say(&FromProcess::Listening {
        network: listening.network_address(),
        metrics: listening.metrics_address(),
    });
    let mut connected = match commands.recv() {
        Ok(Command::Launcher(ToProcess::Connect(peers))) => listening.connect(plan.node, &peers)?,
        other => return finish_early(other),
    };
    if !plan.again {
        connected.wait(None);
    }
    say(&FromProcess::Ready);
    let at = loop {
        match obey(commands.recv(), &connected.runtime, &connected.network)? {
            None => {}
            Some(Ok(Command::Launcher(ToProcess::Start { at }))) => break at,
            Some(other) => return finish_early(other),
        }
    };
    let report = run_machine(plan, connected, (machine, records), at, sender, &commands)?;
    say(&FromProcess::Stopped(report));
    Ok(())
}

fn run_machine<M>(
    plan: &ProcessPlan,
    connected: Connected,
    (machine, records): (M, RecordLog),
    start: u64,
    sender: Sender<Command>,
    commands: &Receiver<Command>,
) -> Result<ProcessReport, ProcessError>
where
    M: Machine + Send + 'static,
    M::Record: Serialize,
    M::Job: Send,
    M::JobResult: Send,
{
    let observations = plan.open_observations()?;
    let waker = connected.inbox.waker();
    let recovery = plan
        .recovery_workers
        .map(|workers| RecoveryPool::start(workers, plan.verify_signatures, &waker));
    let surroundings = Surroundings {
        clock: RunClock::starting_at(start),
        network: connected.network.handle(),
        inbox: connected.inbox,
        records,
        observations,
        recovery,
        metrics: connected.node_metrics,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let thread = thread::Builder::new()
        .name("machine".to_owned())
        .spawn(move || {
            // Also wakes the main thread when the machine panics.
            let _ended = EndGuard(sender);
            drive(machine, surroundings, &stopping, |_| {})
        })
        .map_err(ProcessError::Runtime)?;
    // Stopped by the launcher, or the launcher is gone, or the machine ended by itself.
    let command = loop {
        if let Some(other) = obey(commands.recv(), &connected.runtime, &connected.network)? {
            break other;
        }
    };
    stop.store(true, Ordering::Release);
    waker.wake();
    let report = thread.join().map_err(|_| ProcessError::Panicked)??;
    if matches!(command, Ok(Command::LauncherGone)) {
        return Err(ProcessError::Orphaned);
    }
    let left = connected.runtime.block_on(connected.network.drain(SHUTDOWN_PATIENCE));
    Ok(process_report(&report, left.values().map(|count| *count as u64).sum()))
}

/// The report of a machine's thread, in the form that is printed and kept.
#[must_use]
pub fn process_report(report: &DriveReport, unacknowledged: u64) -> ProcessReport {
    let lag = &report.timer_lag;
    ProcessReport {
        timers: lag.len(),
        timer_lag_p50_us: lag.value_at_quantile(0.5),
        timer_lag_p99_us: lag.value_at_quantile(0.99),
        timer_lag_max_us: lag.max(),
        lost_observations: report.lost_observations,
        unsent: report.unsent,
        unacknowledged,
    }
}

enum Command {
    Launcher(ToProcess),
    LauncherGone,
    MachineEnded,
}

struct EndGuard(Sender<Command>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        // The main thread may be gone already; then nobody needs to know.
        let _ = self.0.send(Command::MachineEnded);
    }
}

/// A paused process does not notice that its launcher is gone, and would stay for ever: the system
/// resumes it then.
#[cfg(target_os = "linux")]
fn go_on_without_launcher() {
    use rustix::process::{Signal, set_parent_process_death_signal};
    if let Err(error) = set_parent_process_death_signal(Some(Signal::CONT)) {
        tracing::warn!(%error, "if the launcher dies while this process is paused, it stays");
    }
}

/// Elsewhere the system sends SIGHUP and SIGCONT to a stopped process group that is orphaned.
#[cfg(not(target_os = "linux"))]
fn go_on_without_launcher() {}

fn listen_to_launcher(commands: Sender<Command>) {
    let listen = move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(command) => drop(commands.send(Command::Launcher(command))),
                Err(error) => tracing::error!(%error, line, "the launcher is not understood"),
            }
        }
        // The launcher is gone. The main thread ends the process in order, if it can.
        drop(commands.send(Command::LauncherGone));
        thread::sleep(ORPHAN_PATIENCE);
        tracing::error!("the launcher is gone, and this process does not end by itself");
        std::process::exit(1);
    };
    if let Err(error) = thread::Builder::new().name("launcher".to_owned()).spawn(listen) {
        tracing::error!(%error, "cannot listen to the launcher");
        std::process::exit(1);
    }
}

/// The launcher may stop a process that has not started yet.
fn finish_early(command: Result<Command, RecvError>) -> Result<(), ProcessError> {
    match command {
        Ok(Command::Launcher(ToProcess::Stop)) | Err(_) => {
            say(&FromProcess::Stopped(ProcessReport::default()));
            Ok(())
        }
        Ok(Command::LauncherGone) => Err(ProcessError::Orphaned),
        Ok(Command::Launcher(other)) => Err(ProcessError::Launcher(format!("{other:?} too early"))),
        Ok(Command::MachineEnded) => Err(ProcessError::Panicked),
    }
}

fn say(line: &FromProcess) {
    let mut out = io::stdout().lock();
    // If the launcher does not read any more, standard input ends too.
    if let Ok(text) = serde_json::to_string(line) {
        let _ = writeln!(out, "{text}");
        let _ = out.flush();
    }
}

fn peer_address(line: &PeerLine) -> Result<PeerAddress, ProcessError> {
    let peer: PeerId = line
        .peer
        .parse()
        .map_err(|_| ProcessError::Launcher(format!("{} is no libp2p identity", line.peer)))?;
    Ok(PeerAddress { node: line.node, peer, address: Some(line.address) })
}

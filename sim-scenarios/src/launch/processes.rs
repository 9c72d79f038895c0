//! All processes of one network: started together, watched together, stopped together; `breaking` has
//! what faults do to them in between.

mod breaking;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use cross_shard_msg::NodeId;
use runtime::clock::monotonic_nanos;
use runtime::network::{NetworkError, peer_id};
use runtime::process::{
    FromProcess, LinkLine, PeerLine, ProcessError, ProcessPlan, ProcessReport, ToProcess,
};

use super::child::{Child, Death, FromChild};
use super::node_file::{NodeFile, NodeFileError};
use super::plan::NetworkPlan;

/// How long processes may take to open their ports and to connect.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long processes may take to write everything and end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How often it is asked whether to give up.
const LOOK: Duration = Duration::from_millis(50);
/// From the order to start until the run's time is zero: all nodes are told before it begins.
const START_NOTICE_NANOS: u64 = 100_000_000;

/// What is known of a running node.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// The node.
    pub node: NodeId,
    /// Its process id.
    pub process: u32,
    /// Where it talks to nodes.
    pub network: SocketAddr,
    /// Where its `/metrics` is.
    pub metrics: SocketAddr,
    /// Its log.
    pub log: PathBuf,
    /// Its records.
    pub records: PathBuf,
    /// Its observations.
    pub observations: PathBuf,
}

/// Why a network did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A directory or file cannot be written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A node file cannot be written.
    #[error(transparent)]
    NodeFile(#[from] NodeFileError),
    /// A transport key is invalid.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The operating system started no process.
    #[error("cannot start {node} from {program}: {source}")]
    Spawn {
        /// The node.
        node: NodeId,
        /// This program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A process ended while the network was starting.
    #[error("{0}")]
    Died(Death),
    /// Processes took too long.
    #[error("{0} did not start within {START_PATIENCE:?}")]
    Late(NodeId),
    /// The launcher's own node did not start.
    #[error("the client: {0}")]
    Client(#[from] ProcessError),
    /// The launcher's own node did not get through to a process.
    #[error("the client found no connection to {0}")]
    Unconnected(NodeId),
    /// The user wants to stop.
    #[error("interrupted while the network was starting")]
    Interrupted,
}

/// How processes ended that were told to.
#[derive(Debug)]
pub struct Stopped {
    /// What each said of itself.
    pub reports: BTreeMap<NodeId, ProcessReport>,
    /// Those that said nothing, by node.
    pub deaths: Vec<Death>,
}

/// The processes of a network. All are killed when this is dropped.
#[derive(Debug)]
pub struct Processes {
    children: BTreeMap<NodeId, Child>,
    facts: BTreeMap<NodeId, NodeFacts>,
    /// What processes said that stopped by themselves.
    reports: BTreeMap<NodeId, ProcessReport>,
    events: Receiver<(NodeId, FromChild)>,
    /// What was said while the end of a killed process was awaited.
    early: VecDeque<(NodeId, FromChild)>,
    /// Where all nodes listen, the launcher's own included, once that is known.
    peers: BTreeMap<NodeId, PeerLine>,
    /// Nodes that were started again, and listen elsewhere now.
    moved: Vec<PeerLine>,
    /// Nodes that were started again and do not listen yet. They must hear of nothing before they
    /// hear of all nodes.
    joining: BTreeSet<NodeId>,
    /// Broken links by the node that they leave.
    faults: BTreeMap<NodeId, Vec<LinkLine>>,
    /// When the network's time is zero, in nanoseconds of the host's monotonic clock.
    start: Option<u64>,
    program: PathBuf,
    sender: Sender<(NodeId, FromChild)>,
}

impl Processes {
    /// Starts a process for every node of `plan`, with files under `directory`; returns when all
    /// have opened their ports. `metrics_port` is the first node's port for `/metrics`, the others
    /// follow; 0 takes free ones. `stopped` is asked now and then whether to give up.
    ///
    /// # Errors
    /// When a process does not start; all others are killed.
    pub fn start(
        plan: &NetworkPlan,
        directory: &Path,
        log_filter: &str,
        metrics_port: u16,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, LaunchError> {
        let nodes_directory = directory.join("nodes");
        std::fs::create_dir_all(&nodes_directory)
            .map_err(|source| LaunchError::Io { path: nodes_directory.clone(), source })?;
        let program = own_program()?;
        let (sender, events) = channel();
        let mut processes = Self {
            children: BTreeMap::new(),
            facts: BTreeMap::new(),
            reports: BTreeMap::new(),
            events,
            early: VecDeque::new(),
            peers: BTreeMap::new(),
            moved: Vec::new(),
            joining: BTreeSet::new(),
            faults: BTreeMap::new(),
            start: None,
            program: program.clone(),
            sender: sender.clone(),
        };
        let workers = recovery_workers(plan.shards.len());
        for (node, index) in plan.nodes().into_iter().zip(0u16..) {
            let name = file_name(node);
            let path = |suffix: &str| nodes_directory.join(format!("{name}.{suffix}"));
            let process = ProcessPlan {
                node,
                records: path("records"),
                observations: path("observations"),
                metrics_port: if metrics_port == 0 {
                    0
                } else {
                    metrics_port.saturating_add(index)
                },
                recovery_workers: matches!(node, NodeId::Shard(_)).then_some(workers),
                verify_signatures: plan.settings.verify_signatures,
                durability: plan.durability,
                again: false,
                observe_at_once: plan.observed_at_once.contains(&node),
            };
            let (log, file) = (path("log"), path("node"));
            let (records, observations) = (process.records.clone(), process.observations.clone());
            NodeFile::new(plan, process, log.clone(), log_filter.to_owned()).write(&file)?;
            let child = Child::start(&program, node, &file, &log, sender.clone())
                .map_err(|source| LaunchError::Spawn { node, program: program.clone(), source })?;
            let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
            let facts = NodeFacts {
                node,
                process: child.id(),
                network: unknown,
                metrics: unknown,
                log,
                records,
                observations,
            };
            processes.facts.insert(node, facts);
            processes.children.insert(node, child);
        }
        processes.expect_all(stopped, |facts, said| match said {
            FromProcess::Listening { network, metrics } => {
                facts.network = network;
                facts.metrics = metrics;
                true
            }
            _ => false,
        })?;
        Ok(processes)
    }

    /// Tells every process where all nodes are; `client` is where the launcher's own node listens,
    /// which must be connecting meanwhile.
    ///
    /// # Errors
    /// When a transport key is invalid.
    pub fn connect(
        &mut self,
        plan: &NetworkPlan,
        client: SocketAddr,
    ) -> Result<Vec<PeerLine>, LaunchError> {
        let addresses = self.facts.values().map(|facts| (facts.node, facts.network));
        let peers = addresses
            .chain([(NodeId::Client, client)])
            .map(|(node, address)| {
                let peer = peer_id(NetworkPlan::transport_seed(plan.seed, node).0)?.to_string();
                Ok(PeerLine { node, peer, address })
            })
            .collect::<Result<Vec<_>, NetworkError>>()?;
        self.peers = peers.iter().map(|peer| (peer.node, peer.clone())).collect();
        self.tell_all(&ToProcess::Connect(peers.clone()));
        Ok(peers)
    }

    /// Waits until every process is connected to all others. `stopped` is asked now and then
    /// whether to give up.
    ///
    /// # Errors
    /// When a process ends or takes too long.
    pub fn expect_ready(&mut self, stopped: &dyn Fn() -> bool) -> Result<(), LaunchError> {
        self.expect_all(stopped, |_, said| matches!(said, FromProcess::Ready))
    }

    /// Starts all; returns when the run's time is zero, in nanoseconds of the host's monotonic
    /// clock.
    pub fn begin(&mut self) -> u64 {
        let at = monotonic_nanos().saturating_add(START_NOTICE_NANOS);
        self.start = Some(at);
        self.tell_all(&ToProcess::Start { at });
        at
    }

    /// What is known of each node.
    pub fn facts(&self) -> impl Iterator<Item = &NodeFacts> {
        self.facts.values()
    }

    /// Waits up to `patience` for a process to end by itself. Who was started again is brought into
    /// the network meanwhile: this must be called until it is.
    pub fn watch(&mut self, patience: Duration) -> Option<Death> {
        match self.next_event(patience) {
            // It is not waited for any more at the end.
            Ok((node, FromChild::Silent)) => self.children.remove(&node).map(Child::death),
            Ok((node, FromChild::Said(said))) => {
                self.bring_in(node, said);
                None
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    fn tell(&mut self, node: NodeId, command: &ToProcess) {
        if let Some(child) = self.children.get_mut(&node) {
            child.tell(command);
        }
    }

    fn next_event(&mut self, patience: Duration) -> Result<(NodeId, FromChild), RecvTimeoutError> {
        match self.early.pop_front() {
            Some(event) => Ok(event),
            None => self.events.recv_timeout(patience),
        }
    }

    /// Stops all processes and waits for their end; who does not end in time is killed.
    #[expect(clippy::disallowed_methods, reason = "the launcher waits in real time")]
    pub fn stop(mut self) -> Stopped {
        self.tell_all(&ToProcess::Stop);
        let until = Instant::now() + STOP_PATIENCE;
        let mut stopped =
            Stopped { reports: std::mem::take(&mut self.reports), deaths: Vec::new() };
        while !self.children.is_empty() {
            let patience = until.saturating_duration_since(Instant::now());
            match self.next_event(patience) {
                Ok((node, FromChild::Said(FromProcess::Stopped(report)))) => {
                    stopped.reports.insert(node, report);
                }
                Ok((node, FromChild::Silent)) => {
                    let Some(mut child) = self.children.remove(&node) else { continue };
                    match stopped.reports.contains_key(&node) {
                        true => drop(child.wait()),
                        false => stopped.deaths.push(child.death()),
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        for (node, child) in std::mem::take(&mut self.children) {
            tracing::error!(%node, "did not end in time and is killed");
            let late = format!("did not end within {STOP_PATIENCE:?} and was killed");
            stopped.deaths.push(Death { status: late, ..child.death() });
        }
        stopped
    }

    fn tell_all(&mut self, command: &ToProcess) {
        for child in self.children.values_mut() {
            child.tell(command);
        }
    }

    /// Waits until `fits` accepted something from every process.
    #[expect(clippy::disallowed_methods, reason = "the launcher waits in real time")]
    fn expect_all(
        &mut self,
        stopped: &dyn Fn() -> bool,
        fits: impl Fn(&mut NodeFacts, FromProcess) -> bool,
    ) -> Result<(), LaunchError> {
        let until = Instant::now() + START_PATIENCE;
        let mut awaited: Vec<NodeId> = self.children.keys().copied().collect();
        while let Some(first) = awaited.first() {
            if stopped() {
                return Err(LaunchError::Interrupted);
            }
            let patience = until.saturating_duration_since(Instant::now());
            match self.next_event(patience.min(LOOK)) {
                Ok((node, FromChild::Said(said))) => {
                    if self.facts.get_mut(&node).is_some_and(|facts| fits(facts, said)) {
                        awaited.retain(|waiting| *waiting != node);
                    }
                }
                Ok((node, FromChild::Silent)) => {
                    if let Some(child) = self.children.remove(&node) {
                        return Err(LaunchError::Died(child.death()));
                    }
                }
                Err(_) if patience > LOOK => {}
                Err(_) => return Err(LaunchError::Late(*first)),
            }
        }
        Ok(())
    }
}

/// This very program. Linux names it so that it is found even after its file was replaced, which a
/// build does: a network must not mix two versions.
fn own_program() -> Result<PathBuf, LaunchError> {
    let itself = PathBuf::from("/proc/self/exe");
    if itself.exists() {
        return Ok(itself);
    }
    std::env::current_exe().map_err(|source| LaunchError::Io { path: itself, source })
}

/// `shard-1`, `coordinator-0`: names of a node's files.
pub(crate) fn file_name(node: NodeId) -> String {
    node.to_string().replace(':', "-")
}

/// Recovery threads of each shard's process: together as many as there are cores, one at least.
fn recovery_workers(shards: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / shards.max(1)).max(1)
}

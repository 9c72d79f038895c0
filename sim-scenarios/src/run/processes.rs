//! One network of real processes, from its start to the last file it leaves.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration as StdDuration;

use cross_shard_msg::{Duration, NodeId, Timestamp};
use runtime::clock::RunClock;
use runtime::drive::{DriveReport, Surroundings, drive};
use runtime::network::{InboxWaker, Network};
use runtime::observations::{ObservationLog, read_observations};
use runtime::process::{Connected, LinkLine, ProcessError, process_report, tell_address};
use runtime::records::{Durability, RecordError, RecordLog};

use super::Interrupt;
use super::collect::{CollectError, collect};
use super::facts::{CpuUse, cpu_use};
use super::prepare::Job;
use super::process_faults::{ProcessFaults, Victims};
use super::progress::Progress;
use super::reexecute::reexecute;
use crate::client::{Client, ClientConfig, ClientProgress, Ended};
use crate::launch::{LaunchError, Losses, Processes, Started, Stopped, start_network};
use crate::metrics::{NetworkData, ProcessFacts};
use crate::scenario::{FaultBand, Scenario};
use crate::workload::Workers;

/// How often the launcher looks at its network.
const LOOK: StdDuration = StdDuration::from_millis(20);
/// How long the launcher waits for its own messages to be acknowledged at the end.
const SHUTDOWN_PATIENCE: StdDuration = StdDuration::from_millis(200);

/// Why a network of processes has no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not start.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The launcher's own node could not go on.
    #[error("the client: {0}")]
    Client(#[from] ProcessError),
    /// A process cannot be killed, paused or resumed.
    #[error("{node}: {source}")]
    Signal {
        /// Which.
        node: NodeId,
        /// What the system said.
        source: std::io::Error,
    },
    /// What it left cannot be read.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// A file of the client's cannot be written.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// A directory cannot be made, or the client's observations cannot be written or read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A network that has run.
#[derive(Debug)]
pub struct NetworkRun {
    /// What it did.
    pub data: NetworkData,
    /// Processes that died while the network went on.
    pub lost: Vec<String>,
    /// Who died, what the client broke down at, or what could not be broken, if that ended the run.
    pub died: Option<String>,
    /// When faults were at work.
    pub faults: Vec<FaultBand>,
    /// Why the client ended; `None` if it was stopped from outside.
    pub ended: Option<Ended>,
    /// Wall-clock time over which CPU was measured.
    pub measured: Duration,
    /// Parts of the run and what they took.
    pub durations: Vec<(&'static str, Duration)>,
}

/// Runs `job` on processes, with files under `directory`.
///
/// # Errors
/// When it does not start, or what it left cannot be read. A process that dies later, a fault that
/// cannot be brought about, or the user ends the run early; that is no error.
pub fn run(
    scenario: &Scenario,
    job: Job,
    directory: &Path,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<NetworkRun, RunError> {
    let mut stopwatch = Stopwatch::start();
    progress.phase("starting processes");
    let Job { label, plan, workload, transactions, mainnet } = job;
    let config = ClientConfig::of(scenario, Timestamp::ZERO);
    let allocation = partitioning::Allocation::new(
        plan.settings.shard_count(),
        plan.base,
        plan.residents.clone(),
    );
    let mut faults = ProcessFaults::new(scenario, &workload.phases, label);
    let client = Client::new(config, allocation, Arc::new(workload));

    let started = start_network(&plan, directory, super::LOG_FILTER, 0, &|| interrupt.is_set())?;
    let Started { mut processes, client: connected, start } = started;
    stopwatch.lap("starting");

    let node = ClientNode::start(client, connected, start, directory)?;
    let clock = RunClock::starting_at(start);
    let mut watch = Watch::new(&processes);
    let mut losses = Losses::new(&plan.settings);
    let (mut death, mut failure) = (None, None);
    while death.is_none()
        && failure.is_none()
        && !interrupt.is_set()
        && !watch.ended()
        && !node.is_finished()
    {
        let next = watch.origin.zip(faults.next()).map(|(origin, at)| origin + at);
        let patience = next.map_or(LOOK, |at| LOOK.min(at.since(clock.now()).into()));
        death = processes.watch(patience).and_then(|death| losses.take(death));
        watch.look(clock.now(), &node, progress);
        let Some(origin) = watch.origin else { continue };
        let mut running = Running { processes: &mut processes, client: &node, watch: &mut watch };
        let struck = faults.strike(origin, clock.now(), &mut running);
        failure = struck.and_then(|()| running.meet_again()).err();
    }
    watch.finish(clock.now());
    let mut running = Running { processes: &mut processes, client: &node, watch: &mut watch };
    let bands = faults.finish(&mut running);
    stopwatch.lap("running");

    progress.phase("stopping processes");
    let facts: Vec<_> = processes.facts().cloned().collect();
    let totals = watch.totals();
    // Whatever became of the client, what the others did is read.
    let client = node.stop();
    let Stopped { reports, deaths } = processes.stop();
    for late in deaths {
        death = death.or(losses.take(late));
    }
    let died = match (death, &client) {
        (Some(death), _) => Some(death.to_string()),
        (None, Err(error)) => Some(error.to_string()),
        (None, Ok(_)) => None,
    };
    let died = failure.or(died);
    stopwatch.lap("stopping");

    progress.phase("reading what was recorded");
    let mut collected = collect(&plan, facts.iter())?;
    let path = directory.join("nodes").join("client.observations");
    let observed = read_observations(&path).map_err(|source| RunError::Io { path, source })?;
    collected.observations.insert(NodeId::Client, observed);
    for path in &collected.torn {
        tracing::warn!(path = %path.display(), "ends within a record");
    }
    stopwatch.lap("reading");

    let telling = |done, all| progress.count("executing blocks again", done, all);
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = Workers { threads, progress: &telling };
    let logs = std::mem::take(&mut collected.logs);
    collected.records.executions = reexecute(&plan, &logs, &transactions, &workers);
    drop(logs);
    stopwatch.lap("executing again");

    let mut process_facts: BTreeMap<NodeId, ProcessFacts> = BTreeMap::new();
    for node in &facts {
        process_facts.insert(
            node.node,
            ProcessFacts {
                process: Some(node.process),
                report: reports.get(&node.node).cloned(),
                killed: faults.is_down(node.node),
                disturbed: faults.has_struck(node.node),
                measured: watch.measured(node.node),
                total: totals.get(&node.node).copied(),
            },
        );
    }
    process_facts.insert(
        NodeId::Client,
        ProcessFacts {
            process: Some(std::process::id()),
            report: client.ok().map(|(report, left)| process_report(&report, left)),
            killed: false,
            disturbed: false,
            measured: watch.measured(NodeId::Client),
            total: totals.get(&NodeId::Client).copied(),
        },
    );
    Ok(NetworkRun {
        data: NetworkData {
            label,
            transactions,
            mainnet,
            observations: collected.observations,
            records: collected.records,
            questions: collected.questions,
            end: watch.end,
            processes: process_facts,
        },
        lost: losses.lost().to_vec(),
        died,
        faults: bands,
        ended: watch.last.and_then(|last| last.ended),
        measured: watch.end.since(watch.origin.unwrap_or(watch.end)),
        durations: stopwatch.laps,
    })
}

/// The launcher's own node: the load generator on its thread.
struct ClientNode {
    thread: JoinHandle<Result<DriveReport, RecordError>>,
    stop: Arc<AtomicBool>,
    waker: InboxWaker,
    progress: Arc<Mutex<Option<ClientProgress>>>,
    network: Network,
    runtime: tokio::runtime::Runtime,
    _metrics: runtime::metrics::MetricsServer,
}

impl ClientNode {
    fn start(
        client: Client,
        connected: Connected,
        start: u64,
        directory: &Path,
    ) -> Result<Self, RunError> {
        let Connected { runtime, network, inbox, node_metrics, metrics, .. } = connected;
        let path = |suffix: &str| directory.join("nodes").join(format!("client.{suffix}"));
        let observations = path("observations");
        let waker = inbox.waker();
        let surroundings = Surroundings {
            clock: RunClock::starting_at(start),
            network: network.handle(),
            inbox,
            records: RecordLog::create(&path("records"), Durability::Process)?,
            observations: ObservationLog::create(&observations)
                .map_err(|source| RunError::Io { path: observations, source })?,
            recovery: None,
            metrics: node_metrics,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let progress = Arc::new(Mutex::new(None));
        let (stopping, telling) = (Arc::clone(&stop), Arc::clone(&progress));
        let thread = thread::Builder::new()
            .name("client".to_owned())
            .spawn(move || {
                drive(client, surroundings, &stopping, |told: &Arc<ClientProgress>| {
                    let told = ClientProgress::clone(told);
                    *telling.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
                })
            })
            .map_err(ProcessError::Runtime)?;
        Ok(Self { thread, stop, waker, progress, network, runtime, _metrics: metrics })
    }

    fn progress(&self) -> Option<ClientProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the thread ended by itself, which it does only on an error.
    fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    fn stop(self) -> Result<(DriveReport, u64), RunError> {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        let report = self.thread.join().map_err(|_| ProcessError::Panicked)??;
        let left = self.runtime.block_on(self.network.drain(SHUTDOWN_PATIENCE));
        Ok((report, left.values().map(|count| *count as u64).sum()))
    }
}

/// A network that runs, for faults to strike.
struct Running<'a> {
    processes: &'a mut Processes,
    client: &'a ClientNode,
    watch: &'a mut Watch,
}

impl Running<'_> {
    /// Lets the client know where nodes are that were started again.
    fn meet_again(&mut self) -> Result<(), String> {
        for peer in self.processes.take_moved() {
            tell_address(&self.client.runtime, &self.client.network, &peer)
                .map_err(|error| format!("the client: {error}"))?;
        }
        Ok(())
    }
}

impl Victims for Running<'_> {
    type Error = RunError;

    fn is_running(&self, node: NodeId) -> bool {
        self.processes.is_running(node)
    }

    fn leader(&self) -> NodeId {
        self.processes.leader()
    }

    fn kill(&mut self, node: NodeId) -> Result<(), RunError> {
        self.watch.goes(node);
        self.processes.kill(node).map(drop).map_err(|source| RunError::Signal { node, source })
    }

    fn restart(&mut self, node: NodeId) -> Result<(), RunError> {
        self.processes.restart(node)?;
        let again = self.processes.facts().find(|facts| facts.node == node);
        self.watch.processes.extend(again.map(|facts| (node, facts.process)));
        Ok(())
    }

    fn pause(&mut self, node: NodeId) -> Result<(), RunError> {
        self.processes.pause(node).map_err(|source| RunError::Signal { node, source })
    }

    fn resume(&mut self, node: NodeId) -> Result<(), RunError> {
        self.processes.resume(node).map_err(|source| RunError::Signal { node, source })
    }

    fn break_links(&mut self, from: NodeId, links: &[LinkLine]) -> Result<(), RunError> {
        if from != NodeId::Client {
            self.processes.set_faults(from, links);
            return Ok(());
        }
        let network = self.client.network.handle();
        let told = links.iter().try_for_each(|link| network.set_faults(link.to, &link.faults));
        told.map_err(|error| ProcessError::Launcher(error.to_string()).into())
    }
}

/// Watches a run: its progress, and what it uses of the CPU from the first scheduled to the last
/// finalized transaction.
struct Watch {
    processes: BTreeMap<NodeId, u32>,
    /// What was used by processes of a node that are gone.
    gone: BTreeMap<NodeId, CpuUse>,
    last: Option<ClientProgress>,
    origin: Option<Timestamp>,
    before: BTreeMap<NodeId, CpuUse>,
    after: BTreeMap<NodeId, CpuUse>,
    end: Timestamp,
}

impl Watch {
    fn new(processes: &Processes) -> Self {
        let nodes = processes.facts().map(|facts| (facts.node, facts.process));
        Self {
            processes: nodes.chain([(NodeId::Client, std::process::id())]).collect(),
            gone: BTreeMap::new(),
            last: None,
            origin: None,
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            end: Timestamp::ZERO,
        }
    }

    fn look(&mut self, now: Timestamp, node: &ClientNode, progress: &Progress) {
        let Some(told) = node.progress() else { return };
        if self.origin.is_none() && told.origin.is_some_and(|origin| origin <= now) {
            self.origin = told.origin;
            self.before = self.totals();
        }
        if self.last.as_ref() != Some(&told) {
            progress.client(now, &told);
            self.last = Some(told);
        }
    }

    fn ended(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.ended.is_some())
    }

    fn finish(&mut self, now: Timestamp) {
        self.end = now;
        self.after = self.totals();
    }

    /// By node, over all its lives.
    fn totals(&self) -> BTreeMap<NodeId, CpuUse> {
        let mut totals = self.gone.clone();
        for (node, process) in &self.processes {
            if let Some(used) = cpu_use(*process) {
                let before = totals.get(node).copied().unwrap_or_default();
                totals.insert(*node, before.plus(used));
            }
        }
        totals
    }

    /// A node's process is about to be killed.
    fn goes(&mut self, node: NodeId) {
        if let Some(used) = self.processes.remove(&node).and_then(cpu_use) {
            let before = self.gone.get(&node).copied().unwrap_or_default();
            self.gone.insert(node, before.plus(used));
        }
    }

    fn measured(&self, node: NodeId) -> Option<CpuUse> {
        Some(self.after.get(&node)?.since(*self.before.get(&node)?))
    }
}

/// Adds what parts of a network's run took to what they took of others.
pub(super) fn add_laps(
    sums: &mut Vec<(&'static str, Duration)>,
    laps: Vec<(&'static str, Duration)>,
) {
    for (part, took) in laps {
        match sums.iter_mut().find(|(name, _)| *name == part) {
            Some((_, sum)) => *sum = *sum + took,
            None => sums.push((part, took)),
        }
    }
}

/// Takes the time of parts of a run.
pub(super) struct Stopwatch {
    since: u64,
    /// Parts and what they took.
    pub laps: Vec<(&'static str, Duration)>,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self { since: runtime::clock::monotonic_nanos(), laps: Vec::new() }
    }

    pub fn lap(&mut self, part: &'static str) {
        let now = runtime::clock::monotonic_nanos();
        self.laps.push((part, Duration(now.saturating_sub(self.since))));
        self.since = now;
    }
}

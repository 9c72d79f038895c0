//! One network of real processes, from its start to the last file it leaves.

use std::collections::BTreeMap;
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
use runtime::process::{Connected, ProcessError, process_report};
use runtime::records::{Durability, RecordError, RecordLog};

use super::Interrupt;
use super::collect::{CollectError, collect};
use super::facts::{CpuUse, cpu_use};
use super::prepare::Job;
use super::progress::Progress;
use crate::client::{Client, ClientConfig, ClientProgress, Ended};
use crate::launch::{LaunchError, Losses, Processes, Started, Stopped, start_network};
use crate::metrics::{NetworkData, ProcessFacts};
use crate::scenario::Scenario;

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
    /// Who died, or what the client broke down at, if that ended the run.
    pub died: Option<String>,
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
/// When it does not start, or what it left cannot be read. A process that dies later, or the user,
/// ends the run early; that is no error.
pub fn run(
    scenario: &Scenario,
    job: Job,
    directory: &Path,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<NetworkRun, RunError> {
    let mut stopwatch = Stopwatch::start();
    progress.phase("starting processes");
    let Job { label, plan, workload, transactions } = job;
    let config = ClientConfig::of(scenario, Timestamp::ZERO);
    let allocation = partitioning::Allocation::new(
        plan.settings.shard_count(),
        plan.base,
        plan.residents.clone(),
    );
    let client = Client::new(config, allocation, Arc::new(workload));

    let started = start_network(&plan, directory, super::LOG_FILTER, 0, &|| interrupt.is_set())?;
    let Started { mut processes, client: connected, start } = started;
    stopwatch.lap("starting");

    let node = ClientNode::start(client, connected, start, directory)?;
    let clock = RunClock::starting_at(start);
    let mut watch = Watch::new(&processes);
    let mut losses = Losses::new(&plan.settings);
    let mut death = None;
    while death.is_none() && !interrupt.is_set() && !watch.ended() && !node.is_finished() {
        death = processes.watch(LOOK).and_then(|death| losses.take(death));
        watch.look(clock.now(), &node, progress);
    }
    watch.finish(clock.now());
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

    let mut process_facts: BTreeMap<NodeId, ProcessFacts> = BTreeMap::new();
    for node in &facts {
        process_facts.insert(
            node.node,
            ProcessFacts {
                process: Some(node.process),
                report: reports.get(&node.node).cloned(),
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
            measured: watch.measured(NodeId::Client),
            total: totals.get(&NodeId::Client).copied(),
        },
    );
    Ok(NetworkRun {
        data: NetworkData {
            label,
            transactions,
            observations: collected.observations,
            records: collected.records,
            end: watch.end,
            processes: process_facts,
        },
        lost: losses.lost().to_vec(),
        died,
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

/// Watches a run: its progress, and what it uses of the CPU from the first scheduled to the last
/// finalized transaction.
struct Watch {
    processes: Vec<(NodeId, u32)>,
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

    fn totals(&self) -> BTreeMap<NodeId, CpuUse> {
        let used = |(node, process): &(NodeId, u32)| Some((*node, cpu_use(*process)?));
        self.processes.iter().filter_map(used).collect()
    }

    fn measured(&self, node: NodeId) -> Option<CpuUse> {
        Some(self.after.get(&node)?.since(*self.before.get(&node)?))
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

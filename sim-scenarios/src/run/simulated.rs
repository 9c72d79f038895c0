//! A planned network in the simulated world: the machines that [`super::processes`] runs as
//! processes, in one thread and under virtual time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use coordinator::{Coordinator, CoordinatorRecord};
use cross_shard_msg::{Duration, Machine, NodeId, Observation, ShardId, Timestamp, ValidatorIndex};
use shard_node::{ShardNode, ShardRecord};
use simulation::checkers::Records;
use simulation::trace::TraceEvent;
use simulation::{CostProfile, Disk, FaultPlan, Follower, Link, Links, Monitor, World};

use super::collect::empty_records;
use super::prepare::Job;
use super::reexecute::ShardLogs;
use super::simulated_byzantine;
use crate::client::{Client, ClientConfig, ClientProgress};
use crate::launch::{NetworkPlan, NodeFileError};
use crate::scenario::{Byzantine, Scenario};
use crate::workload::SignedWorkload;

/// Why a network cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// A node's configuration is of no use.
    #[error(transparent)]
    Node(#[from] NodeFileError),
    /// A machine refuses its configuration.
    #[error("{node}: {problem}")]
    Machine {
        /// Which.
        node: NodeId,
        /// What it says.
        problem: String,
    },
    /// A node cannot be rebuilt from what it had made durable.
    #[error("{node} cannot be restarted: {problem}")]
    Recovery {
        /// Which.
        node: NodeId,
        /// Why.
        problem: String,
    },
}

/// What came out of a simulated run.
#[derive(Debug)]
pub struct Simulated {
    /// Blocks and checkpoints.
    pub records: Records,
    /// What each shard's blocks can be executed again from.
    pub logs: ShardLogs,
    /// Observations by node.
    pub observations: BTreeMap<NodeId, Vec<Observation>>,
    /// Virtual time at the end.
    pub end: Timestamp,
    /// Events handled.
    pub events: u64,
    /// Digest of everything that happened.
    pub digest: alloy_primitives::B256,
    /// What the world counted.
    pub statistics: simulation::Statistics,
}

/// What a simulated run is given.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// What work costs a node's CPU.
    pub profile: CostProfile,
    /// The run ends then, whatever is still open.
    pub end: Timestamp,
    /// How much longer the network runs once its client has ended.
    pub linger: Duration,
}

/// What happens besides, and who looks on.
pub struct Surroundings<'a> {
    /// What breaks; told when the schedule of the first phase begins.
    pub faults: &'a dyn Fn(Timestamp) -> FaultPlan,
    /// Nodes that may be restarted.
    pub restartable: BTreeSet<NodeId>,
    /// Whether the client names the senders of its transactions, and shards believe it although
    /// they charge the time to verify signatures. Saves the real work.
    pub trust_senders: bool,
    /// Is shown every event.
    pub tracer: Option<Tracer>,
    /// Is told how far the client is, now and then; `true` ends the run.
    pub look: &'a mut dyn FnMut(Timestamp, Option<&ClientProgress>) -> bool,
    /// Sees what honest nodes make durable, and ends the run when an invariant breaks.
    pub monitor: Option<Monitor>,
    /// The disk of every node, if it is not the usual one.
    pub disk: Option<Disk>,
}

/// Is shown every event of a world.
pub type Tracer = Box<dyn FnMut(&TraceEvent<'_>)>;

/// Events between two looks of [`Surroundings::look`].
pub(crate) const LOOK_EVERY: u64 = 4_096;

/// Runs `job` with the load generator that its scenario asks for, until that has ended. Returns
/// what it said last, too.
///
/// # Errors
/// When a machine cannot be made.
pub fn simulate_job(
    scenario: &Scenario,
    job: &Job,
    conditions: Conditions,
) -> Result<(Simulated, Option<ClientProgress>), SimulationError> {
    let surroundings = Surroundings {
        faults: &|_| FaultPlan::new(),
        restartable: BTreeSet::new(),
        trust_senders: false,
        tracer: None,
        look: &mut |_, _| false,
        monitor: None,
        disk: None,
    };
    let workload = Arc::new(job.workload.clone());
    simulate_workload(scenario, &job.plan, workload, conditions, surroundings)
}

/// The same with faults, restarts and onlookers.
///
/// # Errors
/// When a machine cannot be made, or made again after a crash.
pub fn simulate_workload(
    scenario: &Scenario,
    plan: &NetworkPlan,
    workload: Arc<SignedWorkload>,
    conditions: Conditions,
    surroundings: Surroundings<'_>,
) -> Result<(Simulated, Option<ClientProgress>), SimulationError> {
    let Surroundings { faults, restartable, trust_senders, tracer, look, monitor, disk } =
        surroundings;
    let allocation = partitioning::Allocation::new(
        plan.settings.shard_count(),
        plan.base,
        plan.residents.clone(),
    );
    let mut config = ClientConfig::of(scenario, Timestamp::ZERO);
    config.assume_senders |= trust_senders;
    let client = Client::new(config, allocation, workload);
    let last = Rc::new(RefCell::new(None::<Arc<ClientProgress>>));
    let byzantine = &scenario.byzantine;
    let mut network =
        SimulatedNetwork::new(plan, conditions.profile, &restartable, byzantine, monitor.as_ref())?;
    for node in plan.nodes() {
        if let Some(disk) = disk {
            network.world.replace_disk(node, disk);
        }
    }
    if trust_senders {
        network.world.trust_senders();
    }
    if let Some(tracer) = tracer {
        network.world.trace(tracer);
    }
    network.world.add(NodeId::Client, client, Listener(Rc::clone(&last)));
    let origin = || last.borrow().as_ref().and_then(|progress| progress.origin);
    let broken = || monitor.as_ref().is_some_and(Monitor::broken);
    let ended =
        || broken() || last.borrow().as_ref().is_some_and(|progress| progress.ended.is_some());

    // Faults count from the start of the first phase, which the client knows once all is set up.
    let (mut planned, mut stopped) = (false, false);
    while !stopped && !ended() {
        let mut events = 0;
        let more = network.world.run(conditions.end, || {
            events += 1;
            ended() || events >= LOOK_EVERY || (!planned && origin().is_some())
        });
        if let Some(origin) = origin().filter(|_| !planned) {
            planned = true;
            network.world.schedule(&faults(origin));
        }
        network.check_restarts()?;
        stopped = !more || look(network.world.now(), last.borrow().as_deref());
    }
    if !broken() {
        network.world.run(network.world.now() + conditions.linger, broken);
        network.check_restarts()?;
    }
    let simulated = network.finish(plan);
    let last = last.borrow_mut().take().map(Arc::unwrap_or_clone);
    Ok((simulated, last))
}

/// Runs the network of `plan` with `client` until `done` says so, and then a little longer.
///
/// # Errors
/// When a machine cannot be made.
pub fn simulate<C: Machine + 'static>(
    plan: &NetworkPlan,
    conditions: Conditions,
    client: C,
    follower: impl Follower<C> + 'static,
    done: impl FnMut() -> bool,
) -> Result<Simulated, SimulationError> {
    let mut network = SimulatedNetwork::new(plan, conditions.profile, &BTreeSet::new(), &[], None)?;
    network.world.add(NodeId::Client, client, follower);
    if network.world.run(conditions.end, done) {
        network.world.run(network.world.now() + conditions.linger, || false);
    }
    Ok(network.finish(plan))
}

/// Shards and coordinators of a plan in a world.
struct SimulatedNetwork {
    world: World,
    records: Rc<RefCell<Records>>,
    logs: Rc<RefCell<ShardLogs>>,
    monitor: Option<Monitor>,
    /// A node that could not be rebuilt, and why.
    unrecovered: Rc<RefCell<Option<(NodeId, String)>>>,
}

impl SimulatedNetwork {
    fn new(
        plan: &NetworkPlan,
        profile: CostProfile,
        restartable: &BTreeSet<NodeId>,
        byzantine: &[Byzantine],
        monitor: Option<&Monitor>,
    ) -> Result<Self, SimulationError> {
        let verify = plan.settings.verify_signatures;
        let mut network = Self {
            world: World::new(links(plan), profile, Duration(profile.record), verify),
            records: Rc::new(RefCell::new(empty_records(plan))),
            logs: Rc::default(),
            monitor: monitor.cloned(),
            unrecovered: Rc::default(),
        };
        for node in plan.nodes() {
            if let Some(one) = byzantine.iter().find(|one| one.target == node) {
                // What it says is judged by what it does to the others.
                let recorder = Recorder { monitor: None, ..network.recorder(node) };
                simulated_byzantine::add(&mut network.world, plan, one, recorder)?;
                continue;
            }
            #[cfg(feature = "planted-bugs")]
            if network.add_planted(plan, node, restartable.contains(&node))? {
                continue;
            }
            match node {
                NodeId::Shard(shard) => {
                    let config = plan.shard_config(shard)?;
                    let again = restartable.contains(&node).then(|| config.clone());
                    network.add(node, ShardNode::new(config), again, |config, records| {
                        ShardNode::recover(config, records.iter().cloned())
                            .map_err(|error| error.to_string())
                    })?;
                }
                NodeId::Coordinator(index) => {
                    let config = plan.coordinator_config(index);
                    let again = restartable.contains(&node).then(|| config.clone());
                    network.add(node, Coordinator::new(config), again, |config, records| {
                        Coordinator::recover(config, records.iter().cloned())
                            .map_err(|error| error.to_string())
                    })?;
                }
                NodeId::Client => {}
            }
        }
        Ok(network)
    }

    /// Adds a node with a planted bug that is outside of its machine; false if there is none.
    #[cfg(feature = "planted-bugs")]
    fn add_planted(
        &mut self,
        plan: &NetworkPlan,
        node: NodeId,
        restartable: bool,
    ) -> Result<bool, SimulationError> {
        use super::simulated_planted::{Forgetful, Hasty};
        use consensus::quorum::planted::{Bug, is};
        match node {
            NodeId::Shard(shard) if is(Bug::LostPull) => {
                let config = plan.shard_config(shard)?;
                let again = restartable.then(|| config.clone());
                let machine = ShardNode::new(config).map(Forgetful::new);
                self.add(node, machine, again, |config, records| {
                    ShardNode::recover(config, records.iter().cloned())
                        .map(Forgetful::new)
                        .map_err(|error| error.to_string())
                })?;
            }
            NodeId::Coordinator(index) if is(Bug::HastyVote) => {
                let config = plan.coordinator_config(index);
                let again = restartable.then(|| config.clone());
                let machine = Coordinator::new(config).map(Hasty);
                self.add(node, machine, again, |config, records| {
                    Coordinator::recover(config, records.iter().cloned())
                        .map(Hasty)
                        .map_err(|error| error.to_string())
                })?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Adds a node; with `again` it can be restarted, by `recover` from its records.
    fn add<M, G, E>(
        &mut self,
        node: NodeId,
        machine: Result<M, E>,
        again: Option<G>,
        recover: impl Fn(G, &[M::Record]) -> Result<M, String> + 'static,
    ) -> Result<(), SimulationError>
    where
        M: Machine + 'static,
        G: Clone + 'static,
        E: std::fmt::Display,
        Recorder: Follower<M>,
    {
        let refused = |problem: E| SimulationError::Machine { node, problem: problem.to_string() };
        let machine = machine.map_err(refused)?;
        let recorder = self.recorder(node);
        let Some(config) = again else {
            self.world.add(node, machine, recorder);
            return Ok(());
        };
        let unrecovered = Rc::clone(&self.unrecovered);
        let mut first = Some(machine);
        let restart = move |records: &[M::Record]| match first.take() {
            Some(machine) => machine,
            None => match recover(config.clone(), records) {
                Ok(machine) => machine,
                Err(problem) => {
                    unrecovered.borrow_mut().get_or_insert((node, problem));
                    // The run ends before it does anything: see `check_restarts`.
                    recover(config.clone(), &[]).unwrap_or_else(|problem| {
                        unreachable!("{node} started from genesis before: {problem}")
                    })
                }
            },
        };
        self.world.add_restartable(node, restart, recorder);
        Ok(())
    }

    fn recorder(&self, node: NodeId) -> Recorder {
        let (records, logs) = (Rc::clone(&self.records), Rc::clone(&self.logs));
        Recorder { node, records, logs, monitor: self.monitor.clone() }
    }

    fn check_restarts(&self) -> Result<(), SimulationError> {
        match self.unrecovered.borrow_mut().take() {
            Some((node, problem)) => Err(SimulationError::Recovery { node, problem }),
            None => Ok(()),
        }
    }

    fn finish(mut self, plan: &NetworkPlan) -> Simulated {
        let mut observations: BTreeMap<NodeId, Vec<Observation>> = BTreeMap::new();
        for (node, observation) in self.world.take_observations() {
            observations.entry(node).or_default().push(observation);
        }
        let world = &self.world;
        let statistics = world.statistics();
        let (end, digest, events) = (world.now(), world.digest(), statistics.events);
        drop(self.world);
        // The world is gone, and with it every recorder.
        let records =
            Rc::try_unwrap(self.records).map_or_else(|_| empty_records(plan), RefCell::into_inner);
        let logs = self.logs.take();
        Simulated { records, logs, observations, end, events, digest, statistics }
    }
}

fn links(plan: &NetworkPlan) -> Links {
    let link =
        |shape: &runtime::network::LinkShape| Link { delay: shape.delay, jitter: shape.jitter };
    let default = &plan.links.default;
    let mut links = Links::uniform(link(default), plan.seed).with_bandwidth(default.bandwidth);
    for ((from, to), shape) in &plan.links.overrides {
        links = links.with(*from, *to, link(shape)).with_bandwidth_of(*from, *to, shape.bandwidth);
    }
    links
}

/// Keeps what the client said last.
struct Listener(Rc<RefCell<Option<Arc<ClientProgress>>>>);

impl Follower<Client> for Listener {
    fn executed(&mut self, progress: &Arc<ClientProgress>) {
        *self.0.borrow_mut() = Some(Arc::clone(progress));
    }

    fn record(&mut self, nothing: &crate::client::Nothing) {
        match *nothing {}
    }
}

/// Keeps what a node makes durable.
pub(super) struct Recorder {
    node: NodeId,
    records: Rc<RefCell<Records>>,
    logs: Rc<RefCell<ShardLogs>>,
    monitor: Option<Monitor>,
}

impl Follower<ShardNode> for Recorder {
    fn executed(&mut self, _: &Arc<<ShardNode as Machine>::Executed>) {}

    fn record(&mut self, _: &ShardRecord) {}

    fn durable(&mut self, record: &ShardRecord) {
        if let NodeId::Shard(shard) = self.node {
            if let Some(monitor) = &self.monitor {
                monitor.block(shard, &record.block);
            }
            let mut records = self.records.borrow_mut();
            records.blocks.entry(shard).or_default().push(Arc::clone(&record.block));
            // Snapshots are for recovery; executing again starts at genesis.
            let bare = ShardRecord { before: None, ..record.clone() };
            self.logs.borrow_mut().entry(shard).or_default().push(bare);
        }
    }
}

impl Follower<Coordinator> for Recorder {
    fn executed(&mut self, _: &Arc<<Coordinator as Machine>::Executed>) {}

    fn record(&mut self, _: &CoordinatorRecord) {}

    fn durable(&mut self, record: &CoordinatorRecord) {
        if let NodeId::Coordinator(index) = self.node {
            let finalized = record.checkpoints();
            if let Some(monitor) = &self.monitor {
                finalized.iter().for_each(|finalized| monitor.checkpoint(index, finalized));
            }
            let mut records = self.records.borrow_mut();
            records.checkpoints.entry(index).or_default().extend(finalized);
            records.evidence.entry(index).or_default().extend(record.evidence().cloned());
        }
    }
}

impl NetworkPlan {
    /// The configuration of a shard of this plan.
    ///
    /// # Errors
    /// When the prescribed fork is unknown.
    pub fn shard_config(&self, shard: ShardId) -> Result<shard_node::ShardConfig, NodeFileError> {
        use cross_shard_msg::SecretKey;
        use shard_node::evm::SpecId;
        use shard_node::{Environment, Prescribed, ShardConfig};
        let own = self.shards.get(shard.0 as usize);
        let environment = match &self.prescription {
            None => Environment::Lab,
            Some(prescription) => Environment::Prescribed(Prescribed {
                spec: SpecId::try_from_u8(prescription.spec)
                    .ok_or(NodeFileError::Fork(prescription.spec))?,
                block: prescription.block.clone(),
                order: own.map(|own| own.order.clone()).unwrap_or_default(),
            }),
        };
        let seed = Self::signing_seed(self.seed, NodeId::Shard(shard));
        Ok(ShardConfig {
            shard,
            key: SecretKey::from_seed(&seed),
            settings: Arc::clone(&self.settings),
            base: self.base,
            residents: self.residents.clone(),
            environment,
            genesis: own.map(|own| own.genesis.clone()).unwrap_or_default(),
        })
    }

    /// The configuration of a coordinator of this plan.
    #[must_use]
    pub fn coordinator_config(&self, index: ValidatorIndex) -> coordinator::CoordinatorConfig {
        let seed = Self::signing_seed(self.seed, NodeId::Coordinator(index));
        coordinator::CoordinatorConfig {
            index,
            key: cross_shard_msg::SecretKey::from_seed(&seed),
            settings: (*self.settings).clone(),
            partitioner: self.strategy.as_ref().map(|strategy| strategy.config(index)),
        }
    }
}

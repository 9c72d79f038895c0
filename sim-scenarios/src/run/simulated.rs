//! A planned network in the simulated world: the machines that [`super::processes`] runs as
//! processes, in one thread and under virtual time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use coordinator::{Coordinator, CoordinatorRecord};
use cross_shard_msg::{Duration, Machine, NodeId, Observation, ShardId, Timestamp, ValidatorIndex};
use shard_node::{ShardNode, ShardRecord};
use simulation::checkers::Records;
use simulation::{CostProfile, Follower, Link, Links, World};

use super::collect::empty_records;
use super::prepare::Job;
use crate::client::{Client, ClientConfig, ClientProgress};
use crate::launch::{NetworkPlan, NodeFileError};
use crate::scenario::Scenario;

/// How long a write takes to be durable in the simulated world.
const DURABLE_AFTER: Duration = Duration::from_micros(50);

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
}

/// What came out of a simulated run.
#[derive(Debug)]
pub struct Simulated {
    /// Blocks and checkpoints.
    pub records: Records,
    /// Observations by node.
    pub observations: BTreeMap<NodeId, Vec<Observation>>,
    /// Virtual time at the end.
    pub end: Timestamp,
    /// Events handled.
    pub events: u64,
    /// Digest of everything that happened.
    pub digest: alloy_primitives::B256,
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
    let plan = &job.plan;
    let allocation = partitioning::Allocation::new(
        plan.settings.shard_count(),
        plan.base,
        plan.residents.clone(),
    );
    let config = ClientConfig::of(scenario, Timestamp::ZERO);
    let client = Client::new(config, allocation, Arc::new(job.workload.clone()));
    let last = Rc::new(RefCell::new(None));
    let ended = Rc::clone(&last);
    let ended = move || {
        let progress: &Option<Arc<ClientProgress>> = &ended.borrow();
        progress.as_ref().is_some_and(|progress| progress.ended.is_some())
    };
    let listener = Listener(Rc::clone(&last));
    let simulated = simulate(plan, conditions, client, listener, ended)?;
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
    let Conditions { profile, end, linger } = conditions;
    let mut world =
        World::new(links(plan), profile, DURABLE_AFTER, plan.settings.verify_signatures);
    let records = Rc::new(RefCell::new(empty_records(plan)));
    for node in plan.nodes() {
        let recorder = Recorder { node, records: Rc::clone(&records) };
        let refused = |problem: String| SimulationError::Machine { node, problem };
        match node {
            NodeId::Shard(shard) => {
                let machine = ShardNode::new(plan.shard_config(shard)?)
                    .map_err(|error| refused(error.to_string()))?;
                world.add(node, machine, recorder);
            }
            NodeId::Coordinator(index) => {
                let machine = Coordinator::new(plan.coordinator_config(index))
                    .map_err(|error| refused(error.to_string()))?;
                world.add(node, machine, recorder);
            }
            NodeId::Client => {}
        }
    }
    world.add(NodeId::Client, client, follower);
    if world.run(end, done) {
        world.run(world.now() + linger, || false);
    }
    let mut observations: BTreeMap<NodeId, Vec<Observation>> = BTreeMap::new();
    for (node, observation) in world.take_observations() {
        observations.entry(node).or_default().push(observation);
    }
    let (end, digest, events) = (world.now(), world.digest(), world.statistics().events);
    drop(world);
    // The world is gone, and with it every recorder.
    let records = Rc::try_unwrap(records).map_or_else(|_| empty_records(plan), RefCell::into_inner);
    Ok(Simulated { records, observations, end, events, digest })
}

fn links(plan: &NetworkPlan) -> Links {
    let link =
        |shape: &runtime::network::LinkShape| Link { delay: shape.delay, jitter: shape.jitter };
    let mut links = Links::uniform(link(&plan.links.default), plan.seed);
    for ((from, to), shape) in &plan.links.overrides {
        links = links.with(*from, *to, link(shape));
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
struct Recorder {
    node: NodeId,
    records: Rc<RefCell<Records>>,
}

impl Follower<ShardNode> for Recorder {
    fn executed(&mut self, _: &Arc<<ShardNode as Machine>::Executed>) {}

    fn record(&mut self, record: &ShardRecord) {
        if let NodeId::Shard(shard) = self.node {
            let mut records = self.records.borrow_mut();
            records.blocks.entry(shard).or_default().push((*record.block).clone());
        }
    }
}

impl Follower<Coordinator> for Recorder {
    fn executed(&mut self, _: &Arc<<Coordinator as Machine>::Executed>) {}

    fn record(&mut self, record: &CoordinatorRecord) {
        if let NodeId::Coordinator(index) = self.node {
            let mut records = self.records.borrow_mut();
            records.checkpoints.entry(index).or_default().extend(record.checkpoints());
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
        }
    }
}

//! Three shards, four validators, a load of transfers, and checkers at every event.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use coordinator::{PartitionerConfig, Proof};
use cross_shard_msg::{
    Block, DropReason, Duration, Epochs, Event, FinalizedCheckpoint, Gate, NodeId, ShardId,
    Timestamp, ValidatorIndex,
};
use partitioning::{VertexWeight, Weights};
use simulation::byzantine::Scatter;
use simulation::online::Validity;
use simulation::{
    Checker, CostProfile, Disk, FaultPlan, Honest, Link, Links, Mode, Monitor, Network,
    NetworkSpec, Spender, World,
};

pub const SHARDS: u32 = 3;
pub const VALIDATORS: u32 = 4;
const TRANSFERS: u64 = 600;

pub fn shard(index: u32) -> NodeId {
    NodeId::Shard(ShardId(index))
}

pub fn coordinator(index: u32) -> NodeId {
    NodeId::Coordinator(ValidatorIndex(index))
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn at(millis: u64) -> Timestamp {
    Timestamp(millis * 1_000_000)
}

/// Counts what happened, and where the last checkpoint is.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub blocks: BTreeMap<u32, u64>,
    pub legs: u64,
    pub checkpoints: u64,
    /// Heights that are final, by shard.
    pub covered: BTreeMap<u32, u64>,
    /// Value that entered, by source.
    pub entered: BTreeMap<u32, u64>,
    /// Transfers that their senders' shards executed.
    pub transfers: u64,
    /// Accounts that final checkpoints moved.
    pub moved: u64,
    /// What coordinators keep of faulty nodes.
    pub evidence: Vec<Proof>,
}

struct Counter(Rc<RefCell<Tally>>);

impl Checker for Counter {
    fn name(&self) -> &'static str {
        "tally"
    }

    fn on_block(&mut self, shard: ShardId, block: &Arc<Block>) -> Result<(), String> {
        let mut tally = self.0.borrow_mut();
        *tally.blocks.entry(shard.0).or_default() += 1;
        tally.legs += block.legs.len() as u64;
        tally.transfers += block.body.transactions.len() as u64;
        for batch in &block.body.incoming {
            *tally.entered.entry(batch.source.0).or_default() += batch.receipts.len() as u64;
        }
        Ok(())
    }

    fn on_evidence(&mut self, _: ValidatorIndex, proof: &Proof) -> Result<(), String> {
        self.0.borrow_mut().evidence.push(proof.clone());
        Ok(())
    }

    fn on_checkpoint(
        &mut self,
        _: ValidatorIndex,
        finalized: &FinalizedCheckpoint,
    ) -> Result<(), String> {
        let mut tally = self.0.borrow_mut();
        if finalized.checkpoint.number.0 > tally.checkpoints {
            tally.checkpoints = finalized.checkpoint.number.0;
            tally.moved += finalized.checkpoint.moves.len() as u64;
        }
        for link in &finalized.checkpoint.crosslinks {
            let covered = tally.covered.entry(link.shard.0).or_default();
            *covered = (*covered).max(link.tip().0);
        }
        Ok(())
    }
}

/// A network that is about to run.
pub struct Scene {
    pub network: Network,
    pub world: World,
    pub monitor: Monitor,
    pub tally: Rc<RefCell<Tally>>,
}

pub struct Conditions {
    pub seed: u64,
    pub mode: Mode,
    pub gate: Gate,
    pub dishonest: Vec<u32>,
    /// Nodes that the test adds.
    pub except: Vec<NodeId>,
    /// When accounts move; they then move anywhere.
    pub epochs: Option<Epochs>,
}

impl Conditions {
    pub fn new(seed: u64) -> Self {
        let (dishonest, except) = (Vec::new(), Vec::new());
        let (mode, gate) = (Mode::Reliable, Gate::Checkpoint);
        Self { seed, mode, gate, dishonest, except, epochs: None }
    }
}

impl Scene {
    pub fn new(conditions: &Conditions) -> Self {
        let spec = NetworkSpec {
            shards: SHARDS,
            validators: VALIDATORS,
            accounts: 20,
            block_time: millis(100),
            checkpoint_every: millis(300),
            gate: conditions.gate,
            seed: conditions.seed,
        };
        let mut network = Network::new(spec);
        if let Some(epochs) = conditions.epochs {
            let partitioner = PartitionerConfig {
                partitioner: Arc::new(Scatter),
                weights: Weights { vertex: VertexWeight::Load, eta: 2.0 },
                windows: 2,
                places: None,
                seed: conditions.seed,
            };
            network = network.with_epochs(epochs, partitioner);
        }
        let link = Link { delay: millis(5), jitter: millis(3) };
        let links = Links::uniform(link, conditions.seed).with_mode(conditions.mode);
        let mut world = World::new(links, CostProfile::REFERENCE, millis(2), false);
        let monitor = Monitor::new();
        let tally = Rc::new(RefCell::new(Tally::default()));
        let dishonest = conditions.dishonest.iter().copied().map(ShardId);
        let residents = network.residents();
        monitor.add(Honest::new(
            network.settings(),
            partitioning::Base::Hash,
            residents,
            dishonest,
        ));
        let honest =
            network.settings().shard_ids().filter(|it| !conditions.dishonest.contains(&it.0));
        let configs = honest.map(|shard| network.shard_config(shard));
        monitor.add(Validity::new(configs).unwrap());
        monitor.add(Counter(Rc::clone(&tally)));
        network.add_all(&mut world, &monitor, &conditions.except);
        world.add(NodeId::Client, Spender::new(&network, TRANSFERS, 20, millis(100)), ());
        Self { network, world, monitor, tally }
    }

    /// Torn writes on every disk.
    pub fn torn(&mut self) {
        for node in self.network.nodes() {
            self.world.replace_disk(node, Disk { durable_after: millis(8), torn: true });
        }
    }

    pub fn plan(&mut self, plan: &FaultPlan) {
        self.world.schedule(plan);
    }

    /// Runs until then; nothing may break.
    #[track_caller]
    pub fn run(&mut self, end: Timestamp) {
        let monitor = self.monitor.clone();
        self.world.run(end, || monitor.broken());
        assert_eq!(self.monitor.violation(), None, "at {}", self.world.now());
    }

    /// Runs until then; nothing may break, and at the end everything has settled.
    #[track_caller]
    pub fn settle(&mut self, end: Timestamp) -> Tally {
        self.run(end);
        self.monitor.finish();
        assert_eq!(self.monitor.violation(), None, "at the end");
        self.tally.borrow().clone()
    }

    /// How often nodes dropped something for this reason.
    pub fn dropped(&mut self, reason: DropReason) -> usize {
        let observations = self.world.take_observations();
        observations.iter().filter(|(_, seen)| seen.event == Event::Dropped { reason }).count()
    }
}

//! How another program embeds the simulated world: a strategy, a fault and a checker of its own.
//!
//! `cargo run --release -p simulation --example embed`
//!
//! The strategy is who pays and when: a machine in the client's place. The fault cuts one shard off
//! from the others. The checker asserts something that no invariant says: that no block of a shard
//! has more than a hundred legs.

use std::convert::Infallible;
use std::sync::Arc;

use cross_shard_msg::{
    Block, Duration, Effects, Gate, Input, Machine, Message, NodeId, ShardId, Timestamp,
};
use partitioning::Base;
use simulation::{
    Checker, CostProfile, Fault, FaultPlan, Honest, LinkSet, Links, Monitor, Network, NetworkSpec,
    Region, World,
};

const SHARDS: u32 = 4;

/// A client with a strategy: one payment per shard at a time, steadily.
struct Payer {
    network: Network,
    tick: u64,
}

impl Payer {
    /// One transfer per shard and tick. The network's transfers let senders take turns over the
    /// shards, and each sender's nonces have no gap.
    fn pay(&mut self, effects: &mut Effects<Self>) {
        let row = self.tick * u64::from(SHARDS);
        for number in row..row + u64::from(SHARDS) {
            let (shard, submission) = self.network.transfer(number);
            effects.send(NodeId::Shard(shard), Message::Submit(vec![submission]));
        }
        self.tick += 1;
    }
}

impl Machine for Payer {
    type Timer = ();
    type Record = Infallible;
    type Job = Infallible;
    type JobResult = Infallible;
    type Admin = Infallible;
    type Executed = Infallible;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        if matches!(input, Input::Start | Input::Timer(())) && self.tick < 100 {
            self.pay(effects);
            effects.set_timer((), now + Duration::from_millis(50));
        }
    }

    fn compute(job: Infallible) -> Infallible {
        job
    }
}

/// A checker: blocks stay small.
struct SmallBlocks;

impl Checker for SmallBlocks {
    fn name(&self) -> &'static str {
        "small blocks"
    }

    fn on_block(&mut self, shard: ShardId, block: &Arc<Block>) -> Result<(), String> {
        match block.legs.len() {
            0..=100 => Ok(()),
            legs => Err(format!("shard:{shard} block {}: {legs} legs", block.header.height)),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = Network::new(NetworkSpec {
        shards: SHARDS,
        validators: 4,
        accounts: 10,
        block_time: Duration::from_millis(200),
        checkpoint_every: Duration::from_millis(600),
        gate: Gate::Checkpoint,
        seed: 7,
    });
    let region = [Region::named("eu-central-1")?, Region::named("us-east-1")?];
    let nodes = network.nodes().chain([NodeId::Client]).zip(region.into_iter().cycle());
    let links = Links::uniform(region[0].link_to(region[0]), 7);
    let links = links.with_regions(&nodes.collect::<Vec<_>>());
    let mut world = World::new(links, CostProfile::REFERENCE, Duration::from_micros(50), false);

    let monitor = Monitor::new();
    monitor.add(Honest::new(network.settings(), Base::Hash, network.residents(), []));
    monitor.add(SmallBlocks);
    network.add_all(&mut world, &monitor, &[]);
    world.add(NodeId::Client, Payer { network: network.clone(), tick: 0 }, ());

    let cut_off = LinkSet::between(
        [NodeId::Shard(ShardId(0))],
        network.nodes().filter(|node| *node != NodeId::Shard(ShardId(0))),
    );
    let fault = Fault::Disconnect { links: cut_off, span: Duration::from_secs(3) };
    let plan = FaultPlan::new().with(Timestamp(2_000_000_000), fault);
    world.schedule(&plan);
    world.trace(|event| {
        if let simulation::Happening::Fault(_) | simulation::Happening::FaultEnded(_) = event.what {
            println!("{event}");
        }
    });

    world.run(plan.end() + Duration::from_secs(30), || monitor.broken());
    monitor.finish();
    println!("{:?}, digest {}", world.statistics(), world.digest());
    match monitor.violation() {
        Some(violation) => Err(format!("{}: {}", violation.checker, violation.detail).into()),
        None => Ok(()),
    }
}

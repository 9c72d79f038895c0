//! How fast the simulated world is on this machine: events per second of real time.
//!
//! `cargo run --release -p simulation --example throughput -- [shards] [validators] [transfers] [checkers]`
//! (checkers: 1 or 0)

#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use cross_shard_msg::{Block, Duration, Gate, NodeId, ShardId, Timestamp};
use simulation::{
    Checker, CostProfile, Honest, Link, Links, Monitor, Network, NetworkSpec, Spender, World,
};

/// Counts what was executed.
#[derive(Clone, Default)]
struct Executed(Rc<Cell<(u64, u64)>>);

impl Checker for Executed {
    fn name(&self) -> &'static str {
        "executed"
    }

    fn on_block(&mut self, _: ShardId, block: &Arc<Block>) -> Result<(), String> {
        let (transactions, legs) = self.0.get();
        let own = block.body.transactions.len() as u64;
        self.0.set((transactions + own, legs + block.legs.len() as u64));
        Ok(())
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap());
    let mut next = |default: u64| arguments.next().unwrap_or(default);
    let (shards, validators, transfers) = (next(16), next(7), next(100_000));
    let checked = next(1) == 1;
    let spec = NetworkSpec {
        shards: shards as u32,
        validators: validators as u32,
        accounts: 200,
        block_time: Duration::from_secs(1),
        checkpoint_every: Duration::from_secs(3),
        gate: Gate::Checkpoint,
        seed: 1,
    };
    let network = Network::new(spec);
    let link = Link { delay: Duration::from_millis(20), jitter: Duration::from_millis(5) };
    let write = Duration::from_micros(50);
    let mut world = World::new(Links::uniform(link, 1), CostProfile::REFERENCE, write, false);
    let monitor = Monitor::new();
    if checked {
        let residents = network.residents();
        monitor.add(Honest::new(network.settings(), partitioning::Base::Hash, residents, []));
    }
    let executed = Executed::default();
    monitor.add(executed.clone());
    network.add_all(&mut world, &monitor, &[]);
    // Half a minute of load, then everything settles.
    let every = Duration::from_millis(100);
    world.add(NodeId::Client, Spender::new(&network, transfers, transfers / 300 + 1, every), ());
    let began = Instant::now();
    world.run(Timestamp(60_000_000_000), || monitor.broken());
    let took = began.elapsed();
    monitor.finish();
    let statistics = world.statistics();
    println!("{statistics:?}");
    let (transactions, legs) = executed.0.get();
    println!("{transactions} transactions, {legs} legs");
    println!("violation: {:?}", monitor.violation());
    println!("virtual {}, real {took:?}, digest {}", world.now(), world.digest());
    println!("{:.0} events/s", statistics.events as f64 / took.as_secs_f64());
    println!("{:.0} transfers/s", transfers as f64 / took.as_secs_f64());
}

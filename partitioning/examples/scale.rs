//! Strategies at scale: CPU time, memory, cross-shard weight and imbalance beside each other.
//!
//! `cargo run --release -p partitioning --example scale -- [accounts] [pairs] [shards] [strategy…]`
//! (a strategy: its name, or as JSON with options; memory: what Rust allocates, not METIS in C)

#[path = "../tests/support/mod.rs"]
mod support;

use partitioning::{AccessGraph, Strategy};
use peak_alloc::PeakAlloc;
use support::{Case, account, loads, moved, planted};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number =
        |default: u64| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (accounts, pairs, shards) = (number(1_000_000), number(5_000_000), number(16));
    let named: Vec<String> = arguments.collect();
    let names = if named.is_empty() {
        let all = Strategy::NAMES.map(str::to_owned).to_vec();
        all.into_iter().filter(|name| name != "oracle" && name != "reactive").collect()
    } else {
        named
    };
    let case = graph(accounts, pairs, u32::try_from(shards).unwrap_or(16));
    println!(
        "{} accounts, {} pairs, {} transactions, {shards} shards",
        case.graph.len(),
        case.graph.graph().edge_count() / 2,
        case.stream.len()
    );
    println!(
        "{:<18} {:>8} {:>9} {:>8} {:>10} {:>7} {:>10}",
        "strategy", "cpu, s", "MiB", "cross", "max/mean", "rounds", "moves"
    );
    for name in names {
        let given = || serde_json::from_str(&name).ok();
        let Some(strategy) = Strategy::published(&name).or_else(given) else {
            println!("{name}: no such strategy");
            continue;
        };
        let partitioner = strategy.build().expect("published options are valid");
        MEMORY.reset_peak_usage();
        let (memory, start) = (MEMORY.current_usage_as_mb(), cpu());
        let proposal = partitioner.propose(&case.problem()).expect("nothing is absent");
        let (took, memory) = (cpu() - start, MEMORY.peak_usage_as_mb() - memory);
        let after = moved(&case.allocation, &proposal.moves);
        let loads = loads(&case.graph, &after);
        let mean = loads.iter().sum::<f64>() / loads.len() as f64;
        let most = loads.iter().copied().fold(0.0, f64::max);
        println!(
            "{name:<18} {took:>8.2} {memory:>9.0} {:>8.3} {:>10.3} {:>7} {:>10}",
            proposal.stats.crossing_after as f64 / case.graph.pair_weight() as f64,
            most / mean,
            proposal.stats.rounds,
            proposal.moves.len(),
        );
    }
}

/// A graph with communities of 500 accounts, a fifth of whose transactions go anywhere.
fn graph(accounts: u64, pairs: u64, shards: u32) -> Case {
    let transactions = planted(accounts, (accounts / 500).max(1), pairs * 11 / 10, 200, 1);
    let mut case = Case::new(&transactions[..transactions.len().min(1_000_000)], shards);
    let named = (0..accounts).map(|index| (account(index), 0));
    let weight = partitioning::access_graph::TRANSACTION_WEIGHT;
    let mut known: Vec<_> = named.collect();
    for [a, b] in &transactions {
        known[*a as usize].1 += weight / 2;
        known[*b as usize].1 += weight / 2;
    }
    let weighted = transactions.iter().map(|[a, b]| (*a as u32, *b as u32, weight));
    case.graph = AccessGraph::from_parts(known, weighted.collect());
    case.windows = vec![case.graph.clone()];
    case
}

/// Seconds of CPU that this process has used.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

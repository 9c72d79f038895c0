//! Strategies on 100,000 accounts and half a million pairs at 16 shards. For ten times that, with
//! quality and memory: `cargo run --release -p partitioning --example scale`.

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use partitioning::{AccessGraph, Strategy};
use support::{Case, planted};

fn strategies(criterion: &mut Criterion) {
    let transactions = planted(100_000, 200, 550_000, 200, 1);
    let case = Case::new(&transactions, 16);
    let mut group = criterion.benchmark_group("100,000 accounts at 16 shards");
    group.sample_size(10);
    for name in ["metis", "fennel", "ldg", "clpa", "label-propagation", "louvain", "txallo-global"]
    {
        let Some(partitioner) = Strategy::published(name).and_then(|known| known.build().ok())
        else {
            continue;
        };
        group.bench_function(name, |bench| bench.iter(|| partitioner.propose(&case.problem())));
    }
    group.bench_function("access graph", |bench| {
        bench.iter(|| AccessGraph::new(case.stream.iter()))
    });
    group.finish();
}

criterion_group!(benches, strategies);
criterion_main!(benches);

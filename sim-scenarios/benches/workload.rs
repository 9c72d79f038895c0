//! What the load generator costs for each transaction: planning, signing, and its whole life in
//! the client (submitted, admitted, in a block, final).

use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use cross_shard_msg::{
    Admission, BlockNotice, Checkpoint, CheckpointNumber, Congestion, Crosslink, Effect, Effects,
    Epoch, FinalizedCheckpoint, Height, Input, LegNotice, LegStatus, Machine, Message, NodeId,
    ShardId, Timestamp, Transaction, ValidatorIndex,
};
use partitioning::{Allocation, Base, Residents};
use sim_scenarios::client::{Client, ClientConfig, Wake};
use sim_scenarios::scenario::{Places, Scenario, parse};
use sim_scenarios::workload::{self, SignedWorkload, Workers, Workload};

const TRANSACTIONS: u32 = 10_000;

fn scenario() -> Scenario {
    let text = format!(
        "name = \"bench\"\n[network]\nshards = 4\nvalidators = 1\n[accounts]\ncount = 1000\n\
         popularity = {{ zipf = 1.08 }}\n[[phase]]\nname = \"one\"\nfor = \"1s\"\n\
         [[phase.load]]\nkind = \"transfer\"\narrivals = \"uniform\"\nrate = {TRANSACTIONS}\n\
         cross_shard = 0.5\n"
    );
    let places = Places { base: PathBuf::from("."), data: None };
    parse("bench.toml", &text, &[], &places).expect("the scenario is valid")
}

fn build(scenario: &Scenario) -> Workload {
    let open = |_: &Path| Err(io::Error::other("no files"));
    workload::build(scenario, &allocation(), &open, &Workers::single()).expect("it can be built")
}

fn allocation() -> Allocation {
    Allocation::new(4, Base::Hash, Residents::standard(4))
}

fn planning(criterion: &mut Criterion) {
    let scenario = scenario();
    let workload = build(&scenario);
    let mut group = criterion.benchmark_group("workload");
    group.sample_size(10).throughput(Throughput::Elements(TRANSACTIONS.into()));
    group.bench_function("build, with 1,000 keys", |bench| {
        bench.iter(|| black_box(build(&scenario)));
    });
    group.bench_function("sign, one thread", |bench| {
        bench.iter(|| black_box(workload::sign(&workload, &Workers::single())));
    });
    group.finish();
}

/// Hands an input to the client and throws its effects away, but for the time of its wake-up.
fn step(client: &mut Client, now: Timestamp, input: Input<Client>) -> Option<Timestamp> {
    let mut effects = Effects::new();
    client.handle(now, input, &mut effects);
    effects.drain().fold(None, |wake, effect| match effect {
        Effect::SetTimer { at, .. } => Some(at),
        other => {
            black_box(other);
            wake
        }
    })
}

/// What the network says of the workload: admissions, one block, one checkpoint.
fn answers(workload: &SignedWorkload) -> Vec<(NodeId, Message)> {
    let shard = NodeId::Shard(ShardId(0));
    let admissions: Vec<Admission> = (0..workload.transactions.len())
        .map(|index| Transaction::decode(workload.encoded(index)).expect("it was encoded here"))
        .map(|transaction| Admission { hash: transaction.hash(), outcome: Ok(()) })
        .collect();
    let leg =
        |key| LegNotice { key, first: true, status: LegStatus::Succeeded, caused: 0, created: 0 };
    let notice = BlockNotice {
        shard: ShardId(0),
        height: Height(1),
        legs: workload.transactions.iter().map(|transaction| leg(transaction.key)).collect(),
        dropped: Vec::new(),
        placements: Vec::new(),
    };
    let checkpoint = Checkpoint {
        number: CheckpointNumber(1),
        parent: B256::ZERO,
        timestamp: Timestamp::ZERO,
        epoch: Epoch::ZERO,
        crosslinks: vec![Crosslink {
            shard: ShardId(0),
            first: Height(1),
            headers: vec![B256::ZERO],
            congestion: Congestion::default(),
        }],
        placements: Vec::new(),
        moves: Vec::new(),
    };
    let finalized =
        FinalizedCheckpoint { checkpoint: Arc::new(checkpoint), certificate: Bytes::new() };
    let mut messages: Vec<(NodeId, Message)> = admissions
        .chunks(1_000)
        .map(|chunk| (shard, Message::Admissions(chunk.to_vec())))
        .collect();
    messages.push((shard, Message::Included(Arc::new(notice))));
    messages.push((NodeId::Coordinator(ValidatorIndex(0)), Message::Finalized(finalized)));
    messages
}

fn client(criterion: &mut Criterion) {
    let scenario = scenario();
    let signed = workload::sign(&build(&scenario), &Workers::single()).expect("keys differ");
    let workload = Arc::new(signed);
    let answers = answers(&workload);
    let mut group = criterion.benchmark_group("client");
    group.sample_size(20).throughput(Throughput::Elements(TRANSACTIONS.into()));
    group.bench_function("the whole life of a transaction", |bench| {
        let fresh = || {
            let config = ClientConfig::of(&scenario, Timestamp::ZERO);
            (Client::new(config, allocation(), workload.clone()), answers.clone())
        };
        bench.iter_batched(
            fresh,
            |(mut client, answers)| {
                let mut now = Timestamp::ZERO;
                let mut wake = step(&mut client, now, Input::Start);
                let end = Timestamp(1_000_000_000);
                while let Some(at) = wake.filter(|at| *at < end) {
                    now = at;
                    wake = step(&mut client, now, Input::Timer(Wake));
                }
                for (from, message) in answers {
                    step(&mut client, now, Input::Message { from, message });
                }
                client
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, planning, client);
criterion_main!(benches);

//! One whole view of a committee: a proposal, `notarize` and `finalize` votes of all, certificates,
//! finality at every member. Messages are delivered in memory and at once.
//!
//! `ed25519` signs and verifies; `stamp` does neither and shows the protocol's own cost. The time
//! is of all members together.

use std::collections::VecDeque;
use std::hint::black_box;

use alloy_primitives::{B256, FixedBytes};
use consensus::{
    Committee, Config, Domain, Input, Keyring, Message, Output, Signer, Simplex, Timing, Tip,
    Value, Verdict, Verifier,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cross_shard_msg::hash::Preimage;
use cross_shard_msg::signature::{NodeSignature, SecretKey};
use cross_shard_msg::{Duration, Epoch, Incarnation, NetworkId, Timestamp, ValidatorIndex};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Number {
    parent: B256,
    number: u64,
    timestamp: Timestamp,
}

impl Value for Number {
    fn digest(&self) -> B256 {
        let mut preimage = Preimage::new("bench/value");
        preimage.hash(&self.parent).u64(self.number).u64(self.timestamp.0).finish()
    }
    fn parent(&self) -> B256 {
        self.parent
    }
    fn number(&self) -> u64 {
        self.number
    }
    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}

fn domain() -> Domain {
    Domain { network: NetworkId(B256::ZERO), incarnation: Incarnation(0), epoch: Epoch(0) }
}

/// A signer whose signatures say nothing and cost nothing.
struct Stamp {
    size: usize,
    validator: ValidatorIndex,
}

impl Verifier for Stamp {
    fn domain(&self) -> Domain {
        domain()
    }
    fn size(&self) -> usize {
        self.size
    }
    fn verify(&self, who: ValidatorIndex, _: &B256, _: &NodeSignature) -> bool {
        (who.0 as usize) < self.size
    }
}

impl Signer for Stamp {
    fn validator(&self) -> ValidatorIndex {
        self.validator
    }
    fn sign(&self, _: &B256) -> NodeSignature {
        NodeSignature(FixedBytes::ZERO)
    }
}

struct Bench<K> {
    keys: Vec<K>,
    machines: Vec<Simplex<Number>>,
    now: Timestamp,
    queue: VecDeque<(usize, Input<Number>)>,
    finalized: u64,
}

impl<K: Signer> Bench<K> {
    fn new(keys: Vec<K>) -> Self {
        let long = Duration::from_secs(1_000);
        let timing = Timing {
            interval: Duration::from_millis(1),
            timeout: long,
            max_timeout: long,
            retry: long,
            fetch_after: long,
            fetch_retry: long,
            max_skew: long,
        };
        let config = Config { timing, future_views: 16 };
        let genesis = Tip::genesis(B256::ZERO, 0, Timestamp::ZERO);
        let machines = keys.iter().map(|keys| Simplex::new(config, keys, genesis.clone()));
        Self {
            machines: machines.collect(),
            keys,
            now: Timestamp::ZERO,
            queue: VecDeque::new(),
            finalized: 0,
        }
    }

    /// Runs until every member has one more final value.
    fn view(&mut self) -> u64 {
        let goal = self.finalized + self.keys.len() as u64;
        self.now = self.now + Duration::from_millis(1);
        self.queue.extend((0..self.keys.len()).map(|index| (index, Input::Wake)));
        let mut outputs = Vec::new();
        while let Some((index, input)) = self.queue.pop_front() {
            self.machines[index].handle(&self.keys[index], self.now, input, &mut outputs);
            for output in outputs.drain(..) {
                self.carry_out(index, output);
            }
        }
        assert_eq!(self.finalized, goal);
        self.finalized
    }

    fn carry_out(&mut self, index: usize, output: Output<Number>) {
        let from = ValidatorIndex(index as u32);
        let message = |message: Message<Number>| Input::Message { from, message };
        match output {
            Output::Broadcast(said) => {
                for to in (0..self.keys.len()).filter(|to| *to != index) {
                    self.queue.push_back((to, message(said.clone())));
                }
            }
            Output::Send { to, message: said } => {
                self.queue.push_back((to.0 as usize, message(said)));
            }
            Output::Persist { id, .. } => self.queue.push_back((index, Input::Durable(id))),
            Output::NeedValue { view, parent, number, timestamp } => {
                let value = Number { parent, number, timestamp };
                self.queue.push_back((index, Input::Proposal { view, value }));
            }
            Output::Validate { view, digest, .. } => {
                let verdict = Verdict::Valid;
                self.queue.push_back((index, Input::Verdict { view, digest, verdict }));
            }
            Output::Finalized(run) => self.finalized += run.values.len() as u64,
            _ => {}
        }
    }
}

fn keyrings(n: usize) -> Vec<Keyring> {
    let secrets: Vec<_> =
        (0..n).map(|i| SecretKey::from_seed(&B256::with_last_byte(i as u8 + 1))).collect();
    let publics: Vec<_> = secrets.iter().map(SecretKey::public).collect();
    let committee = Committee::new(domain(), &publics).expect("distinct keys");
    let ring = |secret| Keyring::new(committee.clone(), secret).expect("a member");
    secrets.into_iter().map(ring).collect()
}

fn stamps(size: usize) -> Vec<Stamp> {
    (0..size as u32).map(|i| Stamp { size, validator: ValidatorIndex(i) }).collect()
}

fn views(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("consensus/view");
    group.throughput(Throughput::Elements(1));
    for n in [1, 4, 16] {
        let mut bench = Bench::new(stamps(n));
        group.bench_function(format!("stamp/{n}"), |b| b.iter(|| black_box(bench.view())));
        let mut bench = Bench::new(keyrings(n));
        group.bench_function(format!("ed25519/{n}"), |b| b.iter(|| black_box(bench.view())));
    }
    group.finish();
}

criterion_group!(benches, views);
criterion_main!(benches);

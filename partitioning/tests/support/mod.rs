//! Graphs whose best partition is known, and problems around them. Also used by the bench and the
//! example, each of which needs a part of it.
#![allow(dead_code)]

use std::collections::BTreeSet;

use alloy_primitives::Address;
use cross_shard_msg::Epoch;
use partitioning::access_graph::TRANSACTION_WEIGHT;
use partitioning::{
    AccessGraph, Allocation, Base, Problem, Residents, Stream, VertexWeight, Weights,
};

/// Pseudo-random numbers (SplitMix64: G. Steele, D. Lea, C. Flood, OOPSLA 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// An address that looks like a hash, so that all base rules spread accounts.
pub fn account(index: u64) -> Address {
    let mut random = Random(index.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
    let mut bytes = [0; 20];
    for part in bytes.chunks_mut(8) {
        let number = random.next().to_be_bytes();
        part.copy_from_slice(&number[..part.len()]);
    }
    Address::from(bytes)
}

/// Transactions between two accounts each: of `accounts` accounts in communities of equal size,
/// `mixed` in a thousand transactions have a recipient from anywhere. Within a community, lower
/// numbers are more popular: index = size · r³.
pub fn planted(
    accounts: u64,
    communities: u64,
    transactions: u64,
    mixed: u64,
    seed: u64,
) -> Vec<[u64; 2]> {
    let mut random = Random(seed);
    let size = (accounts / communities.max(1)).max(2);
    let popular = |random: &mut Random| {
        let r = random.below(1 << 16);
        ((u128::from(size) * u128::from(r).pow(3)) >> 48) as u64
    };
    (0..transactions)
        .map(|_| {
            let home = random.below(communities);
            let from = home * size + random.below(size);
            let there = if random.below(1_000) < mixed { random.below(communities) } else { home };
            [from, there * size + popular(&mut random)]
        })
        .collect()
}

/// The stream of transactions between numbered accounts.
pub fn stream(transactions: &[[u64; 2]]) -> Stream {
    transactions.iter().map(|pair| pair.map(account)).collect()
}

/// Everything that a problem borrows.
pub struct Case {
    pub graph: AccessGraph,
    pub windows: Vec<AccessGraph>,
    pub stream: Stream,
    pub contracts: BTreeSet<Address>,
    pub allocation: Allocation,
    pub budget: usize,
    pub vertex: VertexWeight,
    pub places: partitioning::Places,
}

impl Case {
    /// Numbered accounts that trade, on `shards` shards by hash.
    pub fn new(transactions: &[[u64; 2]], shards: u32) -> Self {
        Self::of(stream(transactions), shards)
    }

    pub fn of(stream: Stream, shards: u32) -> Self {
        let graph = AccessGraph::new(stream.iter());
        Self {
            windows: vec![graph.clone()],
            graph,
            stream,
            contracts: BTreeSet::new(),
            allocation: Allocation::new(shards, Base::Hash, Residents::standard(shards)),
            budget: usize::MAX,
            vertex: VertexWeight::Load,
            places: places(shards),
        }
    }

    pub fn problem(&self) -> Problem<'_> {
        Problem {
            graph: &self.graph,
            windows: &self.windows,
            stream: &self.stream,
            future: Some(&self.graph),
            contracts: &self.contracts,
            allocation: &self.allocation,
            weights: Weights { vertex: self.vertex, eta: 2.0 },
            budget: self.budget,
            places: Some(&self.places),
            epoch: Epoch::ZERO,
            seed: 7,
        }
    }
}

/// Shards on a line, a millisecond apart; nobody's place is known.
fn places(shards: u32) -> partitioning::Places {
    let delay = |a: u32, b: u32| cross_shard_msg::Duration::from_millis(u64::from(a.abs_diff(b)));
    let row = |a: u32| (0..shards).map(|b| delay(a, b)).collect();
    partitioning::Places {
        delays: (0..shards).map(row).collect(),
        nearest: std::collections::BTreeMap::new(),
    }
}

/// Load of each shard after moves, in transactions.
pub fn loads(graph: &AccessGraph, allocation: &Allocation) -> Vec<f64> {
    let mut loads = vec![0.0; allocation.shards() as usize];
    for (account, load) in graph.accounts().iter().zip(graph.loads()) {
        if let partitioning::Home::Shard(shard) = allocation.home(account) {
            loads[shard.0 as usize] += *load as f64 / TRANSACTION_WEIGHT as f64;
        }
    }
    loads
}

/// The allocation after moves.
pub fn moved(allocation: &Allocation, moves: &[partitioning::Move]) -> Allocation {
    let mut after = allocation.clone();
    after.relocate(after.newest().next(), moves);
    after
}

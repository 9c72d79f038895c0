//! The problem as strategies compute with it: vertices with their present parts, and the way from
//! a wanted assignment back to a bounded list of moves.

use cross_shard_msg::ShardId;

use crate::access_graph::AccessGraph;
use crate::allocation::Home;
use crate::partitioner::{Move, Problem, Proposal, Stats, VertexWeight};

/// The part of a resident: on every shard, so that nothing that touches it crosses.
pub(crate) const RESIDENT: u32 = u32::MAX;

/// A graph whose vertices have parts. A part is a shard's number, or [`RESIDENT`].
#[derive(Debug)]
pub(crate) struct Network<'a> {
    pub(crate) graph: &'a AccessGraph,
    /// Number of shards.
    pub(crate) shards: u32,
    /// Present part of each vertex.
    pub(crate) home: Vec<u32>,
    /// Weight of each vertex in the balance, at least 1; residents weigh nothing.
    pub(crate) weight: Vec<u64>,
}

impl<'a> Network<'a> {
    /// The graph of all past windows.
    pub(crate) fn new(problem: &Problem<'a>) -> Self {
        Self::of(problem, problem.graph)
    }

    /// Another graph under the problem's allocation and weights.
    pub(crate) fn of(problem: &Problem<'_>, graph: &'a AccessGraph) -> Self {
        let allocation = problem.allocation;
        let part = |home| match home {
            Home::Everywhere => RESIDENT,
            Home::Shard(shard) => shard.0,
        };
        let home: Vec<u32> =
            graph.accounts().iter().map(|account| part(allocation.home(account))).collect();
        let weight = home.iter().zip(graph.loads());
        let weight = weight.map(|(home, load)| match problem.weights.vertex {
            _ if *home == RESIDENT => 0,
            VertexWeight::Load => (*load).max(1),
            VertexWeight::Unit => 1,
        });
        let weight = weight.collect();
        Self { graph, shards: allocation.shards(), home, weight }
    }

    /// Vertices that can move, ascending.
    pub(crate) fn movable(&self) -> impl Iterator<Item = u32> {
        (0..self.graph.len()).filter(|vertex| self.home[*vertex as usize] != RESIDENT)
    }

    /// Whether no assignment can differ from the present one.
    pub(crate) fn is_trivial(&self) -> bool {
        self.shards < 2 || self.graph.is_empty()
    }

    /// Weight of all vertices.
    pub(crate) fn total_weight(&self) -> u64 {
        self.weight.iter().sum()
    }

    /// The most that a shard may weigh if none weighs more than `1 + slack` times the mean.
    pub(crate) fn cap(&self, slack: f64) -> u64 {
        let mean = self.total_weight() as f64 / f64::from(self.shards.max(1));
        // Never below the mean, or nothing would fit.
        libm::ceil(mean * (1.0 + slack)) as u64
    }

    /// Weight of each shard under an assignment.
    pub(crate) fn weights_of(&self, part: &[u32]) -> Vec<u64> {
        let mut weights = vec![0; self.shards as usize];
        for (part, weight) in part.iter().zip(&self.weight) {
            if let Some(sum) = weights.get_mut(*part as usize) {
                *sum += weight;
            }
        }
        weights
    }

    /// Weight of the pairs that an assignment cuts.
    pub(crate) fn crossing(&self, part: &[u32]) -> u64 {
        let mut crossing = 0;
        for vertex in 0..self.graph.len() {
            let own = part[vertex as usize];
            if own == RESIDENT {
                continue;
            }
            let others = self.graph.neighbours(vertex).filter(|(other, _)| *other > vertex);
            crossing += others
                .filter(|(other, _)| {
                    let other = part[*other as usize];
                    other != own && other != RESIDENT
                })
                .map(|(_, weight)| weight)
                .sum::<u64>();
        }
        crossing
    }

    /// Renames the parts so that much weight stays at home: names are given to the pairs (part,
    /// shard) with the largest weight in common first.
    pub(crate) fn relabelled(&self, mut part: Vec<u32>) -> Vec<u32> {
        let shards = self.shards as usize;
        let mut common = vec![0_u64; shards * shards];
        for ((part, home), weight) in part.iter().zip(&self.home).zip(&self.weight) {
            if *part != RESIDENT {
                common[*part as usize * shards + *home as usize] += weight;
            }
        }
        let mut order: Vec<usize> = (0..common.len()).collect();
        order.sort_unstable_by_key(|at| (std::cmp::Reverse(common[*at]), *at));
        let mut name = vec![RESIDENT; shards];
        let mut taken = vec![false; shards];
        for at in order {
            let (part, shard) = (at / shards, at % shards);
            if name[part] == RESIDENT && !taken[shard] {
                name[part] = u32::try_from(shard).unwrap_or(RESIDENT);
                taken[shard] = true;
            }
        }
        for part in part.iter_mut().filter(|part| **part != RESIDENT) {
            *part = name[*part as usize];
        }
        part
    }

    /// The moves to a wanted assignment. Where the budget does not allow all of them, those stay
    /// that the assignment profits from most: by the weight of pairs that it brings together, less
    /// the weight of pairs that the present one has together.
    pub(crate) fn proposal(&self, problem: &Problem<'_>, wanted: &[u32], rounds: u32) -> Proposal {
        let mut moving: Vec<(i128, u32)> = self
            .movable()
            .filter(|vertex| self.home[*vertex as usize] != wanted[*vertex as usize])
            .map(|vertex| (0, vertex))
            .collect();
        let mut stats = Stats { wanted: moving.len() as u64, rounds, ..Stats::default() };
        if moving.len() > problem.budget {
            for (gain, vertex) in &mut moving {
                *gain = self.gain(*vertex, wanted);
            }
            moving.sort_unstable_by_key(|(gain, vertex)| (std::cmp::Reverse(*gain), *vertex));
            moving.truncate(problem.budget);
            moving.sort_unstable_by_key(|(_, vertex)| *vertex);
        }
        let accounts = self.graph.accounts();
        let moves = moving.iter().map(|(_, vertex)| Move {
            account: accounts[*vertex as usize],
            from: ShardId(self.home[*vertex as usize]),
            to: ShardId(wanted[*vertex as usize]),
        });
        let moves = moves.collect();
        stats.crossing_before = self.crossing(&self.home);
        let mut after = self.home.clone();
        for (_, vertex) in &moving {
            after[*vertex as usize] = wanted[*vertex as usize];
        }
        stats.crossing_after = self.crossing(&after);
        Proposal { moves, stats }
    }

    fn gain(&self, vertex: u32, wanted: &[u32]) -> i128 {
        let (home, target) = (self.home[vertex as usize], wanted[vertex as usize]);
        self.graph
            .neighbours(vertex)
            .map(|(other, weight)| {
                let together = i128::from(wanted[other as usize] == target);
                let apart = i128::from(self.home[other as usize] == home);
                (together - apart) * i128::from(weight)
            })
            .sum()
    }
}

/// Weights of the pairs from one vertex into each part, reused from vertex to vertex.
#[derive(Debug)]
pub(crate) struct Ties {
    weight: Vec<u64>,
    parts: Vec<u32>,
}

impl Ties {
    pub(crate) fn new(parts: usize) -> Self {
        Self { weight: vec![0; parts], parts: Vec::new() }
    }

    /// Collects the pairs of `vertex`; neighbours whose part is no part count for nothing. Returns
    /// the weight of those that count.
    pub(crate) fn collect(&mut self, graph: &AccessGraph, vertex: u32, part: &[u32]) -> u64 {
        for part in self.parts.drain(..) {
            self.weight[part as usize] = 0;
        }
        let mut sum = 0;
        let neighbours = graph.graph().neighbors_slice(vertex);
        for (other, weight) in neighbours.iter().zip(graph.graph().edges_slice(vertex)) {
            let part = part[*other as usize];
            let Some(tie) = self.weight.get_mut(part as usize) else { continue };
            if *tie == 0 {
                self.parts.push(part);
            }
            *tie += weight;
            sum += weight;
        }
        sum
    }

    /// The parts that the vertex has a pair into, in the order of their first neighbour.
    pub(crate) fn parts(&self) -> &[u32] {
        &self.parts
    }

    /// Weight of the pairs into `part`.
    pub(crate) fn to(&self, part: u32) -> u64 {
        self.weight.get(part as usize).copied().unwrap_or(0)
    }
}

/// The lightest of some weights; the first of several.
pub(crate) fn lightest(weights: &[u64]) -> u32 {
    let least = weights.iter().enumerate().min_by_key(|(at, weight)| (**weight, *at));
    least.and_then(|(at, _)| u32::try_from(at).ok()).unwrap_or(0)
}

/// An assignment in which nobody but residents has a part yet.
pub(crate) const UNASSIGNED: u32 = u32::MAX - 1;

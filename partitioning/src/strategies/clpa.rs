//! `clpa`: constrained label propagation: a vertex moves to the shard with the highest
//! (weight of its pairs into k / weight of all its pairs) · (1 − β W_k / min W), where W_k is the
//! weight of the pairs that touch shard k.
//!
//! C. Li, H. Huang, Y. Zhao, X. Peng, R. Yang, Z. Zheng, S. Guo, "Achieving Scalability and Load
//! Balance across Blockchain Shards for State Sharding", SRDS 2022, §IV; β, τ and ρ as in
//! BlockEmulator (`partition/partition_CLPA.go`): β = 0.5, τ = 100 iterations, ρ = 50 moves of one
//! vertex. As there, only shards that hold a neighbour are considered, a vertex moves at once, and
//! no shard gives away its last account.
//!
//! Deviations: pairs are weighted; vertices come in ascending order, where Go's maps make
//! BlockEmulator's order random; of equal scores staying wins, then the lower number; min W is taken
//! over shards with any pair, as a shard without would divide by zero; it stops when fewer than
//! `settled` of the vertices move; net moves are proposed, where BlockEmulator counts every change.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::options;
use crate::network::{Network, Ties};
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Problem, Proposal};

/// Options.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClpaOptions {
    /// Weight β of the balance, from 0 to 1.
    pub beta: f64,
    /// Most iterations τ, at least 1.
    pub iterations: u32,
    /// Most moves ρ of one vertex, at least 1.
    pub moves: u32,
    /// It ends after an iteration in which fewer than this share of the vertices moved: 0 goes on
    /// until nothing moves. From 0 to 1.
    pub settled: f64,
}

impl ClpaOptions {
    /// The published numbers.
    pub const PUBLISHED: Self = Self { beta: 0.5, iterations: 100, moves: 50, settled: 0.001 };
}

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct Clpa(ClpaOptions);

impl Clpa {
    /// # Errors
    /// Options out of their bounds.
    pub fn new(options: ClpaOptions) -> Result<Self, OptionsError> {
        let share = "a number from 0 to 1";
        options::within("clpa", "beta", options.beta, 0.0, 1.0, share)?;
        options::within("clpa", "settled", options.settled, 0.0, 1.0, share)?;
        options::at_least_one("clpa", "iterations", options.iterations)?;
        options::at_least_one("clpa", "moves", options.moves)?;
        Ok(Self(options))
    }
}

impl Partitioner for Clpa {
    fn name(&self) -> &'static str {
        "clpa"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        let mut state = State::new(&network, self.0);
        let enough = self.0.settled * network.home.len() as f64;
        let mut rounds = 0;
        while rounds < self.0.iterations {
            rounds += 1;
            let moved = state.iterate();
            if moved == 0 || (moved as f64) < enough {
                break;
            }
        }
        Ok(network.proposal(problem, &state.part, rounds))
    }
}

struct State<'a> {
    network: &'a Network<'a>,
    options: ClpaOptions,
    part: Vec<u32>,
    /// Times that each vertex moved.
    moves: Vec<u32>,
    /// Vertices in each shard.
    members: Vec<u32>,
    /// W_k.
    touching: Vec<u64>,
    least: u64,
    /// 1 − β W_k / min W.
    factors: Vec<f64>,
    ties: Ties,
}

impl<'a> State<'a> {
    fn new(network: &'a Network<'a>, options: ClpaOptions) -> Self {
        let shards = network.shards as usize;
        let part = network.home.clone();
        let mut ties = Ties::new(shards);
        let (mut members, mut doubled) = (vec![0; shards], vec![0; shards]);
        for vertex in network.movable() {
            let own = part[vertex as usize];
            let all = ties.collect(network.graph, vertex, &part);
            members[own as usize] += 1;
            // A pair inside is met from both ends.
            doubled[own as usize] += 2 * all - ties.to(own);
        }
        let touching: Vec<u64> = doubled.iter().map(|weight| weight / 2).collect();
        let mut state = Self {
            network,
            options,
            moves: vec![0; part.len()],
            part,
            members,
            touching,
            least: 0,
            factors: vec![0.0; shards],
            ties,
        };
        state.refresh(&[]);
        state
    }

    /// One iteration over all vertices. Returns how many moved.
    fn iterate(&mut self) -> u64 {
        let mut moved = 0;
        for vertex in self.network.movable() {
            if self.moves[vertex as usize] >= self.options.moves {
                continue;
            }
            let own = self.part[vertex as usize];
            let all = self.ties.collect(self.network.graph, vertex, &self.part);
            // Where all neighbours are at home there is one candidate: to stay.
            if all == self.ties.to(own) || self.members[own as usize] <= 1 {
                continue;
            }
            let mut best: Option<(f64, u32)> = None;
            for candidate in self.ties.parts() {
                // All scores have the same divisor, the weight of all pairs.
                let score = self.ties.to(*candidate) as f64 * self.factors[*candidate as usize];
                let better = best.is_none_or(|(most, chosen)| match score.total_cmp(&most) {
                    Ordering::Less => false,
                    Ordering::Greater => true,
                    Ordering::Equal => (*candidate != own, *candidate) < (chosen != own, chosen),
                });
                if better {
                    best = Some((score, *candidate));
                }
            }
            if let Some((_, target)) = best.filter(|(_, target)| *target != own) {
                self.part[vertex as usize] = target;
                self.moves[vertex as usize] += 1;
                self.members[own as usize] -= 1;
                self.members[target as usize] += 1;
                self.touching[own as usize] -= all - self.ties.to(own);
                self.touching[target as usize] += all - self.ties.to(target);
                self.refresh(&[own, target]);
                moved += 1;
            }
        }
        moved
    }

    /// Computes the factors of shards that changed; of all, if the least changed.
    fn refresh(&mut self, changed: &[u32]) {
        let some = self.touching.iter().copied().filter(|weight| *weight > 0);
        let least = some.min().unwrap_or(1);
        let factor = |touching: u64| 1.0 - self.options.beta * touching as f64 / least as f64;
        if least == self.least {
            for shard in changed {
                self.factors[*shard as usize] = factor(self.touching[*shard as usize]);
            }
        } else {
            for (known, touching) in self.factors.iter_mut().zip(&self.touching) {
                *known = factor(*touching);
            }
            self.least = least;
        }
    }
}

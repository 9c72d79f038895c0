//! `spinner`: label propagation with a price for crowded shards. A vertex moves to the shard l with
//! the highest (weight of its pairs into l / weight of all its pairs) − W_l / C, where W_l is what l
//! weighs and C what it may weigh, if l has room.
//!
//! C. Martella, D. Logothetis, A. Loukas, G. Siganos, "Spinner: Scalable Graph Partitioning in the
//! Cloud", ICDE 2017, §III. Deviations: vertices come one after the other in ascending order and move
//! at once, where Spinner's move all at the same time with a probability that keeps shards from
//! overflowing; it starts from the allocation in force; a vertex weighs what the problem says, not
//! its degree; of equal scores staying wins, then the lower number.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use cross_shard_msg::ShardId;
use partitioning::strategies::given::Given;
use partitioning::{
    Home, OptionsError, PartitionError, Partitioner, Problem, Proposal, VertexWeight,
};
use serde::{Deserialize, Serialize};
use sim_scenarios::partition::OwnStrategy;

/// So many rounds without improvement are the end.
const PATIENCE: u32 = 5;

/// What can be changed, with the published numbers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpinnerOptions {
    /// How far above the mean a shard may weigh: c − 1. Above 0, at most 100.
    pub slack: f64,
    /// ε: a round that improves the score by less than this share is none. 0 to 1.
    pub epsilon: f64,
    /// Most rounds, at least 1.
    pub rounds: u32,
}

impl Default for SpinnerOptions {
    fn default() -> Self {
        Self { slack: 0.05, epsilon: 0.001, rounds: 100 }
    }
}

/// The strategy.
#[derive(Debug)]
pub struct Spinner(SpinnerOptions);

impl OwnStrategy for Spinner {
    const NAME: &'static str = "spinner";
    type Options = SpinnerOptions;

    fn new(options: SpinnerOptions) -> Result<Self, OptionsError> {
        let refuse = |option, expected, found: &dyn ToString| {
            Err(OptionsError { strategy: Self::NAME, option, expected, found: found.to_string() })
        };
        // Written so that what is not a number is refused.
        if !(options.slack > 0.0 && options.slack <= 100.0) {
            return refuse("slack", "a number above 0, at most 100", &options.slack);
        }
        if !(0.0..=1.0).contains(&options.epsilon) {
            return refuse("epsilon", "a number from 0 to 1", &options.epsilon);
        }
        if options.rounds == 0 {
            return refuse("rounds", "at least 1", &options.rounds);
        }
        Ok(Self(options))
    }
}

impl Partitioner for Spinner {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let mut labels = Labels::new(problem, self.0.slack);
        let (mut best, mut idle, mut rounds) = (f64::MIN, 0, 0);
        while rounds < self.0.rounds && idle < PATIENCE {
            rounds += 1;
            let (score, moved) = labels.round();
            if moved == 0 {
                break;
            }
            let improved = best == f64::MIN || score - best > best.abs() * self.0.epsilon;
            idle = if improved { 0 } else { idle + 1 };
            best = best.max(score);
        }
        // Bounded, sorted, without residents: the same for everybody who says where accounts belong.
        let mut proposal = Given::new(labels.homes()).propose(problem)?;
        proposal.stats.rounds = rounds;
        Ok(proposal)
    }
}

/// An assignment that changes.
struct Labels<'a> {
    problem: &'a Problem<'a>,
    /// Of each vertex; `None` for a resident, which lives on every shard.
    shard: Vec<Option<usize>>,
    /// Of each vertex.
    weight: Vec<u64>,
    /// Of each shard.
    load: Vec<u64>,
    /// The most that a shard may weigh.
    capacity: f64,
}

impl<'a> Labels<'a> {
    fn new(problem: &'a Problem<'a>, slack: f64) -> Self {
        let accounts = problem.graph.accounts().iter();
        let shard: Vec<Option<usize>> = accounts
            .map(|account| match problem.allocation.home(account) {
                Home::Everywhere => None,
                Home::Shard(shard) => Some(shard.0 as usize),
            })
            .collect();
        let weigh = |load: &u64| match problem.weights.vertex {
            VertexWeight::Load => (*load).max(1),
            VertexWeight::Unit => 1,
        };
        let weight: Vec<u64> = problem.graph.loads().iter().map(weigh).collect();
        let mut load = vec![0; problem.allocation.shards() as usize];
        for (shard, weight) in shard.iter().zip(&weight) {
            if let Some(shard) = shard {
                load[*shard] += weight;
            }
        }
        let mean = load.iter().sum::<u64>() as f64 / load.len() as f64;
        Self { problem, shard, weight, load, capacity: mean * (1.0 + slack) }
    }

    /// Asks every vertex once. Returns the sum of their scores, and how many moved.
    fn round(&mut self) -> (f64, u64) {
        let (mut score, mut moved) = (0.0, 0);
        let mut ties = vec![0_u64; self.load.len()];
        for vertex in 0..self.problem.graph.len() {
            let at = vertex as usize;
            let Some(own) = self.shard[at] else { continue };
            ties.fill(0);
            for (neighbour, weight) in self.problem.graph.neighbours(vertex) {
                if let Some(shard) = self.shard[neighbour as usize] {
                    ties[shard] += weight;
                }
            }
            let all = ties.iter().sum::<u64>().max(1) as f64;
            let rated =
                |shard: usize, load: u64| ties[shard] as f64 / all - load as f64 / self.capacity;
            let (mut best, mut chosen) = (rated(own, self.load[own]), own);
            for shard in (0..self.load.len()).filter(|shard| *shard != own) {
                let after = self.load[shard] + self.weight[at];
                let rating = rated(shard, self.load[shard]);
                if after as f64 <= self.capacity && rating > best {
                    (best, chosen) = (rating, shard);
                }
            }
            score += best;
            if chosen != own {
                self.load[own] -= self.weight[at];
                self.load[chosen] += self.weight[at];
                self.shard[at] = Some(chosen);
                moved += 1;
            }
        }
        (score, moved)
    }

    /// Where each account belongs.
    fn homes(&self) -> BTreeMap<Address, ShardId> {
        let accounts = self.problem.graph.accounts().iter().zip(&self.shard);
        let home = |(account, shard): (&Address, &Option<usize>)| {
            Some((*account, ShardId(u32::try_from((*shard)?).ok()?)))
        };
        accounts.filter_map(home).collect()
    }
}

//! `txallo-global` and `txallo-adaptive`: accounts are placed so that the throughput of all shards
//! together is highest.
//!
//! Y. Zhang, S. Pan, J. Yu, "TxAllo: Dynamic Transaction Allocation in Sharded Blockchain Systems",
//! ICDE 2023 (arXiv:2212.11584), §IV (model) and §V (algorithms 1 and 2). A shard i with pairs of
//! weight `intra` inside and `inter` across has the work σ = intra + η/2·inter and the throughput
//! Λ̂ = intra + inter/2, scaled by λ/σ where σ exceeds the capacity λ = |T|/k. (The paper's η is the
//! work on each of two shards; ours, as everywhere, that on both together.)
//!
//! - Global: Louvain; the k heaviest communities become the shards; each other vertex joins the
//!   shard that gains most; then sweeps, in which each vertex moves where the gain of leaving and
//!   joining is highest and positive, until a sweep gains less than ε = 10⁻⁵·|T|.
//! - Adaptive: from the allocation in force, the same sweeps over the vertices of the newest
//!   window; the global algorithm in every `global_every`-th epoch.
//!
//! Deviations: the order of vertices is that of their addresses (the paper's is that of a hash); of
//! equal gains, which all shards below capacity give, the shard with most pairs wins; the least busy
//! shard is a candidate, too, when a vertex joins, or whoever has neighbours on full shards alone
//! would fill them for ever; in the global algorithm shards are named so that few accounts move; no
//! more than [`MOST_SWEEPS`] sweeps.
//!
//! Nothing in Λ keeps a shard from growing beyond its capacity once all its pairs are inside, so the
//! larger η, the less even the shards.

use serde::{Deserialize, Serialize};

use super::louvain::communities;
use super::options;
use crate::network::{Network, RESIDENT, Ties, UNASSIGNED};
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Problem, Proposal};

/// Most sweeps.
const MOST_SWEEPS: u32 = 100;
/// ε as a share of |T|.
const EPSILON: f64 = 1e-5;

/// Options of the adaptive algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveOptions {
    /// The global algorithm runs in the epochs that this divides, epoch 0 among them. At least 1.
    pub global_every: u32,
}

impl AdaptiveOptions {
    /// One global run, then twenty adaptive ones.
    pub const PUBLISHED: Self = Self { global_every: 21 };
}

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct TxAllo {
    /// `None`: always global.
    adaptive: Option<AdaptiveOptions>,
}

impl TxAllo {
    /// The global algorithm in every epoch.
    #[must_use]
    pub fn global() -> Self {
        Self { adaptive: None }
    }

    /// The adaptive algorithm.
    ///
    /// # Errors
    /// Options out of their bounds.
    pub fn adaptive(options: AdaptiveOptions) -> Result<Self, OptionsError> {
        options::at_least_one("txallo-adaptive", "global_every", options.global_every)?;
        Ok(Self { adaptive: Some(options) })
    }
}

impl Partitioner for TxAllo {
    fn name(&self) -> &'static str {
        if self.adaptive.is_some() { "txallo-adaptive" } else { "txallo-global" }
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        // On each of the two shards of a pair.
        let eta = problem.weights.eta / 2.0;
        let global = self
            .adaptive
            .is_none_or(|options| problem.epoch.0.is_multiple_of(u64::from(options.global_every)));
        if global {
            let (part, sweeps) = global_assignment(&network, eta);
            return Ok(network.proposal(problem, &network.relabelled(part), sweeps));
        }
        let mut state = State::new(&network, network.home.clone(), eta);
        let touched: Vec<u32> = match problem.windows.last() {
            Some(newest) => newest
                .accounts()
                .iter()
                .filter_map(|account| problem.graph.vertex(account))
                .collect(),
            None => network.movable().collect(),
        };
        let sweeps = state.sweep_until_settled(&touched);
        Ok(network.proposal(problem, &state.part, sweeps))
    }
}

fn global_assignment(network: &Network<'_>, eta: f64) -> (Vec<u32>, u32) {
    let (community, count, louvain_sweeps) = communities(network, 1.0, false);
    let mut weight = vec![0_u64; count as usize];
    for vertex in network.movable() {
        weight[community[vertex as usize] as usize] += network.graph.loads()[vertex as usize];
    }
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_unstable_by_key(|own| (std::cmp::Reverse(weight[*own as usize]), *own));
    let mut shard = vec![UNASSIGNED; count as usize];
    for (at, own) in (0..network.shards).zip(&order) {
        shard[*own as usize] = at;
    }
    let part: Vec<u32> =
        community.iter().map(|own| shard.get(*own as usize).copied().unwrap_or(RESIDENT)).collect();
    let mut state = State::new(network, part, eta);
    for vertex in network.movable() {
        if state.part[vertex as usize] == UNASSIGNED {
            state.join_best(vertex);
        }
    }
    let all: Vec<u32> = network.movable().collect();
    let sweeps = state.sweep_until_settled(&all);
    (state.part, louvain_sweeps + sweeps)
}

/// Pairs inside and across of one shard.
#[derive(Clone, Copy, Debug, Default)]
struct Shard {
    intra: f64,
    inter: f64,
}

struct State<'a> {
    network: &'a Network<'a>,
    part: Vec<u32>,
    shards: Vec<Shard>,
    /// η/2.
    eta: f64,
    /// λ.
    capacity: f64,
    /// |T|, as weight.
    transactions: f64,
    ties: Ties,
}

impl<'a> State<'a> {
    fn new(network: &'a Network<'a>, part: Vec<u32>, eta: f64) -> Self {
        let mut shards = vec![Shard::default(); network.shards as usize];
        let mut ties = Ties::new(network.shards as usize);
        let mut transactions = 0.0;
        for vertex in network.movable() {
            let (all, alone) = strengths(network, vertex);
            transactions += all as f64 / 2.0 + alone as f64;
            let Some(own) = shards.get_mut(part[vertex as usize] as usize) else { continue };
            ties.collect(network.graph, vertex, &part);
            let inside = ties.to(part[vertex as usize]);
            own.intra += inside as f64 / 2.0 + alone as f64;
            own.inter += (all - inside) as f64;
        }
        let capacity = transactions / f64::from(network.shards);
        Self { network, part, shards, eta, capacity, transactions, ties }
    }

    /// Λ of a shard.
    fn throughput(&self, shard: Shard) -> f64 {
        let work = shard.intra + self.eta * shard.inter;
        let all = shard.intra + shard.inter / 2.0;
        if work <= self.capacity { all } else { all * self.capacity / work }
    }

    /// A shard with a vertex that has pairs of weight `tie` into it, `all` altogether.
    fn with(shard: Shard, tie: f64, all: f64, alone: f64) -> Shard {
        Shard { intra: shard.intra + tie + alone, inter: shard.inter + all - 2.0 * tie }
    }

    /// The same shard without it.
    fn without(shard: Shard, tie: f64, all: f64, alone: f64) -> Shard {
        Shard { intra: shard.intra - tie - alone, inter: shard.inter - all + 2.0 * tie }
    }

    /// Puts a vertex that has no shard where throughput gains most.
    fn join_best(&mut self, vertex: u32) {
        let (all, alone) = strengths(self.network, vertex);
        self.ties.collect(self.network.graph, vertex, &self.part);
        let (all, alone) = (all as f64, alone as f64);
        let joined = |state: &Self, at: u32| {
            let tie = state.ties.to(at) as f64;
            Self::with(state.shards[at as usize], tie, all, alone)
        };
        let gain =
            |at: u32| self.throughput(joined(self, at)) - self.throughput(self.shards[at as usize]);
        let idle = self.least_busy();
        let mut best = (gain(idle), self.ties.to(idle), idle);
        for at in self.ties.parts() {
            let (gain, tie) = (gain(*at), self.ties.to(*at));
            // Below capacity all shards gain the same.
            if gain > best.0 || (gain == best.0 && (tie, best.2) > (best.1, *at)) {
                best = (gain, tie, *at);
            }
        }
        let target = best.2;
        self.shards[target as usize] = joined(self, target);
        self.part[vertex as usize] = target;
    }

    fn least_busy(&self) -> u32 {
        let work = |shard: &Shard| shard.intra + self.eta * shard.inter;
        let least =
            (0_u32..).zip(&self.shards).min_by(|(_, a), (_, b)| work(a).total_cmp(&work(b)));
        least.map_or(0, |(at, _)| at)
    }

    fn sweep_until_settled(&mut self, vertices: &[u32]) -> u32 {
        for sweep in 1..=MOST_SWEEPS {
            let gained: f64 = vertices.iter().map(|vertex| self.improve(*vertex)).sum();
            if gained <= EPSILON * self.transactions {
                return sweep;
            }
        }
        MOST_SWEEPS
    }

    /// Moves a vertex where throughput gains most, if it gains. Returns the gain.
    fn improve(&mut self, vertex: u32) -> f64 {
        let own = self.part[vertex as usize];
        if own == RESIDENT {
            return 0.0;
        }
        let (all, alone) = strengths(self.network, vertex);
        self.ties.collect(self.network.graph, vertex, &self.part);
        if self.ties.to(own) == all {
            return 0.0;
        }
        let (all, alone) = (all as f64, alone as f64);
        let here = self.shards[own as usize];
        let left = Self::without(here, self.ties.to(own) as f64, all, alone);
        let leave = self.throughput(left) - self.throughput(here);
        let mut best = (0.0, own, here);
        for at in self.ties.parts().iter().filter(|at| **at != own) {
            let there = self.shards[*at as usize];
            let joined = Self::with(there, self.ties.to(*at) as f64, all, alone);
            let gain = leave + self.throughput(joined) - self.throughput(there);
            if gain > best.0 || (gain == best.0 && best.1 != own && *at < best.1) {
                best = (gain, *at, joined);
            }
        }
        let (gain, target, joined) = best;
        if target != own {
            self.shards[own as usize] = left;
            self.shards[target as usize] = joined;
            self.part[vertex as usize] = target;
        }
        gain
    }
}

/// Weight of a vertex's pairs with others that can move, and of the transactions that touch it
/// alone or together with residents only.
fn strengths(network: &Network<'_>, vertex: u32) -> (u64, u64) {
    let neighbours = network.graph.neighbours(vertex);
    let movable = neighbours.filter(|(other, _)| network.home[*other as usize] != RESIDENT);
    let all: u64 = movable.map(|(_, weight)| weight).sum();
    // Half of each pair is this vertex's; what remains of its load is nobody else's.
    (all, network.graph.loads()[vertex as usize].saturating_sub(all / 2))
}

//! `region`: accounts live near their users and near the accounts they are used with.
//!
//! First each vertex goes to its user, if there is room. Then each moves where the weighted delay is least: its load times the delay from the shard
//! that is nearest to the user, plus each pair's weight times the delay between the two shards; a
//! shard never weighs more than the cap. After S. Agarwal, J. Dunagan, N. Jain, S. Saroiu,
//! A. Wolman, H. Bhogan, "Volley: Automated Data Placement for Geo-Distributed Cloud Services",
//! NSDI 2010, §3. Deviations: places are shards with measured delays, not points on a sphere whose
//! weighted mean is taken; the cap holds in every step, where Volley moves data out of full places
//! at the end; both directions of a delay are added, as a transaction waits for the way there and
//! back. A vertex whose shard is above the cap leaves it even if that is farther.

use super::options::RoundsOptions;
use crate::network::{Network, Ties};
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Places, Problem, Proposal};

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct Region(RoundsOptions);

impl Region {
    /// Volley's order of iterations, with ten percent of slack.
    pub const PUBLISHED: RoundsOptions = RoundsOptions { slack: 0.1, rounds: 10 };

    /// # Errors
    /// Options out of their bounds.
    pub fn new(options: RoundsOptions) -> Result<Self, OptionsError> {
        options.checked("region").map(Self)
    }
}

impl Partitioner for Region {
    fn name(&self) -> &'static str {
        "region"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let places = problem.places.ok_or(PartitionError::NoPlaces { strategy: "region" })?;
        let network = Network::new(problem);
        let both_ways = both_ways(places, network.shards)?;
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        let nearest = nearest(&network, places);
        let cap = network.cap(self.0.slack);
        let mut part = network.home.clone();
        let mut weights = network.weights_of(&part);
        // First everybody goes to the user alone, as far as there is room: from there pairs bring
        // accounts together, while a group that is far away would never leave one by one.
        for vertex in network.movable() {
            let at = vertex as usize;
            let (own, near, weight) = (part[at], nearest[at], network.weight[at]);
            if own != near && weights[near as usize] + weight <= cap {
                weights[own as usize] -= weight;
                weights[near as usize] += weight;
                part[at] = near;
            }
        }
        let mut ties = Ties::new(network.shards as usize);
        let mut rounds = 0;
        while rounds < self.0.rounds {
            rounds += 1;
            let mut moved = 0_u64;
            for vertex in network.movable() {
                let (own, weight) = (part[vertex as usize], network.weight[vertex as usize]);
                ties.collect(network.graph, vertex, &part);
                let load = u128::from(network.graph.loads()[vertex as usize]);
                let cost = |at: u32| {
                    let delays = &both_ways[at as usize];
                    let user = load * delays[nearest[vertex as usize] as usize];
                    let pairs = ties.parts().iter();
                    user + pairs
                        .map(|to| u128::from(ties.to(*to)) * delays[*to as usize])
                        .sum::<u128>()
                };
                let crowded = weights[own as usize] > cap;
                let mut best = (!crowded).then(|| (cost(own), own));
                for at in (0..network.shards).filter(|at| *at != own) {
                    if weights[at as usize] + weight > cap {
                        continue;
                    }
                    let cost = cost(at);
                    if best.is_none_or(|(least, _)| cost < least) {
                        best = Some((cost, at));
                    }
                }
                if let Some((_, target)) = best.filter(|(_, target)| *target != own) {
                    weights[own as usize] -= weight;
                    weights[target as usize] += weight;
                    part[vertex as usize] = target;
                    moved += 1;
                }
            }
            if moved == 0 {
                break;
            }
        }
        Ok(network.proposal(problem, &part, rounds))
    }
}

/// Nanoseconds from each shard to each and back.
fn both_ways(places: &Places, shards: u32) -> Result<Vec<Vec<u128>>, PartitionError> {
    let delays = &places.delays;
    let square = delays.len() == shards as usize;
    if !square || delays.iter().any(|row| row.len() != shards as usize) {
        return Err(PartitionError::WrongPlaces { given: delays.len(), shards });
    }
    let both =
        |from: usize, to: usize| u128::from(delays[from][to].0) + u128::from(delays[to][from].0);
    let row = |from: usize| (0..delays.len()).map(|to| both(from, to)).collect();
    Ok((0..delays.len()).map(row).collect())
}

/// The shard that is nearest to each vertex's user; where it lives if nobody knows.
fn nearest(network: &Network<'_>, places: &Places) -> Vec<u32> {
    let accounts = network.graph.accounts().iter().zip(&network.home);
    let known = |(account, home): (_, &u32)| match places.nearest.get(account) {
        Some(shard) if shard.0 < network.shards => shard.0,
        _ => *home,
    };
    // Residents are never asked for.
    accounts.map(known).collect()
}

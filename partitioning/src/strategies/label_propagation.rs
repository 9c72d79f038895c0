//! `label-propagation`: a vertex moves to the shard that most of its neighbours are in, if that has
//! room.
//!
//! U. N. Raghavan, R. Albert, S. Kumara, "Near linear time algorithm to detect community structures
//! in large-scale networks", Phys. Rev. E 76, 2007; with the size constraint of H. Meyerhenke,
//! P. Sanders, C. Schulz, "Partitioning Complex Networks via Size-Constrained Clustering", SEA
//! 2014, §3.1. Deviations: labels are the shards, starting from the allocation in force; vertices
//! come in ascending order, not a random one; of equal shards staying wins, then the lower number;
//! a vertex whose shard is above the cap leaves for the best shard with room.

use super::options::RoundsOptions;
use crate::network::{Network, Ties, lightest};
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Problem, Proposal};

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct LabelPropagation(RoundsOptions);

impl LabelPropagation {
    /// Ten percent of slack; rounds enough to settle.
    pub const PUBLISHED: RoundsOptions = RoundsOptions { slack: 0.1, rounds: 30 };

    /// # Errors
    /// Options out of their bounds.
    pub fn new(options: RoundsOptions) -> Result<Self, OptionsError> {
        options.checked("label-propagation").map(Self)
    }
}

impl Partitioner for LabelPropagation {
    fn name(&self) -> &'static str {
        "label-propagation"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        let cap = network.cap(self.0.slack);
        let mut part = network.home.clone();
        let mut weights = network.weights_of(&part);
        let mut ties = Ties::new(network.shards as usize);
        let mut rounds = 0;
        while rounds < self.0.rounds {
            rounds += 1;
            let mut moved = 0_u64;
            for vertex in network.movable() {
                let (own, weight) = (part[vertex as usize], network.weight[vertex as usize]);
                ties.collect(network.graph, vertex, &part);
                let crowded = weights[own as usize] > cap;
                // Staying is no choice where it is too full, unless nobody else has room.
                let mut best = if crowded { None } else { Some((ties.to(own), own)) };
                let light = lightest(&weights);
                for candidate in ties.parts().iter().copied().chain(crowded.then_some(light)) {
                    let tie = ties.to(candidate);
                    let fits = weights[candidate as usize] + weight <= cap;
                    let better = best.is_none_or(|(most, chosen)| {
                        tie > most || (tie == most && chosen != own && candidate < chosen)
                    });
                    if candidate != own && fits && better {
                        best = Some((tie, candidate));
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

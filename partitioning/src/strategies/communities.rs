//! `louvain` and `leiden`: communities are found, then packed onto shards.
//!
//! For the communities see `louvain.rs`. They know nothing of shards, so they are packed: heaviest
//! first, each to the shard with most pairs into it among those that have room, or else to the
//! lightest (longest processing time first: R. L. Graham, SIAM J. Appl. Math. 17(2), 1969). A
//! community is never split, so one that weighs more than a shard may leaves the balance broken;
//! a higher `resolution` gives smaller ones.

use serde::{Deserialize, Serialize};

use super::louvain::{Sparse, communities};
use super::options;
use crate::network::{Network, RESIDENT, UNASSIGNED, lightest};
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Problem, Proposal};

/// Options.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommunityOptions {
    /// Resolution γ of the modularity, from 0.01 to 1000: 1 is the classical one.
    pub resolution: f64,
    /// How far above the mean a shard may weigh before it counts as full. At least 0.
    pub slack: f64,
}

impl CommunityOptions {
    /// Classical modularity.
    pub const PUBLISHED: Self = Self { resolution: 1.0, slack: 0.1 };
}

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct Communities {
    options: CommunityOptions,
    leiden: bool,
}

impl Communities {
    /// Communities by Louvain.
    ///
    /// # Errors
    /// Options out of their bounds.
    pub fn louvain(options: CommunityOptions) -> Result<Self, OptionsError> {
        Self::new(options, false)
    }

    /// Communities by Leiden.
    ///
    /// # Errors
    /// Options out of their bounds.
    pub fn leiden(options: CommunityOptions) -> Result<Self, OptionsError> {
        Self::new(options, true)
    }

    fn new(options: CommunityOptions, leiden: bool) -> Result<Self, OptionsError> {
        let strategy = if leiden { "leiden" } else { "louvain" };
        options::slack(strategy, options.slack)?;
        let (least, most, expected) = (0.01, 1_000.0, "a number from 0.01 to 1000");
        options::within(strategy, "resolution", options.resolution, least, most, expected)?;
        Ok(Self { options, leiden })
    }
}

impl Partitioner for Communities {
    fn name(&self) -> &'static str {
        if self.leiden { "leiden" } else { "louvain" }
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        let (community, count, sweeps) =
            communities(&network, self.options.resolution, self.leiden);
        let packed = pack(&network, &community, count, self.options.slack);
        Ok(network.proposal(problem, &network.relabelled(packed), sweeps))
    }
}

/// Puts whole communities on shards.
fn pack(network: &Network<'_>, community: &[u32], count: u32, slack: f64) -> Vec<u32> {
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); count as usize];
    let mut weight = vec![0_u64; count as usize];
    for vertex in network.movable() {
        let own = community[vertex as usize] as usize;
        members[own].push(vertex);
        weight[own] += network.weight[vertex as usize];
    }
    let mut order: Vec<u32> = (0..count).collect();
    order.sort_unstable_by_key(|own| (std::cmp::Reverse(weight[*own as usize]), *own));
    let unless = |home: &u32| if *home == RESIDENT { RESIDENT } else { UNASSIGNED };
    let mut part: Vec<u32> = network.home.iter().map(unless).collect();
    let mut sums = vec![0_u64; network.shards as usize];
    let cap = network.cap(slack);
    let mut ties = Sparse::new(network.shards as usize);
    for own in order {
        ties.clear();
        for vertex in &members[own as usize] {
            for (other, weight) in network.graph.neighbours(*vertex) {
                if part[other as usize] < network.shards {
                    ties.add(part[other as usize], weight);
                }
            }
        }
        let weight = weight[own as usize];
        let room = ties.keys().iter().filter(|at| sums[**at as usize] + weight <= cap);
        let tied = room.max_by_key(|at| (ties.at(**at), u32::MAX - **at));
        let target = tied.copied().unwrap_or_else(|| lightest(&sums));
        sums[target as usize] += weight;
        for vertex in &members[own as usize] {
            part[*vertex as usize] = target;
        }
    }
    part
}

//! `lb-chain`: balance only: the hottest account of the heaviest shard moves to the lightest, while
//! the variance of the shards' loads falls. A control that every study needs: it looks at no pair.
//!
//! M. Li, W. Wang, J. Zhang, "LB-Chain: Load-Balanced and Low-Latency Blockchain Sharding via
//! Account Migration", IEEE TPDS 34(10), 2023, §5. Deviations: past load stands for the load to
//! come, which the paper predicts per account with an LSTM; an account whose move would not lower
//! the variance is passed over for the next hottest; it always balances load, whatever the vertex
//! weight is.

use std::collections::BTreeSet;

use crate::network::{Network, RESIDENT, lightest};
use crate::partitioner::{PartitionError, Partitioner, Problem, Proposal};

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct LbChain;

impl Partitioner for LbChain {
    fn name(&self) -> &'static str {
        "lb-chain"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        let mut part = network.home.clone();
        let mut members = vec![BTreeSet::new(); network.shards as usize];
        let mut loads = vec![0_u64; network.shards as usize];
        for (vertex, load) in (0_u32..).zip(network.graph.loads()) {
            let own = part[vertex as usize];
            if own != RESIDENT {
                loads[own as usize] += load;
                // Of equal loads the lower address is hotter.
                members[own as usize].insert((*load, u32::MAX - vertex));
            }
        }
        let mut rounds = 0_u32;
        // An account may move twice; what counts is where it ends.
        let mut moved = BTreeSet::new();
        while moved.len() < problem.budget {
            let heaviest = (0..loads.len()).max_by_key(|at| (loads[*at], usize::MAX - at));
            let (Some(heavy), light) = (heaviest, lightest(&loads) as usize) else { break };
            // Moving w changes the sum of squares by 2w(w − gap): it falls below the gap.
            let gap = loads[heavy] - loads[light];
            let hottest = members[heavy].range((1, 0)..(gap.max(1), 0)).next_back().copied();
            let Some((load, key)) = hottest else { break };
            let vertex = u32::MAX - key;
            members[heavy].remove(&(load, key));
            members[light].insert((load, key));
            loads[heavy] -= load;
            loads[light] += load;
            part[vertex as usize] = u32::try_from(light).unwrap_or(RESIDENT);
            moved.insert(vertex);
            rounds = rounds.saturating_add(1);
        }
        Ok(network.proposal(problem, &part, rounds))
    }
}

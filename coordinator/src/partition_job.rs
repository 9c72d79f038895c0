//! The question to the partitioner, as a job that runs off the coordinator's thread (rule R-EPOCH-3).
//!
//! All that costs time is done here: the graphs of the traffic, and the allocation as strategies know
//! it. The job is a pure function of itself if the strategy is one. A strategy that runs a command is
//! not: in the simulated world it is its user's duty that equal questions get equal answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::Address;
use cross_shard_msg::{Epoch, JobSize};
use partitioning::{AccessGraph, PartitionError, Problem, Proposal, Stream};

use crate::config::PartitionerConfig;
use crate::homes::Homes;
use crate::traffic::{Extent, Window};

/// What to ask.
#[derive(Clone, Debug)]
pub struct PartitionJob {
    pub(crate) config: PartitionerConfig,
    /// Past epochs, oldest first.
    pub(crate) windows: Vec<Arc<Window>>,
    /// Where accounts live.
    pub(crate) homes: Homes,
    /// How much traffic there is.
    pub(crate) extent: Extent,
    /// Most accounts that may move.
    pub(crate) budget: usize,
    /// The epoch that ended.
    pub(crate) epoch: Epoch,
}

impl PartitionJob {
    /// How large it is.
    #[must_use]
    pub fn size(&self) -> JobSize {
        JobSize { accounts: u64::from(self.extent.accounts), touches: self.extent.touches }
    }

    /// Asks the strategy. Contracts that only a shard other than their home has seen are not moved:
    /// their placements are not final, and would win over a move (R-EPOCH-9).
    ///
    /// # Errors
    /// Those of the strategy.
    pub fn run(self) -> Result<Proposal, PartitionError> {
        let graphs: Vec<AccessGraph> = self
            .windows
            .iter()
            .map(|window| AccessGraph::new(window.accesses().map(|(_, access)| &access.accounts)))
            .collect();
        let merged;
        let graph = match graphs.as_slice() {
            [only] => only,
            several => {
                merged = AccessGraph::merge(several);
                &merged
            }
        };
        let accesses = || self.windows.iter().flat_map(|window| window.accesses());
        let stream: Stream = accesses().map(|(_, access)| &access.accounts).collect();
        let (mut contracts, mut at_home) = (BTreeSet::new(), BTreeSet::new());
        for (shard, access) in accesses() {
            for (bit, account) in access.accounts.iter().enumerate() {
                if u32::from(access.contracts) >> bit & 1 == 1 {
                    contracts.insert(*account);
                    if self.homes.home(account).is(shard) {
                        at_home.insert(*account);
                    }
                }
            }
        }
        let allocation = self.homes.allocation();
        let problem = Problem {
            graph,
            windows: &graphs,
            stream: &stream,
            future: None,
            contracts: &contracts,
            allocation: &allocation,
            weights: self.config.weights,
            budget: self.budget,
            places: self.config.places.as_deref(),
            epoch: self.epoch,
            seed: self.config.seed,
        };
        let mut proposal = self.config.partitioner.propose(&problem)?;
        let is_settled =
            |account: &Address| !contracts.contains(account) || at_home.contains(account);
        proposal.moves.retain(|moved| is_settled(&moved.account));
        Ok(proposal)
    }
}

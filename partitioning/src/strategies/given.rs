//! `trace-file`: an allocation that somebody else computed: each account goes where the file puts
//! it, all others stay. The file is read at the program's edge (`sim-scenarios`), which hands over
//! the map.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use cross_shard_msg::ShardId;

use crate::network::{Network, RESIDENT};
use crate::partitioner::{PartitionError, Partitioner, Problem, Proposal};

/// The strategy.
#[derive(Clone, Debug)]
pub struct Given {
    homes: BTreeMap<Address, ShardId>,
}

impl Given {
    /// An allocation. Shards that are not there show when it is asked.
    #[must_use]
    pub fn new(homes: BTreeMap<Address, ShardId>) -> Self {
        Self { homes }
    }
}

impl Partitioner for Given {
    fn name(&self) -> &'static str {
        "trace-file"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        let shards = network.shards;
        if let Some((account, shard)) = self.homes.iter().find(|(_, shard)| shard.0 >= shards) {
            let (account, shard) = (*account, *shard);
            return Err(PartitionError::NoSuchShard { account, shard, shards });
        }
        let accounts = network.graph.accounts().iter().zip(&network.home);
        let wanted = accounts.map(|(account, home)| match self.homes.get(account) {
            Some(given) if *home != RESIDENT => given.0,
            _ => *home,
        });
        let wanted: Vec<u32> = wanted.collect();
        Ok(network.proposal(problem, &wanted, 1))
    }
}

//! `hash`: every account lives where its address says (rule R-HOME-1). The lower bound that every
//! study needs: of transactions with m random accounts, 1 − k^(1−m) cross.
//!
//! The rule is that of BlockEmulator (`Addr2Shard`; H. Huang et al., "BlockEmulator: An Emulator
//! Enabling to Test Blockchain Sharding Protocols", arXiv:2311.03612): the last eight hexadecimal
//! digits modulo k. No deviation.

use crate::Base;
use crate::network::{Network, RESIDENT};
use crate::partitioner::{PartitionError, Partitioner, Problem, Proposal};

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct Hash;

impl Partitioner for Hash {
    fn name(&self) -> &'static str {
        "hash"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        let accounts = network.graph.accounts().iter().zip(&network.home);
        let wanted = accounts.map(|(account, home)| match *home {
            RESIDENT => RESIDENT,
            _ => Base::Hash.home(account, network.shards).0,
        });
        let wanted: Vec<u32> = wanted.collect();
        Ok(network.proposal(problem, &wanted, 1))
    }
}

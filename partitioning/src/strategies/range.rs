//! `range`: equal ranges of addresses: shard ⌊p·k / 2³²⌋ for the first 32 bits p of an address.
//!
//! The partitioning by address prefix that sharded designs assume where they say "by address"; e.g.
//! M. Al-Bassam et al., "Chainspace: A Sharded Smart Contracts Platform", NDSS 2018. Like `hash` on
//! addresses that are uniform; unlike it where vanity addresses share a prefix.

use alloy_primitives::Address;

use crate::network::{Network, RESIDENT};
use crate::partitioner::{PartitionError, Partitioner, Problem, Proposal};

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct Range;

impl Partitioner for Range {
    fn name(&self) -> &'static str {
        "range"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        let accounts = network.graph.accounts().iter().zip(&network.home);
        let wanted = accounts.map(|(account, home)| match *home {
            RESIDENT => RESIDENT,
            _ => range(account, network.shards),
        });
        let wanted: Vec<u32> = wanted.collect();
        Ok(network.proposal(problem, &wanted, 1))
    }
}

/// The range that an address falls into; 0 if there are no shards.
fn range(account: &Address, shards: u32) -> u32 {
    let [a, b, c, d, ..] = account.0.0;
    let prefix = u64::from(u32::from_be_bytes([a, b, c, d]));
    // Below `shards`, as the prefix is below 2³².
    u32::try_from((prefix * u64::from(shards)) >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_equal_and_ordered() {
        let at = |prefix: u32| {
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&prefix.to_be_bytes());
            range(&Address::from(bytes), 4)
        };
        let cases = [(0, 0), (0x3fff_ffff, 0), (0x4000_0000, 1), (0x8000_0000, 2), (u32::MAX, 3)];
        for (prefix, expected) in cases {
            assert_eq!(at(prefix), expected, "{prefix:x}");
        }
        assert_eq!(range(&Address::ZERO, 0), 0);
    }
}

//! Residents: accounts that live on every shard and never move (rule R-HOME-2).

use std::collections::BTreeSet;

use alloy_primitives::{Address, address};
use cross_shard_msg::Settings;

/// The contract through which contracts send receipts; the same address on every shard.
pub const OUTBOX: Address = address!("00000000000000000000000000006f7574626f78");

/// Ethereum's system contracts up to Prague.
const SYSTEM: [Address; 5] = [
    address!("000f3df6d732807ef1319fb7b8bb8522d0beac02"), // beacon roots, EIP-4788
    address!("0000f90827f1c53a10cb7a02335b175320002935"), // block hashes, EIP-2935
    address!("00000961ef480eb55e80d19ad83579a64c007002"), // withdrawals, EIP-7002
    address!("0000bbddc7ce488642fb579f8b00f3a590007251"), // consolidations, EIP-7251
    address!("fffffffffffffffffffffffffffffffffffffffe"), // caller of system contracts
];

/// Highest address of the precompiles that start at 1 (BLS12-381, Prague).
const LAST_PRECOMPILE: u8 = 0x11;

/// The accounts that live on every shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residents(BTreeSet<Address>);

impl Residents {
    /// Precompiles, system contracts, `Outbox`, and the fee account of each of `shards` shards.
    #[must_use]
    pub fn standard(shards: u32) -> Self {
        let precompiles = (1..=LAST_PRECOMPILE).map(Address::with_last_byte);
        let fees = (0..shards).map(|shard| Settings::fee_account(cross_shard_msg::ShardId(shard)));
        Self(precompiles.chain(SYSTEM).chain([OUTBOX]).chain(fees).collect())
    }

    /// Adds an account, such as the beneficiary that a prescribed block environment names.
    #[must_use]
    pub fn with(mut self, address: Address) -> Self {
        self.0.insert(address);
        self
    }

    /// Whether `address` lives on every shard.
    #[must_use]
    pub fn contains(&self, address: &Address) -> bool {
        self.0.contains(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shard_has_its_own_fee_account() {
        let residents = Residents::standard(300);
        assert!(residents.contains(&Settings::fee_account(cross_shard_msg::ShardId(299))));
        assert!(!residents.contains(&Settings::fee_account(cross_shard_msg::ShardId(300))));
        assert!(residents.contains(&Address::with_last_byte(LAST_PRECOMPILE)));
        assert!(!residents.contains(&Address::ZERO), "the zero address is an ordinary account");
    }
}

//! What a block gives to the transactions in it: the chain's rules and the block's own values.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_eips::eip1559::{BaseFeeParams, calc_next_block_base_fee};
use alloy_primitives::{Address, B256, U256};
use cross_shard_msg::Gas;
use revm::context::{BlockEnv, CfgEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
pub use revm::primitives::hardfork::SpecId;
use serde::{Deserialize, Serialize};

/// Rules that all blocks of one chain share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainRules {
    /// Chain id that transactions must carry (EIP-155).
    pub chain_id: u64,
    /// Ethereum's rules to execute by. [`SpecId::PRAGUE`] unless a scenario prescribes blocks.
    pub spec: SpecId,
    /// The blocks were made elsewhere and are only executed here: blob transactions and
    /// transactions from before EIP-155, which name no chain, are admitted too.
    pub prescribed: bool,
}

/// The values of one block that its transactions can observe or are charged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEnvironment {
    /// The block's number: the shard's height.
    pub number: u64,
    /// Seconds since 1970, or since whatever the chain counts from.
    pub timestamp: u64,
    /// Receives the tips. On a shard this is its own fee account. It counts as local here.
    pub beneficiary: Address,
    /// Wei burnt for each unit of gas (EIP-1559); zero before London.
    pub base_fee: u64,
    /// Most gas that the block may use.
    pub gas_limit: Gas,
    /// Proof-of-work difficulty; zero after the merge.
    pub difficulty: U256,
    /// The randomness that PREVRANDAO answers after the merge (EIP-4399).
    pub prevrandao: B256,
    /// Excess blob gas (EIP-4844); read from Cancun on.
    pub excess_blob_gas: u64,
    /// What BLOCKHASH answers, by number. Numbers that are missing answer zero.
    pub block_hashes: Arc<BTreeMap<u64, B256>>,
}

impl BlockEnvironment {
    pub(super) fn block_env(&self, rules: &ChainRules) -> BlockEnv {
        BlockEnv {
            number: U256::from(self.number),
            beneficiary: self.beneficiary,
            timestamp: U256::from(self.timestamp),
            gas_limit: self.gas_limit.0,
            basefee: self.base_fee,
            difficulty: self.difficulty,
            prevrandao: rules.spec.is_enabled_in(SpecId::MERGE).then_some(self.prevrandao),
            blob_excess_gas_and_price: rules.spec.is_enabled_in(SpecId::CANCUN).then(|| {
                BlobExcessGasAndPrice::new(
                    self.excess_blob_gas,
                    rules.cfg_env().blob_base_fee_update_fraction(),
                )
            }),
            slot_num: 0,
        }
    }
}

impl ChainRules {
    pub(super) fn cfg_env(&self) -> CfgEnv {
        CfgEnv::new_with_spec(self.spec).with_chain_id(self.chain_id)
    }
}

/// The base fee of the block after one that used `gas_used` of `gas_limit` at `base_fee`
/// (EIP-1559, with Ethereum's parameters: it moves by at most an eighth).
///
/// A chain's first London block is not covered: its base fee is a constant of the fork.
#[must_use]
pub fn next_base_fee(gas_used: Gas, gas_limit: Gas, base_fee: u64) -> u64 {
    calc_next_block_base_fee(gas_used.0, gas_limit.0, base_fee, BaseFeeParams::ethereum())
}

/// The rules that Ethereum's main network had in the block of this number and timestamp, up to
/// Prague.
#[must_use]
pub fn mainnet_spec(number: u64, timestamp: u64) -> SpecId {
    const BY_TIMESTAMP: [(u64, SpecId); 3] = [
        (1_746_612_311, SpecId::PRAGUE),
        (1_710_338_135, SpecId::CANCUN),
        (1_681_338_455, SpecId::SHANGHAI),
    ];
    const BY_NUMBER: [(u64, SpecId); 9] = [
        (15_537_394, SpecId::MERGE),
        (12_965_000, SpecId::LONDON),
        (12_244_000, SpecId::BERLIN),
        (9_069_000, SpecId::ISTANBUL),
        (7_280_000, SpecId::PETERSBURG),
        (4_370_000, SpecId::BYZANTIUM),
        (2_675_000, SpecId::SPURIOUS_DRAGON),
        (2_463_000, SpecId::TANGERINE),
        (1_150_000, SpecId::HOMESTEAD),
    ];
    let by_timestamp = BY_TIMESTAMP.iter().find(|(first, _)| timestamp >= *first);
    let by_number = BY_NUMBER.iter().find(|(first, _)| number >= *first);
    by_timestamp.or(by_number).map_or(SpecId::FRONTIER, |(_, spec)| *spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainnet_forks_begin_where_they_did() {
        let table = [
            (1_149_999, 0, SpecId::FRONTIER),
            (1_150_000, 0, SpecId::HOMESTEAD),
            (2_675_000, 0, SpecId::SPURIOUS_DRAGON),
            (4_369_999, 0, SpecId::SPURIOUS_DRAGON),
            (4_370_000, 0, SpecId::BYZANTIUM),
            (12_964_999, 0, SpecId::BERLIN),
            (15_537_393, 1_663_224_162, SpecId::LONDON),
            (15_537_394, 1_663_224_179, SpecId::MERGE),
            (17_034_870, 1_681_338_455, SpecId::SHANGHAI),
            (19_426_586, 1_710_338_123, SpecId::SHANGHAI),
            (19_426_587, 1_710_338_135, SpecId::CANCUN),
        ];
        for (number, timestamp, spec) in table {
            assert_eq!(mainnet_spec(number, timestamp), spec, "block {number}");
        }
    }

    #[test]
    fn the_base_fee_follows_the_load() {
        let limit = Gas(30_000_000);
        assert_eq!(next_base_fee(Gas(15_000_000), limit, 1_000), 1_000);
        assert_eq!(next_base_fee(limit, limit, 1_000), 1_125);
        assert_eq!(next_base_fee(Gas(0), limit, 1_000), 875);
        assert_eq!(next_base_fee(limit, limit, 1), 2);
    }
}

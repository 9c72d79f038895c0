//! What a shard node is started with (rules R-HOME-1, R-HOME-2, R-POOL-2).

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use consensus::{Committee, CommitteeError, Domain};
use cross_shard_msg::{Epoch, Gas, Incarnation, SecretKey, Settings, ShardId, Wei};
use partitioning::{Allocation, Base, Residents};
use state::GenesisAccount;

use crate::evm::{BlockEnvironment, ChainRules, SpecId};

/// Everything that a [`crate::ShardNode`] needs to start at genesis.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Which shard this is.
    pub shard: ShardId,
    /// The shard's key; its public half is in the settings.
    pub key: SecretKey,
    /// What all nodes of the network agree on.
    pub settings: Arc<Settings>,
    /// The base rule of the allocation.
    pub base: Base,
    /// Accounts that live on every shard.
    pub residents: Residents,
    /// Where blocks get their values from.
    pub environment: Environment,
    /// This shard's accounts at genesis; see [`genesis_of`].
    pub genesis: Vec<(Address, GenesisAccount)>,
}

/// Where a block's values (number, time, base fee, randomness) come from.
#[derive(Clone, Debug)]
pub enum Environment {
    /// From the shard's own chain, by Prague's rules.
    Lab,
    /// From a block that was made elsewhere and is executed again here.
    Prescribed(Prescribed),
}

/// A block that was made elsewhere.
#[derive(Clone, Debug)]
pub struct Prescribed {
    /// Ethereum's rules to execute by.
    pub spec: SpecId,
    /// Values of the shard's first block. Later blocks differ in number (+1) and timestamp (+12)
    /// only.
    pub block: BlockEnvironment,
    /// This shard's transactions in order of execution: those whose sender lives here. The first
    /// block is made when all of them have arrived.
    pub order: Vec<B256>,
}

/// Why a shard cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The settings have no such shard, or no offset or genesis for it.
    #[error("the settings do not describe shard {0}")]
    UnknownShard(ShardId),
    /// The key is not the one in the settings.
    #[error("the key is not that of shard {0}")]
    Key(ShardId),
    /// Blocks would be made without any time between them.
    #[error("the block time and the checkpoint interval must not be zero")]
    NoInterval,
    /// Genesis accounts and settings disagree.
    #[error("genesis accounts hold {found} wei, the settings say {expected}")]
    Genesis {
        /// Sum of the accounts' balances.
        found: Wei,
        /// `genesis_held` of the settings.
        expected: Wei,
    },
    /// Prescribed block and settings disagree.
    #[error(
        "the prescribed block has another gas limit or base fee than the settings, or the base fee moves"
    )]
    Prescribed,
    /// The validators' keys are no committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
}

impl ShardConfig {
    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn check(&self) -> Result<(), ConfigError> {
        let settings = &self.settings;
        let index = self.shard.0 as usize;
        let (Some(keys), Some(_), Some(&expected)) = (
            settings.shards.get(index),
            settings.block_offset.get(index),
            settings.genesis_held.get(index),
        ) else {
            return Err(ConfigError::UnknownShard(self.shard));
        };
        if keys.replicas.first() != Some(&self.key.public()) {
            return Err(ConfigError::Key(self.shard));
        }
        if settings.block_time.0 == 0 || settings.checkpoint_every.0 == 0 {
            return Err(ConfigError::NoInterval);
        }
        let found = held(&self.genesis);
        if found != expected {
            return Err(ConfigError::Genesis { found, expected });
        }
        match &self.environment {
            Environment::Prescribed(prescribed)
                if prescribed.block.gas_limit != settings.gas_limit
                    || prescribed.block.base_fee != settings.base_fee
                    || settings.base_fee_moves =>
            {
                Err(ConfigError::Prescribed)
            }
            _ => Ok(()),
        }
    }

    /// The rules by which the shard executes.
    #[must_use]
    pub fn rules(&self) -> ChainRules {
        let chain_id = self.settings.chain_id;
        match &self.environment {
            Environment::Lab => ChainRules { chain_id, spec: SpecId::PRAGUE, prescribed: false },
            Environment::Prescribed(block) => {
                ChainRules { chain_id, spec: block.spec, prescribed: true }
            }
        }
    }

    pub(crate) fn committee(&self) -> Result<Committee, CommitteeError> {
        let domain = Domain {
            network: self.settings.network,
            incarnation: Incarnation(0),
            epoch: Epoch::ZERO,
        };
        Committee::new(domain, &self.settings.validators)
    }

    pub(crate) fn allocation(&self) -> Allocation {
        Allocation::new(self.settings.shard_count(), self.base, self.residents.clone())
    }

    /// Most gas of a block; no receipt has more.
    pub(crate) fn gas_limit(&self) -> Gas {
        self.settings.gas_limit
    }
}

/// The accounts of `shard` at genesis, out of all: those that live there, and residents. A
/// resident's balance is at its base home only, so that nothing is counted twice.
#[must_use]
pub fn genesis_of(
    shard: ShardId,
    allocation: &Allocation,
    accounts: &[(Address, GenesisAccount)],
) -> Vec<(Address, GenesisAccount)> {
    let local = accounts.iter().filter(|(address, _)| allocation.home(address).is(shard));
    local
        .map(|(address, account)| {
            let mut account = account.clone();
            if allocation.base_home(address) != shard {
                account.balance = Wei::ZERO;
            }
            (*address, account)
        })
        .collect()
}

/// Wei that these accounts hold together: a shard's entry in `Settings::genesis_held`. Saturates.
#[must_use]
pub fn held(accounts: &[(Address, GenesisAccount)]) -> Wei {
    accounts.iter().fold(Wei::ZERO, |sum, (_, account)| sum.saturating_add(account.balance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_residents_balance_is_counted_once() {
        let resident = Address::with_last_byte(3);
        let plain = Address::with_last_byte(0x21);
        let account = |wei: u64| GenesisAccount { balance: Wei::from(wei), ..Default::default() };
        let allocation = Allocation::new(2, Base::Hash, Residents::standard(2));
        let all = [(resident, account(5)), (plain, account(7))];
        let zero = genesis_of(ShardId(0), &allocation, &all);
        let one = genesis_of(ShardId(1), &allocation, &all);
        assert_eq!((zero.len(), held(&zero)), (1, Wei::ZERO));
        assert_eq!((one.len(), held(&one)), (2, Wei::from(12)));
    }
}

//! What a block changed, net: old and new content of every written account.

use crate::Account;
use alloy_primitives::aliases::I512;
use alloy_primitives::{Address, Bytes, U256};
use serde::{Deserialize, Serialize};

/// The net changes of one block, by address. An account that ended as it began is not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateDiff {
    /// Changed accounts, in ascending order of addresses, each once.
    pub accounts: Vec<AccountDiff>,
}

/// The net change of one account. `old` and `new` may be equal when only storage changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDiff {
    /// The account.
    pub address: Address,
    /// Content before the block; `None` if it did not exist.
    pub old: Option<Account>,
    /// Content after the block; `None` if it does not exist.
    pub new: Option<Account>,
    /// The code of `new`, when `old` had another one (or none).
    pub code: Option<Bytes>,
    /// Changed slots in ascending order, each once. Those of a deleted account are all here.
    pub storage: Vec<SlotDiff>,
}

/// The net change of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotDiff {
    /// The slot.
    pub slot: U256,
    /// Value before the block.
    pub old: U256,
    /// Value after the block; never equal to `old`.
    pub new: U256,
}

impl StateDiff {
    /// Σ new balances − Σ old balances in wei: the ledger's Δheld. It cannot overflow: fewer than
    /// 2^64 balances, each below 2^256.
    pub fn balance_delta(&self) -> I512 {
        let mut sum = I512::ZERO;
        for account in &self.accounts {
            sum += account.balance_delta();
        }
        sum
    }

    /// The change of `address`, if it changed.
    pub fn account(&self, address: &Address) -> Option<&AccountDiff> {
        self.accounts
            .binary_search_by(|account| account.address.cmp(address))
            .ok()
            .map(|index| &self.accounts[index])
    }

    /// True when nothing changed.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }
}

impl AccountDiff {
    /// Balance before the block, in wei.
    pub fn old_balance(&self) -> U256 {
        self.old.map_or(U256::ZERO, |account| account.balance)
    }

    /// Balance after the block, in wei.
    pub fn new_balance(&self) -> U256 {
        self.new.map_or(U256::ZERO, |account| account.balance)
    }

    /// New minus old balance in wei.
    pub fn balance_delta(&self) -> I512 {
        let (old, new) = (self.old_balance(), self.new_balance());
        if old == new {
            return I512::ZERO;
        }
        widen(new) - widen(old)
    }
}

fn widen(balance: U256) -> I512 {
    let mut limbs = [0; 8];
    limbs[..4].copy_from_slice(balance.as_limbs());
    I512::from_limbs(limbs)
}

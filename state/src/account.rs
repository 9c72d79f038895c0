//! An account as the EVM sees it, and the forms in which accounts enter the state.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use serde::{Deserialize, Serialize};

/// What the EVM loads of an account; its storage and code are looked up separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Number of transactions sent (for a contract: one more than contracts created).
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// keccak-256 of the code; [`KECCAK256_EMPTY`] without code.
    pub code_hash: B256,
}

impl Account {
    /// An account without code.
    pub const fn without_code(nonce: u64, balance: U256) -> Self {
        Self { nonce, balance, code_hash: KECCAK256_EMPTY }
    }

    /// True for an account that does not exist by EIP-161: no nonce, no balance, no code.
    pub fn is_empty(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && !self.has_code()
    }

    /// True when the account has code (a contract, or a delegation by EIP-7702).
    pub fn has_code(&self) -> bool {
        self.code_hash != KECCAK256_EMPTY
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::without_code(0, U256::ZERO)
    }
}

/// An account at genesis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisAccount {
    /// First nonce.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Code; empty for none.
    pub code: Bytes,
    /// Slots and their values. Zero values are left out of the state; of two values for one slot
    /// the last one counts.
    pub storage: Vec<(U256, U256)>,
}

/// What one transaction changed of one account, as the EVM's commit yields it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountChange {
    /// The account.
    pub address: Address,
    /// Its new content. `None`, and equally an account that is empty by EIP-161, deletes the account
    /// with its storage.
    pub info: Option<Account>,
    /// Code that the transaction brought to this account: its hash is `info.code_hash`.
    pub code: Option<Bytes>,
    /// True when slots from before the transaction are gone (self-destructed, or created anew).
    /// `storage` is written after that.
    pub storage_cleared: bool,
    /// Written slots and their new values, each slot once, in any order. Zero clears a slot.
    pub storage: Vec<(U256, U256)>,
}

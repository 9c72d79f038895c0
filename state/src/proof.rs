//! Proofs of accounts and slots, as `eth_getProof` returns them, and their verification.

use crate::storage::slot_key;
use crate::trie::verify::{ProofError, verify_proof};
use crate::{Account, ShardState};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::Encodable;
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use serde::{Deserialize, Serialize};

/// An account, or its absence, with its proof against a state root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountProof {
    /// The account.
    pub address: Address,
    /// Its content; `None` if it does not exist.
    pub account: Option<Account>,
    /// Root of its storage; [`EMPTY_ROOT_HASH`] without storage.
    pub storage_root: B256,
    /// Nodes from the state root to the account, as RLP.
    pub proof: Vec<Bytes>,
    /// The requested slots, in the order of the request.
    pub storage: Vec<StorageProof>,
}

/// A slot's value with its proof against the account's storage root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageProof {
    /// The slot.
    pub slot: U256,
    /// Its value; zero if it is not set.
    pub value: U256,
    /// Nodes from the storage root to the slot, as RLP.
    pub proof: Vec<Bytes>,
}

impl AccountProof {
    /// Checks account and slots against `state_root`.
    pub fn verify(&self, state_root: B256) -> Result<(), ProofError> {
        let key = keccak256(self.address).into();
        let proven = verify_proof(state_root, &key, &self.proof)?;
        let claimed = self
            .account
            .map(|account| alloy_rlp::encode(trie_account(&account, self.storage_root)));
        let absent_with_storage = claimed.is_none() && self.storage_root != EMPTY_ROOT_HASH;
        if proven != claimed || absent_with_storage {
            return Err(ProofError::WrongContent);
        }
        self.storage.iter().try_for_each(|slot| slot.verify(self.storage_root))
    }
}

impl StorageProof {
    /// Checks the value against the account's storage root.
    pub fn verify(&self, storage_root: B256) -> Result<(), ProofError> {
        let proven = verify_proof(storage_root, &slot_key(self.slot), &self.proof)?;
        let claimed = (!self.value.is_zero()).then(|| alloy_rlp::encode(self.value));
        if proven == claimed { Ok(()) } else { Err(ProofError::WrongContent) }
    }
}

impl ShardState {
    /// Proves an account and some of its slots against [`ShardState::root`], which it brings up to
    /// date first: between blocks that is the last block's state root.
    pub fn prove(&mut self, address: &Address, slots: &[U256]) -> AccountProof {
        self.root();
        AccountProof {
            address: *address,
            account: self.account(address).copied(),
            storage_root: self.storage_root(address),
            proof: self.prove_account(address),
            storage: slots
                .iter()
                .map(|&slot| StorageProof {
                    slot,
                    value: self.storage(address, slot),
                    proof: self.prove_slot(address, slot),
                })
                .collect(),
        }
    }
}

/// Appends the RLP that the state trie holds for an account.
pub(crate) fn encode_account(account: &Account, storage_root: B256, out: &mut Vec<u8>) {
    trie_account(account, storage_root).encode(out);
}

fn trie_account(account: &Account, storage_root: B256) -> TrieAccount {
    TrieAccount {
        nonce: account.nonce,
        balance: account.balance,
        storage_root,
        code_hash: account.code_hash,
    }
}

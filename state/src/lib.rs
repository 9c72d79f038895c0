//! The account state of one shard: accounts, storage, code, what a block changed, and the state root.
//!
//! - [`ShardState`] answers the EVM's look-ups and takes its commits, transaction by transaction. A
//!   commit only remembers what is dirty.
//! - [`ShardState::root`] brings the Merkle-Patricia trie up to date once per block, and only for
//!   what changed. With one shard the root is Ethereum's.
//! - [`ShardState::take_block_diff`] says what the block changed: [`StateDiff`], from which the
//!   ledger takes Δheld and a follower takes its next state.
//! - [`AccountProof`] proves accounts and slots in the format of `eth_getProof`.
//! - [`ordered_root`] is the root of a block's transactions or execution results.
//!
//! Everything here is pure: no clock, no randomness, no IO. Hash maps are looked up, never iterated
//! where order could be seen.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod account;
mod block;
mod diff;
mod proof;
mod shard_state;
mod storage;
pub mod trie;

pub use account::{Account, AccountChange, GenesisAccount};
pub use block::ApplyError;
pub use diff::{AccountDiff, SlotDiff, StateDiff};
pub use proof::{AccountProof, StorageProof};
pub use shard_state::ShardState;
pub use trie::ordered::ordered_root;
pub use trie::verify::{ProofError, verify_proof};

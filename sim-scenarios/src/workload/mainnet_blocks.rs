//! Real mainnet blocks, each of them a network of its own: its pre-state is the genesis, its
//! environment is prescribed, its transactions come in its order with their own signatures.
//!
//! A block directory holds `block.json.gz` (eth_getBlockByNumber with full transactions) and
//! `pre_state.json.gz`; beside the blocks lies `block_hashes.json`, what BLOCKHASH must answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_consensus::{
    EthereumTxEnvelope, Signed, TxEip1559, TxEip2930, TxEip4844, TxEip4844Variant, TxEnvelope,
    TxLegacy,
};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U64, U256};
use cross_shard_msg::{Gas, Transaction};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shard_node::evm::BlockEnvironment;
use state::GenesisAccount;

use super::{Open, WorkloadError, trace};
use crate::scenario::Blocks;

/// First block whose receipts carry a status instead of a state root (Byzantium): from here on the
/// receipts root can be computed from execution alone.
pub const FIRST_WITH_STATUS: u64 = 4_370_000;
/// How far back BLOCKHASH answers.
const HASHES: u64 = 256;

/// A directory of mainnet blocks.
#[derive(Clone, Debug)]
pub struct MainnetBlocks {
    directory: PathBuf,
    hashes: BTreeMap<u64, B256>,
}

/// One block, as a network of its own.
#[derive(Clone, Debug)]
pub struct BlockNetwork {
    /// What is prescribed to the shards: the block's own values. The call that tells the beacon
    /// roots contract its parent's root (EIP-4788) is not made; no block of the set reads it.
    pub environment: BlockEnvironment,
    /// The pre-state, ascending by address.
    pub genesis: Vec<(Address, GenesisAccount)>,
    /// The block's transactions in its order, with their senders.
    pub transactions: Vec<(Transaction, Address)>,
    /// What must come out on one shard.
    pub expected: Expected,
}

/// What mainnet says of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Hash of the block.
    pub hash: B256,
    /// Gas that all transactions used.
    pub gas_used: Gas,
    /// Root of the receipts.
    pub receipts_root: B256,
    /// Root of the transactions.
    pub transactions_root: B256,
}

impl Expected {
    /// Whether execution alone determines the receipts root of block `number`.
    #[must_use]
    pub fn checks_receipts_root(number: u64) -> bool {
        number >= FIRST_WITH_STATUS
    }
}

impl MainnetBlocks {
    /// Opens a directory: reads its `block_hashes.json`.
    ///
    /// # Errors
    /// When that file cannot be read or is not a map from numbers to hashes.
    pub fn open(directory: &Path, open: Open<'_>) -> Result<Self, WorkloadError> {
        let file = directory.join("block_hashes.json");
        let read: BTreeMap<String, B256> = json(&file, open)?;
        let number = |(number, hash): (String, B256)| {
            let number = number.parse().map_err(|_| wrong(&file, format!("`{number}`: no number")));
            number.map(|number: u64| (number, hash))
        };
        let hashes = read.into_iter().map(number).collect::<Result<_, _>>()?;
        Ok(Self { directory: directory.to_owned(), hashes })
    }

    /// The numbers that a scenario chooses; `directories` are the names in the directory.
    #[must_use]
    pub fn numbers(choice: &Blocks, directories: impl Iterator<Item = String>) -> Vec<u64> {
        match choice {
            Blocks::Numbers(numbers) => numbers.clone(),
            Blocks::All => {
                let mut numbers: Vec<u64> =
                    directories.filter_map(|name| name.parse().ok()).collect();
                numbers.sort_unstable();
                numbers
            }
        }
    }

    /// Reads one block.
    ///
    /// # Errors
    /// When a file cannot be read, or a transaction does not have the hash that the file gives.
    pub fn read(&self, number: u64, open: Open<'_>) -> Result<BlockNetwork, WorkloadError> {
        let directory = self.directory.join(number.to_string());
        let file = directory.join("block.json.gz");
        let block: JsonBlock = json(&file, open)?;
        if block.number.to::<u64>() != number {
            return Err(wrong(&file, format!("is block {}", block.number)));
        }
        let transactions = block.transactions.iter().enumerate().map(|(index, transaction)| {
            let signed = transaction.signed();
            let sender = transaction.from;
            match signed {
                Some(signed) if signed.hash() == transaction.hash => Ok((signed, sender)),
                Some(_) => Err(wrong(&file, format!("transaction {index}: another hash"))),
                None => Err(wrong(&file, format!("transaction {index}: a field is missing"))),
            }
        });
        let transactions = transactions.collect::<Result<_, _>>()?;
        let state: BTreeMap<Address, JsonAccount> =
            json(&directory.join("pre_state.json.gz"), open)?;
        let first = number.saturating_sub(HASHES);
        let hashes = self.hashes.range(first..number).map(|(number, hash)| (*number, *hash));
        Ok(BlockNetwork {
            environment: BlockEnvironment {
                number,
                timestamp: block.timestamp.to(),
                beneficiary: block.miner,
                base_fee: block.base_fee_per_gas.unwrap_or_default().to(),
                gas_limit: Gas(block.gas_limit.to()),
                difficulty: block.difficulty,
                prevrandao: block.mix_hash,
                excess_blob_gas: block.excess_blob_gas.unwrap_or_default().to(),
                block_hashes: Arc::new(hashes.collect()),
            },
            genesis: state
                .into_iter()
                .map(|(address, account)| (address, account.into()))
                .collect(),
            transactions,
            expected: Expected {
                hash: block.hash,
                gas_used: Gas(block.gas_used.to()),
                receipts_root: block.receipts_root,
                transactions_root: block.transactions_root,
            },
        })
    }
}

fn json<T: DeserializeOwned>(file: &Path, open: Open<'_>) -> Result<T, WorkloadError> {
    let failed = |source| WorkloadError::Read { file: file.display().to_string(), source };
    let content = open(file).and_then(trace::plain).map_err(failed)?;
    // Reading in one go is faster for serde_json than reading through a decoder.
    let text = std::io::read_to_string(content).map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| wrong(file, error.to_string()))
}

fn wrong(file: &Path, problem: String) -> WorkloadError {
    WorkloadError::Block { file: file.display().to_string(), problem }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonBlock {
    hash: B256,
    number: U64,
    timestamp: U64,
    miner: Address,
    gas_limit: U64,
    gas_used: U64,
    difficulty: U256,
    mix_hash: B256,
    base_fee_per_gas: Option<U64>,
    excess_blob_gas: Option<U64>,
    receipts_root: B256,
    transactions_root: B256,
    transactions: Vec<JsonTransaction>,
}

#[derive(Debug, Deserialize)]
struct JsonAccount {
    balance: U256,
    nonce: u64,
    #[serde(default)]
    code: Bytes,
    #[serde(default)]
    storage: BTreeMap<U256, U256>,
}

impl From<JsonAccount> for GenesisAccount {
    fn from(account: JsonAccount) -> Self {
        let JsonAccount { balance, nonce, code, storage } = account;
        Self { nonce, balance, code, storage: storage.into_iter().collect() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonTransaction {
    hash: B256,
    #[serde(rename = "type")]
    kind: U64,
    chain_id: Option<U64>,
    nonce: U64,
    gas: U64,
    from: Address,
    to: Option<Address>,
    value: U256,
    input: Bytes,
    gas_price: Option<U256>,
    max_fee_per_gas: Option<U256>,
    max_priority_fee_per_gas: Option<U256>,
    max_fee_per_blob_gas: Option<U256>,
    blob_versioned_hashes: Option<Vec<B256>>,
    #[serde(default)]
    access_list: Vec<JsonAccess>,
    r: U256,
    s: U256,
    v: U256,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonAccess {
    address: Address,
    storage_keys: Vec<B256>,
}

impl JsonTransaction {
    /// The transaction with its original signature; `None` if a field of its type is missing.
    fn signed(&self) -> Option<Transaction> {
        let to = self.to.map_or(TxKind::Create, TxKind::Call);
        let (nonce, gas_limit) = (self.nonce.to(), self.gas.to());
        let (value, input) = (self.value, self.input.clone());
        let price = |wei: Option<U256>| wei.and_then(|wei| u128::try_from(wei).ok());
        let access_list = || {
            let item = |access: &JsonAccess| AccessListItem {
                address: access.address,
                storage_keys: access.storage_keys.clone(),
            };
            AccessList(self.access_list.iter().map(item).collect())
        };
        let signature = |odd| Signature::new(self.r, self.s, odd);
        let odd = self.v == U256::ONE;
        let envelope: TxEnvelope = match self.kind.to::<u64>() {
            0 => {
                // 27 or 28 before EIP-155; 35 + 2 · chain id, or one more, from then on.
                let v: u64 = self.v.try_into().ok()?;
                let (chain_id, odd) = match v {
                    27 | 28 => (None, v == 28),
                    _ => (Some(v.checked_sub(35)? / 2), v.is_multiple_of(2)),
                };
                let gas_price = price(self.gas_price)?;
                let legacy = TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input };
                Signed::new_unhashed(legacy, signature(odd)).into()
            }
            1 => {
                let transaction = TxEip2930 {
                    chain_id: self.chain_id?.to(),
                    nonce,
                    gas_price: price(self.gas_price)?,
                    gas_limit,
                    to,
                    value,
                    access_list: access_list(),
                    input,
                };
                Signed::new_unhashed(transaction, signature(odd)).into()
            }
            2 => {
                let transaction = TxEip1559 {
                    chain_id: self.chain_id?.to(),
                    nonce,
                    gas_limit,
                    max_fee_per_gas: price(self.max_fee_per_gas)?,
                    max_priority_fee_per_gas: price(self.max_priority_fee_per_gas)?,
                    to,
                    value,
                    access_list: access_list(),
                    input,
                };
                Signed::new_unhashed(transaction, signature(odd)).into()
            }
            3 => {
                let transaction = TxEip4844 {
                    chain_id: self.chain_id?.to(),
                    nonce,
                    gas_limit,
                    max_fee_per_gas: price(self.max_fee_per_gas)?,
                    max_priority_fee_per_gas: price(self.max_priority_fee_per_gas)?,
                    to: self.to?,
                    value,
                    access_list: access_list(),
                    blob_versioned_hashes: self.blob_versioned_hashes.clone()?,
                    max_fee_per_blob_gas: price(self.max_fee_per_blob_gas)?,
                    input,
                };
                let variant = TxEip4844Variant::TxEip4844(transaction);
                EthereumTxEnvelope::Eip4844(Signed::new_unhashed(variant, signature(odd)))
            }
            _ => return None,
        };
        Some(Transaction::signed(envelope))
    }
}

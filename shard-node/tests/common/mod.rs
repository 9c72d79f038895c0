//! Reads Ethereum's JSON formats for the tests against its data.

#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use alloy_consensus::{
    Signed, TxEip1559, TxEip2930, TxEip4844, TxEip4844Variant, TxEnvelope, TxLegacy,
};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use cross_shard_msg::Transaction;
use serde_json::Value;
use state::{GenesisAccount, ShardState};

/// Reads a gzipped JSON file.
pub fn read_json_gz(path: &Path) -> Value {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A quantity: a number, or hex with or without leading zeros; zero when absent.
pub fn quantity(value: &Value) -> U256 {
    match value {
        Value::Null => U256::ZERO,
        Value::Number(number) => U256::from(number.as_u64().unwrap()),
        Value::String(text) => {
            let digits = text.strip_prefix("0x").unwrap();
            if digits.is_empty() { U256::ZERO } else { U256::from_str_radix(digits, 16).unwrap() }
        }
        other => panic!("not a quantity: {other}"),
    }
}

pub fn number(value: &Value) -> u64 {
    quantity(value).to()
}

pub fn price(value: &Value) -> u128 {
    quantity(value).to()
}

pub fn hash(value: &Value) -> B256 {
    value.as_str().unwrap().parse().unwrap()
}

pub fn address(value: &Value) -> Address {
    value.as_str().unwrap().parse().unwrap()
}

pub fn bytes(value: &Value) -> Bytes {
    value.as_str().map_or_else(Bytes::new, |text| text.parse().unwrap())
}

/// A state from `{address: {balance, nonce, code?, storage}}`.
pub fn state(accounts: &Value) -> ShardState {
    let accounts = accounts.as_object().unwrap().iter().map(|(address, account)| {
        let storage = account["storage"].as_object().into_iter().flatten();
        let genesis = GenesisAccount {
            nonce: number(&account["nonce"]),
            balance: quantity(&account["balance"]),
            code: bytes(&account["code"]),
            storage: storage
                .map(|(slot, value)| (quantity(&Value::from(slot.as_str())), quantity(value)))
                .collect(),
        };
        (address.parse().unwrap(), genesis)
    });
    let mut state = ShardState::from_genesis(accounts);
    state.discard_block_diff();
    state
}

/// BLOCKHASH answers from `{number: hash}`, decimal numbers.
pub fn block_hashes(path: &Path) -> BTreeMap<u64, B256> {
    let text = std::fs::read_to_string(path).unwrap();
    let hashes: Value = serde_json::from_str(&text).unwrap();
    let hashes = hashes.as_object().unwrap().iter();
    hashes.map(|(number, value)| (number.parse().unwrap(), hash(value))).collect()
}

/// A transaction as `eth_getBlockByNumber` gives it; its hash is checked.
pub fn transaction(json: &Value) -> Transaction {
    let v = number(&json["v"]);
    let kind = number(&json["type"]);
    let parity = match (kind, v) {
        (0, 27 | 28) => v == 28,
        (0, v) => (v - 35) % 2 == 1,
        (_, v) => v == 1,
    };
    let signature = Signature::new(quantity(&json["r"]), quantity(&json["s"]), parity);
    let nonce = number(&json["nonce"]);
    let gas_limit = number(&json["gas"]);
    let to = json["to"].as_str().map_or(TxKind::Create, |to| TxKind::Call(to.parse().unwrap()));
    let value = quantity(&json["value"]);
    let input = bytes(&json["input"]);
    let chain_id = 1;
    let access_list = access_list(&json["accessList"]);
    let gas_price = price(&json["gasPrice"]);
    let max_fee_per_gas = price(&json["maxFeePerGas"]);
    let max_priority_fee_per_gas = price(&json["maxPriorityFeePerGas"]);
    let envelope: TxEnvelope = match kind {
        0 => {
            let chain_id = (v >= 35).then_some(chain_id);
            let tx = TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input };
            Signed::new_unhashed(tx, signature).into()
        }
        1 => {
            let tx =
                TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input };
            Signed::new_unhashed(tx, signature).into()
        }
        2 => {
            let tx = TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                input,
            };
            Signed::new_unhashed(tx, signature).into()
        }
        3 => {
            let hashes = json["blobVersionedHashes"].as_array().unwrap();
            let tx = TxEip4844 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to: *to.to().unwrap(),
                value,
                access_list,
                blob_versioned_hashes: hashes.iter().map(hash).collect(),
                max_fee_per_blob_gas: price(&json["maxFeePerBlobGas"]),
                input,
            };
            let tx: TxEip4844Variant = TxEip4844Variant::TxEip4844(tx);
            TxEnvelope::Eip4844(Signed::new_unhashed(tx, signature))
        }
        other => panic!("transactions of type {other}"),
    };
    let transaction = Transaction::signed(envelope);
    assert_eq!(transaction.hash(), hash(&json["hash"]));
    transaction
}

fn access_list(json: &Value) -> AccessList {
    let items = json.as_array().into_iter().flatten().map(|item| AccessListItem {
        address: address(&item["address"]),
        storage_keys: item["storageKeys"].as_array().unwrap().iter().map(hash).collect(),
    });
    AccessList(items.collect())
}

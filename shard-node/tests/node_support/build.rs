//! Accounts, transactions and call data.

use alloy_consensus::{Signed, TxEnvelope, TxLegacy};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use cross_shard_msg::{Recovered, SecretKey, Transaction};

use super::PRICE;

/// The key of a shard.
pub fn shard_key(shard: u32) -> SecretKey {
    SecretKey::from_seed(&B256::with_last_byte(1 + shard as u8))
}

/// An account whose base home is `shard` of `shards`.
pub fn user(shards: u32, shard: u32, index: u32) -> Address {
    let mut bytes = [0x11; 20];
    bytes[16..].copy_from_slice(&((index + 1) * shards + shard).to_be_bytes());
    Address::from(bytes)
}

/// A legacy transaction of `sender` at [`PRICE`].
pub fn transaction(
    sender: Address,
    nonce: u64,
    to: Option<Address>,
    value: u64,
    gas_limit: u64,
    input: Bytes,
) -> Recovered {
    let tx = TxLegacy {
        chain_id: Some(1_337),
        nonce,
        gas_price: u128::from(PRICE),
        gas_limit,
        to: to.map_or(TxKind::Create, TxKind::Call),
        value: U256::from(value),
        input,
    };
    // Senders are assumed here; the signature only makes hashes differ.
    let signature = Signature::new(U256::from_be_slice(sender.as_slice()), U256::from(1), false);
    let envelope = TxEnvelope::Legacy(Signed::new_unhashed(tx, signature));
    Recovered::assumed(Transaction::signed(envelope), sender)
}

pub fn transfer(sender: Address, nonce: u64, to: Address, value: u64) -> Recovered {
    transaction(sender, nonce, Some(to), value, 21_000, Bytes::new())
}

/// Call data: a function by its signature, arguments as words.
pub fn calldata(function: &str, words: &[U256]) -> Bytes {
    let mut data = keccak256(function)[..4].to_vec();
    for word in words {
        data.extend_from_slice(&word.to_be_bytes::<32>());
    }
    data.into()
}

pub fn word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

/// Bytes of a contract's artifact.
pub fn artifact(contract: &str, field: &str) -> Bytes {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts/artifacts/").to_owned();
    let text = std::fs::read_to_string(path + contract + ".json").unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json[field].as_str().unwrap().parse().unwrap()
}

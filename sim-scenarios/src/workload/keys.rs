//! Keys of the accounts that send: derived from the seed, never stored, computed again to sign.

use alloy_primitives::{Address, B256};
use cross_shard_msg::hash::Preimage;
use cross_shard_msg::signature::address_of;
use secp256k1::{SECP256K1, SecretKey};

/// Whose key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyOf {
    /// The scenario's account of this index.
    Account(u32),
    /// The stand-in for an address of a trace.
    Trace(Address),
}

/// The secret key that the seed gives this account.
#[must_use]
pub fn secret(seed: u64, of: KeyOf) -> SecretKey {
    let mut preimage = Preimage::new("shardlab/workload/key");
    preimage.u64(seed);
    match of {
        KeyOf::Account(index) => preimage.u8(0).u32(index),
        KeyOf::Trace(address) => preimage.u8(1).address(&address),
    };
    // A hash is no key with probability 2⁻¹²⁸; hashing it again gives another chance.
    let mut candidate = preimage.finish();
    loop {
        match SecretKey::from_byte_array(candidate.0) {
            Ok(key) => return key,
            Err(_) => candidate = Preimage::new("shardlab/workload/key").hash(&candidate).finish(),
        }
    }
}

/// The address of this account. Takes about 25 µs.
#[must_use]
pub fn address(seed: u64, of: KeyOf) -> Address {
    address_of(&secret(seed, of).public_key(SECP256K1))
}

/// The address that stands in for an address of a trace that never sends, so has no key.
#[must_use]
pub fn keyless_address(seed: u64, trace: Address) -> Address {
    let hash = Preimage::new("shardlab/workload/keyless").u64(seed).address(&trace).finish();
    Address::from_slice(&hash[12..])
}

/// An account's key as wallets import it, for the banner of a network.
#[must_use]
pub fn exported(seed: u64, of: KeyOf) -> B256 {
    B256::from(secret(seed, of).secret_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_seed_and_account() {
        let trace = Address::repeat_byte(1);
        let all = [
            address(1, KeyOf::Account(0)),
            address(1, KeyOf::Account(1)),
            address(2, KeyOf::Account(0)),
            address(1, KeyOf::Trace(trace)),
            keyless_address(1, trace),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one));
        }
        assert_eq!(all[0], address(1, KeyOf::Account(0)));
    }

    #[test]
    fn the_exported_key_is_the_accounts() {
        let key = SecretKey::from_byte_array(exported(9, KeyOf::Account(3)).0).unwrap();
        let found = address_of(&key.public_key(SECP256K1));
        assert_eq!(found, address(9, KeyOf::Account(3)));
    }
}

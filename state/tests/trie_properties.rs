//! The incremental trie against a full rebuild by alloy-trie, after random batches; its proofs
//! against alloy-trie's verifier and under tampering; ordered roots for many counts.

use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_trie::proof::verify_proof as alloy_verify;
use alloy_trie::root::{ordered_trie_root_encoded, storage_root};
use alloy_trie::{HashBuilder, Nibbles};
use proptest::prelude::*;
use state::trie::{LeafEncoder, Trie, TrieKey};
use state::{ordered_root, verify_proof};
use std::collections::BTreeMap;

/// Keys that share prefixes of every length, so that extensions split and branches collapse.
fn key() -> impl Strategy<Value = B256> {
    let clustered = (0u8..4, prop::collection::vec((0usize..64, 0u8..16), 0..3)).prop_map(
        |(family, nibbles)| {
            let mut key = [family * 0x55; 32];
            for (at, nibble) in nibbles {
                let shift = if at % 2 == 0 { 4 } else { 0 };
                key[at / 2] = (key[at / 2] & !(0x0f << shift)) | (nibble << shift);
            }
            B256::new(key)
        },
    );
    prop_oneof![4 => clustered, 1 => any::<[u8; 32]>().prop_map(B256::new)]
}

/// Short values make nodes that are embedded in their parents.
fn value() -> impl Strategy<Value = U256> {
    prop_oneof![
        3 => (1u64..128).prop_map(U256::from),
        1 => any::<[u8; 32]>().prop_map(|b| U256::from_be_bytes(b) | U256::ONE),
    ]
}

/// Batches of updates: `None` removes the key.
fn batches() -> impl Strategy<Value = Vec<Vec<(B256, Option<U256>)>>> {
    let update = (key(), prop::option::weighted(0.6, value()));
    prop::collection::vec(prop::collection::vec(update, 0..40), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn incremental_root_equals_full_rebuild(batches in batches()) {
        let mut trie = Trie::default();
        let mut model = BTreeMap::new();
        for batch in batches {
            for (key, value) in batch {
                let old = match value {
                    Some(value) => {
                        prop_assert_eq!(trie.insert(key.into(), value), model.get(&key).copied());
                        model.insert(key, value)
                    }
                    None => {
                        prop_assert_eq!(trie.remove(&key.into()), model.get(&key).copied());
                        model.remove(&key)
                    }
                };
                prop_assert_eq!(trie.get(&key.into()), value);
                let _ = old;
            }
            prop_assert_eq!(trie.root(&Slots), storage_root(model.clone()));
            prop_assert_eq!(trie.len(), model.len());
            let entries: Vec<_> = model.iter().map(|(k, v)| (TrieKey::from(*k), *v)).collect();
            prop_assert_eq!(trie.entries(), entries);
        }
    }

    #[test]
    fn proofs_hold_and_tampered_ones_do_not(
        batches in batches(), absent in key(), flip in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        let mut trie = Trie::default();
        let mut model = BTreeMap::new();
        for (key, value) in batches.into_iter().flatten() {
            match value {
                Some(value) => { trie.insert(key.into(), value); model.insert(key, value); }
                None => { trie.remove(&key.into()); model.remove(&key); }
            }
        }
        let root = trie.root(&Slots);
        for key in model.keys().copied().chain([absent, B256::ZERO]) {
            let expected = model.get(&key).map(alloy_rlp::encode);
            let proof = trie.prove(&key.into(), &Slots);
            prop_assert_eq!(verify_proof(root, &key.into(), &proof), Ok(expected.clone()));
            let alloy = alloy_verify(root, Nibbles::unpack(key), expected, &proof);
            prop_assert!(alloy.is_ok(), "{alloy:?}");

            let total: usize = proof.iter().map(|node| node.len()).sum();
            if total == 0 {
                continue;
            }
            let tampered = flip_bit(&proof, flip.index(total), bit);
            prop_assert!(verify_proof(root, &key.into(), &tampered).is_err());
            let cut = &proof[..proof.len() - 1];
            prop_assert!(verify_proof(root, &key.into(), cut).is_err());
            let longer: Vec<_> = proof.iter().chain(&proof[..1]).cloned().collect();
            prop_assert!(verify_proof(root, &key.into(), &longer).is_err());
            prop_assert!(verify_proof(keccak256(root), &key.into(), &proof).is_err());
        }
    }

    #[test]
    fn verifier_survives_any_bytes(key in key(), proof in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..80), 1..3))
    {
        let proof: Vec<Bytes> = proof.into_iter().map(Bytes::from).collect();
        // Rooted at the bytes themselves, so that they are decoded and not only hashed.
        let _ = verify_proof(keccak256(&proof[0]), &key.into(), &proof);
    }

    /// Keys of different lengths, some ending inside a branch.
    #[test]
    fn keys_of_any_length(steps in prop::collection::vec(
        (prop::collection::vec(0u8..3, 0..6), any::<bool>()), 0..60))
    {
        let mut trie = Trie::default();
        let mut model = BTreeMap::new();
        for (key, insert) in steps {
            let trie_key = TrieKey::from_slice(&key).unwrap();
            if insert {
                trie.insert(trie_key, U256::from(7));
                model.insert(key, 7u64);
            } else {
                prop_assert_eq!(trie.remove(&trie_key).is_some(), model.remove(&key).is_some());
            }
        }
        let mut rebuilt = Trie::default();
        for key in model.keys().rev() {
            rebuilt.insert(TrieKey::from_slice(key).unwrap(), U256::from(7));
        }
        prop_assert_eq!(trie.root(&Slots), rebuilt.root(&Slots));
        let keys: Vec<Vec<u8>> = trie.entries().iter().map(|(k, _)| k.as_slice().to_vec()).collect();
        prop_assert_eq!(keys, model.keys().cloned().collect::<Vec<_>>());
    }
}

#[test]
fn ordered_roots_for_any_count() {
    let items: Vec<Vec<u8>> = (0..1100usize).map(|i| vec![i as u8 | 1; 1 + i * 7 % 300]).collect();
    for count in (0..=300).chain([511, 512, 513, 1023, 1024, 1100]) {
        let expected = ordered_trie_root_encoded(&items[..count]);
        assert_eq!(ordered_root(&items[..count]), expected, "{count} items");
    }
    // Beyond two-byte indices.
    let many = vec![[1u8]; 65_537 + 3];
    assert_eq!(ordered_root(&many), ordered_trie_root_encoded(&many));
}

#[test]
fn ten_thousand_hashed_keys_in_batches() {
    let mut trie = Trie::default();
    let mut model = BTreeMap::new();
    let mut seed = B256::ZERO;
    for batch in 0..20u64 {
        for _ in 0..1_000 {
            seed = keccak256(seed);
            // From a space of 5,000 keys, so that later batches update and remove.
            let number = u16::from_be_bytes([seed[0], seed[1]]) % 5_000;
            let key = keccak256(number.to_be_bytes());
            if seed[2] < 80 && batch > 3 {
                trie.remove(&key.into());
                model.remove(&key);
            } else {
                let value = U256::from_be_bytes(seed.0);
                trie.insert(key.into(), value);
                model.insert(key, value);
            }
        }
        let mut builder = HashBuilder::default();
        for (key, value) in &model {
            builder.add_leaf(Nibbles::unpack(key), &alloy_rlp::encode(value));
        }
        assert_eq!(trie.root(&Slots), builder.root());
    }
    for key in model.keys() {
        trie.remove(&(*key).into());
    }
    assert_eq!(trie.root(&Slots), alloy_trie::EMPTY_ROOT_HASH);
    assert!(trie.is_empty());
}

fn flip_bit(proof: &[Bytes], at: usize, bit: u8) -> Vec<Bytes> {
    let mut left = at;
    let mut tampered = Vec::new();
    for node in proof {
        let mut node = node.to_vec();
        if let Some(byte) = node.get_mut(left) {
            *byte ^= 1 << bit;
            left = usize::MAX;
        } else {
            left = left.saturating_sub(node.len());
        }
        tampered.push(node.into());
    }
    tampered
}

struct Slots;

impl LeafEncoder<U256> for Slots {
    fn encode(&self, value: U256, out: &mut Vec<u8>) {
        alloy_rlp::Encodable::encode(&value, out);
    }
}

//! The trie against Ethereum's own TrieTests: every file, plain and secure tries.

use alloy_primitives::{B256, hex, keccak256};
use cross_shard_msg::testdata;
use serde_json::Value;
use state::trie::{LeafEncoder, Trie, TrieKey};
use state::verify_proof;
use std::collections::BTreeMap;

#[test]
fn secure_tries() {
    for (file, cases) in [
        ("hex_encoded_securetrie_test.json", 3),
        ("trieanyorder_secureTrie.json", 7),
        ("trietest_secureTrie.json", 3),
    ] {
        check_roots(file, cases, |key| keccak256(key).into());
    }
}

#[test]
fn plain_tries() {
    for (file, cases) in [("trieanyorder.json", 7), ("trietest.json", 5)] {
        check_roots(file, cases, |key| TrieKey::from_slice(key).unwrap());
    }
}

#[test]
fn order_of_keys() {
    let Some(cases) = load("trietestnextprev.json") else {
        return;
    };
    for (name, case) in cases.as_object().unwrap() {
        let mut trie = Trie::default();
        for key in case["in"].as_array().unwrap() {
            trie.insert(text_key(key), 0);
        }
        let keys: Vec<TrieKey> = trie.entries().into_iter().map(|(key, _)| key).collect();
        for row in case["tests"].as_array().unwrap() {
            let key = text_key(&row[0]);
            let before = keys.iter().rev().find(|other| **other < key);
            let after = keys.iter().find(|other| **other > key);
            assert_eq!(slice_of(before), row[1].as_str().unwrap(), "{name} {row}");
            assert_eq!(slice_of(after), row[2].as_str().unwrap(), "{name} {row}");
        }
    }
}

/// Replays each case, forwards, and backwards too where order is free; checks roots, values and
/// proofs.
fn check_roots(file: &str, expected_cases: usize, key_of: impl Fn(&[u8]) -> TrieKey) {
    let Some(cases) = load(file) else { return };
    let cases = cases.as_object().unwrap();
    assert_eq!(cases.len(), expected_cases, "{file}");
    for (name, case) in cases {
        let root: B256 = case["root"].as_str().unwrap().parse().unwrap();
        let mut orders = vec![steps(&case["in"])];
        if case["in"].is_object() {
            orders.push(orders[0].iter().rev().cloned().collect());
        }
        for steps in orders {
            let mut trie = Trie::default();
            let mut values = Values::default();
            let mut expected = BTreeMap::new();
            for (key, value) in &steps {
                match value {
                    Some(value) => {
                        let index = values.add(value.clone());
                        trie.insert(key_of(key), index);
                    }
                    None => {
                        trie.remove(&key_of(key));
                    }
                }
                expected.insert(key.clone(), value.clone());
                // Hashing after every step must not change what comes out at the end.
                trie.root(&values);
            }
            assert_eq!(trie.root(&values), root, "{file}: {name}");
            for (key, value) in expected {
                let proof = trie.prove(&key_of(&key), &values);
                let proven = verify_proof(root, &key_of(&key), &proof);
                assert_eq!(proven, Ok(value), "{file}: {name}");
            }
        }
    }
}

/// Keys with values; `None` removes the key.
fn steps(input: &Value) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    match input {
        Value::Object(map) => {
            map.iter().map(|(key, value)| (bytes(key), value.as_str().map(bytes))).collect()
        }
        Value::Array(rows) => rows
            .iter()
            .map(|row| (bytes(row[0].as_str().unwrap()), row[1].as_str().map(bytes)))
            .collect(),
        other => panic!("neither object nor array: {other}"),
    }
}

fn bytes(text: &str) -> Vec<u8> {
    match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).unwrap(),
        None => text.as_bytes().to_vec(),
    }
}

fn text_key(value: &Value) -> TrieKey {
    TrieKey::from_slice(value.as_str().unwrap().as_bytes()).unwrap()
}

fn slice_of(key: Option<&TrieKey>) -> &str {
    key.map_or("", |key| std::str::from_utf8(key.as_slice()).unwrap())
}

fn load(file: &str) -> Option<Value> {
    let path = testdata::or_skip(file)?.join("ethereum-tests/TrieTests").join(file);
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

#[derive(Default)]
struct Values(Vec<Vec<u8>>);

impl Values {
    fn add(&mut self, value: Vec<u8>) -> usize {
        self.0.push(value);
        self.0.len() - 1
    }
}

impl LeafEncoder<usize> for Values {
    fn encode(&self, index: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0[index]);
    }
}

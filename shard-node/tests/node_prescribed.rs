//! Prescribed blocks through the whole node: one shard is Ethereum, and on several shards every
//! transaction ends (R-POOL-2, R-POOL-3).

mod common;
mod node_support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::{Event, Gas, Gate, Recovered, TransactionKey, testdata};
use node_support::*;
use shard_node::Prescribed;
use shard_node::evm::{BlockEnvironment, mainnet_spec};
use state::GenesisAccount;

/// From here on receipts carry a status, so that their root can be computed.
const BYZANTIUM: u64 = 4_370_000;

struct MainnetBlock {
    accounts: Vec<(alloy_primitives::Address, GenesisAccount)>,
    transactions: Vec<Recovered>,
    prescribed: Prescribed,
    gas_used: Gas,
    receipts_root: B256,
}

impl MainnetBlock {
    fn options(&self, shards: u32, gate: Gate) -> Options {
        let senders = self.transactions.iter().map(Recovered::sender).collect();
        Options::prescribed(shards, gate, &self.accounts, self.prescribed.clone(), senders)
    }
}

fn load(directory: &Path, number: u64) -> MainnetBlock {
    let hashes = common::block_hashes(&directory.join("block_hashes.json"));
    let path = directory.join(number.to_string());
    let block = common::read_json_gz(&path.join("block.json.gz"));
    let accounts = common::read_json_gz(&path.join("pre_state.json.gz"));
    let accounts = accounts.as_object().unwrap().iter().map(|(address, account)| {
        let storage = account["storage"].as_object().into_iter().flatten();
        let slot = |slot: &str| common::quantity(&serde_json::Value::from(slot));
        let genesis = GenesisAccount {
            nonce: common::number(&account["nonce"]),
            balance: common::quantity(&account["balance"]),
            code: common::bytes(&account["code"]),
            storage: storage.map(|(key, value)| (slot(key), common::quantity(value))).collect(),
        };
        (address.parse().unwrap(), genesis)
    });
    let transactions =
        block["transactions"].as_array().unwrap().iter().map(|json| {
            Recovered::assumed(common::transaction(json), common::address(&json["from"]))
        });
    let transactions: Vec<_> = transactions.collect();
    let environment = BlockEnvironment {
        number,
        timestamp: common::number(&block["timestamp"]),
        beneficiary: common::address(&block["miner"]),
        base_fee: common::number(&block["baseFeePerGas"]),
        gas_limit: Gas(common::number(&block["gasLimit"])),
        difficulty: common::quantity(&block["difficulty"]),
        prevrandao: common::hash(&block["mixHash"]),
        excess_blob_gas: common::number(&block["excessBlobGas"]),
        block_hashes: Arc::new(hashes),
    };
    MainnetBlock {
        accounts: accounts.collect(),
        prescribed: Prescribed {
            spec: mainnet_spec(number, environment.timestamp),
            block: environment,
            order: transactions.iter().map(|tx| tx.transaction().hash()).collect(),
        },
        transactions,
        gas_used: Gas(common::number(&block["gasUsed"])),
        receipts_root: common::hash(&block["receiptsRoot"]),
    }
}

#[test]
fn one_shard_is_ethereum() {
    let Some(data) = testdata::or_skip("one_shard_is_ethereum") else { return };
    let directory = data.join("mainnet-blocks");
    let entries = std::fs::read_dir(&directory).unwrap();
    let numbers = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let numbers: BTreeSet<u64> = numbers.collect();
    assert!(numbers.len() >= 46);
    for number in numbers {
        let block = load(&directory, number);
        let mut world = World::new(block.options(1, Gate::Certified));
        world.millis(150);
        assert!(world.blocks[0].is_empty(), "it waits for its transactions");
        for transaction in block.transactions.iter().rev() {
            world.submit(transaction.clone());
        }
        world.millis(150);
        assert!(world.admissions.values().all(Result::is_ok), "{number}");
        let header = &world.blocks[0][0].header;
        assert_eq!(header.gas_used, block.gas_used, "{number}");
        if number >= BYZANTIUM {
            assert_eq!(header.results_root, block.receipts_root, "{number}");
        }
        assert_eq!(world.blocks[0][0].body.transactions.len(), block.transactions.len());
    }
}

#[test]
fn on_several_shards_every_transaction_ends() {
    let Some(data) = testdata::or_skip("on_several_shards_every_transaction_ends") else { return };
    for number in [2_688_148, 12_243_999, 19_934_116] {
        for (shards, gate) in [(2, Gate::Checkpoint), (4, Gate::Certified)] {
            let block = load(&data.join("mainnet-blocks"), number);
            let mut world = World::new(block.options(shards, gate));
            for transaction in &block.transactions {
                world.submit(transaction.clone());
            }
            world.millis(6_000);
            let refused: BTreeSet<TransactionKey> = world
                .events
                .iter()
                .filter_map(|(_, event)| match event {
                    Event::Refused { key, .. } => Some(*key),
                    _ => None,
                })
                .collect();
            for transaction in &block.transactions {
                let key = transaction.transaction().key();
                let settled = world.is_settled(key);
                assert!(settled != refused.contains(&key), "{number} {shards} {key}: {settled}");
            }
        }
    }
}

//! One shard is Ethereum: the 442 valid-block cases of ethereum/tests for Cancun.
//!
//! Each case is a genesis and a chain of whole blocks. Every block's gas used, receipts root,
//! transactions root, bloom, base fee and state root must be its header's, with the system call of
//! EIP-4788 before the transactions and the withdrawals after them. There are no exceptions.

mod common;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;

use alloy_consensus::{Block, BlockHeader as _, Header, TxEnvelope, Typed2718 as _};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
use alloy_primitives::{B256, Bytes, U256};
use alloy_rlp::Decodable as _;
use cross_shard_msg::{Gas, Recovered, Transaction, testdata};
use serde_json::Value;
use shard_node::evm::{
    BlockEnvironment, BlockResults, ChainRules, Executor, SingleShard, SpecId, next_base_fee,
};
use state::{ShardState, ordered_root};

/// Cases in the archive.
const CASES: usize = 442;

#[test]
fn valid_blocks_reach_their_roots() {
    let Some(data) = testdata::or_skip("valid_blocks_reach_their_roots") else {
        return;
    };
    let archive = std::fs::File::open(data.join("ethereum-tests/valid-blocks.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let (mut cases, mut blocks, mut transactions) = (0, 0, 0);
    let mut failures = Vec::new();
    for file in archive.entries().unwrap() {
        let mut file = file.unwrap();
        if file.path().unwrap().extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let parsed: Value = serde_json::from_str(&text).unwrap();
        for (name, case) in parsed.as_object().unwrap() {
            cases += 1;
            match run(case) {
                Ok(ran) => {
                    blocks += ran.blocks;
                    transactions += ran.transactions;
                }
                Err(why) => failures.push(format!("{name}: {why}")),
            }
        }
    }
    println!("{cases} cases, {blocks} blocks, {transactions} transactions");
    assert!(failures.is_empty(), "{} failed: {failures:#?}", failures.len());
    assert_eq!(cases, CASES);
}

#[derive(Default)]
struct Ran {
    blocks: usize,
    transactions: usize,
}

fn run(case: &Value) -> Result<Ran, String> {
    assert_eq!(case["network"], "Cancun");
    let rules = ChainRules { chain_id: 1, spec: SpecId::CANCUN, prescribed: true };
    let mut executor = Executor::new(rules);
    let mut state = common::state(&case["pre"]);
    let genesis: Block<TxEnvelope> = decode(&case["genesisRLP"]);
    expect("genesis state root", state.root(), genesis.header.state_root)?;
    let mut block_hashes = BTreeMap::from([(0, genesis.header.hash_slow())]);
    let mut parent = genesis.header;
    let mut ran = Ran::default();
    for json in case["blocks"].as_array().unwrap() {
        let block: Block<TxEnvelope> = decode(&json["rlp"]);
        let header = &block.header;
        expect("parent", header.parent_hash, parent.hash_slow())?;
        check_base_fee(header, &parent)?;
        execute(&mut executor, &mut state, &block, &block_hashes)
            .map_err(|why| format!("block {}: {why}", header.number))?;
        block_hashes.insert(header.number, header.hash_slow());
        ran.blocks += 1;
        ran.transactions += block.body.transactions.len();
        parent = block.header;
    }
    expect("last block", parent.hash_slow(), common::hash(&case["lastblockhash"]))?;
    if !case["postState"].is_null() {
        let root = common::state(&case["postState"]).root();
        expect("post state", state.root(), root)?;
    } else {
        expect("post state root", state.root(), common::hash(&case["postStateHash"]))?;
    }
    Ok(ran)
}

fn execute(
    executor: &mut Executor,
    state: &mut ShardState,
    block: &Block<TxEnvelope>,
    block_hashes: &BTreeMap<u64, B256>,
) -> Result<(), String> {
    let header = &block.header;
    let environment = environment(header, block_hashes);
    let mut execution = executor.block(state, &SingleShard, &environment);
    let root = header.parent_beacon_block_root.unwrap();
    execution.system_call(BEACON_ROOTS_ADDRESS, Bytes::from(root.0)).unwrap();
    let mut results = BlockResults::default();
    for envelope in &block.body.transactions {
        let transaction = Transaction::signed(envelope.clone());
        let transaction = Recovered::recover(transaction).map_err(|error| error.to_string())?;
        let result = execution.execute_transaction(&transaction).map_err(|e| e.to_string())?;
        results.push_transaction(envelope.ty(), &result);
    }
    for withdrawal in block.body.withdrawals.iter().flat_map(|list| list.iter()) {
        execution.credit(withdrawal.address, withdrawal.amount_wei());
    }
    let encoded: Vec<_> = block.body.transactions.iter().map(|tx| tx.encoded_2718()).collect();
    expect("transactions root", ordered_root(&encoded), header.transactions_root)?;
    expect("gas used", results.gas_used(), Gas(header.gas_used))?;
    expect("receipts root", results.root(), header.receipts_root)?;
    expect("bloom", results.bloom(), header.logs_bloom)?;
    state.discard_block_diff();
    expect("state root", state.root(), header.state_root)
}

fn environment(header: &Header, block_hashes: &BTreeMap<u64, B256>) -> BlockEnvironment {
    BlockEnvironment {
        number: header.number,
        timestamp: header.timestamp,
        beneficiary: header.beneficiary,
        base_fee: header.base_fee_per_gas.unwrap(),
        gas_limit: Gas(header.gas_limit),
        difficulty: U256::ZERO,
        prevrandao: header.mix_hash,
        excess_blob_gas: header.excess_blob_gas().unwrap(),
        block_hashes: Arc::new(block_hashes.clone()),
    }
}

fn check_base_fee(header: &Header, parent: &Header) -> Result<(), String> {
    let (used, limit) = (Gas(parent.gas_used), Gas(parent.gas_limit));
    let base_fee = next_base_fee(used, limit, parent.base_fee_per_gas.unwrap());
    expect("base fee", Some(base_fee), header.base_fee_per_gas)
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?}, not {wanted:?}")) }
}

fn decode(rlp: &Value) -> Block<TxEnvelope> {
    let rlp = common::bytes(rlp);
    Block::decode(&mut &rlp[..]).unwrap()
}

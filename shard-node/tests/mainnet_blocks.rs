//! One shard is Ethereum: 46 blocks of the main network, Frontier to Cancun.
//!
//! Each block is its own network: pre-state, fork, environment, order and BLOCKHASH answers are
//! prescribed. Every block's gas used must be its header's. From Byzantium on, receipts carry a
//! status and their root must be the header's too; before, they carried state roots in the middle
//! of a block, which a shard does not compute. What the pre-state does not cover is not checked:
//! block rewards (before the merge), withdrawals (from Shanghai on), the DAO fork's irregular state
//! change (no block of the set is 1,920,000), and state roots.

mod common;

use std::path::Path;
use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use cross_shard_msg::{Gas, Recovered, testdata};
use serde_json::Value;
use shard_node::evm::{
    BlockEnvironment, BlockResults, ChainRules, Executor, SingleShard, SpecId, mainnet_spec,
};

/// What is checked of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checked {
    /// Gas used.
    Gas,
    /// Gas used and the receipts root.
    GasAndReceipts,
}

/// Block, its number of transactions, and how it is checked.
const BLOCKS: [(u64, usize, Checked); 46] = [
    (46_147, 1, Checked::Gas),
    (116_525, 83, Checked::Gas),
    (930_196, 18, Checked::Gas),
    (1_796_867, 49, Checked::Gas),
    (2_179_522, 222, Checked::Gas),
    (2_641_321, 83, Checked::Gas),
    (2_674_998, 16, Checked::Gas),
    (2_688_148, 4, Checked::Gas),
    (3_356_896, 176, Checked::Gas),
    (4_369_999, 22, Checked::Gas),
    (4_370_000, 97, Checked::GasAndReceipts),
    (5_283_152, 150, Checked::GasAndReceipts),
    (5_526_571, 143, Checked::GasAndReceipts),
    (5_891_667, 380, Checked::GasAndReceipts),
    (6_196_166, 108, Checked::GasAndReceipts),
    (7_279_999, 122, Checked::GasAndReceipts),
    (8_038_679, 237, Checked::GasAndReceipts),
    (8_889_776, 330, Checked::GasAndReceipts),
    (9_069_000, 56, Checked::GasAndReceipts),
    (10_760_440, 202, Checked::GasAndReceipts),
    (11_743_952, 206, Checked::GasAndReceipts),
    (11_814_555, 579, Checked::GasAndReceipts),
    (12_159_808, 180, Checked::GasAndReceipts),
    (12_243_999, 205, Checked::GasAndReceipts),
    (12_300_570, 687, Checked::GasAndReceipts),
    (12_459_406, 201, Checked::GasAndReceipts),
    (12_522_062, 177, Checked::GasAndReceipts),
    (13_217_637, 1100, Checked::GasAndReceipts),
    (14_029_313, 724, Checked::GasAndReceipts),
    (14_396_881, 1346, Checked::GasAndReceipts),
    (15_274_915, 1226, Checked::GasAndReceipts),
    (15_537_393, 1, Checked::GasAndReceipts),
    (15_538_827, 823, Checked::GasAndReceipts),
    (15_752_489, 132, Checked::GasAndReceipts),
    (16_257_471, 98, Checked::GasAndReceipts),
    (17_034_869, 93, Checked::GasAndReceipts),
    (18_085_863, 178, Checked::GasAndReceipts),
    (18_426_253, 147, Checked::GasAndReceipts),
    (19_426_586, 127, Checked::GasAndReceipts),
    (19_426_587, 37, Checked::GasAndReceipts),
    (19_923_400, 24, Checked::GasAndReceipts),
    (19_929_064, 103, Checked::GasAndReceipts),
    (19_932_703, 143, Checked::GasAndReceipts),
    (19_933_122, 45, Checked::GasAndReceipts),
    (19_933_612, 130, Checked::GasAndReceipts),
    (19_934_116, 58, Checked::GasAndReceipts),
];

#[test]
fn mainnet_blocks_reach_their_gas_and_receipts() {
    let Some(data) = testdata::or_skip("mainnet_blocks_reach_their_gas_and_receipts") else {
        return;
    };
    let directory = data.join("mainnet-blocks");
    let block_hashes = Arc::new(common::block_hashes(&directory.join("block_hashes.json")));
    let mut failures = Vec::new();
    for (number, transactions, checked) in BLOCKS {
        let path = directory.join(number.to_string());
        let block = common::read_json_gz(&path.join("block.json.gz"));
        assert_eq!(block["transactions"].as_array().unwrap().len(), transactions);
        let environment = environment(&block, &block_hashes);
        let executed = execute(&path, &block, &environment);
        let gas = Gas(common::number(&block["gasUsed"]));
        let root = common::hash(&block["receiptsRoot"]);
        let gas_holds = executed.gas_used == gas;
        let root_holds = executed.receipts_root == root || checked == Checked::Gas;
        println!(
            "{number}: {transactions} transactions, {gas} gas, {:?} {checked:?}",
            executed.spec
        );
        if !gas_holds || !root_holds {
            failures
                .push(format!("{number}: {} gas of {gas}, root {root_holds}", executed.gas_used));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

struct Executed {
    spec: SpecId,
    gas_used: Gas,
    receipts_root: B256,
}

fn execute(path: &Path, block: &Value, environment: &BlockEnvironment) -> Executed {
    let spec = mainnet_spec(environment.number, environment.timestamp);
    let mut executor = Executor::new(ChainRules { chain_id: 1, spec, prescribed: true });
    let mut state = common::state(&common::read_json_gz(&path.join("pre_state.json.gz")));
    let mut execution = executor.block(&mut state, &SingleShard, environment);
    let mut results = BlockResults::default();
    if spec.is_enabled_in(SpecId::CANCUN) {
        let root = common::hash(&block["parentBeaconBlockRoot"]);
        let contract = alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
        execution.system_call(contract, Bytes::from(root.0)).unwrap();
    }
    for json in block["transactions"].as_array().unwrap() {
        let sender = common::address(&json["from"]);
        let transaction = Recovered::assumed(common::transaction(json), sender);
        let result = execution
            .execute_transaction(&transaction)
            .unwrap_or_else(|error| panic!("{}: {error}", json["hash"]));
        results.push_transaction(common::number(&json["type"]) as u8, &result);
    }
    assert_eq!(execution.gas_used(), results.gas_used());
    Executed { spec, gas_used: results.gas_used(), receipts_root: results.root() }
}

fn environment(
    block: &Value,
    block_hashes: &Arc<std::collections::BTreeMap<u64, B256>>,
) -> BlockEnvironment {
    BlockEnvironment {
        number: common::number(&block["number"]),
        timestamp: common::number(&block["timestamp"]),
        beneficiary: common::address(&block["miner"]),
        base_fee: common::number(&block["baseFeePerGas"]),
        gas_limit: Gas(common::number(&block["gasLimit"])),
        difficulty: common::quantity(&block["difficulty"]),
        prevrandao: common::hash(&block["mixHash"]),
        excess_blob_gas: common::number(&block["excessBlobGas"]),
        block_hashes: block_hashes.clone(),
    }
}

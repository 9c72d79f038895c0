//! Every mainnet block through everything that a run uses: workload, planned network, load
//! generator, shards, committee, in the simulated world.
//!
//! On one shard each block gives mainnet's gas used, and from Byzantium on its receipts root; the
//! list below says what is checked of which. On 2, 4 and 8 shards every transaction ends in one
//! named outcome: mainnet_shards/N.txt has the table for N shards, a line for each block. To write
//! the tables anew, then read the difference:
//!
//! `SHARDLAB_GOLDEN=write cargo test --release -p sim-scenarios --test mainnet_shards`

mod simulated_support;

use std::fmt::Write as _;
use std::path::Path;

use alloy_primitives::{hex, keccak256};
use cross_shard_msg::{Gas, ShardId, testdata};
use sim_scenarios::run::open_file;
use sim_scenarios::run::prepare::block_job;
use sim_scenarios::scenario::Scenario;
use sim_scenarios::workload::MainnetBlocks;
use sim_scenarios::workload::mainnet_blocks::Expected;
use simulated_support::{Ran, Replay, run_job};
use simulation::CostProfile;

const VARIABLE: &str = "SHARDLAB_GOLDEN";

const SCENARIO: &str = r#"
    name = "mainnet-blocks"
    [network]
    shards = 1
    validators = 1
    chain_id = 1
    block_time = "20ms"
    checkpoint_every = "60ms"
    [client]
    retry_deadline = "1s"
    [[phase]]
    name = "blocks"
    [[phase.load]]
    kind = "mainnet-blocks"
    directory = "data:mainnet-blocks"
"#;

/// What is checked of a block on one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checked {
    /// Gas used. Before Byzantium, receipts carry state roots in the middle of a block, which a
    /// shard does not compute.
    Gas,
    /// Gas used and the receipts root.
    Receipts,
}

/// Block, its number of transactions, and what is checked of it on one shard.
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
    (4_370_000, 97, Checked::Receipts),
    (5_283_152, 150, Checked::Receipts),
    (5_526_571, 143, Checked::Receipts),
    (5_891_667, 380, Checked::Receipts),
    (6_196_166, 108, Checked::Receipts),
    (7_279_999, 122, Checked::Receipts),
    (8_038_679, 237, Checked::Receipts),
    (8_889_776, 330, Checked::Receipts),
    (9_069_000, 56, Checked::Receipts),
    (10_760_440, 202, Checked::Receipts),
    (11_743_952, 206, Checked::Receipts),
    (11_814_555, 579, Checked::Receipts),
    (12_159_808, 180, Checked::Receipts),
    (12_243_999, 205, Checked::Receipts),
    (12_300_570, 687, Checked::Receipts),
    (12_459_406, 201, Checked::Receipts),
    (12_522_062, 177, Checked::Receipts),
    (13_217_637, 1_100, Checked::Receipts),
    (14_029_313, 724, Checked::Receipts),
    (14_396_881, 1_346, Checked::Receipts),
    (15_274_915, 1_226, Checked::Receipts),
    (15_537_393, 1, Checked::Receipts),
    (15_538_827, 823, Checked::Receipts),
    (15_752_489, 132, Checked::Receipts),
    (16_257_471, 98, Checked::Receipts),
    (17_034_869, 93, Checked::Receipts),
    (18_085_863, 178, Checked::Receipts),
    (18_426_253, 147, Checked::Receipts),
    (19_426_586, 127, Checked::Receipts),
    (19_426_587, 37, Checked::Receipts),
    (19_923_400, 24, Checked::Receipts),
    (19_929_064, 103, Checked::Receipts),
    (19_932_703, 143, Checked::Receipts),
    (19_933_122, 45, Checked::Receipts),
    (19_933_612, 130, Checked::Receipts),
    (19_934_116, 58, Checked::Receipts),
];

#[test]
fn one_shard_is_mainnet() {
    let mut failures = Vec::new();
    let ran = each_block(
        "one_shard_is_mainnet",
        &["network.shards=1"],
        |(number, transactions, checked), ran, of| {
            let first = &ran.simulated.records.blocks[&ShardId(0)][0];
            let header = &first.header;
            let gas_holds = header.gas_used == of.gas_used;
            let root_holds = header.results_root == of.receipts_root || checked == Checked::Gas;
            let whole = first.body.transactions.len() == transactions;
            println!("{number}: {transactions} transactions, {} gas: {checked:?}", header.gas_used);
            if !gas_holds || !root_holds || !whole {
                let gas = header.gas_used;
                failures.push(format!("{number}: {gas} gas of {}, root {root_holds}", of.gas_used));
            }
        },
    );
    assert!(failures.is_empty(), "{failures:#?}");
    if ran {
        let checks_root = |checked| checked == Checked::Receipts;
        assert_eq!(BLOCKS.iter().filter(|(_, _, checked)| checks_root(*checked)).count(), 36);
        let says = |number| Expected::checks_receipts_root(number);
        assert!(BLOCKS.iter().all(|(number, _, checked)| checks_root(*checked) == says(*number)));
    }
}

#[test]
fn on_two_shards_every_transaction_ends() {
    golden_table("on_two_shards_every_transaction_ends", 2);
}

#[test]
fn on_four_shards_every_transaction_ends() {
    golden_table("on_four_shards_every_transaction_ends", 4);
}

#[test]
fn on_eight_shards_every_transaction_ends() {
    golden_table("on_eight_shards_every_transaction_ends", 8);
}

#[test]
fn behind_checkpoints_every_transaction_ends() {
    let changes = ["network.shards=3", "network.gate=checkpoint", "network.block_phase=aligned"];
    each_block("behind_checkpoints_every_transaction_ends", &changes, |_, ran, _| {
        // Nobody may have to ask for anything: links lose nothing.
        assert!(ran.drops().is_empty(), "{}: {:?}", ran.label(), ran.drops());
    });
}

/// Runs every block on so many shards and compares what came of it with the table.
fn golden_table(test: &'static str, shards: u32) {
    let mut table = format!(
        "# What becomes of each mainnet block's transactions on {shards} shards.\n\
         # block, transactions, gas used on all shards, transactions by outcome, digest of\n\
         # (hash, outcome) of all transactions in the block's order.\n"
    );
    let change = format!("network.shards={shards}");
    let ran = each_block(test, &[&change], |(number, transactions, _), ran, _| {
        writeln!(table, "{}", line(number, transactions, ran)).unwrap();
    });
    if !ran {
        return;
    }
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/mainnet_shards/{shards}.txt"));
    if std::env::var_os(VARIABLE).is_some_and(|value| value == "write") {
        std::fs::write(&file, table).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&file).unwrap();
    let differ = table.lines().zip(golden.lines()).filter(|(now, golden)| now != golden);
    let differ: Vec<_> = differ.map(|(now, golden)| format!("- {golden}\n+ {now}")).collect();
    assert!(table == golden, "{}:\n{}", file.display(), differ.join("\n"));
}

fn line(number: u64, transactions: usize, ran: &Ran) -> String {
    let blocks = ran.simulated.records.blocks.values().flatten();
    let gas: u64 = blocks.map(|block| block.header.gas_used.0).sum();
    let mut line = format!("{number} {transactions} {gas}");
    for (outcome, count) in ran.counts() {
        write!(line, " {outcome}={count}").unwrap();
    }
    let mut all = Vec::new();
    for ((_, outcome), transaction) in ran.outcomes().iter().zip(&ran.job.transactions) {
        all.extend_from_slice(transaction.hash.as_slice());
        all.extend_from_slice(outcome.as_bytes());
    }
    write!(line, " {}", &hex::encode(keccak256(&all))[..16]).unwrap();
    line
}

/// Runs every block as a network of its own. False if there is no data.
fn each_block(
    test: &'static str,
    changes: &[&str],
    mut look: impl FnMut((u64, usize, Checked), &Ran, &Expected),
) -> bool {
    let Some(data) = testdata::or_skip(test) else { return false };
    let replay = Replay::new("mainnet_shards", test, 1);
    let scenario = replay.scenario(SCENARIO, changes);
    let blocks = MainnetBlocks::open(&data.join("mainnet-blocks"), &open_file).unwrap();
    for listed in BLOCKS {
        let (number, transactions, _) = listed;
        let block = blocks.read(number, &open_file).unwrap();
        assert_eq!(block.transactions.len(), transactions, "block {number}");
        let ran = run_block(&scenario, &block);
        ran.assert_complete();
        look(listed, &ran, &block.expected);
    }
    true
}

fn run_block(scenario: &Scenario, block: &sim_scenarios::workload::BlockNetwork) -> Ran {
    let job = block_job(scenario, 0, block).unwrap();
    assert_eq!(job.plan.gas_limit(), block.environment.gas_limit);
    assert!(block.expected.gas_used > Gas(0));
    run_job(scenario, job, CostProfile::FREE)
}

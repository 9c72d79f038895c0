//! Value that crosses shards: there and back, spent by a contract, returned by one that fails.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{B256, U256};
use cross_shard_msg::{Action, Block, Wei};
use runtime::records::read_records;
use shard_node::ShardRecord;

use crate::lab::{Finished, Lab};

const GWEI: u64 = 1_000_000_000;
const ETHER: U256 = U256::from_limbs([GWEI * GWEI, 0, 0, 0]);

/// Two accounts on two shards pay each other.
const THERE_AND_BACK: &str = r#"
name = "there-and-back"
seed = 1

[network]
shards = 2
validators = 1
block_time = "100ms"
checkpoint_every = "300ms"
base_fee_moves = false

[accounts]
count = 6
balance = "3 ether"

[[phase]]
name = "steady"
for = "1s"

[[phase.load]]
kind = "transfer"
rate = 40
arrivals = "uniform"
value = "1 gwei"
cross_shard = 1
"#;

/// Calls of contracts on other shards than their callers.
const CALLS: &str = r#"
name = "calls"
seed = 3

[network]
shards = 3
validators = 1
block_time = "100ms"
checkpoint_every = "200ms"

[accounts]
count = 12

[[phase]]
name = "steady"
for = "1s"
"#;

/// The blocks of each shard.
fn blocks(run: &Finished, shards: u32) -> Vec<Vec<Block>> {
    let read = |shard| {
        let path = run.directory.join(format!("nodes/shard-{shard}.records"));
        let read = read_records::<ShardRecord>(&path).unwrap();
        assert!(!read.torn);
        read.records.into_iter().map(|record| (*record.block).clone()).collect()
    };
    (0..shards).map(read).collect()
}

/// What accounts hold at the end is what they held at genesis, less what was burnt.
#[track_caller]
fn value_is_conserved(run: &Finished, shards: u32, genesis: Wei) {
    let last: Vec<_> =
        blocks(run, shards).iter().map(|blocks| blocks.last().unwrap().header.ledger).collect();
    let sum = |of: fn(&cross_shard_msg::Ledger) -> Wei| last.iter().map(of).sum::<Wei>();
    assert_eq!(sum(|ledger| ledger.sent), sum(|ledger| ledger.received), "nothing is in flight");
    assert_eq!(sum(|ledger| ledger.held) + sum(|ledger| ledger.burnt), genesis);
    assert_eq!(sum(|ledger| ledger.minted), Wei::ZERO);
}

/// Legs by transaction, each as (kind, shard, status).
fn legs(run: &Finished) -> BTreeMap<String, Vec<[String; 3]>> {
    let mut legs: BTreeMap<String, Vec<[String; 3]>> = BTreeMap::new();
    for row in run.rows("legs.csv") {
        let leg = ["kind", "shard", "status"].map(|column| row[column].clone());
        legs.entry(row["transaction"].clone()).or_default().push(leg);
    }
    legs
}

#[test]
fn a_transfer_there_and_back() {
    let lab = Lab::new(THERE_AND_BACK);
    let run = lab.run("out", &[]);
    run.ended(0);
    run.invariants_held();
    assert_eq!(run.count("offered"), 40);
    assert_eq!(run.count("settled"), 40);
    assert_eq!(run.summary()["cross_shard_ratio"], 1.0);
    value_is_conserved(&run, 2, ETHER * U256::from(18));

    let transactions = run.rows("transactions.csv");
    let pairs: BTreeSet<_> =
        transactions.iter().map(|row| (&row["sender"], &row["recipient"])).collect();
    let returned = pairs.iter().filter(|(from, to)| pairs.contains(&(*to, *from))).count();
    assert!(returned > 0, "somebody paid back");
    let sources: BTreeSet<_> = transactions.iter().map(|row| row["source"].as_str()).collect();
    assert_eq!(sources, BTreeSet::from(["0", "1"]));

    for (transaction, legs) in legs(&run) {
        let [sent, received] = legs.as_slice() else { panic!("{transaction}: {legs:?}") };
        assert_eq!((sent[0].as_str(), received[0].as_str()), ("transaction", "call"));
        assert_ne!(sent[1], received[1]);
        assert!(legs.iter().all(|leg| leg[2] == "succeeded"));
    }
    // Asked for in the scenario.
    assert!(run.rows("blocks.csv").iter().all(|row| row["base_fee_wei"] == "1000000000"));
}

#[test]
fn a_call_to_a_remote_contract_refunds_its_gas() {
    let load = r#"
        [[phase.load]]
        kind = "call"
        rate = 30
        arrivals = "uniform"
        contract = "erc20"
        instances = 3
        function = "transfer(address,uint256)"
        args = ["account", "1 gwei"]
        cross_shard = 1
    "#;
    let lab = Lab::new(&format!("{CALLS}{load}"));
    let run = lab.run("out", &["--set", "thresholds.\"transactions.failed\"=== 0"]);
    run.ended(0);
    run.invariants_held();
    assert_eq!(run.count("settled"), 30);
    assert_eq!(run.summary()["cross_shard_ratio"], 1.0);
    value_is_conserved(&run, 3, ETHER * U256::from(12_000));

    let transactions = run.rows("transactions.csv");
    let setup = transactions.iter().filter(|row| row["setup"] == "true");
    assert!(setup.clone().count() > 3, "deployments, and tokens for every caller");
    assert!(setup.clone().all(|row| row["outcome"] == "settled"));
    let legs = legs(&run);
    for row in transactions.iter().filter(|row| row["setup"] == "false") {
        let [sent, called, refunded] = legs[&row["index"]].as_slice() else {
            panic!("{}: {:?}", row["index"], legs[&row["index"]])
        };
        assert_eq!(sent[0], "transaction");
        assert_eq!(called[0], "call");
        assert_eq!(refunded[0], "refund");
        assert_eq!(sent[1], row["source"]);
        assert_eq!(refunded[1], row["source"]);
        assert_ne!(called[1], row["source"]);
        assert!([sent, called, refunded].iter().all(|leg| leg[2] == "succeeded"));
    }
}

#[test]
fn a_failing_remote_call_returns_its_value() {
    let artifact = concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts/artifacts/Vault.json");
    let load = format!(
        r#"
        [[phase.load]]
        kind = "call"
        rate = 20
        arrivals = "uniform"
        contract = "{artifact}"
        instances = 3
        function = "fail(uint256)"
        args = [7]
        value = "5 gwei"
        cross_shard = 1
    "#
    );
    let lab = Lab::new(&format!("{CALLS}{load}"));
    let run = lab.run("out", &["--set", "thresholds.\"transactions.failed\"=== 0"]);
    run.ended(99);
    run.invariants_held();
    assert_eq!(run.count("offered"), 20);
    assert_eq!(run.count("failed"), 20);
    assert_eq!(run.summary()["transactions"]["failed_by"]["revert"], 20);
    value_is_conserved(&run, 3, ETHER * U256::from(12_000));

    let transactions = run.rows("transactions.csv");
    let calls = || transactions.iter().filter(|row| row["setup"] == "false");
    assert!(calls().all(|row| row["outcome"] == "failed" && row["failure"] == "revert"));
    let legs = legs(&run);
    for row in calls() {
        let statuses: Vec<[&str; 2]> =
            legs[&row["index"]].iter().map(|leg| [leg[0].as_str(), leg[2].as_str()]).collect();
        let expected = [["transaction", "succeeded"], ["call", "revert"], ["refund", "succeeded"]];
        assert_eq!(statuses, expected);
    }

    // What comes back is the value and the gas that was not used, to the wei.
    let (mut sent, mut returned) = (BTreeMap::new(), BTreeMap::new());
    for receipt in blocks(&run, 3)
        .iter()
        .flatten()
        .flat_map(|block| &block.outgoing)
        .flat_map(|outgoing| &outgoing.receipts)
    {
        match &receipt.action {
            Action::Call(call) if !call.value.is_zero() => {
                sent.insert(receipt.origin, call.clone());
            }
            Action::Refund { to, value } => {
                returned.insert(receipt.origin, (*to, *value));
            }
            Action::Call(_) | Action::Handover { .. } | Action::Migrate(_) => {}
        }
    }
    assert_eq!(sent.len(), 20);
    let gas_used: BTreeMap<String, u64> = run
        .rows("legs.csv")
        .iter()
        .filter(|row| row["kind"] == "call" && row["status"] == "revert")
        .map(|row| (row["transaction"].clone(), row["gas_used"].parse().unwrap()))
        .collect();
    for row in calls() {
        let hash: B256 = row["hash"].parse().unwrap();
        let (call, (to, value)) = (&sent[&hash], returned[&hash]);
        assert_eq!(to.to_string(), row["sender"]);
        assert_eq!(call.value, U256::from(5 * GWEI));
        let left = call.gas.0 - gas_used[&row["index"]];
        assert_eq!(value, call.value + call.gas_price * U256::from(left));
    }
}

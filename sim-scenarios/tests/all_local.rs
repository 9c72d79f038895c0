//! `accounts.all_local`: both ends of every transaction on one shard, shards in turn.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use cross_shard_msg::ShardId;
use partitioning::{Allocation, Base, Residents};
use sim_scenarios::scenario::{Places, Scenario, parse};
use sim_scenarios::workload::{self, Planned, Stage, Workers, Workload, WorkloadError};

const SHARDS: u32 = 4;

const LOADS: &str = r#"
[[phase]]
name = "one"
for = "2s"
[[phase.load]]
kind = "transfer"
rate = 200
[[phase.load]]
kind = "transfer"
rate = 50
cross_shard = 1
[[phase.load]]
kind = "call"
rate = 100
contract = "erc20"
instances = 6
function = "transfer(address,uint256)"
args = ["account", 1]
[[phase.load.setup]]
function = "approve(address,uint256)"
args = ["account", 1]
[[phase.load]]
kind = "trace"
file = "trace.csv"
rate = 100
"#;

fn scenario(all_local: bool, count: u32, loads: &str) -> Scenario {
    let text = format!(
        "name = \"local\"\n[network]\nshards = {SHARDS}\n[accounts]\ncount = {count}\nall_local = \
         {all_local}\npopularity = {{ zipf = 1.08 }}\n{loads}"
    );
    let directory = std::env::temp_dir().join(format!("shardlab-local-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("trace.csv"), "").unwrap();
    let places = Places { base: directory, data: None };
    parse("local.toml", &text, &[], &places).unwrap_or_else(|rejected| panic!("{rejected}"))
}

fn trace(senders: u8) -> Vec<u8> {
    let address = |index: u8| Address::repeat_byte(index + 1);
    let row = |index: u8| {
        let (from, to) = (address(index % senders), address(index / 2 + 30));
        format!("1,2,0xab,{from},{to},,0,0,{index},21000\n")
    };
    (0..60).map(row).collect::<String>().into_bytes()
}

fn build(scenario: &Scenario, senders: u8) -> Result<Workload, WorkloadError> {
    let content = trace(senders);
    let open = move |path: &Path| -> std::io::Result<Box<dyn Read>> {
        assert_eq!(path.file_name(), PathBuf::from("trace.csv").file_name());
        Ok(Box::new(Cursor::new(content.clone())))
    };
    workload::build(scenario, &allocation(), &open, &Workers::single())
}

fn allocation() -> Allocation {
    Allocation::new(SHARDS, Base::Hash, Residents::standard(SHARDS))
}

/// Sender's and recipient's shard; a contract's is its creator's.
fn ends(workload: &Workload) -> impl Fn(&Planned) -> (ShardId, ShardId) {
    let allocation = allocation();
    let mut contracts = BTreeMap::new();
    let mut nonces: BTreeMap<u32, u64> = BTreeMap::new();
    for plan in workload.transactions.iter().filter(|plan| plan.to.is_none()) {
        let nonce = nonces.entry(plan.sender.0).or_default();
        let deployer = workload.users[plan.sender.0 as usize].address;
        contracts.insert(deployer.create(*nonce), allocation.base_home(&deployer));
        *nonce += 1;
    }
    let users: Vec<Address> = workload.users.iter().map(|user| user.address).collect();
    move |plan| {
        let sender = allocation.base_home(&users[plan.sender.0 as usize]);
        let to = plan.to.unwrap_or_default();
        let home = contracts.get(&to).copied();
        (sender, home.unwrap_or_else(|| allocation.base_home(&to)))
    }
}

#[test]
fn everything_is_local_and_nothing_else_changes() {
    let before = build(&scenario(false, 200, LOADS), 30).unwrap();
    let after = build(&scenario(true, 200, LOADS), 30).unwrap();
    let run = |workload: &Workload| -> Vec<Planned> {
        let run = workload.transactions.iter().filter(|plan| plan.stage == Stage::Run);
        run.cloned().collect()
    };
    let (before_run, after_run) = (run(&before), run(&after));
    assert_eq!(before_run.len(), after_run.len());
    let shards = ends(&after);
    let mut load_shards: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
    for (one, other) in before_run.iter().zip(&after_run) {
        assert_eq!(
            (one.at, one.load, one.value, one.gas),
            (other.at, other.load, other.value, other.gas)
        );
        let (sender, recipient) = shards(other);
        assert_eq!(sender, recipient, "{other:?}");
        assert_ne!(other.to, Some(after.users[other.sender.0 as usize].address));
        load_shards.entry(other.load).or_default().push(sender.0);
    }
    assert_eq!(load_shards.len(), 4);
    for (load, shards) in load_shards {
        let turns = (u32::from(load)..).map(|number| number % SHARDS).take(shards.len());
        assert!(turns.eq(shards), "load {load} goes round the shards");
    }
    let crossing = ends(&before);
    assert!(before_run.iter().any(|plan| crossing(plan).0 != crossing(plan).1));
    // What prepares is local as well.
    for plan in after.transactions.iter().filter(|plan| plan.stage == Stage::Prepare) {
        let (sender, recipient) = shards(plan);
        assert_eq!(sender, recipient);
    }
    let deployed = after.transactions.iter().filter(|plan| plan.to.is_none()).count();
    assert_eq!(deployed, 8, "two on each shard: no fewer than six");
    workload::sign(&after, &Workers::single()).unwrap();
}

/// The index of an account in its row: what it is when it stands for another one.
#[test]
fn popularity_survives() {
    let counts = |all_local| {
        let loads = "[[phase]]\nname = \"one\"\nfor = \"20s\"\n[[phase.load]]\nkind = \
                     \"transfer\"\nrate = 500\n";
        let workload = build(&scenario(all_local, 400, loads), 30).unwrap();
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for plan in &workload.transactions {
            *counts.entry(plan.sender.0).or_default() += 1;
        }
        let mut counts: Vec<u32> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    };
    let (before, after) = (counts(false), counts(true));
    // The most popular account is spread over four, and stays far ahead of most.
    assert!(after[..4].iter().sum::<u32>() > before[0]);
    assert!(after[3] > 5 * after[after.len() / 2]);
}

#[test]
fn what_is_impossible_is_said() {
    let transfer = "[[phase]]\nname = \"one\"\nfor = \"1s\"\n[[phase.load]]\nkind = \
                    \"transfer\"\nrate = 5\n";
    let error = build(&scenario(true, 3, transfer), 30).unwrap_err().to_string();
    assert!(error.starts_with("`accounts.all_local` is impossible on shard "), "{error}");
    assert!(error.ends_with("fewer than two of the scenario's accounts live there"), "{error}");
    let error = build(&scenario(true, 200, LOADS), 2).unwrap_err().to_string();
    assert!(error.ends_with("no sender of a trace lives there"), "{error}");

    let text = "name = \"blocks\"\n[network]\nchain_id = 1\n[accounts]\nall_local = true\n[[phase]]\n\
                name = \"one\"\n[[phase.load]]\nkind = \"mainnet-blocks\"\ndirectory = \".\"\n";
    let places = Places { base: std::env::temp_dir(), data: None };
    let rejected = parse("blocks.toml", text, &[], &places).unwrap_err().to_string();
    assert!(rejected.contains("`accounts.all_local` does not go with `mainnet-blocks`"));
}

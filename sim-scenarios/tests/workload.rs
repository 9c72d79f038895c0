//! Workloads as a whole: from a scenario to signed transactions.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use cross_shard_msg::{Duration, Gas, Recovered, ShardId, Transaction, Wei};
use partitioning::{Allocation, Base, Residents};
use sim_scenarios::scenario::*;
use sim_scenarios::workload::{
    self, SignedWorkload, Stage, UserIndex, Workers, Workload, WorkloadError,
};

const HEADER: &str = "blockNumber,timestamp,transactionHash,from,to,toCreate,fromIsContract,\
                      toIsContract,value,gasLimit\n";
const SECOND: Duration = Duration::from_secs(1);

/// A scenario as the parser's defaults have it, with these phases.
fn scenario(shards: u32, phases: Vec<Phase>) -> Scenario {
    let text = format!(
        r#"
        name = "test"
        seed = 42
        [network]
        shards = {shards}
        [accounts]
        count = 100
        [[phase]]
        name = "idle"
        for = "1s"
        "#
    );
    let places = Places { base: PathBuf::from("."), data: None };
    Scenario { phases, ..parse("test.toml", &text, &[], &places).unwrap() }
}

fn phase(name: &str, duration: Option<Duration>, loads: Vec<Load>) -> Phase {
    Phase { name: name.to_owned(), duration, record: true, loads, faults: vec![] }
}

fn transfers(per_second: u64, cross_shard: Option<u32>) -> Load {
    Load::Transfer(TransferLoad {
        rate: Rate { per_kilosecond: per_second * 1_000 },
        arrivals: Arrivals::Uniform,
        curve: Curve::Constant,
        value: Wei::from(1),
        cross_shard: cross_shard.map(|millionths| Fraction { millionths }),
    })
}

fn trace(per_second: u64, value: Option<u64>, count: Option<u64>) -> Load {
    Load::Trace(TraceLoad {
        file: file("trace.csv"),
        rate: Rate { per_kilosecond: per_second * 1_000 },
        arrivals: Arrivals::Uniform,
        curve: Curve::Constant,
        value: value.map(Wei::from),
        count,
    })
}

fn file(name: &str) -> FileRef {
    FileRef { written: name.to_owned(), path: PathBuf::from(name) }
}

fn allocation(shards: u32) -> Allocation {
    Allocation::new(shards, Base::Hash, Residents::standard(shards))
}

fn no_files(path: &Path) -> std::io::Result<Box<dyn Read>> {
    Err(std::io::Error::new(std::io::ErrorKind::NotFound, path.display().to_string()))
}

fn build(scenario: &Scenario) -> Result<Workload, WorkloadError> {
    let allocation = allocation(scenario.network.shards);
    workload::build(scenario, &allocation, &no_files, &Workers::single())
}

fn build_with(scenario: &Scenario, content: &[u8]) -> Result<Workload, WorkloadError> {
    let allocation = allocation(scenario.network.shards);
    let open = |_: &Path| -> std::io::Result<Box<dyn Read>> {
        Ok(Box::new(Cursor::new(content.to_vec())))
    };
    workload::build(scenario, &allocation, &open, &Workers::single())
}

fn recovered(workload: &SignedWorkload, index: usize) -> Recovered {
    Recovered::recover(Transaction::decode(workload.encoded(index)).unwrap()).unwrap()
}

#[test]
fn a_workload_is_a_function_of_its_scenario() {
    let mut scenario = scenario(4, vec![phase("steady", Some(SECOND), vec![transfers(200, None)])]);
    let first = build(&scenario).unwrap();
    let again = build(&scenario).unwrap();
    assert_eq!(first.transactions, again.transactions);
    assert_eq!(first.genesis, again.genesis);
    let threads = Workers { threads: NonZeroUsize::new(3).unwrap(), progress: &|_, _| {} };
    let one = workload::sign(&first, &Workers::single()).unwrap();
    let three = workload::sign(&again, &threads).unwrap();
    assert_eq!(one.transactions, three.transactions);
    scenario.seed = 43;
    assert_ne!(build(&scenario).unwrap().transactions, first.transactions);
}

#[test]
fn signed_transactions_are_what_was_planned() {
    let scenario = scenario(4, vec![phase("steady", Some(SECOND), vec![transfers(300, None)])]);
    let planned = build(&scenario).unwrap();
    let signed = workload::sign(&planned, &Workers::single()).unwrap();
    assert_eq!(signed.transactions.len(), 300);
    let mut next: BTreeMap<Address, u64> = BTreeMap::new();
    for (index, plan) in planned.transactions.iter().enumerate() {
        let found = recovered(&signed, index);
        let envelope = found.transaction().envelope();
        assert_eq!(found.sender(), planned.users[plan.sender.0 as usize].address);
        assert_eq!(found.transaction().key(), signed.transactions[index].key);
        assert_eq!(signed.sender(index), Some(found.sender()));
        assert_eq!((envelope.to(), envelope.value()), (plan.to, plan.value));
        assert_eq!(envelope.chain_id(), Some(1337));
        assert_eq!(envelope.max_fee_per_gas(), 1_000_000_000_000);
        let nonce = next.entry(found.sender()).or_default();
        assert_eq!(envelope.nonce(), *nonce);
        *nonce += 1;
        assert_ne!(plan.to, Some(found.sender()));
        assert_eq!(signed.submission(index, true).assumed_sender, Some(found.sender()));
        assert_eq!(signed.submission(index, false).assumed_sender, None);
    }
    assert_eq!(planned.genesis.len(), 100);
    assert!(
        planned.genesis.iter().all(|(_, account)| account.balance == scenario.accounts.balance)
    );
}

#[test]
fn a_pinned_share_of_transfers_crosses() {
    for millionths in [0, 200_000, 1_000_000] {
        let loads = vec![transfers(4_000, Some(millionths))];
        let mut scenario = scenario(4, vec![phase("steady", Some(SECOND), loads)]);
        scenario.accounts.popularity = Popularity::Zipf { exponent: 1.08 };
        let allocation = allocation(4);
        let workload = build(&scenario).unwrap();
        let crosses = |plan: &&workload::Planned| {
            let sender = workload.users[plan.sender.0 as usize].address;
            allocation.base_home(&sender) != allocation.base_home(&plan.to.unwrap())
        };
        let share = workload.transactions.iter().filter(crosses).count() as f64 / 4_000.0;
        let expected = f64::from(millionths) / 1e6;
        // Five standard deviations.
        let tolerance = 5.0 * (expected * (1.0 - expected) / 4_000.0).sqrt();
        assert!((share - expected).abs() <= tolerance, "{share} instead of {expected}");
    }
}

#[test]
fn an_impossible_share_is_an_error() {
    let loads = || vec![transfers(10, None), transfers(10, Some(500_000))];
    let one_shard = scenario(1, vec![phase("steady", Some(SECOND), loads())]);
    let error = build(&one_shard).unwrap_err().to_string();
    assert!(error.contains("phase `steady`, load 2: all accounts live on one shard"), "{error}");
    let mut lonely = scenario(1_024, vec![phase("steady", Some(SECOND), loads())]);
    lonely.accounts.count = 2;
    let error = build(&lonely).unwrap_err().to_string();
    assert!(error.contains("no two accounts live on one shard"), "{error}");
}

#[test]
fn phases_follow_each_other() {
    let idle = phase("idle", Some(SECOND), Vec::new());
    let busy = phase("busy", Some(SECOND), vec![transfers(4, None), transfers(2, None)]);
    let workload =
        build(&scenario(4, vec![busy.clone(), idle, Phase { name: "more".into(), ..busy }]))
            .unwrap();
    let spans: Vec<(u64, u64)> =
        workload.phases.iter().map(|span| (span.start.as_millis(), span.end.as_millis())).collect();
    assert_eq!(spans, [(0, 1_000), (1_000, 2_000), (2_000, 3_000)]);
    let due: Vec<(u16, u16, u64)> = workload
        .transactions
        .iter()
        .map(|plan| (plan.phase, plan.load, plan.at.as_millis()))
        .collect();
    let one_phase = |phase, start: u64| {
        [(0, 0_u64), (1, 0), (0, 250), (0, 500), (1, 500), (0, 750)]
            .map(|(load, at)| (phase, load, start + at))
    };
    assert_eq!(due, [one_phase(0, 0), one_phase(2, 2_000)].concat());
}

fn address(byte: u8) -> Address {
    Address::repeat_byte(byte)
}

fn row(from: &str, to: &str, value: &str) -> String {
    format!("1,2,0xab,{from},{to},,0,0,{value},21000\n")
}

fn small_trace() -> String {
    let [a, b, c] = [1, 2, 3].map(|byte| address(byte).to_string());
    [
        HEADER.to_owned(),
        row(&a, &b, "10"),
        row(&b, &b, "11"),
        row(&a, "", "12"),
        row(&a, "None", "13"),
        row(&b, &c, "14"),
        row(&b, &a, "15"),
    ]
    .concat()
}

#[test]
fn a_trace_keeps_who_pays_whom() {
    let scenario = scenario(4, vec![phase("trace", None, vec![trace(10, None, None)])]);
    let workload = build_with(&scenario, small_trace().as_bytes()).unwrap();
    let skipped = &workload.skipped[0];
    assert_eq!((skipped.rows, skipped.without_recipient, skipped.to_oneself), (6, 2, 1));
    let name =
        |byte| *workload.trace_names.iter().find(|name| name.trace == address(byte)).unwrap();
    assert!(name(1).sends && name(2).sends && !name(3).sends);
    assert!(workload.trace_names.iter().all(|name| name.address != name.trace));
    let paid: Vec<(Address, Option<Address>, U256)> = workload
        .transactions
        .iter()
        .map(|plan| (workload.users[plan.sender.0 as usize].address, plan.to, plan.value))
        .collect();
    let expected = [(1, 2, 10), (2, 3, 14), (2, 1, 15)]
        .map(|(from, to, value)| (name(from).address, Some(name(to).address), U256::from(value)));
    assert_eq!(paid, expected);
    assert_eq!(workload.genesis.len(), 102, "accounts and the two senders");
    let signed = workload::sign(&workload, &Workers::single()).unwrap();
    assert_eq!(recovered(&signed, 0).sender(), name(1).address);
}

#[test]
fn a_trace_is_repeated_and_cut() {
    let of = |duration, value, count| {
        let phases = vec![phase("trace", duration, vec![trace(10, value, count)])];
        build_with(&scenario(4, phases), small_trace().as_bytes()).unwrap()
    };
    let repeated = of(None, Some(1), Some(8));
    assert_eq!(repeated.transactions.len(), 8);
    assert!(repeated.transactions.iter().all(|plan| plan.value == Wei::from(1)));
    let senders: Vec<UserIndex> = repeated.transactions.iter().map(|plan| plan.sender).collect();
    assert_eq!(senders[..3], senders[3..6]);
    assert_eq!(repeated.phases[0].end, Duration::from_millis(700), "the last arrival");
    workload::sign(&repeated, &Workers::single()).unwrap();
    assert_eq!(of(Some(SECOND), None, None).transactions.len(), 3, "the file once");
    assert_eq!(of(Some(Duration::from_millis(200)), None, None).transactions.len(), 2);
    let first = of(None, None, Some(1));
    assert_eq!(first.trace_names.len(), 2, "no row is read in vain");
}

#[test]
fn gzip_and_a_missing_header_make_no_difference() {
    let scenario = scenario(4, vec![phase("trace", None, vec![trace(10, None, None)])]);
    let plain = build_with(&scenario, small_trace().as_bytes()).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(small_trace().as_bytes()).unwrap();
    let packed = build_with(&scenario, &encoder.finish().unwrap()).unwrap();
    let bare = small_trace();
    let bare = build_with(&scenario, bare.strip_prefix(HEADER).unwrap().as_bytes()).unwrap();
    for other in [packed, bare] {
        assert_eq!(other.transactions, plain.transactions);
    }
}

#[test]
fn a_bad_row_is_named() {
    let scenario = scenario(4, vec![phase("trace", None, vec![trace(10, None, None)])]);
    let (a, b) = (address(1).to_string(), address(2).to_string());
    let good = row(&a, &b, "1");
    let cases = [
        (row("0x12", &b, "1"), "column 4 (`from`): expected an address of 20 bytes, found `0x12`"),
        (row(&a, "nobody", "1"), "column 5 (`to`): expected an address of 20 bytes"),
        (row(&a, &b, "1e18"), "column 9 (`value`): expected a whole number of wei, found `1e18`"),
        (row(&a, &b, ""), "column 9 (`value`)"),
        ("1,2,3\n".to_owned(), "column 4 (`from`): expected a field, found `the end of the line`"),
    ];
    for (bad, message) in cases {
        let content = [HEADER, &good, &bad].concat();
        let error = build_with(&scenario, content.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("trace.csv, line 3, "), "{error}");
        assert!(error.contains(message), "{error}");
    }
    let error = build_with(&scenario, HEADER.as_bytes()).unwrap_err();
    assert!(matches!(error, WorkloadError::NoRows { .. }));
    let mut torn = vec![0x1f, 0x8b, 8, 0];
    torn.extend([0; 20]);
    assert!(
        build_with(&scenario, &torn).unwrap_err().to_string().contains("cannot read trace.csv")
    );
    assert!(build(&scenario).unwrap_err().to_string().contains("cannot read trace.csv"));
}

#[test]
fn an_amount_that_is_overridden_need_not_be_a_number() {
    let scenario = scenario(4, vec![phase("trace", None, vec![trace(10, Some(1), None)])]);
    let content = row(&address(1).to_string(), &address(2).to_string(), "?");
    assert_eq!(build_with(&scenario, content.as_bytes()).unwrap().transactions.len(), 1);
}

fn token_calls(instances: u32, cross_shard: Option<u32>) -> CallLoad {
    CallLoad {
        rate: Rate { per_kilosecond: 500_000 },
        arrivals: Arrivals::Uniform,
        curve: Curve::Constant,
        contract: Contract::Shipped("erc20"),
        instances,
        constructor: Vec::new(),
        setup: Vec::new(),
        mix: vec![template(
            "transfer",
            &[Parameter::Address, Parameter::Uint(256)],
            &[Argument::Account, Argument::Number(U256::from(5))],
        )],
        cross_shard: cross_shard.map(|millionths| Fraction { millionths }),
    }
}

fn template(name: &str, parameters: &[Parameter], arguments: &[Argument]) -> CallTemplate {
    CallTemplate {
        function: Function { name: name.to_owned(), parameters: parameters.to_vec() },
        arguments: arguments.to_vec(),
        value: Wei::ZERO,
        gas: Gas(100_000),
        weight: 1,
    }
}

fn call_workload(load: CallLoad) -> Result<Workload, WorkloadError> {
    build(&scenario(4, vec![phase("calls", Some(SECOND), vec![Load::Call(load)])]))
}

#[test]
fn tokens_are_deployed_handed_out_and_transferred() {
    let workload = call_workload(token_calls(2, None)).unwrap();
    let of = |stage| workload.transactions.iter().filter(move |plan| plan.stage == stage);
    let stages: Vec<Stage> = workload.transactions.iter().map(|plan| plan.stage).collect();
    assert!(stages.is_sorted());
    let deployers: Vec<u32> = of(Stage::Deploy).map(|plan| plan.sender.0).collect();
    assert_eq!(deployers, [0, 1]);
    let tokens: Vec<Address> =
        deployers.iter().map(|user| workload.users[*user as usize].address.create(0)).collect();
    let supply = U256::from(10).pow(U256::from(27));
    let supply_word: B256 = supply.into();
    for plan in of(Stage::Deploy) {
        assert!(plan.to.is_none() && plan.input.ends_with(supply_word.as_slice()));
    }
    // Whoever calls a token was given some of it first, and what was handed out fits the supply.
    let mut held: BTreeMap<(Address, Address), U256> = BTreeMap::new();
    let mut handed_out: BTreeMap<Address, U256> = BTreeMap::new();
    for plan in of(Stage::Prepare) {
        assert_eq!(plan.input[..4], [0xa9, 0x05, 0x9c, 0xbb]);
        let token = plan.to.unwrap();
        assert_eq!(tokens[plan.sender.0 as usize], token, "the deployer hands out");
        let amount = U256::from_be_slice(&plan.input[36..68]);
        *handed_out.entry(token).or_default() += amount;
        held.insert((token, Address::from_slice(&plan.input[16..36])), amount);
    }
    assert!(handed_out.values().all(|sum| *sum < supply));
    assert_eq!(of(Stage::Run).count(), 500);
    for plan in of(Stage::Run) {
        let (token, sender) = (plan.to.unwrap(), workload.users[plan.sender.0 as usize].address);
        assert!(tokens.contains(&token));
        assert!(plan.sender.0 < 2 || held[&(token, sender)] >= U256::from(2_500));
        assert_ne!(Address::from_slice(&plan.input[16..36]), sender);
    }
    let signed = workload::sign(&workload, &Workers::single()).unwrap();
    let nonce = |index| recovered(&signed, index).transaction().envelope().nonce();
    assert_eq!((nonce(0), nonce(2)), (0, 1), "the deployment comes first");
}

#[test]
fn a_pinned_share_of_calls_crosses() {
    let allocation = allocation(4);
    for (instances, millionths) in [(1, 0), (1, 1_000_000), (5, 300_000)] {
        let workload = call_workload(token_calls(instances, Some(millionths))).unwrap();
        let home: BTreeMap<Address, ShardId> = (0..instances as usize)
            .map(|user| workload.users[user].address)
            .map(|deployer| (deployer.create(0), allocation.base_home(&deployer)))
            .collect();
        let crosses = |plan: &&workload::Planned| {
            let sender = workload.users[plan.sender.0 as usize].address;
            plan.stage == Stage::Run && allocation.base_home(&sender) != home[&plan.to.unwrap()]
        };
        let share = workload.transactions.iter().filter(crosses).count() as f64 / 500.0;
        let expected = f64::from(millionths) / 1e6;
        let tolerance = 5.0 * (expected * (1.0 - expected) / 500.0).sqrt();
        assert!((share - expected).abs() <= tolerance, "{share} instead of {expected}");
    }
}

const VAULT: &[u8] = include_bytes!("../../contracts/artifacts/Vault.json");

#[test]
fn an_artifact_file_is_set_up_by_every_account() {
    let load = CallLoad {
        contract: Contract::File(file("vault.json")),
        setup: vec![CallTemplate { value: Wei::from(7), ..template("deposit", &[], &[]) }],
        mix: vec![
            template("increment", &[], &[]),
            CallTemplate {
                weight: 3,
                ..template(
                    "store",
                    &[Parameter::Uint(256), Parameter::Uint(256)],
                    &[Argument::Number(U256::from(1)), Argument::Number(U256::from(2))],
                )
            },
        ],
        ..token_calls(2, None)
    };
    let scenario = scenario(4, vec![phase("calls", Some(SECOND), vec![Load::Call(load.clone())])]);
    let workload = build_with(&scenario, VAULT).unwrap();
    let setup = workload.transactions.iter().filter(|plan| plan.stage == Stage::Prepare);
    assert_eq!(setup.clone().count(), 200);
    assert!(setup.into_iter().all(|plan| plan.value == Wei::from(7)));
    let run = workload.transactions.iter().filter(|plan| plan.stage == Stage::Run);
    let short = run.filter(|plan| plan.input.len() == 4).count();
    assert!((80..=170).contains(&short), "a quarter of 500: {short}");

    let unknown = CallLoad { mix: vec![template("explode", &[], &[])], ..load.clone() };
    let superfluous = CallLoad { constructor: vec![Argument::Bool(true)], ..load };
    for (load, message) in [
        (unknown, "vault.json: its ABI has no function `explode()`"),
        (superfluous, "vault.json: its constructor takes (), but the scenario gives 1 arguments"),
    ] {
        let phases = vec![phase("calls", Some(SECOND), vec![Load::Call(load)])];
        let scenario = Scenario { phases, ..scenario.clone() };
        assert_eq!(build_with(&scenario, VAULT).unwrap_err().to_string(), message);
    }
    let wrong = CallLoad { constructor: vec![Argument::Sender], ..token_calls(1, None) };
    let error = call_workload(wrong).unwrap_err().to_string();
    assert_eq!(error, "erc20: an argument does not fit its constructor's `uint256`");
}

#[test]
fn several_loads_deploy_several_contracts() {
    let loads = vec![Load::Call(token_calls(1, None)), Load::Call(token_calls(1, None))];
    let workload = build(&scenario(4, vec![phase("calls", Some(SECOND), loads)])).unwrap();
    let deployer = workload.users[0].address;
    let called = |load| {
        let mut run = workload.transactions.iter().filter(|plan| plan.stage == Stage::Run);
        run.find(|plan| plan.load == load).unwrap().to
    };
    assert_eq!(called(0), Some(deployer.create(0)));
    assert_eq!(called(1), Some(deployer.create(1)));
}

#[test]
fn equal_keys_are_refused() {
    let workload = build(&scenario(4, vec![phase("one", Some(SECOND), vec![transfers(1, None)])]));
    let signed = workload::sign(&workload.unwrap(), &Workers::single()).unwrap();
    let transaction = Transaction::decode(signed.encoded(0)).unwrap();
    let twice = [(transaction.clone(), address(1)), (transaction, address(1))];
    let error = SignedWorkload::prescribed("block", &twice).unwrap_err();
    assert!(error.to_string().contains("transactions 0 and 1 share the key"), "{error}");
    assert_eq!(SignedWorkload::prescribed("block", &twice[..1]).unwrap().encoded(1), Bytes::new());
}

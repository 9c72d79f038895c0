//! The generator beside mainnet: the defaults stay within tolerances, through the same code.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use cross_shard_msg::testdata;
use partitioning::{Allocation, Base, Residents};
use serde_json::Value;
use sim_scenarios::scenario::{Places, parse};
use sim_scenarios::workload::seen::{planned, traced};
use sim_scenarios::workload::statistics::{MAINNET, MAINNET_FROM_BLOCK, Statistics, modularity};
use sim_scenarios::workload::{self, Workers, Workload};

fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    Ok(Box::new(File::open(path)?))
}

#[test]
fn the_mainnet_sample_is_what_the_constants_say() {
    let Some(data) = testdata::or_skip("the_mainnet_sample_is_what_the_constants_say") else {
        return;
    };
    let file = data.join("mainnet-transactions.csv.gz");
    let seen = traced(&file, MAINNET_FROM_BLOCK, &open).unwrap();
    let found = Statistics::of(&seen);
    assert_eq!(found.transactions, MAINNET.transactions);
    for row in found.compared() {
        let rounded = (row.here * 10_000.0).round() / 10_000.0;
        assert_eq!(rounded, row.mainnet, "{}", row.name);
    }
}

fn build(load: &str) -> Workload {
    let text = format!(
        "name = \"check\"\n[accounts]\ncount = 20000\n[[phase]]\nname = \"steady\"\nfor = \
         \"40s\"\n[[phase.load]]\nkind = \"communities\"\nrate = 219\narrivals = \"uniform\"\n{load}"
    );
    let places = Places { base: PathBuf::from("."), data: None };
    let scenario = parse("check.toml", &text, &[], &places).unwrap();
    let allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
    workload::build(&scenario, &allocation, &open, &Workers::single()).unwrap()
}

/// How far from mainnet's each number of the defaults may be, in percent.
const TOLERANCES: [(&str, f64); 16] = [
    ("plain", 5.0),
    ("token_transfers", 5.0),
    ("approvals", 15.0),
    ("other_calls", 5.0),
    ("to_top1", 15.0),
    ("to_top10", 10.0),
    ("to_once", 5.0),
    ("targets", 10.0),
    ("zipf_to", 15.0),
    ("zipf_contracts", 15.0),
    ("from_top10", 40.0),
    ("from_once", 5.0),
    ("senders", 5.0),
    ("zipf_from", 25.0),
    // The sample's blocks are years apart, each with its own favourite, and a few are flooded by one
    // contract. Hubs of the generator stay what they are: docs/workloads.md says more.
    ("hottest_median", 45.0),
    ("hottest_mean", 65.0),
];

#[test]
fn the_defaults_are_like_mainnet() {
    let workload = build("");
    let mut seen = planned(&workload);
    seen.truncate(usize::try_from(MAINNET.transactions).unwrap());
    let found = Statistics::of(&seen);
    assert_eq!(found.transactions, MAINNET.transactions);
    let rows = found.compared();
    for row in &rows {
        println!(
            "{:28} here {:8.4}  mainnet {:8.4}  {:+6.1} %",
            row.what,
            row.here,
            row.mainnet,
            100.0 * row.deviation()
        );
    }
    for (row, (name, percent)) in rows.iter().zip(TOLERANCES) {
        assert_eq!(row.name, name);
        let deviation = 100.0 * row.deviation();
        assert!(deviation.abs() <= percent, "{name}: {deviation:+.1} %, at most {percent}");
    }
    let modularity = modularity(&seen, &workload.planted[0]).unwrap();
    assert!(modularity > 0.3, "{modularity}");
}

#[test]
fn communities_show_in_the_modularity() {
    let of = |inside: &str| {
        let workload = build(&format!(
            "inside = {inside}\n[phase.load.hubs]\naccounts = 0\ntokens = 0\nservices = 0\n"
        ));
        modularity(&planned(&workload), &workload.planted[0]).unwrap()
    };
    let (none, some, all) = (of("0"), of("0.5"), of("1"));
    assert!(none < 0.0 && (0.4..0.6).contains(&some) && all > 0.9, "{none} {some} {all}");
}

fn shardlab(arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::cargo_bin("shardlab").unwrap().arg("workload").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_plans_compares_and_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let scenario = path("small.toml");
    let text = "name = \"small\"\n[accounts]\ncount = 200\n[[phase]]\nname = \"one\"\nfor = \
                \"5s\"\n[[phase.load]]\nkind = \"communities\"\nrate = 100\narrivals = \
                \"uniform\"\ncommunities = 5\n";
    std::fs::write(&scenario, text).unwrap();
    let (code, table, _) = shardlab(&[&scenario]);
    assert_eq!(code, 0);
    for part in
        ["500 transactions, after ", "deviation", "verdict", "5 communities; ", "modularity"]
    {
        assert!(table.contains(part), "{table}");
    }
    for name in ["trace.csv", "trace.parquet"] {
        let out = path(name);
        let (code, json, error) = shardlab(&[&scenario, "--json", "--out", &out, "--sample", "0"]);
        assert_eq!((code, error.as_str()), (0, ""));
        let planned: Value = serde_json::from_str(&json).unwrap();
        let (code, json, _) = shardlab(&[&out, "--json", "--sample", "0"]);
        assert_eq!(code, 0);
        let read: Value = serde_json::from_str(&json).unwrap();
        let rows = |value: &Value| value["statistics"].as_array().unwrap().clone();
        let both: Vec<_> = rows(&planned).into_iter().zip(rows(&read)).collect();
        assert_eq!(both.len(), 16);
        for (one, other) in &both[..14] {
            assert_eq!(one, other, "but for blocks, what is read is what was planned");
        }
    }
    let trace = path("trace.csv");
    for (arguments, message) in [
        (&[trace.as_str(), "--set", "seed=2"][..], "is a trace"),
        (&[trace.as_str(), "--from-block", "99"][..], "has no transaction from there on"),
        (&["gone.csv"][..], "gone.csv"),
        (
            &[scenario.as_str(), "--out", "/nowhere/trace.csv"][..],
            "cannot write /nowhere/trace.csv",
        ),
        (&[scenario.as_str(), "--set", "phase.one.load.0.inside=7"][..], "a share from 0 to 1"),
    ] {
        let (code, output, error) = shardlab(arguments);
        assert_eq!((code, output.as_str()), (2, ""), "{arguments:?}");
        assert!(error.contains(message), "{error}");
    }
}

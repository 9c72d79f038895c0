//! The simulated world against real processes: the same scenario at low load, side by side. What
//! becomes of transactions must be the same, and the time that crossing takes nearly so, once this
//! machine is calibrated. Prints the comparison:
//!
//! `cargo test --release -p sim-scenarios --test sim_against_real -- --nocapture`
//!
//! A program of its own, so that no other test's processes run beside it; blocks are half a second
//! apart, so that a busy machine changes little of what is compared.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const SCENARIO: &str = r#"
name = "both-worlds"
seed = 11

[network]
shards = 3
validators = 4
block_time = "500ms"
checkpoint_every = "1s"

[accounts]
count = 60

[[phase]]
name = "steady"
for = "4s"

[[phase.load]]
kind = "transfer"
rate = 40

[[phase.load]]
kind = "call"
rate = 20
contract = "erc20"

[[phase.load.mix]]
function = "transfer(address,uint256)"
args = ["account", "1 gwei"]
weight = 3

[[phase.load.mix]]
function = "transfer(address,uint256)"
args = ["account", "1000000000000 ether"]
weight = 1
"#;

/// Below this, in milliseconds, or a tenth: how far the worlds' cross-shard medians may differ.
const WITHIN_MS: f64 = 3.0;

fn shardlab(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("shardlab"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("SHARDLAB_DATA")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {:?}\n{err}", output.status.code());
    String::from_utf8(output.stdout).unwrap()
}

fn summary(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Every count of transactions by outcome, reason and class.
fn counts(summary: &Value) -> Vec<(String, String)> {
    let mut counts = Vec::new();
    for (name, count) in summary["transactions"].as_object().unwrap() {
        counts.push((name.clone(), count.to_string()));
    }
    let latency = &summary["latency_ms"];
    for span in ["inclusion", "cross_shard", "settlement", "finality"] {
        for class in ["intra", "cross"] {
            let count = &latency[span][class]["count"];
            counts.push((format!("{span}, {class}"), count.to_string()));
        }
    }
    counts.push(("shards touched".to_owned(), summary["shards_per_transaction"].to_string()));
    counts.push(("preparing the network".to_owned(), summary["setup"].to_string()));
    counts
}

#[test]
fn both_worlds_agree() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    fs::write(here.join("scenario.toml"), SCENARIO).unwrap();
    shardlab(here, &["calibrate", "--rounds", "3", "--out", "here.toml"]);
    let simulate = ["simulate", "scenario.toml", "--profile", "here.toml", "--json"];
    let simulated = summary(&shardlab(here, &simulate));
    let real = summary(&shardlab(here, &["run", "scenario.toml", "--json"]));
    assert_eq!(simulated["simulation"]["profile"], "here");

    let table = counts(&simulated).into_iter().zip(counts(&real));
    println!("{:<24}{:>16}{:>16}", "", "simulated", "real");
    let mut differences = Vec::new();
    for ((name, simulated), (_, real)) in table {
        println!("{name:<24}{simulated:>16}{real:>16}");
        if simulated != real {
            differences.push(name);
        }
    }
    let median = |summary: &Value, span: &str| summary["latency_ms"][span]["all"]["p50"].as_f64();
    for span in ["inclusion", "cross_shard", "settlement", "finality"] {
        let [simulated, real] = [&simulated, &real].map(|it| median(it, span).unwrap());
        println!("{:<24}{simulated:>16.3}{real:>16.3}", format!("{span} p50, ms"));
    }
    for stage in ["release", "network", "gate", "queue", "execution"] {
        let median = |it: &Value| it["latency_ms"]["cross_shard"]["stages"][stage]["p50"].as_f64();
        let [simulated, real] = [&simulated, &real].map(|it| median(it).unwrap());
        println!("{:<24}{simulated:>16.3}{real:>16.3}", format!("  {stage} p50, ms"));
    }
    assert!(differences.is_empty(), "the worlds differ in {differences:?}");
    let number = |name: &str| simulated["transactions"][name].as_u64().unwrap();
    assert!(number("settled") > 0 && number("failed") > 0, "{}", simulated["transactions"]);
    let [simulated, real] = [&simulated, &real].map(|it| median(it, "cross_shard").unwrap());
    let allowed = WITHIN_MS.max(real / 10.0);
    assert!(
        (simulated - real).abs() <= allowed,
        "cross-shard p50: {simulated} ms simulated, {real} ms real, {allowed} ms apart at most"
    );
}

/// Everybody whom `range` wants elsewhere moves once, whenever it is asked.
#[test]
fn accounts_move_alike_in_both_worlds() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let scenario = r#"
name = "moving"
seed = 5

[network]
shards = 3
validators = 4
block_time = "250ms"
checkpoint_every = "500ms"

[accounts]
count = 40

[partitioning]
strategy = "range"
epoch = 2

[[phase]]
name = "steady"
for = "5s"

[[phase.load]]
kind = "transfer"
rate = 60
"#;
    fs::write(here.join("scenario.toml"), scenario).unwrap();
    let simulated = summary(&shardlab(here, &["simulate", "scenario.toml", "--json"]));
    let real = summary(&shardlab(here, &["run", "scenario.toml", "--json"]));
    for name in ["moves", "accounts", "unfinished", "parts", "slots"] {
        let [simulated, real] = [&simulated, &real].map(|it| &it["migrations"][name]);
        println!("{name:<24}{simulated:>16}{real:>16}");
        assert_eq!(simulated, real, "{name}");
    }
    assert!(real["migrations"]["accounts"].as_u64().unwrap() > 10, "{}", real["migrations"]);
    for summary in [&simulated, &real] {
        assert_eq!(summary["transactions"]["settled"], summary["transactions"]["offered"]);
    }
    let stalled = |it: &Value| it["migrations"]["stalled_ms"]["p50"].as_f64().unwrap();
    let (simulated, real) = (stalled(&simulated), stalled(&real));
    println!("{:<24}{simulated:>16}{real:>16}", "stalled p50, ms");
    // A block more or less.
    assert!((simulated - real).abs() <= 250.0, "{simulated} ms simulated, {real} ms real");
}

#[test]
fn a_bad_profile_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    fs::write(here.join("scenario.toml"), SCENARIO).unwrap();
    fs::write(here.join("bad.toml"), "version = 1\nname = 7\n").unwrap();
    for (profile, said) in
        [("bad.toml", "bad.toml: TOML parse error at line 2"), ("none", "`none`")]
    {
        let output = Command::new(assert_cmd::cargo::cargo_bin!("shardlab"))
            .args(["simulate", "scenario.toml", "--profile", profile])
            .current_dir(here)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(said), "{err}");
    }
}

//! Runs that differ in one field, in several, in nothing; single ones and several seeds.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use sim_scenarios::report::html::comparison::FILE;
use sim_scenarios::run::complete::{World, complete};
use sim_scenarios::run::simulate::SimulateOptions;
use sim_scenarios::run::simulate_profile::{DEFAULT_PROFILE, cost_profile};
use sim_scenarios::run::{Interrupt, Progress};
use sim_scenarios::scenario::{Places, parse};

use crate::page::checked;

const SCENARIO: &str = r#"
name = "compared"

[network]
shards = 4
validators = 4
block_time = "100ms"
checkpoint_every = "400ms"

[network.links]
delay = "5ms"

[accounts]
count = 200

[[phase]]
name = "steady"
for = "12s"

[[phase.load]]
kind = "transfer"
rate = 60
"#;

/// Simulates the scenario with these changes into a directory of this name.
fn run(at: &Path, name: &str, changes: &[&str]) -> PathBuf {
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let places = Places { base: ".".into(), data: None };
    let scenario = parse("compared.toml", SCENARIO, &changes, &places).unwrap();
    let profile = cost_profile(DEFAULT_PROFILE).unwrap();
    let world = World::Simulation(SimulateOptions { profile, trace: None });
    let directory = at.join(name);
    std::fs::create_dir_all(&directory).unwrap();
    let (interrupt, progress) = (Interrupt::default(), Progress::new(true));
    complete(&scenario, &world, &directory, &interrupt, &progress, |_| ()).unwrap();
    directory
}

fn shardlab() -> Command {
    Command::cargo_bin("shardlab").unwrap()
}

/// The comparison as JSON.
fn compared(arguments: &[&str], directories: &[&Path]) -> Value {
    let mut command = shardlab();
    let output = command.arg("compare").arg("--json").args(arguments).args(directories);
    let output = output.assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

fn row<'a>(compared: &'a Value, metric: &str) -> &'a Value {
    let rows = compared["comparisons"][0]["rows"].as_array().unwrap();
    rows.iter().find(|row| row["metric"] == metric).unwrap_or_else(|| panic!("no {metric}"))
}

fn warnings(compared: &Value) -> String {
    compared["comparisons"][0]["warnings"].to_string()
}

#[test]
fn two_runs_with_the_same_arrivals() {
    let at = tempfile::tempdir().unwrap();
    let slow = run(at.path(), "slow", &[]);
    let fast = run(at.path(), "fast", &["network.checkpoint_every=200ms"]);
    let found = compared(&[], &[&slow, &fast]);
    let comparison = &found["comparisons"][0];
    let method = &comparison["method"];
    assert_eq!((&method["kind"], &method["same_arrivals"]), (&"slices".into(), &true.into()));
    assert_eq!(comparison["fields"].as_array().unwrap().len(), 1);
    assert_eq!(comparison["fields"][0]["field"], "network.checkpoint_every");
    assert_eq!(warnings(&found), "[]");
    // Half the interval: finality is earlier, and nothing else changes.
    assert_eq!(row(&found, "finality.p50")["finding"], "lower");
    assert!(row(&found, "finality.p50")["interval"][1].as_f64().unwrap() < -50.0);
    for equal in ["cross_shard_ratio", "settled_share", "cross_shard.p50"] {
        assert_eq!(row(&found, equal)["finding"], "not_shown", "{equal}");
    }
    assert_eq!(row(&found, "load_imbalance")["finding"], "too_few");
    // Seven hundred transactions: too few beyond their 99.9th percentile.
    assert_eq!(row(&found, "settlement.p999")["interval"], Value::Null);
    for (side, directory) in [("a", &slow), ("b", &fast)] {
        let summary = std::fs::read_to_string(directory.join("summary.json")).unwrap();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        let latency = &summary["latency_ms"];
        for (metric, value) in [
            ("finality.p99", &latency["finality"]["all"]["p99"]),
            ("settlement.cross.p50", &latency["settlement"]["cross"]["p50"]),
            ("throughput_tps", &summary["throughput_tps"]),
        ] {
            assert_eq!(row(&found, metric)[side], *value, "{metric}");
        }
    }
    // The same again gives the same bytes.
    assert_eq!(found, compared(&[], &[&slow, &fast]));

    let text = shardlab().arg("compare").args([&slow, &fast]).assert().success();
    let text = String::from_utf8_lossy(&text.get_output().stdout).into_owned();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("network.checkpoint_every: \"400ms\" → \"200ms\""), "{text}");
    assert!(words.contains("cannot show how runs vary from seed to seed"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 112), "{text}");
    let fails = |what: &str, one: &Path, other: &Path| {
        let mut command = shardlab();
        command.args(["compare", "--fail-if", what, "--metric", "finality"]).args([one, other]);
        command.assert().get_output().status.code()
    };
    assert_eq!(fails("worse", &slow, &fast), Some(0));
    assert_eq!(fails("worse", &fast, &slow), Some(99));
    assert_eq!(fails("any", &slow, &fast), Some(99));
}

#[test]
fn the_page_of_a_comparison() {
    let at = tempfile::tempdir().unwrap();
    let one = run(at.path(), "one", &[]);
    let two = run(at.path(), "two", &["network.checkpoint_every=200ms"]);
    let three = run(at.path(), "three", &["network.gate=checkpoint"]);
    let out = at.path().join("out");
    let mut command = shardlab();
    command.arg("compare").args([&one, &two, &three]).arg("--out").arg(&out).assert().success();
    let json = std::fs::read_to_string(out.join("compare.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    let number = |key: &str| Some(json.pointer(key)?.to_string());
    let page = checked(&out.join(FILE), number, 200, 7);
    assert!(page.contains("Settlement latency") && page.contains("network.gate"));
    let rows = json["comparisons"][1]["rows"].as_array().unwrap().len();
    let csv = std::fs::read_to_string(out.join("compare.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 * rows);
}

#[test]
fn several_seeds_on_each_side() {
    let at = tempfile::tempdir().unwrap();
    for seed in 1..=4 {
        let seed_is = format!("seed={seed}");
        run(at.path(), &format!("a/{seed}"), &[&seed_is]);
        run(at.path(), &format!("b/{seed}"), &[&seed_is, "network.checkpoint_every=200ms"]);
    }
    let found = compared(&[], &[&at.path().join("a"), &at.path().join("b")]);
    let method = &found["comparisons"][0]["method"];
    assert_eq!((&method["kind"], &method["pairs"]), (&"runs".into(), &4.into()));
    let finality = row(&found, "finality.p50");
    assert_eq!((&finality["finding"], &finality["samples"]), (&"lower".into(), &4.into()));
    assert_eq!(warnings(&found), "[]");
    let group = |name: &str, seeds: &[u32]| {
        let directories = seeds.iter().map(|it| at.path().join(name).join(it.to_string()));
        let directories: Vec<String> = directories.map(|it| it.display().to_string()).collect();
        format!("--group={name}={}", directories.join(","))
    };
    let found = compared(&[&group("a", &[1, 2]), &group("b", &[3, 4])], &[]);
    assert_eq!(found["comparisons"][0]["method"]["pairs"], Value::Null);
    assert!(warnings(&found).contains("no seed in common"));
    let mut command = shardlab();
    let one_each = command.arg("compare").arg(at.path().join("a")).arg(at.path().join("b/1"));
    let told = one_each.assert().code(2);
    let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
    assert!(told.contains("side 1 has one run and side a has several"), "{told}");
}

#[test]
fn what_makes_runs_incomparable_is_said() {
    let at = tempfile::tempdir().unwrap();
    let one = run(at.path(), "one", &[]);
    let changes = ["network.signatures=assumed", "network.shards=2", "seed=9"];
    let other = run(at.path(), "other", &changes);
    let manifest = other.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let version = concat!("\"", env!("CARGO_PKG_VERSION"), "\"");
    std::fs::write(&manifest, text.replacen(version, "\"0.0.9\"", 1)).unwrap();
    let found = warnings(&compared(&[], &[&one, &other]));
    for said in [
        "2 fields of the scenario differ (network.shards, network.signatures)",
        "signatures differs: verified in one, assumed in other",
        "version of shardlab differs",
        "the seeds differ",
    ] {
        assert!(found.contains(said), "{said}: {found}");
    }
    let same = warnings(&compared(&[], &[&one, &one]));
    assert!(same.contains("they are the same runs"), "{same}");
    let short = run(at.path(), "short", &["phase.steady.for=1s"]);
    let found = compared(&[], &[&one, &short]);
    assert!(warnings(&found).contains("too short"), "{found}");
    assert_eq!(found["comparisons"][0]["judged"], 0);
}

#[test]
fn what_is_no_run_is_refused() {
    let at = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], said: &str| {
        let mut command = shardlab();
        let told = command.current_dir(at.path()).arg("compare").args(arguments).assert().code(2);
        let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
        assert!(told.contains(said), "{told}");
    };
    std::fs::create_dir(at.path().join("empty")).unwrap();
    refused(&["empty", "empty"], "has no summary.json");
    refused(&["--group", "a"], "expected NAME=DIRECTORY");
    refused(&[], "name at least two runs");
    refused(&["--metric", "speed", "empty"], "no metric is named speed");
}

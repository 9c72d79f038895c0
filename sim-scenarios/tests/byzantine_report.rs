//! What the report says of Byzantine nodes, read as a script reads it.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// `summary.json` of the shipped scenario with `set`, shortened.
fn byzantine(name: &str, set: &[&str]) -> Value {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/byzantine.toml");
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("shardlab"));
    command.arg("simulate").arg(scenario).args(["--json", "--quiet", "--out"]);
    command.arg(directory.path().join(name));
    for set in set {
        command.args(["--set", set]);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    summary["byzantine"].clone()
}

fn accused(byzantine: &Value) -> Vec<&str> {
    let evidence = byzantine["evidence"].as_array().unwrap();
    assert!(evidence.iter().all(|row| row["verified"] == json!(true)), "{evidence:?}");
    evidence.iter().map(|row| row["accused"].as_str().unwrap()).collect()
}

#[test]
fn evidence_and_who_is_left_out_are_named() {
    let byzantine = byzantine("evidence", &[]);
    let accused = accused(&byzantine);
    for node in ["coordinator:3", "shard:2", "shard:3"] {
        assert!(accused.contains(&node), "{node}: {accused:?}");
    }
    let left_out = byzantine["left_out"].as_array().unwrap();
    assert!(left_out.iter().any(|row| row["shard"] == json!(2)), "{left_out:?}");
    // Under gate `checkpoint` nobody consumes what the committee has not taken.
    assert_eq!(byzantine["stalled"], json!([]));
}

#[test]
fn who_consumed_what_the_committee_did_not_take_is_named() {
    let byzantine = byzantine("stalled", &["network.gate=certified"]);
    let stalled = byzantine["stalled"].as_array().unwrap();
    assert!(!stalled.is_empty(), "{byzantine}");
    let honest = |row: &Value| [json!(0), json!(1)].contains(&row["shard"]);
    assert!(stalled.iter().all(honest), "{stalled:?}");
}

#[test]
fn a_state_root_that_only_execution_can_refute_is_told() {
    let set = ["byzantine[1].behaviour=lie_state_root", "byzantine[2].behaviour=skip_receipt"];
    let byzantine = byzantine("root", &set);
    let told = byzantine["false_headers"].as_array().unwrap();
    let of_two = told.iter().find(|row| row["shard"] == json!(2));
    let row = of_two.unwrap_or_else(|| panic!("{byzantine}"));
    assert!(row["count"].as_u64().unwrap() > 0, "{row}");
    // It lies from five seconds on, at four blocks per second.
    assert!((20..=30).contains(&row["height"].as_u64().unwrap()), "{row}");
}

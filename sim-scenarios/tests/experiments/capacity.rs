//! A small network whose capacity is known: its blocks hold so many transfers.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use sim_scenarios::report::html::FILE;

use crate::page::checked;

/// Two shards, one block of 210,000 gas a shard every 100 ms: 100 transfers in a second and shard
/// if nothing crosses.
const SCENARIO: &str = r#"
name = "small"
seed = 5

[network]
shards = 2
validators = 2
block_time = "100ms"
checkpoint_every = "300ms"
gas_limit = 210_000
base_fee_moves = false

[accounts]
count = 300

[client]
drain_timeout = "5s"

[[phase]]
name = "steady"
for = "4s"

[[phase.load]]
kind = "transfer"
rate = 50
arrivals = "uniform"
cross_shard = 0

[thresholds]
"steady: settlement.p99" = "< 1s"
"steady: throughput_tps" = "> 10"
"#;

fn capacity(at: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("shardlab").unwrap();
    command.current_dir(at).args(["capacity", "small.toml"]).args(arguments).assert()
}

fn ladder(at: &Path) -> Value {
    let text = std::fs::read_to_string(at.join("out/capacity.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_capacity_is_what_the_blocks_hold() {
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("small.toml"), SCENARIO).unwrap();
    let options = ["--out", "out", "--seeds", "2", "--resolution", "10%"];
    let told = capacity(at.path(), &options).success();
    let told = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
    for said in ["Knee:", "Saturated first", "of their gas", "not judged, it grows with the rate"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    let found = ladder(at.path());
    assert_eq!(found["done"], true);
    let of = |key: &str| found["capacity"][key].as_f64().unwrap();
    // Senders are not spread evenly: the fuller shard gives out first.
    assert!((120.0..=215.0).contains(&of("offered_tps")), "{told}");
    assert!(of("unmet_tps") <= of("offered_tps") * 1.1 * 1.001, "{told}");
    assert_eq!(found["capacity"]["saturated"][0]["signal"]["name"], "gas", "{told}");
    let rungs = found["rungs"].as_array().unwrap();
    let edge: Vec<&Value> = rungs.iter().filter(|rung| rung["seeds"] == 2).collect();
    assert!(edge.len() >= 2, "both sides of the edge have both seeds: {told}");

    // Each probe is a whole run that any other command understands.
    let probe = found["probes"][0]["directory"].as_str().unwrap();
    let probe = at.path().join("out").join(probe);
    assert!(probe.join("transactions.csv").is_file() && probe.join(FILE).is_file());

    let csv = std::fs::read_to_string(at.path().join("out/capacity.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + found["probes"].as_array().unwrap().len());
    let number = |key: &str| Some(found.pointer(key)?.to_string());
    let page = checked(&at.path().join("out").join(FILE), number, 50, 5);
    assert!(page.contains("Latency over throughput") && page.contains("capacity"));

    // What is done is not done again, what is missing is: a run that was interrupted has another
    // name, and one that is gone is made again, with the same result.
    let before = std::fs::metadata(probe.join("summary.json")).unwrap().modified().unwrap();
    let last = found["probes"].as_array().unwrap().last().unwrap()["directory"].as_str().unwrap();
    let last = at.path().join("out").join(last);
    let mut partial = last.clone().into_os_string();
    partial.push(".partial");
    std::fs::rename(&last, &partial).unwrap();
    capacity(at.path(), &options).success();
    let again = ladder(at.path());
    assert_eq!(again["capacity"], found["capacity"]);
    assert!(last.is_dir() && !Path::new(&partial).exists());
    let after = std::fs::metadata(probe.join("summary.json")).unwrap().modified().unwrap();
    assert_eq!(before, after);

    // Another search does not mix with this one.
    let other = ["--out", "out", "--resolution", "10%", "--set", "network.shards=3"];
    let told = capacity(at.path(), &other).code(2);
    let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
    assert!(told.contains("the scenario differs"), "{told}");

    // The report is made again from the files.
    let page = at.path().join("out").join(FILE);
    std::fs::remove_file(&page).unwrap();
    let mut report = Command::cargo_bin("shardlab").unwrap();
    report.arg("report").arg(at.path().join("out")).assert().success();
    checked(&page, |key| Some(again.pointer(key)?.to_string()), 50, 5);
}

#[test]
fn a_network_that_never_holds_ends_with_99() {
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("small.toml"), SCENARIO.replace("< 1s", "< 1ms")).unwrap();
    let options = ["--out", "out", "--seeds", "1", "--furthest", "4", "--no-curve", "--quiet"];
    let told = capacity(at.path(), &options).code(99);
    let told = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
    assert!(told.contains("no rate that was tried meets the thresholds"), "{told}");
    assert_eq!(ladder(at.path())["capacity"]["step"], Value::Null);
    let number = |key: &str| Some(ladder(at.path()).pointer(key)?.to_string());
    checked(&at.path().join("out").join(FILE), number, 10, 5);
}

#[test]
fn what_has_no_rate_is_refused() {
    let at = tempfile::tempdir().unwrap();
    let nothing = SCENARIO.split("[[phase.load]]").next().unwrap();
    std::fs::write(at.path().join("small.toml"), nothing).unwrap();
    let told = capacity(at.path(), &["--out", "out"]).code(2);
    let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
    assert!(told.contains("no phase has a load"), "{told}");
    assert!(!at.path().join("out").exists(), "nothing was begun");
}

//! A program with a strategy of its own, as a user calls it: the strategy is named wherever others
//! are, on a trace, in scenarios, and in the processes that the program starts.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Ten groups of accounts that trade with each other, one transaction in eight with another group.
fn trace() -> String {
    let mut text = String::from(
        "blockNumber,timestamp,transactionHash,from,to,toCreate,fromIsContract,toIsContract,value\n",
    );
    // An account's address, whose last digits say nothing of its group.
    let account = |group: u64, member: u64| {
        let mixed = (group * 20 + member).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        format!("0x{:040x}", (u128::from(group) << 64) | u128::from(mixed))
    };
    for number in 0_u64..6_000 {
        let group = number % 10;
        let other = if number % 8 == 0 { number / 8 % 10 } else { group };
        let (from, to) = (account(group, number / 10 % 20), account(other, number / 7 % 20));
        let _ = writeln!(text, "{number},{number},0x{number:064x},{from},{to},,0,0,1");
    }
    text
}

fn my_shardlab(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_my-shardlab"))
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn it_is_judged_on_a_trace() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("trace.csv"), trace()).unwrap();
    let judged = my_shardlab(
        directory.path(),
        &[
            "partition",
            "--trace",
            "trace.csv",
            "--strategy",
            "spinner,spinner:slack=1:rounds=3",
            "--shards",
            "5",
            "--json",
            "--quiet",
        ],
    );
    assert_eq!(judged.status.code(), Some(0), "{}", err(&judged));
    let results: serde_json::Value = serde_json::from_str(&out(&judged)).unwrap();
    let rows = results["results"].as_array().unwrap();
    let of = |strategy: &str, column: &str| {
        let row = rows.iter().find(|row| row["strategy"] == strategy);
        row.unwrap_or_else(|| panic!("{strategy}: {results}"))[column].as_f64().unwrap()
    };
    let (hash, spinner) = (of("hash", "cross_shard_ratio"), of("spinner", "cross_shard_ratio"));
    assert!(hash > 0.7 && spinner < 0.45, "{hash} {spinner}");
    assert!(of("spinner:slack=1:rounds=3", "cross_shard_ratio") < hash);
    assert!(of("spinner", "migrations") > 0.0);
}

#[test]
fn mistakes_are_told_as_those_of_other_strategies() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("trace.csv"), trace()).unwrap();
    for (strategy, expected) in [
        ("spiner", "did you mean \"spinner\"?; known are hash,"),
        (
            "spinner:x=1",
            "spinner: there is no option \"x\"; its options are epsilon, rounds, slack",
        ),
        ("spinner:slack=0", "spinner.slack must be a number above 0, at most 100, not 0"),
        ("spinner:rounds=0", "spinner.rounds must be at least 1, not 0"),
        ("spinner:epsilon=2", "spinner.epsilon must be a number from 0 to 1, not 2"),
        ("spinner:rounds=many", "spinner: invalid type: string \"many\""),
    ] {
        let arguments = ["partition", "--trace", "trace.csv", "--strategy", strategy];
        let refused = my_shardlab(directory.path(), &arguments);
        assert_eq!(refused.status.code(), Some(2));
        assert!(err(&refused).contains(expected), "{strategy}: {}", err(&refused));
    }
}

/// Epochs of two checkpoints, so that the strategy is asked several times.
const SCENARIO: &str = r#"
name = "own"
[network]
shards = 2
validators = 2
block_time = "200ms"
checkpoint_every = "400ms"
[accounts]
count = 20
[partitioning]
strategy = { name = "spinner", slack = 0.5 }
epoch = 2
[[phase]]
name = "steady"
for = "3s"
[[phase.load]]
kind = "transfer"
rate = 100
[thresholds]
"migrations.asked" = "> 0"
"migrations.failed" = "== 0"
"migrations.accounts" = "> 0"
"#;

#[test]
fn networks_of_both_worlds_ask_it() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("own.toml"), SCENARIO).unwrap();
    for world in ["simulate", "run"] {
        // The coordinators of `run` are processes of this program, which know the strategy as well.
        let ran = my_shardlab(directory.path(), &[world, "own.toml", "--out", world, "--quiet"]);
        assert_eq!(out(&ran), "own: passed\n", "{world}: {}", err(&ran));
    }
}

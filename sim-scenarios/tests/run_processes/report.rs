//! What a run that goes well leaves and prints.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::lab::{Lab, TRANSFERS};

#[test]
fn the_quickstart_leaves_what_is_promised() {
    let lab = Lab::new(include_str!("../../../scenarios/quickstart.toml"));
    let shorter = [
        "--set",
        "network.block_time=200ms",
        "--set",
        "network.checkpoint_every=600ms",
        "--set",
        "phase.warmup.for=1s",
        "--set",
        "phase.steady.for=2s",
    ];
    let run = lab.run("out", &shorter);
    run.ended(0);
    run.has_all_files();
    run.invariants_held();
    assert_eq!(run.err, "");
    for said in ["PASSED  quickstart", "4 shards, 4 coordinators", "cross-shard", "finality"] {
        assert!(run.out.contains(said), "{said}: {}", run.out);
    }
    assert!(run.file("scenario.toml").contains("block_time = \"200ms\""));

    let summary = run.summary();
    assert_eq!(summary["name"], "quickstart");
    assert_eq!(summary["seed"], 1);
    assert_eq!(summary["verdict"], "passed");
    let offered = run.count("offered");
    assert!(offered > 300, "{offered}");
    assert_eq!(run.count("settled"), offered);
    assert_eq!(run.count("admitted"), offered);
    assert!(summary["throughput_tps"].as_f64().unwrap() > 50.0);
    let ratio = summary["cross_shard_ratio"].as_f64().unwrap();
    assert!((0.6..0.9).contains(&ratio), "{ratio}");
    for span in ["inclusion", "cross_shard", "settlement", "finality"] {
        for scope in ["all", "intra", "cross"] {
            let times = &summary["latency_ms"][span][scope];
            for statistic in ["count", "p50", "p90", "p99", "p999", "max"] {
                assert!(times.get(statistic).is_some(), "{span} {scope} {statistic}");
            }
        }
        let cross = &summary["latency_ms"][span]["cross"];
        assert!(cross["p50"].as_f64() <= cross["max"].as_f64(), "{span} {cross}");
        assert!(cross["max"].as_f64().unwrap() > 0.0, "{span} {cross}");
    }
    assert!(summary["checkpoints"]["finalized"].as_u64().unwrap() >= 4);

    let transactions = run.rows("transactions.csv");
    let recorded = || transactions.iter().filter(|row| row["phase"] == "steady");
    assert_eq!(recorded().count() as u64, offered);
    assert!(transactions.len() as u64 > offered, "the warm-up is in the table too");
    assert!(recorded().all(|row| row["outcome"] == "settled" && !row["finalized_ns"].is_empty()));
    let shards: BTreeSet<String> =
        run.rows("blocks.csv").into_iter().map(|mut row| row.remove("shard").unwrap()).collect();
    assert_eq!(shards.len(), 4);
    assert!(!run.rows("checkpoints.csv").is_empty());
    assert!(run.rows("legs.csv").len() > transactions.len());

    let manifest = run.json("manifest.json");
    let processes = manifest["processes"].as_array().unwrap();
    assert_eq!(processes.len(), 4 + 4 + 1);
    assert!(manifest["cpu_seconds"].as_f64().unwrap() > 0.0);
    for process in processes {
        assert!(process["process"].as_u64().is_some() && process["report"].is_object());
        let node = process["node"].as_str().unwrap().replace(':', "-");
        if node != "client" {
            assert!(run.file(&format!("nodes/{node}.log")).contains("listening"), "{node}");
        }
    }
}

#[test]
fn json_and_nothing_else_where_a_threshold_fails() {
    let lab = Lab::new(TRANSFERS);
    let impossible = "thresholds.\"steady: transactions.settled\"=< 1";
    let run = lab.run("out", &["--json", "--set", impossible]);
    run.ended(99);
    assert_eq!(run.out, run.file("summary.json"));
    assert_eq!(run.err, "");
    let printed: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(printed["verdict"], "threshold_failed");
    assert_eq!(printed["thresholds"][0]["held"], false);
    assert!(printed["thresholds"][0]["measured"].as_f64() > Some(1.0));
}

#[test]
fn the_seed_decides_what_is_offered() {
    let lab = Lab::new(TRANSFERS);
    let start = |name: &str, seed| lab.start_run(name, &["--quiet", "--seed", seed]);
    let runs = [start("one", "7"), start("again", "7"), start("other", "8")];
    let [one, again, other] = runs.map(|run| {
        let run = run.finish();
        run.ended(0);
        assert_eq!((run.out.as_str(), run.err.as_str()), ("transfers: passed\n", ""));
        let column = |name: &str| -> Vec<String> {
            run.rows("transactions.csv").iter().map(|row| row[name].clone()).collect()
        };
        (column("hash"), column("outcome"))
    });
    assert!(one.0.len() > 20);
    assert_eq!(one, again);
    assert!(one.0.iter().all(|hash| !other.0.contains(hash)));
}

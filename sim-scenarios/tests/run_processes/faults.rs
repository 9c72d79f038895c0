//! Processes that die while a run is under way, though the scenario does not say so.

use runtime::observations::read_observations;
use runtime::records::read_records;
use shard_node::ShardRecord;

use crate::lab::{ENDLESS, Lab, TRANSFERS, kill, processes_with, until};

#[test]
fn a_killed_minority_of_coordinators_does_not_stop_a_run() {
    let lab = Lab::new(TRANSFERS);
    let run = lab.start_run("out", &["--set", "phase.steady.for=2s"]);
    run.under_way();
    kill("KILL", run.node("coordinator-3"));
    let run = run.finish();
    run.ended(0);
    run.invariants_held();
    assert_eq!(run.count("settled"), run.count("offered"));
    let summary = run.summary();
    let warning = summary["warnings"][0].as_str().unwrap();
    assert!(warning.contains("coordinator:3 died") && warning.contains("KILL"), "{warning}");
    assert!(run.out.contains("! coordinator:3 died"), "{}", run.out);
    assert_eq!(summary["incomplete"], true);
    assert!(run.rows("transactions.csv").iter().all(|row| !row["finalized_ns"].is_empty()));
}

#[test]
fn more_dead_coordinators_end_a_run() {
    let lab = Lab::new(TRANSFERS);
    let run = lab.start_run("out", ENDLESS);
    run.under_way();
    kill("KILL", run.node("coordinator-1"));
    kill("KILL", run.node("coordinator-2"));
    let run = run.finish();
    run.ended(3);
    run.has_all_files();
    run.invariants_held();
    assert_eq!(run.summary()["verdict"], "network_down");
    assert!(run.out.contains("! coordinator:"), "{}", run.out);
    assert!(run.err.contains("died (signal: 9 (SIGKILL)); the end of "), "{}", run.err);
}

#[test]
fn a_killed_shard_ends_a_run_with_a_report() {
    let lab = Lab::new(TRANSFERS);
    let run = lab.start_run("out", ENDLESS);
    run.under_way();
    kill("KILL", run.node("shard-1"));
    let run = run.finish();
    run.ended(3);
    run.has_all_files();
    run.invariants_held();
    let summary = run.summary();
    assert_eq!(summary["verdict"], "network_down");
    assert_eq!(summary["incomplete"], true);
    assert!(run.count("unfinished") > 0);
    assert!(run.out.starts_with("NETWORK DOWN  transfers"), "{}", run.out);
    assert!(run.err.starts_with("shard:1 died (signal: 9 (SIGKILL)); the end of "), "{}", run.err);
    let last = run.file("nodes/shard-1.log").lines().last().unwrap().to_owned();
    assert!(run.err.contains(&last), "{}", run.err);
    let manifest = run.json("manifest.json");
    assert!(manifest["died"].as_str().unwrap().starts_with("shard:1 died"));
}

#[test]
fn a_killed_launcher_leaves_no_process_and_readable_files() {
    let lab = Lab::new(TRANSFERS);
    let run = lab.start_run("out", ENDLESS);
    run.under_way();
    assert_eq!(processes_with(run.directory().to_str().unwrap()).len(), 1 + 2 + 4);
    kill("KILL", run.id());
    let directory = run.directory().to_owned();
    let run = run.finish();
    assert_eq!(run.code, None);
    let of_this_run = directory.to_str().unwrap();
    until("all processes end", || processes_with(of_this_run).is_empty().then_some(()));

    assert!(run.file("nodes/shard-0.log").contains("the launcher is gone"));
    let nodes = directory.join("nodes");
    for shard in ["shard-0", "shard-1"] {
        let records = read_records::<ShardRecord>(&nodes.join(format!("{shard}.records"))).unwrap();
        assert!(!records.torn, "{shard}");
        let observed = read_observations(&nodes.join(format!("{shard}.observations"))).unwrap();
        // Written at the latest when the launcher was found to be gone.
        assert!(observed.len() >= records.records.len(), "{shard}");
    }
    assert!(run.file("scenario.toml").contains("transfers"));
}

#[test]
fn a_launcher_killed_at_the_start_leaves_no_process() {
    let lab = Lab::new(TRANSFERS);
    // Each time in another state, as it happens.
    for (name, node) in [("a", "shard-0"), ("b", "shard-1"), ("c", "coordinator-3")] {
        let run = lab.start_run(name, ENDLESS);
        run.node(node);
        kill("KILL", run.id());
        let directory = run.directory().to_owned();
        assert_eq!(run.finish().code, None);
        let of_this_run = directory.to_str().unwrap();
        until("all processes end", || processes_with(of_this_run).is_empty().then_some(()));
    }
}

#[test]
fn a_network_that_does_not_start_is_reported() {
    let lab = Lab::new(TRANSFERS);
    let directory = lab.path("out");
    // Too few for the pipes of six processes.
    let few_files = "ulimit -n 20 && exec \"$0\" run scenario.toml --out \"$1\"";
    let program = assert_cmd::cargo::cargo_bin!("shardlab");
    let mut shell = std::process::Command::new("sh");
    let run = lab.start_program("out", shell.arg("-c").arg(few_files).arg(program).arg(directory));
    let run = run.finish();
    run.ended(3);
    run.has_all_files();
    assert_eq!(run.summary()["verdict"], "network_down");
    assert!(run.err.contains("Too many open files"), "{}", run.err);
    assert!(run.out.starts_with("NETWORK DOWN"), "{}", run.out);
}

//! Faults that a scenario asks for, struck by the launcher.

use serde_json::Value;

use crate::lab::{ENDLESS, Finished, Lab, Running, TRANSFERS, kill, processes_with, until};

/// A network with these faults in a phase of three seconds.
fn lab(faults: &str) -> Lab {
    let bounds = "[network.bounds]\nmempool_time = \"10s\"\n\n[accounts]";
    let scenario = TRANSFERS.replace("[accounts]", bounds).replace("for = \"1s\"", "for = \"3s\"");
    Lab::new(&format!("{scenario}\n{faults}"))
}

/// Everything settled and was final, and nothing is missing of what was measured.
#[track_caller]
fn is_whole(run: &Finished) {
    run.ended(0);
    run.has_all_files();
    run.invariants_held();
    let summary = run.summary();
    assert_eq!(run.count("settled"), run.count("offered"), "{}", summary["transactions"]);
    assert_eq!(summary["incomplete"], false, "{}", run.out);
    assert!(run.rows("transactions.csv").iter().all(|row| !row["finalized_ns"].is_empty()));
    assert!(run.rows("blocks.csv").iter().all(|row| !row["executed_ns"].is_empty()));
}

/// Kinds and targets of the faults that were at work.
fn bands(run: &Finished) -> Vec<(String, String)> {
    let summary = run.summary();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let bands = summary["faults"].as_array().unwrap().iter();
    bands.map(|band| (text(&band["kind"]), text(&band["target"]))).collect()
}

/// How often a node's log has `text`.
fn logged(run: &Finished, node: &str, text: &str) -> usize {
    run.file(&format!("nodes/{node}.log")).matches(text).count()
}

/// Whether a process stands still (SIGSTOP).
fn is_stopped(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

/// Waits until a node's first process is gone.
fn gone(run: &Running, node: &str) {
    let first = run.node(node);
    let name = format!("{node}.node");
    until(&format!("the death of {node}"), || {
        (!processes_with(&name).contains(&first)).then_some(())
    });
}

#[test]
fn all_die_at_once_and_come_back() {
    let lab = lab(r#"
        [[phase.fault]]
        kind = "crash"
        node = ["shard:*", "coordinator:*"]
        at = "800ms"
        restart_after = "400ms"
    "#);
    let run = lab.run("out", &[]);
    is_whole(&run);
    assert_eq!(bands(&run), [("crash".to_owned(), "shard:*, coordinator:*".to_owned())]);
    let band = &run.summary()["faults"][0];
    let [start, end] = ["start_ms", "end_ms"].map(|key| band[key].as_f64().unwrap());
    assert!(start >= 800.0 && end >= start, "{band}");
    for node in ["shard-0", "shard-1", "coordinator-0", "coordinator-3"] {
        assert_eq!(logged(&run, node, "listening"), 2, "{node}");
    }
    let warnings = run.summary()["warnings"].to_string();
    assert!(!warnings.contains("died") && !warnings.contains("timers"), "{warnings}");
    let manifest = run.json("manifest.json");
    assert!(manifest["processes"].as_array().unwrap().iter().all(|it| !it["report"].is_null()));
}

#[test]
fn paused_nodes_go_on() {
    let lab = lab(r#"
        [[phase.fault]]
        kind = "pause"
        node = ["shard:0", "leader"]
        at = "500ms"
        for = "700ms"
        [[phase.fault]]
        kind = "pause"
        node = "shard:*"
        at = "1s"
        for = "700ms"
    "#);
    let run = lab.run("out", &[]);
    is_whole(&run);
    assert_eq!(bands(&run).len(), 2);
}

#[test]
fn streams_mend_what_a_network_breaks() {
    let lab = lab(r#"
        [[phase.fault]]
        kind = "disconnect"
        from = "shard:0"
        to = "*"
        one_way = true
        at = "300ms"
        for = "900ms"
        [[phase.fault]]
        kind = "loss"
        from = "*"
        to = "*"
        share = "10%"
        at = "1s"
        for = "1m"
        [[phase.fault]]
        kind = "duplicate"
        from = "client"
        to = "shard:*"
        share = 1
        for = "1m"
        [[phase.fault]]
        kind = "crash"
        node = "shard:1"
        at = "1500ms"
        restart_after = "200ms"
    "#);
    let run = lab.run("out", &[]);
    is_whole(&run);
    let kinds: Vec<String> = bands(&run).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["disconnect", "loss", "duplicate", "crash"]);
    // Shard 0 was not heard while it was disconnected.
    assert!(logged(&run, "shard-0", "faults=[Disconnected]") > 0);
    assert!(logged(&run, "coordinator-0", "faults=[Lossy { per_mille: 100 }]") > 0);
    // Shard 1 is told again in its second life.
    let both = "faults=[Duplicating { per_mille: 1000 }, Lossy { per_mille: 100 }]";
    assert_eq!(logged(&run, "shard-1", both), 2);
}

#[test]
fn a_shard_that_stays_dead_leaves_transactions_unfinished() {
    let lab = lab(r#"
        [[phase.fault]]
        kind = "crash"
        node = "shard:1"
        at = "500ms"
        [client]
        drain_timeout = "1s"
        [thresholds]
        "transactions.unfinished" = "== 0"
    "#);
    let run = lab.run("out", &[]);
    run.has_all_files();
    let summary = run.summary();
    assert!(run.count("unfinished") > 0);
    assert_eq!(summary["faults"][0]["end_ms"], Value::Null, "it lasted");
    assert_eq!(summary["incomplete"], false, "{}", run.out);
    assert_eq!(summary["invariants"]["liveness"]["verdict"], "not_applicable");
    run.invariants_held();
    assert!(run.out.contains("fault  crash of shard:1: "), "{}", run.out);
    run.ended(99);
}

#[test]
fn a_restart_that_fails_ends_the_run() {
    let lab = lab(r#"
        [[phase.fault]]
        kind = "crash"
        node = "shard:1"
        at = "300ms"
        restart_after = "2s"
    "#);
    let run = lab.start_run("out", ENDLESS);
    run.under_way();
    gone(&run, "shard-1");
    std::fs::write(run.directory().join("nodes/shard-1.node"), "spoilt").unwrap();
    let run = run.finish();
    run.ended(3);
    run.has_all_files();
    assert_eq!(run.summary()["verdict"], "network_down");
    assert!(run.err.starts_with("the fault `crash shard:1` failed: "), "{}", run.err);
    assert!(run.err.contains("not a node file of this version of shardlab"), "{}", run.err);
}

#[test]
fn an_interrupt_in_the_midst_of_faults() {
    let lab = lab(r#"
        [[phase.fault]]
        kind = "pause"
        node = "shard:0"
        at = "300ms"
        for = "1h"
        [[phase.fault]]
        kind = "crash"
        node = "coordinator:1"
        at = "300ms"
        restart_after = "1h"
        [[phase.fault]]
        kind = "disconnect"
        from = "client"
        to = "*"
        at = "300ms"
        for = "1h"
    "#);
    let run = lab.start_run("out", ENDLESS);
    run.under_way();
    let shard = run.node("shard-0");
    gone(&run, "coordinator-1");
    until("a pause", || is_stopped(shard).then_some(()));
    kill("INT", run.id());
    let run = run.finish();
    run.ended(130);
    run.has_all_files();
    let summary = run.summary();
    let ends: Vec<&Value> =
        summary["faults"].as_array().unwrap().iter().map(|band| &band["end_ms"]).collect();
    assert!(ends.iter().all(|end| end.is_null()), "{ends:?}");
    assert_eq!(summary["incomplete"], false, "{}", run.out);
}

#[test]
fn a_killed_launcher_leaves_no_paused_process() {
    let lab = lab(r#"
        [[phase.fault]]
        kind = "pause"
        node = ["shard:*", "coordinator:*"]
        at = "300ms"
        for = "1h"
    "#);
    let run = lab.start_run("out", ENDLESS);
    run.under_way();
    let shard = run.node("shard-1");
    until("a pause", || is_stopped(shard).then_some(()));
    kill("KILL", run.id());
    let directory = run.directory().to_owned();
    assert_eq!(run.finish().code, None);
    let of_this_run = directory.to_str().unwrap();
    until("all processes end", || processes_with(of_this_run).is_empty().then_some(()));
}

//! Ctrl-C and SIGTERM.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::lab::{ENDLESS, Lab, Running, TRANSFERS, kill, processes_with, signal, until};

/// What `/metrics` of a node of a run answers, from the address in its log.
fn metrics(run: &Running, node: &str) -> Option<String> {
    let log = run.directory().join(format!("nodes/{node}.log"));
    let log = std::fs::read_to_string(log).unwrap();
    let (_, rest) = log.split_once("metrics=http://")?;
    let (address, _) = rest.split_once("/metrics")?;
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Some(answer)
}

/// The value of a metric without labels.
fn value(answer: &str, name: &str) -> Option<u64> {
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.parse().ok()
}

#[test]
fn metrics_during_a_run_and_its_end_by_ctrl_c() {
    let lab = Lab::new(TRANSFERS);
    let run = lab.start_run("out", ENDLESS);
    run.under_way();
    let answer = until("blocks in /metrics", || {
        let answer = metrics(&run, "shard-1")?;
        (value(&answer, "shardlab_height")? >= 2).then_some(answer)
    });
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/openmetrics-text"), "{answer}");
    assert!(answer.contains("# TYPE shardlab_height gauge\n"), "{answer}");
    assert!(value(&answer, "shardlab_admitted_total").is_some(), "{answer}");
    assert!(answer.trim_end().ends_with("# EOF"), "{answer}");
    until("a checkpoint", || {
        let answer = metrics(&run, "coordinator-0")?;
        (value(&answer, "shardlab_checkpoint")? >= 1).then_some(())
    });

    kill("INT", run.id());
    let run = run.finish();
    run.ended(130);
    run.has_all_files();
    run.invariants_held();
    assert!(run.out.starts_with("INTERRUPTED  transfers"), "{}", run.out);
    let summary = run.summary();
    assert_eq!(summary["verdict"], "interrupted");
    assert_eq!(summary["interrupted"], true);
    assert_eq!(summary["incomplete"], false);
    assert!(run.count("settled") > 0);
    assert!(summary["transactions"]["not_due"].as_u64().unwrap() > 0);
}

#[test]
fn sigterm_ends_a_run_like_ctrl_c() {
    let lab = Lab::new(TRANSFERS);
    let run = lab.start_run("out", &[ENDLESS, &["--json"]].concat());
    run.under_way();
    kill("TERM", run.id());
    let run = run.finish();
    run.ended(130);
    run.has_all_files();
    assert_eq!(run.out, run.file("summary.json"));
    assert_eq!(run.err, "");
}

/// Whatever state the start is in, nothing is left, and there is a report.
#[test]
fn ctrl_c_while_the_network_starts() {
    let lab = Lab::new(TRANSFERS);
    let run = lab.start_run("out", ENDLESS);
    run.node("shard-0");
    kill("INT", run.id());
    let run = run.finish();
    run.ended(130);
    run.has_all_files();
    assert_eq!(run.summary()["verdict"], "interrupted");
}

#[test]
fn a_stuck_process_is_killed_and_reported() {
    let lab = Lab::new(TRANSFERS);
    let run = lab.start_run("out", ENDLESS);
    run.under_way();
    kill("STOP", run.node("shard-1"));
    kill("INT", run.id());
    let run = run.finish();
    run.ended(3);
    run.has_all_files();
    run.invariants_held();
    assert_eq!(run.summary()["verdict"], "network_down");
    assert!(run.err.contains("shard:1 died (did not end within 10s"), "{}", run.err);
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_a_stuck_process() {
    let lab = Lab::new(TRANSFERS);
    let run = lab.start_run("out", ENDLESS);
    run.under_way();
    let (stuck, other) = (run.node("shard-1"), run.node("shard-0"));
    kill("STOP", stuck);
    kill("INT", run.id());
    let of_this_run = run.directory().to_str().unwrap().to_owned();
    // The others have stopped: the first one was heard, and the launcher waits for the stuck one.
    until("shard-0 ends", || (!processes_with(&of_this_run).contains(&other)).then_some(()));
    kill("INT", run.id());
    assert_eq!(run.finish().code, Some(130));
    // The system wakes a stopped process with SIGHUP when its launcher ends, but not everywhere.
    until("the stuck one ends", || {
        let left = processes_with(&of_this_run);
        for process in &left {
            signal("CONT", *process);
        }
        left.is_empty().then_some(())
    });
}

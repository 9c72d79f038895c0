//! `report.html` of large runs stays small: tables written by hand, with as much of everything as a
//! large run has.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;
use sim_scenarios::report::csv_files;
use sim_scenarios::report::html::{FILE, write};

use crate::html::{checked, written};
use crate::numbers::everything;

/// The promise of docs/output.md.
const MOST_BYTES: u64 = 3_000_000;

/// A run's files with so many shards, blocks of each, and transactions.
fn large(shards: u64, blocks: u64, transactions: u64) -> tempfile::TempDir {
    let directory = written(&everything());
    let path = directory.path();
    let text = std::fs::read_to_string(path.join("summary.json")).unwrap();
    let mut summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let shard = summary["by_shard"][0].clone();
    let rows = (0..shards).map(|at| {
        let mut row = shard.clone();
        row["shard"] = json!(at);
        row["load"] = json!(at as f64 + 0.5);
        row
    });
    summary["by_shard"] = rows.collect();
    let fault = |at: u64| {
        json!({"network": 0, "kind": "crash", "target": format!("shard:{at}"),
               "start_ms": at, "end_ms": at + 500})
    };
    summary["faults"] = (0..1_000).map(fault).collect();
    let refusals = (0..500).map(|at| (format!("reason_{at}"), json!(at)));
    summary["refusals"] = refusals.collect::<serde_json::Map<_, _>>().into();
    summary["warnings"] = (0..5_000).map(|_| json!("a long warning ".repeat(300))).collect();
    std::fs::write(path.join("summary.json"), summary.to_string()).unwrap();
    tables(path, shards, blocks, transactions);
    directory
}

fn tables(path: &Path, shards: u64, blocks: u64, transactions: u64) {
    let nanos = |block: u64, shard: u64| block * 500_000_000 + shard * 1_000_000;
    let mut text = csv_files::BLOCKS.join(",") + "\n";
    for (shard, height) in (0..shards).flat_map(|shard| (1..=blocks).map(move |it| (shard, it))) {
        let executed = nanos(height, shard);
        let waiting = (height * 7 + shard * 13) % 999;
        let _ = writeln!(
            text,
            "0,{shard},{height},0x00,{waiting},9,9,0,1,2,3,{waiting},{waiting},{waiting},0,0,\
             {height},{0},{executed},{executed},{executed}",
            executed - 1
        );
    }
    std::fs::write(path.join("blocks.csv"), text).unwrap();
    let mut text = csv_files::CHECKPOINTS.join(",") + "\n";
    for number in 1..=blocks {
        let proposed = nanos(number, 0);
        let _ =
            writeln!(text, "0,{number},9,9,0,4,{proposed},{},{}", proposed + number, number % 3);
    }
    std::fs::write(path.join("checkpoints.csv"), text).unwrap();
    let mut text = csv_files::TRANSACTIONS.join(",") + "\n";
    let mut legs = csv_files::LEGS.join(",") + "\n";
    for index in 0..transactions {
        let (source, shard) = (index % shards, index * 7 % shards);
        let due = nanos(index % blocks, 0);
        let executed = due + 1_000_000 + index * 100;
        let settled = executed + index * 1_000;
        let _ = writeln!(
            text,
            "0,{index},0x{index:064x},transfer,steady,0,false,0xa,0xb,{source},settled,,,cross,2,2,\
             1,{due},{due},{due},,{executed},{executed},{executed},{executed},{settled},{settled},\
             {settled},{settled},1,2,3,4,5"
        );
        for leg in 0..2 {
            let from = if leg == 0 { String::new() } else { source.to_string() };
            let _ = writeln!(
                legs,
                "0,{index},{leg},call,{shard},{},0,{from},1,1,succeeded,1,0,0,{executed},{executed},\
                 {executed},{executed},{settled},{settled}",
                index % blocks + 1
            );
        }
    }
    std::fs::write(path.join("transactions.csv"), text).unwrap();
    std::fs::write(path.join("legs.csv"), legs).unwrap();
}

#[test]
fn large_runs_have_small_reports() {
    // The most lines of their own, and far more shards than that.
    for (shards, blocks, words) in [(40, 600, "shard 39"), (256, 300, "256 shards: the band")] {
        let run = large(shards, blocks, 30_000);
        let size = std::fs::metadata(write(run.path()).unwrap()).unwrap().len();
        assert!(size < MOST_BYTES, "{shards} shards: {size} bytes");
        let page = checked(run.path());
        assert_eq!(page.len() as u64, size);
        assert!(page.contains(words), "{words}");
        assert!(page.contains("to a point: the longest latency"));
        assert!(page.contains("between groups of 7 shards") == (shards == 256));
    }
    assert_eq!(FILE, "report.html");
}

//! The files of a run, read back.

use std::collections::BTreeMap;
use std::path::Path;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use sim_scenarios::metrics::{Substitute, measure};
use sim_scenarios::report::{self, FILES};

use crate::numbers::{CROSS, IN_FLIGHT, TWO_HOPS, everything};

fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
fn every_file_is_written_and_says_the_same() {
    let mut world = everything();
    let address = alloy_primitives::Address::ZERO;
    world.run.substitutes.push(Substitute { trace: address, address, sends: true });
    let measured = measure(&world.run);
    let directory = tempfile::tempdir().unwrap();
    report::write(&measured, directory.path()).unwrap();
    for file in FILES {
        assert!(directory.path().join(file).is_file(), "{file}");
    }
    let transactions = table(&directory.path().join("transactions.csv"));
    assert_eq!(transactions.len(), 12);
    for (tx, column, value) in [
        (CROSS, "outcome", "settled"),
        (CROSS, "phase", "steady"),
        (CROSS, "class", "cross"),
        (CROSS, "executed_ns", "203000000"),
        (CROSS, "released_ns", "205000000"),
        (CROSS, "arrived_ns", "215000000"),
        (CROSS, "accepted_ns", "216000000"),
        (CROSS, "destination_started_ns", "300000000"),
        (CROSS, "destination_executed_ns", "306000000"),
        (CROSS, "finalized_ns", "700000000"),
        (CROSS, "queue_stage_ns", "84000000"),
        (IN_FLIGHT, "settled_ns", ""),
        (TWO_HOPS, "legs", "3"),
        (TWO_HOPS, "destination_executed_ns", "404000000"),
    ] {
        assert_eq!(transactions[tx][column], value, "{tx} {column}");
    }
    let legs = table(&directory.path().join("legs.csv"));
    let own: Vec<_> =
        legs.iter().filter(|leg| leg["transaction"] == TWO_HOPS.to_string()).collect();
    let told: Vec<_> = own
        .iter()
        .map(|leg| (&*leg["leg"], &*leg["kind"], &*leg["shard"], &*leg["source"]))
        .collect();
    assert_eq!(
        told,
        [("0", "transaction", "0", ""), ("1", "call", "1", "0"), ("2", "call", "0", "1")]
    );
    let blocks = table(&directory.path().join("blocks.csv"));
    assert_eq!(blocks.len(), 4);
    assert_eq!((&*blocks[3]["checkpoint"], &*blocks[3]["receipts_in"]), ("2", "3"));
    let checkpoints = table(&directory.path().join("checkpoints.csv"));
    assert_eq!((checkpoints.len(), &*checkpoints[0]["finalized_ns"]), (2, "455000000"));
    assert_eq!(table(&directory.path().join("senders.csv")).len(), 1);
    let manifest = std::fs::read_to_string(directory.path().join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["schema_version"], report::SCHEMA_VERSION);
}

#[test]
fn histogram_logs_are_read_back() {
    let world = everything();
    let measured = measure(&world.run);
    let directory = tempfile::tempdir().unwrap();
    report::write(&measured, directory.path()).unwrap();
    for (file, tag, count, max) in [
        ("inclusion.hlog", None, 6, 249),
        ("inclusion.hlog", Some("intra"), 2, 135),
        ("cross_shard.hlog", None, 3, 201),
        ("cross_shard.hlog", Some("queue"), 3, 164),
        ("settlement.hlog", Some("cross"), 2, 244),
        ("finality.hlog", None, 4, 590),
    ] {
        let found = read_log(&directory.path().join(file), tag);
        assert_eq!(found.len(), count, "{file} {tag:?}");
        let rounded = found.max() / 1_000_000;
        assert_eq!(rounded, max, "{file} {tag:?}");
    }
}

/// All intervals of one tag together.
fn read_log(path: &Path, tag: Option<&str>) -> Histogram<u64> {
    let text = std::fs::read(path).unwrap();
    let mut sum = Histogram::<u64>::new(3).unwrap();
    let mut before = std::time::Duration::ZERO;
    for entry in IntervalLogIterator::new(&text) {
        let LogEntry::Interval(interval) = entry.unwrap() else { continue };
        assert!(interval.start_timestamp() >= before, "in order of time");
        before = interval.start_timestamp();
        if interval.tag().map(|tag| tag.as_str()) == tag {
            let bytes = base64(interval.encoded_histogram());
            let part: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
            sum.add(part).unwrap();
        }
    }
    sum
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        bits = (bits << 6) | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    bytes
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let world = everything();
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("blocks.csv")).unwrap();
    let error = report::write(&measure(&world.run), directory.path()).unwrap_err();
    assert!(error.to_string().contains("blocks.csv"), "{error}");
    // What comes first is there nevertheless.
    assert!(directory.path().join("summary.json").is_file());
}

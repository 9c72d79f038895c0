//! The committee goes on: in good times at full pace, and again when faults stop.

mod network;

use std::collections::BTreeMap;

use consensus::Record;
use network::{Faults, Network, Stamp, keyrings, millis};

fn calm() -> Faults {
    Faults { judge: millis(1), jitter: millis(5), ..Faults::default() }
}

#[test]
fn every_size_keeps_the_interval() {
    for n in [1, 2, 3, 4, 7] {
        let mut network = Network::new(keyrings(n), n as u64);
        network.run(millis(1_000));
        // A value is due every 100 ms plus what it takes to propose it.
        assert!(network.lowest() >= 8, "n = {n}: {}", network.lowest());
        assert_eq!(network.skipped, 0, "n = {n}");
        assert_eq!(network.sent.get("request"), None, "n = {n}: nothing is missing");
    }
}

#[test]
fn a_single_validator_finalizes_at_once() {
    let mut network = Network::new(keyrings(1), 1);
    network.run(millis(10_000));
    assert!(network.lowest() >= 90);
    assert!(network.sent.is_empty(), "it has nobody to talk to");
}

#[test]
fn each_kind_of_message_may_be_lost() {
    let kinds = [
        "propose",
        "notarize",
        "nullify",
        "finalize",
        "certificate",
        "retry",
        "request",
        "response",
        "finalized",
    ];
    for (seed, kind) in kinds.into_iter().enumerate() {
        for permille in [300, 1_000] {
            let mut network = Network::new(Stamp::committee(4), seed as u64);
            // A dead leader makes nullify, retry and fetching matter.
            network.crash(3);
            network.faults.class_loss = BTreeMap::from([(kind, permille)]);
            network.run(millis(5_000));
            network.faults = calm();
            network.restart(3);
            network.run(millis(3_000));
            network.require_progress(millis(2_000), 10);
        }
    }
}

#[test]
fn a_third_may_be_dead_and_timeouts_come_back() {
    for (n, dead) in [(4, vec![1]), (7, vec![2, 3])] {
        let mut network = Network::new(Stamp::committee(n), 5);
        for process in dead {
            network.crash(process);
        }
        network.run(millis(2_000));
        // A round of 4 views with a dead leader takes at most 3 · 110 + 120 + retries.
        network.require_progress(millis(10_000), 50);
        assert!(network.skipped > 0);
    }
}

#[test]
fn too_many_dead_stop_it_and_their_return_starts_it() {
    let mut network = Network::new(Stamp::committee(4), 6);
    network.run(millis(1_000));
    network.crash(0);
    network.crash(1);
    network.run(millis(500));
    let stopped = network.highest();
    network.run(millis(20_000));
    assert_eq!(network.highest(), stopped);
    network.restart(0);
    network.run(millis(2_500));
    network.require_progress(millis(2_000), 8);
    network.restart(1);
    network.run(millis(1_000));
    network.require_progress(millis(2_000), 10);
}

#[test]
fn the_whole_committee_may_crash() {
    for n in [1, 2, 3, 4, 7] {
        for seed in 0..10 {
            let mut network = Network::new(Stamp::committee(n), seed);
            // Somewhere in the middle of a view.
            network.run(millis(1_000 + 7 * seed));
            for process in 0..n {
                network.crash(process);
            }
            network.run(millis(1_000));
            for process in 0..n {
                network.restart(process);
            }
            network.run(millis(1_500));
            network.require_progress(millis(1_000), 5);
        }
    }
}

#[test]
fn a_partition_stops_it_and_healing_starts_it() {
    let mut network = Network::new(Stamp::committee(4), 7);
    network.run(millis(1_000));
    network.faults.partition = Some(vec![0, 0, 1, 1]);
    network.run(millis(500));
    let stopped = network.highest();
    network.run(millis(10_000));
    assert_eq!(network.highest(), stopped, "no side has a quorum");
    network.faults.partition = Some(vec![0, 0, 0, 1]);
    network.run(millis(3_000));
    assert!(network.highest() > stopped + 5, "three are a quorum");
    network.faults.partition = None;
    network.run(millis(1_000));
    network.require_progress(millis(2_000), 10);
}

#[test]
fn one_who_comes_late_catches_up() {
    let mut network = Network::new(keyrings(4), 8);
    network.crash(2);
    network.run(millis(20_000));
    let ahead = network.highest();
    assert!(ahead > 2 * consensus::message::MAX_RUNS as u64, "more than one answer: {ahead}");
    network.restart(2);
    network.run(millis(1_000));
    network.require_progress(millis(1_000), 5);
}

#[test]
fn slow_judgement_costs_views_but_not_liveness() {
    let mut network = Network::new(Stamp::committee(4), 9);
    // Longer than the timeout: views fail until the timeouts have grown.
    network.faults.judge = millis(300);
    network.faults.not_yet = 300;
    network.run(millis(5_000));
    assert!(network.skipped > 0);
    assert!(network.lowest() > 2, "timeouts grow until it works: {}", network.lowest());
    network.faults = calm();
    network.run(millis(2_500));
    network.require_progress(millis(1_000), 8);
}

#[test]
fn invalid_values_are_skipped_at_once() {
    let mut network = Network::new(Stamp::committee(4), 10);
    network.faults.invalid = 300;
    network.require_progress(millis(5_000), 20);
    assert!(network.skipped > 5);
    let longest = network.processes[0].finalized.iter().map(|run| run.values.len()).max();
    assert_eq!(longest, Some(1), "honest voters give each value its own certificate");
}

#[test]
fn a_record_is_what_the_codec_carries() {
    use cross_shard_msg::codec;
    let mut network = Network::new(keyrings(4), 11);
    network.run(millis(500));
    let run = network.processes[0].finalized[0].clone();
    let record = Record::Finalized(run);
    let bytes = codec::encode_record(&record).unwrap();
    assert_eq!(codec::decode::<Record<network::Number>>(&bytes).unwrap(), record);
}

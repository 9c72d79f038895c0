//! The swarm finds each planted bug, from several starting points. Needs the feature `planted-bugs`:
//!
//! cargo test --release -p sim-scenarios --features planted-bugs --test planted -- --nocapture

use consensus::quorum::planted::{Bug, plant};
use sim_scenarios::swarm::{draw, run_trial};

/// Seeds that a bug may take from each starting point.
const MOST: u64 = 1_500;
/// Where the search starts.
const STARTS: [u64; 3] = [0, 1_000_000, 2_000_000];

/// How many seeds the swarm needs from `start` on, and what it says.
fn search(bug: Bug, start: u64) -> (u64, String) {
    for seed in start..start + MOST {
        let options = draw(seed).unwrap_or_else(|error| panic!("{error}"));
        plant(Some(bug));
        let trial = run_trial(&options);
        plant(None);
        if let Some(failure) = trial.failure {
            let sound = run_trial(&options).failure;
            assert_eq!(sound, None, "seed {seed} fails without {bug:?}, too");
            return (seed - start + 1, failure.to_string());
        }
    }
    panic!("{bug:?} was not found within {MOST} seeds from {start}");
}

fn find(bug: Bug) {
    let mut took: Vec<(u64, String)> = STARTS.map(|start| search(bug, start)).into();
    took.sort();
    let median = &took[STARTS.len() / 2];
    println!(
        "{bug:?}: median {} of {:?}",
        median.0,
        took.iter().map(|it| it.0).collect::<Vec<_>>()
    );
    println!("    {}", median.1);
}

#[test]
fn a_quorum_of_2f_is_found() {
    find(Bug::Quorum);
}

#[test]
fn a_missing_watermark_check_is_found() {
    find(Bug::Watermark);
}

#[test]
fn a_vote_that_is_sent_before_it_is_durable_is_found() {
    find(Bug::HastyVote);
}

#[test]
fn a_refund_that_is_paid_twice_is_found() {
    find(Bug::RefundTwice);
}

#[test]
fn a_proof_that_is_not_verified_is_found() {
    find(Bug::Proof);
}

#[test]
fn a_lost_pull_is_found() {
    find(Bug::LostPull);
}

//! Both protocols decide the same.

use std::collections::BTreeSet;

use consensus_differential::{Decisions, Setting, proposal, proposed, simplex, tendermint};

const FAST: (u64, u64) = (1, 30);

fn setting(validators: usize, silent: Option<usize>, seed: u64) -> Setting {
    Setting { validators, silent, seed, delay: FAST, decisions: 40 }
}

/// The one sequence that all validators of a committee decided.
fn agreed(decisions: &Decisions) -> Vec<u64> {
    let sequences: BTreeSet<&Vec<u64>> = decisions.values().collect();
    assert_eq!(sequences.len(), 1, "the committee is divided: {decisions:?}");
    let sequence = sequences.into_iter().next().unwrap().clone();
    for (index, value) in sequence.iter().enumerate() {
        assert_eq!(proposed(*value).1, index as u64 + 1, "one value for each position, in order");
    }
    sequence
}

/// What is decided when every turn but those of the silent succeeds.
fn expected(setting: Setting) -> Vec<u64> {
    let turns = (1..).map(|turn| turn % setting.validators);
    let leaders = turns.filter(|leader| Some(*leader) != setting.silent);
    leaders
        .zip(1..)
        .map(|(leader, number)| proposal(leader, number))
        .take(setting.decisions)
        .collect()
}

#[test]
fn without_faults_both_decide_the_same_sequence() {
    for validators in [1, 4, 7] {
        for seed in 0..20 {
            let setting = setting(validators, None, seed);
            let ours = agreed(&simplex::decide(setting));
            let theirs = agreed(&tendermint::decide(setting));
            assert_eq!(ours, theirs, "{setting:?}");
            assert_eq!(ours, expected(setting), "{setting:?}");
        }
    }
}

#[test]
fn both_pass_over_a_silent_leader() {
    for (validators, silent) in [(4, 0), (4, 1), (4, 2), (4, 3), (7, 5)] {
        for seed in 0..10 {
            let setting = setting(validators, Some(silent), seed);
            let ours = agreed(&simplex::decide(setting));
            let theirs = agreed(&tendermint::decide(setting));
            assert_eq!(ours, theirs, "{setting:?}");
            assert_eq!(ours, expected(setting), "{setting:?}");
            assert!(ours.iter().all(|value| proposed(*value).0 != silent));
        }
    }
}

/// Which turns fail differs then, but each committee agrees, on what its leaders proposed.
#[test]
fn with_long_delays_each_agrees_with_itself() {
    let mut late = 0;
    for seed in 0..20 {
        let setting =
            Setting { delay: (1, 600), decisions: 15, ..setting(4, Some(seed as usize % 4), seed) };
        for decisions in [simplex::decide(setting), tendermint::decide(setting)] {
            let sequence = agreed(&decisions);
            assert!(sequence.iter().all(|value| Some(proposed(*value).0) != setting.silent));
            late += usize::from(sequence != expected(setting));
        }
    }
    assert!(late > 10, "the delays make turns fail: {late}");
}

/// Without this the tests above might compare what can not differ.
#[test]
fn other_silence_and_other_sizes_decide_otherwise() {
    let ours = |validators, silent| agreed(&simplex::decide(setting(validators, silent, 1)));
    let theirs = |validators, silent| agreed(&tendermint::decide(setting(validators, silent, 1)));
    assert_ne!(ours(4, Some(1)), theirs(4, Some(2)));
    assert_ne!(ours(4, None), theirs(4, Some(2)));
    assert_ne!(ours(4, None), theirs(7, None));
}

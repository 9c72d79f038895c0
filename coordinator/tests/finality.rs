//! What is final is proven to whoever asks.

mod support;

use consensus::checkpoint::{FinalityError, committee, verify_finalized};
use consensus::{Certificate, FinalizationCertificate, Finalized, Keyring, Kind, Value, Vote};
use coordinator::finality::{self, Finality};
use coordinator::proposal::build;
use coordinator::{CheckpointState, CheckpointValue};
use cross_shard_msg::{
    CheckpointNumber, Duration, Message, NodeId, Settings, ShardId, Timestamp, View,
};

use support::committee::{Committee, traffic};
use support::shards::{INTERVAL, Shards, settings, validator_key};

#[test]
fn shards_and_clients_get_the_checkpoints_that_they_miss() {
    let network = settings(2, 4);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    traffic(&mut committee, &mut shards, &mut [0; 2], 8);
    committee.run(INTERVAL.divided(2));
    let all = committee.finalized[2].clone();
    for (from, asks, expected) in [
        (0, NodeId::Client, &all[..]),
        (1, NodeId::Client, &all[..]),
        (4, NodeId::Shard(ShardId(1)), &all[3..]),
        (1_000, NodeId::Client, &[]),
        (u64::MAX, NodeId::Client, &[]),
    ] {
        committee.answers.clear();
        committee.post(asks, 2, Message::PullCheckpoints { from: CheckpointNumber(from) });
        committee.run(Duration::from_millis(25));
        let answers: Vec<_> = expected
            .iter()
            .map(|finalized| (asks, Message::Finalized(finalized.clone())))
            .collect();
        assert_eq!(committee.answers, answers);
    }
    assert!(all.len() <= finality::MAX_SERVED_CHECKPOINTS);
}

#[test]
fn a_certificate_proves_its_own_checkpoint_only() {
    let network = settings(2, 4);
    let (mut committee_, mut shards) = (Committee::new(&network), Shards::new(&network));
    traffic(&mut committee_, &mut shards, &mut [0; 2], 4);
    let keys = committee(&network).unwrap();
    let [first, second, ..] = &committee_.finalized[0][..] else { panic!("two are final") };
    verify_finalized(&keys, first).unwrap();
    let mut swapped = first.clone();
    swapped.certificate = second.certificate.clone();
    assert!(matches!(verify_finalized(&keys, &swapped), Err(FinalityError::Certificate(_))));
    let mut cut = first.clone();
    cut.certificate = cut.certificate.slice(..cut.certificate.len() - 1);
    assert!(matches!(verify_finalized(&keys, &cut), Err(FinalityError::Malformed(_))));
    let strangers = committee(&settings(2, 7)).unwrap();
    assert!(verify_finalized(&strangers, first).is_err());
}

/// The run of two checkpoints that one certificate makes final: the view of the first was notarized
/// and too few voted to finalize it.
fn run_of_two(network: &Settings) -> Finalized<CheckpointValue> {
    let mut shards = Shards::new(network);
    let mut state = CheckpointState::genesis(network);
    let mut values = Vec::new();
    for number in 1..=2 {
        shards.round();
        let timestamp = Timestamp(number * INTERVAL.0);
        let (value, _) = build(&state, network, &shards.pool(&state), timestamp, &[]).unwrap();
        state = state.apply(&value);
        values.push(value);
    }
    let vote = |index| {
        let keys = Keyring::new(committee(network).unwrap(), validator_key(index)).unwrap();
        Vote::sign(&keys, View(7), Kind::Finalize, state.digest())
    };
    let votes = [vote(0), vote(1), vote(3)];
    let certificate = Certificate {
        epoch: votes[0].epoch,
        view: votes[0].view,
        kind: Kind::Finalize,
        digest: state.digest(),
        signatures: votes.iter().map(|vote| (vote.validator, vote.signature)).collect(),
    };
    Finalized { values, certificate: FinalizationCertificate::new(certificate).unwrap() }
}

#[test]
fn a_checkpoint_without_its_own_certificate_is_proven_by_a_descendant() {
    let network = settings(2, 4);
    let keys = committee(&network).unwrap();
    let run = run_of_two(&network);
    let finalized = finality::finalized_checkpoints(&run);
    assert_eq!(finalized.len(), 2);
    for finalized in &finalized {
        verify_finalized(&keys, finalized).unwrap();
    }
    // The second one's proof does not prove the first.
    let mut short = finalized[0].clone();
    short.certificate = finalized[1].certificate.clone();
    assert!(matches!(verify_finalized(&keys, &short), Err(FinalityError::Certificate(_))));
    let mut long = finalized[1].clone();
    long.certificate = finalized[0].certificate.clone();
    assert!(matches!(verify_finalized(&keys, &long), Err(FinalityError::Chain(0))));
}

#[test]
fn runs_are_served_from_where_the_other_side_is() {
    let network = settings(2, 4);
    let run = run_of_two(&network);
    let mut kept = Finality::new(&network);
    kept.extend(&run);
    let served = |after| {
        let runs = kept.runs(after, 8);
        runs.iter().flat_map(|run| run.values.iter().map(Value::number)).collect::<Vec<_>>()
    };
    assert_eq!(served(0), [1, 2]);
    assert_eq!(served(1), [2]);
    assert_eq!((served(2), served(u64::MAX)), (vec![], vec![]));
    let part = &kept.runs(1, 8)[0];
    part.verify(&committee(&network).unwrap(), (run.values[0].digest(), 1)).unwrap();
}

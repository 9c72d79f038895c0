//! The swarm itself: the same whatever the threads, and its first seeds hold.

use sim_scenarios::swarm::shrink::USUAL_DISK;
use sim_scenarios::swarm::{Failure, Flock, FlockReport, Situation, draw, fly, run_trial, shrink};

fn flown(first: u64, seeds: u64, threads: usize) -> FlockReport {
    let (enough, told) = (|| false, |_: &FlockReport| {});
    fly(&Flock { first, seeds, threads, keep_going: true, enough: &enough, told: &told })
}

#[test]
fn a_flock_is_the_same_whatever_the_threads() {
    let (one, three) = (flown(0, 16, 1), flown(0, 16, 3));
    assert_eq!(one.failed, Default::default());
    assert_eq!(one.digest(), three.digest());
    assert_eq!((one.seeds, one.events), (three.seeds, three.events));
    assert_eq!(one.situations, three.situations);
    assert!(one.situations.times(Situation::Resubmitted) > 0);
    assert_ne!(one.digest(), flown(16, 16, 2).digest());
}

#[test]
fn a_failure_is_made_as_small_as_it_goes() {
    let options = (0..).map(|seed| draw(seed).unwrap());
    let large = |options: &sim_scenarios::swarm::Options| options.faults() >= 4;
    let options = options.into_iter().find(large).unwrap();
    let sound = run_trial(&options);
    // Whatever has a fault fails.
    let broken = Failure { invariant: "no faults".into(), detail: String::new() };
    let run = |options: &sim_scenarios::swarm::Options| {
        let failure = (options.faults() > 0).then(|| broken.clone());
        sim_scenarios::swarm::Trial { failure, ..sound.clone() }
    };
    let shrunk = shrink(&options, &broken, 300, &run, &|_| {});
    assert_eq!(shrunk.options.faults(), 1, "{}", shrunk.options);
    assert_eq!(shrunk.options.disk, USUAL_DISK);
    let network = &shrunk.options.scenario.network;
    assert!(network.shards <= 2 && network.validators <= 2, "{}", shrunk.options);
}

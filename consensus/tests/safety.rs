//! No two final values have one number, whatever happens; and the committee goes on afterwards.

mod network;

use network::{Faults, Network, Stamp, keyrings, millis};

#[test]
fn a_two_faced_leader_is_convicted_and_divides_nobody() {
    for seed in 0..20 {
        let mut network = Network::new(keyrings(4), seed);
        network.twin(0, &[1, 2], &[3]);
        network.run(millis(2_000));
        network.require_progress(millis(2_000), 5);
        assert!(!network.evidence.is_empty(), "seed {seed}: someone sees both votes");
    }
}

#[test]
fn two_faces_of_seven_divide_nobody() {
    for seed in 0..10 {
        let mut network = Network::new(Stamp::committee(7), seed);
        network.twin(0, &[1, 2, 3, 4], &[1, 5, 6]);
        network.twin(1, &[0, 2, 3], &[0, 4, 5, 6]);
        network.faults.loss = 50;
        network.run(millis(5_000));
        network.faults.loss = 0;
        network.run(millis(3_000));
        network.require_progress(millis(3_000), 5);
    }
}

#[test]
fn a_leader_that_forgets_what_may_be_final_divides_nobody() {
    for seed in 0..20 {
        let mut network = Network::new(Stamp::committee(4), seed);
        network.byzantine.insert(0);
        network.faults.lies = 1_000;
        // Finality is late, so that there is something to forget.
        network.faults.class_loss = [("finalize", 600)].into();
        network.run(millis(5_000));
        network.faults.class_loss.clear();
        network.require_progress(millis(3_000), 5);
    }
}

/// Random faults of a random subset of classes; then none.
fn swarm(seed: u64) {
    let mut dice = network::Random(seed ^ 0x5eed);
    let n = [1, 2, 3, 4, 4, 4, 5, 7][dice.below(8) as usize];
    let mut network = Network::new(Stamp::committee(n), seed);
    if n >= 4 && dice.chance(250) {
        let (one, other): (Vec<u32>, Vec<u32>) = (1..n as u32).partition(|_| dice.chance(500));
        network.twin(0, &one, &other);
    }
    let allow = [(); 6].map(|()| dice.chance(500));
    for _ in 0..20 {
        network.faults = Faults {
            loss: if allow[0] { dice.below(300) } else { 0 },
            duplicates: if allow[1] { dice.below(300) } else { 0 },
            jitter: millis(if allow[2] { dice.below(150) } else { 5 }),
            judge: millis(if allow[3] { dice.below(200) } else { 1 }),
            not_yet: if allow[3] { dice.below(500) } else { 0 },
            lies: if allow[4] { 500 } else { 0 },
            invalid: if allow[4] && n > 1 { dice.below(200) } else { 0 },
            partition: (allow[5] && dice.chance(500))
                .then(|| (0..n).map(|_| dice.below(2) as u8).collect()),
            ..Faults::default()
        };
        for process in 0..network.processes.len() {
            match network.alive(process) {
                true if dice.chance(150) => network.crash(process),
                false if dice.chance(500) => network.restart(process),
                _ => {}
            }
        }
        network.run(millis(50 + dice.below(400)));
    }
    network.faults = Faults { judge: millis(1), jitter: millis(5), ..Faults::default() };
    for process in 0..network.processes.len() {
        if !network.alive(process) {
            network.restart(process);
        }
    }
    // The longest timeout and its retries, then full pace.
    network.run(millis(6_000));
    network.require_progress(millis(4_000), 10);
}

#[test]
fn swarm_of_seeds() {
    let count = std::env::var("SHARDLAB_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let first = std::env::var("SHARDLAB_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    for seed in first..first + count {
        swarm(seed);
    }
}

#[test]
fn one_seed_gives_one_run() {
    let digest = |seed| {
        let mut network = Network::new(Stamp::committee(4), seed);
        network.faults.loss = 100;
        network.run(millis(3_000));
        (network.agreed, network.sent, network.processes[0].machine.clone())
    };
    assert_eq!(digest(3), digest(3));
    assert_ne!(digest(3).1, digest(4).1);
}

//! One of three shards lies: it is left out, or hurts nobody but itself; proof of it is kept. The
//! others go on, and no more value comes out of it than it held and was sent. Under gate
//! `certified` those who consumed what the committee does not take stand still too.

use coordinator::{Proof, Rule};
use cross_shard_msg::{Event, Gate, Height, NodeId, ShardId};
use simulation::byzantine::{Lie, LyingShard};

use crate::support::{Conditions, Scene, Tally, at, shard};

/// Height of the first block that is lied about.
const FROM: u64 = 8;
const LIAR: u32 = 2;

fn scene(lie: Lie, gate: Gate, seed: u64) -> Scene {
    let (dishonest, except) = (vec![LIAR], vec![shard(LIAR)]);
    let mut scene = Scene::new(&Conditions { dishonest, except, gate, ..Conditions::new(seed) });
    let config = scene.network.shard_config(ShardId(LIAR));
    let liar = LyingShard::new(config, lie, Height(FROM)).unwrap();
    scene.world.add(shard(LIAR), liar, ());
    scene
}

/// Runs it. Under gate `checkpoint` nobody else is hurt, and everything settles.
#[track_caller]
fn lie(lie: Lie, gate: Gate, seed: u64) -> (Scene, Tally) {
    let mut scene = scene(lie, gate, seed);
    if gate == Gate::Certified {
        scene.run(at(20_000));
        let tally = scene.tally.borrow().clone();
        return (scene, tally);
    }
    let tally = scene.settle(at(20_000));
    others_go_on(lie, &tally);
    (scene, tally)
}

#[track_caller]
fn others_go_on(lie: Lie, tally: &Tally) {
    for honest in 0..LIAR {
        assert!(
            tally.covered[&honest] > 150,
            "{lie:?}: shard {honest} goes on: {:?}",
            tally.covered
        );
    }
}

/// Rules that leaders saw the liar break.
fn broken(scene: &mut Scene) -> Vec<Rule> {
    let observations = scene.world.take_observations();
    let mut rules: Vec<Rule> = observations
        .iter()
        .filter_map(|(_, seen)| match seen.event {
            Event::LeftOut { shard: ShardId(LIAR), rule, .. } => Rule::from_code(rule),
            _ => None,
        })
        .collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// It is in no checkpoint from the block on that it lies about, for `rule`; anybody can check why.
#[track_caller]
fn left_out(lie_told: Lie, rule: Rule) {
    for (gate, seed) in [(Gate::Checkpoint, 0), (Gate::Checkpoint, 1), (Gate::Certified, 0)] {
        let (mut scene, tally) = lie(lie_told, gate, seed);
        let covered = tally.covered[&LIAR];
        assert!((FROM - 1..FROM + 20).contains(&covered), "{lie_told:?}: {:?}", tally.covered);
        assert_eq!(broken(&mut scene), [rule], "{lie_told:?}");
        // That each piece is verified, and accuses the liar, is checked as it is kept.
        let shown = tally.evidence.iter().find_map(|proof| match proof {
            Proof::Broken(broken) => broken.violation(scene.network.settings()),
            _ => None,
        });
        assert_eq!(shown.map(|shown| shown.rule), Some(rule), "{lie_told:?}");
        assert!(tally.evidence.iter().all(|proof| proof.accused() == shard(LIAR)));
    }
}

/// It stays in the checkpoints, and only its own value is at stake.
#[track_caller]
fn contained(lie_told: Lie) {
    for (gate, seed) in [(Gate::Checkpoint, 0), (Gate::Checkpoint, 1), (Gate::Certified, 0)] {
        let (mut scene, tally) = lie(lie_told, gate, seed);
        others_go_on(lie_told, &tally);
        assert!(tally.covered[&LIAR] > 100, "{lie_told:?}: {:?}", tally.covered);
        assert_eq!((broken(&mut scene), tally.evidence), (vec![], vec![]), "{lie_told:?}");
    }
}

#[test]
fn a_forged_receipt_that_nobody_paid_for_is_left_out() {
    left_out(Lie::Forge { value: 1_000_000, covered: false }, Rule::Balance);
}

#[test]
fn a_forged_receipt_that_the_shard_pays_for_is_its_own_loss() {
    contained(Lie::Forge { value: 1_000_000, covered: true });
}

#[test]
fn value_that_a_shard_says_an_administrator_added_is_left_out() {
    left_out(Lie::Mint { ether: 1_000 }, Rule::Minting);
    // Destinations see it themselves: nobody takes any of it in, under either gate.
    let (_, tally) = lie(Lie::Mint { ether: 1_000 }, Gate::Certified, 1);
    others_go_on(Lie::Mint { ether: 1_000 }, &tally);
}

#[test]
fn a_repeated_receipt_is_left_out() {
    left_out(Lie::Repeat, Rule::Balance);
}

#[test]
fn a_skipped_batch_holds_up_its_own_receipts_only() {
    for gate in [Gate::Checkpoint, Gate::Certified] {
        let (scene, tally) = lie(Lie::Skip, gate, 1);
        let entered = tally.entered[&LIAR];
        let mut honest = Scene::new(&Conditions { gate, ..Conditions::new(1) });
        let all = honest.settle(at(20_000)).entered[&LIAR];
        assert!(entered < all, "{entered} of {all}");
        others_go_on(Lie::Skip, &tally);
        assert!(scene.tally.borrow().covered[&LIAR] > 100);
    }
}

#[test]
fn a_made_up_state_root_is_its_own_matter() {
    contained(Lie::StateRoot);
}

#[test]
fn books_that_do_not_balance_are_left_out() {
    left_out(Lie::Ledger(1), Rule::Balance);
}

#[test]
fn a_fork_is_finalized_on_one_branch_at_most_and_proven() {
    for (gate, seed) in [(Gate::Checkpoint, 0), (Gate::Checkpoint, 1), (Gate::Certified, 0)] {
        let (_, tally) = lie(Lie::Equivocate, gate, seed);
        assert!(tally.covered[&LIAR] >= FROM - 1, "{:?}", tally.covered);
        let headers = |proof: &&Proof| matches!(proof, Proof::Headers(_));
        let proven = tally.evidence.iter().find(headers).expect("both headers are kept");
        assert_eq!((proven.accused(), proven.place()), (NodeId::Shard(ShardId(LIAR)), FROM));
    }
}

#[test]
fn who_consumed_a_fork_stands_still_under_certified_alone() {
    // Shard 0 is shown one chain and shard 1 the other. One of them is not the committee's.
    let (_, tally) = lie(Lie::Equivocate, Gate::Certified, 0);
    let stalled = (0..LIAR).filter(|honest| tally.covered[honest] < 50).count();
    assert!(stalled > 0, "{:?}", tally.covered);
    let (_, tally) = lie(Lie::Equivocate, Gate::Checkpoint, 0);
    others_go_on(Lie::Equivocate, &tally);
}

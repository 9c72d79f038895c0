//! One of three shards lies: it is left out, or hurts nobody but itself. The others go on, and no
//! more value comes out of it than it held and was sent.

use cross_shard_msg::{DropReason, Height, ShardId};
use simulation::byzantine::{Lie, LyingShard};

use crate::support::{Conditions, Scene, Tally, at, shard};

/// Height of the first block that is lied about.
const FROM: u64 = 8;
const LIAR: u32 = 2;

fn scene(lie: Lie, seed: u64) -> Scene {
    let (dishonest, except) = (vec![LIAR], vec![shard(LIAR)]);
    let mut scene = Scene::new(&Conditions { dishonest, except, ..Conditions::new(seed) });
    let config = scene.network.shard_config(ShardId(LIAR));
    let liar = LyingShard::new(config, lie, Height(FROM)).unwrap();
    scene.world.add(shard(LIAR), liar, ());
    scene
}

fn lie(lie: Lie, seed: u64) -> (Scene, Tally) {
    let mut scene = scene(lie, seed);
    let tally = scene.settle(at(20_000));
    for honest in 0..LIAR {
        assert!(tally.covered[&honest] > 150, "{lie:?}: shard {honest} goes on: {tally:?}");
    }
    (scene, tally)
}

/// It is in no checkpoint from the block on that it lies about.
#[track_caller]
fn left_out(lie_told: Lie) {
    for seed in 0..2 {
        let (mut scene, tally) = lie(lie_told, seed);
        let covered = tally.covered[&LIAR];
        assert!((FROM - 1..FROM + 20).contains(&covered), "{lie_told:?}: {tally:?}");
        assert!(scene.dropped(DropReason::Invalid) > 0, "{lie_told:?} is observed");
    }
}

/// It stays in the checkpoints, and only its own value is at stake.
#[track_caller]
fn contained(lie_told: Lie) {
    for seed in 0..2 {
        let (_, tally) = lie(lie_told, seed);
        assert!(tally.covered[&LIAR] > 100, "{lie_told:?}: {tally:?}");
    }
}

#[test]
fn a_forged_receipt_that_nobody_paid_for_is_left_out() {
    left_out(Lie::Forge { value: 1_000_000, covered: false });
}

#[test]
fn a_forged_receipt_that_the_shard_pays_for_is_its_own_loss() {
    contained(Lie::Forge { value: 1_000_000, covered: true });
}

#[test]
fn value_that_a_shard_says_an_administrator_added_is_noticed() {
    // Validators cannot check it: the checker outside of the nodes does.
    let mut scene = scene(Lie::Mint { ether: 1_000 }, 1);
    let monitor = scene.monitor.clone();
    assert!(scene.world.run(at(20_000), || monitor.broken()));
    let violation = scene.monitor.violation().unwrap();
    assert!(violation.detail.contains("came out of the dishonest shard:2"), "{violation:?}");
}

#[test]
fn a_repeated_receipt_is_left_out() {
    left_out(Lie::Repeat);
}

#[test]
fn a_skipped_batch_holds_up_its_own_receipts_only() {
    let (scene, tally) = lie(Lie::Skip, 1);
    let entered = tally.entered[&LIAR];
    let mut honest = Scene::new(&Conditions::new(1));
    let all = honest.settle(at(20_000)).entered[&LIAR];
    assert!(entered < all, "{entered} of {all}");
    assert!(scene.tally.borrow().covered[&LIAR] > 100);
}

#[test]
fn a_made_up_state_root_is_its_own_matter() {
    contained(Lie::StateRoot);
}

#[test]
fn books_that_do_not_balance_are_left_out() {
    left_out(Lie::Ledger(1));
}

#[test]
fn a_fork_is_finalized_on_one_branch_at_most() {
    for seed in 0..3 {
        let (_, tally) = lie(Lie::Equivocate, seed);
        assert!(tally.covered[&LIAR] >= FROM - 1, "{tally:?}");
    }
}

//! Contracts that are created where somebody moves their addresses (R-HOME-5, R-HOME-6, R-EPOCH-6,
//! R-EPOCH-7, R-EPOCH-9).

mod node_support;

use alloy_primitives::U256;
use cross_shard_msg::{Gate, LegStatus, ShardId};
use node_support::migration::*;
use node_support::*;

#[test]
fn a_creation_at_an_address_in_flight_waits() {
    let (creator, created) = creator(2, 1);
    let mut options = self::options(2, Gate::Certified);
    options.accounts.push((creator, creates()));
    let mut world = World::new(options);
    let pays = world.submit(transfer(user(2, 1, 0), 0, created, 40));
    world.millis(200);
    assert!(world.is_settled(pays));
    hold_parts(&mut world, 1);
    until_in_flight(&mut world, created, 0);
    let key = world.submit(call(user(2, 0, 0), 0, creator));
    run_checked(&mut world, 600);
    assert_eq!(first_leg(&world, key), None);
    let_go(&mut world);
    run_checked(&mut world, 3_000);
    assert!(world.is_settled(key));
    assert_eq!(world.found(created), Some((0, 1, U256::from(40))), "with what was there");
}

/// A contract is created on shard 0 at an address whose base home is shard 1, which holds money for
/// it; the address is moved to shard 2 before, with, or after the checkpoint that places it.
#[test]
fn a_placement_wins_over_a_move_whichever_is_first() {
    for gate in GATES {
        for wait in (0..=1_200).step_by(100) {
            for to in [0, 2] {
                let (creator, created) = creator(3, 1);
                let mut options = self::options(3, gate);
                options.accounts.push((creator, creates()));
                let mut world = World::new(options);
                let pays = world.submit(transfer(user(3, 1, 0), 0, created, 40));
                world.millis(200);
                world.relocate(created, to);
                let key = if wait < 600 {
                    world.millis(wait);
                    world.submit(call(user(3, 0, 0), 0, creator))
                } else {
                    // The creation first, the move later.
                    world.committee.moves.clear();
                    let key = world.submit(call(user(3, 0, 0), 0, creator));
                    world.millis(wait - 600);
                    world.relocate(created, to);
                    key
                };
                // More money comes on stale routes meanwhile.
                let more: Vec<_> = (0..3)
                    .map(|shard| world.submit(transfer(user(3, shard, 1), 0, created, 7)))
                    .collect();
                world.millis(5_000);
                run_checked(&mut world, 100);
                let place = format!("{gate:?} {wait} to {to}");
                assert!(world.is_settled(key) && world.is_settled(pays), "{place}");
                assert!(more.iter().all(|key| world.is_settled(*key)), "{place}");
                let (shard, nonce, balance) = world.found(created).unwrap();
                let failed = matches!(world.legs(key)[0].2.status, LegStatus::Failed(_));
                assert_eq!(balance, U256::from(61), "{place}: all of it");
                let exists = world.nodes[0].tip().is_some() && nonce == 1;
                assert!(exists || failed || shard == 2, "{place}");
                let home = world.committee.allocation.home(&created);
                assert!(home.is(ShardId(shard)), "{place}: {home:?}, found on {shard}");
            }
        }
    }
}

/// A contract moves right after it has created another one, and creates it once more at its new home:
/// the address is taken (R-HOME-5), whatever the new home has heard by then.
#[test]
fn a_creator_that_moves_creates_nothing_twice() {
    for wait in (0..300).step_by(20) {
        for base in 0..2 {
            let (creator, created) = creator(2, base);
            let mut options = self::options(2, Gate::Certified);
            options.accounts.push((creator, creates()));
            let mut world = World::new(options);
            world.relocate(creator, 1);
            world.millis(wait);
            let mut keys = vec![world.submit(call(user(2, 0, 0), 0, creator))];
            for nonce in 0..12 {
                world.millis(100);
                keys.push(world.submit(call(user(2, 1, 0), nonce, creator)));
            }
            world.millis(3_000);
            assert!(keys.iter().all(|key| world.is_settled(*key)), "{wait} {base}");
            let (shard, ..) = world.found(created).expect("it was created, on one shard");
            assert!(world.committee.allocation.home(&created).is(ShardId(shard)));
            assert_eq!(
                world.found(creator).map(|it| (it.0, it.1)),
                Some((1, 1 + keys.len() as u64))
            );
        }
    }
}

/// The contract is created at its own base home, and moved before its placement is final.
#[test]
fn what_was_created_stays_until_it_is_placed() {
    let (creator, created) = creator(2, 0);
    for wait in (0..=500).step_by(50) {
        let mut options = self::options(2, Gate::Certified);
        options.accounts.push((creator, creates()));
        let mut world = World::new(options);
        world.millis(wait);
        let key = world.submit(call(user(2, 0, 0), 0, creator));
        world.relocate(created, 1);
        let pays: Vec<_> =
            [0, 1].map(|s| world.submit(transfer(user(2, s, 1), 0, created, 7))).into();
        run_checked(&mut world, 800);
        world.millis(3_000);
        assert!(world.is_settled(key) && pays.iter().all(|key| world.is_settled(*key)), "{wait}");
        let (shard, _, balance) = world.found(created).unwrap();
        assert_eq!(balance, U256::from(14), "{wait}");
        assert!(world.committee.allocation.home(&created).is(ShardId(shard)), "{wait}");
    }
}

//! Accounts that move between shards (R-EPOCH-2, R-EPOCH-5 to R-EPOCH-8, R-RCPT-7, R-RCPT-8, R-EXE-9).

mod node_support;

use alloy_primitives::{B256, U256};
use cross_shard_msg::{Gate, Header, LegStatus, Refusal};
use node_support::migration::*;
use node_support::*;
use shard_node::Replay;
use state::GenesisAccount;

#[test]
fn a_user_moves_and_goes_on_at_the_new_home() {
    for gate in GATES {
        let mut world = World::new(options(2, gate));
        let (alice, bob) = (user(2, 0, 0), user(2, 1, 0));
        let key = world.submit(transfer(alice, 0, bob, 5));
        world.millis(700);
        assert!(world.is_settled(key));
        let (_, nonce, balance) = world.found(alice).unwrap();
        world.relocate(alice, 1);
        run_checked(&mut world, 2_500);
        assert_eq!(world.found(alice), Some((1, nonce, balance)), "{gate:?}");
        assert_eq!(
            (departures(&world, alice), arrivals(&world, alice)),
            (vec![(0, 1, 0)], vec![(1, 0)])
        );
        // It is local there now, and the old home refuses it.
        let key = world.submit(transfer(alice, 1, bob, 5));
        world.millis(300);
        assert_eq!(world.legs(key).len(), 1, "one leg: both live there");
        let late = transfer(alice, 2, bob, 5);
        let hash = late.transaction().hash();
        world.handle(0, cross_shard_msg::Input::Submit(late));
        world.millis(100);
        assert_eq!(world.admissions[&hash], Err(Refusal::Moved));
    }
}

#[test]
fn a_contract_moves_with_all_its_slots() {
    let vault = user(2, 0, 1_000);
    let code = artifact("Vault", "deployedBytecode");
    let storage: Vec<_> =
        (0..3_000u64).map(|i| (U256::from(i * 7 + 100), U256::from(i + 1))).collect();
    let balance = U256::from(77);
    let account = GenesisAccount { nonce: 3, balance, code: code.clone(), storage };
    for gate in GATES {
        let mut options = self::options(2, gate);
        options.accounts.push((vault, account.clone()));
        let mut world = World::new(options);
        let before = world.nodes[0].state().sorted_storage(&vault);
        until_in_flight(&mut world, vault, 1);
        // A cross-shard call on its way to the old home, one at the new home, one of the EVM.
        let calls: Vec<_> = [user(2, 0, 0), user(2, 1, 0)]
            .map(|sender| {
                let input = calldata("increment()", &[]);
                world.submit(transaction(sender, 0, Some(vault), 0, 200_000, input))
            })
            .into();
        run_checked(&mut world, 3_500);
        assert_eq!(departures(&world, vault), [(0, 3, 3_000)]);
        assert_eq!(arrivals(&world, vault).len(), 1);
        assert!(calls.iter().all(|key| world.is_settled(*key)), "{gate:?}");
        let (new, old) = (world.nodes[1].state(), world.nodes[0].state());
        assert_eq!(world.found(vault), Some((1, 3, balance)));
        let hash = new.account(&vault).unwrap().code_hash;
        assert_eq!(new.code(&hash), Some(&code));
        let mut after = new.sorted_storage(&vault);
        assert_eq!(after.remove(0), (U256::ZERO, U256::from(2)), "two increments");
        assert_eq!(after, before);
        assert!(!old.has_storage(&vault));
    }
}

#[test]
fn an_account_that_does_not_exist_moves_too() {
    let mut world = World::new(options(2, Gate::Certified));
    let nobody = user(2, 0, 999);
    until_in_flight(&mut world, nobody, 1);
    let key = world.submit(transfer(user(2, 0, 0), 0, nobody, 9));
    run_checked(&mut world, 2_500);
    assert!(world.is_settled(key));
    assert_eq!(world.found(nobody), Some((1, 0, U256::from(9))));
    assert_eq!((departures(&world, nobody).len(), arrivals(&world, nobody).len()), (1, 1));
}

#[test]
fn who_leaves_is_refused_in_the_mempool_and_who_comes_at_admission() {
    let mut options = self::options(2, Gate::Checkpoint);
    options.bounds.buffered = 1;
    let mut world = World::new(options);
    let alice = user(2, 0, 0);
    // Waits: its nonce has a gap.
    let waits = world.submit(transfer(alice, 1, user(2, 1, 0), 5));
    until_in_flight(&mut world, alice, 1);
    let early = transfer(alice, 0, user(2, 1, 0), 5);
    world.submit(early.clone());
    world.millis(200);
    assert_eq!(world.admissions[&early.transaction().hash()], Err(Refusal::InFlight));
    let dropped = world.notices.iter().flat_map(|notice| &notice.dropped);
    assert_eq!(dropped.copied().collect::<Vec<_>>(), [(waits, Refusal::Moved)]);
    world.millis(2_500);
    let key = world.submit(early);
    world.millis(500);
    assert!(world.is_settled(key));
}

/// S→D→E, S→D→S and S→D→E→D, with each shard's parts on their way when the next move comes.
#[test]
fn an_account_that_moves_again_on_its_way_arrives() {
    for gate in GATES {
        for route in [&[1, 2][..], &[1, 0], &[1, 2, 1], &[1, 2, 3, 0], &[1, 0, 1, 0]] {
            let log = user(4, 0, 1_000);
            let mut options = self::options(4, gate);
            options.snapshots = 2;
            let mut account = call_log();
            account.balance = U256::from(50);
            account.storage = (1_000..3_500u64).map(|i| (U256::from(i), U256::from(i))).collect();
            options.accounts.push((log, account));
            let mut world = World::new(options);
            hold_parts(&mut world, 0);
            let mut keys = Vec::new();
            for (nonce, to) in route.iter().enumerate() {
                until_in_flight(&mut world, log, *to);
                for shard in 0..4 {
                    keys.push(world.submit(call(user(4, shard, 0), nonce as u64, log)));
                }
                run_checked(&mut world, 250);
            }
            let_go(&mut world);
            run_checked(&mut world, 500);
            world.millis(5_500);
            // Also without snapshots.
            for shard in 0..4 {
                let mut replay = Replay::new(world.config(shard).clone()).unwrap();
                for record in &world.records[shard as usize] {
                    replay.block(record.clone()).unwrap();
                }
                assert_eq!(replay.stray(), None);
            }
            let place = format!("{gate:?} {route:?}");
            let end = *route.last().unwrap();
            let found = world.found(log);
            assert_eq!(
                found.map(|(shard, _, balance)| (shard, balance)),
                Some((end, U256::from(50))),
                "{place}"
            );
            let last = *arrivals(&world, log).last().unwrap();
            assert_eq!(last.0, end, "{place}");
            for key in &keys {
                assert!(world.is_settled(*key), "{place}: {:?}", world.legs(*key));
            }
            assert_eq!(world.slot(end, log, 0), U256::from(keys.len()), "{place}: each call once");
            let slots = world.nodes[end as usize].state().sorted_storage(&log);
            assert_eq!(slots.len(), 2_500 + 1 + keys.len(), "{place}");
        }
    }
}

#[test]
fn parked_calls_are_executed_in_order_of_arrival() {
    for gate in GATES {
        let log = user(3, 0, 1_000);
        let mut options = self::options(3, gate);
        options.accounts.push((log, call_log()));
        // Three calls fit into a block.
        options.gas_limit = cross_shard_msg::Gas(600_000);
        let mut world = World::new(options);
        hold_parts(&mut world, 0);
        until_in_flight(&mut world, log, 1);
        let mut order = Vec::new();
        let mut keys = Vec::new();
        for index in 0..8 {
            let sender = user(3, 2, index);
            keys.push(world.submit(call(sender, 0, log)));
            order.push(sender);
            world.millis(200);
        }
        world.millis(600);
        run_checked(&mut world, 200);
        let congestion = world.nodes[1].tip().unwrap().congestion;
        assert!(congestion.delayed >= 6, "{gate:?}: {congestion:?}");
        assert!(congestion.delayed_gas.0 > 0 && congestion.level > 0, "{congestion:?}");
        let_go(&mut world);
        run_checked(&mut world, 1_000);
        world.millis(4_000);
        assert!(keys.iter().all(|key| world.is_settled(*key)));
        for (at, sender) in order.iter().enumerate() {
            assert_eq!(world.slot(1, log, at as u64 + 1), word(*sender), "{gate:?} {at}");
        }
        assert_eq!(world.nodes[1].tip().unwrap().congestion.delayed, 0);
    }
}

#[test]
fn refunds_and_transfers_find_an_account_in_flight() {
    let mut world = World::new(options(3, Gate::Checkpoint).vault(user(3, 2, 1_000)));
    let alice = user(3, 0, 0);
    // The call fails at shard 2; its refund meets its sender on the way.
    let input = calldata("fail(uint256)", &[U256::from(1)]);
    let key = world.submit(transaction(alice, 0, Some(user(3, 2, 1_000)), 1_000, 200_000, input));
    hold_parts(&mut world, 0);
    world.relocate(alice, 1);
    world.millis(1_400);
    assert!(world.is_settled(key), "the refund is credited at once");
    let credited = world.balance(1, alice);
    assert!(credited > U256::ZERO);
    run_checked(&mut world, 200);
    let_go(&mut world);
    run_checked(&mut world, 3_000);
    let (shard, nonce, balance) = world.found(alice).unwrap();
    let spent: u64 = world.legs(key).iter().map(|(_, _, leg)| leg.gas_used.0 * PRICE).sum();
    assert_eq!((shard, nonce, balance), (1, 1, U256::from(ETHER - spent)));
}

#[test]
fn what_opens_an_account_in_flight_waits_as_a_whole() {
    for gate in GATES {
        let (bob, viewer) = (user(3, 0, 5), user(3, 1, 1_000));
        let mut options = self::options(3, gate);
        options.accounts.push((viewer, looks_at(bob)));
        let mut world = World::new(options);
        hold_parts(&mut world, 0);
        until_in_flight(&mut world, bob, 1);
        let (carol, dave) = (user(3, 1, 0), user(3, 2, 1));
        // A local transaction and a call from elsewhere open it; a transfer pays to it.
        let local = world.submit(call(carol, 0, viewer));
        let remote = world.submit(call(dave, 0, viewer));
        let pays = world.submit(transfer(user(3, 1, 1), 0, bob, 3));
        let other = world.submit(transfer(user(3, 1, 2), 0, carol, 3));
        run_checked(&mut world, 1_000);
        assert_eq!(first_leg(&world, local), None, "{gate:?}");
        assert_eq!(first_leg(&world, pays), None, "{gate:?}");
        assert!(world.is_settled(other), "others go on");
        assert!(!world.is_settled(remote));
        assert_eq!(world.nodes[1].tip().unwrap().congestion.delayed, 1, "it is parked");
        assert_eq!(world.slot(1, viewer, 0), U256::ZERO);
        assert_eq!(world.balance(1, carol), U256::from(ETHER + 3), "nothing is charged");
        let_go(&mut world);
        run_checked(&mut world, 3_000);
        assert!([local, remote, pays].iter().all(|key| world.is_settled(*key)), "{gate:?}");
        for key in [local, remote] {
            let legs = world.legs(key);
            assert!(legs.iter().all(|leg| leg.2.status == LegStatus::Succeeded), "{legs:?}");
        }
        assert!(world.slot(1, viewer, 0) >= U256::from(ETHER));
    }
}

#[test]
fn shards_that_die_at_any_boundary_lose_no_account() {
    let mut expected = None;
    for gate in GATES {
        for shard in 0..3 {
            for boundary in Boundary::ALL {
                for height in (3 + u64::from(shard % 2)..=13).step_by(2) {
                    let log = user(3, 0, 1_000);
                    let mut options = self::options(3, gate);
                    options.snapshots = if height % 4 < 2 { 2 } else { 1_000 };
                    let mut account = call_log();
                    account.storage =
                        (1_000..2_500u64).map(|i| (U256::from(i), U256::from(i))).collect();
                    options.accounts.push((log, account));
                    let mut world = World::new(options);
                    let away = cross_shard_msg::Duration::from_millis(120 * height);
                    world.crash = Some(Crash { shard, height, boundary, away });
                    world.relocate(log, 1);
                    world.relocate(user(3, 0, 0), 2);
                    let mut sent = vec![transfer(user(3, 1, 5), 0, user(3, 0, 0), 9)];
                    sent.extend((0..3).map(|s| call(user(3, s, 3), 0, log)));
                    for round in 0..10 {
                        if round == 2 {
                            world.relocate(log, 2);
                        }
                        for transaction in &sent {
                            if world.legs(transaction.transaction().key()).is_empty() {
                                world.submit(transaction.clone());
                            }
                        }
                        world.millis(400);
                    }
                    world.millis(3_000);
                    let place = format!("{gate:?}, shard {shard}, {boundary:?} at {height}");
                    assert!(world.crash.is_none(), "it happened");
                    for transaction in &sent {
                        assert!(world.is_settled(transaction.transaction().key()), "{place}");
                    }
                    let found =
                        (world.found(log), world.found(user(3, 0, 0)), world.slot(2, log, 0));
                    assert_eq!(*expected.get_or_insert(found), found, "{place}");
                }
            }
        }
    }
    let (log, alice, calls) = expected.unwrap();
    assert_eq!((log.unwrap().0, alice.unwrap().0, calls), (2, 2, U256::from(3)));
}

#[test]
fn traffic_is_reported_once_and_survives_a_crash() {
    let (viewer, bob) = (user(2, 1, 1_000), user(2, 1, 3));
    let mut options = self::options(2, Gate::Checkpoint);
    options.accounts.push((viewer, looks_at(bob)));
    let epochs =
        cross_shard_msg::settings::Epochs { checkpoints: 4, max_moves: 8, max_accesses: 3 };
    options.epochs = Some(epochs);
    let mut world = World::new(options);
    let (alice, carol) = (user(2, 0, 0), user(2, 1, 0));
    world.submit(transfer(alice, 0, carol, 1));
    world.submit(call(alice, 1, viewer));
    world.submit(transfer(user(2, 0, 1), 0, alice, 1));
    world.millis(1_500);
    let all: Vec<_> = world
        .traffic
        .iter()
        .flat_map(|report| {
            report
                .accesses
                .iter()
                .map(|access| (report.shard.0, access.accounts.clone(), access.contracts))
        })
        .collect();
    let expected = [
        (0, vec![alice, carol], 0),
        (0, vec![alice, viewer], 0),
        (0, vec![user(2, 0, 1), alice], 0),
        (1, vec![viewer, bob], 1),
    ];
    assert_eq!(all, expected);
    for index in 1..6 {
        world.submit(transfer(user(2, 1, index), 0, carol, 1));
    }
    // The report does not arrive: the shard dies when its block is durable, and tells it again.
    let height = world.blocks[1].len() as u64 + 1;
    let away = cross_shard_msg::Duration::from_millis(50);
    world.crash = Some(Crash { shard: 1, height, boundary: Boundary::BeforeSent, away });
    world.millis(1_000);
    let last = world.traffic.last().unwrap();
    assert_eq!((last.shard.0, last.accesses.len(), last.omitted), (1, 3, 2));
    let header: &Header = &world.blocks[1][height as usize - 1].header;
    assert_eq!(header.traffic, last.digest());
    let none = &world.blocks[1].last().unwrap().header;
    assert_eq!(none.traffic, B256::ZERO);
}

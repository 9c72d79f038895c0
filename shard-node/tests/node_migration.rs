//! Accounts that move between shards (R-EPOCH-5 to R-EPOCH-9, R-HOME-6, R-RCPT-7, R-RCPT-8, R-EXE-9).

mod node_support;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use cross_shard_msg::{
    AccountKey, Action, Cause, Event, Gate, Header, LegStatus, Message, NodeId, Receipt,
    ReceiptKind, Refusal, ShardId, TransactionKey,
};
use node_support::*;
use state::GenesisAccount;

const GATES: [Gate; 2] = [Gate::Checkpoint, Gate::Certified];

/// Nothing arrives at the very moment of a block, so that what a block has is what there was.
const OFFSET: u64 = 12;

fn options(shards: u32, gate: Gate) -> Options {
    Options { offset: OFFSET, ..Options::new(shards, gate) }
}

fn arrivals(world: &World, account: Address) -> Vec<(u32, u32)> {
    let key = AccountKey::of(&account);
    let arrived = world.events.iter().filter_map(|(shard, event)| match event {
        Event::AccountArrived { account, parked, .. } if *account == key => {
            Some((shard.0, *parked))
        }
        _ => None,
    });
    arrived.collect()
}

fn departures(world: &World, account: Address) -> Vec<(u32, u32, u64)> {
    let key = AccountKey::of(&account);
    let left = world.events.iter().filter_map(|(shard, event)| match event {
        Event::AccountLeft { account, parts, slots, .. } if *account == key => {
            Some((shard.0, *parts, *slots))
        }
        _ => None,
    });
    left.collect()
}

/// Runs until the newest checkpoint has moved what is to move and a shard has applied it.
fn until_in_flight(world: &mut World, account: Address, to: u32) {
    world.relocate(account, to);
    while world.nodes[to as usize].tip().is_none_or(|tip| {
        let home = world.committee.allocation.home_at(&account, tip.checkpoint);
        !home.is(ShardId(to))
    }) {
        world.millis(10);
    }
}

/// Holds every batch that has a part of an account back until it is let go, shard by shard.
fn hold_parts(world: &mut World, from: u32) {
    world.filter = Box::new(move |source, _, message| match message {
        Message::Batch(batch) if source == NodeId::Shard(ShardId(from)) => {
            let migrates = |receipt: &Receipt| receipt.kind() == ReceiptKind::Migrate;
            u32::from(!batch.outgoing.receipts.iter().any(migrates))
        }
        _ => 1,
    });
}

fn let_go(world: &mut World) {
    world.filter = Box::new(|_, _, _| 1);
}

/// A shard as its records make it is as it is. True only when nothing has arrived since its block
/// became durable: 2 ms after it.
fn check_recovery(world: &World, shard: u32) {
    if world.nodes[shard as usize].tip().is_none() {
        return;
    }
    let (live, again) = (&world.nodes[shard as usize], world.recovered(shard));
    let same = again.snapshot().is_some() && again.snapshot() == live.snapshot();
    assert!(same, "shard {shard} at {}", world.now.0);
}

/// Runs on, and checks recovery after every block of every shard.
fn run_checked(world: &mut World, millis: u64) {
    let end = world.now.0 / 1_000_000 + millis;
    loop {
        let now = world.now.0 / 1_000_000;
        let shards = 0..world.nodes.len() as u64;
        // After `now`, and of the same remainder as shard s's blocks and 2 ms.
        let next = shards.map(|s| (now + 1 + (OFFSET * s + 1 + 100 - now % 100) % 100, s));
        let Some((at, shard)) = next.min().filter(|(at, _)| *at <= end) else { break };
        world.millis(at - now);
        check_recovery(world, shard as u32);
    }
    let now = world.now.0 / 1_000_000;
    world.millis(end - now);
}

fn contract(code: &[u8]) -> GenesisAccount {
    GenesisAccount { nonce: 1, code: code.to_vec().into(), ..Default::default() }
}

/// Writes the balance of an account into slot 0.
fn looks_at(account: Address) -> GenesisAccount {
    let mut code = vec![0x73];
    code.extend_from_slice(account.as_slice());
    code.extend_from_slice(&[0x31, 0x5f, 0x55]);
    contract(&code)
}

/// Adds to slot 0, and notes in the slot of the sum who called: the order of calls.
fn call_log() -> GenesisAccount {
    // PUSH0 SLOAD PUSH1 1 ADD DUP1 PUSH0 SSTORE CALLER SWAP1 SSTORE
    contract(&[0x5f, 0x54, 0x60, 0x01, 0x01, 0x80, 0x5f, 0x55, 0x33, 0x90, 0x55])
}

fn call(sender: Address, nonce: u64, to: Address) -> cross_shard_msg::Recovered {
    transaction(sender, nonce, Some(to), 0, 200_000, Bytes::new())
}

fn first_leg(world: &World, key: TransactionKey) -> Option<u64> {
    let legs = world.legs(key);
    legs.iter().find(|(_, _, leg)| matches!(leg.cause, Cause::Transaction(_))).map(|leg| leg.1)
}

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
    for (gate, snapshots) in [(Gate::Checkpoint, 2), (Gate::Certified, shard_node::SNAPSHOT_EVERY)]
    {
        for route in [&[1, 2][..], &[1, 0], &[1, 2, 1], &[1, 2, 3, 0], &[1, 0, 1, 0]] {
            let log = user(4, 0, 1_000);
            let mut options = self::options(4, gate);
            options.snapshots = snapshots;
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

fn create2_at(creator: Address) -> Address {
    creator.create2(B256::ZERO, keccak256([]))
}

/// Creates an account without code whose address has its base home on `base`, on shard 0.
fn creator(shards: u32, base: u32) -> (Address, Address) {
    let all = (1_000..).map(|index| user(shards, 0, index));
    let wanted = all.map(|creator| (creator, create2_at(creator)));
    let is = |created: &Address| partitioning::Base::Hash.home(created, shards) == ShardId(base);
    wanted.into_iter().find(|(_, created)| is(created)).unwrap()
}

fn creates() -> GenesisAccount {
    contract(&[0x5f, 0x5f, 0x5f, 0x5f, 0xf5])
}

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

#[test]
fn shards_that_die_at_any_boundary_lose_no_account() {
    let mut expected = None;
    for gate in GATES {
        for shard in 0..3 {
            for boundary in Boundary::ALL {
                for height in 3..=13 {
                    let log = user(3, 0, 1_000);
                    let mut options = self::options(3, gate);
                    options.snapshots = if height % 2 == 0 { 2 } else { 1_000 };
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
                    for round in 0..16 {
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

#[test]
fn a_part_that_nobody_waits_for_adds_its_balance() {
    // What a dishonest shard could send: a part of an account that is live.
    let mut world = World::new(options(2, Gate::Certified));
    until_in_flight(&mut world, user(2, 0, 0), 1);
    world.millis(2_500);
    let migrates = world
        .batches()
        .iter()
        .flat_map(|b| b.outgoing.receipts.clone())
        .filter(|r| matches!(r.action, Action::Migrate(_)))
        .count();
    assert_eq!(migrates, 1, "exactly one part of an account without storage");
}

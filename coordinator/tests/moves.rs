//! Which accounts a checkpoint may move: what keeps R-EPOCH-1 and R-EPOCH-4, and every way to break
//! them.

mod support;

use std::sync::Arc;

use alloy_primitives::Address;
use consensus::Value as _;
use consensus::{Certificate, FinalizationCertificate, Finalized, Kind};
use coordinator::cut::MAX_PROPOSAL_BYTES;
use coordinator::finality::Finality;
use coordinator::homes::Homes;
use coordinator::moves::most_moves;
use coordinator::proposal::{build, validate};
use coordinator::{CheckpointState, CheckpointValue, Rule, Violation};
use cross_shard_msg::migration::MAX_MOVES;
use cross_shard_msg::{
    Checkpoint, CheckpointNumber, Epoch, Epochs, Move, Placement, Proposal, Settings, ShardId,
    Timestamp, View, codec,
};
use partitioning::{Allocation, Base, OUTBOX, Residents};
use proptest::prelude::*;

use support::shards::{INTERVAL, Plan, Shards, settings};

/// Three shards, epochs of three checkpoints, at most three moves.
fn network() -> Settings {
    let epochs = Epochs { checkpoints: 3, max_moves: 3, max_accesses: 16 };
    Settings { epochs: Some(epochs), ..settings(3, 4) }
}

/// An address whose base home among three shards is `index % 3`.
fn account(index: u64) -> Address {
    Address::left_padding_from(&(0x3000_0000 + index).to_be_bytes())
}

fn shift(index: u64, to: u32) -> Move {
    Move { account: account(index), from: ShardId((index % 3) as u32), to: ShardId(to) }
}

/// The child of a state that wants these moves.
fn child(shards: &Shards, state: &CheckpointState, wanted: &[Move]) -> CheckpointValue {
    let timestamp = state.timestamp() + INTERVAL;
    build(state, &shards.settings, &shards.pool(state), timestamp, wanted).unwrap().0
}

fn follow(shards: &Shards, state: &CheckpointState, wanted: &[Move]) -> CheckpointState {
    validate(state, &shards.settings, &child(shards, state, wanted), |_| true).unwrap()
}

/// The state after `number` checkpoints without moves.
fn after(shards: &Shards, number: u64) -> CheckpointState {
    let genesis = CheckpointState::genesis(&shards.settings);
    (0..number).fold(genesis, |state, _| follow(shards, &state, &[]))
}

fn verdict(
    shards: &Shards,
    parent: &CheckpointState,
    change: impl FnOnce(&mut Checkpoint),
) -> Result<CheckpointState, Violation> {
    let value = child(shards, parent, &[]);
    let mut checkpoint = (**value.checkpoint()).clone();
    change(&mut checkpoint);
    let proposal = Proposal { checkpoint, evidence: value.evidence().to_vec() };
    let value = CheckpointValue::seal(proposal).unwrap();
    validate(parent, &shards.settings, &value, |_| true)
}

#[test]
fn epochs_follow_from_numbers() {
    let shards = Shards::new(&network());
    let mut state = CheckpointState::genesis(&shards.settings);
    let mut epochs = Vec::new();
    for _ in 1..=7 {
        state = follow(&shards, &state, &[]);
        epochs.push(state.epoch().0);
        assert_eq!(verdict(&shards, &state, |c| c.epoch.0 += 1).unwrap_err().rule, Rule::Parent);
    }
    assert_eq!(epochs, [0, 0, 0, 1, 1, 1, 2]);
}

#[test]
fn moves_break_their_rule_in_many_ways() {
    let mut shards = Shards::new(&network());
    // One contract that is placed before, and one that the checkpoint in question places.
    let (before, now) = (account(100), account(200));
    shards.block(2, &Plan { places: vec![before], ..Plan::default() });
    let parent = after(&shards, 3);
    shards.block(1, &Plan { places: vec![now], ..Plan::default() });
    assert_eq!(child(&shards, &parent, &[]).checkpoint().placements.len(), 1);
    let moved = |account, from, to| Move { account, from: ShardId(from), to: ShardId(to) };
    let table: [(&str, bool, Vec<Move>); 14] = [
        ("some", true, vec![shift(1, 0), shift(3, 2), shift(4, 2)]),
        ("a placed contract", true, vec![moved(before, 2, 0)]),
        ("an account that nobody has", true, vec![moved(Address::ZERO, 0, 1)]),
        ("not in order", false, vec![shift(3, 2), shift(1, 0)]),
        ("twice", false, vec![shift(1, 0), shift(1, 0)]),
        ("twice, elsewhere", false, vec![shift(1, 0), shift(1, 2)]),
        ("from elsewhere", false, vec![moved(account(1), 2, 0)]),
        ("from the base home, though placed", false, vec![moved(before, 1, 0)]),
        ("nowhere", false, vec![shift(1, 1)]),
        ("to no shard", false, vec![shift(1, 3)]),
        ("from no shard", false, vec![moved(account(1), 3, 0)]),
        ("a resident", false, vec![moved(OUTBOX, 0, 1)]),
        ("placed by this checkpoint", false, vec![moved(now, 2, 0)]),
        ("too many", false, vec![shift(1, 0), shift(3, 2), shift(4, 2), shift(6, 2)]),
    ];
    for (name, valid, moves) in table {
        let mut sorted = moves.clone();
        sorted.sort_unstable();
        let found = verdict(&shards, &parent, |c| c.moves = moves.clone());
        match found {
            Ok(state) => {
                assert!(valid, "{name} passes");
                assert_eq!(state.moved(), Some(Epoch(1)), "{name}");
                for moved in &moves {
                    assert!(state.homes().home(&moved.account).is(moved.to), "{name}");
                }
            }
            Err(violation) => {
                assert!(!valid, "{name}: {violation}");
                assert_eq!(violation.to_string(), "R-EPOCH-4 is broken", "{name}");
            }
        }
        // Whatever is wanted, an honest leader proposes what is valid.
        let proposed = child(&shards, &parent, &moves);
        validate(&parent, &shards.settings, &proposed, |_| true).unwrap();
        assert_eq!(valid, proposed.checkpoint().moves == moves, "{name}");
        assert!(proposed.checkpoint().moves.iter().all(|m| sorted.contains(m)), "{name}");
    }
}

#[test]
fn moves_have_their_time() {
    let shards = Shards::new(&network());
    let wanted = [shift(1, 0), shift(3, 2)];
    let may = |state: &CheckpointState| {
        let found = verdict(&shards, state, |c| c.moves = wanted.to_vec()).is_ok();
        let most = most_moves(&shards.settings, state);
        assert_eq!(found, most > 0);
        assert_eq!(child(&shards, state, &wanted).checkpoint().moves.len(), 2 * usize::from(found));
        found
    };
    let times = (0..7).map(|number| may(&after(&shards, number)));
    assert_eq!(times.collect::<Vec<_>>(), [false, false, false, true, true, true, true]);
    // Once in an epoch, whatever the leader of another checkpoint wants.
    let mut state = follow(&shards, &after(&shards, 4), &wanted);
    assert_eq!((state.number(), state.moved()), (CheckpointNumber(5), Some(Epoch(1))));
    let back = [Move { account: account(1), from: ShardId(0), to: ShardId(1) }];
    let again = |state: &CheckpointState| verdict(&shards, state, |c| c.moves = back.to_vec());
    assert_eq!(again(&state).unwrap_err().rule, Rule::Moves);
    state = follow(&shards, &state, &back);
    assert_eq!(again(&state).unwrap().moved(), Some(Epoch(2)));
}

#[test]
fn nothing_moves_without_epochs() {
    let shards = Shards::new(&settings(3, 4));
    let state = after(&shards, 5);
    assert_eq!(state.epoch(), Epoch::ZERO);
    let found = verdict(&shards, &state, |c| c.moves = vec![shift(1, 0)]);
    assert_eq!(found.unwrap_err().rule, Rule::Moves);
    assert!(child(&shards, &state, &[shift(1, 0)]).checkpoint().moves.is_empty());
}

#[test]
fn the_most_moves_fit_into_a_message_beside_the_most_headers() {
    let mut network = network();
    network.epochs = Some(Epochs { max_moves: u32::MAX, ..network.epochs.unwrap() });
    let shards = Shards::new(&network);
    let parent = after(&shards, 3);
    let wanted: Vec<Move> =
        (0..u64::from(MAX_MOVES) + 1).map(|i| shift(i, ((i + 1) % 3) as u32)).collect();
    let value = child(&shards, &parent, &wanted);
    assert_eq!(value.checkpoint().moves, wanted[..MAX_MOVES as usize]);
    validate(&parent, &shards.settings, &value, |_| true).unwrap();
    assert!(verdict(&shards, &parent, |c| c.moves = wanted.clone()).is_err());
    let bytes = codec::encode(&value).unwrap().len();
    assert!(bytes + MAX_PROPOSAL_BYTES + (64 << 10) < codec::MAX_MESSAGE_BYTES, "{bytes}");
    // Whoever lags is told in messages that fit: as many of them as it takes.
    let mut finality = Finality::new(&network);
    for number in 1..=8 {
        let certificate = Certificate {
            epoch: Epoch::ZERO,
            view: View(number),
            kind: Kind::Finalize,
            digest: value.digest(),
            signatures: Vec::new(),
        };
        let certificate = FinalizationCertificate::new(certificate).unwrap();
        finality.extend(&Finalized { values: vec![value.clone()], certificate });
    }
    let runs = finality.runs(3, 8);
    assert!(!runs.is_empty() && codec::encode(&runs).is_ok());
}

#[test]
fn a_placement_wins_over_a_move() {
    let mut shards = Shards::new(&network());
    let contract = account(1);
    let parent = after(&shards, 3);
    let state = follow(&shards, &parent, &[shift(1, 0)]);
    assert!(state.homes().home(&contract).is(ShardId(0)) && !state.homes().is_placed(&contract));
    shards.block(2, &Plan { places: vec![contract], ..Plan::default() });
    let state = follow(&shards, &state, &[]);
    assert!(state.homes().home(&contract).is(ShardId(2)) && state.homes().is_placed(&contract));
}

#[test]
fn states_share_what_is_equal() {
    let shards = Shards::new(&network());
    let parent = after(&shards, 3);
    let state = follow(&shards, &parent, &[shift(1, 0)]);
    assert!(parent.homes().home(&account(1)).is(ShardId(1)), "the parent keeps its own");
    assert!(state.homes().home(&account(1)).is(ShardId(0)));
    let value = child(&shards, &parent, &[shift(1, 0)]);
    assert_eq!(Arc::new(parent.apply(&value)).digest(), value.digest());
}

proptest! {
    #[test]
    fn homes_are_those_that_shards_know(
        steps in prop::collection::vec(
            (prop::collection::vec((0_u64..40, 0_u32..3), 0..4),
             prop::collection::vec((0_u64..40, 0_u32..3), 0..4)),
            1..12,
        ),
    ) {
        let mut homes = Homes::new(&network());
        let mut allocation = Allocation::new(3, Base::Hash, Residents::standard(3));
        for (number, (placed, moved)) in (1..).zip(steps) {
            let placements: Vec<Placement> = placed
                .iter()
                .map(|(index, to)| Placement { address: account(*index), shard: ShardId(*to) })
                .collect();
            let moves: Vec<Move> = moved.iter().map(|(index, to)| shift(*index, *to)).collect();
            homes.apply(&placements, &moves);
            allocation.apply(&Checkpoint {
                number: CheckpointNumber(number),
                parent: Default::default(),
                timestamp: Timestamp::ZERO,
                epoch: Epoch::ZERO,
                crosslinks: Vec::new(),
                placements,
                moves,
            });
            let told = homes.allocation();
            for account in (0..40).map(account).chain([OUTBOX]) {
                prop_assert_eq!(homes.home(&account), allocation.home(&account));
                prop_assert_eq!(told.home(&account), allocation.home(&account));
                prop_assert_eq!(homes.is_placed(&account), allocation.is_placed(&account));
            }
        }
    }
}

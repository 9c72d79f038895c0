//! The largest closed cut: what is left out, and nothing else.

mod support;

use alloy_primitives::{Address, B256};
use consensus::Value as _;
use coordinator::cut::{
    Dependency, MAX_HEADER_BYTES, MAX_PROPOSAL_BYTES, MAX_PROPOSAL_HEADERS, cost, encoded_bytes,
    largest, lower,
};
use coordinator::headers::{HeaderPool, MAX_PENDING_BYTES};
use coordinator::proposal::{build, validate};
use coordinator::{CheckpointState, Rule};
use cross_shard_msg::codec::{self, MAX_MESSAGE_BYTES};
use cross_shard_msg::{
    CheckpointNumber, DropReason, Header, Height, Settings, ShardId, Timestamp, Wei, Work,
};
use proptest::prelude::*;

use support::shards::{INTERVAL, Plan, Shards, settings, settle};

/// Headers of each shard in a cut, and which rules are told.
fn cut(shards: &Shards, parent: &CheckpointState) -> (Vec<usize>, Vec<(u32, Rule)>) {
    let candidate = largest(parent, &shards.settings, &shards.pool(parent));
    let told = candidate.violations.iter().map(|v| (v.shard.unwrap().0, v.rule)).collect();
    // Whatever is left out, the rest is a valid checkpoint.
    let timestamp = parent.timestamp() + INTERVAL;
    let (value, _) = build(parent, &shards.settings, &shards.pool(parent), timestamp, &[]).unwrap();
    validate(parent, &shards.settings, &value, |_| false).unwrap();
    (candidate.chains.iter().map(Vec::len).collect(), told)
}

#[test]
fn a_header_that_breaks_a_rule_ends_its_own_shard_alone() {
    type Forge = fn(&mut Header, &Settings);
    let table: [(Rule, Forge); 8] = [
        (Rule::Chain, |h, _| h.parent = B256::ZERO),
        (Rule::Progress, |h, _| h.timestamp = Timestamp::ZERO),
        (Rule::Lists, |h, _| h.sent.clear()),
        (Rule::BaseFee, |h, _| h.base_fee -= 1),
        (Rule::Balance, |h, _| h.ledger.held += Wei::from(1)),
        (Rule::Sums, |h, _| {
            h.ledger.sent += Wei::from(1);
            h.ledger.held -= Wei::from(1);
        }),
        (Rule::Watermark, |h, s| {
            h.watermarks[0].value += Wei::from(1);
            settle(h, s);
        }),
        (Rule::Watermark, |h, _| h.watermarks[1].header = B256::ZERO),
    ];
    for (rule, forge) in table {
        let mut shards = Shards::new(&settings(4, 1));
        shards.round();
        shards.round();
        let network = shards.settings.clone();
        // Every shard makes two more blocks; the second shard lies in its first one.
        let plans: Vec<Plan> = (0..4).map(|shard| shards.traffic(shard)).collect();
        for (shard, plan) in plans.iter().enumerate() {
            let quiet = Plan { takes: vec![], ..plan.clone() };
            let plan = if shard == 1 { plan } else { &quiet };
            shards.forged(shard, plan, |header| {
                if shard == 1 {
                    forge(header, &network);
                }
            });
        }
        for shard in 0..4 {
            shards.block(shard, &Plan::default());
        }
        let genesis = CheckpointState::genesis(&network);
        assert_eq!(cut(&shards, &genesis), (vec![4, 2, 4, 4], vec![(1, rule)]));
    }
}

#[test]
fn who_consumed_what_is_not_taken_is_lowered() {
    let mut shards = Shards::new(&settings(4, 1));
    // 0 sends to 1, which sends to 2 after it took that in; 3 has nothing to do with it.
    shards.block(0, &Plan { sends: vec![(1, 5)], ..Plan::default() });
    shards.block(1, &Plan::default());
    shards.block(1, &Plan { takes: vec![0], sends: vec![(2, 7)], ..Plan::default() });
    shards.block(2, &Plan::default());
    shards.block(2, &Plan { takes: vec![1], ..Plan::default() });
    shards.block(2, &Plan::default());
    shards.block(3, &Plan::default());
    let genesis = CheckpointState::genesis(&shards.settings);
    assert_eq!(cut(&shards, &genesis), (vec![1, 2, 3, 1], vec![]));
    let mut without = shards.clone();
    without.chains[0].clear();
    assert_eq!(cut(&without, &genesis), (vec![0, 1, 1, 1], vec![]), "silence is no violation");
}

#[test]
fn a_header_that_names_a_newer_checkpoint_waits() {
    let mut shards = Shards::new(&settings(2, 1));
    shards.block(0, &Plan::default());
    shards.forged(0, &Plan::default(), |header| header.checkpoint = CheckpointNumber(1));
    shards.block(1, &Plan::default());
    let genesis = CheckpointState::genesis(&shards.settings);
    assert_eq!(cut(&shards, &genesis), (vec![1, 1], vec![]));
    let pool = shards.pool(&genesis);
    let (value, _) = build(&genesis, &shards.settings, &pool, Timestamp(INTERVAL.0), &[]).unwrap();
    assert_eq!(cut(&shards, &genesis.apply(&value)), (vec![1, 0], vec![]));
}

#[test]
fn a_proposal_fits_into_a_message() {
    // Each header has a third of a megabyte; with its placements twice, half of
    // them fit.
    let mut shards = Shards::new(&settings(5, 1));
    for shard in 0..5 {
        for block in 0..10 {
            let place =
                |index: u64| Address::left_padding_from(&(block * 100_000 + index).to_be_bytes());
            let places = (shard as u64 * 1_000_000..).take(10_000).map(place).collect();
            shards.block(shard, &Plan { places, ..Plan::default() });
        }
    }
    for signed in shards.chains.iter().flatten() {
        assert!(encoded_bytes(signed) >= codec::encode(signed).unwrap().len());
    }
    let mut state = CheckpointState::genesis(&shards.settings);
    let mut taken = vec![0; 5];
    for number in 1..=4 {
        let pool = shards.pool(&state);
        let timestamp = Timestamp(number * INTERVAL.0);
        let (value, _) = build(&state, &shards.settings, &pool, timestamp, &[]).unwrap();
        let bytes = codec::encode(&value).unwrap().len();
        const { assert!(MAX_PROPOSAL_BYTES < MAX_MESSAGE_BYTES) };
        assert!(bytes <= MAX_PROPOSAL_BYTES, "{bytes}");
        let left = 50 - taken.iter().sum::<usize>();
        assert_eq!(
            value.evidence().len(),
            left.min(MAX_PROPOSAL_BYTES / cost(&shards.chains[0][0]))
        );
        let got = value.checkpoint().crosslinks.iter().map(|crosslink| crosslink.headers.len());
        let spread = got.clone().max().unwrap_or(0) - got.min().unwrap_or(0);
        assert!(number > 2 || spread <= 1, "shards get room in turns");
        for crosslink in &value.checkpoint().crosslinks {
            taken[crosslink.shard.0 as usize] += crosslink.headers.len();
        }
        state = validate(&state, &shards.settings, &value, |_| true).unwrap();
    }
    assert_eq!(taken, [10; 5]);
}

#[test]
fn a_crosslink_has_at_most_256_headers() {
    let mut shards = Shards::new(&settings(1, 1));
    for _ in 0..300 {
        shards.block(0, &Plan::default());
    }
    let genesis = CheckpointState::genesis(&shards.settings);
    assert_eq!(cut(&shards, &genesis), (vec![256], vec![]));
    const { assert!(MAX_PROPOSAL_HEADERS >= 256) };
}

#[test]
fn encoded_bytes_is_an_upper_bound_for_busy_headers() {
    let mut shards = Shards::new(&settings(40, 1));
    shards.round();
    shards.round();
    for signed in shards.chains.iter().flatten() {
        assert!(encoded_bytes(signed) >= codec::encode(signed).unwrap().len());
    }
}

fn take(pool: &mut HeaderPool, signed: &cross_shard_msg::SignedHeader) -> Result<(), DropReason> {
    pool.take(signed.shard, signed.clone(), &mut Work::default())
}

#[test]
fn a_pool_drops_what_it_can_not_use() {
    let mut network = settings(2, 1);
    network.bounds.pending_headers = 4;
    let mut shards = Shards::new(&network);
    for _ in 0..6 {
        shards.round();
    }
    let genesis = CheckpointState::genesis(&network);
    let mut pool = HeaderPool::new(shards.settings.clone(), &genesis);
    let chain = &shards.chains[0];
    let mut work = Work::default();
    assert_eq!(pool.take(ShardId(0), chain[0].clone(), &mut work), Ok(()));
    assert_eq!(pool.take(ShardId(0), chain[0].clone(), &mut work), Err(DropReason::Duplicate));
    assert_eq!(pool.take(ShardId(0), chain[4].clone(), &mut work), Err(DropReason::TooFarAhead));
    assert_eq!(work.verifications, 1, "certificates are checked once, and only when it matters");
    assert_eq!(take(&mut pool, &chain[2]), Ok(()));
    assert_eq!(pool.missing(ShardId(0), Height(0)), Some((Height(2), Height(2))));
    let mut stolen = chain[3].clone();
    stolen.certificate = chain[2].certificate.clone();
    assert_eq!(take(&mut pool, &stolen), Err(DropReason::Signature));
    assert_eq!(take(&mut pool, &chain[1]), Ok(()));
    assert_eq!(pool.above(ShardId(0), Height(0)).count(), 3);
    // The shard has spoken of its fifth block, which is beyond the bound for now.
    assert_eq!(pool.missing(ShardId(0), Height(9)), Some((Height(4), Height(4))));
    let wrong = shards.sign(Header { parent: B256::ZERO, ..(*shards.chains[1][0].header).clone() });
    assert_eq!(take(&mut pool, &wrong), Err(DropReason::Disconnected));
}

#[test]
fn a_pool_is_bounded_in_bytes_and_takes_the_next_header_all_the_same() {
    let mut shards = Shards::new(&settings(2, 1));
    // Nearly the largest header that is taken at all.
    let places = vec![Address::repeat_byte(1); MAX_HEADER_BYTES / 28 - 64];
    let plan = Plan { places, ..Plan::default() };
    let room = MAX_PENDING_BYTES / MAX_HEADER_BYTES;
    let chain: Vec<_> = (0..room + 3).map(|_| shards.block(0, &plan)).collect();
    let genesis = CheckpointState::genesis(&shards.settings);
    let mut pool = HeaderPool::new(shards.settings.clone(), &genesis);
    let taken: Vec<_> = chain[1..].iter().map(|signed| take(&mut pool, signed)).collect();
    assert!(taken[..room].iter().all(Result::is_ok));
    assert_eq!(taken.last(), Some(&Err(DropReason::QueueFull)));
    assert_eq!(take(&mut pool, &chain[0]), Ok(()));
}

#[test]
fn an_equivocation_is_kept_and_ends_the_shard_until_it_is_decided() {
    let mut shards = Shards::new(&settings(2, 1));
    shards.round();
    let mut fork = shards.clone();
    shards.block(0, &Plan::default());
    shards.block(0, &Plan::default());
    fork.block(0, &Plan { gas_used: 50_000, ..Plan::default() });
    fork.block(0, &Plan::default());
    let genesis = CheckpointState::genesis(&shards.settings);
    let mut pool = shards.pool(&genesis);
    assert_eq!(take(&mut pool, &fork.chains[0][1]), Err(DropReason::Invalid));
    assert_eq!(take(&mut pool, &fork.chains[0][1]), Err(DropReason::Duplicate));
    assert_eq!((pool.equivocated(), pool.equivocations().len()), (1, 1));
    let found = &pool.equivocations()[0];
    assert_eq!((&found.first, &found.second), (&shards.chains[0][1], &fork.chains[0][1]));
    assert_eq!(pool.above(ShardId(0), Height(0)).count(), 1);
    pool.absorb(&fork.chains[0][1..2]);
    assert_eq!(pool.equivocated(), 1, "told once");
    let mut learns = shards.pool(&genesis);
    learns.absorb(&fork.chains[0][1..2]);
    assert_eq!(learns.equivocated(), 1, "a proposal may be what shows it");
    // Somebody else, who knows only the fork, proposes it.
    let (value, _) =
        build(&genesis, &fork.settings, &fork.pool(&genesis), Timestamp(INTERVAL.0), &[]).unwrap();
    let state = validate(&genesis, &shards.settings, &value, |header| pool.knows(header)).unwrap();
    assert_eq!(state.digest(), value.digest());
    pool.advance(&state, value.evidence());
    assert_eq!(pool.pending(ShardId(0)), 0, "the fork that lost is forgotten");
    let after = fork.block(0, &Plan::default());
    assert_eq!(take(&mut pool, &after), Ok(()));
    assert_eq!(pool.above(ShardId(0), Height(3)).count(), 1, "and the shard goes on");
}

/// All cuts that are closed, by trying each.
fn closed(lengths: &[usize], dependencies: &[Vec<Dependency>]) -> Vec<Vec<usize>> {
    let mut cuts = vec![vec![]];
    for length in lengths {
        cuts = cuts
            .iter()
            .flat_map(|cut| {
                (0..=*length).map(|taken| [cut.as_slice(), &[taken]].concat()).collect::<Vec<_>>()
            })
            .collect();
    }
    cuts.retain(|cut| {
        dependencies.iter().enumerate().all(|(shard, dependencies)| {
            dependencies.iter().all(|d| d.header >= cut[shard] || cut[d.source] >= d.needed)
        })
    });
    cuts
}

proptest! {
    #[test]
    fn lowering_gives_the_largest_closed_cut(
        lengths in prop::collection::vec(0_usize..5, 1..5),
        raw in prop::collection::vec((0_usize..5, 0_usize..5, 0_usize..5, 0_usize..7), 0..14),
    ) {
        let mut dependencies = vec![Vec::new(); lengths.len()];
        for (shard, header, source, needed) in raw {
            let needed = if needed == 6 { usize::MAX } else { needed };
            let (shard, source) = (shard % lengths.len(), source % lengths.len());
            dependencies[shard].push(Dependency { header, source, needed });
        }
        for list in &mut dependencies {
            list.sort_by_key(|dependency| dependency.header);
        }
        let mut taken = lengths.clone();
        lower(&mut taken, &dependencies);
        let all = closed(&lengths, &dependencies);
        prop_assert!(all.contains(&taken), "closed");
        for other in all {
            prop_assert!(other.iter().zip(&taken).all(|(other, taken)| other <= taken), "largest");
        }
    }

    #[test]
    fn any_subset_of_headers_makes_a_valid_checkpoint(
        seen in prop::collection::vec(0_usize..9, 4),
        forged in prop::option::of((0_usize..4, 0_usize..8)),
    ) {
        let mut shards = Shards::new(&settings(4, 1));
        for round in 0..8 {
            for shard in 0..4 {
                let lies = forged == Some((shard, round));
                let plan = shards.traffic(shard);
                shards.forged(shard, &plan, |header| {
                    if lies {
                        header.ledger.held += Wei::from(1);
                    }
                });
            }
        }
        for (chain, seen) in shards.chains.iter_mut().zip(&seen) {
            chain.truncate(*seen);
        }
        let genesis = CheckpointState::genesis(&shards.settings);
        let (taken, _) = cut(&shards, &genesis);
        prop_assert!(taken.iter().zip(&seen).all(|(taken, seen)| taken <= seen));
    }
}

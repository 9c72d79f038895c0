//! Committees of one, four and seven, with shards that sign headers, under virtual time.

mod support;

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use coordinator::Rule;
use cross_shard_msg::checkpoint::genesis_digest;
use cross_shard_msg::{
    CheckpointNumber, DropReason, Duration, Event, Header, Height, Message, NodeId, Placement,
    Proposal, Settings, ShardId, Timestamp, Wei,
};

use support::committee::{Committee, traffic};
use support::shards::{INTERVAL, Plan, Shards, settings, settle};

#[test]
fn committees_finalize_what_shards_sign() {
    for size in [1, 4, 7] {
        let network = settings(3, size);
        let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
        traffic(&mut committee, &mut shards, &mut [0; 3], 10);
        committee.run(INTERVAL.times(2));
        assert!((10..=12).contains(&committee.agreed()), "one checkpoint per interval");
        for (shard, chain) in shards.chains.iter().enumerate() {
            assert_eq!(committee.crosslinked(shard), chain.len() as u64);
        }
        let chain = committee.chain(0);
        assert_eq!(chain[0].parent, genesis_digest(&network.network));
        for pair in chain.windows(2) {
            assert_eq!(pair[1].parent, pair[0].digest());
            assert!(pair[1].timestamp.since(pair[0].timestamp) >= INTERVAL);
        }
        for index in 0..size {
            assert_eq!(committee.dropped(index, DropReason::Invalid), 0);
            assert_eq!(committee.dropped(index, DropReason::Signature), 0);
            let nullified = |event: &Event| matches!(event, Event::ViewNullified { .. });
            assert_eq!(committee.count(index, nullified), 0);
        }
        let proposed = |event: &Event| matches!(event, Event::CheckpointProposed { .. });
        let proposals: usize = (0..size).map(|index| committee.count(index, proposed)).sum();
        assert!(proposals >= chain.len(), "every checkpoint was proposed by somebody");
        assert!(committee.work[0].verifications >= shards.chains[0].len() as u32 * 3);
        assert_eq!(committee.pulls, [], "nothing was missing");
    }
}

#[test]
fn runs_are_equal_to_the_bit() {
    let run = || {
        let network = settings(3, 4);
        let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
        traffic(&mut committee, &mut shards, &mut [0; 3], 5);
        (committee.finalized, committee.events)
    };
    assert_eq!(run(), run());
}

#[test]
fn checkpoints_go_on_when_no_shard_moves() {
    let network = settings(2, 4);
    let mut committee = Committee::new(&network);
    committee.run(INTERVAL.times(5));
    assert!(committee.agreed() >= 4);
    assert!(committee.chain(0).iter().all(|checkpoint| checkpoint.crosslinks.is_empty()));
}

#[test]
fn the_committee_goes_on_without_its_faulty_third() {
    for (size, crashed) in [(4, vec![1]), (7, vec![2, 3])] {
        let network = settings(3, size);
        let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
        let mut known = [0; 3];
        traffic(&mut committee, &mut shards, &mut known, 3);
        let before = committee.agreed();
        committee.crashed.extend(&crashed);
        traffic(&mut committee, &mut shards, &mut known, 20);
        committee.run(INTERVAL.times(4));
        assert!(committee.agreed() >= before + 8, "{} after {before}", committee.agreed());
        assert_eq!(committee.crosslinked(0), shards.chains[0].len() as u64);
        let nullified = |event: &Event| {
            matches!(event, Event::ViewNullified { leader, .. }
                if crashed.contains(&(leader.0 as usize)))
        };
        assert!(committee.count(0, nullified) > 0);
        // More than a third: no progress, and no disagreement.
        let stuck = committee.agreed();
        committee.crashed.insert(0);
        committee.run(INTERVAL.times(20));
        assert!(committee.agreed() <= stuck + 1);
    }
}

#[test]
fn a_member_that_was_away_catches_up() {
    let network = settings(3, 4);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    let mut known = [0; 3];
    traffic(&mut committee, &mut shards, &mut known, 4);
    committee.crashed.insert(2);
    traffic(&mut committee, &mut shards, &mut known, 40);
    committee.restart(2);
    traffic(&mut committee, &mut shards, &mut known, 6);
    committee.run(INTERVAL.times(3));
    assert_eq!(committee.crosslinked(1), shards.chains[1].len() as u64);
    let state = committee.nodes[2].tip();
    assert_eq!(state.digest(), committee.nodes[0].tip().digest());
    assert!(committee.agreed() > 20);
}

#[test]
fn a_whole_committee_restarts_from_its_logs() {
    let network = settings(3, 4);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    let mut known = [0; 3];
    traffic(&mut committee, &mut shards, &mut known, 4);
    let before = committee.agreed();
    for index in 0..4 {
        committee.restart(index);
    }
    traffic(&mut committee, &mut shards, &mut known, 6);
    committee.run(INTERVAL.times(2));
    for log in &committee.logs {
        let logged: Vec<_> = log.iter().flat_map(|record| record.checkpoints()).collect();
        assert!(logged.len() as u64 >= before + 4);
        assert!(logged.windows(2).all(|p| p[1].checkpoint.number == p[0].checkpoint.number.next()));
    }
    assert_eq!(committee.crosslinked(0), shards.chains[0].len() as u64);
}

#[test]
fn a_silent_shard_does_not_stop_the_others() {
    let network = settings(3, 4);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    let mut known = [0; 3];
    traffic(&mut committee, &mut shards, &mut known, 2);
    let silent_at = shards.chains[2].len();
    for _ in 0..10 {
        for shard in 0..2 {
            let plan = Plan { takes: vec![1 - shard], ..shards.traffic(shard) };
            shards.block(shard, &plan);
        }
        committee.publish_all(&shards, &mut known);
        committee.run(INTERVAL);
    }
    committee.run(INTERVAL.times(2));
    assert_eq!(committee.crosslinked(2), silent_at as u64);
    assert_eq!(committee.crosslinked(0), shards.chains[0].len() as u64);
    assert_eq!(committee.crosslinked(1), shards.chains[1].len() as u64);
    committee.agreed();
}

#[test]
fn a_shard_that_breaks_a_rule_is_left_out_alone() {
    type Forge = fn(&mut Header, &Settings);
    let table: [(&str, Forge); 4] = [
        ("ledger", |h, _| h.ledger.held += Wei::from(1)),
        ("watermark", |h, s| {
            h.watermarks[0].value += Wei::from(1_000);
            settle(h, s);
        }),
        ("base fee", |h, _| h.base_fee += 1),
        ("parent", |h, _| h.parent = B256::ZERO),
    ];
    for (name, forge) in table {
        let network = settings(4, 4);
        let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
        let mut known = [0; 4];
        traffic(&mut committee, &mut shards, &mut known, 2);
        let good = shards.chains[3].len() as u64;
        let plan = shards.traffic(3);
        shards.forged(3, &plan, |header| forge(header, &network));
        for _ in 0..12 {
            // Nobody consumes what the forger released: no checkpoint ever shows it.
            for shard in 0..4 {
                let mut plan = shards.traffic(shard);
                plan.takes.retain(|source| shard != 3 && *source != 3);
                shards.block(shard, &plan);
            }
            committee.publish_all(&shards, &mut known);
            committee.run(INTERVAL.divided(2));
        }
        committee.run(INTERVAL.times(4));
        assert!(committee.agreed() >= 9, "{name}");
        assert_eq!(committee.crosslinked(3), good, "{name}");
        for shard in 0..3 {
            assert_eq!(committee.crosslinked(shard), shards.chains[shard].len() as u64, "{name}");
        }
        let observed = (0..4).all(|index| {
            let reasons = [DropReason::Invalid, DropReason::Disconnected];
            reasons.iter().any(|reason| committee.dropped(index, *reason) > 0)
        });
        assert!(observed, "{name}");
    }
}

#[test]
fn a_shard_that_equivocates_is_left_out_until_one_fork_is_decided() {
    let everybody = [0, 1, 2, 3];
    let network = settings(3, 4);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    let mut known = [0; 3];
    traffic(&mut committee, &mut shards, &mut known, 2);
    let good = shards.chains[2].len() as u64;
    let mut fork = shards.clone();
    let one = shards.block(2, &Plan::default());
    let other = fork.block(2, &Plan { gas_used: 99_000, ..Plan::default() });
    known[2] += 1;
    committee.publish(std::slice::from_ref(&one), &everybody);
    committee.deliver(std::slice::from_ref(&other), &everybody);
    for _ in 0..6 {
        for shard in 0..2 {
            shards.block(shard, &Plan { takes: vec![1 - shard], ..shards.traffic(shard) });
        }
        committee.publish_all(&shards, &mut known);
        committee.run(INTERVAL);
    }
    committee.run(INTERVAL.times(2));
    assert_eq!(committee.crosslinked(2), good, "all have seen both: nobody proposes either");
    assert_eq!(committee.crosslinked(0), shards.chains[0].len() as u64);
    assert_eq!(committee.crosslinked(1), shards.chains[1].len() as u64);
    for node in &committee.nodes {
        assert_eq!(node.pool().equivocated(), 1);
        let found = &node.pool().equivocations()[0];
        assert_eq!((found.first.hash(), found.second.hash()), (one.hash(), other.hash()));
    }
}

#[test]
fn a_fork_that_some_have_not_seen_is_decided_once() {
    let network = settings(2, 4);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    let mut known = [0; 2];
    traffic(&mut committee, &mut shards, &mut known, 2);
    let mut fork = shards.clone();
    // Two coordinators see one fork, two the other.
    for (shards, to) in [(&mut shards, [0, 1]), (&mut fork, [2, 3])] {
        let plan = Plan { gas_used: 21_000 * to[0], ..Plan::default() };
        let signed = shards.block(1, &plan);
        committee.deliver(&[signed], &[to[0] as usize, to[1] as usize]);
    }
    committee.run(INTERVAL.times(3));
    let height = Height(shards.chains[1].len() as u64);
    assert_eq!(committee.crosslinked(1), height.0);
    committee.agreed();
    let hash = committee.nodes[0].tip().previous(ShardId(1)).unwrap().hash;
    let won = if hash == shards.chains[1].last().unwrap().hash() { &mut shards } else { &mut fork };
    assert_eq!(hash, won.chains[1].last().unwrap().hash());
    let next = won.block(1, &Plan::default());
    committee.publish(&[next], &[0, 1, 2, 3]);
    committee.run(INTERVAL.times(2));
    assert_eq!(committee.crosslinked(1), height.0 + 1, "the fork that won goes on");
}

#[test]
fn a_header_that_only_some_have_seen_is_taken_in() {
    let network = settings(2, 4);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    let signed = shards.block(0, &Plan::default());
    committee.deliver(&[signed], &[3]);
    committee.run(INTERVAL.times(6));
    assert_eq!(committee.crosslinked(0), 1);
    assert_eq!(committee.dropped(0, DropReason::Invalid), 0, "its proposal brings its evidence");
}

#[test]
fn missing_headers_are_pulled_from_the_shard() {
    let network = settings(2, 4);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    for _ in 0..5 {
        shards.round();
    }
    let chain = shards.chains[0].clone();
    committee.publish(&chain[..1], &[0, 1, 2, 3]);
    committee.publish(&chain[1..4], &[]);
    committee.publish(&chain[4..], &[0, 1, 2, 3]);
    committee.publish(&shards.chains[1].clone(), &[0, 1, 2, 3]);
    committee.run(INTERVAL.times(3));
    let expected = (ShardId(0), ShardId(0), Height(2), Height(4));
    assert!(!committee.pulls.is_empty());
    assert!(committee.pulls.iter().all(|pull| *pull == expected), "{:?}", committee.pulls);
    assert_eq!((committee.crosslinked(0), committee.crosslinked(1)), (5, 5));
}

#[test]
fn headers_of_a_dead_shard_are_pulled_from_who_consumed_them() {
    let network = settings(3, 4);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    // Shard 0 dies after shard 1 took in what it released, and before a coordinator heard of it.
    shards.block(0, &Plan::default());
    shards.block(0, &Plan { sends: vec![(1, 5)], ..Plan::default() });
    shards.block(1, &Plan { takes: vec![0], ..Plan::default() });
    shards.block(2, &Plan::default());
    committee.silent.insert(0);
    committee.served.insert((1, 0), shards.chains[0].clone());
    for shard in 1..3 {
        committee.publish(&shards.chains[shard].clone(), &[0, 1, 2, 3]);
    }
    committee.run(INTERVAL.times(4));
    let asked: BTreeMap<ShardId, usize> =
        committee.pulls.iter().fold(BTreeMap::new(), |mut asked, pull| {
            *asked.entry(pull.0).or_default() += 1;
            asked
        });
    assert_eq!(committee.pulls[0].0, ShardId(0), "the shard is asked first");
    assert!(asked.contains_key(&ShardId(1)) && !asked.contains_key(&ShardId(2)));
    assert_eq!((committee.crosslinked(0), committee.crosslinked(1)), (2, 1));
}

#[test]
fn what_nobody_has_is_asked_for_ever_more_slowly() {
    let network = settings(2, 1);
    let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
    shards.block(0, &Plan::default());
    let second = shards.block(0, &Plan::default());
    committee.deliver(&[second], &[0]);
    committee.run(INTERVAL.times(40));
    // 320 rounds; at first one request in each, in the end one in sixteen.
    assert!((15..30).contains(&committee.pulls.len()), "{}", committee.pulls.len());
    assert!(committee.agreed() >= 38);
}

#[test]
fn validators_refuse_what_a_lying_leader_proposes() {
    type ForgeProposal = fn(&mut Proposal);
    let table: [(Rule, ForgeProposal); 7] = [
        (Rule::Parent, |p| p.checkpoint.epoch.0 += 1),
        (Rule::Crosslinks, |p| {
            if let Some(crosslink) = p.checkpoint.crosslinks.first_mut() {
                crosslink.first.0 += 1;
            } else {
                p.checkpoint.epoch.0 += 1;
            }
        }),
        (Rule::Evidence, |p| match p.checkpoint.crosslinks.first_mut() {
            Some(crosslink) => crosslink.congestion.level = 999,
            None => p.checkpoint.epoch.0 += 1,
        }),
        (Rule::Certificate, |p| {
            p.checkpoint.epoch.0 += u64::from(p.evidence.is_empty());
            for signed in &mut p.evidence {
                signed.certificate.signatures[0].1.0[7] ^= 1;
            }
        }),
        (Rule::Placements, |p| {
            let address = Address::repeat_byte(0xbb);
            p.checkpoint.placements.push(Placement { address, shard: ShardId(0) });
        }),
        (Rule::Parent, |p| p.checkpoint.number.0 += 1),
        (Rule::Parent, |p| p.checkpoint.timestamp = Timestamp(1)),
    ];
    for (rule, forge) in table {
        let network = settings(3, 4);
        let (mut committee, mut shards) = (Committee::new(&network), Shards::new(&network));
        committee.lie(1, forge);
        traffic(&mut committee, &mut shards, &mut [0; 3], 12);
        committee.run(INTERVAL.times(6));
        assert!(committee.agreed() >= 8, "{rule:?}");
        for index in [0, 2, 3] {
            let refused = [DropReason::Invalid, DropReason::Disconnected]
                .iter()
                .map(|reason| committee.dropped(index, *reason))
                .sum::<usize>();
            assert!(refused > 0, "{rule:?} at {index}");
        }
        for (shard, chain) in shards.chains.iter().enumerate() {
            assert_eq!(committee.crosslinked(shard), chain.len() as u64, "{rule:?}");
        }
        for checkpoint in committee.chain(0) {
            assert_eq!((checkpoint.epoch.0, checkpoint.placements.len()), (0, 0), "{rule:?}");
        }
    }
}

#[test]
fn messages_that_make_no_sense_are_dropped_under_a_name() {
    let network = settings(2, 4);
    let mut committee = Committee::new(&network);
    let headers = |shard: u32, count| {
        let mut shards = Shards::new(&settings(4, 4));
        let signed = shards.block(shard as usize, &Plan::default());
        Message::Headers(vec![signed; count].into())
    };
    let coordinator = NodeId::Coordinator(cross_shard_msg::ValidatorIndex(1));
    let shard = NodeId::Shard(ShardId(0));
    let table = [
        (coordinator, Message::Consensus(vec![7; 9].into()), DropReason::Undecodable),
        (shard, Message::Consensus(vec![7; 9].into()), DropReason::Unexpected),
        (NodeId::Client, headers(0, 1), DropReason::Unexpected),
        (coordinator, headers(0, 1), DropReason::Unexpected),
        (
            coordinator,
            Message::PullCheckpoints { from: CheckpointNumber(0) },
            DropReason::Unexpected,
        ),
        (shard, Message::Submit(Vec::new()), DropReason::Unexpected),
        (shard, headers(3, 1), DropReason::Invalid),
        (shard, headers(0, 5_000), DropReason::TooMany),
    ];
    for (from, message, reason) in table {
        let before = committee.dropped(0, reason);
        committee.post(from, 0, message);
        committee.run(Duration::from_millis(25));
        assert_eq!(committee.dropped(0, reason), before + 1, "{reason:?}");
    }
}

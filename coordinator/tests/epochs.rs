//! Committees with partitioners: when they ask, about what, and what comes of the answers.

mod support;

use std::sync::Arc;

use alloy_primitives::Address;
use cross_shard_msg::{
    Access, DropReason, Duration, Epoch, Epochs, Event, Height, Message, Move, NodeId, Settings,
    ShardId, TrafficReport,
};
use partitioning::OUTBOX;

use support::committee::Committee;
use support::shards::{INTERVAL, Plan, Shards, settings};
use support::strategies::{Fails, Rotate, Wants, asking};

type Forge = fn(&mut TrafficReport);

const EVERYBODY: [usize; 4] = [0, 1, 2, 3];

/// Three shards, four validators, epochs of six checkpoints.
fn network() -> Settings {
    let epochs = Epochs { checkpoints: 6, max_moves: 5, max_accesses: 16 };
    Settings { epochs: Some(epochs), ..settings(3, 4) }
}

/// An address whose base home among three shards is `index % 3`.
fn account(index: u64) -> Address {
    Address::left_padding_from(&(0x3000_0000 + index).to_be_bytes())
}

fn report(shard: usize, height: Height, accounts: &[u64]) -> TrafficReport {
    let accounts = accounts.iter().map(|index| account(*index)).collect();
    let accesses = vec![Access { accounts, contracts: 0 }];
    TrafficReport { shard: ShardId(shard as u32), height, accesses, omitted: 0 }
}

/// A committee and shards that report.
struct Network {
    committee: Committee,
    shards: Shards,
}

impl Network {
    fn new(committee: Committee) -> Self {
        let shards = Shards::new(&committee.settings);
        Self { committee, shards }
    }

    /// Lets shards make two blocks in each of so many intervals. Each reports that two accounts were
    /// used together, to these members.
    fn run(&mut self, intervals: u64, told: &[usize]) {
        for _ in 0..2 * intervals {
            for shard in 0..3 {
                let height = Height(self.shards.chains[shard].len() as u64 + 1);
                let report = report(shard, height, &[shard as u64, shard as u64 + 4]);
                let digest = report.digest();
                let header =
                    self.shards.forged(shard, &Plan::default(), |header| header.traffic = digest);
                self.committee.publish(&[header], &EVERYBODY);
                for to in told {
                    self.report(&report, *to);
                }
            }
            self.committee.run(INTERVAL.divided(2));
        }
    }

    fn report(&mut self, report: &TrafficReport, to: usize) {
        let message = Message::Traffic(Arc::new(report.clone()));
        self.committee.post(NodeId::Shard(report.shard), to, message);
    }

    /// Numbers of the checkpoints that moved accounts, their epochs, and how many they moved.
    fn moves(&self) -> Vec<(u64, u64, usize)> {
        let chain = self.committee.chain(0).into_iter();
        let moving = chain.filter(|checkpoint| !checkpoint.moves.is_empty());
        moving.map(|c| (c.number.0, c.epoch.0, c.moves.len())).collect()
    }

    /// Of one member: epochs about which it asked, with accounts, executions and missing reports.
    fn asked(&self, index: usize) -> Vec<(u64, u32, u32, u32)> {
        let events = self.committee.events[index].iter();
        let asked = events.filter_map(|event| match event {
            Event::PartitionerAsked { epoch, accounts, accesses, missing } => {
                Some((epoch.0, *accounts, *accesses, *missing))
            }
            _ => None,
        });
        asked.collect()
    }

    fn answered(&self, index: usize) -> Vec<(u64, u32)> {
        let events = self.committee.events[index].iter();
        let answered = events.filter_map(|event| match event {
            Event::PartitionerAnswered { epoch, moves } => Some((epoch.0, *moves)),
            _ => None,
        });
        answered.collect()
    }
}

#[test]
fn accounts_move_once_in_each_epoch_after_the_first() {
    let committee = Committee::asking(&network(), Some(asking(Rotate, 1)));
    let mut network = Network::new(committee);
    network.run(22, &EVERYBODY);
    assert!(network.committee.agreed() >= 20);
    // The answer takes a tenth of an interval: the first checkpoint of each epoch has it.
    assert_eq!(network.moves(), [(7, 1, 5), (13, 2, 5), (19, 3, 5)]);
    for index in EVERYBODY {
        assert_eq!(network.committee.dropped(index, DropReason::Invalid), 0);
        let asked = network.asked(index);
        // Whoever led one of the next two views, and no other.
        assert_eq!(asked.len(), network.answered(index).len());
        for (_, accounts, accesses, missing) in asked {
            assert_eq!((accounts, missing), (6, 0));
            assert!((30..=36).contains(&accesses), "six intervals of six blocks: {accesses}");
        }
        let tip = network.committee.nodes[index].tip();
        assert_eq!((tip.epoch(), tip.moved()), (Epoch(3), Some(Epoch(3))));
    }
    let all: usize = EVERYBODY.iter().map(|index| network.asked(*index).len()).sum();
    assert_eq!(all, 3 * 2, "two ask at each end of an epoch");
    // Every account has gone round once, but for the sixth, for which there was no room.
    let chain = network.committee.chain(0);
    let mut moved: Vec<Move> = chain.iter().flat_map(|c| c.moves.iter().copied()).collect();
    assert_eq!(moved.iter().filter(|moved| moved.account == account(0)).count(), 3);
    moved.retain(|moved| moved.account == account(0));
    let way: Vec<_> = moved.iter().map(|moved| (moved.from.0, moved.to.0)).collect();
    assert_eq!(way, [(0, 1), (1, 2), (2, 0)]);
}

#[test]
fn a_late_answer_goes_into_a_later_checkpoint_of_the_epoch_or_nowhere() {
    for (job_time, expected) in [
        (INTERVAL.times(2), Some(9..=11)),
        // By then each member has asked, and the epoch has ended.
        (INTERVAL.times(8), None),
    ] {
        let mut network = Network::new(Committee::asking(&network(), Some(asking(Rotate, 1))));
        network.committee.job_time = job_time;
        network.run(13, &EVERYBODY);
        let moves = network.moves();
        match expected {
            Some(numbers) => {
                assert_eq!(moves.len(), 1);
                assert!(numbers.contains(&moves[0].0), "{moves:?}");
            }
            None => assert_eq!(moves, []),
        }
        let all: usize = EVERYBODY.iter().map(|index| network.asked(*index).len()).sum();
        assert!(all >= 4, "others ask while nothing moves: {all}");
        let most = EVERYBODY.map(|index| network.asked(index).len()).into_iter().max();
        assert!(most <= Some(2), "once in an epoch, and one question at a time");
    }
}

#[test]
fn a_partitioner_that_fails_leaves_all_as_it_is() {
    let mut network = Network::new(Committee::asking(&network(), Some(asking(Fails, 1))));
    network.run(13, &EVERYBODY);
    assert_eq!((network.moves(), network.committee.agreed() >= 12), (vec![], true));
    let failed = |event: &Event| *event == Event::PartitionerFailed { epoch: Epoch(0) };
    let all: usize = EVERYBODY.iter().map(|index| network.committee.count(*index, failed)).sum();
    assert_eq!(all, 4, "each member asked once about the first epoch");
    assert!(network.committee.chain(0).last().unwrap().epoch > Epoch(0), "epochs go on");
}

#[test]
fn a_leader_proposes_of_any_answer_only_what_may_be() {
    let moved = |index: u64, from, to| Move {
        account: account(index),
        from: ShardId(from),
        to: ShardId(to),
    };
    let nonsense = vec![
        moved(5, 2, 0),
        moved(1, 1, 2),
        moved(1, 1, 0),
        moved(2, 1, 0),
        moved(3, 0, 3),
        moved(4, 1, 1),
        Move { account: OUTBOX, from: ShardId(0), to: ShardId(1) },
    ];
    let mut network = Network::new(Committee::asking(&network(), Some(asking(Wants(nonsense), 1))));
    network.run(8, &EVERYBODY);
    assert_eq!(network.moves(), [(7, 1, 2)]);
    assert_eq!(network.committee.chain(0)[6].moves, [moved(1, 1, 0), moved(5, 2, 0)]);
    assert!(EVERYBODY.iter().all(|at| network.committee.dropped(*at, DropReason::Invalid) == 0));
}

#[test]
fn a_leader_that_moves_at_will_is_voted_down() {
    let mut network = Network::new(Committee::asking(&network(), Some(asking(Rotate, 1))));
    network.committee.lie(1, |proposal| {
        let account = account(3);
        proposal.checkpoint.moves = vec![Move { account, from: ShardId(2), to: ShardId(1) }];
    });
    network.run(16, &EVERYBODY);
    network.committee.run(INTERVAL.times(4));
    assert!(network.committee.agreed() >= 8);
    let numbers: Vec<_> =
        network.moves().iter().map(|(_, epoch, count)| (*epoch, *count)).collect();
    assert!(numbers.starts_with(&[(1, 5)]), "{numbers:?}");
    assert!(network.committee.dropped(0, DropReason::Invalid) > 0);
}

#[test]
fn who_has_seen_nothing_asks_nobody() {
    let mut network = Network::new(Committee::asking(&network(), Some(asking(Rotate, 1))));
    // Of four members one gets no reports.
    network.run(22, &[0, 1, 3]);
    assert_eq!(network.asked(2), []);
    assert_eq!(network.moves().len(), 3);
}

#[test]
fn reports_that_are_late_count_until_their_epoch_ends() {
    let mut network = Network::new(Committee::asking(&network(), Some(asking(Rotate, 2))));
    network.run(4, &[0]);
    let late = |network: &mut Network, heights: std::ops::RangeInclusive<u64>| {
        for height in heights {
            for shard in 0..3 {
                let report = report(shard, Height(height), &[shard as u64, shard as u64 + 4]);
                network.report(&report, 1);
            }
        }
    };
    late(&mut network, 1..=3);
    // What is not the header's own is no report of it.
    for to in EVERYBODY {
        network.report(&report(0, Height(4), &[0, 5]), to);
    }
    network.run(9, &[0, 1]);
    // The epoch has ended.
    late(&mut network, 4..=5);
    network.committee.run(INTERVAL);
    let missing = |index: usize| network.asked(index).iter().map(|asked| asked.3).max();
    assert_eq!(missing(1), Some(15), "five blocks of three shards");
    assert_eq!(network.committee.dropped(1, DropReason::Duplicate), 6);
    assert_eq!(network.committee.dropped(1, DropReason::Invalid), 1);
    assert_eq!(network.committee.dropped(0, DropReason::Duplicate), 1);
    assert_eq!(missing(0).unwrap_or(0), 0);
}

#[test]
fn a_member_that_starts_again_knows_homes_and_the_last_epoch_of_moves() {
    let mut network = Network::new(Committee::asking(&network(), Some(asking(Rotate, 1))));
    network.run(9, &EVERYBODY);
    assert_eq!(network.moves(), [(7, 1, 5)]);
    for index in EVERYBODY {
        network.committee.restart(index);
        let tip = network.committee.nodes[index].tip();
        assert_eq!(tip.moved(), Some(Epoch(1)));
        assert!(tip.homes().home(&account(0)).is(ShardId(1)));
    }
    network.run(13, &EVERYBODY);
    let moves = network.moves();
    assert_eq!(moves.iter().map(|moved| moved.1).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(network.committee.agreed() >= 19);
}

#[test]
fn a_crash_loses_the_question() {
    let mut network = Network::new(Committee::asking(&network(), Some(asking(Rotate, 1))));
    network.committee.job_time = INTERVAL;
    while EVERYBODY.iter().all(|index| network.asked(*index).is_empty()) {
        network.run(1, &EVERYBODY);
    }
    for index in EVERYBODY {
        network.committee.restart(index);
    }
    let already: Vec<_> = EVERYBODY.map(|index| network.asked(index)).to_vec();
    network.run(3, &EVERYBODY);
    // Nobody knows the traffic of the epoch that ended; it goes by without moves.
    assert_eq!(EVERYBODY.map(|index| network.asked(index)).to_vec(), already);
    network.run(12, &EVERYBODY);
    let moves = network.moves();
    assert_eq!(moves.first().map(|moved| moved.1), Some(2), "{moves:?}");
}

#[test]
fn reports_are_dropped_under_a_name() {
    let honest = report(1, Height(1), &[1, 2]);
    let table: [(DropReason, usize, Forge); 6] = [
        (DropReason::Invalid, 0, |_| {}),
        (DropReason::Invalid, 1, |report| report.accesses.clear()),
        (DropReason::TooMany, 1, |report| {
            report.accesses = vec![report.accesses[0].clone(); 17];
        }),
        (DropReason::TooMany, 1, |report| {
            report.accesses[0].accounts.pop();
        }),
        (DropReason::TooMany, 1, |report| {
            report.accesses[0].accounts = vec![Address::ZERO; 17];
        }),
        (DropReason::TooFarAhead, 1, |report| report.height = Height(1_025)),
    ];
    for (index, (reason, from, forge)) in table.into_iter().enumerate() {
        let mut committee = Committee::asking(&network(), Some(asking(Rotate, 1)));
        let mut forged = honest.clone();
        forge(&mut forged);
        let message = Message::Traffic(Arc::new(forged));
        committee.post(NodeId::Shard(ShardId(from as u32)), 0, message);
        committee.run(Duration::from_millis(50));
        assert_eq!(committee.dropped(0, reason), 1, "{index}");
    }
    let dropped = |settings: &Settings, from| {
        let mut committee = Committee::new(settings);
        committee.post(from, 0, Message::Traffic(Arc::new(honest.clone())));
        committee.run(Duration::from_millis(50));
        committee.dropped(0, DropReason::Unexpected)
    };
    let shard = NodeId::Shard(ShardId(1));
    assert_eq!(dropped(&network(), shard), 0, "who has no partitioner ignores it");
    assert_eq!(dropped(&network(), NodeId::Client), 1);
    assert_eq!(dropped(&settings(3, 4), shard), 1, "nothing moves here");
}

#[test]
fn a_partitioner_is_for_networks_with_epochs() {
    let config = coordinator::CoordinatorConfig {
        index: cross_shard_msg::ValidatorIndex(0),
        key: support::shards::validator_key(0),
        settings: settings(3, 4),
        partitioner: Some(asking(Rotate, 1)),
    };
    let refused = coordinator::Coordinator::new(config).unwrap_err();
    assert_eq!(refused.to_string(), "a partitioner was given, but the network has no epochs");
}

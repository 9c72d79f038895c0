//! The traffic that a coordinator keeps: its order and its bounds; and what a strategy is shown of it.

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use alloy_primitives::Address;
use coordinator::CheckpointState;
use coordinator::traffic::{Extent, MAX_KEPT_TOUCHES, MAX_PENDING_TOUCHES, Traffic};
use cross_shard_msg::{
    Access, DropReason, Epochs, Event, Height, Message, Move, NodeId, Settings, ShardId,
    SignedHeader, TrafficReport,
};
use partitioning::{Home, PartitionError, Partitioner, Problem, Proposal, Stats};

use support::committee::Committee;
use support::shards::{INTERVAL, Plan, Shards, settings};
use support::strategies::asking;

const EPOCHS: Epochs = Epochs { checkpoints: 2, max_moves: 100, max_accesses: 1 << 16 };

fn network() -> Settings {
    Settings { epochs: Some(EPOCHS), ..settings(2, 1) }
}

/// An address whose base home among two shards is `index % 2`.
fn account(index: u32) -> Address {
    Address::left_padding_from(&(0x3000_0000_u64 + u64::from(index)).to_be_bytes())
}

fn report(shard: u32, height: u64, executions: &[&[u32]]) -> TrafficReport {
    let access = |accounts: &&[u32]| Access {
        accounts: accounts.iter().map(|index| account(*index)).collect(),
        contracts: 0,
    };
    let accesses = executions.iter().map(access).collect();
    TrafficReport { shard: ShardId(shard), height: Height(height), accesses, omitted: 0 }
}

/// A report that names so many accounts.
fn bulk(shard: u32, height: u64, touches: usize) -> TrafficReport {
    let access = Access { accounts: (0..16).map(account).collect(), contracts: 0 };
    let mut report = report(shard, height, &[]);
    report.accesses = vec![access; touches / 16];
    report
}

/// Makes the block of a report.
fn block(shards: &mut Shards, report: &TrafficReport) -> SignedHeader {
    let digest = report.digest();
    shards.forged(report.shard.0 as usize, &Plan::default(), |header| header.traffic = digest)
}

fn empty(keep: u32) -> (Traffic, Shards) {
    let network = network();
    let genesis = CheckpointState::genesis(&network);
    (Traffic::new(&network, &EPOCHS, keep, &genesis), Shards::new(&network))
}

fn take(traffic: &mut Traffic, report: &TrafficReport) -> Result<(), DropReason> {
    traffic.take(report.shard, Arc::new(report.clone()))
}

fn shown(traffic: &Traffic) -> Vec<Vec<Address>> {
    let accesses = traffic.past().flat_map(|window| window.accesses());
    accesses.map(|(_, access)| access.accounts.clone()).collect()
}

#[test]
fn reports_stand_in_the_order_of_checkpoints_whenever_they_came() {
    let reports: Vec<_> = [(0, 1, [1, 2]), (0, 2, [3, 4]), (1, 1, [5, 6]), (1, 2, [7, 8])]
        .map(|(shard, height, accounts)| report(shard, height, &[&accounts]))
        .into();
    let mut orders = BTreeSet::new();
    for late in 0..16_u32 {
        let (mut traffic, mut shards) = empty(1);
        let headers: Vec<_> = reports.iter().map(|report| block(&mut shards, report)).collect();
        let is_late = |at: &usize| late >> at & 1 == 1;
        for at in (0..4).rev().filter(|at| !is_late(at)) {
            take(&mut traffic, &reports[at]).unwrap();
        }
        traffic.advance(&headers);
        for at in (0..4).rev().filter(is_late) {
            take(&mut traffic, &reports[at]).unwrap();
            assert_eq!(take(&mut traffic, &reports[at]), Err(DropReason::Duplicate));
        }
        traffic.close();
        let extent = Extent { accounts: 8, accesses: 4, touches: 8, missing: 0 };
        assert_eq!(traffic.extent(), extent);
        orders.insert(shown(&traffic));
    }
    assert_eq!(orders.len(), 1);
}

#[test]
fn what_is_not_the_headers_own_is_missing() {
    let (mut traffic, mut shards) = empty(1);
    let honest = report(0, 1, &[&[1, 2]]);
    let header = block(&mut shards, &honest);
    let mut other = honest.clone();
    other.omitted = 1;
    take(&mut traffic, &other).unwrap();
    traffic.advance(&[header]);
    assert_eq!(take(&mut traffic, &other), Err(DropReason::Invalid));
    traffic.close();
    assert_eq!(traffic.extent(), Extent { missing: 1, ..Extent::default() });
    assert_eq!(take(&mut traffic, &honest), Err(DropReason::Duplicate), "its epoch has ended");
    // Who says that there was nothing is believed.
    let silent = shards.block(0, &Plan::default());
    take(&mut traffic, &report(0, 2, &[&[1, 2]])).unwrap();
    traffic.advance(&[silent]);
    traffic.close();
    assert_eq!(traffic.extent(), Extent::default());
}

#[test]
fn past_epochs_are_kept_as_many_as_are_asked_about() {
    let (mut traffic, mut shards) = empty(2);
    for height in 1..=4 {
        let report = report(0, height, &[&[height as u32, 10]]);
        let header = block(&mut shards, &report);
        take(&mut traffic, &report).unwrap();
        traffic.advance(&[header]);
        traffic.close();
    }
    assert_eq!(shown(&traffic), [[account(3), account(10)], [account(4), account(10)]]);
    assert_eq!(traffic.extent().accounts, 3);
}

#[test]
fn a_shard_has_its_part_of_the_room_and_always_room_for_its_next_block() {
    let (mut traffic, mut shards) = empty(1);
    let part = MAX_PENDING_TOUCHES / 2;
    let large = bulk(0, 1, part / 2);
    assert_eq!(take(&mut traffic, &bulk(0, 3, part / 2)), Ok(()));
    assert_eq!(take(&mut traffic, &bulk(0, 4, part / 2)), Ok(()));
    assert_eq!(take(&mut traffic, &bulk(0, 2, 16)), Err(DropReason::QueueFull));
    assert_eq!(take(&mut traffic, &large), Ok(()), "the next one");
    assert_eq!(take(&mut traffic, &bulk(1, 3, part / 2)), Ok(()), "another shard's");
    traffic.advance(&[block(&mut shards, &large)]);
    assert_eq!(take(&mut traffic, &bulk(0, 2, 16)), Ok(()), "the next one now");
}

#[test]
fn past_windows_make_room_and_what_finds_none_is_missing() {
    let (mut traffic, mut shards) = empty(9);
    let quarter = MAX_KEPT_TOUCHES / 4;
    let mut height = 0;
    let mut push = |traffic: &mut Traffic| {
        height += 1;
        let report = bulk(0, height, quarter);
        let header = block(&mut shards, &report);
        take(traffic, &report).unwrap();
        traffic.advance(&[header]);
    };
    for _ in 0..4 {
        push(&mut traffic);
        traffic.close();
    }
    assert_eq!(traffic.extent().touches as usize, MAX_KEPT_TOUCHES);
    (0..6).for_each(|_| push(&mut traffic));
    assert_eq!(traffic.past().count(), 0);
    traffic.close();
    let extent = traffic.extent();
    assert_eq!((extent.touches as usize, extent.missing), (MAX_KEPT_TOUCHES, 2));
}

/// What a strategy was asked.
#[derive(Clone, Debug, Default, PartialEq)]
struct Question {
    epoch: u64,
    budget: usize,
    windows: Vec<Vec<Address>>,
    graph: Vec<Address>,
    stream: Vec<Vec<Address>>,
    contracts: Vec<Address>,
}

/// Notes what it is asked, and wants every account elsewhere.
#[derive(Debug)]
struct Curious(Arc<Mutex<Vec<Question>>>);

impl Partitioner for Curious {
    fn name(&self) -> &'static str {
        "curious"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        assert!(problem.future.is_none() && problem.seed == 7);
        let question = Question {
            epoch: problem.epoch.0,
            budget: problem.budget,
            windows: problem.windows.iter().map(|graph| graph.accounts().to_vec()).collect(),
            graph: problem.graph.accounts().to_vec(),
            stream: problem.stream.iter().map(<[Address]>::to_vec).collect(),
            contracts: problem.contracts.iter().copied().collect(),
        };
        self.0.lock().unwrap().push(question);
        let moves = problem.graph.accounts().iter().filter_map(|account| {
            let Home::Shard(from) = problem.allocation.home(account) else { return None };
            Some(Move { account: *account, from, to: ShardId(1 - from.0) })
        });
        Ok(Proposal { moves: moves.collect(), stats: Stats::default() })
    }
}

#[test]
fn a_strategy_is_shown_the_past_and_who_is_a_contract() {
    let questions = Arc::new(Mutex::new(Vec::new()));
    let partitioner = Some(asking(Curious(Arc::clone(&questions)), 2));
    let network = network();
    let (mut committee, mut shards) =
        (Committee::asking(&network, partitioner), Shards::new(&network));
    // Shard 0 has a contract at home (4), and has just created one whose base home is shard 1 (5).
    let mut report = report(0, 1, &[&[2, 4, 5]]);
    report.accesses[0].contracts = 0b110;
    for _ in 0..6 {
        let header = block(&mut shards, &report);
        committee.publish(&[header], &[0]);
        let message = Message::Traffic(Arc::new(report.clone()));
        committee.post(NodeId::Shard(ShardId(0)), 0, message);
        committee.run(INTERVAL);
        report.height = report.height.next();
    }
    let questions = questions.lock().unwrap();
    let accounts = [2, 4, 5].map(account).to_vec();
    assert_eq!(questions.len(), 2);
    for (index, question) in (1..).zip(questions.iter()) {
        assert_eq!(question.windows, vec![accounts.clone(); index], "at most two");
        assert_eq!(question.graph, accounts);
        assert!(question.stream.iter().all(|execution| *execution == accounts));
        assert_eq!(question.contracts, accounts[1..]);
        assert_eq!((question.epoch, question.budget), (index as u64 - 1, 100));
    }
    let chain = committee.chain(0);
    let moved = |number: usize| -> Vec<(Address, u32)> {
        chain[number].moves.iter().map(|moved| (moved.account, moved.to.0)).collect()
    };
    // What was created elsewhere has no placement yet, and stays.
    assert_eq!(moved(2), [(account(2), 1), (account(4), 1)]);
    // The other contract has moved meanwhile, and was not seen at its new home.
    assert_eq!(moved(4), [(account(2), 0)]);
    let answered = |event: &Event| matches!(event, Event::PartitionerAnswered { .. });
    assert_eq!(committee.count(0, answered), 2);
}

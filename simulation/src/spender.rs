//! A client that sends a network's transfers at a steady rate, follows senders that move, and sends
//! again what is refused for now.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use alloy_primitives::keccak256;
use cross_shard_msg::{
    Duration, Effects, FinalizedCheckpoint, Input, Machine, Message, NodeId, Refusal, ShardId,
    Submission, Timestamp, TransactionKey,
};
use partitioning::{Allocation, Base, Home};

use crate::network::Network;

/// Sends so many transfers at every tick until it has sent all.
#[derive(Clone, Debug)]
pub struct Spender {
    network: Network,
    next: u64,
    count: u64,
    at_once: u64,
    every: Duration,
    /// Where senders live, to its knowledge.
    allocation: Allocation,
    /// What was sent.
    sent: BTreeMap<TransactionKey, u64>,
    /// What is sent again with the next tick.
    again: BTreeSet<u64>,
    ticking: bool,
}

impl Spender {
    /// Sends `count` transfers, `at_once` every `every`.
    #[must_use]
    pub fn new(network: &Network, count: u64, at_once: u64, every: Duration) -> Self {
        let shards = network.settings().shard_count();
        Self {
            network: network.clone(),
            next: 0,
            count,
            at_once,
            every,
            allocation: Allocation::new(shards, Base::Hash, network.residents().clone()),
            sent: BTreeMap::new(),
            again: BTreeSet::new(),
            ticking: false,
        }
    }

    fn tick(&mut self, now: Timestamp, effects: &mut Effects<Self>) {
        let mut messages: BTreeMap<ShardId, Vec<Submission>> = BTreeMap::new();
        let end = self.next.saturating_add(self.at_once).min(self.count);
        for number in std::mem::take(&mut self.again).into_iter().chain(self.next..end) {
            let (mut shard, submission) = self.network.transfer(number);
            let key = TransactionKey::of(&keccak256(&submission.encoded));
            self.sent.insert(key, number);
            let home = submission.assumed_sender.map(|sender| self.allocation.home(&sender));
            if let Some(Home::Shard(home)) = home {
                shard = home;
            }
            messages.entry(shard).or_default().push(submission);
        }
        self.next = end;
        for (shard, submissions) in messages {
            effects.send(NodeId::Shard(shard), Message::Submit(submissions));
        }
        self.ticking = false;
        self.go_on(now, effects);
    }

    fn go_on(&mut self, now: Timestamp, effects: &mut Effects<Self>) {
        let has_more = self.next < self.count || !self.again.is_empty();
        if has_more && !self.ticking {
            self.ticking = true;
            effects.set_timer((), now + self.every);
        }
    }

    fn refused(&mut self, key: TransactionKey, refusal: Refusal) {
        if refusal.may_pass_later()
            && let Some(number) = self.sent.get(&key)
        {
            self.again.insert(*number);
        }
    }

    fn follow(&mut self, from: NodeId, told: &FinalizedCheckpoint, effects: &mut Effects<Self>) {
        let next = self.allocation.newest().next();
        if told.checkpoint.number > next {
            effects.send(from, Message::PullCheckpoints { from: next });
        } else {
            self.allocation.apply(&told.checkpoint);
        }
    }
}

impl Machine for Spender {
    type Timer = ();
    type Record = Infallible;
    type Job = Infallible;
    type JobResult = Infallible;
    type Admin = Infallible;
    type Executed = Infallible;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        let Input::Message { from, message } = input else {
            if matches!(input, Input::Start | Input::Timer(())) {
                self.tick(now, effects);
            }
            return;
        };
        match message {
            Message::Admissions(admissions) => {
                for admission in admissions {
                    if let Err(refusal) = admission.outcome {
                        self.refused(TransactionKey::of(&admission.hash), refusal);
                    }
                }
            }
            Message::Included(notice) => {
                for (key, refusal) in &notice.dropped {
                    self.refused(*key, *refusal);
                }
            }
            Message::Finalized(told) => self.follow(from, &told, effects),
            _ => {}
        }
        self.go_on(now, effects);
    }

    fn compute(job: Infallible) -> Infallible {
        job
    }
}

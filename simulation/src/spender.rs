//! A client that sends a network's transfers at a steady rate and asks for nothing back.

use std::collections::BTreeMap;
use std::convert::Infallible;

use cross_shard_msg::{
    Duration, Effects, Input, Machine, Message, NodeId, ShardId, Submission, Timestamp,
};

use crate::network::Network;

/// Sends so many transfers at every tick until it has sent all.
#[derive(Clone, Debug)]
pub struct Spender {
    network: Network,
    next: u64,
    count: u64,
    at_once: u64,
    every: Duration,
}

impl Spender {
    /// Sends `count` transfers, `at_once` every `every`.
    #[must_use]
    pub fn new(network: &Network, count: u64, at_once: u64, every: Duration) -> Self {
        Self { network: network.clone(), next: 0, count, at_once, every }
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
        if !matches!(input, Input::Start | Input::Timer(())) {
            return;
        }
        let mut messages: BTreeMap<ShardId, Vec<Submission>> = BTreeMap::new();
        let end = self.next.saturating_add(self.at_once).min(self.count);
        for number in self.next..end {
            let (shard, submission) = self.network.transfer(number);
            messages.entry(shard).or_default().push(submission);
        }
        self.next = end;
        for (shard, submissions) in messages {
            effects.send(NodeId::Shard(shard), Message::Submit(submissions));
        }
        if self.next < self.count {
            effects.set_timer((), now + self.every);
        }
    }

    fn compute(job: Infallible) -> Infallible {
        job
    }
}

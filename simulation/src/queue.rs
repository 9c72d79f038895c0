//! The queue of events, ordered by (time, sequence number), never by time alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cross_shard_msg::{NodeId, Timestamp};

use crate::host::Delivery;

/// Something that will happen to a node.
pub(crate) struct Scheduled {
    pub at: Timestamp,
    sequence: u64,
    pub node: NodeId,
    pub delivery: Delivery,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Scheduled>>,
    next: u64,
}

impl Queue {
    pub fn push(&mut self, at: Timestamp, node: NodeId, delivery: Delivery) {
        let sequence = self.next;
        self.next += 1;
        self.heap.push(Reverse(Scheduled { at, sequence, node, delivery }));
    }

    pub fn pop(&mut self) -> Option<Scheduled> {
        self.heap.pop().map(|Reverse(scheduled)| scheduled)
    }

    pub fn next_time(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse(scheduled)| scheduled.at)
    }
}

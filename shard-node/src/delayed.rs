//! Receipts in state that wait for gas, in order of arrival (rule R-BLK-3).

use std::collections::VecDeque;

use cross_shard_msg::{Gas, Height, Receipt, Sequence, ShardId, Wei};
use serde::{Deserialize, Serialize};

/// A receipt that entered state, named by where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entered {
    /// Its source. This shard itself for what a contract sent to an account of its own shard: such
    /// a call is not released, and is executed in a later block.
    pub source: ShardId,
    /// Height of the source's block that released it; zero for what this shard sent to itself.
    pub height: Height,
    /// Its sequence.
    pub sequence: Sequence,
    /// The receipt.
    pub receipt: Receipt,
}

/// Receipts that wait for gas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delayed {
    queue: VecDeque<Entered>,
    gas: Gas,
    local: Sequence,
}

impl Delayed {
    pub(crate) fn push(&mut self, entered: Entered) {
        self.gas = self.gas.plus(entered.receipt.gas());
        self.queue.push_back(entered);
    }

    /// Queues receipts in front of all others, in their order.
    pub(crate) fn push_front(&mut self, receipts: impl DoubleEndedIterator<Item = Entered>) {
        for entered in receipts.rev() {
            self.gas = self.gas.plus(entered.receipt.gas());
            self.queue.push_front(entered);
        }
    }

    /// Queues what this shard sends to itself.
    pub(crate) fn push_local(&mut self, shard: ShardId, receipt: Receipt) {
        self.local = self.local.next();
        let (height, sequence) = (Height::ZERO, self.local);
        self.push(Entered { source: shard, height, sequence, receipt });
    }

    pub(crate) fn first(&self) -> Option<&Entered> {
        self.queue.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Entered> {
        let entered = self.queue.pop_front()?;
        self.gas = self.gas.minus(entered.receipt.gas());
        Some(entered)
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Wei that all of them carry.
    pub(crate) fn value(&self) -> Wei {
        self.queue
            .iter()
            .fold(Wei::ZERO, |sum, entered| sum.saturating_add(entered.receipt.value()))
    }

    /// Gas of all of them.
    pub(crate) fn gas(&self) -> Gas {
        self.gas
    }
}

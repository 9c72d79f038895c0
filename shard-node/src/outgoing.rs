//! Receipts on their way out (rules R-RCPT-1 to R-RCPT-3, R-RCPT-6, R-RCPT-7, R-CONG-2).
//!
//! What a block causes waits in a buffer per destination; the block releases from it as much as
//! bounds and congestion allow and numbers it. Released batches are kept until the destination says
//! `Received`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use cross_shard_msg::receipt::MAX_BATCH_RECEIPTS;
use cross_shard_msg::settings::Bounds;
use cross_shard_msg::{
    Action, Duration, Height, Outgoing, Receipt, ReceiptBatch, Sent, Sequence, ShardId, Timestamp,
    Wei,
};
use serde::{Deserialize, Serialize};

/// Largest batch that a block releases for one destination, in bytes of its encoding.
const MAX_BATCH_BYTES: usize = 8 << 20;
/// Encoded size of a receipt without its input, rounded up.
const RECEIPT_BYTES: usize = 320;
/// A destination that has not said `Received` for so many buffers' worth of receipts gets no more
/// `Call`s until it does.
const UNRECEIVED_BUFFERS: usize = 8;
/// Most batches that one request or one round of resending brings again.
pub(crate) const MAX_RESENT: usize = 64;

/// Buffers and retained batches, by destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OutgoingQueues {
    bound: usize,
    destinations: Vec<Destination>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Destination {
    /// `Refund`, `Handover` and `Migrate`: never held back.
    free: VecDeque<Receipt>,
    calls: VecDeque<Receipt>,
    sequence: Sequence,
    value: Wei,
    /// Height of the last batch.
    last: Height,
    retained: BTreeMap<Height, Retained>,
    retained_receipts: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Retained {
    batch: Arc<ReceiptBatch>,
    sent_at: Timestamp,
}

impl OutgoingQueues {
    pub(crate) fn new(shards: u32, bounds: &Bounds) -> Self {
        let destinations = vec![Destination::default(); shards as usize];
        Self { bound: bounds.buffered as usize, destinations }
    }

    /// The queues as records make them: when something was sent is forgotten.
    pub(crate) fn snapshot(&self) -> Self {
        let mut queues = self.clone();
        for retained in queues.destinations.iter_mut().flat_map(|d| d.retained.values_mut()) {
            retained.sent_at = Timestamp::ZERO;
        }
        queues
    }

    /// Buffers a receipt until a block releases it.
    pub(crate) fn push(&mut self, destination: ShardId, receipt: Receipt) {
        let queue = &mut self.destinations[destination.0 as usize];
        match receipt.action {
            Action::Call(_) => queue.calls.push_back(receipt),
            Action::Refund { .. } | Action::Handover { .. } | Action::Migrate(_) => {
                queue.free.push_back(receipt);
            }
        }
    }

    /// Whether the buffer for `destination` is at its bound: what would fill it further waits.
    pub(crate) fn is_full(&self, destination: ShardId) -> bool {
        self.destinations.get(destination.0 as usize).is_some_and(|d| d.buffered() >= self.bound)
    }

    /// Receipts in the fullest buffer.
    pub(crate) fn fullest(&self) -> usize {
        self.destinations.iter().map(Destination::buffered).max().unwrap_or(0)
    }

    /// Receipts in all buffers.
    pub(crate) fn buffered(&self) -> u64 {
        self.destinations.iter().map(|d| d.buffered() as u64).sum()
    }

    /// Wei in all buffers.
    pub(crate) fn buffered_value(&self) -> Wei {
        let waiting = self.destinations.iter().flat_map(|d| d.free.iter().chain(&d.calls));
        waiting.map(Receipt::value).fold(Wei::ZERO, Wei::saturating_add)
    }

    /// Releases what bounds allow, and of `Call`s at most `allowance(destination)`. Ascending by
    /// destination.
    pub(crate) fn release(&mut self, allowance: impl Fn(ShardId) -> usize) -> Vec<Outgoing> {
        let unreceived = self.bound.saturating_mul(UNRECEIVED_BUFFERS);
        let mut released = Vec::new();
        for (queue, shard) in self.destinations.iter_mut().zip(0..) {
            if queue.buffered() == 0 {
                continue;
            }
            let destination = ShardId(shard);
            let calls =
                if queue.retained_receipts >= unreceived { 0 } else { allowance(destination) };
            let receipts = queue.take(calls);
            if receipts.is_empty() {
                continue;
            }
            let outgoing = Outgoing { destination, first: queue.sequence.next(), receipts };
            queue.sequence = outgoing.last();
            queue.value += outgoing.value();
            released.push(outgoing);
        }
        released
    }

    /// Releases again what a block had released. `None` if that is not at the head of the buffers.
    pub(crate) fn release_again(&mut self, released: &[Outgoing]) -> Option<Vec<Outgoing>> {
        for outgoing in released {
            let queue = self.destinations.get_mut(outgoing.destination.0 as usize)?;
            if outgoing.first != queue.sequence.next() {
                return None;
            }
            for receipt in &outgoing.receipts {
                let buffer = match receipt.action {
                    Action::Call(_) => &mut queue.calls,
                    Action::Refund { .. } | Action::Handover { .. } | Action::Migrate(_) => {
                        &mut queue.free
                    }
                };
                if buffer.pop_front().as_ref() != Some(receipt) {
                    return None;
                }
            }
            queue.sequence = outgoing.last();
            queue.value += outgoing.value();
        }
        Some(released.to_vec())
    }

    /// What was released so far, per destination, as a header says it.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        let destinations = self.destinations.iter().zip(0..);
        destinations
            .filter(|(queue, _)| queue.sequence > Sequence::ZERO)
            .map(|(queue, shard)| Sent {
                destination: ShardId(shard),
                sequence: queue.sequence,
                value: queue.value,
            })
            .collect()
    }

    /// Height of the last batch for `destination`; zero before the first.
    pub(crate) fn last_batch(&self, destination: ShardId) -> Height {
        self.destinations.get(destination.0 as usize).map_or(Height::ZERO, |queue| queue.last)
    }

    /// Keeps a released batch until it is received.
    pub(crate) fn retain(&mut self, batch: Arc<ReceiptBatch>, now: Timestamp) {
        let queue = &mut self.destinations[batch.outgoing.destination.0 as usize];
        queue.last = batch.header.height;
        queue.retained_receipts += batch.outgoing.receipts.len();
        queue.retained.insert(batch.header.height, Retained { batch, sent_at: now });
    }

    /// `destination` has everything up to `sequence`. False for a sequence that was never released.
    pub(crate) fn received(&mut self, destination: ShardId, sequence: Sequence) -> bool {
        let Some(queue) = self.destinations.get_mut(destination.0 as usize) else { return false };
        if sequence > queue.sequence {
            return false;
        }
        while let Some(first) = queue.retained.first_entry() {
            let outgoing = &first.get().batch.outgoing;
            if outgoing.last() > sequence {
                break;
            }
            queue.retained_receipts -= outgoing.receipts.len();
            first.remove();
        }
        true
    }

    /// Kept batches for `destination` above a height, oldest first, at most [`MAX_RESENT`], as long as
    /// `fits` says so.
    pub(crate) fn above(
        &mut self,
        destination: ShardId,
        height: Height,
        now: Timestamp,
        mut fits: impl FnMut(&ReceiptBatch) -> bool,
    ) -> Vec<Arc<ReceiptBatch>> {
        let Some(queue) = self.destinations.get_mut(destination.0 as usize) else {
            return Vec::new();
        };
        let above = queue.retained.range_mut(height.next()..).take(MAX_RESENT);
        let fitting = above.take_while(|(_, retained)| fits(&retained.batch));
        fitting.map(|(_, retained)| retained.send_again(now)).collect()
    }

    /// Kept batches for all destinations, oldest first, at most [`MAX_RESENT`] each: after a restart
    /// nobody knows what was sent.
    pub(crate) fn all(&mut self, now: Timestamp) -> Vec<Arc<ReceiptBatch>> {
        let each = self.destinations.iter_mut().map(|queue| queue.retained.values_mut());
        each.flat_map(|retained| retained.take(MAX_RESENT).map(|one| one.send_again(now))).collect()
    }

    /// Kept batches that were sent longer than `age` ago, for all destinations, oldest first, at
    /// most [`MAX_RESENT`] each.
    pub(crate) fn overdue(&mut self, now: Timestamp, age: Duration) -> Vec<Arc<ReceiptBatch>> {
        let mut overdue = Vec::new();
        for queue in &mut self.destinations {
            let old = queue.retained.values_mut().take(MAX_RESENT);
            let old = old.filter(|retained| now.since(retained.sent_at) > age);
            overdue.extend(old.map(|retained| retained.send_again(now)));
        }
        overdue
    }
}

impl Destination {
    fn buffered(&self) -> usize {
        self.free.len() + self.calls.len()
    }

    fn take(&mut self, calls: usize) -> Vec<Receipt> {
        let room = self.buffered().min(MAX_BATCH_RECEIPTS);
        let mut receipts = Vec::with_capacity(room.min(self.free.len() + calls.min(room)));
        let mut bytes = 0;
        for (queue, most) in [(&mut self.free, MAX_BATCH_RECEIPTS), (&mut self.calls, calls)] {
            let most = most.saturating_add(receipts.len()).min(MAX_BATCH_RECEIPTS);
            while receipts.len() < most
                && let Some(first) = queue.front()
            {
                bytes += encoded_bytes(first);
                if bytes > MAX_BATCH_BYTES && !receipts.is_empty() {
                    return receipts;
                }
                receipts.extend(queue.pop_front());
            }
        }
        receipts
    }
}

impl Retained {
    fn send_again(&mut self, now: Timestamp) -> Arc<ReceiptBatch> {
        self.sent_at = now;
        self.batch.clone()
    }
}

/// Bytes of a slot and its value.
const SLOT_BYTES: usize = 64;

/// About how many bytes a receipt takes in a message.
pub(crate) fn encoded_bytes(receipt: &Receipt) -> usize {
    match &receipt.action {
        Action::Call(call) => RECEIPT_BYTES + call.input.len(),
        Action::Refund { .. } | Action::Handover { .. } => RECEIPT_BYTES / 2,
        Action::Migrate(part) => RECEIPT_BYTES + part.code.len() + SLOT_BYTES * part.slots.len(),
    }
}

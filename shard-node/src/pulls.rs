//! Batches that destinations ask for again (rules R-RCPT-5, R-RCPT-11).
//!
//! A small request brings large answers, so each destination has an allowance. It is far above what
//! an honest one needs: who was away for a thousand blocks gets them within one interval.

use cross_shard_msg::{
    DropReason, Duration, Effects, Event, Height, Message, NodeId, ReceiptBatch, ShardId, Timestamp,
};

use crate::headers;
use crate::node::ShardNode;
use crate::outgoing::encoded_bytes;

/// Most batches that one destination may pull in a checkpoint interval.
const MAX_PULLED_BATCHES: usize = 1_024;
/// Bytes of batches after which a destination may pull no more in a checkpoint interval.
const MAX_PULLED_BYTES: usize = 64 << 20;

/// What each destination has pulled lately.
#[derive(Debug)]
pub(crate) struct Pulls {
    every: Duration,
    destinations: Vec<Pulled>,
}

/// What one destination has pulled since a time.
#[derive(Clone, Copy, Debug, Default)]
struct Pulled {
    since: Timestamp,
    batches: usize,
    bytes: usize,
}

impl Pulls {
    /// Nothing was pulled; allowances are for each time of `every`.
    pub(crate) fn new(shards: u32, every: Duration) -> Self {
        Self { every, destinations: vec![Pulled::default(); shards as usize] }
    }

    /// What `destination` may still have, if that is anything.
    fn allowance(&mut self, destination: ShardId, now: Timestamp) -> Option<&mut Pulled> {
        let pulled = self.destinations.get_mut(destination.0 as usize)?;
        if now.since(pulled.since) >= self.every {
            *pulled = Pulled { since: now, ..Pulled::default() };
        }
        pulled.is_below().then_some(pulled)
    }
}

impl Pulled {
    fn is_below(&self) -> bool {
        self.batches < MAX_PULLED_BATCHES && self.bytes < MAX_PULLED_BYTES
    }

    /// Counts a batch, the headers in front of it included, if it may still be pulled. The last one
    /// may be larger than what is left.
    fn charge(&mut self, batch: &ReceiptBatch) -> bool {
        let fits = self.is_below();
        if fits {
            let headers = batch.chain.iter().chain([&batch.header]).map(headers::encoded_bytes);
            let receipts = batch.outgoing.receipts.iter().map(encoded_bytes);
            self.batches += 1;
            self.bytes += headers.chain(receipts).sum::<usize>();
        }
        fits
    }
}

impl ShardNode {
    /// Answers a destination that misses what was released above a height.
    pub(crate) fn serve_batches(
        &mut self,
        now: Timestamp,
        destination: ShardId,
        above: Height,
        effects: &mut Effects<Self>,
    ) {
        let Some(pulled) = self.pulls.allowance(destination, now) else {
            let reason = DropReason::QueueFull;
            return effects.observe(Event::Dropped { reason });
        };
        let batches = self.outgoing.above(destination, above, now, |batch| pulled.charge(batch));
        for batch in batches {
            effects.send(NodeId::Shard(destination), Message::Batch(batch));
        }
    }
}

#[cfg(test)]
mod tests {
    use cross_shard_msg::receipt::prove_outgoing;
    use cross_shard_msg::{Outgoing, Sequence};

    use super::*;
    use crate::headers::tests::header;

    const EVERY: Duration = Duration::from_secs(2);

    /// A batch without receipts behind a number of headers.
    fn batch(chain: u64) -> ReceiptBatch {
        let outgoing =
            Outgoing { destination: ShardId(0), first: Sequence(1), receipts: Vec::new() };
        let (_, mut proofs) = prove_outgoing(std::slice::from_ref(&outgoing));
        ReceiptBatch {
            chain: (1..=chain).map(|height| header(height, 0)).collect(),
            header: header(chain + 1, 0),
            outgoing,
            proof: proofs.remove(0),
        }
    }

    /// How many equal batches a destination gets at a time, if it asks for more and more.
    fn pulled(pulls: &mut Pulls, destination: u32, now: Timestamp, batch: &ReceiptBatch) -> usize {
        let Some(pulled) = pulls.allowance(ShardId(destination), now) else { return 0 };
        (0..2 * MAX_PULLED_BATCHES).take_while(|_| pulled.charge(batch)).count()
    }

    #[test]
    fn an_allowance_is_for_one_interval_and_one_destination() {
        let mut pulls = Pulls::new(2, EVERY);
        let (start, one) = (Timestamp::ZERO + EVERY, batch(0));
        assert_eq!(pulled(&mut pulls, 0, start, &one), MAX_PULLED_BATCHES);
        let late = start + Duration(EVERY.0 - 1);
        assert_eq!(pulled(&mut pulls, 0, late, &one), 0);
        assert_eq!(pulled(&mut pulls, 1, late, &one), MAX_PULLED_BATCHES);
        assert_eq!(pulled(&mut pulls, 0, start + EVERY, &one), MAX_PULLED_BATCHES);
        assert_eq!(pulled(&mut pulls, 9, start, &one), 0);
    }

    #[test]
    fn headers_in_front_of_a_batch_count() {
        let mut pulls = Pulls::new(1, EVERY);
        let many = batch(4_095);
        let bytes = 4_096 * headers::encoded_bytes(&many.header);
        let expected = MAX_PULLED_BYTES.div_ceil(bytes);
        assert!(expected < 30, "{expected}");
        assert_eq!(pulled(&mut pulls, 0, Timestamp::ZERO, &many), expected);
    }
}

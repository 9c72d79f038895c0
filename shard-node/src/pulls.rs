//! Batches that destinations ask for again (rules R-RCPT-5, R-RCPT-11).
//!
//! A small request brings large answers, so each destination has an allowance. It is far above what
//! an honest one needs: who was away for a thousand blocks gets them within one interval.

use cross_shard_msg::{
    DropReason, Duration, Effects, Event, Height, Message, NodeId, ReceiptBatch, ShardId, Timestamp,
};

use crate::node::ShardNode;
use crate::outgoing::{MAX_RESENT, encoded_bytes};

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

    /// How many batches `destination` may have now.
    fn allowance(&mut self, destination: ShardId, now: Timestamp) -> usize {
        let Some(pulled) = self.destinations.get_mut(destination.0 as usize) else { return 0 };
        if now.since(pulled.since) >= self.every {
            *pulled = Pulled { since: now, ..Pulled::default() };
        }
        match pulled.bytes < MAX_PULLED_BYTES {
            true => MAX_PULLED_BATCHES.saturating_sub(pulled.batches).min(MAX_RESENT),
            false => 0,
        }
    }

    fn charge(&mut self, batch: &ReceiptBatch) {
        let destination = batch.outgoing.destination.0 as usize;
        let Some(pulled) = self.destinations.get_mut(destination) else { return };
        pulled.batches += 1;
        pulled.bytes += batch.outgoing.receipts.iter().map(encoded_bytes).sum::<usize>();
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
        let most = self.pulls.allowance(destination, now);
        if most == 0 {
            let reason = DropReason::QueueFull;
            return effects.observe(Event::Dropped { reason });
        }
        for batch in self.outgoing.above(destination, above, most, now) {
            self.pulls.charge(&batch);
            effects.send(NodeId::Shard(destination), Message::Batch(batch));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_for_one_interval_and_one_destination() {
        let every = Duration::from_secs(2);
        let mut pulls = Pulls::new(2, every);
        let start = Timestamp::ZERO + every;
        assert_eq!(pulls.allowance(ShardId(0), start), MAX_RESENT);
        pulls.destinations[0].batches = MAX_PULLED_BATCHES - 3;
        assert_eq!(pulls.allowance(ShardId(0), start), 3);
        pulls.destinations[0].batches = MAX_PULLED_BATCHES;
        let late = start + Duration(every.0 - 1);
        assert_eq!(pulls.allowance(ShardId(0), late), 0);
        assert_eq!(pulls.allowance(ShardId(1), late), MAX_RESENT);
        assert_eq!(pulls.allowance(ShardId(0), start + every), MAX_RESENT);
        pulls.destinations[0].bytes = MAX_PULLED_BYTES;
        assert_eq!(pulls.allowance(ShardId(0), start + every), 0);
        assert_eq!(pulls.allowance(ShardId(9), start), 0);
    }
}

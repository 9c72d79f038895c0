//! Packs transactions into few messages.

use cross_shard_msg::message::MAX_MESSAGE_ITEMS;
use cross_shard_msg::{Message, NodeId, ShardId, Submission};

use super::ClientEffects;

/// Bytes of transactions after which a message is sent, far below what a message may have.
const MESSAGE_BYTES: usize = 4 << 20;

/// Transactions on their way, by shard.
pub(super) struct Outbox {
    packs: Vec<Pack>,
}

#[derive(Default)]
struct Pack {
    submissions: Vec<Submission>,
    bytes: usize,
}

impl Outbox {
    pub(super) fn new(shards: u32) -> Self {
        Self { packs: (0..shards).map(|_| Pack::default()).collect() }
    }

    /// Adds a transaction; sends what a message holds.
    pub(super) fn put(
        &mut self,
        shard: ShardId,
        submission: Submission,
        effects: &mut ClientEffects,
    ) {
        let Some(pack) = self.packs.get_mut(shard.0 as usize) else { return };
        pack.bytes += submission.encoded.len();
        pack.submissions.push(submission);
        if pack.submissions.len() == MAX_MESSAGE_ITEMS || pack.bytes >= MESSAGE_BYTES {
            pack.send(shard, effects);
        }
    }

    /// Sends the rest, in the order of the shards.
    pub(super) fn flush(&mut self, effects: &mut ClientEffects) {
        for (shard, pack) in (0..).zip(&mut self.packs) {
            if !pack.submissions.is_empty() {
                pack.send(ShardId(shard), effects);
            }
        }
    }
}

impl Pack {
    fn send(&mut self, shard: ShardId, effects: &mut ClientEffects) {
        let pack = std::mem::take(self);
        effects.send(NodeId::Shard(shard), Message::Submit(pack.submissions));
    }
}

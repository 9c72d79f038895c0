//! What a client is told: what became of its submissions, and what each block did (R-CLI-3, R-CLI-4).

use cross_shard_msg::message::MAX_MESSAGE_ITEMS;
use cross_shard_msg::{
    Admission, Block, BlockNotice, Cause, Duration, LegNotice, Refusal, TransactionKey,
};

/// How long an answer to a submission may wait for others to share a message.
pub(crate) const FLUSH_AFTER: Duration = Duration::from_millis(5);

/// Answers to submissions that wait to be sent together.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    waiting: Vec<Admission>,
}

/// What to do after an answer was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// Send now: a message holds no more.
    Now,
    /// Send after [`FLUSH_AFTER`]: this is the first one.
    Later,
    /// Nothing: a time is set.
    Scheduled,
}

impl Admissions {
    pub(crate) fn push(&mut self, admission: Admission) -> Flush {
        self.waiting.push(admission);
        match self.waiting.len() {
            1 => Flush::Later,
            MAX_MESSAGE_ITEMS.. => Flush::Now,
            _ => Flush::Scheduled,
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Admission> {
        std::mem::take(&mut self.waiting)
    }
}

/// The notice of a block, or `None` when it says nothing.
pub(crate) fn of_block(
    block: &Block,
    dropped: Vec<(TransactionKey, Refusal)>,
) -> Option<BlockNotice> {
    let header = &block.header;
    if block.legs.is_empty() && dropped.is_empty() && header.placements.is_empty() {
        return None;
    }
    let legs = block.legs.iter().map(|leg| LegNotice {
        key: leg.key,
        first: matches!(leg.cause, Cause::Transaction(_)),
        status: leg.status,
        caused: leg.caused,
        created: leg.created,
    });
    Some(BlockNotice {
        shard: header.shard,
        height: header.height,
        legs: legs.collect(),
        dropped,
        placements: header.placements.clone(),
    })
}

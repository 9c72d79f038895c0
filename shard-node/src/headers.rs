//! A shard's own headers: kept until they are crosslinked, served to coordinators that miss them,
//! and put in front of batches under gate `certified` (rules R-GATE-2, R-CKPT-9).

use std::collections::BTreeMap;

use alloy_primitives::B256;
use cross_shard_msg::checkpoint::MAX_CROSSLINK_HEADERS;
use cross_shard_msg::header::genesis_hash;
use cross_shard_msg::{Header, Height, NetworkId, SealedHeader, ShardId, SignedHeader, Timestamp};

use crate::source::MAX_CHAIN;

/// Headers that a shard may be ahead of its last crosslink. There it waits for the committee.
pub(crate) const MAX_UNCROSSLINKED: usize = 1 << 16;
/// Most headers in one answer to a coordinator.
pub(crate) const MAX_SERVED: usize = MAX_CROSSLINK_HEADERS;

/// The end of a shard's chain.
#[derive(Debug)]
pub(crate) struct OwnHeaders {
    genesis: B256,
    tip: Option<SealedHeader>,
    kept: BTreeMap<Height, SignedHeader>,
}

impl OwnHeaders {
    pub(crate) fn new(network: &NetworkId, shard: ShardId) -> Self {
        Self { genesis: genesis_hash(network, shard), tip: None, kept: BTreeMap::new() }
    }

    /// Height of the newest block; zero before the first.
    pub(crate) fn height(&self) -> Height {
        self.tip.as_ref().map_or(Height::ZERO, |tip| tip.height)
    }

    /// What the next header names as its parent.
    pub(crate) fn parent(&self) -> B256 {
        self.tip.as_ref().map_or(self.genesis, SealedHeader::hash)
    }

    /// The newest header.
    pub(crate) fn tip(&self) -> Option<&Header> {
        self.tip.as_deref()
    }

    /// A timestamp at `now` that is after the newest header's (R-HDR-3).
    pub(crate) fn timestamp(&self, now: Timestamp) -> Timestamp {
        self.tip().map_or(now, |tip| now.max(Timestamp(tip.timestamp.0.saturating_add(1))))
    }

    /// Whether the shard is so far ahead of the committee that it must wait.
    pub(crate) fn is_full(&self) -> bool {
        self.kept.len() >= MAX_UNCROSSLINKED
    }

    /// The shard made a block with this header.
    pub(crate) fn advance(&mut self, header: SealedHeader) {
        self.tip = Some(header);
    }

    /// The header is durable: others may see it.
    pub(crate) fn keep(&mut self, header: SignedHeader) {
        self.kept.insert(header.height, header);
    }

    /// The header at `height`, if it is kept.
    pub(crate) fn at(&self, height: Height) -> Option<&SignedHeader> {
        self.kept.get(&height)
    }

    /// Forgets headers up to `height`.
    pub(crate) fn forget(&mut self, height: Height) {
        self.kept = self.kept.split_off(&height.next());
    }

    /// Kept headers in a range of heights, ascending, at most [`MAX_SERVED`].
    pub(crate) fn range(&self, from: Height, to: Height) -> Vec<SignedHeader> {
        if from > to {
            return Vec::new();
        }
        self.kept.range(from..=to).take(MAX_SERVED).map(|(_, header)| header.clone()).collect()
    }

    /// Headers between `above` and `below`, both excluded: what connects a batch to the one before.
    /// Beyond [`MAX_CHAIN`] the destination connects it through a crosslink instead.
    pub(crate) fn chain(&self, above: Height, below: Height) -> Vec<SignedHeader> {
        let lowest = Height(below.0.saturating_sub(MAX_CHAIN as u64));
        let from = above.next().max(lowest);
        if from >= below {
            return Vec::new();
        }
        self.kept.range(from..below).map(|(_, header)| header.clone()).collect()
    }
}

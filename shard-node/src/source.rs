//! One source as its destination sees it: its watermark, batches that wait, and under gate
//! `certified` the chain of its headers (rules R-RCPT-4, R-RCPT-5, R-GATE-2, R-GATE-3).

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::header::genesis_hash;
use cross_shard_msg::{
    CheckpointNumber, DropReason, Duration, Height, NetworkId, ReceiptBatch, Sequence, ShardId,
    SignedHeader, Timestamp, Watermark, Wei,
};

use crate::checkpoints::Checkpoints;
#[cfg(feature = "planted-bugs")]
use consensus::quorum::planted;

/// Longest chain of headers that a batch may carry.
pub(crate) const MAX_CHAIN: usize = 4_096;
/// Headers of one source that a destination keeps until they are crosslinked.
const MAX_HEADERS: usize = 8_192;

/// What a destination knows of one source.
#[derive(Debug)]
pub(crate) struct Source {
    /// The last batch that entered state.
    pub entered: Option<Watermark>,
    /// Proven batches above it, by height.
    pub waiting: BTreeMap<Height, Waiting>,
    /// The source's headers; empty under gate `checkpoint`.
    pub connected: Chain,
    /// What the source was told that it need not keep.
    pub acknowledged: Sequence,
    /// Up to here the headers that connect entered batches are in records.
    recorded: Height,
    pulled: Option<(Height, Timestamp)>,
}

/// A batch that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub batch: Arc<ReceiptBatch>,
    /// All wei that it brings.
    pub value: Wei,
    /// All wei that the source released for this shard up to this batch, as its header says.
    pub sent: Wei,
    /// The gate let it through.
    pub accepted: bool,
}

/// Certified headers of one source above its last crosslink.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The last header that is known to be the source's: crosslinked, or connected to one that is.
    tip: (Height, B256),
    headers: BTreeMap<Height, SignedHeader>,
}

impl Source {
    pub(crate) fn new(network: &NetworkId, source: ShardId) -> Self {
        let genesis = (Height::ZERO, genesis_hash(network, source));
        Self {
            entered: None,
            waiting: BTreeMap::new(),
            connected: Chain { tip: genesis, headers: BTreeMap::new() },
            acknowledged: Sequence::ZERO,
            recorded: Height::ZERO,
            pulled: None,
        }
    }

    /// Whether this batch entered state, or waits already.
    pub(crate) fn has(&self, batch: &ReceiptBatch) -> bool {
        let entered = self.entered.is_some_and(|mark| {
            batch.header.height <= mark.height || batch.outgoing.first <= mark.sequence
        });
        #[cfg(feature = "planted-bugs")]
        let entered = entered && !planted::is(planted::Bug::Watermark);
        entered || self.waiting.contains_key(&batch.header.height)
    }

    pub(crate) fn waits_for(&self, height: Height) -> bool {
        self.waiting.contains_key(&height)
    }

    /// Puts a batch among those that wait. At the bound the highest one gives way, so that what is
    /// next always finds room; it comes again.
    pub(crate) fn wait(
        &mut self,
        batch: Arc<ReceiptBatch>,
        sent: Wei,
        bound: usize,
    ) -> Option<DropReason> {
        let (height, value) = (batch.header.height, batch.outgoing.value());
        self.waiting.insert(height, Waiting { batch, value, sent, accepted: false });
        if self.waiting.len() <= bound {
            return None;
        }
        self.waiting.pop_last();
        Some(DropReason::QueueFull)
    }

    /// The height above which the source must send again, if something is missing below what waits
    /// and it is time to ask.
    pub(crate) fn gap(&mut self, now: Timestamp, every: Duration) -> Option<Height> {
        let (mut above, mut sequence) =
            self.entered.map_or_else(Default::default, |mark| (mark.height, mark.sequence));
        for (height, waiting) in &self.waiting {
            if waiting.batch.outgoing.first != sequence.next() {
                let asked =
                    self.pulled.is_some_and(|(asked, at)| asked == above && now.since(at) < every);
                self.pulled = if asked { self.pulled } else { Some((above, now)) };
                return (!asked).then_some(above);
            }
            (above, sequence) = (*height, waiting.batch.outgoing.last());
        }
        None
    }

    /// The next batch, if it may enter state in a block that has applied checkpoint `applied`.
    /// An error is a batch that brings something else than its header says (R-LED-3).
    pub(crate) fn take_next(
        &mut self,
        applied: CheckpointNumber,
    ) -> Option<Result<Waiting, DropReason>> {
        let (sequence, before) =
            self.entered.map_or((Sequence::ZERO, Wei::ZERO), |mark| (mark.sequence, mark.value));
        let first = self.waiting.first_entry()?;
        let waiting = first.get();
        let next = waiting.batch.outgoing.first == sequence.next();
        #[cfg(feature = "planted-bugs")]
        let next = next || planted::is(planted::Bug::Watermark);
        let ready = waiting.accepted && next && waiting.batch.header.checkpoint <= applied;
        if !ready {
            return None;
        }
        let waiting = first.remove();
        let agrees = before.checked_add(waiting.value) == Some(waiting.sent);
        #[cfg(feature = "planted-bugs")]
        let agrees = agrees || planted::is(planted::Bug::Watermark);
        Some(if agrees { Ok(waiting) } else { Err(DropReason::Invalid) })
    }

    /// Adds certified headers above the last crosslink. The first one at a height stands: another
    /// one is of a fork.
    pub(crate) fn add_headers<'a>(
        &mut self,
        headers: impl Iterator<Item = &'a SignedHeader>,
        crosslinked: Height,
    ) -> Result<(), DropReason> {
        let chain = &mut self.connected.headers;
        for header in headers.filter(|header| header.height > crosslinked) {
            if chain.get(&header.height).is_some_and(|known| known != header) {
                return Err(DropReason::Disconnected);
            }
            if chain.len() >= MAX_HEADERS && !chain.contains_key(&header.height) {
                return Err(DropReason::QueueFull);
            }
            chain.entry(header.height).or_insert_with(|| header.clone());
        }
        Ok(())
    }

    /// Connected headers up to the last batch that entered which were not returned before.
    pub(crate) fn newly_connected(&mut self) -> Vec<SignedHeader> {
        let Some(entered) = self.entered.map(|mark| mark.height) else { return Vec::new() };
        let from = self.recorded.next();
        self.recorded = self.recorded.max(entered);
        self.connected.range(from, entered).cloned().collect()
    }

    /// Follows the chain as far as it goes on without a gap.
    pub(crate) fn connect(&mut self, checkpoints: &Checkpoints, source: ShardId) {
        let crosslink = checkpoints.tip(source);
        let chain = &mut self.connected;
        if crosslink.height > chain.tip.0 {
            chain.tip = (crosslink.height, crosslink.hash);
        }
        loop {
            let next = chain.tip.0.next();
            let Some(header) = chain.headers.get(&next) else { return };
            if header.parent != chain.tip.1 {
                chain.headers.remove(&next);
                return;
            }
            chain.tip = (next, header.hash());
        }
    }

    /// The committee crosslinked the source up to here: what it says replaces what headers said.
    pub(crate) fn crosslinked(&mut self, height: Height, hash: B256) {
        let chain = &mut self.connected;
        let forked = chain.headers.get(&height).is_some_and(|header| header.hash() != hash);
        chain.headers = chain.headers.split_off(&height.next());
        if forked {
            chain.headers.clear();
            chain.tip = (height, hash);
            for waiting in self.waiting.values_mut() {
                waiting.accepted = false;
            }
        }
    }
}

impl Chain {
    /// Hash of the source's header at `height`, if it is connected and kept.
    pub(crate) fn hash_at(&self, height: Height) -> Option<B256> {
        if height > self.tip.0 {
            return None;
        }
        self.headers.get(&height).map(SignedHeader::hash)
    }

    /// Whether this very header is kept: its certificate was checked.
    pub(crate) fn contains(&self, header: &SignedHeader) -> bool {
        self.headers.get(&header.height) == Some(header)
    }

    /// Connected headers in a range of heights, ascending.
    pub(crate) fn range(&self, from: Height, to: Height) -> impl Iterator<Item = &SignedHeader> {
        let to = to.min(self.tip.0);
        let range = (from <= to).then(|| self.headers.range(from..=to));
        range.into_iter().flatten().map(|(_, header)| header)
    }
}

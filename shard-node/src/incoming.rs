//! Receipts on their way in (rules R-RCPT-3 to R-RCPT-6, R-GATE-1 to R-GATE-3).
//!
//! A batch is proven when it arrives, waits until the gate lets it through, and enters state in the
//! next block, next to its predecessor. What is missing in between is pulled from the source.

use std::sync::Arc;

use cross_shard_msg::settings::Minting;
use cross_shard_msg::{
    CheckpointNumber, DropReason, Duration, Gas, Gate, Header, Height, Incoming, NetworkId,
    ReceiptBatch, Sequence, Settings, ShardId, ShardKeys, SignedHeader, Timestamp, Watermark, Wei,
};

use serde::{Deserialize, Serialize};

use crate::checkpoints::Checkpoints;
use crate::outgoing::encoded_bytes;
use crate::source::{MAX_CHAIN, Source, Waiting};

/// A source that says that it sent so much or more in all is lying: no supply of a network reaches
/// 2²⁴⁰ wei. Below it no sum over a thousand sources and an account overflows (rule R-RCPT-10).
const TOO_MUCH_SENT_BITS: usize = 240;

/// Batches that arrived and have not entered state, and watermarks of those that have.
#[derive(Debug)]
pub(crate) struct IncomingQueues {
    shard: ShardId,
    network: NetworkId,
    gate: Gate,
    keys: Vec<ShardKeys>,
    gas_limit: Gas,
    minting: Minting,
    waiting_bound: usize,
    pull_every: Duration,
    sources: Vec<Source>,
}

/// What is durable of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceSnapshot {
    entered: Option<Watermark>,
    acknowledged: Sequence,
    /// Headers that connect what entered to the last crosslink.
    connected: Vec<SignedHeader>,
}

/// What came of a batch that arrived.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    /// Node signatures that were checked.
    pub verifications: u32,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// Why the batch, or another one that it pushed out, was dropped.
    pub dropped: Option<DropReason>,
    /// Whether the batch itself waits now.
    pub arrived: bool,
    /// The source must send again what it released above this height.
    pub pull: Option<Height>,
    /// The source must be told again that everything up to here was received.
    pub received: Option<Sequence>,
}

/// A batch that may enter state.
#[derive(Debug)]
pub(crate) struct Ready {
    /// As the block's body has it.
    pub incoming: Incoming,
    /// All wei that it brings.
    pub value: Wei,
}

impl IncomingQueues {
    pub(crate) fn new(shard: ShardId, settings: &Settings) -> Self {
        let count = settings.shards.len();
        Self {
            shard,
            network: settings.network,
            gate: settings.gate,
            keys: settings.shards.clone(),
            gas_limit: settings.gas_limit,
            minting: settings.minting,
            waiting_bound: settings.bounds.waiting_batches.max(1) as usize,
            pull_every: settings.checkpoint_every,
            sources: settings
                .shard_ids()
                .map(|source| Source::new(&settings.network, source))
                .take(count)
                .collect(),
        }
    }

    /// Takes a batch that arrived from `from`.
    pub(crate) fn receive(
        &mut self,
        now: Timestamp,
        from: ShardId,
        batch: Arc<ReceiptBatch>,
        checkpoints: &Checkpoints,
    ) -> Arrival {
        let mut arrival = Arrival::default();
        if let Err(reason) = self.check_origin(from, &batch) {
            arrival.dropped = Some(reason);
            return arrival;
        }
        let source = &mut self.sources[from.0 as usize];
        if source.has(&batch) {
            arrival.dropped = Some(DropReason::Duplicate);
            // It may have missed that it need not send this any more.
            arrival.received =
                Some(source.acknowledged).filter(|received| batch.outgoing.last() <= *received);
            return arrival;
        }
        let sent = match self.verify(from, &batch, &mut arrival) {
            Ok(sent) => sent,
            Err(reason) => {
                arrival.dropped = Some(reason);
                return arrival;
            }
        };
        let source = &mut self.sources[from.0 as usize];
        if self.gate == Gate::Certified {
            let headers = batch.chain.iter().chain([&batch.header]);
            if let Err(reason) = source.add_headers(headers, checkpoints.tip(from).height) {
                arrival.dropped = Some(reason);
                return arrival;
            }
        }
        let height = batch.header.height;
        arrival.dropped = source.wait(batch, sent, self.waiting_bound);
        arrival.arrived = source.waits_for(height);
        arrival.pull = source.gap(now, self.pull_every);
        arrival
    }

    /// Lets batches of `from` through the gate. Returns their heights, ascending.
    pub(crate) fn open_gate(&mut self, from: ShardId, checkpoints: &Checkpoints) -> Opened {
        let source = &mut self.sources[from.0 as usize];
        if self.gate == Gate::Certified {
            source.connect(checkpoints, from);
        }
        let mut opened = Opened::default();
        source.waiting.retain(|height, waiting| {
            if waiting.accepted {
                return true;
            }
            let crosslinked = checkpoints.crosslinked(from, *height);
            let known = match self.gate {
                Gate::Checkpoint => crosslinked,
                Gate::Certified => crosslinked.or_else(|| source.connected.hash_at(*height)),
            };
            match known {
                None => true,
                Some(hash) if hash == waiting.batch.header.hash() => {
                    waiting.accepted = true;
                    opened.accepted.push(*height);
                    true
                }
                Some(_) => {
                    opened.forked += 1;
                    false
                }
            }
        });
        opened
    }

    /// Takes over what newly known checkpoints crosslink of `from`: headers up to there need not be
    /// kept (R-GATE-3).
    pub(crate) fn crosslinked(&mut self, from: ShardId, checkpoints: &Checkpoints) {
        let tip = checkpoints.tip(from);
        self.sources[from.0 as usize].crosslinked(tip.height, tip.hash);
    }

    /// Takes all batches that may enter state in a block that has applied checkpoint `applied`, in
    /// the order of the body, and advances the watermarks.
    pub(crate) fn take_ready(
        &mut self,
        applied: CheckpointNumber,
    ) -> (Vec<Ready>, Vec<DropReason>) {
        let (mut ready, mut dropped) = (Vec::new(), Vec::new());
        for (source, shard) in self.sources.iter_mut().zip(0..) {
            while let Some(next) = source.take_next(applied) {
                match next {
                    Ok(waiting) => ready.push(source.enter(ShardId(shard), waiting)),
                    Err(reason) => dropped.push(reason),
                }
            }
        }
        (ready, dropped)
    }

    /// Headers that connect what entered state to the sources' crosslinks, as far as they were not
    /// handed out before, ascending per source: they must be as durable as the batches (R-GATE-3).
    pub(crate) fn newly_connected(&mut self) -> Vec<SignedHeader> {
        if self.gate != Gate::Certified {
            return Vec::new();
        }
        self.sources.iter_mut().flat_map(Source::newly_connected).collect()
    }

    /// A batch entered state in a block that is executed again. Returns all wei that it brings, or
    /// `None` if it does not follow what entered before.
    pub(crate) fn enter_again(&mut self, incoming: &Incoming) -> Option<Wei> {
        let source = self.sources.get_mut(incoming.source.0 as usize)?;
        let (sequence, value) =
            source.entered.map_or((Sequence::ZERO, Wei::ZERO), |mark| (mark.sequence, mark.value));
        if incoming.first != sequence.next() || incoming.receipts.is_empty() {
            return None;
        }
        let brings = incoming
            .receipts
            .iter()
            .try_fold(Wei::ZERO, |sum, receipt| sum.checked_add(receipt.value()))?;
        source.entered = Some(Watermark {
            source: incoming.source,
            height: incoming.height,
            header: incoming.header,
            sequence: Sequence(sequence.0.checked_add(incoming.receipts.len() as u64)?),
            value: value.checked_add(brings)?,
        });
        Some(brings)
    }

    /// Headers of sources that were connected to what had entered, from a record.
    pub(crate) fn connect_again(&mut self, headers: &[SignedHeader], checkpoints: &Checkpoints) {
        for header in headers {
            let Some(source) = self.sources.get_mut(header.shard.0 as usize) else { continue };
            // What was recorded was checked; a header at or below the crosslink is not needed.
            let crosslinked = checkpoints.tip(header.shard).height;
            let _ = source.add_headers(std::iter::once(header), crosslinked);
        }
        for (source, shard) in self.sources.iter_mut().zip(0..) {
            source.connect(checkpoints, ShardId(shard));
            source.newly_connected();
        }
    }

    /// What is durable of all sources.
    pub(crate) fn snapshot(&self) -> Vec<SourceSnapshot> {
        let snapshot = |source: &Source| SourceSnapshot {
            entered: source.entered,
            acknowledged: source.acknowledged,
            connected: match source.entered {
                Some(mark) => source.connected.range(Height::ZERO, mark.height).cloned().collect(),
                None => Vec::new(),
            },
        };
        self.sources.iter().map(snapshot).collect()
    }

    /// Takes over a snapshot.
    pub(crate) fn take_over(&mut self, sources: &[SourceSnapshot], checkpoints: &Checkpoints) {
        for (source, taken) in self.sources.iter_mut().zip(sources) {
            source.entered = taken.entered;
            source.acknowledged = taken.acknowledged;
        }
        for taken in sources {
            self.connect_again(&taken.connected, checkpoints);
        }
    }

    /// What a shard that starts again asks of and tells every other one: the height above which
    /// batches are missing, and what it need not send again.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (ShardId, Height, Sequence)> {
        let sources = self.sources.iter().zip(0..).map(|(source, shard)| {
            let above = source.entered.map_or(Height::ZERO, |mark| mark.height);
            (ShardId(shard), above, source.acknowledged)
        });
        sources.filter(|(shard, _, _)| *shard != self.shard)
    }

    /// Sources that must send again what they released above a height, because it is missing and
    /// was not asked for lately.
    pub(crate) fn gaps(&mut self, now: Timestamp) -> Vec<(ShardId, Height)> {
        let sources = self.sources.iter_mut().zip(0..);
        let gaps =
            sources.map(|(source, shard)| (ShardId(shard), source.gap(now, self.pull_every)));
        gaps.filter_map(|(shard, gap)| Some((shard, gap?))).collect()
    }

    /// Watermarks as a header says them.
    pub(crate) fn watermarks(&self) -> Vec<Watermark> {
        self.sources.iter().filter_map(|source| source.entered).collect()
    }

    /// A finalized checkpoint shows these watermarks: returns what sources must be told.
    pub(crate) fn acknowledge(&mut self, shown: &Header) -> Vec<(ShardId, Sequence)> {
        let mut news = Vec::new();
        for mark in &shown.watermarks {
            let source = &mut self.sources[mark.source.0 as usize];
            if mark.sequence > source.acknowledged {
                source.acknowledged = mark.sequence;
                news.push((mark.source, mark.sequence));
            }
        }
        news
    }

    /// Kept headers of `source` in a range of heights, ascending (R-GATE-3).
    pub(crate) fn headers(
        &self,
        source: ShardId,
        from: Height,
        to: Height,
    ) -> impl Iterator<Item = &SignedHeader> {
        let source = self.sources.get(source.0 as usize);
        source.into_iter().flat_map(move |source| source.connected.range(from, to))
    }

    fn check_origin(&self, from: ShardId, batch: &ReceiptBatch) -> Result<(), DropReason> {
        let header = &batch.header;
        let right = from != self.shard
            && header.shard == from
            && batch.outgoing.destination == self.shard
            && (from.0 as usize) < self.sources.len();
        if !right {
            return Err(DropReason::Unexpected);
        }
        if batch.chain.len() > MAX_CHAIN {
            return Err(DropReason::TooMany);
        }
        Ok(())
    }

    fn verify(
        &self,
        from: ShardId,
        batch: &ReceiptBatch,
        arrival: &mut Arrival,
    ) -> Result<Wei, DropReason> {
        let source = &self.sources[from.0 as usize];
        let keys = &self.keys[from.0 as usize];
        // What `sent` says is what the committee compares watermarks with (R-LED-3).
        let sent = batch.header.sent_to(self.shard).ok_or(DropReason::Invalid)?;
        if sent.sequence != batch.outgoing.last() || sent.value.bit_len() > TOO_MUCH_SENT_BITS {
            return Err(DropReason::Invalid);
        }
        let receipts = &batch.outgoing.receipts;
        // It would never fit into a block, and everything would wait behind it (R-BLK-3).
        if receipts.iter().any(|receipt| receipt.gas() > self.gas_limit) {
            return Err(DropReason::Invalid);
        }
        arrival.bytes = receipts.iter().map(|receipt| encoded_bytes(receipt) as u64).sum();
        let proven = batch.is_proven();
        #[cfg(feature = "planted-bugs")]
        let proven =
            proven || consensus::quorum::planted::is(consensus::quorum::planted::Bug::Proof);
        if !proven {
            return Err(DropReason::Proof);
        }
        let mut before: Option<&SignedHeader> = None;
        for header in batch.chain.iter().chain([&batch.header]) {
            let follows = before.is_none_or(|before| {
                header.parent == before.hash() && header.height == before.height.next()
            });
            if header.shard != from || !follows {
                return Err(DropReason::Disconnected);
            }
            before = Some(header);
            // The committee would leave the source out from here on (R-LED-4).
            if self.minting == Minting::Never && !header.ledger.minted.is_zero() {
                return Err(DropReason::Invalid);
            }
            if source.connected.contains(header) {
                continue;
            }
            arrival.verifications += header.certificate.signatures.len() as u32;
            if !header.verify(&self.network, keys) {
                return Err(DropReason::Signature);
            }
        }
        Ok(sent.value)
    }
}

/// What the gate did.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// Heights of batches that it let through.
    pub accepted: Vec<Height>,
    /// Batches that were dropped because their header is not the one that counts.
    pub forked: u32,
}

impl Source {
    fn enter(&mut self, shard: ShardId, waiting: Waiting) -> Ready {
        let before = self.entered.map_or(Wei::ZERO, |mark| mark.value);
        let batch = Arc::unwrap_or_clone(waiting.batch);
        let header = batch.header.hash();
        let (height, sequence) = (batch.header.height, batch.outgoing.last());
        let value = waiting.value;
        self.entered =
            Some(Watermark { source: shard, height, header, sequence, value: before + value });
        let first = batch.outgoing.first;
        let receipts = batch.outgoing.receipts;
        Ready { incoming: Incoming { source: shard, height, header, first, receipts }, value }
    }
}

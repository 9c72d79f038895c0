//! A shard's own headers: kept until they are crosslinked, served to coordinators that miss them,
//! and put in front of batches under gate `certified` (rules R-GATE-2, R-CKPT-9).

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::checkpoint::MAX_CROSSLINK_HEADERS;
use cross_shard_msg::header::genesis_hash;
use cross_shard_msg::{
    Effects, Header, Height, Message, NetworkId, NodeId, SealedHeader, ShardId, SignedHeader,
    Timestamp,
};

use crate::node::ShardNode;
use crate::source::MAX_CHAIN;

/// Headers that a shard may be ahead of its last crosslink. There it waits for the committee.
pub(crate) const MAX_UNCROSSLINKED: usize = 1 << 16;
/// Most headers in one answer to a coordinator.
const MAX_SERVED: usize = MAX_CROSSLINK_HEADERS;
/// Largest answer to a coordinator, in bytes.
const MAX_SERVED_BYTES: usize = 4 << 20;
/// Largest chain of headers in front of a batch, in bytes.
const MAX_CHAIN_BYTES: usize = 4 << 20;

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

    /// All kept headers, ascending.
    pub(crate) fn all(&self) -> impl Iterator<Item = &SignedHeader> {
        self.kept.values()
    }

    /// Forgets headers up to `height`.
    pub(crate) fn forget(&mut self, height: Height) {
        self.kept = self.kept.split_off(&height.next());
    }

    /// Kept headers in a range of heights, ascending, as many as one message holds.
    pub(crate) fn range(&self, from: Height, to: Height) -> Vec<SignedHeader> {
        let range = (from <= to).then(|| self.kept.range(from..=to));
        one_message(range.into_iter().flatten().map(|(_, header)| header))
    }

    /// All kept headers, ascending, in as many messages as they need.
    pub(crate) fn messages(&self) -> Vec<Vec<SignedHeader>> {
        let mut messages = Vec::new();
        let mut from = Height::ZERO;
        loop {
            let message = self.range(from, Height(u64::MAX));
            let Some(last) = message.last() else { return messages };
            from = last.height.next();
            messages.push(message);
        }
    }

    /// Headers between `above` and `below`, both excluded: what connects a batch to the one before.
    /// What is longer than [`MAX_CHAIN`] or [`MAX_CHAIN_BYTES`] loses its beginning: the destination
    /// then connects the rest to a crosslink.
    pub(crate) fn chain(&self, above: Height, below: Height) -> Vec<SignedHeader> {
        let from = above.next();
        if from >= below {
            return Vec::new();
        }
        let newest_first = self.kept.range(from..below).rev().map(|(_, header)| header);
        let mut chain = bounded(newest_first, MAX_CHAIN, MAX_CHAIN_BYTES);
        chain.reverse();
        chain
    }
}

impl ShardNode {
    /// Sends a coordinator headers that it misses, own or another shard's, and the traffic of own
    /// blocks.
    pub(crate) fn serve_headers(
        &self,
        to: NodeId,
        shard: ShardId,
        first: Height,
        last: Height,
        effects: &mut Effects<Self>,
    ) {
        let own = shard == self.config.shard;
        let headers = if own {
            self.headers.range(first, last)
        } else {
            one_message(self.incoming.headers(shard, first, last))
        };
        let (Some(first), Some(last)) = (headers.first(), headers.last()) else { return };
        let (first, last) = (first.height, last.height);
        effects.send(to, Message::Headers(Arc::new(headers)));
        for report in self.reports.range(first, last).filter(|_| own) {
            effects.send(to, Message::Traffic(report.clone()));
        }
    }
}

/// The first of `headers`, as many as one answer to a coordinator holds.
pub(crate) fn one_message<'a>(
    headers: impl Iterator<Item = &'a SignedHeader>,
) -> Vec<SignedHeader> {
    bounded(headers, MAX_SERVED, MAX_SERVED_BYTES)
}

fn bounded<'a>(
    headers: impl Iterator<Item = &'a SignedHeader>,
    most: usize,
    most_bytes: usize,
) -> Vec<SignedHeader> {
    let mut bytes = 0;
    let fitting = headers.take(most).take_while(|header| {
        bytes += encoded_bytes(header);
        bytes <= most_bytes
    });
    fitting.cloned().collect()
}

/// About how many bytes a header takes in a message, rounded up.
pub(crate) fn encoded_bytes(header: &SignedHeader) -> usize {
    768 + 112 * header.watermarks.len()
        + 56 * header.sent.len()
        + 28 * header.placements.len()
        + 96 * header.certificate.signatures.len()
}

#[cfg(test)]
pub(crate) mod tests {
    use cross_shard_msg::{Certificate, CheckpointNumber, Congestion, Gas, Ledger, codec};

    use super::*;

    pub(crate) fn header(height: u64, placements: usize) -> SignedHeader {
        let placements = vec![Default::default(); placements];
        let header = SealedHeader::seal(Header {
            shard: ShardId(0),
            height: Height(height),
            parent: B256::ZERO,
            checkpoint: CheckpointNumber(0),
            timestamp: Timestamp(height),
            state_root: B256::ZERO,
            transactions_root: B256::ZERO,
            results_root: B256::ZERO,
            outgoing_receipts_root: B256::ZERO,
            watermarks: Vec::new(),
            sent: Vec::new(),
            placements,
            gas_used: Gas(0),
            gas_limit: Gas(0),
            base_fee: 0,
            congestion: Congestion::default(),
            ledger: Ledger::default(),
            traffic: alloy_primitives::B256::ZERO,
        });
        SignedHeader { header, certificate: Certificate { signatures: Vec::new() } }
    }

    fn own(headers: impl Iterator<Item = SignedHeader>) -> OwnHeaders {
        let mut own = OwnHeaders::new(&NetworkId::default(), ShardId(0));
        for header in headers {
            own.advance(header.header.clone());
            own.keep(header);
        }
        own
    }

    fn heights(headers: &[SignedHeader]) -> Vec<u64> {
        headers.iter().map(|header| header.height.0).collect()
    }

    #[test]
    fn a_chain_connects_what_it_lies_between() {
        let mut own = own((1..=8).map(|height| header(height, 0)));
        assert_eq!(heights(&own.chain(Height(3), Height(7))), [4, 5, 6]);
        assert!(own.chain(Height(6), Height(7)).is_empty());
        assert!(own.chain(Height(7), Height(7)).is_empty());
        own.forget(Height(5));
        assert_eq!(heights(&own.chain(Height(3), Height(8))), [6, 7]);
        assert_eq!(heights(&own.range(Height(1), Height(7))), [6, 7]);
        assert!(own.range(Height(7), Height(1)).is_empty());
    }

    #[test]
    fn what_does_not_fit_into_a_message_is_left_out() {
        let large = MAX_CHAIN_BYTES / 28 * 2 / 5;
        let own = own((1..=8).map(|height| header(height, large)));
        assert_eq!(heights(&own.chain(Height(0), Height(8))), [6, 7], "the newest ones connect");
        assert_eq!(heights(&own.range(Height(1), Height(8))), [1, 2]);
        let encoded = codec::encode(&header(1, 1_000)).unwrap().len();
        assert!(encoded <= encoded_bytes(&header(1, 1_000)));
    }
}

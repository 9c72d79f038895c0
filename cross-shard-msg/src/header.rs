//! A shard's block header: everything that others need to check a shard without its transactions
//! (rules R-HDR-1 to R-HDR-6).

use std::ops::Deref;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::certificate::{Certificate, ShardKeys};
use crate::hash::Preimage;
use crate::ids::{CheckpointNumber, Height, NetworkId, Sequence, ShardId};
use crate::units::{Gas, Timestamp, Wei};

/// Header of one block of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The shard.
    pub shard: ShardId,
    /// Position in the shard's chain; genesis is 0 and has no signed header.
    pub height: Height,
    /// Hash of the header before.
    pub parent: B256,
    /// Newest finalized checkpoint that the block has applied. Never decreases.
    pub checkpoint: CheckpointNumber,
    /// When the block was started.
    pub timestamp: Timestamp,
    /// Ethereum's state root over the shard's accounts.
    pub state_root: B256,
    /// Ethereum's transactions root over the body's transactions.
    pub transactions_root: B256,
    /// Ethereum's receipts root over the results of all legs of the block; results of incoming
    /// receipts carry a type byte of our own.
    pub results_root: B256,
    /// Root over destinations of roots over receipts released by this block.
    pub outgoing_receipts_root: B256,
    /// What entered this shard's state so far, per source, ascending; sources of nothing are
    /// left out.
    pub watermarks: Vec<Watermark>,
    /// What this shard released so far, per destination, ascending; destinations of nothing are
    /// left out.
    pub sent: Vec<Sent>,
    /// Contracts created by this block, in order of creation.
    pub placements: Vec<Address>,
    /// Gas used by all legs of the block.
    pub gas_used: Gas,
    /// Most gas that the block may use.
    pub gas_limit: Gas,
    /// Base fee per gas, in wei (EIP-1559).
    pub base_fee: u64,
    /// How full the shard's queues are after the block.
    pub congestion: Congestion,
    /// The shard's books after the block.
    pub ledger: Ledger,
    /// Digest of the block's traffic report; zero where there is none.
    pub traffic: B256,
}

/// How much of one source's receipts has entered the destination's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The source.
    pub source: ShardId,
    /// Height of the source's block whose batch entered last.
    pub height: Height,
    /// Hash of that block's header.
    pub header: B256,
    /// Sequence of that batch's last receipt.
    pub sequence: Sequence,
    /// All wei that entered from this source so far.
    pub value: Wei,
}

/// How much a source has released for one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The destination.
    pub destination: ShardId,
    /// Sequence of the last receipt that was released.
    pub sequence: Sequence,
    /// All wei that were released for this destination so far.
    pub value: Wei,
}

/// A shard's books, in wei since genesis: `held = genesis + received − sent − burnt + minted`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Balances of all accounts, plus the value of receipts that are delayed, parked or not yet
    /// released.
    pub held: Wei,
    /// Value of receipts that entered state.
    pub received: Wei,
    /// Value of receipts that were released.
    pub sent: Wei,
    /// Base fees, blob fees and self-destructed value.
    pub burnt: Wei,
    /// Value that an administrator or a withdrawal added.
    pub minted: Wei,
}

/// How full a shard's queues are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Congestion {
    /// Gas of receipts that are in state and wait for gas.
    pub delayed_gas: Gas,
    /// Receipts that are in state and wait for gas or for their account.
    pub delayed: u64,
    /// Receipts that wait for their release.
    pub buffered: u64,
    /// Fullest queue relative to its bound, in thousandths; 1000 is full.
    pub level: u16,
    /// The one source that may always send.
    pub allowed: ShardId,
}

impl Header {
    /// The header's hash; what its certificate signs is [`signing_digest`].
    #[must_use]
    pub fn hash(&self) -> B256 {
        let mut preimage = Preimage::new("shardlab/header");
        preimage
            .u32(self.shard.0)
            .u64(self.height.0)
            .hash(&self.parent)
            .u64(self.checkpoint.0)
            .u64(self.timestamp.0)
            .hash(&self.state_root)
            .hash(&self.transactions_root)
            .hash(&self.results_root)
            .hash(&self.outgoing_receipts_root);
        preimage.len(self.watermarks.len());
        for mark in &self.watermarks {
            preimage
                .u32(mark.source.0)
                .u64(mark.height.0)
                .hash(&mark.header)
                .u64(mark.sequence.0)
                .wei(&mark.value);
        }
        preimage.len(self.sent.len());
        for sent in &self.sent {
            preimage.u32(sent.destination.0).u64(sent.sequence.0).wei(&sent.value);
        }
        preimage.len(self.placements.len());
        for address in &self.placements {
            preimage.address(address);
        }
        preimage.u64(self.gas_used.0).u64(self.gas_limit.0).u64(self.base_fee);
        self.congestion.write(&mut preimage);
        self.ledger.write(&mut preimage);
        preimage.hash(&self.traffic);
        preimage.finish()
    }

    /// Watermark of `source`, or `None` when nothing of it entered yet.
    #[must_use]
    pub fn watermark(&self, source: ShardId) -> Option<&Watermark> {
        self.watermarks
            .binary_search_by_key(&source, |mark| mark.source)
            .ok()
            .and_then(|index| self.watermarks.get(index))
    }

    /// What was released for `destination`, or `None` when nothing was yet.
    #[must_use]
    pub fn sent_to(&self, destination: ShardId) -> Option<&Sent> {
        self.sent
            .binary_search_by_key(&destination, |sent| sent.destination)
            .ok()
            .and_then(|index| self.sent.get(index))
    }
}

impl Congestion {
    pub(crate) fn write(&self, preimage: &mut Preimage) {
        preimage
            .u64(self.delayed_gas.0)
            .u64(self.delayed)
            .u64(self.buffered)
            .u32(u32::from(self.level))
            .u32(self.allowed.0);
    }
}

impl Ledger {
    fn write(&self, preimage: &mut Preimage) {
        preimage
            .wei(&self.held)
            .wei(&self.received)
            .wei(&self.sent)
            .wei(&self.burnt)
            .wei(&self.minted);
    }

    /// Whether the books balance for a shard that held `genesis` wei at height 0.
    #[must_use]
    pub fn balances(&self, genesis: Wei) -> bool {
        let sources =
            genesis.checked_add(self.received).and_then(|sum| sum.checked_add(self.minted));
        let uses = self.held.checked_add(self.sent).and_then(|sum| sum.checked_add(self.burnt));
        matches!((sources, uses), (Some(sources), Some(uses)) if sources == uses)
    }
}

/// A header with its hash, computed once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SealedHeader(Arc<(Header, B256)>);

impl SealedHeader {
    /// Hashes a header.
    #[must_use]
    pub fn seal(header: Header) -> Self {
        let hash = header.hash();
        Self(Arc::new((header, hash)))
    }

    /// The header's hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.0.1
    }
}

impl Deref for SealedHeader {
    type Target = Header;

    fn deref(&self) -> &Header {
        &self.0.0
    }
}

impl PartialEq for SealedHeader {
    fn eq(&self, other: &Self) -> bool {
        self.0.1 == other.0.1
    }
}

impl Eq for SealedHeader {}

impl std::hash::Hash for SealedHeader {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.1.hash(state);
    }
}

impl Serialize for SealedHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SealedHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Header::deserialize(deserializer).map(Self::seal)
    }
}

/// A header with its shard's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SignedHeader {
    /// The header.
    pub header: SealedHeader,
    /// Shows that the shard stands by it.
    pub certificate: Certificate,
}

impl SignedHeader {
    /// Whether the certificate is the shard's over this header in this network.
    #[must_use]
    pub fn verify(&self, network: &NetworkId, keys: &ShardKeys) -> bool {
        self.certificate.verify(&signing_digest(network, &self.header.hash()), keys)
    }

    /// The header's hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.header.hash()
    }
}

impl Deref for SignedHeader {
    type Target = Header;

    fn deref(&self) -> &Header {
        &self.header
    }
}

/// What a shard signs for the header with this hash.
#[must_use]
pub fn signing_digest(network: &NetworkId, header: &B256) -> B256 {
    Preimage::new("shardlab/header/sign").hash(&network.0).hash(header).finish()
}

/// What a shard's first header names as its parent: one value per network and shard.
#[must_use]
pub fn genesis_hash(network: &NetworkId, shard: ShardId) -> B256 {
    Preimage::new("shardlab/header/genesis").hash(&network.0).u32(shard.0).finish()
}

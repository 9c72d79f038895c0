//! Checkpoints: finalized cuts over all shards (rules R-CKPT-1 to R-CKPT-9).

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

use crate::hash::Preimage;
use crate::header::{Congestion, SignedHeader};
use crate::ids::{CheckpointNumber, Epoch, Height, NetworkId, ShardId};
use crate::migration::Move;
use crate::units::Timestamp;

/// Most headers of one shard that one checkpoint takes in.
pub const MAX_CROSSLINK_HEADERS: usize = 256;

/// A cut over all shards that the committee agrees on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Position in the chain of checkpoints; genesis is 0.
    pub number: CheckpointNumber,
    /// Digest of the checkpoint before.
    pub parent: B256,
    /// When its leader proposed it.
    pub timestamp: Timestamp,
    /// Period of the committee and of the partitioner (R-EPOCH-1).
    pub epoch: Epoch,
    /// One entry per shard that moved, ascending by shard.
    pub crosslinks: Vec<Crosslink>,
    /// Contracts that become known everywhere, in order of shard, height and creation.
    pub placements: Vec<Placement>,
    /// Accounts that move, ascending by account (R-EPOCH-4).
    pub moves: Vec<Move>,
}

/// How far one shard moved since its previous crosslink.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Crosslink {
    /// The shard.
    pub shard: ShardId,
    /// Height of the first header in `headers`: one more than the previous crosslink's tip.
    pub first: Height,
    /// Hashes of the headers since the previous crosslink, ascending; never empty.
    pub headers: Vec<B256>,
    /// The tip header's congestion, for the sources of this shard.
    pub congestion: Congestion,
}

/// A created contract and its home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Placement {
    /// The contract.
    pub address: Address,
    /// Where it was created and lives.
    pub shard: ShardId,
}

impl Crosslink {
    /// Height of the last header. Saturates: `first` may come from a hostile leader.
    #[must_use]
    pub fn tip(&self) -> Height {
        let others = (self.headers.len() as u64).saturating_sub(1);
        Height(self.first.0.saturating_add(others))
    }

    /// Hash of the header at `height`, if it is in this crosslink.
    #[must_use]
    pub fn hash_at(&self, height: Height) -> Option<&B256> {
        let index = height.0.checked_sub(self.first.0)?;
        self.headers.get(usize::try_from(index).ok()?)
    }
}

impl Checkpoint {
    /// The digest that votes and certificates are about.
    #[must_use]
    pub fn digest(&self) -> B256 {
        let mut preimage = Preimage::new("shardlab/checkpoint");
        preimage
            .u64(self.number.0)
            .hash(&self.parent)
            .u64(self.timestamp.0)
            .u64(self.epoch.0)
            .len(self.crosslinks.len());
        for crosslink in &self.crosslinks {
            preimage.u32(crosslink.shard.0).u64(crosslink.first.0).len(crosslink.headers.len());
            for hash in &crosslink.headers {
                preimage.hash(hash);
            }
            crosslink.congestion.write(&mut preimage);
        }
        preimage.len(self.placements.len());
        for placement in &self.placements {
            preimage.address(&placement.address).u32(placement.shard.0);
        }
        preimage.len(self.moves.len());
        for moved in &self.moves {
            preimage.address(&moved.account).u32(moved.from.0).u32(moved.to.0);
        }
        preimage.finish()
    }

    /// The entry of `shard`, or `None` when it did not move.
    #[must_use]
    pub fn crosslink(&self, shard: ShardId) -> Option<&Crosslink> {
        self.crosslinks
            .binary_search_by_key(&shard, |crosslink| crosslink.shard)
            .ok()
            .and_then(|index| self.crosslinks.get(index))
    }
}

/// What the first checkpoint names as its parent.
#[must_use]
pub fn genesis_digest(network: &NetworkId) -> B256 {
    Preimage::new("shardlab/checkpoint/genesis").hash(&network.0).finish()
}

/// A checkpoint with the headers that justify it: what a leader proposes. Its digest is the
/// checkpoint's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal {
    /// What is agreed on.
    pub checkpoint: Checkpoint,
    /// Exactly the headers named by its crosslinks, in the same order.
    pub evidence: Vec<SignedHeader>,
}

/// A finalized checkpoint as it travels to shards and to the client. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalizedCheckpoint {
    /// The checkpoint.
    pub checkpoint: Arc<Checkpoint>,
    /// The committee's certificate, in the encoding of the agreement that the committee runs.
    pub certificate: Bytes,
}

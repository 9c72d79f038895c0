//! A proposal as a value of the agreement: sealed with its digest, cheap to clone.
//!
//! The digest is the checkpoint's. Sealing checks that the evidence is exactly the headers whose
//! hashes the checkpoint names, so equal digests mean equal content, certificates aside.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use alloy_primitives::B256;
use consensus::Value;
use cross_shard_msg::{Checkpoint, Crosslink, Proposal, SignedHeader, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A proposed checkpoint with the headers that justify it.
#[derive(Clone)]
pub struct CheckpointValue(Arc<Sealed>);

struct Sealed {
    digest: B256,
    checkpoint: Arc<Checkpoint>,
    evidence: Vec<SignedHeader>,
}

/// The evidence is not what the checkpoint names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the evidence of a proposal is not the headers that its checkpoint names")]
pub struct EvidenceMismatch;

impl CheckpointValue {
    /// Seals a proposal.
    ///
    /// # Errors
    /// When the evidence is not exactly the headers that the crosslinks name, in order.
    pub fn seal(proposal: Proposal) -> Result<Self, EvidenceMismatch> {
        let Proposal { checkpoint, evidence } = proposal;
        let named = checkpoint.crosslinks.iter().flat_map(|crosslink| &crosslink.headers);
        if !named.copied().eq(evidence.iter().map(SignedHeader::hash)) {
            return Err(EvidenceMismatch);
        }
        let digest = checkpoint.digest();
        Ok(Self(Arc::new(Sealed { digest, checkpoint: Arc::new(checkpoint), evidence })))
    }

    /// The checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> &Arc<Checkpoint> {
        &self.0.checkpoint
    }

    /// The headers that the crosslinks name, in order.
    #[must_use]
    pub fn evidence(&self) -> &[SignedHeader] {
        &self.0.evidence
    }

    /// Each crosslink with its headers.
    pub fn chains(&self) -> impl Iterator<Item = (&Crosslink, &[SignedHeader])> {
        let mut rest = self.evidence();
        self.0.checkpoint.crosslinks.iter().map(move |crosslink| {
            // Sealing has checked that the lengths agree.
            let (chain, after) = rest.split_at(crosslink.headers.len().min(rest.len()));
            rest = after;
            (crosslink, chain)
        })
    }
}

impl Value for CheckpointValue {
    fn digest(&self) -> B256 {
        self.0.digest
    }

    fn parent(&self) -> B256 {
        self.0.checkpoint.parent
    }

    fn number(&self) -> u64 {
        self.0.checkpoint.number.0
    }

    fn timestamp(&self) -> Timestamp {
        self.0.checkpoint.timestamp
    }
}

impl PartialEq for CheckpointValue {
    fn eq(&self, other: &Self) -> bool {
        self.0.digest == other.0.digest && self.0.evidence == other.0.evidence
    }
}

impl Eq for CheckpointValue {}

impl Hash for CheckpointValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.digest.hash(state);
    }
}

impl fmt::Debug for CheckpointValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CheckpointValue({} {}, {} headers)",
            self.0.checkpoint.number,
            self.0.digest,
            self.0.evidence.len()
        )
    }
}

impl Serialize for CheckpointValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The same encoding as that of `Proposal`.
        (&self.0.checkpoint, &self.0.evidence).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CheckpointValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let proposal = Proposal::deserialize(deserializer)?;
        Self::seal(proposal).map_err(serde::de::Error::custom)
    }
}

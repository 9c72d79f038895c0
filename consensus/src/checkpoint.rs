//! Final checkpoints as third parties see them (rule R-CONS-9).
//!
//! A shard or a client knows the committee's keys and nothing of views. It is handed a checkpoint
//! with a proof: the committee's certificate, and the checkpoints between the proven one and the
//! one that the certificate names. Nearly always there are none between.

use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::codec::{self, CodecError};
use cross_shard_msg::{Checkpoint, Epoch, FinalizedCheckpoint, Incarnation, Settings};
use serde::{Deserialize, Serialize};

use crate::certificate::{CertificateError, FinalizationCertificate};
use crate::committee::{Committee, CommitteeError, Domain, Verifier};
use crate::message::MAX_RUN_VALUES;

/// Shows that a checkpoint is final: [`FinalizedCheckpoint::certificate`] is its encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalityProof {
    /// Checkpoints from the proven one's child to the certified one; empty when the proven one is
    /// itself certified.
    pub descendants: Vec<Arc<Checkpoint>>,
    /// The committee's certificate for the last of them.
    pub certificate: FinalizationCertificate,
}

/// Why a checkpoint is not shown to be final.
#[derive(Debug, thiserror::Error)]
pub enum FinalityError {
    /// The proof is no encoding of one.
    #[error("the proof is malformed: {0}")]
    Malformed(#[from] CodecError),
    /// More descendants than a run has values.
    #[error("the proof has {0} descendants")]
    TooMany(usize),
    /// A descendant does not follow the checkpoint before it.
    #[error("descendant {0} of the proof does not follow the checkpoint before it")]
    Chain(usize),
    /// The certificate is wrong or for something else.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// The committee that certifies the checkpoints of a network.
///
/// # Errors
/// When the validators' keys are not a committee.
pub fn committee(settings: &Settings) -> Result<Committee, CommitteeError> {
    let domain =
        Domain { network: settings.network, incarnation: Incarnation(0), epoch: Epoch::ZERO };
    Committee::new(domain, &settings.validators)
}

/// Checks that a checkpoint is final. Does not check that it follows those before it.
///
/// # Errors
/// The first thing that is wrong with the proof.
pub fn verify_finalized(
    committee: &impl Verifier,
    finalized: &FinalizedCheckpoint,
) -> Result<(), FinalityError> {
    let proof: FinalityProof = codec::decode(&finalized.certificate)?;
    proof.verify(committee, &finalized.checkpoint)
}

impl FinalityProof {
    /// Checks the proof for `checkpoint`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(
        &self,
        committee: &impl Verifier,
        checkpoint: &Checkpoint,
    ) -> Result<(), FinalityError> {
        if self.descendants.len() >= MAX_RUN_VALUES {
            return Err(FinalityError::TooMany(self.descendants.len()));
        }
        let mut digest: B256 = checkpoint.digest();
        for (index, descendant) in self.descendants.iter().enumerate() {
            if descendant.parent != digest {
                return Err(FinalityError::Chain(index));
            }
            digest = descendant.digest();
        }
        Ok(self.certificate.verify(committee, &digest)?)
    }

    /// Puts a checkpoint and its proof together for the wire.
    ///
    /// # Errors
    /// When the proof does not fit into a message.
    pub fn attach(&self, checkpoint: &Arc<Checkpoint>) -> Result<FinalizedCheckpoint, CodecError> {
        let certificate = codec::encode(self)?.into();
        Ok(FinalizedCheckpoint { checkpoint: Arc::clone(checkpoint), certificate })
    }
}

//! Votes: `notarize`, `nullify`, `finalize` (rule R-CONS-2).

use alloy_primitives::B256;
use cross_shard_msg::signature::NodeSignature;
use cross_shard_msg::{Epoch, ValidatorIndex, View};
use serde::{Deserialize, Serialize};

use crate::committee::{Signer, Verifier};

/// What a vote says about its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// The leader's proposal with this digest is valid, and so is its place in the chain.
    Notarize,
    /// This view should be skipped. The digest is zero.
    Nullify,
    /// The proposal with this digest is notarized, and I have not voted to skip the view.
    Finalize,
}

impl Kind {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Notarize => 0,
            Self::Nullify => 1,
            Self::Finalize => 2,
        }
    }
}

/// One validator's signed vote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Vote {
    /// The committee's epoch.
    pub epoch: Epoch,
    /// The view voted in.
    pub view: View,
    /// What is said.
    pub kind: Kind,
    /// The value meant; zero for [`Kind::Nullify`].
    pub digest: B256,
    /// Who votes.
    pub validator: ValidatorIndex,
    /// Over [`crate::Domain::preimage`].
    pub signature: NodeSignature,
}

impl Vote {
    /// Signs a vote.
    pub fn sign(keys: &impl Signer, view: View, kind: Kind, digest: B256) -> Self {
        let domain = keys.domain();
        Self {
            epoch: domain.epoch,
            view,
            kind,
            digest,
            validator: keys.validator(),
            signature: keys.sign(&domain.preimage(view, kind, &digest)),
        }
    }

    /// Whether a member of this committee made this vote in its epoch.
    pub fn verify(&self, committee: &impl Verifier) -> bool {
        let domain = committee.domain();
        self.epoch == domain.epoch
            && (self.kind != Kind::Nullify || self.digest == B256::ZERO)
            && committee.verify(
                self.validator,
                &domain.preimage(self.view, self.kind, &self.digest),
                &self.signature,
            )
    }
}

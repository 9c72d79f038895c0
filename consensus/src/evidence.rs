//! Equivocation: two votes of one validator that no honest one casts both (rule R-CONS-12).

use serde::{Deserialize, Serialize};

use crate::committee::Verifier;
use crate::vote::{Kind, Vote};

/// Proof that a validator broke the protocol. Needs nothing but the committee's keys to check.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// The vote that was seen first.
    pub first: Vote,
    /// The one that contradicts it.
    pub second: Vote,
}

impl Evidence {
    /// Takes two votes if they contradict one another. Does not check their signatures.
    #[must_use]
    pub fn new(first: Vote, second: Vote) -> Option<Self> {
        conflict(&first, &second).then_some(Self { first, second })
    }

    /// Whether the votes contradict one another and both are the accused validator's.
    pub fn verify(&self, committee: &impl Verifier) -> bool {
        conflict(&self.first, &self.second)
            && self.first.verify(committee)
            && self.second.verify(committee)
    }
}

/// Two values in one view, or both skipping and finalizing it.
fn conflict(a: &Vote, b: &Vote) -> bool {
    if (a.epoch, a.view, a.validator) != (b.epoch, b.view, b.validator) {
        return false;
    }
    match (a.kind, b.kind) {
        (Kind::Notarize, Kind::Notarize) | (Kind::Finalize, Kind::Finalize) => a.digest != b.digest,
        (Kind::Nullify, Kind::Finalize) | (Kind::Finalize, Kind::Nullify) => true,
        // One may notarize and then nullify, when time runs out. One finalizes what a quorum
        // notarized, whatever one voted for.
        _ => false,
    }
}

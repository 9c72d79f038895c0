//! Who votes, and with which keys (rules R-CONS-1, R-CONS-2).
//!
//! Keys stay outside the state of the protocol: [`crate::Simplex`] is handed a [`Signer`] with each
//! input. Third parties, such as shards, check certificates with a [`Committee`] alone.

use alloy_primitives::B256;
use cross_shard_msg::hash::Preimage;
use cross_shard_msg::signature::{NodeSignature, PublicKey, SecretKey};
use cross_shard_msg::{Epoch, Incarnation, NetworkId, ValidatorIndex, View, verified};
use ed25519_dalek::VerifyingKey;

use crate::quorum::quorum;
use crate::vote::Kind;

/// What a signature is valid for: one committee of one life of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Domain {
    /// The network.
    pub network: NetworkId,
    /// Its life; a restored snapshot starts a new one.
    pub incarnation: Incarnation,
    /// The committee's epoch.
    pub epoch: Epoch,
}

impl Domain {
    /// What a validator signs: the hash of
    /// `tag ‖ network ‖ incarnation ‖ epoch ‖ view ‖ kind ‖ digest`.
    #[must_use]
    pub fn preimage(&self, view: View, kind: Kind, digest: &B256) -> B256 {
        Preimage::new("shardlab/consensus/vote")
            .hash(&self.network.0)
            .u32(self.incarnation.0)
            .u64(self.epoch.0)
            .u64(view.0)
            .u8(kind.code())
            .hash(digest)
            .finish()
    }
}

/// Checks what the members of a committee have signed.
pub trait Verifier {
    /// What their signatures are valid for.
    fn domain(&self) -> Domain;
    /// How many members there are, at least 1.
    fn size(&self) -> usize;
    /// Whether `signature` is that of `validator` over the hash `preimage`. False for an index that
    /// is not in the committee.
    fn verify(&self, validator: ValidatorIndex, preimage: &B256, signature: &NodeSignature)
    -> bool;

    /// How many of them decide.
    fn quorum(&self) -> usize {
        #[cfg(feature = "planted-bugs")]
        if crate::quorum::planted::is(crate::quorum::planted::Bug::Quorum) {
            return (2 * crate::quorum::max_faulty(self.size())).max(1);
        }
        quorum(self.size())
    }
}

/// A member of a committee: checks everybody's signatures and makes its own.
pub trait Signer: Verifier {
    /// Which member this is.
    fn validator(&self) -> ValidatorIndex;
    /// Signs the hash `preimage`.
    fn sign(&self, preimage: &B256) -> NodeSignature;
}

/// The public keys of a committee, in the order of their indices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Committee {
    domain: Domain,
    /// Decompressed once, since every vote is checked with one of them.
    keys: Vec<VerifyingKey>,
}

/// Why keys are not a committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// There is none.
    #[error("a committee needs at least one validator")]
    Empty,
    /// Not a point of the curve, or one of small order.
    #[error("the key of validator {0} is not a valid Ed25519 key")]
    Key(usize),
    /// One key would vote twice.
    #[error("validators {0} and {1} have the same key")]
    Duplicate(usize, usize),
    /// The secret key is nobody's.
    #[error("the secret key belongs to no validator of the committee")]
    Outsider,
}

impl Committee {
    /// The committee of these keys; the position is the validator's index.
    ///
    /// # Errors
    /// When there is no key, one is invalid or weak, or one occurs twice.
    pub fn new(domain: Domain, keys: &[PublicKey]) -> Result<Self, CommitteeError> {
        if keys.is_empty() {
            return Err(CommitteeError::Empty);
        }
        let mut decompressed = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            if let Some(first) = keys[..index].iter().position(|other| other == key) {
                return Err(CommitteeError::Duplicate(first, index));
            }
            match VerifyingKey::from_bytes(&key.0.0) {
                Ok(key) if !key.is_weak() => decompressed.push(key),
                _ => return Err(CommitteeError::Key(index)),
            }
        }
        Ok(Self { domain, keys: decompressed })
    }
}

impl Verifier for Committee {
    fn domain(&self) -> Domain {
        self.domain
    }

    fn size(&self) -> usize {
        self.keys.len()
    }

    fn verify(
        &self,
        validator: ValidatorIndex,
        preimage: &B256,
        signature: &NodeSignature,
    ) -> bool {
        self.keys.get(validator.0 as usize).is_some_and(|key| {
            let name = PublicKey(B256::from(key.to_bytes()));
            verified::check(&name, preimage, signature, || {
                let signature = ed25519_dalek::Signature::from_bytes(&signature.0.0);
                key.verify_strict(preimage.as_slice(), &signature).is_ok()
            })
        })
    }
}

/// A committee and one member's secret key.
#[derive(Clone, Debug)]
pub struct Keyring {
    committee: Committee,
    validator: ValidatorIndex,
    secret: SecretKey,
}

impl Keyring {
    /// The ring of the member whose key this is.
    ///
    /// # Errors
    /// When `secret` belongs to nobody in `committee`.
    pub fn new(committee: Committee, secret: SecretKey) -> Result<Self, CommitteeError> {
        let public = secret.public();
        let index = committee.keys.iter().position(|key| *key.as_bytes() == public.0.0);
        match index.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => Ok(Self { committee, validator: ValidatorIndex(index), secret }),
            None => Err(CommitteeError::Outsider),
        }
    }

    /// The committee.
    #[must_use]
    pub const fn committee(&self) -> &Committee {
        &self.committee
    }
}

impl Verifier for Keyring {
    fn domain(&self) -> Domain {
        self.committee.domain
    }

    fn size(&self) -> usize {
        self.committee.size()
    }

    fn verify(
        &self,
        validator: ValidatorIndex,
        preimage: &B256,
        signature: &NodeSignature,
    ) -> bool {
        self.committee.verify(validator, preimage, signature)
    }
}

impl Signer for Keyring {
    fn validator(&self) -> ValidatorIndex {
        self.validator
    }

    fn sign(&self, preimage: &B256) -> NodeSignature {
        self.secret.sign(preimage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain() -> Domain {
        Domain { network: NetworkId(B256::ZERO), incarnation: Incarnation(0), epoch: Epoch(0) }
    }

    fn secret(seed: u8) -> SecretKey {
        SecretKey::from_seed(&B256::repeat_byte(seed))
    }

    #[test]
    fn bad_committees_are_refused() {
        let (a, b) = (secret(1).public(), secret(2).public());
        assert_eq!(Committee::new(domain(), &[]), Err(CommitteeError::Empty));
        assert_eq!(Committee::new(domain(), &[a, b, a]), Err(CommitteeError::Duplicate(0, 2)));
        let weak = PublicKey(B256::with_last_byte(0));
        assert_eq!(Committee::new(domain(), &[a, weak]), Err(CommitteeError::Key(1)));
        let committee = Committee::new(domain(), &[a, b]).unwrap();
        assert_eq!(Keyring::new(committee, secret(3)).err(), Some(CommitteeError::Outsider));
    }

    #[test]
    fn every_field_of_the_preimage_counts() {
        let base = domain();
        let of = |domain: Domain, view, kind, digest: u8| {
            domain.preimage(View(view), kind, &B256::repeat_byte(digest))
        };
        let all = [
            of(base, 1, Kind::Notarize, 1),
            of(base, 2, Kind::Notarize, 1),
            of(base, 1, Kind::Nullify, 1),
            of(base, 1, Kind::Finalize, 1),
            of(base, 1, Kind::Notarize, 2),
            of(Domain { network: NetworkId(B256::repeat_byte(1)), ..base }, 1, Kind::Notarize, 1),
            of(Domain { incarnation: Incarnation(1), ..base }, 1, Kind::Notarize, 1),
            of(Domain { epoch: Epoch(1), ..base }, 1, Kind::Notarize, 1),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }
}

//! Certificates: a quorum's signatures over one vote (rule R-CONS-3), and finalized values with
//! their proof (rule R-CONS-9).

use alloy_primitives::B256;
use cross_shard_msg::signature::NodeSignature;
use cross_shard_msg::{Epoch, ValidatorIndex, View};
use serde::{Deserialize, Serialize};

use crate::committee::Verifier;
use crate::value::Value;
use crate::vote::{Kind, Vote};

/// A quorum of equal votes: a notarization, a nullification or a finalization, by its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Certificate {
    /// The committee's epoch.
    pub epoch: Epoch,
    /// The view voted in.
    pub view: View,
    /// What was voted.
    pub kind: Kind,
    /// The value meant; zero for [`Kind::Nullify`].
    pub digest: B256,
    /// Who signed, by ascending index, each once.
    pub signatures: Vec<(ValidatorIndex, NodeSignature)>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is of another committee.
    #[error("the certificate is of epoch {0}")]
    Epoch(Epoch),
    /// It says something else than is asked for.
    #[error("the certificate is not a finalization")]
    Kind,
    /// It is about another value.
    #[error("the certificate is for digest {0}")]
    Digest(B256),
    /// Signers are not in ascending order, occur twice, or are not in the committee.
    #[error("the signers are not distinct members in ascending order")]
    Signers,
    /// Too few signed.
    #[error("{0} signatures are not a quorum")]
    Quorum(usize),
    /// A signature does not verify.
    #[error("the signature of validator {0} is wrong")]
    Signature(ValidatorIndex),
    /// Values of a run do not follow one another.
    #[error("value {0} of the run does not follow the one before it")]
    Chain(usize),
    /// A run without values.
    #[error("the run is empty")]
    Empty,
}

impl Certificate {
    /// Checks everything that needs no signature: epoch, signers and their number. Cheap.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, committee: &impl Verifier) -> Result<(), CertificateError> {
        if self.epoch != committee.domain().epoch {
            return Err(CertificateError::Epoch(self.epoch));
        }
        if self.kind == Kind::Nullify && self.digest != B256::ZERO {
            return Err(CertificateError::Digest(self.digest));
        }
        let ascending = self.signatures.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let members = self
            .signatures
            .last()
            .is_none_or(|(validator, _)| (validator.0 as usize) < committee.size());
        if !ascending || !members {
            return Err(CertificateError::Signers);
        }
        if self.signatures.len() < committee.quorum() {
            return Err(CertificateError::Quorum(self.signatures.len()));
        }
        Ok(())
    }

    /// Checks the certificate with all its signatures. A caller that sees it more than once should
    /// remember that it did.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, committee: &impl Verifier) -> Result<(), CertificateError> {
        self.check(committee)?;
        let preimage = committee.domain().preimage(self.view, self.kind, &self.digest);
        for (validator, signature) in &self.signatures {
            if !committee.verify(*validator, &preimage, signature) {
                return Err(CertificateError::Signature(*validator));
            }
        }
        Ok(())
    }

    /// The votes that it consists of.
    pub fn votes(&self) -> impl Iterator<Item = Vote> {
        self.signatures.iter().map(|(validator, signature)| Vote {
            epoch: self.epoch,
            view: self.view,
            kind: self.kind,
            digest: self.digest,
            validator: *validator,
            signature: *signature,
        })
    }
}

/// A certificate that makes a value and all its ancestors final.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FinalizationCertificate(Certificate);

impl FinalizationCertificate {
    /// Takes a certificate that is a finalization, else `None`. Checks nothing else.
    #[must_use]
    pub fn new(certificate: Certificate) -> Option<Self> {
        (certificate.kind == Kind::Finalize).then_some(Self(certificate))
    }

    /// As a certificate.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.0
    }

    /// The view of the value.
    #[must_use]
    pub const fn view(&self) -> View {
        self.0.view
    }

    /// The digest of the value.
    #[must_use]
    pub const fn digest(&self) -> B256 {
        self.0.digest
    }

    /// Checks that a quorum of `committee` finalized the value with this digest.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, committee: &impl Verifier, digest: &B256) -> Result<(), CertificateError> {
        // What came over the wire need not be what `new` would take.
        if self.0.kind != Kind::Finalize {
            return Err(CertificateError::Kind);
        }
        if self.0.digest != *digest {
            return Err(CertificateError::Digest(self.0.digest));
        }
        self.0.verify(committee)
    }
}

/// Values that became final together: a run of the chain whose last value the certificate names.
///
/// Nearly always a run has one value. It has more when a view was notarized but too few could vote
/// `finalize` in it: then no certificate for that value will ever exist, and its proof is the next
/// descendant's certificate with the values between. So a run travels whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finalized<V> {
    /// In order, without gaps, at least one.
    pub values: Vec<V>,
    /// Finalizes the last of them.
    pub certificate: FinalizationCertificate,
}

impl<V: Value> Finalized<V> {
    /// Checks that the run follows the value `(digest, number)` and is final.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(
        &self,
        committee: &impl Verifier,
        parent: (B256, u64),
    ) -> Result<(), CertificateError> {
        let (mut digest, mut number) = parent;
        for (index, value) in self.values.iter().enumerate() {
            number = number.saturating_add(1);
            if value.parent() != digest || value.number() != number {
                return Err(CertificateError::Chain(index));
            }
            digest = value.digest();
        }
        if self.values.is_empty() {
            return Err(CertificateError::Empty);
        }
        self.certificate.verify(committee, &digest)
    }
}

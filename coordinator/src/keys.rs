//! Counts the signatures that the agreement makes and checks, which are work.

use std::cell::Cell;

use alloy_primitives::B256;
use consensus::{Domain, Keyring, Signer, Verifier};
use cross_shard_msg::{NodeSignature, ValidatorIndex, Work};

/// Keys that count what they are used for.
pub(crate) struct CountingKeys<'a> {
    keys: &'a Keyring,
    signatures: Cell<u32>,
    verifications: Cell<u32>,
}

impl<'a> CountingKeys<'a> {
    pub fn new(keys: &'a Keyring) -> Self {
        Self { keys, signatures: Cell::new(0), verifications: Cell::new(0) }
    }

    /// Adds what they were used for to `work`.
    pub fn charge(&self, work: &mut Work) {
        work.verifications += self.verifications.get();
        work.signatures += self.signatures.get();
    }
}

impl Verifier for CountingKeys<'_> {
    fn domain(&self) -> Domain {
        self.keys.domain()
    }

    fn size(&self) -> usize {
        self.keys.size()
    }

    fn verify(
        &self,
        validator: ValidatorIndex,
        preimage: &B256,
        signature: &NodeSignature,
    ) -> bool {
        self.verifications.set(self.verifications.get() + 1);
        self.keys.verify(validator, preimage, signature)
    }
}

impl Signer for CountingKeys<'_> {
    fn validator(&self) -> ValidatorIndex {
        self.keys.validator()
    }

    fn sign(&self, preimage: &B256) -> NodeSignature {
        self.signatures.set(self.signatures.get() + 1);
        self.keys.sign(preimage)
    }
}

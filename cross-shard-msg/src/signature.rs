//! Signatures: secp256k1 for users, Ed25519 for shards and coordinators.

use std::fmt;

use alloy_consensus::{TxEnvelope, transaction::SignableTransaction};
use alloy_primitives::{Address, B256, FixedBytes, Signature as UserSignature, keccak256};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use secp256k1::{Message, ecdsa::RecoverableSignature, ecdsa::RecoveryId};
use serde::{Deserialize, Serialize};

use crate::verified;

/// An Ed25519 signature of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeSignature(pub FixedBytes<64>);

/// An Ed25519 public key of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey(pub B256);

/// An Ed25519 secret key of a node. Its value is never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key with this 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &B256) -> Self {
        Self(SigningKey::from_bytes(&seed.0))
    }

    /// Its public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(B256::from(self.0.verifying_key().to_bytes()))
    }

    /// Signs a digest of [`crate::hash::Preimage`].
    #[must_use]
    pub fn sign(&self, digest: &B256) -> NodeSignature {
        let signature = NodeSignature(FixedBytes::from(self.0.sign(digest.as_slice()).to_bytes()));
        verified::signed(|| self.public(), digest, &signature);
        signature
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public().0)
    }
}

impl PublicKey {
    /// Whether `signature` is this key's over `digest`. Strict: no malleable signature and no key
    /// of small order passes.
    #[must_use]
    pub fn verify(&self, digest: &B256, signature: &NodeSignature) -> bool {
        verified::check(self, digest, signature, || {
            VerifyingKey::from_bytes(&self.0.0).is_ok_and(|key| {
                let signature = ed25519_dalek::Signature::from_bytes(&signature.0.0);
                key.verify_strict(digest.as_slice(), &signature).is_ok()
            })
        })
    }
}

/// The sender of a transaction, or `None` when the signature is invalid or malleable (EIP-2).
///
/// Frontier had no such rule. Its transactions name no chain, so they are admitted only where a
/// block prescribes them by hash (R-POOL-2), and there a malleable signature changes nothing.
pub(crate) fn recover_sender(envelope: &TxEnvelope) -> Option<Address> {
    let signature = envelope.signature();
    let of_frontier = matches!(envelope, TxEnvelope::Legacy(tx) if tx.tx().chain_id.is_none());
    if !of_frontier && signature.normalize_s().is_some() {
        return None;
    }
    recover(&envelope_digest(envelope), signature)
}

fn envelope_digest(envelope: &TxEnvelope) -> B256 {
    match envelope {
        TxEnvelope::Legacy(signed) => signed.tx().signature_hash(),
        TxEnvelope::Eip2930(signed) => signed.tx().signature_hash(),
        TxEnvelope::Eip1559(signed) => signed.tx().signature_hash(),
        TxEnvelope::Eip4844(signed) => signed.tx().signature_hash(),
        TxEnvelope::Eip7702(signed) => signed.tx().signature_hash(),
    }
}

/// The address whose key made `signature` over `digest`.
#[must_use]
pub fn recover(digest: &B256, signature: &UserSignature) -> Option<Address> {
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(&signature.r().to_be_bytes::<32>());
    compact[32..].copy_from_slice(&signature.s().to_be_bytes::<32>());
    let id = if signature.v() { RecoveryId::One } else { RecoveryId::Zero };
    let signature = RecoverableSignature::from_compact(&compact, id).ok()?;
    let key =
        secp256k1::SECP256K1.recover_ecdsa(Message::from_digest(digest.0), &signature).ok()?;
    Some(address_of(&key))
}

/// The address of a user's public key.
#[must_use]
pub fn address_of(key: &secp256k1::PublicKey) -> Address {
    Address::from_slice(&keccak256(&key.serialize_uncompressed()[1..])[12..])
}

/// Signs `digest` as a user (RFC 6979, so the same key and digest give the same signature).
#[must_use]
pub fn sign(digest: &B256, key: &secp256k1::SecretKey) -> UserSignature {
    let signature =
        secp256k1::SECP256K1.sign_ecdsa_recoverable(Message::from_digest(digest.0), key);
    let (id, compact) = signature.serialize_compact();
    UserSignature::from_bytes_and_parity(&compact, id == RecoveryId::One || id == RecoveryId::Three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_signature_is_strict() {
        let key = SecretKey::from_seed(&B256::repeat_byte(1));
        let digest = B256::repeat_byte(2);
        let signature = key.sign(&digest);
        assert!(key.public().verify(&digest, &signature));
        assert!(!key.public().verify(&B256::ZERO, &signature));
        assert!(!PublicKey(B256::ZERO).verify(&digest, &signature), "a key of small order");
    }

    #[test]
    fn a_user_is_recovered() {
        let key = secp256k1::SecretKey::from_byte_array([7; 32]).unwrap();
        let digest = B256::repeat_byte(3);
        let signature = sign(&digest, &key);
        let address = address_of(&key.public_key(secp256k1::SECP256K1));
        assert_eq!(recover(&digest, &signature), Some(address));
    }

    #[test]
    fn only_transactions_without_a_chain_may_have_a_malleable_signature() {
        use alloy_consensus::TxLegacy;
        // The order of the curve's group.
        let order = alloy_primitives::uint!(
            0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256
        );
        let key = secp256k1::SecretKey::from_byte_array([7; 32]).unwrap();
        let address = address_of(&key.public_key(secp256k1::SECP256K1));
        for (chain_id, expected) in [(None, Some(address)), (Some(1), None)] {
            let tx = TxLegacy { chain_id, gas_limit: 21_000, ..Default::default() };
            let low = sign(&tx.signature_hash(), &key);
            let high = UserSignature::new(low.r(), order - low.s(), !low.v());
            let sender = |signature| recover_sender(&tx.clone().into_signed(signature).into());
            assert_eq!((sender(low), sender(high)), (Some(address), expected), "{chain_id:?}");
        }
    }
}

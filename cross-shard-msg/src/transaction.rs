//! A user's signed Ethereum transaction, and the proof of type that its sender is known.

use std::sync::Arc;

use alloy_consensus::{Transaction as _, TxEip4844Variant, TxEnvelope};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::TransactionKey;

/// Largest transaction, in bytes of its EIP-2718 encoding.
pub const MAX_TRANSACTION_BYTES: usize = 128 << 10;

/// Why bytes are not an acceptable transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// More than [`MAX_TRANSACTION_BYTES`].
    #[error("{0} bytes, at most {MAX_TRANSACTION_BYTES} are allowed")]
    TooLarge(usize),
    /// Not an EIP-2718 encoding, or bytes are left over.
    #[error("malformed: {0}")]
    Malformed(String),
    /// The signature gives no sender, or is malleable (EIP-2).
    #[error("the signature gives no sender")]
    Signature,
}

/// A signed transaction with its encoding and hash. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Transaction(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    envelope: TxEnvelope,
    encoded: Bytes,
    hash: B256,
}

impl Transaction {
    /// Decodes an EIP-2718 encoding (a bare RLP list for a legacy transaction). A blob transaction
    /// comes without its blobs, as it is in blocks: with them the same transaction would have
    /// another hash.
    ///
    /// # Errors
    /// When the bytes are too many, malformed or not all used.
    pub fn decode(encoded: Bytes) -> Result<Self, TransactionError> {
        if encoded.len() > MAX_TRANSACTION_BYTES {
            return Err(TransactionError::TooLarge(encoded.len()));
        }
        let envelope = TxEnvelope::decode_2718_exact(&encoded)
            .map_err(|error| TransactionError::Malformed(error.to_string()))?;
        if has_blobs(&envelope) {
            return Err(TransactionError::Malformed("it carries its blobs".to_owned()));
        }
        let hash = keccak256(&encoded);
        Ok(Self(Arc::new(Inner { envelope, encoded, hash })))
    }

    /// Wraps a transaction that was signed here. It must not carry blobs: see [`Self::decode`].
    #[must_use]
    pub fn signed(envelope: TxEnvelope) -> Self {
        let encoded: Bytes = envelope.encoded_2718().into();
        let hash = keccak256(&encoded);
        Self(Arc::new(Inner { envelope, encoded, hash }))
    }

    /// The typed transaction.
    #[must_use]
    pub fn envelope(&self) -> &TxEnvelope {
        &self.0.envelope
    }

    /// Its EIP-2718 encoding.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.0.encoded
    }

    /// Its hash, Ethereum's.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.0.hash
    }

    /// Its short key.
    #[must_use]
    pub fn key(&self) -> TransactionKey {
        TransactionKey::of(&self.0.hash)
    }

    /// The recipient, or `None` for a contract creation.
    #[must_use]
    pub fn recipient(&self) -> Option<Address> {
        self.0.envelope.to()
    }
}

fn has_blobs(envelope: &TxEnvelope) -> bool {
    matches!(
        envelope,
        TxEnvelope::Eip4844(signed)
            if matches!(signed.tx(), TxEip4844Variant::TxEip4844WithSidecar(_))
    )
}

impl PartialEq for Transaction {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash == other.0.hash
    }
}

impl Eq for Transaction {}

impl Serialize for Transaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.encoded.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Transaction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = Bytes::deserialize(deserializer)?;
        Self::decode(encoded).map_err(serde::de::Error::custom)
    }
}

/// A transaction whose sender is known: recovered from its signature once, at the edge, or given
/// where a scenario says that signatures are assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    transaction: Transaction,
    sender: Address,
}

impl Recovered {
    /// Recovers the sender from the signature. This is the most expensive step of a transfer
    /// (about 50 µs): call it once, on a worker thread.
    ///
    /// # Errors
    /// [`TransactionError::Signature`] when there is no such sender, or `s` is in the upper half
    /// although the transaction names a chain.
    pub fn recover(transaction: Transaction) -> Result<Self, TransactionError> {
        let sender = crate::signature::recover_sender(transaction.envelope())
            .ok_or(TransactionError::Signature)?;
        Ok(Self { transaction, sender })
    }

    /// Takes the caller's word for the sender.
    #[must_use]
    pub fn assumed(transaction: Transaction, sender: Address) -> Self {
        Self { transaction, sender }
    }

    /// The transaction.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Who signed it.
    #[must_use]
    pub fn sender(&self) -> Address {
        self.sender
    }
}

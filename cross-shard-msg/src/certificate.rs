//! A shard's certificate over its header (rule R-HDR-2).
//!
//! Today a shard is one process with one key and its certificate is one signature. Nothing outside
//! this module knows that: with several replicas the same type carries a quorum.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::signature::{NodeSignature, PublicKey, SecretKey};

/// Most signatures in a certificate.
pub const MAX_CERTIFICATE_SIGNATURES: usize = 1_024;

/// Signatures of a shard's replicas over one digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Certificate {
    /// Replica and signature, ascending by replica.
    pub signatures: Vec<(u32, NodeSignature)>,
}

/// Who may certify a shard's headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardKeys {
    /// Keys of the replicas, by index.
    pub replicas: Vec<PublicKey>,
    /// How many of them must sign; at least 1.
    pub quorum: u32,
}

impl ShardKeys {
    /// A shard of a single replica.
    #[must_use]
    pub fn single(key: PublicKey) -> Self {
        Self { replicas: vec![key], quorum: 1 }
    }
}

impl Certificate {
    /// The certificate of a shard with a single replica.
    #[must_use]
    pub fn single(key: &SecretKey, digest: &B256) -> Self {
        Self { signatures: vec![(0, key.sign(digest))] }
    }

    /// Whether a quorum of `keys` signed `digest`, each once, and no signature is wrong.
    #[must_use]
    pub fn verify(&self, digest: &B256, keys: &ShardKeys) -> bool {
        let enough = self.signatures.len() >= keys.quorum.max(1) as usize;
        let bounded = self.signatures.len() <= MAX_CERTIFICATE_SIGNATURES;
        let ascending = self.signatures.windows(2).all(|pair| pair[0].0 < pair[1].0);
        enough
            && bounded
            && ascending
            && self.signatures.iter().all(|(replica, signature)| {
                keys.replicas
                    .get(*replica as usize)
                    .is_some_and(|key| key.verify(digest, signature))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_of_distinct_replicas_is_needed() {
        let secrets: Vec<_> =
            (1..=3).map(|seed| SecretKey::from_seed(&B256::repeat_byte(seed))).collect();
        let keys =
            ShardKeys { replicas: secrets.iter().map(SecretKey::public).collect(), quorum: 2 };
        let digest = B256::repeat_byte(9);
        let sign = |replicas: &[usize]| Certificate {
            signatures: replicas.iter().map(|&r| (r as u32, secrets[r].sign(&digest))).collect(),
        };
        assert!(sign(&[0, 2]).verify(&digest, &keys));
        assert!(!sign(&[1]).verify(&digest, &keys));
        assert!(!sign(&[1, 1]).verify(&digest, &keys));
        assert!(!sign(&[2, 0]).verify(&digest, &keys));
        assert!(!sign(&[0, 2]).verify(&B256::ZERO, &keys));
    }
}

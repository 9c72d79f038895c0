//! What a test committee consists of: its values, keys, times and dice.

use alloy_primitives::{B256, FixedBytes};
use consensus::{Committee, Config, Domain, Keyring, Signer, Timing, Tip, Value, Verifier};
use cross_shard_msg::hash::Preimage;
use cross_shard_msg::signature::{NodeSignature, SecretKey};
use cross_shard_msg::{Duration, Epoch, Incarnation, NetworkId, Timestamp, ValidatorIndex};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Number {
    pub parent: B256,
    pub number: u64,
    pub timestamp: Timestamp,
    pub payload: u64,
}

impl Value for Number {
    fn digest(&self) -> B256 {
        Preimage::new("test/value")
            .hash(&self.parent)
            .u64(self.number)
            .u64(self.timestamp.0)
            .u64(self.payload)
            .finish()
    }
    fn parent(&self) -> B256 {
        self.parent
    }
    fn number(&self) -> u64 {
        self.number
    }
    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}

/// A payload that no application accepts.
pub const INVALID: u64 = u64::MAX;

pub fn domain() -> Domain {
    Domain {
        network: NetworkId(B256::repeat_byte(9)),
        incarnation: Incarnation(1),
        epoch: Epoch(3),
    }
}

pub fn genesis() -> Tip {
    Tip::genesis(B256::repeat_byte(7), 0, Timestamp::ZERO)
}

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub const fn config() -> Config {
    Config {
        timing: Timing {
            interval: millis(100),
            timeout: millis(120),
            max_timeout: millis(2_000),
            retry: millis(100),
            fetch_after: millis(10),
            fetch_retry: millis(40),
            max_skew: millis(20),
        },
        future_views: 16,
    }
}

/// Real keys.
pub fn keyrings(n: usize) -> Vec<Keyring> {
    let secrets: Vec<_> = (0..n)
        .map(|i| SecretKey::from_seed(&B256::left_padding_from(&(i as u64 + 1).to_be_bytes())))
        .collect();
    let publics: Vec<_> = secrets.iter().map(SecretKey::public).collect();
    let committee = Committee::new(domain(), &publics).unwrap();
    secrets.into_iter().map(|secret| Keyring::new(committee.clone(), secret).unwrap()).collect()
}

/// Signatures that cost a hash. Nobody in a test forges them.
#[derive(Clone, Debug)]
pub struct Stamp {
    pub size: usize,
    pub validator: ValidatorIndex,
}

impl Stamp {
    pub fn committee(size: usize) -> Vec<Self> {
        (0..size as u32).map(|i| Self { size, validator: ValidatorIndex(i) }).collect()
    }
}

fn stamp(validator: ValidatorIndex, preimage: &B256) -> NodeSignature {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(preimage.as_slice());
    bytes[32..36].copy_from_slice(&validator.0.to_be_bytes());
    NodeSignature(FixedBytes(bytes))
}

impl Verifier for Stamp {
    fn domain(&self) -> Domain {
        domain()
    }
    fn size(&self) -> usize {
        self.size
    }
    fn verify(&self, who: ValidatorIndex, preimage: &B256, signature: &NodeSignature) -> bool {
        (who.0 as usize) < self.size && stamp(who, preimage) == *signature
    }
}

impl Signer for Stamp {
    fn validator(&self) -> ValidatorIndex {
        self.validator
    }
    fn sign(&self, preimage: &B256) -> NodeSignature {
        stamp(self.validator, preimage)
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }
    pub fn chance(&mut self, permille: u64) -> bool {
        self.below(1_000) < permille
    }
}

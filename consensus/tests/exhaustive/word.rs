//! The smallest values, keys and times that a committee can have.

use alloy_primitives::{B256, FixedBytes};
use consensus::{Config, Domain, Signer, Timing, Tip, Value, Verifier};
use cross_shard_msg::signature::NodeSignature;
use cross_shard_msg::{Duration, Epoch, Incarnation, NetworkId, Timestamp, ValidatorIndex, View};

pub const SIZE: usize = 4;
/// The faulty validator.
pub const FAULTY: u32 = 0;
pub const UNSIGNED: NodeSignature = NodeSignature(FixedBytes([0; 64]));

/// A value whose digest spells out its history: two bytes, view and payload, for each ancestor, the
/// newest last. So a digest alone gives the value, its number and its ancestors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(pub B256);

impl Word {
    pub fn genesis(view: u8) -> Self {
        let mut bytes = [0; 32];
        bytes[30] = view;
        Self(B256::new(bytes))
    }

    pub fn child(self, view: u8, payload: u8) -> Self {
        let mut bytes = [0; 32];
        bytes[..30].copy_from_slice(&self.0[2..]);
        bytes[30..].copy_from_slice(&[view, payload]);
        Self(B256::new(bytes))
    }

    pub fn parent(self) -> Self {
        let mut bytes = [0; 32];
        bytes[2..].copy_from_slice(&self.0[..30]);
        Self(B256::new(bytes))
    }

    pub fn view(self) -> u8 {
        self.0[30]
    }

    /// Whether `self` is `other` or one of its ancestors.
    pub fn precedes(self, other: Self) -> bool {
        let mut at = other;
        while at.view() > self.view() {
            at = at.parent();
        }
        at == self
    }
}

impl Value for Word {
    fn digest(&self) -> B256 {
        self.0
    }
    fn parent(&self) -> B256 {
        Self::parent(*self).0
    }
    fn number(&self) -> u64 {
        self.0.chunks(2).filter(|pair| pair[0] != 0).count() as u64 - 1
    }
    fn timestamp(&self) -> Timestamp {
        Timestamp::ZERO
    }
}

/// The keys of one validator. Signatures are assumed: the search hands out only what was signed.
#[derive(Clone, Copy)]
pub struct Assumed {
    pub me: u32,
    pub quorum: usize,
}

impl Verifier for Assumed {
    fn domain(&self) -> Domain {
        Domain { network: NetworkId(B256::ZERO), incarnation: Incarnation(0), epoch: Epoch::ZERO }
    }
    fn size(&self) -> usize {
        SIZE
    }
    fn verify(&self, who: ValidatorIndex, _: &B256, _: &NodeSignature) -> bool {
        (who.0 as usize) < SIZE
    }
    fn quorum(&self) -> usize {
        self.quorum
    }
}

impl Signer for Assumed {
    fn validator(&self) -> ValidatorIndex {
        ValidatorIndex(self.me)
    }
    fn sign(&self, _: &B256) -> NodeSignature {
        UNSIGNED
    }
}

/// Every view lasts for one tick, and nothing is repeated or asked for in a validator's lifetime.
pub fn config() -> Config {
    let never = Duration(1 << 60);
    let timing = Timing {
        interval: Duration(0),
        timeout: Duration(1),
        max_timeout: Duration(1),
        retry: never,
        fetch_after: never,
        fetch_retry: never,
        max_skew: never,
    };
    Config { timing, future_views: 16 }
}

/// The value of view `view` that everybody starts from. The next view is the first.
pub fn genesis(view: u8) -> Tip {
    Tip { view: View(view.into()), ..Tip::genesis(Word::genesis(view).0, 0, Timestamp::ZERO) }
}

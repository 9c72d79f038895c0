//! What the committee agrees on, as far as agreement has to know.

use std::fmt::Debug;
use std::hash::Hash;

use alloy_primitives::B256;
use cross_shard_msg::{Timestamp, View};

use crate::certificate::FinalizationCertificate;

/// A value that a committee can agree on. Values form a chain by the parent's digest.
///
/// Values are cloned into messages, records and outputs: put large parts behind an `Arc`.
pub trait Value: Clone + Eq + Hash + Debug {
    /// Collision-resistant digest of everything that is agreed on, [`Value::parent`],
    /// [`Value::number`] and [`Value::timestamp`] included. Recomputed for each value received.
    fn digest(&self) -> B256;
    /// The digest of the value before this one.
    fn parent(&self) -> B256;
    /// Position in the chain: the parent's plus 1.
    fn number(&self) -> u64;
    /// When the value was proposed: at least the parent's plus the interval.
    fn timestamp(&self) -> Timestamp;
}

/// The newest value that is final here. The chain grows from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tip {
    /// The view in which it was notarized; 0 for genesis.
    pub view: View,
    /// Its digest.
    pub digest: B256,
    /// Its position in the chain.
    pub number: u64,
    /// When it was proposed.
    pub timestamp: Timestamp,
    /// What proves it; `None` for genesis, which everybody knows.
    pub certificate: Option<FinalizationCertificate>,
}

impl Tip {
    /// The value that everybody starts from. The first proposal names `digest` as its parent, has
    /// `number + 1`, and is due at `timestamp` plus the interval.
    #[must_use]
    pub const fn genesis(digest: B256, number: u64, timestamp: Timestamp) -> Self {
        Self { view: View::ZERO, digest, number, timestamp, certificate: None }
    }
}

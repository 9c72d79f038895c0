//! Identifiers. Each is a newtype without `From<u64>`, so that a height is never passed where a
//! view is meant. Construction is explicit: `Height(7)`.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $label:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($label, "{}"), self.0)
            }
        }
    };
}

macro_rules! counter {
    ($name:ident) => {
        impl $name {
            /// The first value of this counter.
            pub const ZERO: Self = Self(0);

            /// The value after this one. Saturates at the type's maximum, which no run reaches.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The value before this one, or `None` at zero.
            #[must_use]
            pub const fn previous(self) -> Option<Self> {
                match self.0.checked_sub(1) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }
        }
    };
}

number!(
    /// A shard, numbered from 0 to the number of shards − 1.
    ShardId(u32),
    ""
);
number!(
    /// A committee member, numbered from 0 to the number of validators − 1.
    ValidatorIndex(u32),
    ""
);
number!(
    /// A block's position in its shard's chain. Genesis is height 0.
    Height(u64),
    ""
);
number!(
    /// A period with a fixed committee, and of the partitioner.
    Epoch(u64),
    ""
);
number!(
    /// One leader's attempt within an epoch of the committee. Genesis is view 0, the first
    /// proposal is made in view 1.
    View(u64),
    ""
);
number!(
    /// Position of a receipt in the sequence of one ordered pair (source, destination). The first
    /// receipt has sequence 1; a watermark of 0 means that nothing was received yet.
    Sequence(u64),
    ""
);
number!(
    /// Position of a checkpoint in the chain of checkpoints. Genesis is number 0.
    CheckpointNumber(u64),
    ""
);
number!(
    /// Names one write of a machine; its `Durable` input carries the same id.
    WriteId(u64),
    ""
);
number!(
    /// Names one long computation of a machine; its result carries the same id.
    JobId(u64),
    ""
);
number!(
    /// Distinguishes lives of one network that share a genesis (a restored snapshot starts a new
    /// one), so that votes of one life mean nothing in another.
    Incarnation(u32),
    ""
);

counter!(Height);
counter!(Epoch);
counter!(View);
counter!(Sequence);
counter!(CheckpointNumber);
counter!(WriteId);
counter!(JobId);

/// Who sends or receives messages in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NodeId {
    /// The node of a shard.
    Shard(ShardId),
    /// A committee member.
    Coordinator(ValidatorIndex),
    /// The load generator.
    Client,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(shard) => write!(f, "shard:{shard}"),
            Self::Coordinator(index) => write!(f, "coordinator:{index}"),
            Self::Client => write!(f, "client"),
        }
    }
}

/// Stable short key of a transaction in observations and tables: the first eight bytes of its
/// hash, big-endian. Two of n transactions share a key with probability n² / 2⁶⁵ (10⁻⁸ for half a
/// million); whoever signs a workload refuses one in which it happens.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct TransactionKey(pub u64);

impl TransactionKey {
    /// The key of the transaction with this hash.
    #[must_use]
    pub fn of(hash: &alloy_primitives::B256) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&hash.as_slice()[..8]);
        Self(u64::from_be_bytes(first))
    }
}

impl fmt::Display for TransactionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Stable short key of an account in observations and tables: the last eight bytes of its address,
/// big-endian.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct AccountKey(pub u64);

impl AccountKey {
    /// The key of the account with this address.
    #[must_use]
    pub fn of(address: &alloy_primitives::Address) -> Self {
        let mut last = [0; 8];
        last.copy_from_slice(&address.as_slice()[12..]);
        Self(u64::from_be_bytes(last))
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Identifies a network: digest of its genesis and its protocol settings. Part of everything that
/// is signed, so that nothing signed in one network is valid in another.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct NetworkId(pub alloy_primitives::B256);

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;

    #[test]
    fn the_key_is_the_hash_prefix() {
        let mut hash = B256::ZERO;
        hash.0[..8].copy_from_slice(&[0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3]);
        assert_eq!(TransactionKey::of(&hash).to_string(), "deadbeef00010203");
    }

    #[test]
    fn counters_have_a_first_value() {
        assert_eq!(Height::ZERO.previous(), None);
        assert_eq!(Height::ZERO.next().previous(), Some(Height::ZERO));
        assert_eq!(View(u64::MAX).next(), View(u64::MAX));
    }

    #[test]
    fn nodes_print_as_scenario_targets() {
        assert_eq!(NodeId::Shard(ShardId(3)).to_string(), "shard:3");
        assert_eq!(NodeId::Coordinator(ValidatorIndex(0)).to_string(), "coordinator:0");
    }
}

//! Base rules: the home of an address that nobody has moved (rule R-HOME-1).

use alloy_primitives::Address;
use cross_shard_msg::ShardId;
use serde::{Deserialize, Serialize};

/// How an address without an override gets its home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// The low 32 bits of the address, big-endian, modulo the number of shards: BlockEmulator's
    /// rule (`Addr2Shard`). Of random pairs, 1 − 1/k cross.
    Hash,
}

impl Base {
    /// The home of `address` among `shards` shards. With no shards at all it is shard 0.
    #[must_use]
    pub fn home(self, address: &Address, shards: u32) -> ShardId {
        match self {
            Self::Hash => {
                let [.., a, b, c, d] = address.0.0;
                ShardId(u32::from_be_bytes([a, b, c, d]).checked_rem(shards).unwrap_or(0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;

    #[test]
    fn hash_is_block_emulators_rule() {
        // The last eight hex digits, modulo k.
        let cases = [
            (address!("a1e4380a3b1f749673e270229993ee55f35663b4"), 0xf356_63b4_u32),
            (address!("0000000000000000000000000000000000000000"), 0),
            (address!("ffffffffffffffffffffffffffffffffffffffff"), u32::MAX),
        ];
        for (address, low) in cases {
            for shards in [1, 2, 3, 4, 7, 64] {
                assert_eq!(Base::Hash.home(&address, shards), ShardId(low % shards));
            }
        }
        assert_eq!(Base::Hash.home(&Address::repeat_byte(1), 0), ShardId(0));
    }
}

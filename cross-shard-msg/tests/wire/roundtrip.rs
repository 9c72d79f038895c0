//! Arbitrary values come back from their bytes, and have no other ones; arbitrary bytes never
//! panic.

use cross_shard_msg::{Block, Message, codec};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{arbitrary, bodies, examples};

proptest! {
    #[test]
    fn a_message_comes_back(message in arbitrary::message()) {
        let bytes = codec::encode(&message).unwrap();
        prop_assert!(bodies::message(&bytes));
        prop_assert_eq!(codec::decode::<Message>(&bytes).unwrap(), message);
    }

    #[test]
    fn a_block_comes_back(block in arbitrary::block()) {
        let bytes = codec::encode_record(&block).unwrap();
        prop_assert!(bodies::record(&bytes));
        prop_assert_eq!(codec::decode_record::<Block>(&bytes).unwrap(), block);
    }

    #[test]
    fn what_is_damaged_is_refused_or_means_something_else(
        message in arbitrary::message(),
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = codec::encode(&message).unwrap();
        let position = position.index(bytes.len());
        prop_assume!(bytes[position] != byte);
        bytes[position] = byte;
        if bodies::message(&bytes) {
            prop_assert_ne!(codec::decode::<Message>(&bytes).unwrap(), message);
        }
        bytes.truncate(position);
        prop_assert!(!bodies::message(&bytes));
    }

    #[test]
    fn random_bytes_never_panic(kind in 0u32..12, tail in vec(any::<u8>(), 0..300)) {
        // A valid kind in front, so that the bytes are looked at.
        bodies::message(&[&kind.to_le_bytes()[..], &tail].concat());
        bodies::message(&tail);
        bodies::record(&tail);
        bodies::transaction(&tail);
        bodies::transaction(&[&[kind as u8, 0xf8, tail.len() as u8][..], &tail].concat());
    }

    #[test]
    fn a_damaged_transaction_never_panics(
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = examples::transaction().encoded().to_vec();
        let position = position.index(bytes.len());
        bytes[position] = byte;
        bodies::transaction(&bytes);
        bytes.truncate(position);
        prop_assert!(!bodies::transaction(&bytes));
    }
}

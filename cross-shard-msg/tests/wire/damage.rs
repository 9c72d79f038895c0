//! Every example's bytes, and ways to damage them.

use cross_shard_msg::codec;

use crate::{bodies, examples};

/// An example's name and bytes, with the body that must hold for whatever becomes of them.
pub type Encoding = (&'static str, Vec<u8>, fn(&[u8]) -> bool);

/// Every example's bytes.
pub fn encodings() -> Vec<Encoding> {
    let mut all: Vec<Encoding> = Vec::new();
    for (name, message) in examples::messages() {
        all.push((name, codec::encode(&message).unwrap(), bodies::message));
    }
    all.push(("block", codec::encode_record(&examples::block()).unwrap(), bodies::record));
    let transaction = examples::transaction().encoded().to_vec();
    all.push(("transaction", transaction, bodies::transaction));
    all
}

/// Numbers that a length must not be.
const LENGTHS: [u64; 7] =
    [u64::MAX, i64::MAX as u64, 1 << 60, 1 << 32, (16 << 20) + 1, (16 << 20) - 600, 1 << 16];

/// Hands out the bytes with each hostile number in place of each eight bytes: whatever is a length
/// in them, at whatever level, is one of these once.
pub fn with_hostile_lengths(bytes: &[u8], mut visit: impl FnMut(&[u8])) {
    let mut hostile = bytes.to_vec();
    for position in 0..bytes.len().saturating_sub(8) {
        for length in LENGTHS {
            hostile[position..position + 8].copy_from_slice(&length.to_le_bytes());
            visit(&hostile);
        }
        hostile[position..position + 8].copy_from_slice(&bytes[position..position + 8]);
    }
}

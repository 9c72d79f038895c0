//! The wire codec: one place, one configuration (rules R-WIRE-1 to R-WIRE-3).
//!
//! bincode in its fixed-width form: every value has exactly one encoding, so re-encoding what was
//! decoded gives the same bytes. A decoder is given the largest number of bytes it may claim, so
//! that a hostile length can not make it allocate. What is left over is an error.
//!
//! Nothing that is hashed or signed goes through here: see [`crate::hash`].

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest message that a node sends or accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Largest record that a node writes or reads back, in bytes.
pub const MAX_RECORD_BYTES: usize = 256 << 20;

type Wire<const LIMIT: usize> = Configuration<LittleEndian, Fixint, Limit<LIMIT>>;

fn wire<const LIMIT: usize>() -> Wire<LIMIT> {
    bincode::config::legacy().with_limit::<LIMIT>()
}

/// Why bytes are not a value.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The value does not fit into the bound.
    #[error("cannot encode: {0}")]
    Encode(#[from] bincode::error::EncodeError),
    /// The bytes are not an encoding of the type, or claim more than the bound.
    #[error("cannot decode: {0}")]
    Decode(#[from] bincode::error::DecodeError),
    /// The value ended before the bytes did.
    #[error("{0} bytes are left over after the value")]
    Trailing(usize),
}

/// Encodes a message.
///
/// # Errors
/// When the encoding would exceed [`MAX_MESSAGE_BYTES`].
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    Ok(bincode::serde::encode_to_vec(value, wire::<MAX_MESSAGE_BYTES>())?)
}

/// Decodes a message of at most [`MAX_MESSAGE_BYTES`].
///
/// # Errors
/// When the bytes are not exactly one encoding of `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    decode_within::<T, MAX_MESSAGE_BYTES>(bytes)
}

/// Encodes a record for a node's log.
///
/// # Errors
/// When the encoding would exceed [`MAX_RECORD_BYTES`].
pub fn encode_record<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    Ok(bincode::serde::encode_to_vec(value, wire::<MAX_RECORD_BYTES>())?)
}

/// Decodes a record of at most [`MAX_RECORD_BYTES`].
///
/// # Errors
/// When the bytes are not exactly one encoding of `T`.
pub fn decode_record<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    decode_within::<T, MAX_RECORD_BYTES>(bytes)
}

fn decode_within<T: DeserializeOwned, const LIMIT: usize>(bytes: &[u8]) -> Result<T, CodecError> {
    let (value, read) = bincode::serde::decode_from_slice(bytes, wire::<LIMIT>())?;
    match bytes.len() - read {
        0 => Ok(value),
        left => Err(CodecError::Trailing(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftover_bytes_are_refused() {
        let mut bytes = encode(&7u32).unwrap();
        assert_eq!(decode::<u32>(&bytes).unwrap(), 7);
        bytes.push(0);
        assert!(matches!(decode::<u32>(&bytes), Err(CodecError::Trailing(1))));
    }

    #[test]
    fn a_hostile_length_is_refused_before_it_allocates() {
        let bytes = u64::MAX.to_le_bytes();
        assert!(matches!(decode::<Vec<u8>>(&bytes), Err(CodecError::Decode(_))));
        let bytes = (MAX_MESSAGE_BYTES as u64 * 4).to_le_bytes();
        assert!(matches!(decode::<Vec<u64>>(&bytes), Err(CodecError::Decode(_))));
    }
}

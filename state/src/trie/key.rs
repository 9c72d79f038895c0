//! Keys of a trie: up to 32 bytes, read nibble by nibble.

use alloy_primitives::B256;

/// A key of at most 32 bytes. In secure tries it is a keccak-256 hash.
///
/// Keys order as byte strings do: a prefix comes before what it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrieKey {
    bytes: [u8; 32],
    nibbles: u8,
}

impl TrieKey {
    /// A key from at most 32 bytes; `None` when `bytes` is longer.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut padded = [0; 32];
        padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: padded, nibbles: 2 * bytes.len() as u8 })
    }

    /// A key of `len` ≤ 32 bytes, zeros after them.
    pub(super) fn from_padded(bytes: [u8; 32], len: usize) -> Self {
        assert!(len <= 32, "a key has at most 32 bytes");
        Self { bytes, nibbles: 2 * len as u8 }
    }

    /// The key's bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len() / 2]
    }

    /// Length in nibbles, at most 64.
    pub(super) fn len(&self) -> usize {
        usize::from(self.nibbles)
    }

    /// The `index`th nibble; zero beyond the key's end.
    pub(super) fn nibble(&self, index: usize) -> u8 {
        nibble(&self.bytes, index)
    }

    /// The padded bytes.
    pub(super) fn padded(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl From<B256> for TrieKey {
    fn from(hash: B256) -> Self {
        Self { bytes: hash.0, nibbles: 64 }
    }
}

/// The `index`th nibble of `path`.
pub(super) fn nibble(path: &[u8; 32], index: usize) -> u8 {
    let byte = path[index / 2];
    if index.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
}

/// Index of the first nibble in which the two paths differ; 64 when they are equal.
pub(super) fn first_difference(a: &[u8; 32], b: &[u8; 32]) -> usize {
    let (a_words, _) = a.as_chunks::<8>();
    let (b_words, _) = b.as_chunks::<8>();
    for (word, (x, y)) in a_words.iter().zip(b_words).enumerate() {
        let difference = u64::from_be_bytes(*x) ^ u64::from_be_bytes(*y);
        if difference != 0 {
            return word * 16 + difference.leading_zeros() as usize / 4;
        }
    }
    64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibbles_and_differences() {
        let a = TrieKey::from_slice(&[0x12, 0x34]).unwrap();
        let b = TrieKey::from_slice(&[0x12, 0x35]).unwrap();
        assert_eq!((a.nibble(0), a.nibble(3), a.len()), (1, 4, 4));
        assert_eq!(first_difference(a.padded(), b.padded()), 3);
        assert_eq!(first_difference(a.padded(), a.padded()), 64);
        assert_eq!(TrieKey::from_slice(&[0; 33]), None);
        assert!(TrieKey::from_slice(&[0x12]).unwrap() < a);
    }
}

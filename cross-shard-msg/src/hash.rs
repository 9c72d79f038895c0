//! Preimages of what Shardlab itself hashes and signs (rule R-WIRE-4).
//!
//! A preimage is written by hand, field by field, in fixed width and big-endian, behind a tag that
//! names the kind of object. It never depends on a serialization library. Objects of Ethereum use
//! keccak-256 over RLP and do not appear here.

use alloy_primitives::{Address, B256, U256};

/// Collects a preimage and hashes it with BLAKE3.
pub struct Preimage(blake3::Hasher);

impl Preimage {
    /// Starts the preimage of one kind of object. The tag is terminated, so that no tag is another
    /// one's prefix.
    #[must_use]
    pub fn new(tag: &'static str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(tag.as_bytes());
        hasher.update(&[0]);
        Self(hasher)
    }

    /// Appends a fixed-width hash.
    pub fn hash(&mut self, value: &B256) -> &mut Self {
        self.0.update(value.as_slice());
        self
    }

    /// Appends an address.
    pub fn address(&mut self, value: &Address) -> &mut Self {
        self.0.update(value.as_slice());
        self
    }

    /// Appends a number.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.update(&value.to_be_bytes());
        self
    }

    /// Appends a small number.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.update(&value.to_be_bytes());
        self
    }

    /// Appends a byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.update(&[value]);
        self
    }

    /// Appends a 256-bit number.
    pub fn wei(&mut self, value: &U256) -> &mut Self {
        self.0.update(&value.to_be_bytes::<32>());
        self
    }

    /// Appends bytes of variable length, behind their length.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u64(value.len() as u64);
        self.0.update(value);
        self
    }

    /// Appends the length of a list whose items follow.
    pub fn len(&mut self, items: usize) -> &mut Self {
        self.u64(items as u64)
    }

    /// The hash of what was appended.
    #[must_use]
    pub fn finish(&self) -> B256 {
        B256::from(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_lengths_separate_preimages() {
        let a = Preimage::new("a").bytes(b"bc").finish();
        assert_ne!(a, Preimage::new("ab").bytes(b"c").finish());
        assert_ne!(
            Preimage::new("a").bytes(b"b").bytes(b"c").finish(),
            Preimage::new("a").bytes(b"bc").bytes(b"").finish()
        );
    }
}

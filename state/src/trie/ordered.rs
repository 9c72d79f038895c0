//! Roots over lists: a block's transactions root and results root (Ethereum's derive-sha).

use super::{LeafEncoder, Trie, TrieKey};
use alloy_primitives::B256;

/// The root of the trie that maps `rlp(index)` to each item, for items already encoded (by
/// EIP-2718). Any number of items; none gives the empty trie's root.
///
/// Items must not be empty: in a trie an empty value means absence.
pub fn ordered_root<T: AsRef<[u8]>>(items: &[T]) -> B256 {
    let mut trie = Trie::default();
    for index in 0..items.len() {
        trie.insert(index_key(index), index);
    }
    trie.root(&Items(items))
}

struct Items<'a, T>(&'a [T]);

impl<T: AsRef<[u8]>> LeafEncoder<usize> for Items<'_, T> {
    fn encode(&self, index: usize, out: &mut Vec<u8>) {
        let item = self.0[index].as_ref();
        assert!(!item.is_empty(), "an item of an ordered trie is never empty");
        out.extend_from_slice(item);
    }
}

/// `rlp(index)`, at most nine bytes.
fn index_key(index: usize) -> TrieKey {
    let mut rlp = [0; 9];
    let mut rest: &mut [u8] = &mut rlp;
    alloy_rlp::Encodable::encode(&(index as u64), &mut rest);
    let len = 9 - rest.len();
    let mut padded = [0; 32];
    padded[..len].copy_from_slice(&rlp[..len]);
    TrieKey::from_padded(padded, len)
}

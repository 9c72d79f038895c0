//! The storage of one account: slots by look-up, and a trie that exists from the first root on.

use crate::trie::{LeafEncoder, Trie, TrieKey};
use alloy_primitives::map::U256Map;
use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;

/// Slots that are not zero, and their trie.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    values: U256Map<U256>,
    /// Absent until the first root.
    trie: Option<Trie<U256>>,
    /// Slots written since the last root, perhaps more than once. Unused without a trie.
    dirty: Vec<U256>,
    root: B256,
}

impl Default for Storage {
    fn default() -> Self {
        Self { values: U256Map::default(), trie: None, dirty: Vec::new(), root: EMPTY_ROOT_HASH }
    }
}

impl Storage {
    pub(crate) fn get(&self, slot: &U256) -> U256 {
        self.values.get(slot).copied().unwrap_or_default()
    }

    /// Sets a slot and returns what it held.
    pub(crate) fn set(&mut self, slot: U256, value: U256) -> U256 {
        let old = if value.is_zero() {
            self.values.remove(&slot)
        } else {
            self.values.insert(slot, value)
        }
        .unwrap_or_default();
        if old != value && self.trie.is_some() {
            self.dirty.push(slot);
        }
        old
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All slots that are not zero, in ascending order.
    pub(crate) fn sorted(&self) -> Vec<(U256, U256)> {
        let mut slots: Vec<_> = self.values.iter().map(|(s, v)| (*s, *v)).collect();
        slots.sort_unstable();
        slots
    }

    /// The same, giving up the storage.
    pub(crate) fn into_sorted(self) -> Vec<(U256, U256)> {
        let mut slots: Vec<_> = self.values.into_iter().collect();
        slots.sort_unstable();
        slots
    }

    /// The root as of the last [`Storage::update_root`].
    pub(crate) fn root(&self) -> B256 {
        self.root
    }

    /// Brings the trie and the root up to date.
    pub(crate) fn update_root(&mut self) {
        if let Some(trie) = self.trie.as_mut() {
            if self.dirty.is_empty() {
                return;
            }
            self.dirty.sort_unstable();
            self.dirty.dedup();
            for slot in self.dirty.drain(..) {
                match self.values.get(&slot) {
                    Some(value) => trie.insert(slot_key(slot), *value),
                    None => trie.remove(&slot_key(slot)),
                };
            }
            self.root = trie.root(&SlotEncoder);
        } else if !self.values.is_empty() {
            let mut trie = Trie::default();
            for (slot, value) in self.sorted() {
                trie.insert(slot_key(slot), value);
            }
            self.root = trie.root(&SlotEncoder);
            self.trie = Some(trie);
        }
    }

    /// A proof of `slot` against the up-to-date root.
    pub(crate) fn prove(&mut self, slot: U256) -> Vec<Bytes> {
        self.update_root();
        match self.trie.as_mut() {
            Some(trie) => trie.prove(&slot_key(slot), &SlotEncoder),
            None => Vec::new(),
        }
    }
}

/// The key of a slot in the secure trie.
pub(crate) fn slot_key(slot: U256) -> TrieKey {
    keccak256(slot.to_be_bytes::<32>()).into()
}

struct SlotEncoder;

impl LeafEncoder<U256> for SlotEncoder {
    fn encode(&self, value: U256, out: &mut Vec<u8>) {
        alloy_rlp::Encodable::encode(&value, out);
    }
}

//! RLP and hashes of trie nodes: [`Trie::root`] hashes what is dirty, bottom up, in reused buffers.

use super::key::nibble;
use super::{Branch, Child, Kind, NodeId, Trie};
use alloy_primitives::{B256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;

/// Turns what a leaf holds into the bytes that are hashed.
pub trait LeafEncoder<V> {
    /// Appends the value's bytes to `out` (at least one: an empty value means absence).
    fn encode(&self, value: V, out: &mut Vec<u8>);
}

impl<V: Copy> Trie<V> {
    /// The root hash, after hashing what changed since the last call and nothing else.
    pub fn root(&mut self, encoder: &impl LeafEncoder<V>) -> B256 {
        let Some(root) = self.root.as_ref() else {
            return EMPTY_ROOT_HASH;
        };
        let (node, mut reference) = (root.node, root.reference);
        if reference.is_unset() {
            let mut buffers = std::mem::take(&mut self.buffers);
            reference = self.hash_node(node, 0, encoder, &mut buffers);
            self.buffers = buffers;
            if let Some(root) = self.root.as_mut() {
                root.reference = reference;
            }
        }
        match reference.hash() {
            Some(hash) => hash,
            None => keccak256(reference.as_slice()),
        }
    }

    /// Hashes the dirty part below `node`, which begins at depth `start`.
    fn hash_node(
        &mut self,
        node: NodeId,
        start: usize,
        encoder: &impl LeafEncoder<V>,
        buffers: &mut Buffers,
    ) -> NodeRef {
        let index = match node.kind() {
            Kind::Leaf(_) => {
                self.encode_leaf(node, start, encoder, buffers);
                return NodeRef::of(buffers.node());
            }
            Kind::Branch(index) => index,
        };
        let below = self.branches[index].depth() + 1;
        for position in 0..self.branches[index].children.len() {
            let child = &self.branches[index].children[position];
            if child.reference.is_unset() {
                let reference = self.hash_node(child.node, below, encoder, buffers);
                self.branches[index].children[position].reference = reference;
            }
        }
        self.encode_branch(index, encoder, buffers);
        let mut reference = NodeRef::of(buffers.node());
        let branch = &self.branches[index];
        if start < branch.depth() {
            encode_extension(branch, start, &reference, buffers);
            reference = NodeRef::of(buffers.node());
        }
        reference
    }

    /// Writes the RLP of a leaf that begins at depth `start` into `buffers.node()`.
    pub(super) fn encode_leaf(
        &self,
        node: NodeId,
        start: usize,
        encoder: &impl LeafEncoder<V>,
        buffers: &mut Buffers,
    ) {
        if let Kind::Leaf(leaf) = node.kind() {
            let leaf = &self.leaves[leaf];
            buffers.encode_value(encoder, leaf.value);
            buffers.begin();
            buffers.push_path(leaf.key.padded(), start, leaf.key.len(), true);
            buffers.push_value();
            buffers.finish();
        }
    }

    /// Writes the RLP of a branch, whose children have references, into `buffers.node()`.
    pub(super) fn encode_branch(
        &self,
        index: usize,
        encoder: &impl LeafEncoder<V>,
        buffers: &mut Buffers,
    ) {
        let branch = &self.branches[index];
        buffers.begin();
        let mut next = 0;
        for Child { nibble, reference, .. } in &branch.children {
            buffers.push_absent(usize::from(*nibble) - next);
            buffers.push_reference(reference);
            next = usize::from(*nibble) + 1;
        }
        buffers.push_absent(16 - next);
        match branch.terminal.map(NodeId::kind) {
            Some(Kind::Leaf(leaf)) => {
                buffers.encode_value(encoder, self.leaves[leaf].value);
                buffers.push_value();
            }
            _ => buffers.push_absent(1),
        }
        buffers.finish();
    }
}

/// Writes the RLP of the extension that leads from depth `start` to `branch`.
pub(super) fn encode_extension(
    branch: &Branch,
    start: usize,
    reference: &NodeRef,
    buffers: &mut Buffers,
) {
    buffers.begin();
    buffers.push_path(&branch.path, start, branch.depth(), false);
    buffers.push_reference(reference);
    buffers.finish();
}

/// How a node appears in its parent: its RLP when that is shorter than 32 bytes, else its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeRef {
    bytes: [u8; 32],
    /// 0: unset; 32: a hash; else the length of the RLP.
    len: u8,
}

impl NodeRef {
    pub(super) const UNSET: Self = Self { bytes: [0; 32], len: 0 };

    pub(super) fn of(rlp: &[u8]) -> Self {
        if rlp.len() < 32 {
            let mut bytes = [0; 32];
            bytes[..rlp.len()].copy_from_slice(rlp);
            return Self { bytes, len: rlp.len() as u8 };
        }
        Self {
            // Nodes rarely repeat, so the global cache would only be washed out by them.
            bytes: alloy_primitives::utils::keccak256_uncached(rlp).0,
            len: 32,
        }
    }

    pub(super) fn is_unset(&self) -> bool {
        self.len == 0
    }

    pub(super) fn hash(&self) -> Option<B256> {
        (self.len == 32).then_some(B256::new(self.bytes))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Room for the longest list header that a node needs, written after its payload is known.
const HEADER_ROOM: usize = 9;

/// Scratch space, kept between blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    bytes: Vec<u8>,
    value: Vec<u8>,
    start: usize,
}

impl Buffers {
    /// The RLP of the node that was encoded last.
    pub(super) fn node(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEADER_ROOM, 0);
    }

    fn finish(&mut self) {
        let len = self.bytes.len() - HEADER_ROOM;
        if len < 56 {
            self.start = HEADER_ROOM - 1;
            self.bytes[self.start] = 0xc0 + len as u8;
            return;
        }
        let (skip, digits) = length_digits(len);
        let digits = &digits[skip..];
        self.start = HEADER_ROOM - 1 - digits.len();
        self.bytes[self.start] = 0xf7 + digits.len() as u8;
        self.bytes[self.start + 1..HEADER_ROOM].copy_from_slice(digits);
    }

    fn push_absent(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, 0x80);
    }

    fn push_reference(&mut self, reference: &NodeRef) {
        if reference.len == 32 {
            self.bytes.push(0xa0);
        }
        self.bytes.extend_from_slice(reference.as_slice());
    }

    /// Appends the hex-prefix encoding of the nibbles `from..to` of `path` as an RLP string.
    fn push_path(&mut self, path: &[u8; 32], from: usize, to: usize, leaf: bool) {
        let odd = !(to - from).is_multiple_of(2);
        let flag = (u8::from(leaf) << 5) | (u8::from(odd) << 4);
        let len = 1 + (to - from) / 2;
        if len > 1 {
            self.bytes.push(0x80 + len as u8);
        }
        let mut at = from;
        if odd {
            self.bytes.push(flag | nibble(path, from));
            at += 1;
        } else {
            self.bytes.push(flag);
        }
        if at.is_multiple_of(2) {
            self.bytes.extend_from_slice(&path[at / 2..to / 2]);
        } else {
            while at < to {
                self.bytes.push((nibble(path, at) << 4) | nibble(path, at + 1));
                at += 2;
            }
        }
    }

    fn encode_value<V>(&mut self, encoder: &impl LeafEncoder<V>, value: V) {
        self.value.clear();
        encoder.encode(value, &mut self.value);
    }

    fn push_value(&mut self) {
        let value = &self.value;
        match value.as_slice() {
            [byte] if *byte < 0x80 => {}
            _ if value.len() < 56 => self.bytes.push(0x80 + value.len() as u8),
            _ => {
                let (skip, digits) = length_digits(value.len());
                self.bytes.push(0xb7 + (8 - skip) as u8);
                self.bytes.extend_from_slice(&digits[skip..]);
            }
        }
        self.bytes.extend_from_slice(value);
    }
}

/// A length in big-endian, and how many leading bytes of it are zero.
fn length_digits(len: usize) -> (usize, [u8; 8]) {
    let len = len as u64;
    (len.leading_zeros() as usize / 8, len.to_be_bytes())
}

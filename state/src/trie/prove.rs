//! Merkle proofs out of a trie, in the format of `eth_getProof`.

use super::encode::{Buffers, LeafEncoder, NodeRef, encode_extension};
use super::key::first_difference;
use super::{Kind, Position, Trie, TrieKey};
use alloy_primitives::Bytes;

impl<V: Copy> Trie<V> {
    /// The nodes from the root to `key`, or to where its absence shows, as RLP. Nodes that their
    /// parent embeds (shorter than 32 bytes) are not listed. An empty trie yields no node.
    ///
    /// The trie is hashed first, so the proof is against [`Trie::root`].
    pub fn prove(&mut self, key: &TrieKey, encoder: &impl LeafEncoder<V>) -> Vec<Bytes> {
        self.root(encoder);
        let mut proof = Vec::new();
        let mut buffers = Buffers::default();
        let mut next = self.root.as_ref().map(|root| root.node);
        let mut start = 0;
        while let Some(node) = next.take() {
            let index = match node.kind() {
                Kind::Leaf(_) => {
                    self.encode_leaf(node, start, encoder, &mut buffers);
                    push_node(&mut proof, buffers.node());
                    break;
                }
                Kind::Branch(index) => index,
            };
            let branch = &self.branches[index];
            self.encode_branch(index, encoder, &mut buffers);
            if start < branch.depth() {
                let below = buffers.node().to_vec();
                encode_extension(branch, start, &NodeRef::of(&below), &mut buffers);
                push_node(&mut proof, buffers.node());
                let common = first_difference(&branch.path, key.padded()).min(key.len());
                if common < branch.depth() {
                    break;
                }
                push_node(&mut proof, &below);
            } else {
                push_node(&mut proof, buffers.node());
            }
            if let Position::Child(_, Ok(position)) = branch.position_below(key) {
                next = Some(branch.children[position].node);
            }
            start = branch.depth() + 1;
        }
        proof
    }
}

fn push_node(proof: &mut Vec<Bytes>, rlp: &[u8]) {
    if proof.is_empty() || rlp.len() >= 32 {
        proof.push(Bytes::copy_from_slice(rlp));
    }
}

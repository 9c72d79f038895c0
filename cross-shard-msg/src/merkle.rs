//! A binary Merkle tree with inclusion proofs (rule R-RCPT-3).
//!
//! Leaves and inner nodes hash under different tags; a node without a sibling moves up unchanged;
//! the root binds the number of leaves. An empty tree has the root zero.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::hash::Preimage;

/// Longest path of a proof: trees have at most 2³² leaves.
pub const MAX_PROOF_LENGTH: usize = 32;

/// Shows that a leaf is in a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// Position of the leaf, from 0.
    pub index: u32,
    /// Number of leaves in the tree.
    pub leaves: u32,
    /// Siblings from the leaf up; levels where the node has no sibling are left out.
    pub siblings: Vec<B256>,
}

/// Root of the tree over `leaves`, in order.
#[must_use]
pub fn root(leaves: &[B256]) -> B256 {
    if leaves.is_empty() {
        return B256::ZERO;
    }
    let mut level: Vec<B256> = leaves.iter().map(hash_leaf).collect();
    while level.len() > 1 {
        level = parents(&level);
    }
    seal(leaves.len(), &level[0])
}

/// Proof for the leaf at `index`, or `None` when there is no such leaf.
#[must_use]
pub fn prove(leaves: &[B256], index: usize) -> Option<InclusionProof> {
    if index >= leaves.len() {
        return None;
    }
    let mut siblings = Vec::new();
    let mut level: Vec<B256> = leaves.iter().map(hash_leaf).collect();
    let mut position = index;
    while level.len() > 1 {
        if let Some(sibling) = level.get(position ^ 1) {
            siblings.push(*sibling);
        }
        level = parents(&level);
        position /= 2;
    }
    Some(InclusionProof {
        index: u32::try_from(index).ok()?,
        leaves: u32::try_from(leaves.len()).ok()?,
        siblings,
    })
}

/// Root of the tree over `leaves`, and the proof for each of them, in order: as [`root`] and
/// [`prove`] say, but the tree is built once.
#[must_use]
pub fn prove_all(leaves: &[B256]) -> (B256, Vec<InclusionProof>) {
    let Ok(count) = u32::try_from(leaves.len()) else { return (root(leaves), Vec::new()) };
    let mut levels: Vec<Vec<B256>> = vec![leaves.iter().map(hash_leaf).collect()];
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        let above = parents(level);
        levels.push(above);
    }
    let Some(top) = levels.last().and_then(|level| level.first()) else {
        return (B256::ZERO, Vec::new());
    };
    let proof = |index: u32| {
        let siblings = levels.iter().zip(0..).filter_map(|(level, height)| {
            let sibling = (index as usize >> height) ^ 1;
            level.get(sibling).copied()
        });
        InclusionProof { index, leaves: count, siblings: siblings.collect() }
    };
    (seal(leaves.len(), top), (0..count).map(proof).collect())
}

impl InclusionProof {
    /// Whether `leaf` is at this proof's index of the tree with this root.
    #[must_use]
    pub fn verify(&self, root: &B256, leaf: &B256) -> bool {
        if self.index >= self.leaves || self.siblings.len() > MAX_PROOF_LENGTH {
            return false;
        }
        let mut siblings = self.siblings.iter();
        let mut node = hash_leaf(leaf);
        let mut position = self.index;
        let mut width = self.leaves;
        while width > 1 {
            if position ^ 1 < width {
                let Some(sibling) = siblings.next() else { return false };
                node = if position.is_multiple_of(2) {
                    hash_pair(&node, sibling)
                } else {
                    hash_pair(sibling, &node)
                };
            }
            position /= 2;
            width = width.div_ceil(2);
        }
        siblings.next().is_none() && seal(self.leaves as usize, &node) == *root
    }
}

fn hash_leaf(leaf: &B256) -> B256 {
    Preimage::new("shardlab/merkle/leaf").hash(leaf).finish()
}

fn hash_pair(left: &B256, right: &B256) -> B256 {
    Preimage::new("shardlab/merkle/node").hash(left).hash(right).finish()
}

fn seal(leaves: usize, top: &B256) -> B256 {
    Preimage::new("shardlab/merkle/root").len(leaves).hash(top).finish()
}

fn parents(level: &[B256]) -> Vec<B256> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => hash_pair(left, right),
            single => single[0],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<B256> {
        (0..count).map(B256::repeat_byte).collect()
    }

    #[test]
    fn every_leaf_of_every_size_is_provable() {
        for count in 1..40 {
            let leaves = leaves(count);
            let root = root(&leaves);
            for (index, leaf) in leaves.iter().enumerate() {
                let proof = prove(&leaves, index).unwrap();
                assert!(proof.verify(&root, leaf), "{index} of {count}");
                assert!(!proof.verify(&root, &B256::repeat_byte(0xff)));
                let moved = InclusionProof { index: (proof.index + 1) % u32::from(count), ..proof };
                assert!(count == 1 || !moved.verify(&root, leaf));
            }
            assert!(prove(&leaves, usize::from(count)).is_none());
        }
    }

    #[test]
    fn proofs_of_all_leaves_are_those_of_each() {
        for count in 0..70 {
            let leaves = leaves(count);
            let (top, proofs) = prove_all(&leaves);
            let one_by_one: Vec<_> = (0..leaves.len()).map(|at| prove(&leaves, at)).collect();
            assert_eq!(top, root(&leaves));
            assert_eq!(proofs.into_iter().map(Some).collect::<Vec<_>>(), one_by_one);
        }
    }

    #[test]
    fn the_root_binds_the_number_of_leaves() {
        assert_eq!(root(&[]), B256::ZERO);
        let proof = prove(&leaves(3), 2).unwrap();
        let wrong = InclusionProof { leaves: 4, ..proof.clone() };
        assert!(!wrong.verify(&root(&leaves(3)), &B256::repeat_byte(2)));
        let mut long = proof;
        long.siblings.push(B256::ZERO);
        assert!(!long.verify(&root(&leaves(3)), &B256::repeat_byte(2)));
    }
}

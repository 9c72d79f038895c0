//! Inclusion proofs over random trees, honest and tampered with.

use alloy_primitives::B256;
use cross_shard_msg::merkle::{self, InclusionProof, MAX_PROOF_LENGTH};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::arbitrary;

fn tree() -> impl Strategy<Value = (Vec<B256>, usize)> {
    vec(arbitrary::hash(), 1..70)
        .prop_flat_map(|leaves| (0..leaves.len()).prop_map(move |index| (leaves.clone(), index)))
}

proptest! {
    #[test]
    fn a_proof_shows_its_leaf_and_no_other((leaves, index) in tree(), other in arbitrary::hash()) {
        let root = merkle::root(&leaves);
        let proof = merkle::prove(&leaves, index).unwrap();
        prop_assert!(proof.verify(&root, &leaves[index]));
        prop_assert!(!proof.verify(&root, &other));
        prop_assert!(!proof.verify(&other, &leaves[index]));
        for (elsewhere, leaf) in leaves.iter().enumerate() {
            prop_assert_eq!(proof.verify(&root, leaf), *leaf == leaves[index]);
            let moved = InclusionProof { index: elsewhere as u32, ..proof.clone() };
            prop_assert_eq!(moved.verify(&root, &leaves[index]), elsewhere == index);
        }
    }

    #[test]
    fn a_tampered_proof_shows_nothing(
        (leaves, index) in tree(),
        sibling in any::<prop::sample::Index>(),
        bit in 0usize..256,
        count in any::<u32>(),
    ) {
        let root = merkle::root(&leaves);
        let leaf = leaves[index];
        let proof = merkle::prove(&leaves, index).unwrap();
        if !proof.siblings.is_empty() {
            let position = sibling.index(proof.siblings.len());
            let mut flipped = proof.clone();
            flipped.siblings[position].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!flipped.verify(&root, &leaf));
            let mut shorter = proof.clone();
            shorter.siblings.remove(position);
            prop_assert!(!shorter.verify(&root, &leaf));
        }
        let mut longer = proof.clone();
        longer.siblings.push(B256::ZERO);
        prop_assert!(!longer.verify(&root, &leaf));
        let counted = InclusionProof { leaves: count, ..proof.clone() };
        prop_assert_eq!(counted.verify(&root, &leaf), count as usize == leaves.len());
        let beyond = InclusionProof { index: leaves.len() as u32, ..proof };
        prop_assert!(!beyond.verify(&root, &leaf));
    }

    #[test]
    fn a_root_binds_every_leaf_and_their_order(
        (leaves, index) in tree(),
        other in arbitrary::hash(),
    ) {
        let root = merkle::root(&leaves);
        let mut changed = leaves.clone();
        changed[index] = other;
        prop_assert_ne!(merkle::root(&changed), root);
        let mut longer = leaves.clone();
        longer.push(leaves[leaves.len() - 1]);
        prop_assert_ne!(merkle::root(&longer), root, "a doubled last leaf");
        prop_assert_ne!(merkle::root(&leaves[1..]), root);
        let mut turned = leaves.clone();
        turned.rotate_left(1);
        prop_assert_eq!(merkle::root(&turned) == root, turned == leaves);
    }

    #[test]
    fn arbitrary_proofs_never_panic(
        index in any::<u32>(),
        leaves in any::<u32>(),
        siblings in vec(arbitrary::hash(), 0..MAX_PROOF_LENGTH + 2),
        root in arbitrary::hash(),
    ) {
        let proof = InclusionProof { index, leaves, siblings };
        prop_assert!(!proof.verify(&root, &root));
    }
}

#[test]
fn the_widest_trees_do_not_overflow() {
    let siblings = vec![B256::ZERO; MAX_PROOF_LENGTH];
    for index in [0, 1, u32::MAX - 1] {
        let proof = InclusionProof { index, leaves: u32::MAX, siblings: siblings.clone() };
        assert!(!proof.verify(&B256::ZERO, &B256::ZERO));
    }
}

#[test]
fn an_inner_node_is_no_leaf() {
    // Two levels of a tree of four, offered as a tree of two.
    let leaves: Vec<B256> = (1..=4).map(B256::repeat_byte).collect();
    let root = merkle::root(&leaves);
    let proof = merkle::prove(&leaves, 0).unwrap();
    let upper = InclusionProof { index: 0, leaves: 2, siblings: proof.siblings[1..].to_vec() };
    let inner = merkle::root(&leaves[..2]);
    assert!(!upper.verify(&root, &inner) && !upper.verify(&root, &proof.siblings[0]));
}

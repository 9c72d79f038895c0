//! Verification of Merkle proofs: what a trie with a given root holds at a key.

use super::TrieKey;
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Header;

/// Why a proof is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A node is missing from the end of the proof.
    #[error("the proof ends before the key is decided")]
    Incomplete,
    /// A node does not hash to what its parent, or the root, says.
    #[error("node {0} of the proof has another hash than its parent names")]
    WrongHash(usize),
    /// A node is not a trie node.
    #[error("node {0} of the proof is malformed")]
    Malformed(usize),
    /// There are nodes left after the key was decided.
    #[error("the proof goes on after the key is decided")]
    Trailing,
    /// The proof is good, but for other content than claimed.
    #[error("the proof shows other content than claimed")]
    WrongContent,
}

/// The value at `key` in the trie with this `root`, by `proof` (nodes from the root on, as RLP);
/// `None` when the proof shows that the key is absent.
pub fn verify_proof(
    root: B256,
    key: &TrieKey,
    proof: &[Bytes],
) -> Result<Option<Vec<u8>>, ProofError> {
    if proof.is_empty() && root == alloy_trie::EMPTY_ROOT_HASH {
        return Ok(None);
    }
    let mut used = 0;
    let mut depth = 0;
    let mut reference = Reference::Hash(root);
    let value = loop {
        let rlp = match reference {
            Reference::Embedded(rlp) => rlp,
            Reference::Hash(hash) => {
                let rlp: &[u8] = proof.get(used).ok_or(ProofError::Incomplete)?;
                if keccak256(rlp) != hash {
                    return Err(ProofError::WrongHash(used));
                }
                used += 1;
                rlp
            }
        };
        match step(rlp, key, &mut depth).ok_or(ProofError::Malformed(used.saturating_sub(1)))? {
            Step::Decided(value) => break value,
            Step::Next(next) => reference = next,
        }
    };
    if used < proof.len() {
        return Err(ProofError::Trailing);
    }
    Ok(value.map(<[u8]>::to_vec))
}

enum Reference<'a> {
    Hash(B256),
    Embedded(&'a [u8]),
}

enum Step<'a> {
    Decided(Option<&'a [u8]>),
    Next(Reference<'a>),
}

/// Reads one node at `depth` nibbles; `None` when it is malformed.
fn step<'a>(rlp: &'a [u8], key: &TrieKey, depth: &mut usize) -> Option<Step<'a>> {
    let mut rest = rlp;
    let header = Header::decode(&mut rest).ok()?;
    if header.payload_length != rest.len() {
        return None;
    }
    if !header.list {
        // The empty trie.
        return rest.is_empty().then_some(Step::Decided(None));
    }
    let mut items: [Item<'a>; 17] = [Item::default(); 17];
    let mut count = 0;
    while !rest.is_empty() {
        *items.get_mut(count)? = Item::take(&mut rest)?;
        count += 1;
    }
    match count {
        2 => short_node(&items[0], &items[1], key, depth),
        17 if *depth == key.len() => {
            let value = items[16].string()?;
            Some(Step::Decided((!value.is_empty()).then_some(value)))
        }
        17 => {
            let child = items[usize::from(key.nibble(*depth))];
            *depth += 1;
            if child.string().is_some_and(<[u8]>::is_empty) {
                return Some(Step::Decided(None));
            }
            child.reference().map(Step::Next)
        }
        _ => None,
    }
}

/// A leaf or an extension.
fn short_node<'a>(
    path: &Item<'a>,
    content: &Item<'a>,
    key: &TrieKey,
    depth: &mut usize,
) -> Option<Step<'a>> {
    let path = path.string()?;
    let flag = path.first()? >> 4;
    let odd = flag & 1 == 1;
    if flag > 3 || (!odd && path[0] & 0x0f != 0) {
        return None;
    }
    let is_leaf = flag & 2 == 2;
    // Nibbles of the path begin after the flag: at nibble 1 of `path` if odd, else at 2.
    let first = if odd { 1 } else { 2 };
    let len = 2 * path.len() - first;
    let matches = *depth + len <= key.len()
        && (0..len).all(|i| {
            let byte = path[(first + i) / 2];
            let nibble = if (first + i).is_multiple_of(2) { byte >> 4 } else { byte & 0x0f };
            nibble == key.nibble(*depth + i)
        });
    if is_leaf {
        let value = content.string()?;
        let here = matches && *depth + len == key.len();
        return Some(Step::Decided(here.then_some(value)));
    }
    if len == 0 {
        return None;
    }
    let reference = content.reference()?;
    if !matches {
        return Some(Step::Decided(None));
    }
    *depth += len;
    Some(Step::Next(reference))
}

/// One item of a node's list.
#[derive(Clone, Copy, Default)]
struct Item<'a> {
    /// With its header.
    whole: &'a [u8],
    payload: &'a [u8],
    list: bool,
}

impl<'a> Item<'a> {
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let before = *rest;
        let header = Header::decode(rest).ok()?;
        let payload = rest.get(..header.payload_length)?;
        *rest = &rest[header.payload_length..];
        Some(Self { whole: &before[..before.len() - rest.len()], payload, list: header.list })
    }

    fn string(&self) -> Option<&'a [u8]> {
        (!self.list).then_some(self.payload)
    }

    fn reference(&self) -> Option<Reference<'a>> {
        if self.list {
            return (self.whole.len() < 32).then_some(Reference::Embedded(self.whole));
        }
        B256::try_from(self.payload).ok().map(Reference::Hash)
    }
}

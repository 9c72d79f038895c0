//! What one source released for one destination and the destination has not taken in yet, as far
//! as it is crosslinked (for rules R-CKPT-4 and R-LED-3).
//!
//! A watermark names a header of its source. Only headers that released something can be named, and
//! only those above the watermark before it: so this list is all the history that is ever needed.
//! It is kept in shared chunks, so that the states of successive checkpoints share what is equal.

use std::collections::VecDeque;
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::{Height, Sequence, Wei};

/// Most releases that are remembered for one ordered pair of shards. When a destination is silent
/// for longer, the oldest are forgotten: its own crosslinks then end, and nobody else's.
pub const MAX_RELEASES: usize = 65_536;

/// Releases in one shared chunk.
const CHUNK: usize = 256;

/// That a block released receipts for a destination, and how much that makes in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Height of the source's block.
    pub height: Height,
    /// Hash of its header.
    pub header: B256,
    /// Sequence of the last receipt released.
    pub sequence: Sequence,
    /// All wei released so far.
    pub value: Wei,
}

/// Releases by ascending height. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Releases {
    /// None of them is empty.
    chunks: VecDeque<Arc<Vec<Release>>>,
}

impl Releases {
    /// Appends a release, whose height is above all others'.
    pub fn push(&mut self, release: Release) {
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(release),
            _ => self.chunks.push_back(Arc::new(vec![release])),
        }
        if self.chunks.len() > MAX_RELEASES / CHUNK {
            self.chunks.pop_front();
        }
    }

    /// The release of the block at `height`.
    #[must_use]
    pub fn at(&self, height: Height) -> Option<&Release> {
        let index = self.chunks.partition_point(|chunk| last(chunk) < height);
        let chunk = self.chunks.get(index)?;
        let found = chunk.binary_search_by_key(&height, |release| release.height).ok()?;
        chunk.get(found)
    }

    /// Whether [`Releases::forget`] would change anything.
    #[must_use]
    pub fn forgets(&self, height: Height) -> bool {
        self.chunks.front().is_some_and(|chunk| last(chunk) <= height)
    }

    /// Forgets releases that the destination has taken in, up to `height`. Some may stay: chunks
    /// are forgotten whole.
    pub fn forget(&mut self, height: Height) {
        while self.forgets(height) {
            self.chunks.pop_front();
        }
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }
}

fn last(chunk: &[Release]) -> Height {
    chunk.last().map_or(Height::ZERO, |release| release.height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(height: u64) -> Release {
        Release {
            height: Height(height),
            header: B256::ZERO,
            sequence: Sequence(height),
            value: Wei::from(height),
        }
    }

    #[test]
    fn what_is_not_taken_in_is_found() {
        let mut releases = Releases::default();
        // Every third block releases something.
        for height in (3..3_000).step_by(3) {
            releases.push(release(height));
        }
        for height in 1..3_000 {
            let expected = (height % 3 == 0).then(|| release(height));
            assert_eq!(releases.at(Height(height)).copied(), expected);
        }
        let before = releases.clone();
        releases.forget(Height(1_500));
        assert!(releases.len() < before.len());
        assert!((1_501..3_000).all(|h| releases.at(Height(h)) == before.at(Height(h))));
        releases.forget(Height(3_000));
        assert!(releases.is_empty() && before.at(Height(3)).is_some());
    }

    #[test]
    fn a_silent_destination_costs_a_bounded_amount() {
        let mut releases = Releases::default();
        for height in 1..=2 * MAX_RELEASES as u64 {
            releases.push(release(height));
        }
        assert!(releases.len() <= MAX_RELEASES);
        assert_eq!(releases.at(Height(1)), None);
        assert!(releases.at(Height(2 * MAX_RELEASES as u64)).is_some());
    }
}

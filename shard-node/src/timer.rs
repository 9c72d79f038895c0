//! What wakes a shard, and what it computes elsewhere.

/// What a shard wakes up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The next block is due.
    Block,
    /// Answers to submissions have waited long enough.
    FlushAdmissions,
    /// Look for batches that nobody received, and for gaps.
    Resend,
}

/// A shard has no long computations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {}

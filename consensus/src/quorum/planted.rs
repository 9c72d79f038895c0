//! Bugs that are planted to see whether the swarm finds them. Only with the feature `planted-bugs`,
//! which no program has that is used: it is the one place of the pure crates that is not a function
//! of its arguments.

use std::cell::Cell;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// 2f votes decide, at least one.
    Quorum,
    /// A batch enters state whatever the watermark says (R-RCPT-4).
    Watermark,
    /// What depends on a coordinator's vote being durable happens before it is (R-CONS-5).
    HastyVote,
    /// A refund is caused twice (R-EXE-6).
    RefundTwice,
    /// Inclusion proofs are believed (R-RCPT-3).
    Proof,
    /// Missing batches are not pulled, and nothing is sent a second time (R-RCPT-5, R-RCPT-6).
    LostPull,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Quorum,
        Self::Watermark,
        Self::HastyVote,
        Self::RefundTwice,
        Self::Proof,
        Self::LostPull,
    ];
}

thread_local! {
    static BUG: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Every machine on this thread has this bug from now on, or none.
pub fn plant(bug: Option<Bug>) {
    BUG.set(bug);
}

/// Whether machines on this thread have this bug.
#[must_use]
pub fn is(bug: Bug) -> bool {
    BUG.get() == Some(bug)
}

//! What must be sent again: refusals that may pass later (R-CLI-3), and transactions that no block
//! included for long.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cross_shard_msg::Timestamp;

use crate::workload::UserIndex;

/// Refused transactions that wait for their next attempt. All of one sender's go out together, in
/// nonce order.
#[derive(Debug, Default)]
pub(super) struct Retries {
    by_sender: BTreeMap<UserIndex, (Timestamp, BTreeSet<u32>)>,
    due: BTreeSet<(Timestamp, UserIndex)>,
    waiting: BTreeSet<u32>,
}

impl Retries {
    /// Keeps a transaction until `due`, or until others of the sender are due, if that is earlier.
    pub(super) fn add(&mut self, sender: UserIndex, index: u32, due: Timestamp) {
        let (at, indices) = self.by_sender.entry(sender).or_insert_with(|| (due, BTreeSet::new()));
        if due < *at {
            self.due.remove(&(*at, sender));
            *at = due;
        }
        self.due.insert((*at, sender));
        indices.insert(index);
        self.waiting.insert(index);
    }

    /// Takes what is due by `now`.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<u32> {
        let mut taken = Vec::new();
        while let Some((due, sender)) = self.due.first().copied()
            && due <= now
        {
            self.due.remove(&(due, sender));
            let indices = self.by_sender.remove(&sender).map(|(_, indices)| indices);
            for index in indices.into_iter().flatten() {
                self.waiting.remove(&index);
                taken.push(index);
            }
        }
        taken
    }

    /// When the next ones are due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Whether a transaction waits.
    pub(super) fn contains(&self, index: u32) -> bool {
        self.waiting.contains(&index)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

/// When sent transactions are sent again if they are in no block by then. All wait for the same
/// time, so the order of sending is the order of being due.
#[derive(Debug, Default)]
pub(super) struct Resubmissions(VecDeque<(Timestamp, u32, u32)>);

impl Resubmissions {
    /// Remembers that a transaction was sent for the `attempt`-th time.
    pub(super) fn add(&mut self, due: Timestamp, index: u32, attempt: u32) {
        self.0.push_back((due, index, attempt));
    }

    /// Takes what is due by `now` and still `open` (given the transaction and its attempt).
    pub(super) fn take_due(&mut self, now: Timestamp, open: impl Fn(u32, u32) -> bool) -> Vec<u32> {
        let count = self.0.partition_point(|(due, _, _)| *due <= now);
        let due = self.0.drain(..count);
        due.filter(|(_, index, attempt)| open(*index, *attempt))
            .map(|(_, index, _)| index)
            .collect()
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.0.front().map(|(due, _, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senders_transactions_go_together_in_nonce_order() {
        let mut retries = Retries::default();
        let (a, b) = (UserIndex(0), UserIndex(1));
        for (sender, index, due) in [(a, 9, 100), (b, 3, 120), (a, 4, 150), (a, 7, 130)] {
            retries.add(sender, index, Timestamp(due));
        }
        assert_eq!((retries.due(), retries.len()), (Some(Timestamp(100)), 4));
        assert!(retries.take_due(Timestamp(99)).is_empty());
        assert_eq!(retries.take_due(Timestamp(100)), [4, 7, 9]);
        assert!(!retries.contains(4) && retries.contains(3));
        assert_eq!(retries.take_due(Timestamp(200)), [3]);
        assert_eq!((retries.due(), retries.len()), (None, 0));
        retries.add(a, 5, Timestamp(400));
        retries.add(a, 2, Timestamp(300));
        assert_eq!(retries.due(), Some(Timestamp(300)));
        assert_eq!(retries.take_due(Timestamp(300)), [2, 5]);
        assert_eq!((retries.due(), retries.len()), (None, 0));
    }

    #[test]
    fn only_the_last_attempt_is_sent_again() {
        let mut sent = Resubmissions::default();
        for (due, index, attempt) in [(10, 1, 1), (20, 2, 1), (30, 1, 2)] {
            sent.add(Timestamp(due), index, attempt);
        }
        let open = |index, attempt| (index, attempt) != (1, 1);
        assert_eq!(sent.take_due(Timestamp(25), open), [2]);
        assert_eq!(sent.due(), Some(Timestamp(30)));
        assert_eq!(sent.take_due(Timestamp(30), open), [1]);
        assert_eq!(sent.due(), None);
    }
}

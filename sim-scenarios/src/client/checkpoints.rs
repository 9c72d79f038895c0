//! Which checkpoints the client believes, and in which order it applies them.
//!
//! Each coordinator sends every finalized checkpoint. The client takes one over when f + 1 of them
//! sent the same: at least one of those is honest. So it needs no knowledge of the agreement.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::B256;
use consensus::quorum::max_faulty;
use cross_shard_msg::{
    Checkpoint, CheckpointNumber, DropReason, FinalizedCheckpoint, ValidatorIndex,
};

/// How far ahead of the next checkpoint the client listens.
const MAX_AHEAD: u64 = 1_024;

/// Checkpoints by what is known of them.
#[derive(Debug)]
pub(super) struct Checkpoints {
    validators: u32,
    /// The one to apply next.
    next: CheckpointNumber,
    /// Who sent what, from `next` on.
    sent: BTreeMap<CheckpointNumber, Vec<Sent>>,
    /// Believed and not applied, from `next` on.
    believed: BTreeMap<CheckpointNumber, Arc<Checkpoint>>,
}

/// One content of a checkpoint number and those who sent it.
#[derive(Debug)]
struct Sent {
    digest: B256,
    checkpoint: Arc<Checkpoint>,
    by: Vec<ValidatorIndex>,
}

impl Checkpoints {
    /// For a committee of so many validators, at genesis.
    pub(super) fn new(validators: u32) -> Self {
        Self {
            validators,
            next: CheckpointNumber::ZERO.next(),
            sent: BTreeMap::new(),
            believed: BTreeMap::new(),
        }
    }

    /// Takes note of what a validator sent. What is known already changes nothing; a validator's
    /// first word on a number counts.
    pub(super) fn receive(
        &mut self,
        from: ValidatorIndex,
        finalized: FinalizedCheckpoint,
    ) -> Result<(), DropReason> {
        let checkpoint = finalized.checkpoint;
        let number = checkpoint.number;
        if from.0 >= self.validators {
            return Err(DropReason::Unexpected);
        }
        if number.0 > self.next.0.saturating_add(MAX_AHEAD) {
            return Err(DropReason::TooFarAhead);
        }
        if number < self.next || self.believed.contains_key(&number) {
            return Ok(());
        }
        let contents = self.sent.entry(number).or_default();
        if contents.iter().any(|sent| sent.by.contains(&from)) {
            return Ok(());
        }
        let digest = checkpoint.digest();
        let sent = match contents.iter_mut().position(|sent| sent.digest == digest) {
            Some(index) => contents.get_mut(index),
            None => {
                contents.push(Sent { digest, checkpoint, by: Vec::new() });
                contents.last_mut()
            }
        };
        if let Some(sent) = sent {
            sent.by.push(from);
            if sent.by.len() > max_faulty(self.validators.max(1) as usize) {
                self.believed.insert(number, sent.checkpoint.clone());
                self.sent.remove(&number);
            }
        }
        Ok(())
    }

    /// The next believed checkpoint, each once and in order.
    pub(super) fn next(&mut self) -> Option<Arc<Checkpoint>> {
        let checkpoint = self.believed.remove(&self.next)?;
        self.sent.remove(&self.next);
        self.next = self.next.next();
        Some(checkpoint)
    }

    /// The first number that is missing while later ones are believed.
    pub(super) fn missing(&self) -> Option<CheckpointNumber> {
        (!self.believed.is_empty() && !self.believed.contains_key(&self.next)).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Bytes;
    use cross_shard_msg::{Epoch, Timestamp};

    use super::*;

    fn finalized(number: u64, timestamp: u64) -> FinalizedCheckpoint {
        let checkpoint = Checkpoint {
            number: CheckpointNumber(number),
            parent: B256::ZERO,
            timestamp: Timestamp(timestamp),
            epoch: Epoch::ZERO,
            crosslinks: Vec::new(),
            placements: Vec::new(),
            moves: Vec::new(),
        };
        FinalizedCheckpoint { checkpoint: Arc::new(checkpoint), certificate: Bytes::new() }
    }

    fn applied(checkpoints: &mut Checkpoints) -> Vec<u64> {
        std::iter::from_fn(|| checkpoints.next()).map(|checkpoint| checkpoint.number.0).collect()
    }

    #[test]
    fn one_more_than_the_faulty_are_believed() {
        // (validators, how many must say the same)
        for (validators, needed) in [(1, 1), (2, 1), (3, 1), (4, 2), (6, 2), (7, 3)] {
            let mut checkpoints = Checkpoints::new(validators);
            for validator in 0..needed {
                assert!(applied(&mut checkpoints).is_empty(), "{validators} validators");
                checkpoints.receive(ValidatorIndex(validator), finalized(1, 5)).unwrap();
            }
            assert_eq!(applied(&mut checkpoints), [1], "{validators} validators");
        }
    }

    #[test]
    fn a_liar_is_not_believed() {
        let mut checkpoints = Checkpoints::new(4);
        let mut say = |validator, number, timestamp| {
            checkpoints.receive(ValidatorIndex(validator), finalized(number, timestamp))
        };
        say(0, 1, 666).unwrap();
        say(0, 1, 666).unwrap();
        say(0, 1, 5).unwrap();
        say(1, 1, 5).unwrap();
        assert_eq!(say(4, 1, 5), Err(DropReason::Unexpected));
        assert_eq!(say(1, 1_026, 5), Err(DropReason::TooFarAhead));
        assert!(applied(&mut checkpoints).is_empty());
        checkpoints.receive(ValidatorIndex(2), finalized(1, 5)).unwrap();
        let checkpoint = checkpoints.next().unwrap();
        assert_eq!(checkpoint.timestamp, Timestamp(5));
    }

    #[test]
    fn checkpoints_are_applied_in_order() {
        let mut checkpoints = Checkpoints::new(1);
        let mut say =
            |number| checkpoints.receive(ValidatorIndex(0), finalized(number, 5)).unwrap();
        say(2);
        say(3);
        assert_eq!(checkpoints.missing(), Some(CheckpointNumber(1)));
        assert!(applied(&mut checkpoints).is_empty());
        checkpoints.receive(ValidatorIndex(0), finalized(1, 5)).unwrap();
        assert_eq!(checkpoints.missing(), None);
        assert_eq!(applied(&mut checkpoints), [1, 2, 3]);
        checkpoints.receive(ValidatorIndex(0), finalized(2, 5)).unwrap();
        assert!(applied(&mut checkpoints).is_empty());
    }
}

//! Finalized checkpoints: verified, put in order, kept for the gate (rules R-HOME-3, R-GATE-1).
//!
//! A checkpoint comes with the proof that it is final (rule R-CONS-9). Checkpoints become known in
//! order; blocks apply them one by one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use alloy_primitives::B256;
use consensus::Committee;
use consensus::checkpoint::{FinalityError, FinalityProof};
use cross_shard_msg::checkpoint::genesis_digest;
use cross_shard_msg::{
    Checkpoint, CheckpointNumber, DropReason, Duration, FinalizedCheckpoint, Height, NetworkId,
    ShardId, Timestamp, codec,
};
use serde::{Deserialize, Serialize};

/// How far a checkpoint may be ahead of the newest known one.
const MAX_AHEAD: u64 = 1_024;
/// Known checkpoints in which the gate looks up headers.
const MAX_HISTORY: usize = 1 << 16;
/// Those of them that a snapshot has: a batch whose header is in an older one must have entered.
const MAX_SNAPSHOT_HISTORY: usize = 4_096;

/// What came of a checkpoint that arrived.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    /// Checkpoints that became known, in order.
    pub known: Vec<Arc<Checkpoint>>,
    /// Checkpoints from this number on are missing, and it is time to ask for them.
    pub missing: Option<CheckpointNumber>,
    /// Node signatures that were checked.
    pub verifications: u32,
    /// Why the checkpoint was dropped.
    pub dropped: Option<DropReason>,
}

/// The last header of a shard that known checkpoints crosslink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tip {
    pub height: Height,
    pub hash: B256,
    /// Height of the crosslink before.
    pub previous: Height,
}

/// What is known of the chain of checkpoints, for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownCheckpoints {
    number: CheckpointNumber,
    digest: B256,
    tips: Vec<Tip>,
    history: Vec<Arc<Checkpoint>>,
}

/// The chain of finalized checkpoints as far as this node knows it.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    committee: Committee,
    pull_every: Duration,
    number: CheckpointNumber,
    digest: B256,
    unapplied: VecDeque<FinalizedCheckpoint>,
    history: VecDeque<Arc<Checkpoint>>,
    tips: Vec<Tip>,
    /// Final ones that are ahead of a gap, at most [`MAX_AHEAD`].
    ahead: BTreeMap<CheckpointNumber, FinalizedCheckpoint>,
    pulled: Option<Timestamp>,
}

impl Checkpoints {
    pub(crate) fn new(
        network: &NetworkId,
        committee: Committee,
        shards: u32,
        pull_every: Duration,
    ) -> Self {
        Self {
            committee,
            pull_every,
            number: CheckpointNumber::ZERO,
            digest: genesis_digest(network),
            unapplied: VecDeque::new(),
            history: VecDeque::new(),
            tips: vec![Tip::default(); shards as usize],
            ahead: BTreeMap::new(),
            pulled: None,
        }
    }

    /// Takes a checkpoint that arrived.
    pub(crate) fn receive(&mut self, now: Timestamp, finalized: FinalizedCheckpoint) -> Arrival {
        let mut arrival = Arrival::default();
        if let Err(reason) = self.verify(finalized, &mut arrival.verifications) {
            arrival.dropped = Some(reason);
            if reason != DropReason::TooFarAhead {
                return arrival;
            }
        }
        while let Some(finalized) = self.ahead.remove(&self.number.next()) {
            if finalized.checkpoint.parent != self.digest {
                // The committee contradicts itself. Nothing that this node could do is right.
                arrival.dropped = Some(DropReason::Disconnected);
                break;
            }
            arrival.known.push(finalized.checkpoint.clone());
            self.advance(finalized);
        }
        let gap = !self.ahead.is_empty() || arrival.dropped.is_some();
        if gap && self.pulled.is_none_or(|pulled| now.since(pulled) >= self.pull_every) {
            self.pulled = Some(now);
            arrival.missing = Some(self.number.next());
        }
        arrival
    }

    /// Takes a checkpoint from a record, where it was put after it was verified. False if it does
    /// not follow the newest known one.
    pub(crate) fn restore(&mut self, finalized: FinalizedCheckpoint) -> bool {
        let checkpoint = &finalized.checkpoint;
        if checkpoint.number <= self.number {
            // A snapshot knew it before a block applied it.
            let known = self.history.iter().rev().any(|known| known == checkpoint);
            self.unapplied.push_back(finalized);
            return known;
        }
        let follows = checkpoint.number == self.number.next() && checkpoint.parent == self.digest;
        if follows {
            self.advance(finalized);
        }
        follows
    }

    /// For a snapshot.
    pub(crate) fn snapshot(&self) -> KnownCheckpoints {
        let skip = self.history.len().saturating_sub(MAX_SNAPSHOT_HISTORY);
        KnownCheckpoints {
            number: self.number,
            digest: self.digest,
            tips: self.tips.clone(),
            history: self.history.iter().skip(skip).cloned().collect(),
        }
    }

    /// Takes over a snapshot.
    pub(crate) fn take_over(&mut self, known: &KnownCheckpoints) {
        self.number = known.number;
        self.digest = known.digest;
        self.tips.clone_from(&known.tips);
        self.history = known.history.iter().cloned().collect();
    }

    /// Number of the newest known checkpoint.
    pub(crate) fn number(&self) -> CheckpointNumber {
        self.number
    }

    /// Timestamp of the newest known checkpoint; zero before the first.
    pub(crate) fn timestamp(&self) -> Timestamp {
        self.history.back().map_or(Timestamp::ZERO, |checkpoint| checkpoint.timestamp)
    }

    /// Whether later checkpoints than the newest known one arrived.
    pub(crate) fn has_gap(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// The next checkpoint that a block must apply.
    pub(crate) fn next_unapplied(&mut self) -> Option<FinalizedCheckpoint> {
        self.unapplied.pop_front()
    }

    /// The last crosslinked header of `shard`.
    pub(crate) fn tip(&self, shard: ShardId) -> Tip {
        self.tips.get(shard.0 as usize).copied().unwrap_or_default()
    }

    /// Hash of the header of `shard` at `height`, if a known checkpoint crosslinks it.
    pub(crate) fn crosslinked(&self, shard: ShardId, height: Height) -> Option<B256> {
        let tip = self.tip(shard);
        if height >= tip.height {
            return (height == tip.height && height > Height::ZERO).then_some(tip.hash);
        }
        let links = self.history.iter().rev().filter_map(|checkpoint| checkpoint.crosslink(shard));
        let mut links = links.skip_while(|link| link.first > height);
        links.next().and_then(|link| link.hash_at(height)).copied()
    }

    fn verify(
        &mut self,
        finalized: FinalizedCheckpoint,
        verifications: &mut u32,
    ) -> Result<(), DropReason> {
        let number = finalized.checkpoint.number;
        // Every coordinator sends every checkpoint; the copies are expected, not an error of theirs.
        if number <= self.number || self.ahead.contains_key(&number) {
            return Ok(());
        }
        let proof: FinalityProof =
            codec::decode(&finalized.certificate).map_err(|_| DropReason::Undecodable)?;
        *verifications += proof.certificate.certificate().signatures.len() as u32;
        proof.verify(&self.committee, &finalized.checkpoint).map_err(|error| match error {
            FinalityError::Malformed(_) => DropReason::Undecodable,
            FinalityError::TooMany(_) => DropReason::TooMany,
            FinalityError::Chain(_) => DropReason::Disconnected,
            FinalityError::Certificate(_) => DropReason::Signature,
        })?;
        if number.0 > self.number.0.saturating_add(MAX_AHEAD) {
            return Err(DropReason::TooFarAhead);
        }
        self.ahead.insert(number, finalized);
        Ok(())
    }

    fn advance(&mut self, finalized: FinalizedCheckpoint) {
        let checkpoint = &finalized.checkpoint;
        self.number = checkpoint.number;
        self.digest = checkpoint.digest();
        for crosslink in &checkpoint.crosslinks {
            if let (Some(tip), Some(hash)) =
                (self.tips.get_mut(crosslink.shard.0 as usize), crosslink.headers.last())
            {
                *tip = Tip { height: crosslink.tip(), hash: *hash, previous: tip.height };
            }
        }
        if self.history.len() == MAX_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(checkpoint.clone());
        self.unapplied.push_back(finalized);
        self.pulled = None;
    }
}

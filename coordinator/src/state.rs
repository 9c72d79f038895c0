//! What follows from the checkpoints so far: the base on which the next proposal is built and
//! checked (rules R-CKPT-6 to R-CKPT-8, R-EPOCH-1, R-EPOCH-4).
//!
//! A state is a function of its checkpoint and of the checkpoints before. States of successive
//! checkpoints share what is equal, so one per unfinished checkpoint is cheap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::B256;
use consensus::Value;
use cross_shard_msg::checkpoint::genesis_digest;
use cross_shard_msg::header::genesis_hash;
use cross_shard_msg::{
    CheckpointNumber, Epoch, Header, Height, Placement, SealedHeader, Sequence, Settings, ShardId,
    SignedHeader, Timestamp, Wei,
};

use crate::homes::Homes;
use crate::releases::{Release, Releases};
use crate::rules::{Rule, Violation};
use crate::value::CheckpointValue;

/// Everything that the next checkpoint depends on.
#[derive(Clone, Debug)]
pub struct CheckpointState {
    number: CheckpointNumber,
    digest: B256,
    timestamp: Timestamp,
    epoch: Epoch,
    shards: Vec<ShardState>,
    homes: Homes,
    /// The last epoch in which accounts were moved.
    moved: Option<Epoch>,
}

/// How far one shard is crosslinked.
#[derive(Clone, Debug)]
struct ShardState {
    height: Height,
    hash: B256,
    /// The last crosslinked header; `None` before the first.
    tip: Option<SealedHeader>,
    /// By destination, what it has not taken in yet.
    releases: Arc<BTreeMap<ShardId, Arc<Releases>>>,
}

/// What comes before a header: another header, or a shard's genesis.
#[derive(Clone, Copy, Debug)]
pub struct Previous<'a> {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: B256,
    /// The header; `None` at genesis.
    pub header: Option<&'a Header>,
}

impl<'a> Previous<'a> {
    /// A header as the one before another.
    #[must_use]
    pub fn from(signed: &'a SignedHeader) -> Self {
        Self { height: signed.height, hash: signed.hash(), header: Some(signed) }
    }
}

impl CheckpointState {
    /// The state before the first checkpoint.
    #[must_use]
    pub fn genesis(settings: &Settings) -> Self {
        let shard = |id| ShardState {
            height: Height::ZERO,
            hash: genesis_hash(&settings.network, id),
            tip: None,
            releases: Arc::default(),
        };
        Self {
            number: CheckpointNumber::ZERO,
            digest: genesis_digest(&settings.network),
            timestamp: Timestamp::ZERO,
            epoch: Epoch::ZERO,
            shards: settings.shard_ids().map(shard).collect(),
            homes: Homes::new(settings),
            moved: None,
        }
    }

    /// The checkpoint's number.
    #[must_use]
    pub fn number(&self) -> CheckpointNumber {
        self.number
    }

    /// The checkpoint's digest.
    #[must_use]
    pub fn digest(&self) -> B256 {
        self.digest
    }

    /// When the checkpoint was proposed.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The checkpoint's epoch (R-EPOCH-1).
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Where accounts live, for the next checkpoint.
    #[must_use]
    pub fn homes(&self) -> &Homes {
        &self.homes
    }

    /// The last epoch of which a checkpoint moved accounts.
    #[must_use]
    pub fn moved(&self) -> Option<Epoch> {
        self.moved
    }

    /// Number of shards.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// The last crosslinked header of `shard`, or its genesis; `None` when there is no such shard.
    #[must_use]
    pub fn previous(&self, shard: ShardId) -> Option<Previous<'_>> {
        self.shards.get(shard.0 as usize).map(|state| Previous {
            height: state.height,
            hash: state.hash,
            header: state.tip.as_deref(),
        })
    }

    /// What the crosslinked block of `source` at `height` released for `destination`, if that is
    /// not taken in yet.
    #[must_use]
    pub fn release(
        &self,
        source: ShardId,
        destination: ShardId,
        height: Height,
    ) -> Option<&Release> {
        self.shards.get(source.0 as usize)?.releases.get(&destination)?.at(height)
    }

    /// Rule R-CKPT-6: the placements that a checkpoint with these chains brings. Chains are
    /// ascending by shard.
    pub fn placements<'a>(
        &self,
        chains: impl Iterator<Item = &'a [SignedHeader]>,
    ) -> Vec<Placement> {
        let mut new = BTreeSet::new();
        let headers = chains.flatten();
        headers
            .flat_map(|header| header.placements.iter().map(|address| (*address, header.shard)))
            .filter(|(address, _)| !self.homes.is_placed(address) && new.insert(*address))
            .map(|(address, shard)| Placement { address, shard })
            .collect()
    }

    /// The state after a child of this checkpoint. Does not check the child.
    #[must_use]
    pub fn apply(&self, value: &CheckpointValue) -> Self {
        let checkpoint = value.checkpoint();
        let mut next = self.clone();
        next.number = checkpoint.number;
        next.digest = value.digest();
        next.timestamp = checkpoint.timestamp;
        next.epoch = checkpoint.epoch;
        for (crosslink, chain) in value.chains() {
            if let Some(shard) = next.shards.get_mut(crosslink.shard.0 as usize) {
                shard.extend(chain);
            }
        }
        for crosslink in &checkpoint.crosslinks {
            next.forget_taken(crosslink.shard);
        }
        next.homes.apply(&checkpoint.placements, &checkpoint.moves);
        if !checkpoint.moves.is_empty() {
            next.moved = Some(checkpoint.epoch);
        }
        next
    }

    /// Rule R-CKPT-8: over all crosslinked tips, genesis + minted = held + in flight + burnt. Sums
    /// are taken modulo 2²⁵⁶, which keeps the equation.
    ///
    /// # Errors
    /// When the sums differ, or a watermark is above what its source sent.
    pub fn check_conservation(&self, settings: &Settings) -> Result<(), Violation> {
        let broken = |shard| Violation { rule: Rule::Conservation, shard, height: None };
        let (mut sources, mut uses) = (Wei::ZERO, Wei::ZERO);
        for (id, shard) in settings.shard_ids().zip(&self.shards) {
            let genesis = settings.genesis_held.get(id.0 as usize).copied().unwrap_or_default();
            sources = sources.wrapping_add(genesis);
            let Some(tip) = &shard.tip else {
                uses = uses.wrapping_add(genesis);
                continue;
            };
            sources = sources.wrapping_add(tip.ledger.minted);
            uses = uses.wrapping_add(tip.ledger.held).wrapping_add(tip.ledger.burnt);
            for sent in &tip.sent {
                let taken = self.taken(sent.destination, id);
                let flying = sent.value.checked_sub(taken).ok_or(broken(Some(id)))?;
                uses = uses.wrapping_add(flying);
            }
        }
        if sources == uses { Ok(()) } else { Err(broken(None)) }
    }

    /// Value that `destination` has taken in from `source`.
    fn taken(&self, destination: ShardId, source: ShardId) -> Wei {
        self.shards
            .get(destination.0 as usize)
            .and_then(|shard| shard.tip.as_ref()?.watermark(source))
            .map_or(Wei::ZERO, |mark| mark.value)
    }

    fn forget_taken(&mut self, destination: ShardId) {
        let Some(Some(tip)) = self.shards.get(destination.0 as usize).map(|s| s.tip.clone()) else {
            return;
        };
        for mark in &tip.watermarks {
            let Some(source) = self.shards.get_mut(mark.source.0 as usize) else { continue };
            let stale = source.releases.get(&destination);
            if stale.is_some_and(|releases| releases.forgets(mark.height)) {
                let releases = Arc::make_mut(&mut source.releases).entry(destination).or_default();
                Arc::make_mut(releases).forget(mark.height);
            }
        }
    }
}

impl ShardState {
    fn extend(&mut self, chain: &[SignedHeader]) {
        for header in chain {
            for sent in &header.sent {
                let before = self.tip.as_ref().and_then(|tip| tip.sent_to(sent.destination));
                let before = before.map_or(Sequence::ZERO, |before| before.sequence);
                if sent.sequence > before {
                    let release = Release {
                        height: header.height,
                        header: header.hash(),
                        sequence: sent.sequence,
                        value: sent.value,
                    };
                    let releases = Arc::make_mut(&mut self.releases);
                    Arc::make_mut(releases.entry(sent.destination).or_default()).push(release);
                }
            }
            self.height = header.height;
            self.hash = header.hash();
            self.tip = Some(header.header.clone());
        }
    }
}

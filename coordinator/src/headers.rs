//! Headers of shards above their last final crosslink (rules R-HDR-2, R-CKPT-9).
//!
//! A header enters after its certificate is checked, once. Whether it obeys the other rules is
//! asked when a checkpoint is built, against the checkpoint that it would extend. Two certified
//! headers of one height are an equivocation: the first one stays, both are kept as evidence, and
//! this coordinator proposes nothing of the shard from that height on until the committee, some
//! member of which may have seen one of them only, has decided for one.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::{DropReason, Height, Settings, ShardId, SignedHeader, Work};

use serde::{Deserialize, Serialize};

use crate::cut::{MAX_HEADER_BYTES, encoded_bytes};
use crate::rules::check_certificate;
use crate::state::CheckpointState;

/// Most encoded bytes of one shard's headers above its tip. A healthy shard's are a few hundred bytes
/// for each shard that it deals with, so this is room for thousands; a shard whose headers are huge
/// delays only itself.
pub const MAX_PENDING_BYTES: usize = 64 << 20;
/// Most equivocations of which both headers are kept, besides the first of each shard; more are only
/// counted.
pub const MAX_EQUIVOCATIONS: usize = 64;

/// Two certified headers of one shard and height. Shows to anyone that the shard is faulty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equivocation {
    /// The one that was seen first.
    pub first: SignedHeader,
    /// The one that contradicts it.
    pub second: SignedHeader,
}

/// Certified headers of all shards.
#[derive(Clone, Debug)]
pub struct HeaderPool {
    settings: Arc<Settings>,
    shards: Vec<Pending>,
    equivocations: Vec<Equivocation>,
    equivocated: u64,
}

/// Certified headers of one shard.
#[derive(Clone, Debug)]
struct Pending {
    tip: Height,
    tip_hash: B256,
    tip_header: Option<SignedHeader>,
    headers: BTreeMap<Height, SignedHeader>,
    /// Encoded bytes of `headers`.
    bytes: usize,
    /// Heights from the tip on of which two headers are known.
    conflicts: BTreeSet<Height>,
    /// Highest height that the shard itself spoke of.
    claimed: Height,
}

impl HeaderPool {
    /// An empty pool above a checkpoint.
    #[must_use]
    pub fn new(settings: Arc<Settings>, tip: &CheckpointState) -> Self {
        let pending = |shard| {
            let previous = tip.previous(shard);
            Pending {
                tip: previous.map_or(Height::ZERO, |previous| previous.height),
                tip_hash: previous.map_or(B256::ZERO, |previous| previous.hash),
                tip_header: None,
                headers: BTreeMap::new(),
                bytes: 0,
                conflicts: BTreeSet::new(),
                claimed: Height::ZERO,
            }
        };
        let shards = settings.shard_ids().map(pending).collect();
        Self { settings, shards, equivocations: Vec::new(), equivocated: 0 }
    }

    /// Takes a header that came from `from`: its own shard, or one that consumed it.
    ///
    /// # Errors
    /// Why it is dropped.
    pub fn take(
        &mut self,
        from: ShardId,
        signed: SignedHeader,
        work: &mut Work,
    ) -> Result<(), DropReason> {
        let bound = u64::from(self.settings.bounds.pending_headers);
        let Some(pending) = self.shards.get_mut(signed.shard.0 as usize) else {
            return Err(DropReason::Invalid);
        };
        if from == signed.shard {
            pending.claimed = pending.claimed.max(signed.height);
        }
        if signed.height > Height(pending.tip.0.saturating_add(bound)) {
            return Err(DropReason::TooFarAhead);
        }
        let bytes = encoded_bytes(&signed);
        if bytes > MAX_HEADER_BYTES {
            return Err(DropReason::TooMany);
        }
        // The next one always fits: without it the shard would never move again.
        let is_next = signed.height == pending.tip.next();
        if pending.bytes.saturating_add(bytes) > MAX_PENDING_BYTES && !is_next {
            return Err(DropReason::QueueFull);
        }
        let known = match pending.headers.get(&signed.height) {
            Some(known) => Some(known),
            None => pending.tip_header.as_ref().filter(|tip| tip.height == signed.height),
        };
        if let Some(known) = known {
            if known.hash() == signed.hash() || pending.conflicts.contains(&signed.height) {
                return Err(DropReason::Duplicate);
            }
        } else if signed.height <= pending.tip {
            return Err(DropReason::Duplicate);
        } else if signed.height == pending.tip.next() && signed.parent != pending.tip_hash {
            return Err(DropReason::Disconnected);
        }
        work.verifications += 1;
        if check_certificate(&self.settings, &signed).is_err() {
            return Err(DropReason::Signature);
        }
        let Some(first) = known.cloned() else {
            pending.bytes = pending.bytes.saturating_add(bytes);
            pending.headers.insert(signed.height, signed);
            return Ok(());
        };
        self.convict(first, signed);
        Err(DropReason::Invalid)
    }

    /// Takes headers of a valid proposal, whose certificates are checked. What does not fit is not
    /// needed.
    pub fn absorb(&mut self, evidence: &[SignedHeader]) {
        let bound = u64::from(self.settings.bounds.pending_headers);
        for signed in evidence {
            let Some(pending) = self.shards.get_mut(signed.shard.0 as usize) else { continue };
            let heights = pending.tip.next()..=Height(pending.tip.0.saturating_add(bound));
            if !heights.contains(&signed.height) {
                continue;
            }
            let first = match pending.headers.entry(signed.height) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => {
                    pending.bytes = pending.bytes.saturating_add(encoded_bytes(signed));
                    free.insert(signed.clone())
                }
            };
            if first.hash() != signed.hash() && !pending.conflicts.contains(&signed.height) {
                let first = first.clone();
                self.convict(first, signed.clone());
            }
        }
    }

    /// Whether exactly this header with this certificate was checked before.
    #[must_use]
    pub fn knows(&self, signed: &SignedHeader) -> bool {
        let pending = self.shards.get(signed.shard.0 as usize);
        pending.and_then(|pending| pending.headers.get(&signed.height)) == Some(signed)
    }

    /// The header of `shard` at `height`, if it is pending or the newest crosslinked one.
    #[must_use]
    pub fn at(&self, shard: ShardId, height: Height) -> Option<&SignedHeader> {
        let pending = self.shards.get(shard.0 as usize)?;
        let tip = pending.tip_header.as_ref().filter(|tip| tip.height == height);
        pending.headers.get(&height).or(tip)
    }

    /// Headers of `shard` above `height`, ascending, up to a gap or an equivocation. Whether they
    /// are linked is for the caller to see.
    pub fn above(&self, shard: ShardId, height: Height) -> impl Iterator<Item = &SignedHeader> {
        let pending = self.shards.get(shard.0 as usize);
        let end = pending.and_then(|pending| pending.conflicts.range(height.next()..).next());
        let end = end.copied().unwrap_or(Height(u64::MAX));
        pending
            .into_iter()
            .flat_map(move |pending| pending.headers.range(height.next()..))
            .zip(height.0.saturating_add(1)..)
            .take_while(move |((at, _), expected)| at.0 == *expected && **at < end)
            .map(|((_, signed), _)| signed)
    }

    /// Moves up to a final checkpoint, whose newest headers are in `evidence`. Headers that do not
    /// continue it are forgotten.
    pub fn advance(&mut self, state: &CheckpointState, evidence: &[SignedHeader]) {
        for signed in evidence {
            if let Some(pending) = self.shards.get_mut(signed.shard.0 as usize) {
                pending.tip_header = Some(signed.clone());
            }
        }
        for (shard, pending) in self.settings.shard_ids().zip(&mut self.shards) {
            let Some(previous) = state.previous(shard) else { continue };
            pending.tip = previous.height;
            pending.tip_hash = previous.hash;
            pending.conflicts = pending.conflicts.split_off(&previous.height);
            pending.headers = pending.headers.split_off(&previous.height.next());
            pending.forget_fork();
            pending.bytes = pending.headers.values().map(encoded_bytes).sum();
        }
    }

    /// The highest known header of a shard: pending, or else its last crosslinked one.
    #[must_use]
    pub fn newest(&self, shard: ShardId) -> Option<&SignedHeader> {
        let pending = self.shards.get(shard.0 as usize)?;
        let last = pending.headers.last_key_value().map(|(_, signed)| signed);
        last.or(pending.tip_header.as_ref())
    }

    /// The heights of `shard` that are missing below `named` or below what the shard spoke of: from
    /// and to, within the pool's bound.
    #[must_use]
    pub fn missing(&self, shard: ShardId, named: Height) -> Option<(Height, Height)> {
        let pending = self.shards.get(shard.0 as usize)?;
        let bound = u64::from(self.settings.bounds.pending_headers);
        let mut from = pending.tip.next();
        let mut until = named.max(pending.claimed);
        for height in pending.headers.keys() {
            if *height != from {
                // The gap below a known header.
                until = height.previous().unwrap_or(Height::ZERO);
                break;
            }
            from = from.next();
        }
        let until = until.min(Height(pending.tip.0.saturating_add(bound)));
        (from <= until).then_some((from, until))
    }

    /// Equivocations of shards, the first [`MAX_EQUIVOCATIONS`] and the first of each shard.
    #[must_use]
    pub fn equivocations(&self) -> &[Equivocation] {
        &self.equivocations
    }

    /// How many equivocations were seen.
    #[must_use]
    pub fn equivocated(&self) -> u64 {
        self.equivocated
    }

    /// How many headers of `shard` are pending.
    #[must_use]
    pub fn pending(&self, shard: ShardId) -> usize {
        self.shards.get(shard.0 as usize).map_or(0, |pending| pending.headers.len())
    }

    /// Takes over an equivocation that an earlier life had seen.
    pub(crate) fn remember(&mut self, pair: Equivocation) {
        self.equivocated += 1;
        self.equivocations.push(pair);
    }

    /// Keeps two certified headers of one height, for the first time. An earlier life may have kept
    /// them.
    fn convict(&mut self, first: SignedHeader, second: SignedHeader) {
        if let Some(pending) = self.shards.get_mut(second.shard.0 as usize) {
            pending.conflicts.insert(second.height);
        }
        let of = |known: &&Equivocation| known.first.shard == second.shard;
        let mut known = self.equivocations.iter().filter(of).peekable();
        let room = self.equivocations.len() < MAX_EQUIVOCATIONS || known.peek().is_none();
        if known.any(|known| known.first.height == second.height) {
            return;
        }
        self.equivocated += 1;
        if room {
            self.equivocations.push(Equivocation { first, second });
        }
    }
}

impl Pending {
    /// Forgets a fork that lost: headers that continue something else than the tip.
    fn forget_fork(&mut self) {
        let mut height = self.tip.next();
        let lost = |first: &SignedHeader| first.parent != self.tip_hash;
        if !self.headers.get(&height).is_some_and(lost) {
            return;
        }
        while let Some(removed) = self.headers.remove(&height) {
            height = height.next();
            let hash = removed.hash();
            if self.headers.get(&height).is_none_or(|next| next.parent != hash) {
                return;
            }
        }
    }
}

//! The client's account of every transaction: what was sent, what blocks and checkpoints say of it,
//! and what came of it (rules R-CLI-4 to R-CLI-6).
//!
//! Legs are counted, not ordered: notices of different shards may arrive in any order. While a
//! call's notice is overtaken by its refund's, the numbers may look complete too early; the outcome
//! is computed anew with every leg, so it is right once all have arrived.

use std::collections::BTreeMap;

use alloy_primitives::map::HashMap;
use cross_shard_msg::{BlockNotice, Height, LegStatus, Refusal, ShardId, TransactionKey};

use crate::workload::{SignedWorkload, Stage};

/// What became of a transaction (R-CLI-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// All legs were executed and are final.
    Settled,
    /// The same, but a leg failed.
    Failed,
    /// No shard took it in time.
    Refused(Refusal),
    /// Another one with its sender and nonce took its place.
    Replaced,
    /// None of these when the client ended.
    Unfinished,
}

/// How many transactions of a stage are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub total: u32,
    /// Sent at least once.
    pub submitted: u32,
    /// Taken by a mempool, or executed.
    pub admitted: u32,
    /// Executed at their source.
    pub included: u32,
    /// All legs executed, none failed; creations: and the placement is final.
    pub settled: u32,
    /// All legs executed, one failed.
    pub failed: u32,
    /// Refused for the last time.
    pub refused: u32,
    /// Replaced.
    pub replaced: u32,
    /// Settled or failed, and covered by finalized checkpoints.
    pub finalized: u32,
    /// Finalized, refused or replaced: nothing more is expected.
    pub decided: u32,
}

/// The account of a workload.
#[derive(Debug)]
pub(super) struct Book {
    indices: HashMap<TransactionKey, u32>,
    entries: Vec<Entry>,
    tallies: [Tally; 3],
    shards: Vec<Shard>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    stage: Stage,
    attempts: u32,
    admitted: bool,
    included: bool,
    failed: bool,
    refusal: Option<Refusal>,
    /// Receipts that its legs caused.
    caused: u32,
    /// Receipt legs that were executed.
    executed: u32,
    /// Legs whose block no finalized checkpoint covers.
    uncovered: u32,
    /// Those of them that created a contract.
    creating: u32,
}

#[derive(Debug, Default)]
struct Shard {
    /// The last height that a finalized checkpoint covers.
    covered: Height,
    /// Every block that was noticed, with its legs until it is covered: the transaction, and
    /// whether the leg created a contract.
    blocks: BTreeMap<Height, Vec<(u32, bool)>>,
}

impl Book {
    pub(super) fn new(workload: &SignedWorkload, shards: u32) -> Self {
        let mut tallies = [Tally::default(); 3];
        let mut indices = HashMap::default();
        indices.reserve(workload.transactions.len());
        let mut entries = Vec::with_capacity(workload.transactions.len());
        for (index, transaction) in (0..).zip(&workload.transactions) {
            indices.insert(transaction.key, index);
            entries.push(Entry::new(transaction.stage));
            let [deploy, prepare, run] = &mut tallies;
            let tally = match transaction.stage {
                Stage::Deploy => deploy,
                Stage::Prepare => prepare,
                Stage::Run => run,
            };
            tally.total += 1;
        }
        Self { indices, entries, tallies, shards: (0..shards).map(|_| Shard::default()).collect() }
    }

    /// The transaction with this key.
    pub(super) fn index(&self, key: TransactionKey) -> Option<u32> {
        self.indices.get(&key).copied()
    }

    pub(super) fn tally(&self, stage: Stage) -> Tally {
        let [deploy, prepare, run] = self.tallies;
        match stage {
            Stage::Deploy => deploy,
            Stage::Prepare => prepare,
            Stage::Run => run,
        }
    }

    /// How often a transaction was sent.
    pub(super) fn attempts(&self, index: u32) -> u32 {
        self.entries.get(index as usize).map_or(0, |entry| entry.attempts)
    }

    /// Whether sending it again would be wrong: it is in a block, or was given up.
    pub(super) fn is_decided(&self, index: u32) -> bool {
        let decided = |entry: &Entry| entry.included || entry.refusal.is_some();
        self.entries.get(index as usize).is_some_and(decided)
    }

    /// Counts an attempt and returns its number.
    pub(super) fn submitted(&mut self, index: u32) -> u32 {
        self.change(index, |entry| entry.attempts = entry.attempts.saturating_add(1));
        self.attempts(index)
    }

    pub(super) fn admitted(&mut self, index: u32) {
        self.change(index, |entry| entry.admitted = true);
    }

    /// Notes the last refusal of a transaction.
    pub(super) fn refused(&mut self, index: u32, refusal: Refusal) {
        self.change(index, |entry| entry.refusal = Some(refusal));
    }

    /// Takes the legs of a block; `false` if they were taken before or the shard does not exist.
    pub(super) fn include(&mut self, notice: &BlockNotice) -> bool {
        let Some(shard) = self.shards.get(notice.shard.0 as usize) else { return false };
        if shard.blocks.contains_key(&notice.height) {
            return false;
        }
        let covered = notice.height <= shard.covered;
        let mut uncovered = Vec::new();
        for leg in &notice.legs {
            let Some(index) = self.index(leg.key) else { continue };
            let creates = leg.created > 0;
            self.change(index, |entry| {
                if leg.first {
                    entry.included = true;
                } else {
                    entry.executed += 1;
                }
                entry.caused += leg.caused;
                entry.failed |= matches!(leg.status, LegStatus::Failed(_));
                entry.uncovered += u32::from(!covered);
                entry.creating += u32::from(!covered && creates);
            });
            if !covered {
                uncovered.push((index, creates));
            }
        }
        if let Some(shard) = self.shards.get_mut(notice.shard.0 as usize) {
            shard.blocks.insert(notice.height, uncovered);
        }
        true
    }

    /// A finalized checkpoint covers a shard's blocks up to `tip`.
    pub(super) fn cover(&mut self, shard: ShardId, tip: Height) {
        let Some(shard) = self.shards.get_mut(shard.0 as usize) else { return };
        let first = shard.covered.next();
        if tip < first {
            return;
        }
        shard.covered = tip;
        let legs: Vec<(u32, bool)> = shard
            .blocks
            .range_mut(first..=tip)
            .flat_map(|(_, legs)| std::mem::take(legs))
            .collect();
        for (index, created) in legs {
            self.change(index, |entry| {
                entry.uncovered = entry.uncovered.saturating_sub(1);
                entry.creating = entry.creating.saturating_sub(u32::from(created));
            });
        }
    }

    /// The outcome of every transaction, in the order of the workload. What is settled but not
    /// final is unfinished.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        self.entries.iter().map(Entry::outcome).collect()
    }

    fn change(&mut self, index: u32, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(index as usize) else { return };
        let before = entry.tally();
        change(entry);
        let after = entry.tally();
        let [deploy, prepare, run] = &mut self.tallies;
        let tally = match entry.stage {
            Stage::Deploy => deploy,
            Stage::Prepare => prepare,
            Stage::Run => run,
        };
        *tally = tally.plus(&after).minus(&before);
    }
}

impl Entry {
    fn new(stage: Stage) -> Self {
        Self {
            stage,
            attempts: 0,
            admitted: false,
            included: false,
            failed: false,
            refusal: None,
            caused: 0,
            executed: 0,
            uncovered: 0,
            creating: 0,
        }
    }

    /// Where this one transaction counts. `total` stays 0: it does not change.
    fn tally(&self) -> Tally {
        let complete = self.included && self.executed == self.caused;
        let finalized = complete && self.uncovered == 0;
        // What a block holds was not refused, whatever was said before.
        let refusal = self.refusal.filter(|_| !self.included);
        let replaced = refusal == Some(Refusal::Replaced);
        let refused = refusal.is_some() && !replaced;
        Tally {
            total: 0,
            submitted: u32::from(self.attempts > 0),
            admitted: u32::from(self.admitted || self.included),
            included: u32::from(self.included),
            settled: u32::from(complete && !self.failed && self.creating == 0),
            failed: u32::from(complete && self.failed),
            refused: u32::from(refused),
            replaced: u32::from(replaced),
            finalized: u32::from(finalized),
            decided: u32::from(finalized || refused || replaced),
        }
    }

    fn outcome(&self) -> Outcome {
        let tally = self.tally();
        match self.refusal {
            _ if tally.finalized > 0 && self.failed => Outcome::Failed,
            _ if tally.finalized > 0 => Outcome::Settled,
            Some(_) if tally.replaced > 0 => Outcome::Replaced,
            Some(refusal) if tally.refused > 0 => Outcome::Refused(refusal),
            _ => Outcome::Unfinished,
        }
    }
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.with(other, u32::saturating_add)
    }

    fn minus(&self, other: &Self) -> Self {
        self.with(other, u32::saturating_sub)
    }

    fn with(&self, other: &Self, of: fn(u32, u32) -> u32) -> Self {
        Self {
            total: of(self.total, other.total),
            submitted: of(self.submitted, other.submitted),
            admitted: of(self.admitted, other.admitted),
            included: of(self.included, other.included),
            settled: of(self.settled, other.settled),
            failed: of(self.failed, other.failed),
            refused: of(self.refused, other.refused),
            replaced: of(self.replaced, other.replaced),
            finalized: of(self.finalized, other.finalized),
            decided: of(self.decided, other.decided),
        }
    }
}

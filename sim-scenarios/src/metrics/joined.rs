//! One network's observations and records, joined by transaction. Every join is a look-up, so that
//! a million transactions take seconds.

use std::collections::BTreeMap;

use alloy_primitives::map::HashMap;
use cross_shard_msg::{DropReason, NodeId, Refusal, TransactionKey};

use super::blocks::Blocks;
use super::checkpoints::{self, CheckpointRow};
use super::input::{NetworkData, TransactionInfo};
use super::legs::{LegRow, Legs};
use super::lifecycle::{self, Lifecycle};
use super::observed::Observed;
use super::stages::{self, LegTimes};

/// A network with everything that is known of its transactions.
#[derive(Debug)]
pub struct Joined<'a> {
    /// What it was computed from.
    pub data: &'a NetworkData,
    /// Every block, with times.
    pub blocks: Blocks<'a>,
    /// Every leg, by transaction.
    pub legs: Legs,
    /// One per planned transaction, at its index.
    pub lifecycles: Vec<Lifecycle>,
    /// Finalized checkpoints, ascending.
    pub checkpoints: Vec<CheckpointRow>,
    observed: Observed,
}

impl<'a> Joined<'a> {
    /// Joins what one network left.
    #[must_use]
    pub fn new(data: &'a NetworkData) -> Self {
        let index: HashMap<TransactionKey, u32> =
            data.transactions.iter().zip(0..).map(|(info, at)| (info.key, at)).collect();
        let mut blocks = Blocks::new(&data.records);
        let observed = Observed::new(data, &index, &mut blocks);
        let checkpoints = checkpoints::join(&data.records, &observed, &mut blocks);
        let legs = Legs::new(data.transactions.len(), &index, &blocks);
        let transactions = data.transactions.iter().enumerate();
        let lifecycles = transactions
            .filter_map(|(at, info)| {
                lifecycle::join(at, info.source, data.end, &blocks, &legs, &observed)
            })
            .collect();
        Self { data, blocks, legs, lifecycles, checkpoints, observed }
    }

    /// Every transaction with its life.
    pub fn transactions(&self) -> impl Iterator<Item = (&'a TransactionInfo, &Lifecycle)> {
        self.data.transactions.iter().zip(&self.lifecycles)
    }

    /// When the receipt of a leg passed each point of its way.
    #[must_use]
    pub fn leg_times(&self, leg: &LegRow) -> LegTimes {
        stages::times(leg, &self.blocks, &self.observed)
    }

    /// Answers of shards by reason; what was tried again counts again.
    #[must_use]
    pub fn refusals(&self) -> &BTreeMap<Refusal, u64> {
        &self.observed.refusals
    }

    /// Transactions whose sender was not where they were sent.
    #[must_use]
    pub fn rerouted(&self) -> u64 {
        self.observed.transactions.iter().filter(|times| times.rerouted).count() as u64
    }

    /// Inputs that nodes dropped.
    #[must_use]
    pub fn drops(&self) -> &BTreeMap<(NodeId, DropReason), u64> {
        &self.observed.drops
    }

    /// Views that ended without a value.
    #[must_use]
    pub fn view_changes(&self) -> u64 {
        self.observed.nullified.len() as u64
    }

    /// Blocks of which no observation is left, so that what they executed has no times.
    #[must_use]
    pub fn untimed_blocks(&self) -> u64 {
        self.blocks.rows().iter().filter(|row| !row.executed.is_known()).count() as u64
    }
}

//! What each shard did over the whole run, and how evenly the load fell on them.

use cross_shard_msg::{Cause, Gas, Leg, LegStatus, ShardId, codec};

use super::joined::Joined;
use super::legs;
use super::lifecycle::Class;
use crate::scenario::Scenario;

/// The weight of a cross-shard transaction in [`ShardRow::load`], shared over the shards that it
/// touched; an intra-shard one weighs 1. Known as η.
pub const CROSS_SHARD_WEIGHT: f64 = 2.0;

/// One shard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShardRow {
    /// The shard.
    pub shard: ShardId,
    /// Its blocks.
    pub blocks: u64,
    /// Transactions that it executed as their source.
    pub transactions: u64,
    /// Receipts that it executed or forwarded.
    pub receipts_in: u64,
    /// Receipts that it released.
    pub receipts_out: u64,
    /// Legs that failed.
    pub failed: u64,
    /// Gas that its blocks used.
    pub gas_used: Gas,
    /// Gas that its blocks could use.
    pub gas_limit: Gas,
    /// Most transactions that remained in its mempool after a block.
    pub mempool_max: u32,
    /// Most receipts in state that waited for gas or their account after a block.
    pub delayed_max: u64,
    /// Most receipts that waited for their release after a block.
    pub buffered_max: u64,
    /// Bytes of the transactions in its blocks, EIP-2718.
    pub transaction_bytes: u64,
    /// Bytes of the receipts that it released, as they travel.
    pub receipt_bytes: u64,
    /// Its share of the recorded load, in transactions (see [`CROSS_SHARD_WEIGHT`]).
    pub load: f64,
}

/// The rows of all shards, ascending, summed over networks.
pub(super) fn rows(scenario: &Scenario, networks: &[Joined<'_>]) -> Vec<ShardRow> {
    let shards = (0..scenario.network.shards).map(ShardId);
    let mut rows: Vec<ShardRow> =
        shards.map(|shard| ShardRow { shard, ..ShardRow::default() }).collect();
    for network in networks {
        for row in &mut rows {
            add_blocks(row, network);
        }
        add_load(&mut rows, scenario, network);
    }
    rows
}

/// Largest load over mean load; `None` without load. 1 is even.
#[must_use]
pub fn imbalance(rows: &[ShardRow]) -> Option<f64> {
    let sum: f64 = rows.iter().map(|row| row.load).sum();
    let max = rows.iter().map(|row| row.load).fold(0.0, f64::max);
    (sum > 0.0).then(|| max * rows.len() as f64 / sum)
}

fn add_blocks(row: &mut ShardRow, network: &Joined<'_>) {
    for block_row in network.blocks.of(row.shard) {
        let block = block_row.block;
        let header = &block.header;
        row.blocks += 1;
        row.transactions += block.body.transactions.len() as u64;
        let receipt = |leg: &&Leg| matches!(leg.cause, Cause::Receipt { .. });
        row.receipts_in += block.legs.iter().filter(receipt).count() as u64;
        row.gas_used = row.gas_used.plus(header.gas_used);
        row.gas_limit = row.gas_limit.plus(header.gas_limit);
        row.mempool_max = row.mempool_max.max(block_row.waiting.unwrap_or(0));
        row.delayed_max = row.delayed_max.max(header.congestion.delayed);
        row.buffered_max = row.buffered_max.max(header.congestion.buffered);
        let transactions = block.body.transactions.iter();
        row.transaction_bytes +=
            transactions.map(|(transaction, _)| transaction.encoded().len() as u64).sum::<u64>();
        for outgoing in &block.outgoing {
            row.receipts_out += outgoing.receipts.len() as u64;
            // What was sent could be encoded.
            row.receipt_bytes += codec::encode(outgoing).map_or(0, |bytes| bytes.len() as u64);
        }
        let failed = |leg: &&Leg| matches!(leg.status, LegStatus::Failed(_));
        row.failed += block.legs.iter().filter(failed).count() as u64;
    }
}

fn add_load(rows: &mut [ShardRow], scenario: &Scenario, network: &Joined<'_>) {
    for (at, (info, life)) in network.transactions().enumerate() {
        if info.setup || !is_recorded(scenario, info.phase) {
            continue;
        }
        let weight = match life.class {
            None => continue,
            Some(Class::Intra) => 1.0,
            Some(Class::Cross) => CROSS_SHARD_WEIGHT / f64::from(life.shards.max(1)),
        };
        for shard in legs::shards(network.legs.of(at), &network.blocks) {
            if let Some(row) = rows.get_mut(shard.0 as usize) {
                row.load += weight;
            }
        }
    }
}

/// Whether what is scheduled in the phase with this index enters the results.
pub(super) fn is_recorded(scenario: &Scenario, phase: u16) -> bool {
    scenario.phases.get(usize::from(phase)).is_some_and(|phase| phase.record)
}

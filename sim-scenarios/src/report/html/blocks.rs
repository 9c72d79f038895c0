//! Blocks and checkpoints of a run: the load and the queues of every shard over time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::source::{Document, HtmlError, each};
use super::timeline::Timeline;

/// A block.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockRow {
    /// Its network.
    pub network: u64,
    /// Its shard.
    pub shard: u64,
    /// Its height.
    pub height: u64,
    /// Transactions and incoming receipts in it.
    pub work: u64,
    /// Transactions that remained in the mempool.
    pub mempool: Option<u64>,
    /// Receipts in state that waited for gas or their account.
    pub delayed: u64,
    /// Receipts that waited for their release.
    pub buffered: u64,
    /// The checkpoint that covers it.
    pub checkpoint: Option<u64>,
    /// When it was executed.
    pub executed: Option<u64>,
}

/// A finalized checkpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckpointRow {
    /// Its network.
    pub network: u64,
    /// Its number.
    pub number: u64,
    /// Shards that moved.
    pub crosslinks: u64,
    /// Blocks that it covers.
    pub blocks: u64,
    /// When it was proposed.
    pub proposed: Option<u64>,
    /// When it was final.
    pub finalized: Option<u64>,
    /// Views that ended without a checkpoint since the one before was final.
    pub view_changes: u64,
}

/// Blocks and checkpoints.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// Ascending by network, shard and height.
    pub blocks: Vec<BlockRow>,
    /// Ascending by network and number.
    pub checkpoints: Vec<CheckpointRow>,
}

/// Something of every shard, one value per bin.
pub(super) type ByShard = Vec<Vec<Option<f64>>>;

impl Chain {
    /// Reads blocks.csv and checkpoints.csv.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn read(directory: &Path) -> Result<Self, HtmlError> {
        let mut chain = Self::default();
        let columns = [
            "network",
            "shard",
            "height",
            "transactions",
            "receipts_in",
            "mempool",
            "delayed",
            "buffered",
            "checkpoint",
            "executed_ns",
        ];
        each(directory, "blocks.csv", columns, |row| {
            let count = |column| row.number(column).unwrap_or(0);
            chain.blocks.push(BlockRow {
                network: count(0),
                shard: count(1),
                height: count(2),
                work: count(3).saturating_add(count(4)),
                mempool: row.number(5),
                delayed: count(6),
                buffered: count(7),
                checkpoint: row.number(8),
                executed: row.number(9),
            });
        })?;
        let columns = [
            "network",
            "number",
            "crosslinks",
            "blocks",
            "proposed_ns",
            "finalized_ns",
            "?view_changes",
        ];
        each(directory, "checkpoints.csv", columns, |row| {
            let count = |column| row.number(column).unwrap_or(0);
            chain.checkpoints.push(CheckpointRow {
                network: count(0),
                number: count(1),
                crosslinks: count(2),
                blocks: count(3),
                proposed: row.number(4),
                finalized: row.number(5),
                view_changes: count(6),
            });
        })?;
        Ok(chain)
    }

    /// The time that they took.
    #[must_use]
    pub fn timeline(&self, summary: &Document) -> Timeline {
        let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
        let blocks = self.blocks.iter().map(|block| (block.network, block.executed));
        let checkpoints = self.checkpoints.iter().map(|it| (it.network, it.finalized));
        for (network, time) in blocks.chain(checkpoints) {
            let end = ends.entry(network).or_default();
            *end = (*end).max(time.unwrap_or(0));
        }
        Timeline::new(&ends, self.interval(&ends), summary)
    }

    /// The mean time from one block of a shard to the next, so that a bin is no shorter.
    fn interval(&self, ends: &BTreeMap<u64, u64>) -> u64 {
        let chains: BTreeSet<(u64, u64)> =
            self.blocks.iter().map(|block| (block.network, block.shard)).collect();
        let time: u64 = chains.iter().filter_map(|(network, _)| ends.get(network)).sum();
        // A little less, so that 499.9 ms do not make bins of a second.
        time.checked_div(self.blocks.len() as u64).unwrap_or(0) / 50 * 45
    }

    /// Transactions and receipts per second that entered the blocks of each shard. A block counts
    /// evenly over the time since the one before.
    #[must_use]
    pub fn load(&self, shards: usize, time: &Timeline) -> ByShard {
        let mut load = vec![vec![0.0; time.bins()]; shards];
        let mut before: Option<BlockRow> = None;
        for block in &self.blocks {
            let same = before.filter(|it| (it.network, it.shard) == (block.network, block.shard));
            let from = same.and_then(|it| it.executed).unwrap_or(0);
            before = Some(*block);
            let (Some(to), Some(bins)) = (block.executed, load.get_mut(block.shard as usize))
            else {
                continue;
            };
            let place = |at| time.place(block.network, at) as f64 / 1e9;
            add_evenly(bins, time, (place(from), place(to)), block.work as f64);
        }
        let rate = |(bin, sum): (usize, f64)| {
            let (from, to) = time.bounds(bin);
            Some(sum / (to - from).max(1e-9))
        };
        load.into_iter().map(|bins| bins.into_iter().enumerate().map(rate).collect()).collect()
    }

    /// The longest that a queue of each shard was in each bin; without a block in it, as before.
    #[must_use]
    pub fn queue(
        &self,
        shards: usize,
        time: &Timeline,
        length: fn(&BlockRow) -> Option<u64>,
    ) -> ByShard {
        let mut queues: ByShard = vec![vec![None; time.bins()]; shards];
        let mut last: Vec<(Option<usize>, f64)> = vec![(None, 0.0); shards];
        for block in &self.blocks {
            let bin = block.executed.and_then(|at| time.bin(block.network, at));
            let (Some(bin), Some(length)) = (bin, length(block)) else { continue };
            let shard = block.shard as usize;
            let (Some(bins), Some(known)) = (queues.get_mut(shard), last.get_mut(shard)) else {
                continue;
            };
            let since = known.0.map_or(bin, |at| at + 1).min(bin);
            for gap in &mut bins[since..bin] {
                gap.get_or_insert(known.1);
            }
            let length = length as f64;
            bins[bin] = Some(bins[bin].map_or(length, |most: f64| most.max(length)));
            *known = (Some(bin), length);
        }
        queues
    }
}

/// Spreads an amount over the bins between two times, in seconds.
fn add_evenly(bins: &mut [f64], time: &Timeline, (from, to): (f64, f64), amount: f64) {
    if bins.is_empty() {
        return;
    }
    let width = time.bin_seconds();
    let last = bins.len() - 1;
    let at = |seconds: f64| ((seconds / width) as usize).min(last);
    if to <= from {
        bins[at(to)] += amount;
        return;
    }
    for (bin, sum) in bins.iter_mut().enumerate().take(at(to) + 1).skip(at(from)) {
        let (start, end) = time.bounds(bin);
        *sum += amount * (end.min(to) - start.max(from)).max(0.0) / (to - from);
    }
}

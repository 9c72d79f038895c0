//! Every block of every shard, with the times at which it was started, executed, released and
//! finalized.

use std::collections::BTreeMap;
use std::ops::Range;

use cross_shard_msg::{Block, CheckpointNumber, Height, ShardId, Timestamp};
use simulation::checkers::Records;

use super::Moment;

/// Position of a block in [`Blocks::rows`].
pub type BlockIndex = u32;

/// A block and its times.
#[derive(Clone, Copy, Debug)]
pub struct BlockRow<'a> {
    /// The block.
    pub block: &'a Block,
    /// When its execution began.
    pub started: Moment,
    /// When it was executed.
    pub executed: Moment,
    /// When it was durable and its header and receipts were sent.
    pub released: Moment,
    /// Transactions that remained in the mempool.
    pub waiting: Option<u32>,
    /// The finalized checkpoint that covers it.
    pub checkpoint: Option<CheckpointNumber>,
    /// When the first coordinator finalized that checkpoint.
    pub finalized: Moment,
}

impl BlockRow<'_> {
    /// The shard.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.block.header.shard
    }

    /// The height.
    #[must_use]
    pub fn height(&self) -> Height {
        self.block.header.height
    }

    /// When it was executed; where the observation is lost, the header's time, which is earlier.
    /// For ordering only.
    #[must_use]
    pub fn order(&self) -> Timestamp {
        self.executed.time().unwrap_or(self.block.header.timestamp)
    }
}

/// All blocks, ascending by shard and height.
#[derive(Debug, Default)]
pub struct Blocks<'a> {
    rows: Vec<BlockRow<'a>>,
    shards: BTreeMap<ShardId, Range<usize>>,
}

impl<'a> Blocks<'a> {
    /// The blocks of these records, without times.
    #[must_use]
    pub fn new(records: &'a Records) -> Self {
        let mut blocks = Self::default();
        for (shard, chain) in &records.blocks {
            let first = blocks.rows.len();
            blocks.rows.extend(chain.iter().map(|block| BlockRow {
                block,
                started: Moment::NONE,
                executed: Moment::NONE,
                released: Moment::NONE,
                waiting: None,
                checkpoint: None,
                finalized: Moment::NONE,
            }));
            blocks.shards.insert(*shard, first..blocks.rows.len());
        }
        blocks
    }

    /// All of them.
    #[must_use]
    pub fn rows(&self) -> &[BlockRow<'a>] {
        &self.rows
    }

    /// Those of one shard.
    #[must_use]
    pub fn of(&self, shard: ShardId) -> &[BlockRow<'a>] {
        self.shards.get(&shard).and_then(|range| self.rows.get(range.clone())).unwrap_or_default()
    }

    /// The block at a position that came from here.
    #[must_use]
    pub fn at(&self, index: BlockIndex) -> &BlockRow<'a> {
        &self.rows[index as usize]
    }

    /// Where the block of this shard and height is.
    #[must_use]
    pub fn find(&self, shard: ShardId, height: Height) -> Option<BlockIndex> {
        let range = self.shards.get(&shard)?;
        let within = self.of(shard).binary_search_by_key(&height, BlockRow::height).ok()?;
        BlockIndex::try_from(range.start + within).ok()
    }

    pub(super) fn find_mut(&mut self, shard: ShardId, height: Height) -> Option<&mut BlockRow<'a>> {
        let index = self.find(shard, height)?;
        self.rows.get_mut(index as usize)
    }
}

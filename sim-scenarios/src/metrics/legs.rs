//! Every leg in every block, gathered by the transaction that it belongs to.

use std::collections::BTreeMap;

use alloy_primitives::map::HashMap;
use cross_shard_msg::{
    Block, Cause, Height, Incoming, Leg, Receipt, ReceiptKind, Sequence, ShardId, TransactionKey,
};

use super::blocks::{BlockIndex, Blocks};

/// One executed leg of a known transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegRow {
    /// Position of the transaction in the plan.
    pub transaction: u32,
    /// The block that executed it.
    pub block: BlockIndex,
    /// Its position among the block's legs.
    pub position: u32,
    /// Where its receipt came from; `None` for the transaction's own leg at its source.
    pub origin: Option<Origin>,
}

/// Where a receipt came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The source. The executing shard itself for what a contract sent to its own shard.
    pub source: ShardId,
    /// Its place in the source's sequence.
    pub sequence: Sequence,
    /// What it asks for.
    pub kind: ReceiptKind,
    /// The source's block that released it; `None` if it did not travel.
    pub released: Option<Height>,
    /// The block that caused it: the source's, unless it was forwarded. `None` if it did not
    /// travel.
    pub caused: Option<Height>,
}

impl LegRow {
    /// The leg as its block has it.
    #[must_use]
    pub fn leg<'a>(&self, blocks: &Blocks<'a>) -> &'a Leg {
        &blocks.at(self.block).block.legs[self.position as usize]
    }

    /// The kind of its receipt; `None` for the transaction's own leg.
    #[must_use]
    pub fn kind(&self) -> Option<ReceiptKind> {
        self.origin.map(|origin| origin.kind)
    }
}

/// Legs, ascending by transaction and, of one transaction, by time of execution.
#[derive(Debug, Default)]
pub struct Legs {
    rows: Vec<LegRow>,
    /// Where the legs of each transaction begin; one more entry than transactions.
    offsets: Vec<u32>,
    /// Whether a receipt of the transaction was released.
    pub(super) travelled: Vec<bool>,
    /// Legs of transactions that are not in the plan: migrations, for example.
    pub unknown: u64,
}

impl Legs {
    /// Gathers the legs of `transactions` planned transactions; `index` finds one by its key.
    #[must_use]
    pub fn new(
        transactions: usize,
        index: &HashMap<TransactionKey, u32>,
        blocks: &Blocks<'_>,
    ) -> Self {
        let mut legs = Self { travelled: vec![false; transactions], ..Self::default() };
        let mut entered = Entered::default();
        for (row, position) in blocks.rows().iter().zip(0..) {
            legs.gather(row.block, position, index, &mut entered);
        }
        legs.rows.sort_unstable_by_key(|leg| {
            (leg.transaction, blocks.at(leg.block).order(), leg.block, leg.position)
        });
        legs.offsets = offsets(transactions, &legs.rows);
        legs
    }

    /// All legs.
    #[must_use]
    pub fn rows(&self) -> &[LegRow] {
        &self.rows
    }

    /// The legs of the transaction at this position.
    #[must_use]
    pub fn of(&self, transaction: usize) -> &[LegRow] {
        let bound = |at: usize| self.offsets.get(at).map_or(0, |offset| *offset as usize);
        self.rows.get(bound(transaction)..bound(transaction + 1)).unwrap_or_default()
    }

    fn gather<'a>(
        &mut self,
        block: &'a Block,
        position: BlockIndex,
        index: &HashMap<TransactionKey, u32>,
        entered: &mut Entered<'a>,
    ) {
        entered.take(block);
        let shard = block.header.shard;
        for (leg, at) in block.legs.iter().zip(0..) {
            let Some(transaction) = index.get(&leg.key) else {
                self.unknown += 1;
                continue;
            };
            let origin = match leg.cause {
                Cause::Transaction(_) => None,
                Cause::Receipt { source, sequence, kind } => {
                    let found = entered.find(shard, source, sequence);
                    let released = found.map(|(height, _)| height);
                    let caused = found.map(|(_, receipt)| receipt.caused);
                    Some(Origin { source, sequence, kind, released, caused })
                }
            };
            self.rows.push(LegRow {
                transaction: *transaction,
                block: position,
                position: at,
                origin,
            });
        }
        for receipt in block.outgoing.iter().flat_map(|outgoing| &outgoing.receipts) {
            let known = index.get(&receipt.key()).map(|transaction| *transaction as usize);
            if let Some(travelled) = known.and_then(|at| self.travelled.get_mut(at)) {
                *travelled = true;
            }
        }
    }
}

/// The shards that executed these legs, ascending.
#[must_use]
pub fn shards(legs: &[LegRow], blocks: &Blocks<'_>) -> Vec<ShardId> {
    let mut shards: Vec<ShardId> = legs.iter().map(|leg| blocks.at(leg.block).shard()).collect();
    shards.sort_unstable();
    shards.dedup();
    shards
}

/// Batches that entered state, by destination and source, in order: a receipt may be executed in a
/// later block than the one it entered in.
#[derive(Default)]
struct Entered<'a>(BTreeMap<(ShardId, ShardId), Vec<&'a Incoming>>);

impl<'a> Entered<'a> {
    fn take(&mut self, block: &'a Block) {
        for batch in &block.body.incoming {
            self.0.entry((block.header.shard, batch.source)).or_default().push(batch);
        }
    }

    fn find(
        &self,
        destination: ShardId,
        source: ShardId,
        sequence: Sequence,
    ) -> Option<(Height, &'a Receipt)> {
        let batches = self.0.get(&(destination, source))?;
        let after = batches.partition_point(|batch| batch.first <= sequence);
        let batch = batches.get(after.checked_sub(1)?)?;
        let within = usize::try_from(sequence.0.checked_sub(batch.first.0)?).ok()?;
        Some((batch.height, batch.receipts.get(within)?))
    }
}

fn offsets(transactions: usize, rows: &[LegRow]) -> Vec<u32> {
    let mut counts = vec![0_u32; transactions + 1];
    for row in rows {
        if let Some(count) = counts.get_mut(row.transaction as usize + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for count in &mut counts {
        sum += *count;
        *count = sum;
    }
    counts
}

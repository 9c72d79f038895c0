//! Conservation: each shard's ledger balances at every block, what it says of receipts equals
//! their content, and at every checkpoint genesis + minted = held + in flight + burnt.
//!
//! What a shard holds is counted in its state where its blocks were executed again; its header must
//! say the same. What is in flight is counted receipt by receipt: released in the cut and not entered in it. So
//! the sum over all shards does not follow from their ledgers alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use cross_shard_msg::{Block, Checkpoint, Ledger, Receipt, ShardId, Wei};

use super::Records;
use super::finding::{Checked, Outcome, held};

/// Each shard's own books.
pub(super) fn books(records: &Records) -> Result<(), String> {
    for (shard, blocks) in &records.blocks {
        let genesis = genesis_of(records, *shard);
        ledgers(*shard, genesis, blocks)?;
        held_in_state(records, *shard, blocks)?;
    }
    Ok(())
}

pub(super) fn check(records: &Records) -> Outcome {
    books(records)?;
    let mut cut = Cut { records, taken: BTreeMap::new(), in_flight: BTreeMap::new() };
    for finalized in records.finalized().values() {
        let checkpoint = &finalized.checkpoint;
        cut.advance(checkpoint)
            .and_then(|()| cut.balances())
            .map_err(|what| format!("checkpoint {}: {what}", checkpoint.number))?;
    }
    let counted: usize = records.executions.values().map(|execution| execution.held.len()).sum();
    let checked = Checked::of("ledgers", records.block_count());
    held(checked.and("held_in_state", counted).and("checkpoints", records.finalized().len()))
}

/// What the header says that the shard holds is what its state holds, where its blocks were executed
/// again.
fn held_in_state(records: &Records, shard: ShardId, blocks: &[Arc<Block>]) -> Result<(), String> {
    let counted = records.executions.get(&shard).map_or(&[][..], |execution| &execution.held);
    for (block, counted) in blocks.iter().zip(counted) {
        let header = &block.header;
        if header.ledger.held != *counted {
            return Err(format!(
                "shard:{shard} block {}: the header says that it holds {}, its accounts and queues \
                 hold {counted}",
                header.height, header.ledger.held
            ));
        }
    }
    Ok(())
}

/// Each shard's own books, against the content of the receipts in its blocks.
fn ledgers(shard: ShardId, genesis: Wei, blocks: &[Arc<Block>]) -> Result<(), String> {
    let (mut received, mut sent) = (Wei::ZERO, Wei::ZERO);
    for block in blocks {
        let header = &block.header;
        let incoming = block.body.incoming.iter().flat_map(|batch| &batch.receipts);
        received = incoming.map(Receipt::value).fold(received, Wei::saturating_add);
        let outgoing = block.outgoing.iter().flat_map(|outgoing| &outgoing.receipts);
        sent = outgoing.map(Receipt::value).fold(sent, Wei::saturating_add);
        let ledger = &header.ledger;
        if !ledger.balances(genesis) {
            return Err(format!(
                "shard:{shard} block {}: {ledger:?} with genesis {genesis}",
                header.height
            ));
        }
        if ledger.received != received || ledger.sent != sent {
            return Err(format!(
                "shard:{shard} block {}: the ledger has received {} and sent {}, the receipts \
                 have {received} and {sent}",
                header.height, ledger.received, ledger.sent
            ));
        }
    }
    Ok(())
}

/// All shards at the newest checkpoint that was looked at.
struct Cut<'a> {
    records: &'a Records,
    /// Number of blocks that are covered, by shard.
    taken: BTreeMap<ShardId, usize>,
    /// Value of each receipt that was released and has not entered, by source, destination and
    /// sequence.
    in_flight: BTreeMap<(ShardId, ShardId, u64), Wei>,
}

impl<'a> Cut<'a> {
    /// Takes in the blocks that a checkpoint covers first: what they release, then what enters.
    fn advance(&mut self, checkpoint: &Checkpoint) -> Result<(), String> {
        let mut covered: Vec<(ShardId, &'a [Arc<Block>])> = Vec::new();
        for link in &checkpoint.crosslinks {
            covered.push((link.shard, self.cover(link.shard, link.tip().0)?));
        }
        for (source, blocks) in &covered {
            for outgoing in blocks.iter().flat_map(|block| &block.outgoing) {
                for (receipt, sequence) in outgoing.receipts.iter().zip(outgoing.first.0..) {
                    let name = (*source, outgoing.destination, sequence);
                    self.in_flight.insert(name, receipt.value());
                }
            }
        }
        for (destination, blocks) in &covered {
            for batch in blocks.iter().flat_map(|block| &block.body.incoming) {
                for (_, sequence) in batch.receipts.iter().zip(batch.first.0..) {
                    let source = batch.source;
                    if self.in_flight.remove(&(source, *destination, sequence)).is_none() {
                        return Err(format!(
                            "receipt {source}→{destination} #{sequence} entered, but is not in \
                             flight"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// The blocks of `shard` up to `tip` that were not covered before.
    fn cover(&mut self, shard: ShardId, tip: u64) -> Result<&'a [Arc<Block>], String> {
        let blocks = self.records.blocks.get(&shard).map_or(&[][..], Vec::as_slice);
        let before = self.taken.get(&shard).copied().unwrap_or(0);
        let end = blocks.partition_point(|block| block.header.height.0 <= tip);
        match blocks
            .get(before..end)
            .filter(|covered| covered.last().is_some_and(|block| block.header.height.0 == tip))
        {
            Some(covered) => {
                self.taken.insert(shard, end);
                Ok(covered)
            }
            None => Err(format!("shard:{shard} has no block {tip}")),
        }
    }

    fn balances(&self) -> Result<(), String> {
        let ledgers: Vec<Ledger> =
            self.records.settings.shard_ids().map(|shard| self.ledger(shard)).collect();
        let genesis = total(self.records.settings.genesis_held.iter().copied())?;
        let minted = total(ledgers.iter().map(|ledger| ledger.minted))?;
        let held = total(ledgers.iter().map(|ledger| ledger.held))?;
        let burnt = total(ledgers.iter().map(|ledger| ledger.burnt))?;
        let in_flight = total(self.in_flight.values().copied())?;
        if total([genesis, minted])? == total([held, in_flight, burnt])? {
            return Ok(());
        }
        Err(format!(
            "genesis {genesis} + minted {minted} is not held {held} + in flight {in_flight} + \
             burnt {burnt}"
        ))
    }

    /// The shard's ledger at the cut.
    fn ledger(&self, shard: ShardId) -> Ledger {
        let last = self.taken.get(&shard).and_then(|taken| taken.checked_sub(1));
        let block = last.and_then(|last| self.records.blocks.get(&shard)?.get(last));
        block.map_or_else(
            || Ledger { held: genesis_of(self.records, shard), ..Ledger::default() },
            |block| block.header.ledger,
        )
    }
}

fn total(values: impl IntoIterator<Item = Wei>) -> Result<Wei, String> {
    values
        .into_iter()
        .try_fold(Wei::ZERO, Wei::checked_add)
        .ok_or_else(|| "a sum of wei is beyond 256 bits".to_owned())
}

fn genesis_of(records: &Records, shard: ShardId) -> Wei {
    records.settings.genesis_held.get(shard.0 as usize).copied().unwrap_or_default()
}

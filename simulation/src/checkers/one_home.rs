//! One home: a block writes only accounts that live on its shard at the checkpoint that it names,
//! residents, or contracts that the shard itself created; and an account moves whole. Where the blocks
//! were executed again, no state has an account that lives elsewhere: as homes follow from checkpoints,
//! it is on one shard at most at each of them.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256};
use cross_shard_msg::{Action, Cause, CheckpointNumber, LegStatus, Migration, ShardId};
use partitioning::Allocation;

use super::Records;
use super::finding::{Checked, Outcome, held};

pub(super) fn check(records: &Records) -> Outcome {
    let mut writes = 0;
    let settings = &records.settings;
    let mut allocation =
        Allocation::new(settings.shard_count(), records.base, records.residents.clone());
    for finalized in records.finalized().values() {
        allocation.apply(&finalized.checkpoint);
    }
    for (shard, blocks) in &records.blocks {
        let mut created: BTreeSet<Address> = BTreeSet::new();
        let mut before = CheckpointNumber::ZERO;
        for block in blocks {
            let header = &block.header;
            created.extend(&header.placements);
            for address in &block.written {
                let home = allocation.home_at(address, header.checkpoint);
                // The block that applies a placement is the last one that writes its old home.
                let leaving = allocation.home_at(address, before).is(*shard);
                if !home.is(*shard) && !leaving && !created.contains(address) {
                    return Err(format!(
                        "shard:{shard} block {} writes {address}, whose home is {home:?}",
                        header.height
                    ));
                }
            }
            writes += block.written.len();
            before = header.checkpoint;
        }
    }
    let moves = moves(records)?;
    let mut compared = 0;
    for (shard, execution) in &records.executions {
        if let Some(what) = &execution.misplaced {
            return Err(format!("shard:{shard} {what}"));
        }
        compared += execution.moved;
    }
    let checked = Checked::of("written_accounts", writes);
    if moves == 0 && compared == 0 {
        return held(checked);
    }
    held(checked.and("moved_accounts", moves).and("compared_with_state", compared))
}

/// A part of an account is the same on all its way, and adds to state once. Returns how many moves of
/// accounts were seen from their first to their last part.
fn moves(records: &Records) -> Result<usize, String> {
    let mut parts: BTreeMap<(Address, CheckpointNumber, u32), B256> = BTreeMap::new();
    let mut missing: BTreeMap<(Address, CheckpointNumber), u32> = BTreeMap::new();
    for (shard, blocks) in &records.blocks {
        let mut entered: BTreeMap<(ShardId, u64), &Migration> = BTreeMap::new();
        for block in blocks {
            for batch in &block.body.incoming {
                for (receipt, sequence) in batch.receipts.iter().zip(batch.first.0..) {
                    let Action::Migrate(part) = &receipt.action else { continue };
                    entered.insert((batch.source, sequence), part);
                    let name = (part.account, part.checkpoint, part.part);
                    let digest = receipt.digest();
                    if *parts.entry(name).or_insert(digest) != digest {
                        return Err(format!(
                            "part {} of {}, moved by checkpoint {}, changes on its way to shard:{shard}",
                            part.part, part.account, part.checkpoint
                        ));
                    }
                    missing.entry((part.account, part.checkpoint)).or_insert(part.parts);
                }
            }
            for leg in &block.legs {
                let Cause::Receipt { source, sequence, .. } = leg.cause else { continue };
                let part = entered.get(&(source, sequence.0));
                let Some(part) = part.filter(|_| leg.status == LegStatus::Succeeded) else {
                    continue;
                };
                let left = missing.entry((part.account, part.checkpoint)).or_default();
                *left = left.checked_sub(1).ok_or_else(|| {
                    format!(
                        "parts of {}, moved by checkpoint {}, add to state more often than there \
                         are parts",
                        part.account, part.checkpoint
                    )
                })?;
            }
        }
    }
    Ok(missing.values().filter(|left| **left == 0).count())
}

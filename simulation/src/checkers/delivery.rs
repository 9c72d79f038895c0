//! Exactly once and in order: what a source released against what its destinations took in and
//! executed.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::map::HashMap;
use cross_shard_msg::{Cause, Receipt, Sequence, ShardId};

use super::Records;
use super::finding::{Checked, Outcome, held, not_applicable};

type Pair = (ShardId, ShardId);

pub(super) fn exactly_once(records: &Records) -> Outcome {
    if records.settings.shard_count() == 1 && released(records).is_empty() {
        return not_applicable("one shard has no receipts");
    }
    let released = released(records);
    let mut receipts = 0;
    for (destination, blocks) in &records.blocks {
        let mut entered: BTreeMap<(ShardId, Sequence), u32> = BTreeMap::new();
        for block in blocks {
            let height = block.header.height;
            for batch in &block.body.incoming {
                for (receipt, sequence) in batch.receipts.iter().zip(batch.first.0..) {
                    let name = || {
                        let source = batch.source;
                        format!("receipt {source}→{destination} #{sequence} in block {height}")
                    };
                    match released.get(&((batch.source, *destination), Sequence(sequence))) {
                        // A source whose blocks are not here (its disk is gone) proves nothing.
                        None if !records.blocks.contains_key(&batch.source) => {}
                        None => return Err(format!("{} was never released", name())),
                        Some(released) if *released != receipt => {
                            return Err(format!("{} is not what was released", name()));
                        }
                        Some(_) => {}
                    }
                    if entered.insert((batch.source, Sequence(sequence)), 0).is_some() {
                        return Err(format!("{} had entered before", name()));
                    }
                }
            }
            for leg in &block.legs {
                let Cause::Receipt { source, sequence, .. } = leg.cause else { continue };
                let name = || format!("receipt {source}→{destination} #{sequence}");
                if source == *destination {
                    // What a contract sent to its own shard: caused and executed here, never
                    // released.
                    if entered.insert((source, sequence), 1).is_some() {
                        return Err(format!("{} is executed twice", name()));
                    }
                    continue;
                }
                match entered.get_mut(&(source, sequence)) {
                    None => return Err(format!("{} is executed, but never entered", name())),
                    Some(0) => {
                        entered.insert((source, sequence), 1);
                    }
                    Some(_) => return Err(format!("{} is executed twice", name())),
                }
            }
        }
        receipts += entered.len();
    }
    held(Checked::of("receipts", receipts))
}

pub(super) fn order(records: &Records) -> Outcome {
    let mut next: BTreeMap<(bool, Pair), u64> = BTreeMap::new();
    let mut follow = |entering: bool, pair: Pair, first: Sequence, count: usize| {
        let expected = next.entry((entering, pair)).or_insert(1);
        if first.0 != *expected {
            let verb = if entering { "entered" } else { "released" };
            let (source, destination) = pair;
            return Err(format!(
                "{source}→{destination}: {verb} #{first} where #{expected} is next"
            ));
        }
        *expected += count as u64;
        Ok(())
    };
    for (shard, blocks) in &records.blocks {
        for block in blocks {
            for batch in &block.body.incoming {
                follow(true, (batch.source, *shard), batch.first, batch.receipts.len())?;
            }
            for outgoing in &block.outgoing {
                let pair = (*shard, outgoing.destination);
                follow(false, pair, outgoing.first, outgoing.receipts.len())?;
            }
        }
    }
    let pairs = next.keys().map(|(_, pair)| pair).collect::<BTreeSet<_>>().len();
    let transactions = distinct_transactions(records)?;
    held(Checked::of("shard_pairs", pairs).and("transactions", transactions))
}

/// No transaction is executed twice at its source. Returns how many there are.
fn distinct_transactions(records: &Records) -> Result<usize, String> {
    let mut seen = BTreeSet::new();
    for block in records.blocks.values().flatten() {
        for (transaction, _) in &block.body.transactions {
            if !seen.insert(transaction.hash()) {
                return Err(format!("transaction {} is executed twice", transaction.hash()));
            }
        }
    }
    Ok(seen.len())
}

/// Released receipts by pair and sequence. The map is looked up only, never iterated.
fn released(records: &Records) -> HashMap<(Pair, Sequence), &Receipt> {
    let mut released = HashMap::default();
    for (shard, blocks) in &records.blocks {
        for outgoing in blocks.iter().flat_map(|block| &block.outgoing) {
            for (receipt, sequence) in outgoing.receipts.iter().zip(outgoing.first.0..) {
                let pair = (*shard, outgoing.destination);
                released.insert((pair, Sequence(sequence)), receipt);
            }
        }
    }
    released
}

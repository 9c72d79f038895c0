//! Conservation where some shards are dishonest: nobody knows what such a shard holds, so it is
//! judged by what it does to the others alone. The honest ones' books balance, and no more value
//! came out of a dishonest shard than it held at genesis and was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cross_shard_msg::{Block, FinalizedCheckpoint, Receipt, ShardId, ValidatorIndex, Wei};

use super::finding::{Checked, Outcome, held};
use super::{Records, conservation};

/// The records without the blocks of dishonest shards: what those executed is not what they told.
pub(super) fn honest(records: &Records, dishonest: &BTreeSet<ShardId>) -> Records {
    let blocks = records.blocks.iter().filter(|(shard, _)| !dishonest.contains(shard));
    let blocks: BTreeMap<ShardId, Vec<Arc<Block>>> =
        blocks.map(|(shard, blocks)| (*shard, blocks.clone())).collect();
    let executions = records.executions.iter().filter(|(shard, _)| !dishonest.contains(shard));
    let checkpoints: BTreeMap<ValidatorIndex, Vec<FinalizedCheckpoint>> =
        records.checkpoints.clone();
    Records {
        settings: records.settings.clone(),
        base: records.base,
        residents: records.residents.clone(),
        executions: executions.map(|(shard, done)| (*shard, done.clone())).collect(),
        blocks,
        checkpoints,
        evidence: BTreeMap::new(),
    }
}

pub(super) fn check(honest: &Records, dishonest: &BTreeSet<ShardId>) -> Outcome {
    conservation::books(honest)?;
    for shard in dishonest {
        let genesis = honest.settings.genesis_held.get(shard.0 as usize);
        let genesis = genesis.copied().unwrap_or_default();
        let (mut out, mut into) = (Wei::ZERO, Wei::ZERO);
        for block in honest.blocks.values().flatten() {
            let entered = block.body.incoming.iter().filter(|batch| batch.source == *shard);
            out = plus(out, entered.flat_map(|batch| &batch.receipts));
            let released = block.outgoing.iter().filter(|sent| sent.destination == *shard);
            into = plus(into, released.flat_map(|sent| &sent.receipts));
        }
        if out > genesis.saturating_add(into) {
            return Err(format!(
                "{out} wei came out of the dishonest shard:{shard}, which held {genesis} and was \
                 sent {into}"
            ));
        }
    }
    held(Checked::of("ledgers", honest.block_count()).and("dishonest_shards", dishonest.len()))
}

fn plus<'a>(sum: Wei, receipts: impl Iterator<Item = &'a Receipt>) -> Wei {
    receipts.map(Receipt::value).fold(sum, Wei::saturating_add)
}

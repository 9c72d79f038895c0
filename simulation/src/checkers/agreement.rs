//! Agreement: no two finalized checkpoints with one number, each continues the one before, and what
//! they crosslink is what the shards made durable.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use cross_shard_msg::ValidatorIndex;
use cross_shard_msg::checkpoint::genesis_digest;

use super::Records;
use super::finding::{Checked, Outcome, held};

pub(super) fn check(records: &Records) -> Outcome {
    let mut seen: BTreeMap<u64, (ValidatorIndex, B256)> = BTreeMap::new();
    for (index, checkpoints) in &records.checkpoints {
        let mut parent = genesis_digest(&records.settings.network);
        for (finalized, number) in checkpoints.iter().zip(1..) {
            let checkpoint = &finalized.checkpoint;
            let digest = checkpoint.digest();
            if checkpoint.number.0 != number || checkpoint.parent != parent {
                return Err(format!(
                    "coordinator:{index} finalized {} after {}, which it does not continue",
                    checkpoint.number,
                    number - 1
                ));
            }
            parent = digest;
            let (first, known) = seen.entry(number).or_insert((*index, digest));
            if *known != digest {
                return Err(format!(
                    "checkpoint {number}: coordinator:{first} finalized {known}, \
                     coordinator:{index} finalized {digest}"
                ));
            }
        }
    }
    crosslinked(records)?;
    held(Checked::of("checkpoints", seen.len()).and("coordinators", records.checkpoints.len()))
}

/// Crosslinked headers are those of the blocks. A block that is not here is not judged.
fn crosslinked(records: &Records) -> Result<(), String> {
    for (number, finalized) in records.finalized() {
        for link in &finalized.checkpoint.crosslinks {
            let blocks = records.blocks.get(&link.shard).map_or(&[][..], Vec::as_slice);
            let first = blocks.partition_point(|block| block.header.height < link.first);
            for block in blocks.iter().skip(first) {
                let (height, hash) = (block.header.height, block.header.hash());
                match link.hash_at(height) {
                    Some(finalized) if *finalized != hash => {
                        return Err(format!(
                            "checkpoint {number} covers {finalized} as block {height} of \
                             shard:{}, whose own block is {hash}",
                            link.shard
                        ));
                    }
                    Some(_) => {}
                    None => break,
                }
            }
        }
    }
    Ok(())
}

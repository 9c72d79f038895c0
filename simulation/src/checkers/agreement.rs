//! Agreement: no two finalized checkpoints with one number, and each continues the one before.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use cross_shard_msg::ValidatorIndex;
use cross_shard_msg::checkpoint::genesis_digest;

use super::Records;

pub(super) fn check(records: &Records) -> Result<(), String> {
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
    Ok(())
}

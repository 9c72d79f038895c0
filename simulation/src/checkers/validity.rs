//! Validity: executing every shard's blocks again from genesis gives their headers: state root,
//! results root, gas, ledger and all the rest.

use super::Records;
use super::finding::{Checked, Outcome, held, not_applicable};

pub(super) fn check(records: &Records) -> Outcome {
    if records.executions.is_empty() {
        return not_applicable("the blocks were not executed again");
    }
    let mut executed = 0;
    for (shard, blocks) in &records.blocks {
        let Some(execution) = records.executions.get(shard) else {
            return Err(format!("shard:{shard}: its blocks were not executed again"));
        };
        if let Some(failure) = &execution.failure {
            return Err(format!("shard:{shard} {failure}"));
        }
        if execution.held.len() != blocks.len() {
            return Err(format!(
                "shard:{shard} has {} blocks, executed again were {}",
                blocks.len(),
                execution.held.len()
            ));
        }
        executed += blocks.len();
    }
    let transactions =
        records.blocks.values().flatten().map(|block| block.body.transactions.len()).sum();
    held(Checked::of("blocks", executed).and("transactions", transactions))
}

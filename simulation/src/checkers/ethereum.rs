//! One shard = Ethereum: a mainnet block that one shard executed has mainnet's gas used and roots.

use alloy_primitives::B256;
use cross_shard_msg::{Gas, ShardId};

use super::Records;
use super::finding::{Checked, Outcome, held, not_applicable};

/// What mainnet says of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MainnetBlock {
    /// Its number.
    pub number: u64,
    /// Gas that all transactions used.
    pub gas_used: Gas,
    /// Root of the transactions.
    pub transactions_root: B256,
    /// Root of the receipts; `None` before Byzantium, whose receipts carry a state root in the
    /// middle of the block, which a shard does not compute.
    pub receipts_root: Option<B256>,
}

pub(super) fn check(records: &Records, mainnet: Option<&MainnetBlock>) -> Outcome {
    let Some(mainnet) = mainnet else {
        return not_applicable("no mainnet block ran");
    };
    let number = mainnet.number;
    let shards = records.settings.shard_count();
    if shards != 1 {
        return not_applicable(format!("block {number} ran on {shards} shards"));
    }
    let blocks = records.blocks.get(&ShardId(0)).map_or(&[][..], Vec::as_slice);
    // The shard's first block takes the whole list; before all have arrived there is none.
    let Some(block) = blocks.iter().find(|block| !block.body.transactions.is_empty()) else {
        return not_applicable(format!("block {number} was not executed"));
    };
    let header = &block.header;
    if header.transactions_root != mainnet.transactions_root {
        return Err(format!(
            "block {number} has transactions root {} on the shard, {} on mainnet",
            header.transactions_root, mainnet.transactions_root
        ));
    }
    if header.gas_used != mainnet.gas_used {
        return Err(format!(
            "block {number} used {} gas on the shard, {} on mainnet",
            header.gas_used, mainnet.gas_used
        ));
    }
    let checked = Checked::of("blocks", 1).and("transactions", block.body.transactions.len());
    match mainnet.receipts_root {
        Some(root) if root != header.results_root => Err(format!(
            "block {number} has receipts root {} on the shard, {root} on mainnet",
            header.results_root
        )),
        Some(_) => held(checked.and("receipts_roots", 1)),
        None => held(checked.and("receipts_roots", 0)),
    }
}

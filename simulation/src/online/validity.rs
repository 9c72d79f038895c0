//! Validity block by block, as a world runs: every durable block of an honest shard is executed
//! again at once, and what its header says that the shard holds is counted in its state. For small
//! worlds: it costs as much as the shards' own execution, in one thread.

use std::collections::BTreeMap;

use cross_shard_msg::ShardId;
use shard_node::{ConfigError, ShardConfig, ShardRecord};

use crate::checkers::Reexecution;
use crate::monitor::Checker;

/// Executes the blocks of shards again as they become durable.
#[derive(Debug)]
pub struct Validity(BTreeMap<ShardId, Reexecution>);

impl Validity {
    /// Watches these shards, from genesis; records of others are not judged.
    ///
    /// # Errors
    /// When the parts of a configuration do not fit together.
    pub fn new(shards: impl IntoIterator<Item = ShardConfig>) -> Result<Self, ConfigError> {
        let each = shards.into_iter().map(|config| (config.shard, Reexecution::new(config)));
        each.map(|(shard, again)| Ok((shard, again?))).collect::<Result<_, _>>().map(Self)
    }
}

impl Checker for Validity {
    fn name(&self) -> &'static str {
        "validity"
    }

    fn on_record(&mut self, shard: ShardId, record: &ShardRecord) -> Result<(), String> {
        let Some(again) = self.0.get_mut(&shard) else { return Ok(()) };
        let header = &record.block.header;
        // Who signed is checked after runs: here senders may be assumed.
        let claimed: BTreeMap<_, _> =
            record.block.body.transactions.iter().map(|(tx, from)| (tx.hash(), *from)).collect();
        again.block(record, &|hash| claimed.get(hash).copied());
        match (again.failure().or(again.misplaced()), again.held()) {
            (Some(failure), _) => Err(format!("shard:{shard} {failure}")),
            (None, held) if held != header.ledger.held => Err(format!(
                "shard:{shard} block {}: the header says that it holds {}, its accounts and \
                 queues hold {held}",
                header.height, header.ledger.held
            )),
            (None, _) => Ok(()),
        }
    }
}

//! A shard's blocks executed again, one by one, from genesis: what [`super::Records`] have of it.
//!
//! What it needs (checkpoints and an administrator's requests beside each block) is in the shard's
//! own records; that the checkpoints are those of the committee is for the checker of agreement,
//! and a block that applied others has other placements or watermarks than its header.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use cross_shard_msg::{Block, Recovered, Transaction, Wei};
use shard_node::{ConfigError, Replay, ShardConfig, ShardRecord};

use super::whole::Whole;

/// Who signed a transaction, by its hash, where that is known already; what is not is recovered
/// from the signature.
pub type SenderOf<'a> = &'a (dyn Fn(&B256) -> Option<Address> + Sync);

/// What came of executing a shard's blocks again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// What the shard holds after each of its blocks, in wei, counted in its state: one entry for
    /// each block that came out as it was.
    pub held: Vec<Wei>,
    /// What the first block that did not come out as it was has otherwise.
    pub failure: Option<String>,
    /// Accounts that left the shard, and that arrived at it, with all that they had.
    pub moved: usize,
    /// What was there although it had left, or had changed on its way.
    pub misplaced: Option<String>,
}

/// Executes the blocks of one shard again.
#[derive(Debug)]
pub struct Reexecution {
    replay: Replay,
    done: Execution,
    whole: Whole,
    last: Option<Arc<Block>>,
}

impl Reexecution {
    /// The shard at genesis.
    ///
    /// # Errors
    /// When the parts of the configuration do not fit together.
    pub fn new(config: ShardConfig) -> Result<Self, ConfigError> {
        let whole = Whole::new(config.shard);
        Ok(Self { replay: Replay::new(config)?, done: Execution::default(), whole, last: None })
    }

    /// Executes the next block; nothing after the first that fails. Says whether it came out as it
    /// was.
    pub fn block(&mut self, record: &ShardRecord, sender_of: SenderOf<'_>) -> bool {
        if self.done.failure.is_some() {
            return false;
        }
        match self.again(record, sender_of) {
            Ok(held) => {
                self.done.held.push(held);
                if let Err(what) = self.whole.block(record, &self.replay) {
                    let height = record.block.header.height;
                    self.done.misplaced.get_or_insert(format!("block {height}: {what}"));
                }
                self.last = Some(record.block.clone());
            }
            Err(what) => self.done.failure = Some(what),
        }
        self.done.failure.is_none()
    }

    /// What came of it. Counts every account of the state once more.
    #[must_use]
    pub fn finish(mut self) -> Execution {
        let (counted, summed) = (self.replay.balances(), self.replay.summed_balances());
        if self.done.failure.is_none() && counted != summed {
            self.done.failure = Some(format!(
                "block {}: the accounts hold {counted} wei, the changes of all blocks come to \
                 {summed}",
                self.replay.height()
            ));
        }
        if self.done.failure.is_none() {
            match self.whole.finish(&self.replay, self.last.as_deref()) {
                Ok(moved) => self.done.moved = moved,
                Err(what) => {
                    let height = self.replay.height();
                    self.done.misplaced.get_or_insert(format!("block {height}: {what}"));
                }
            }
        }
        self.done
    }

    /// What the shard holds after the last block that came out as it was, in wei.
    #[must_use]
    pub fn held(&self) -> Wei {
        self.replay.held()
    }

    /// What failed so far.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.done.failure.as_deref()
    }

    /// What was in the wrong place so far, or had changed on its way.
    #[must_use]
    pub fn misplaced(&self) -> Option<&str> {
        self.done.misplaced.as_deref()
    }

    fn again(&mut self, record: &ShardRecord, sender_of: SenderOf<'_>) -> Result<Wei, String> {
        let height = record.block.header.height;
        for (transaction, claimed) in &record.block.body.transactions {
            let signed = sender(transaction, sender_of).map_err(|problem| {
                format!("block {height}: {} has no sender: {problem}", transaction.hash())
            })?;
            if signed != *claimed {
                return Err(format!(
                    "block {height}: {} is charged to {claimed}, but {signed} signed it",
                    transaction.hash()
                ));
            }
        }
        self.replay.block(record.clone()).map_err(|error| error.to_string())
    }
}

fn sender(transaction: &Transaction, sender_of: SenderOf<'_>) -> Result<Address, String> {
    match sender_of(&transaction.hash()) {
        Some(known) => Ok(known),
        None => Recovered::recover(transaction.clone())
            .map(|recovered| recovered.sender())
            .map_err(|error| error.to_string()),
    }
}

//! The transactions of a prescribed block (rules R-POOL-2, R-POOL-3).
//!
//! They execute in the order of the list, once all have arrived. On several shards one may depend
//! on a receipt that is still on its way: it is tried again in later blocks, then refused.

use alloy_primitives::B256;
use alloy_primitives::map::B256Map;
use cross_shard_msg::{Recovered, Refusal, Settings, TransactionKey};

use crate::evm::NotExecuted;

/// Later blocks in which a transaction that is not valid yet is tried again, at least.
const LATER_BLOCKS: u64 = 8;
/// Checkpoint intervals in which receipts are expected to arrive.
const PATIENT_INTERVALS: u64 = 4;

/// A list of transactions that is executed as it is.
#[derive(Debug)]
pub(crate) struct PrescribedList {
    positions: B256Map<usize>,
    slots: Vec<Option<Recovered>>,
    missing: usize,
    /// What is still to be executed, in order, with the number of blocks that tried it.
    pending: Vec<(usize, u64)>,
    tries: u64,
}

impl PrescribedList {
    pub(crate) fn new(order: &[B256], settings: &Settings) -> Self {
        let blocks = settings.checkpoint_every.0.div_ceil(settings.block_time.0.max(1));
        Self {
            positions: order.iter().enumerate().map(|(index, hash)| (*hash, index)).collect(),
            slots: vec![None; order.len()],
            missing: order.len(),
            pending: (0..order.len()).map(|index| (index, 0)).collect(),
            tries: 1 + LATER_BLOCKS.max(blocks.saturating_mul(PATIENT_INTERVALS)),
        }
    }

    /// Takes a transaction of the list.
    ///
    /// # Errors
    /// `UnsupportedType` for one that is not in the list, `AlreadyKnown` for one that came before.
    pub(crate) fn admit(&mut self, transaction: Recovered) -> Result<(), Refusal> {
        let hash = transaction.transaction().hash();
        let position = *self.positions.get(&hash).ok_or(Refusal::UnsupportedType)?;
        let slot = &mut self.slots[position];
        if slot.is_some() {
            return Err(Refusal::AlreadyKnown);
        }
        *slot = Some(transaction);
        self.missing -= 1;
        Ok(())
    }

    /// Whether all transactions have arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Transactions that have arrived and wait.
    pub(crate) fn len(&self) -> usize {
        self.pending.len() - self.missing
    }

    /// Executes what a block can, in order. Returns what is given up.
    pub(crate) fn run(
        &mut self,
        mut execute: impl FnMut(&Recovered) -> Result<(), NotExecuted>,
    ) -> Vec<(TransactionKey, Refusal)> {
        let mut refused = Vec::new();
        let mut full = false;
        let (slots, tries) = (&self.slots, self.tries);
        self.pending.retain_mut(|(position, tried)| {
            let Some(transaction) = slots[*position].as_ref().filter(|_| !full) else {
                return true;
            };
            let refusal = match execute(transaction) {
                Ok(()) => return false,
                Err(NotExecuted::BlockFull(_)) => {
                    full = true;
                    return true;
                }
                Err(NotExecuted::Refused(refusal)) => refusal,
                Err(NotExecuted::Internal(_)) => Refusal::Malformed,
            };
            *tried += 1;
            if *tried >= tries {
                refused.push((transaction.transaction().key(), refusal));
            }
            *tried < tries
        });
        refused
    }
}

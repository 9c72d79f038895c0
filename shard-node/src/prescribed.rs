//! The transactions of a prescribed block (rules R-POOL-2, R-POOL-3).
//!
//! They execute in the order of the list, once all have arrived. On several shards one may depend
//! on a receipt that is still on its way: it is tried again in later blocks, then refused. Like
//! everything that a mempool refused, it may be sent again.

use std::collections::BTreeSet;

use alloy_primitives::B256;
use alloy_primitives::map::B256Map;
use cross_shard_msg::{Duration, Recovered, Refusal, TransactionKey};

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
    /// What was given up.
    refused: BTreeSet<usize>,
    tries: u64,
}

impl PrescribedList {
    pub(crate) fn new(order: &[B256], block_time: Duration, checkpoint_every: Duration) -> Self {
        let blocks = checkpoint_every.0.div_ceil(block_time.0.max(1));
        Self {
            positions: order.iter().enumerate().map(|(index, hash)| (*hash, index)).collect(),
            slots: vec![None; order.len()],
            missing: order.len(),
            pending: (0..order.len()).map(|index| (index, 0)).collect(),
            refused: BTreeSet::new(),
            tries: 1 + LATER_BLOCKS.max(blocks.saturating_mul(PATIENT_INTERVALS)),
        }
    }

    /// Takes a transaction of the list; again if it was given up.
    ///
    /// # Errors
    /// `UnsupportedType` for one that is not in the list, `AlreadyKnown` for one that waits or was
    /// executed.
    pub(crate) fn admit(&mut self, transaction: Recovered) -> Result<(), Refusal> {
        let hash = transaction.transaction().hash();
        let position = *self.positions.get(&hash).ok_or(Refusal::UnsupportedType)?;
        if self.refused.remove(&position) {
            let index = self.pending.partition_point(|(other, _)| *other < position);
            self.pending.insert(index, (position, 0));
            return Ok(());
        }
        let slot = &mut self.slots[position];
        if slot.is_some() {
            return Err(Refusal::AlreadyKnown);
        }
        *slot = Some(transaction);
        self.missing -= 1;
        Ok(())
    }

    /// A transaction was executed in an earlier life of the node.
    pub(crate) fn executed_before(&mut self, transaction: &Recovered) {
        let Some(&position) = self.positions.get(&transaction.transaction().hash()) else { return };
        if self.slots[position].replace(transaction.clone()).is_none() {
            self.missing -= 1;
        }
        self.pending.retain(|(other, _)| *other != position);
        self.refused.remove(&position);
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
        let (slots, tries, given_up) = (&self.slots, self.tries, &mut self.refused);
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
                Err(NotExecuted::InFlight(_)) => Refusal::InFlight,
                Err(NotExecuted::Internal(_)) => Refusal::Malformed,
            };
            *tried += 1;
            if *tried >= tries {
                refused.push((transaction.transaction().key(), refusal));
                given_up.insert(*position);
            }
            *tried < tries
        });
        refused
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{Signed, TxEnvelope, TxLegacy};
    use alloy_primitives::{Address, Signature, U256};
    use cross_shard_msg::Transaction;

    use super::*;

    fn transaction(nonce: u64) -> Recovered {
        let tx = TxLegacy { nonce, ..TxLegacy::default() };
        let signature = Signature::new(U256::from(1), U256::from(1), false);
        let envelope = TxEnvelope::Legacy(Signed::new_unhashed(tx, signature));
        Recovered::assumed(Transaction::signed(envelope), Address::ZERO)
    }

    fn executed(list: &mut PrescribedList, poor: &[u64]) -> (Vec<u64>, Vec<TransactionKey>) {
        let mut nonces = Vec::new();
        let refused = list.run(|recovered| {
            let nonce = alloy_consensus::Transaction::nonce(recovered.transaction().envelope());
            if poor.contains(&nonce) {
                return Err(NotExecuted::Refused(Refusal::InsufficientBalance));
            }
            nonces.push(nonce);
            Ok(())
        });
        (nonces, refused.into_iter().map(|(key, _)| key).collect())
    }

    #[test]
    fn what_was_given_up_may_be_sent_again() {
        let all: Vec<Recovered> = (0..4).map(transaction).collect();
        let order: Vec<B256> = all.iter().map(|one| one.transaction().hash()).collect();
        let millis = Duration::from_millis;
        let mut list = PrescribedList::new(&order, millis(100), millis(100));
        for one in all.iter().rev() {
            assert!(!list.is_complete());
            list.admit(one.clone()).unwrap();
        }
        assert_eq!(list.admit(all[1].clone()), Err(Refusal::AlreadyKnown));
        assert_eq!(executed(&mut list, &[1, 2]), (vec![0, 3], vec![]));
        for _ in 2..=LATER_BLOCKS {
            assert_eq!(executed(&mut list, &[1, 2]), (vec![], vec![]));
        }
        let keys: Vec<_> = all.iter().map(|one| one.transaction().key()).collect();
        assert_eq!(executed(&mut list, &[1, 2]), (vec![], keys[1..3].to_vec()));
        assert_eq!(list.len(), 0);
        assert_eq!(list.admit(all[3].clone()), Err(Refusal::AlreadyKnown), "it was executed");
        list.admit(all[2].clone()).unwrap();
        list.admit(all[1].clone()).unwrap();
        assert_eq!((list.len(), list.is_complete()), (2, true));
        assert_eq!(executed(&mut list, &[]), (vec![1, 2], vec![]), "in the order of the list");
        assert_eq!(list.admit(all[2].clone()), Err(Refusal::AlreadyKnown));
    }
}

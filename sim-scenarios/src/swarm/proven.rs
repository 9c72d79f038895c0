//! What enters a shard's state from a dishonest one was under a proof: the destination never takes a
//! receipt that the source's header does not vouch for (R-RCPT-3).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::{Block, Receipt, ReceiptBatch, ShardId};
use simulation::Checker;

/// Batches that had a valid proof: the header, the destination, and a digest of the receipts.
#[derive(Clone, Default)]
pub(super) struct Proofs(Rc<RefCell<BTreeSet<(B256, ShardId, B256)>>>);

impl Proofs {
    /// A batch arrived.
    pub fn saw(&self, batch: &ReceiptBatch) {
        if batch.is_proven() {
            let outgoing = &batch.outgoing;
            let name = (batch.header.hash(), outgoing.destination, digest(&outgoing.receipts));
            self.0.borrow_mut().insert(name);
        }
    }
}

/// The checker.
pub(super) struct Proven {
    pub proofs: Proofs,
    pub dishonest: BTreeSet<ShardId>,
}

impl Checker for Proven {
    fn name(&self) -> &'static str {
        "proven receipts"
    }

    fn on_block(&mut self, shard: ShardId, block: &Arc<Block>) -> Result<(), String> {
        let from_dishonest =
            block.body.incoming.iter().filter(|batch| self.dishonest.contains(&batch.source));
        for batch in from_dishonest {
            let name = (batch.header, shard, digest(&batch.receipts));
            if !self.proofs.0.borrow().contains(&name) {
                return Err(format!(
                    "receipts without a proof entered: {}→{shard} #{} in block {}",
                    batch.source, batch.first, block.header.height
                ));
            }
        }
        Ok(())
    }
}

fn digest(receipts: &[Receipt]) -> B256 {
    let digests: Vec<u8> = receipts.iter().flat_map(|receipt| receipt.digest().0).collect();
    alloy_primitives::keccak256(digests)
}

//! Exactly once and in order, receipt by receipt; and at the end, that everything has settled.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use alloy_primitives::map::HashSet;
use cross_shard_msg::{Action, Block, Cause, ReceiptKind, ShardId, TransactionKey};

type Pair = (ShardId, ShardId);

/// What is on its way between honest shards.
#[derive(Default)]
pub(super) struct Delivery {
    /// Next sequence to be released and to enter.
    next: BTreeMap<Pair, (u64, u64)>,
    /// Released and not entered: digest by sequence.
    flying: BTreeMap<Pair, BTreeMap<u64, B256>>,
    /// Entered and not executed.
    entered: BTreeMap<Pair, BTreeSet<u64>>,
    /// What a contract sent to its own shard: executed sequences.
    own: BTreeSet<(ShardId, u64)>,
    /// Transactions that were executed at their source. Looked up only.
    transactions: HashSet<B256>,
    /// Receipts that were caused less those executed, by transaction, where that is not zero.
    open: BTreeMap<TransactionKey, i64>,
    /// Receipts that were caused and neither released nor executed where they were caused.
    unreleased: BTreeMap<TransactionKey, i64>,
    /// Transactions through a dishonest shard settle when it likes.
    through_dishonest: BTreeSet<TransactionKey>,
}

impl Delivery {
    pub fn block(
        &mut self,
        shard: ShardId,
        block: &Block,
        dishonest: &BTreeSet<ShardId>,
    ) -> Result<(), String> {
        let height = block.header.height;
        for (transaction, _) in &block.body.transactions {
            if !self.transactions.insert(transaction.hash()) {
                return Err(format!("transaction {} is executed twice", transaction.hash()));
            }
        }
        for batch in &block.body.incoming {
            let pair = (batch.source, shard);
            let next = &mut self.next.entry(pair).or_insert((1, 1)).1;
            if batch.first.0 != *next {
                return Err(format!(
                    "{}→{shard}: entered #{} in block {height} where #{next} is next",
                    batch.source, batch.first
                ));
            }
            *next += batch.receipts.len() as u64;
            let flying = self.flying.entry(pair).or_default();
            let entered = self.entered.entry(pair).or_default();
            for (receipt, sequence) in batch.receipts.iter().zip(batch.first.0..) {
                entered.insert(sequence);
                if dishonest.contains(&batch.source) {
                    self.through_dishonest.insert(receipt.key());
                } else if flying.remove(&sequence) != Some(receipt.digest()) {
                    return Err(format!(
                        "receipt {}→{shard} #{sequence} in block {height} is not what was released",
                        batch.source
                    ));
                }
            }
        }
        for outgoing in &block.outgoing {
            let pair = (shard, outgoing.destination);
            let next = &mut self.next.entry(pair).or_insert((1, 1)).0;
            if outgoing.first.0 != *next {
                return Err(format!(
                    "{shard}→{}: released #{} in block {height} where #{next} is next",
                    outgoing.destination, outgoing.first
                ));
            }
            *next += outgoing.receipts.len() as u64;
            for receipt in &outgoing.receipts {
                // No leg causes these: their release does (R-HOME-6, R-EPOCH-5).
                match receipt.action {
                    Action::Handover { .. } | Action::Migrate(_) => {
                        count(&mut self.open, receipt.key(), 1)
                    }
                    _ => count(&mut self.unreleased, receipt.key(), -1),
                }
            }
            if dishonest.contains(&outgoing.destination) {
                let keys = outgoing.receipts.iter().map(cross_shard_msg::Receipt::key);
                self.through_dishonest.extend(keys);
            } else {
                let flying = self.flying.entry(pair).or_default();
                for (receipt, sequence) in outgoing.receipts.iter().zip(outgoing.first.0..) {
                    flying.insert(sequence, receipt.digest());
                }
            }
        }
        self.legs(shard, block)
    }

    /// Everything that a durable block began has come to its end.
    pub fn settled(&self, dishonest: &BTreeSet<ShardId>) -> Result<(), String> {
        // What a source holds back for a dishonest shard is not in any block.
        let open = self.open.keys().find(|key| {
            let held_back = !dishonest.is_empty() && self.unreleased.contains_key(*key);
            !held_back && !self.through_dishonest.contains(*key)
        });
        match open {
            Some(key) => Err(format!(
                "transaction {key} is not settled, with {} others",
                self.open.len() - 1
            )),
            None => Ok(()),
        }
    }

    fn legs(&mut self, shard: ShardId, block: &Block) -> Result<(), String> {
        for leg in &block.legs {
            // What no transaction causes is open from its release on, which is counted, also when it is
            // forwarded.
            let mut change = match leg.cause {
                Cause::Receipt { kind: ReceiptKind::Handover | ReceiptKind::Migrate, .. } => 0,
                _ => i64::from(leg.caused),
            };
            count(&mut self.unreleased, leg.key, change);
            if let Cause::Receipt { source, sequence, .. } = leg.cause {
                change -= 1;
                let first_time = if source == shard {
                    count(&mut self.unreleased, leg.key, -1);
                    self.own.insert((shard, sequence.0))
                } else {
                    let entered = self.entered.entry((source, shard)).or_default();
                    entered.remove(&sequence.0)
                };
                if !first_time {
                    return Err(format!(
                        "receipt {source}→{shard} #{sequence} is executed in block {} twice, or \
                         never entered",
                        block.header.height
                    ));
                }
            }
            count(&mut self.open, leg.key, change);
        }
        Ok(())
    }
}

/// Adds to a count; zero is not kept.
fn count(counts: &mut BTreeMap<TransactionKey, i64>, key: TransactionKey, change: i64) {
    let count = counts.entry(key).or_default();
    *count += change;
    if *count == 0 {
        counts.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use cross_shard_msg::{
        Body, Certificate, CheckpointNumber, Congestion, Gas, Header, Height, Incoming, Ledger,
        Leg, LegStatus, Outgoing, Receipt, SealedHeader, Sequence, SignedHeader, Timestamp, Wei,
    };

    use super::*;

    fn block(shard: ShardId) -> Block {
        let header = Header {
            shard,
            height: Height(1),
            parent: B256::ZERO,
            checkpoint: CheckpointNumber(0),
            timestamp: Timestamp(1),
            state_root: B256::ZERO,
            transactions_root: B256::ZERO,
            results_root: B256::ZERO,
            outgoing_receipts_root: B256::ZERO,
            watermarks: Vec::new(),
            sent: Vec::new(),
            placements: Vec::new(),
            gas_used: Gas::ZERO,
            gas_limit: Gas::ZERO,
            base_fee: 0,
            congestion: Congestion::default(),
            ledger: Ledger::default(),
            traffic: alloy_primitives::B256::ZERO,
        };
        let certificate = Certificate { signatures: Vec::new() };
        Block {
            header: SignedHeader { header: SealedHeader::seal(header), certificate },
            body: Body::default(),
            legs: Vec::new(),
            outgoing: Vec::new(),
            written: Vec::new(),
        }
    }

    /// No leg causes it, and yet it is open until it is executed, wherever it is forwarded to.
    #[test]
    fn a_migrate_is_open_from_its_release_to_its_execution() {
        let (home, placed) = (ShardId(0), ShardId(1));
        let action = Action::Handover { address: Address::ZERO, balance: Wei::from(5) };
        let receipt = Receipt { origin: B256::ZERO, caused: Height(1), action };
        let (first, receipts) = (Sequence(1), vec![receipt.clone()]);
        let mut source = block(home);
        source.outgoing = vec![Outgoing { destination: placed, first, receipts: receipts.clone() }];
        let mut destination = block(placed);
        let (height, header) = (Height(1), source.header.hash());
        let incoming = Incoming { source: home, height, header, first, receipts };
        destination.body.incoming = vec![incoming.clone()];
        let cause = Cause::Receipt { source: home, sequence: first, kind: ReceiptKind::Handover };
        let leg = |status, cause, caused| {
            let (key, gas_used, created) = (receipt.key(), Gas::ZERO, 0);
            Leg { key, cause, status, gas_used, caused, created }
        };
        destination.legs = vec![leg(LegStatus::Succeeded, cause, 0)];
        for dishonest in [BTreeSet::new(), BTreeSet::from([ShardId(2)])] {
            let mut delivery = Delivery::default();
            delivery.block(home, &source, &dishonest).unwrap();
            assert!(delivery.settled(&dishonest).is_err());
            delivery.block(placed, &destination, &dishonest).unwrap();
            assert_eq!(delivery.settled(&dishonest), Ok(()));
        }
        // It has moved on meanwhile.
        let next = ShardId(2);
        destination.legs = vec![leg(LegStatus::Forwarded, cause, 1)];
        let receipts = incoming.receipts.clone();
        destination.outgoing = vec![Outgoing { destination: next, first, receipts }];
        let mut last = block(next);
        let header = destination.header.hash();
        last.body.incoming = vec![Incoming { source: placed, header, ..incoming }];
        let cause = Cause::Receipt { source: placed, sequence: first, kind: ReceiptKind::Handover };
        last.legs = vec![leg(LegStatus::Succeeded, cause, 0)];
        let mut delivery = Delivery::default();
        delivery.block(home, &source, &BTreeSet::new()).unwrap();
        delivery.block(placed, &destination, &BTreeSet::new()).unwrap();
        assert!(delivery.settled(&BTreeSet::new()).is_err());
        delivery.block(next, &last, &BTreeSet::new()).unwrap();
        assert_eq!(delivery.settled(&BTreeSet::new()), Ok(()));
    }
}

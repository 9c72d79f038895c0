//! Conservation: each shard's books at every block, the sum over all at every checkpoint.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cross_shard_msg::{Block, Checkpoint, Ledger, Receipt, Settings, ShardId, Wei};

/// Books of all honest shards.
pub(super) struct Books {
    genesis: Vec<Wei>,
    newest: BTreeMap<ShardId, Own>,
    /// Books above the last checkpoint, by height.
    above: BTreeMap<ShardId, VecDeque<(u64, Own)>>,
    at_cut: BTreeMap<ShardId, Own>,
}

/// One shard's books, with what its receipts say.
#[derive(Clone, Default)]
struct Own {
    ledger: Ledger,
    /// Number and value of all receipts that entered, by source.
    entered: BTreeMap<ShardId, (u64, Wei)>,
    /// The same of those released, by destination.
    released: BTreeMap<ShardId, (u64, Wei)>,
}

impl Books {
    pub fn new(settings: &Settings) -> Self {
        let genesis = settings.genesis_held.clone();
        let own = |held: &Wei| Own {
            ledger: Ledger { held: *held, ..Ledger::default() },
            ..Own::default()
        };
        let newest: BTreeMap<ShardId, Own> =
            settings.shard_ids().zip(genesis.iter().map(own)).collect();
        Self { at_cut: newest.clone(), newest, above: BTreeMap::new(), genesis }
    }

    pub fn block(&mut self, shard: ShardId, block: &Block) -> Result<(), String> {
        let header = &block.header;
        let own = self.newest.entry(shard).or_default();
        for batch in &block.body.incoming {
            add(own.entered.entry(batch.source).or_default(), &batch.receipts);
        }
        for outgoing in &block.outgoing {
            add(own.released.entry(outgoing.destination).or_default(), &outgoing.receipts);
        }
        own.ledger = header.ledger;
        let sum = |of: &BTreeMap<ShardId, (u64, Wei)>| {
            of.values().fold(Wei::ZERO, |sum, (_, value)| sum.saturating_add(*value))
        };
        let (received, sent) = (sum(&own.entered), sum(&own.released));
        if header.ledger.received != received || header.ledger.sent != sent {
            return Err(format!(
                "shard:{shard} block {}: the ledger has received {} and sent {}, the receipts \
                 have {received} and {sent}",
                header.height, header.ledger.received, header.ledger.sent
            ));
        }
        let genesis = self.genesis.get(shard.0 as usize).copied().unwrap_or_default();
        if !header.ledger.balances(genesis) {
            return Err(format!(
                "shard:{shard} block {}: {:?} with genesis {genesis}",
                header.height, header.ledger
            ));
        }
        let marks =
            header.watermarks.iter().map(|mark| (mark.source, (mark.sequence.0, mark.value)));
        let released =
            header.sent.iter().map(|sent| (sent.destination, (sent.sequence.0, sent.value)));
        if !marks.eq(own.entered.iter().map(|(shard, count)| (*shard, *count)))
            || !released.eq(own.released.iter().map(|(shard, count)| (*shard, *count)))
        {
            return Err(format!(
                "shard:{shard} block {}: watermarks or what is sent do not follow from the \
                 receipts",
                header.height
            ));
        }
        self.above.entry(shard).or_default().push_back((header.height.0, own.clone()));
        Ok(())
    }

    /// The cut over all shards: what was received had been sent in it, and nothing is lost or made.
    pub fn cut(
        &mut self,
        checkpoint: &Checkpoint,
        dishonest: &BTreeSet<ShardId>,
    ) -> Result<(), String> {
        for link in &checkpoint.crosslinks {
            let Some(above) = self.above.get_mut(&link.shard) else { continue };
            while let Some((height, own)) = above.pop_front() {
                let is_tip = height == link.tip().0;
                self.at_cut.insert(link.shard, own);
                if is_tip {
                    break;
                }
            }
        }
        let (mut have, mut made) = (Wei::ZERO, self.genesis.iter().try_fold(Wei::ZERO, plus)?);
        for (shard, own) in &self.at_cut {
            made = plus(made, &own.ledger.minted)?;
            have = plus(plus(have, &own.ledger.held)?, &own.ledger.burnt)?;
            for (source, (entered, value)) in &own.entered {
                if dishonest.contains(source) {
                    continue;
                }
                let released = self.at_cut.get(source).and_then(|own| own.released.get(shard));
                let (sent, sent_value) = released.copied().unwrap_or_default();
                if *entered > sent {
                    return Err(format!(
                        "receipts {source}→{shard} up to #{entered} entered, released are {sent}"
                    ));
                }
                if sent == *entered && *value != sent_value {
                    return Err(format!(
                        "receipts {source}→{shard} up to #{sent} carry {sent_value} and {value}"
                    ));
                }
            }
            for (destination, (_, sent)) in &own.released {
                let entered = self.at_cut.get(destination).and_then(|own| own.entered.get(shard));
                let entered = entered.map_or(Wei::ZERO, |(_, value)| *value);
                have = plus(have, &sent.saturating_sub(entered))?;
            }
        }
        // What a dishonest shard holds nobody knows.
        if dishonest.is_empty() && have != made {
            return Err(format!("genesis and minted are {made}, held, in flight and burnt {have}"));
        }
        Ok(())
    }

    /// Value that honest shards took in from a shard, and that they released for it.
    pub fn through(&self, shard: ShardId) -> (Wei, Wei) {
        let (mut out, mut into) = (Wei::ZERO, Wei::ZERO);
        for own in self.newest.values() {
            out =
                out.saturating_add(own.entered.get(&shard).map_or(Wei::ZERO, |(_, value)| *value));
            into = into
                .saturating_add(own.released.get(&shard).map_or(Wei::ZERO, |(_, value)| *value));
        }
        (out, into)
    }
}

fn add(total: &mut (u64, Wei), receipts: &[Receipt]) {
    let value = receipts.iter().map(Receipt::value).fold(total.1, Wei::saturating_add);
    *total = (total.0 + receipts.len() as u64, value);
}

fn plus(sum: Wei, value: &Wei) -> Result<Wei, String> {
    sum.checked_add(*value).ok_or_else(|| "a sum of wei is beyond 256 bits".to_owned())
}

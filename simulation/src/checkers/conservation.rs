//! Conservation: each shard's ledger balances at every block, what it says of receipts equals
//! their content, and at every checkpoint genesis + minted = held + in flight + burnt.

use std::collections::BTreeMap;

use cross_shard_msg::{Block, Ledger, Receipt, ShardId, Wei};

use super::Records;

pub(super) fn check(records: &Records) -> Result<(), String> {
    for (shard, blocks) in &records.blocks {
        let genesis = genesis_of(records, *shard);
        ledgers(*shard, genesis, blocks)?;
    }
    for (number, finalized) in records.finalized() {
        let tips = finalized.checkpoint.crosslinks.iter().map(|link| (link.shard, link.tip().0));
        global(records, number, tips)?;
    }
    Ok(())
}

/// Each shard's own books, against the content of the receipts in its blocks.
fn ledgers(shard: ShardId, genesis: Wei, blocks: &[Block]) -> Result<(), String> {
    let (mut received, mut sent) = (Wei::ZERO, Wei::ZERO);
    for block in blocks {
        let header = &block.header;
        let incoming = block.body.incoming.iter().flat_map(|batch| &batch.receipts);
        received = incoming.map(Receipt::value).fold(received, Wei::saturating_add);
        let outgoing = block.outgoing.iter().flat_map(|outgoing| &outgoing.receipts);
        sent = outgoing.map(Receipt::value).fold(sent, Wei::saturating_add);
        let ledger = &header.ledger;
        if !ledger.balances(genesis) {
            return Err(format!(
                "shard:{shard} block {}: {ledger:?} with genesis {genesis}",
                header.height
            ));
        }
        if ledger.received != received || ledger.sent != sent {
            return Err(format!(
                "shard:{shard} block {}: the ledger has received {} and sent {}, the receipts \
                 have {received} and {sent}",
                header.height, ledger.received, ledger.sent
            ));
        }
    }
    Ok(())
}

/// The sum over all shards at the cut of one checkpoint.
fn global(
    records: &Records,
    number: u64,
    moved: impl Iterator<Item = (ShardId, u64)>,
) -> Result<(), String> {
    let mut cut = cut_before(records, number);
    cut.extend(moved);
    let mut held = Wei::ZERO;
    let (mut minted, mut burnt, mut in_flight) = (Wei::ZERO, Wei::ZERO, Wei::ZERO);
    let mut received = Wei::ZERO;
    for shard in records.settings.shard_ids() {
        let tip = cut.get(&shard).copied().unwrap_or(0);
        let ledger = match ledger_at(records, shard, tip) {
            Some(ledger) => ledger,
            None if tip == 0 => Ledger { held: genesis_of(records, shard), ..Ledger::default() },
            None => return Err(format!("checkpoint {number}: shard:{shard} has no block {tip}")),
        };
        held += ledger.held;
        minted += ledger.minted;
        burnt += ledger.burnt;
        in_flight += ledger.sent;
        received += ledger.received;
    }
    let genesis: Wei = records.settings.genesis_held.iter().copied().sum();
    let in_flight = in_flight.checked_sub(received).ok_or_else(|| {
        format!("checkpoint {number}: {received} wei were received, but only {in_flight} sent")
    })?;
    if genesis + minted == held + in_flight + burnt {
        return Ok(());
    }
    Err(format!(
        "checkpoint {number}: genesis {genesis} + minted {minted} is not held {held} + in flight \
         {in_flight} + burnt {burnt}"
    ))
}

fn cut_before(records: &Records, number: u64) -> BTreeMap<ShardId, u64> {
    let mut cut = BTreeMap::new();
    for (_, finalized) in records.finalized().range(..number) {
        let links = &finalized.checkpoint.crosslinks;
        cut.extend(links.iter().map(|link| (link.shard, link.tip().0)));
    }
    cut
}

fn ledger_at(records: &Records, shard: ShardId, height: u64) -> Option<Ledger> {
    let blocks = records.blocks.get(&shard)?;
    let index = blocks.binary_search_by_key(&height, |block| block.header.height.0).ok()?;
    blocks.get(index).map(|block| block.header.ledger)
}

fn genesis_of(records: &Records, shard: ShardId) -> Wei {
    records.settings.genesis_held.get(shard.0 as usize).copied().unwrap_or_default()
}

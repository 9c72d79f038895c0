//! One home, in the state: an account that left a shard is not there any more, all of it was sent, and
//! what lives again at its new home is what was sent (R-EPOCH-5 to R-EPOCH-7). Looked at block by block
//! while a shard's blocks are executed again.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256, keccak256};
use cross_shard_msg::{Action, Block, Cause, CheckpointNumber, Migration, ReceiptKind, ShardId};
use shard_node::{Replay, ShardRecord};
use state::{Account, AccountDiff};

/// Accounts that leave one shard and come to it.
#[derive(Debug)]
pub(super) struct Whole {
    shard: ShardId,
    /// What left and was not seen on its way yet.
    leaving: BTreeMap<(Address, CheckpointNumber), Content>,
    /// What entered of accounts that are in flight.
    arriving: BTreeMap<(Address, CheckpointNumber), Content>,
    /// Accounts that left with all that they had, and that arrived with it.
    moved: usize,
}

/// An account, or as much as was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    account: Account,
    slots: BTreeMap<U256, U256>,
    /// Parts that were seen.
    seen: BTreeSet<u32>,
}

impl Whole {
    pub fn new(shard: ShardId) -> Self {
        let (leaving, arriving) = (BTreeMap::new(), BTreeMap::new());
        Self { shard, leaving, arriving, moved: 0 }
    }

    /// Looks at a block that `replay` has executed again.
    pub fn block(&mut self, record: &ShardRecord, replay: &Replay) -> Result<(), String> {
        let block = &record.block;
        self.left(record, replay)?;
        for receipt in block.outgoing.iter().flat_map(|outgoing| &outgoing.receipts) {
            if let Action::Migrate(part) = &receipt.action {
                self.sent(part)?;
            }
        }
        for receipt in block.body.incoming.iter().flat_map(|batch| &batch.receipts) {
            if let Action::Migrate(part) = &receipt.action
                && replay.is_home(&part.account)
            {
                self.arriving.entry((part.account, part.checkpoint)).or_default().add(part);
            }
        }
        self.arrived(block, replay)
    }

    /// Looks at every account once more. Returns how many moves were seen.
    pub fn finish(&self, replay: &Replay, last: Option<&Block>) -> Result<usize, String> {
        if let Some(stray) = replay.stray() {
            return Err(format!("{stray} is in the state, and lives elsewhere"));
        }
        let sent_all = last.is_none_or(|block| block.header.congestion.buffered == 0);
        match self.leaving.iter().find(|(_, content)| sent_all && content.is_contentful()) {
            Some(((account, checkpoint), _)) => Err(format!(
                "{account} left with checkpoint {checkpoint}, and was never sent whole"
            )),
            None => Ok(self.moved),
        }
    }

    /// What left in a block is not there after it.
    fn left(&mut self, record: &ShardRecord, replay: &Replay) -> Result<(), String> {
        let mut seen: BTreeSet<Address> = BTreeSet::new();
        for checkpoint in record.checkpoints.iter().map(|finalized| &finalized.checkpoint) {
            for moved in checkpoint.moves.iter().filter(|moved| moved.from == self.shard) {
                let account = moved.account;
                self.arriving.retain(|(arriving, _), _| *arriving != account);
                if !replay.is_home(&account) && replay.state().account(&account).is_some() {
                    return Err(format!(
                        "{account} has left with checkpoint {}, and is still there",
                        checkpoint.number
                    ));
                }
                let diff = replay.diff().account(&account);
                // Of several moves in one block the first one found the account.
                if let Some(content) = diff.filter(|_| seen.insert(account)).and_then(Content::gone)
                {
                    self.leaving.insert((account, checkpoint.number), content);
                }
            }
        }
        Ok(())
    }

    /// A part that is on its way agrees with what left. Parts that are forwarded left elsewhere, or
    /// were seen before.
    fn sent(&mut self, part: &Migration) -> Result<(), String> {
        let name = (part.account, part.checkpoint);
        let Some(content) = self.leaving.get_mut(&name) else { return Ok(()) };
        if !content.seen.insert(part.part) {
            return Ok(());
        }
        let wrong = |what: &str| {
            let (account, part) = (part.account, part.part);
            Err(format!("part {part} of {account} has another {what} than the account that left"))
        };
        if part.part == 0 {
            let account = &content.account;
            let balance = part.balance;
            if (part.nonce, balance, code_hash(part))
                != (account.nonce, account.balance, account.code_hash)
            {
                return wrong("nonce, balance or code");
            }
        }
        for (slot, value) in &part.slots {
            if content.slots.remove(slot) != Some(*value) {
                return wrong("storage");
            }
        }
        if content.seen.len() == part.parts as usize {
            if !content.slots.is_empty() {
                return wrong("number of slots");
            }
            self.leaving.remove(&name);
            self.moved += 1;
        }
        Ok(())
    }

    /// Accounts that are live now are what their parts were, as far as nothing else has changed them.
    fn arrived(&mut self, block: &Block, replay: &Replay) -> Result<(), String> {
        let calls = block.legs.iter().any(
            |leg| !matches!(leg.cause, Cause::Receipt { kind, .. } if kind != ReceiptKind::Call),
        );
        let names: Vec<_> = self.arriving.keys().copied().collect();
        for (account, checkpoint) in names {
            if replay.is_in_flight(&account) {
                continue;
            }
            let Some(content) = self.arriving.remove(&(account, checkpoint)) else { continue };
            let is = replay.state().account(&account).copied().unwrap_or_default();
            let was = content.account;
            let same = is.nonce == was.nonce && is.balance >= was.balance;
            let slots = replay.diff().account(&account).map(AccountDiff::clone);
            let slots = slots.map_or_else(BTreeMap::new, |diff| {
                diff.storage.iter().map(|slot| (slot.slot, slot.new)).collect()
            });
            let whole = is.nonce >= was.nonce
                && (!was.has_code() || is.code_hash == was.code_hash)
                && (calls || (same && content.slots.iter().all(|(k, v)| slots.get(k) == Some(v))));
            if !whole {
                return Err(format!(
                    "{account}, moved by checkpoint {checkpoint}, is live and is not what was sent"
                ));
            }
            self.moved += 1;
        }
        Ok(())
    }
}

impl Content {
    /// What an account was that is not there any more; `None` if it is.
    fn gone(diff: &AccountDiff) -> Option<Self> {
        let account = diff.old?;
        let stays = diff.new.is_some_and(|new| {
            (new.nonce, new.code_hash) == (account.nonce, account.code_hash)
                && (account.nonce > 0 || account.has_code())
        });
        if stays {
            return None;
        }
        let slots = diff.storage.iter().filter(|slot| !slot.old.is_zero());
        let slots = slots.map(|slot| (slot.slot, slot.old)).collect();
        Some(Self { account, slots, seen: BTreeSet::new() })
    }

    /// Whether it is more than a balance, which may also have left as a `Handover`.
    fn is_contentful(&self) -> bool {
        self.account.nonce > 0 || self.account.has_code() || !self.slots.is_empty()
    }

    fn add(&mut self, part: &Migration) {
        if part.part == 0 {
            let (nonce, balance) = (part.nonce, part.balance);
            self.account = Account { nonce, balance, code_hash: code_hash(part) };
        }
        self.slots.extend(part.slots.iter().copied());
        self.seen.insert(part.part);
    }
}

fn code_hash(part: &Migration) -> B256 {
    keccak256(&part.code)
}

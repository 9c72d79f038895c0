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
            let slots = replay.diff().account(&account).cloned();
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

#[cfg(test)]
mod tests {
    use alloy_primitives::Bytes;
    use cross_shard_msg::Wei;
    use state::SlotDiff;

    use super::*;

    fn part(part: u32) -> Migration {
        Migration {
            account: Address::with_last_byte(1),
            checkpoint: CheckpointNumber(4),
            part,
            parts: 2,
            nonce: if part == 0 { 3 } else { 0 },
            balance: Wei::from(if part == 0 { 5 } else { 0 }),
            code: if part == 0 { Bytes::from_static(&[0x60]) } else { Bytes::new() },
            slots: vec![(U256::from(part), U256::from(7))],
        }
    }

    fn diff(new: Option<Account>) -> AccountDiff {
        let code_hash = keccak256([0x60]);
        let slot =
            |slot, old| SlotDiff { slot: U256::from(slot), old: U256::from(old), new: U256::ZERO };
        AccountDiff {
            address: Address::with_last_byte(1),
            old: Some(Account { nonce: 3, balance: U256::from(5), code_hash }),
            new,
            code: None,
            storage: vec![slot(0, 7), slot(1, 7)],
        }
    }

    fn left() -> Whole {
        let mut whole = Whole::new(ShardId(0));
        let name = (Address::with_last_byte(1), CheckpointNumber(4));
        whole.leaving.insert(name, Content::gone(&diff(None)).unwrap());
        whole
    }

    #[test]
    fn all_that_left_is_sent_once() {
        let mut whole = left();
        assert!(whole.leaving.values().all(Content::is_contentful));
        whole.sent(&part(1)).unwrap();
        whole.sent(&part(0)).unwrap();
        assert_eq!((whole.moved, whole.leaving.len()), (1, 0));
        whole.sent(&part(0)).unwrap(); // forwarded, after it came back
        assert_eq!(whole.moved, 1);
    }

    #[test]
    fn parts_that_are_not_what_left_are_found() {
        type Change = fn(&mut Migration);
        let wrong: [(&str, Change); 6] = [
            ("balance", |part| part.balance += Wei::from(1)),
            ("nonce", |part| part.nonce = 2),
            ("code", |part| part.code = Bytes::from_static(&[0x61])),
            ("a value", |part| part.slots[0].1 = U256::from(8)),
            ("a slot", |part| part.slots[0].0 = U256::from(9)),
            ("a slot lost", |part| part.slots.clear()),
        ];
        for (name, change) in wrong {
            let mut whole = left();
            let mut first = part(0);
            change(&mut first);
            let found = whole.sent(&first).and_then(|()| whole.sent(&part(1)));
            assert!(found.is_err(), "{name}");
        }
    }

    #[test]
    fn what_stays_or_was_only_credited_has_not_left() {
        let old = diff(None).old;
        assert_eq!(Content::gone(&diff(old)), None);
        assert_eq!(Content::gone(&AccountDiff { old: None, ..diff(None) }), None);
        assert!(Content::gone(&diff(Some(Account::without_code(0, U256::from(1))))).is_some());
        let credited = AccountDiff {
            old: Some(Account::without_code(0, U256::from(1))),
            storage: Vec::new(),
            ..diff(None)
        };
        assert!(!Content::gone(&credited).unwrap().is_contentful());
    }
}

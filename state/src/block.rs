//! What happens to the state once per block: the root, the diff, and the application of a diff.

use crate::shard_state::{Entries, ShardState, UNWRITTEN};
use crate::{AccountDiff, SlotDiff, StateDiff};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};

/// Why a diff does not fit the state to which it was to be applied. The state is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The diff's addresses do not ascend at this one.
    #[error("account {0} is out of order in the diff")]
    Order(Address),
    /// The account is not what the diff says it was.
    #[error("account {0} is not what the diff expects")]
    Account(Address),
    /// The slot is not what the diff says it was.
    #[error("slot {1} of account {0} is not what the diff expects")]
    Slot(Address, U256),
    /// The diff gives the account a code that is neither in it nor known, or does not hash to its
    /// code hash.
    #[error("the diff lacks the code of account {0}")]
    Code(Address),
}

impl ShardState {
    /// Applies a block's diff as another holder of this state took it, after checking that all of it
    /// fits. It becomes part of this
    /// state's own block diff.
    pub fn apply(&mut self, diff: &StateDiff) -> Result<(), ApplyError> {
        let mut before: Option<Address> = None;
        for change in &diff.accounts {
            if before.is_some_and(|before| before >= change.address) {
                return Err(ApplyError::Order(change.address));
            }
            before = Some(change.address);
            self.check_change(change)?;
        }
        for change in &diff.accounts {
            if let Some(code) = &change.code {
                self.insert_code(code.clone());
            }
            self.write_account(change.address, change.new);
            if change.new.is_some() && !change.storage.is_empty() {
                let index = self.entry_of(change.address);
                let slots = change.storage.iter().map(|slot| (slot.slot, slot.new));
                self.set_slots(index, slots);
            }
        }
        Ok(())
    }

    /// The state root, as in Ethereum. Costs what changed since the last call.
    pub fn root(&mut self) -> B256 {
        let mut unhashed = std::mem::take(&mut self.unhashed);
        // In key order neighbouring paths are walked while they are in the cache.
        unhashed.sort_unstable_by_key(|&index| self.names[index as usize].1);
        for &index in &unhashed {
            let key = self.names[index as usize].1.into();
            let entry = &mut self.entries[index as usize];
            entry.unhashed = false;
            if entry.live {
                if let Some(storage) = entry.storage.as_mut() {
                    storage.update_root();
                }
                self.trie.insert(key, index);
            } else {
                self.trie.remove(&key);
                self.release(index);
            }
        }
        unhashed.clear();
        self.unhashed = unhashed;
        self.trie.root(&Entries(&self.entries))
    }

    /// What was committed since the last call, net, and begins the next block.
    pub fn take_block_diff(&mut self) -> StateDiff {
        let mut slot_writes = std::mem::take(&mut self.slot_writes);
        // Stable: of several writes to a slot the first one, with the value before the block, leads.
        slot_writes.sort_by_key(|&(written, slot, _)| (written, slot));
        slot_writes.dedup_by_key(|&mut (written, slot, _)| (written, slot));
        let mut order: Vec<(Address, usize)> = self
            .written
            .iter()
            .enumerate()
            .map(|(position, &(index, _))| (self.names[index as usize].0, position))
            .collect();
        order.sort_unstable();
        let mut accounts = Vec::with_capacity(order.len());
        for (address, position) in order {
            let (index, old) = self.written[position];
            let begin = slot_writes.partition_point(|&(of, ..)| (of as usize) < position);
            let own = &slot_writes[begin..];
            let own = own.iter().take_while(|&&(of, ..)| of as usize == position);
            let entry = &self.entries[index as usize];
            let new = entry.live.then_some(entry.account);
            let storage: Vec<SlotDiff> = own
                .map(|&(_, slot, old)| SlotDiff {
                    slot,
                    old,
                    new: entry.storage.as_ref().map_or(U256::ZERO, |s| s.get(&slot)),
                })
                .filter(|slot| slot.old != slot.new)
                .collect();
            if old == new && storage.is_empty() {
                continue;
            }
            let old_code = old.map_or(KECCAK256_EMPTY, |account| account.code_hash);
            let code = new
                .filter(|new| new.has_code() && new.code_hash != old_code)
                .and_then(|new| self.codes.get(&new.code_hash).cloned());
            accounts.push(AccountDiff { address, old, new, code, storage });
        }
        slot_writes.clear();
        self.slot_writes = slot_writes;
        self.discard_block_diff();
        StateDiff { accounts }
    }

    /// Begins the next block without a diff of this one.
    pub fn discard_block_diff(&mut self) {
        self.slot_writes.clear();
        let mut written = std::mem::take(&mut self.written);
        for (index, _) in written.drain(..) {
            self.entries[index as usize].written = UNWRITTEN;
            self.release(index);
        }
        self.written = written;
    }

    /// Forgets a deleted account once neither trie nor block diff needs its entry.
    fn release(&mut self, index: u32) {
        let entry = &self.entries[index as usize];
        if !entry.live && !entry.unhashed && entry.written == UNWRITTEN {
            let (address, _) = self.names[index as usize];
            if self.index.remove(&address).is_some() {
                self.free.push(index);
            }
        }
    }

    fn check_change(&self, change: &AccountDiff) -> Result<(), ApplyError> {
        let address = change.address;
        if self.account(&address).copied() != change.old {
            return Err(ApplyError::Account(address));
        }
        for slot in &change.storage {
            if self.storage(&address, slot.slot) != slot.old {
                return Err(ApplyError::Slot(address, slot.slot));
            }
        }
        let known = change.new.is_none_or(|new| match &change.code {
            Some(code) => keccak256(code) == new.code_hash,
            None => self.code(&new.code_hash).is_some(),
        });
        if known { Ok(()) } else { Err(ApplyError::Code(address)) }
    }
}

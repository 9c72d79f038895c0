//! The accounts of one shard: look-ups for the EVM, commits per transaction, root and diff per block.

use crate::proof::encode_account;
use crate::storage::Storage;
use crate::trie::{LeafEncoder, Trie};
use crate::{Account, AccountChange, AccountDiff, GenesisAccount, SlotDiff, StateDiff};
use alloy_primitives::aliases::U512;
use alloy_primitives::map::{AddressMap, B256Map};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;

/// The state of one shard.
///
/// Speculative execution happens in the EVM's journal: what is committed here stays. A block is what
/// was committed between two calls of [`ShardState::take_block_diff`].
#[derive(Clone, Debug, Default)]
pub struct ShardState {
    index: AddressMap<u32>,
    entries: Vec<Entry>,
    /// Address and its keccak-256 hash, by index of `entries`; apart, because look-ups need neither.
    names: Vec<(Address, B256)>,
    /// Indices of `entries` that belong to no address.
    free: Vec<u32>,
    codes: B256Map<Bytes>,
    /// From hashed address to index of `entries`.
    trie: Trie<u32>,
    /// Entries that the trie does not show yet, each once.
    unhashed: Vec<u32>,
    /// Entries written in this block, each once, and their content before it.
    written: Vec<(u32, Option<Account>)>,
    /// Slot writes of this block in order: index of `written`, slot, value before the write.
    slot_writes: Vec<(u32, U256, U256)>,
}

#[derive(Clone, Debug)]
struct Entry {
    account: Account,
    live: bool,
    unhashed: bool,
    /// Index of `written`, or `UNWRITTEN`.
    written: u32,
    storage: Option<Box<Storage>>,
}

const UNWRITTEN: u32 = u32::MAX;

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
    /// The state at genesis. Accounts are taken as they are, empty ones too; of two entries for one
    /// address the last one counts. Nothing of it is in the first block's diff.
    pub fn from_genesis(accounts: impl IntoIterator<Item = (Address, GenesisAccount)>) -> Self {
        let mut state = Self::default();
        for (address, genesis) in accounts {
            let code_hash = state.insert_code(genesis.code);
            let index = state.entry_of(address);
            state.mark_unhashed(index);
            let mut storage = Storage::default();
            for (slot, value) in genesis.storage {
                storage.set(slot, value);
            }
            let entry = &mut state.entries[index as usize];
            entry.live = true;
            entry.account = Account { nonce: genesis.nonce, balance: genesis.balance, code_hash };
            entry.storage = (!storage.is_empty()).then(|| Box::new(storage));
        }
        state
    }

    /// The account at `address`, if it exists.
    #[inline]
    pub fn account(&self, address: &Address) -> Option<&Account> {
        self.entry(address).map(|entry| &entry.account)
    }

    /// The value of a slot; zero if it is not set or there is no such account.
    #[inline]
    pub fn storage(&self, address: &Address, slot: U256) -> U256 {
        self.storage_of(address).map_or(U256::ZERO, |storage| storage.get(&slot))
    }

    /// The code with this hash, if any account ever brought it (codes are kept for ever). The hash of
    /// no code yields no bytes.
    pub fn code(&self, code_hash: &B256) -> Option<&Bytes> {
        static NO_CODE: Bytes = Bytes::new();
        if *code_hash == KECCAK256_EMPTY {
            return Some(&NO_CODE);
        }
        self.codes.get(code_hash)
    }

    /// Keeps `code` and returns its hash.
    pub fn insert_code(&mut self, code: Bytes) -> B256 {
        if code.is_empty() {
            return KECCAK256_EMPTY;
        }
        let hash = keccak256(&code);
        self.codes.entry(hash).or_insert(code);
        hash
    }

    /// True when any slot of the account is not zero.
    pub fn has_storage(&self, address: &Address) -> bool {
        self.storage_of(address).is_some_and(|storage| !storage.is_empty())
    }

    /// All slots of an account that are not zero, in ascending order (for a migration).
    pub fn sorted_storage(&self, address: &Address) -> Vec<(U256, U256)> {
        self.storage_of(address).map_or_else(Vec::new, Storage::sorted)
    }

    /// Addresses of all existing accounts, in ascending order. Reads the whole state.
    pub fn sorted_addresses(&self) -> Vec<Address> {
        let mut addresses: Vec<Address> = self
            .entries
            .iter()
            .zip(&self.names)
            .filter(|(entry, _)| entry.live)
            .map(|(_, (address, _))| *address)
            .collect();
        addresses.sort_unstable();
        addresses
    }

    /// Σ balances in wei. Reads the whole state.
    pub fn total_balance(&self) -> U512 {
        let mut sum = U512::ZERO;
        for entry in self.entries.iter().filter(|entry| entry.live) {
            sum += U512::from(entry.account.balance);
        }
        sum
    }

    /// Commits what a transaction changed of one account.
    pub fn commit(&mut self, change: AccountChange) {
        if let (Some(account), Some(code)) = (&change.info, change.code)
            && account.has_code()
        {
            self.codes.entry(account.code_hash).or_insert(code);
        }
        if change.storage_cleared {
            self.clear_storage(&change.address);
        }
        self.set_account(change.address, change.info);
        if !change.storage.is_empty() && change.info.is_some_and(|account| !account.is_empty()) {
            let index = self.entry_of(change.address);
            self.set_slots(index, change.storage.iter().copied());
        }
    }

    /// Sets an account's nonce, balance and code hash, and leaves its storage as it is. `None`, or an
    /// account that is empty by EIP-161, deletes it with its storage. The code itself must be known
    /// ([`ShardState::insert_code`]).
    pub fn set_account(&mut self, address: Address, account: Option<Account>) {
        self.write_account(address, account.filter(|account| !account.is_empty()));
    }

    /// Sets a slot of an existing account.
    ///
    /// # Panics
    ///
    /// If the account does not exist: a slot has no home without one.
    pub fn set_storage(&mut self, address: &Address, slot: U256, value: U256) {
        let index = self.index.get(address).copied();
        let live = index.filter(|&index| self.entries[index as usize].live);
        assert!(live.is_some(), "no account at {address} to write a slot of");
        if let Some(index) = live {
            self.set_slots(index, std::iter::once((slot, value)));
        }
    }

    /// Sets all slots of an account to zero.
    pub fn clear_storage(&mut self, address: &Address) {
        if let Some(&index) = self.index.get(address) {
            self.clear_slots(index);
        }
    }

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
            if change.new.is_some() {
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
        let mut accounts = Vec::with_capacity(self.written.len());
        let mut slots = slot_writes.as_slice();
        for (position, &(index, old)) in self.written.iter().enumerate() {
            let own = slots.partition_point(|&(written, ..)| written as usize == position);
            let (own, rest) = slots.split_at(own);
            slots = rest;
            let entry = &self.entries[index as usize];
            let new = entry.live.then_some(entry.account);
            let storage: Vec<SlotDiff> = own
                .iter()
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
            accounts.push(AccountDiff {
                address: self.names[index as usize].0,
                old,
                new,
                code,
                storage,
            });
        }
        accounts.sort_unstable_by_key(|account| account.address);
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

    /// The account's storage root as of the last [`ShardState::root`].
    pub(crate) fn storage_root(&self, address: &Address) -> B256 {
        self.storage_of(address).map_or(EMPTY_ROOT_HASH, Storage::root)
    }

    pub(crate) fn prove_account(&mut self, address: &Address) -> Vec<Bytes> {
        let key = keccak256(address).into();
        self.trie.prove(&key, &Entries(&self.entries))
    }

    pub(crate) fn prove_slot(&mut self, address: &Address, slot: U256) -> Vec<Bytes> {
        self.index
            .get(address)
            .and_then(|&index| self.entries[index as usize].storage.as_mut())
            .map_or_else(Vec::new, |storage| storage.prove(slot))
    }

    #[inline]
    fn entry(&self, address: &Address) -> Option<&Entry> {
        let entry = &self.entries[*self.index.get(address)? as usize];
        entry.live.then_some(entry)
    }

    fn storage_of(&self, address: &Address) -> Option<&Storage> {
        self.entry(address)?.storage.as_deref()
    }

    /// The index of the entry of `address`; without one, of a new entry that is not live.
    fn entry_of(&mut self, address: Address) -> u32 {
        if let Some(&index) = self.index.get(&address) {
            return index;
        }
        let entry = Entry {
            account: Account::default(),
            live: false,
            unhashed: false,
            written: UNWRITTEN,
            storage: None,
        };
        let name = (address, keccak256(address));
        let index = match self.free.pop() {
            Some(free) => {
                self.entries[free as usize] = entry;
                self.names[free as usize] = name;
                free
            }
            None => {
                assert!(self.entries.len() < UNWRITTEN as usize, "too many accounts");
                self.entries.push(entry);
                self.names.push(name);
                (self.entries.len() - 1) as u32
            }
        };
        self.index.insert(address, index);
        index
    }

    fn mark_unhashed(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        if !entry.unhashed {
            entry.unhashed = true;
            self.unhashed.push(index);
        }
    }

    /// Notes that the account is about to change.
    fn mark_written(&mut self, index: u32) {
        self.mark_unhashed(index);
        let entry = &mut self.entries[index as usize];
        if entry.written == UNWRITTEN {
            entry.written = self.written.len() as u32;
            let old = entry.live.then_some(entry.account);
            self.written.push((index, old));
        }
    }

    fn write_account(&mut self, address: Address, account: Option<Account>) {
        let Some(account) = account else {
            if let Some(&index) = self.index.get(&address)
                && self.entries[index as usize].live
            {
                self.clear_slots(index);
                self.mark_written(index);
                self.entries[index as usize].live = false;
            }
            return;
        };
        let index = self.entry_of(address);
        let entry = &self.entries[index as usize];
        if entry.live && entry.account == account {
            return;
        }
        self.mark_written(index);
        let entry = &mut self.entries[index as usize];
        entry.account = account;
        entry.live = true;
    }

    fn set_slots(&mut self, index: u32, slots: impl Iterator<Item = (U256, U256)>) {
        self.mark_written(index);
        let entry = &mut self.entries[index as usize];
        let storage = entry.storage.get_or_insert_default();
        for (slot, value) in slots {
            let old = storage.set(slot, value);
            if old != value {
                self.slot_writes.push((entry.written, slot, old));
            }
        }
    }

    fn clear_slots(&mut self, index: u32) {
        if self.entries[index as usize].storage.is_none() {
            return;
        }
        self.mark_written(index);
        let entry = &mut self.entries[index as usize];
        if let Some(storage) = entry.storage.take() {
            let written = entry.written;
            let old = storage.into_sorted().into_iter();
            self.slot_writes.extend(old.map(|(slot, old)| (written, slot, old)));
        }
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

/// Encodes the leaves of the account trie, which hold indices.
struct Entries<'a>(&'a [Entry]);

impl LeafEncoder<u32> for Entries<'_> {
    fn encode(&self, index: u32, out: &mut Vec<u8>) {
        let entry = &self.0[index as usize];
        let storage_root = entry.storage.as_ref().map_or(EMPTY_ROOT_HASH, |s| s.root());
        encode_account(&entry.account, storage_root, out);
    }
}

//! The accounts of one shard: look-ups for the EVM and commits per transaction, which only note what
//! is dirty. What happens once per block is in [`crate::block`].

use crate::proof::encode_account;
use crate::storage::Storage;
use crate::trie::{LeafEncoder, Trie};
use crate::{Account, AccountChange, GenesisAccount};
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
    pub(crate) index: AddressMap<u32>,
    pub(crate) entries: Vec<Entry>,
    /// Address and its keccak-256 hash, by index of `entries`; apart, because look-ups need neither.
    pub(crate) names: Vec<(Address, B256)>,
    /// Indices of `entries` that belong to no address.
    pub(crate) free: Vec<u32>,
    pub(crate) codes: B256Map<Bytes>,
    /// From hashed address to index of `entries`.
    pub(crate) trie: Trie<u32>,
    /// Entries that the trie does not show yet, each once.
    pub(crate) unhashed: Vec<u32>,
    /// Entries written in this block, each once, and their content before it.
    pub(crate) written: Vec<(u32, Option<Account>)>,
    /// Slot writes of this block in order: index of `written`, slot, value before the write.
    pub(crate) slot_writes: Vec<(u32, U256, U256)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) account: Account,
    pub(crate) live: bool,
    pub(crate) unhashed: bool,
    /// Index of `written`, or `UNWRITTEN`.
    pub(crate) written: u32,
    pub(crate) storage: Option<Box<Storage>>,
}

pub(crate) const UNWRITTEN: u32 = u32::MAX;

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
    pub(crate) fn entry_of(&mut self, address: Address) -> u32 {
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

    pub(crate) fn write_account(&mut self, address: Address, account: Option<Account>) {
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

    pub(crate) fn set_slots(&mut self, index: u32, slots: impl Iterator<Item = (U256, U256)>) {
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
}

/// Encodes the leaves of the account trie, which hold indices.
pub(crate) struct Entries<'a>(pub(crate) &'a [Entry]);

impl LeafEncoder<u32> for Entries<'_> {
    fn encode(&self, index: u32, out: &mut Vec<u8>) {
        let entry = &self.0[index as usize];
        let storage_root = entry.storage.as_ref().map_or(EMPTY_ROOT_HASH, |s| s.root());
        encode_account(&entry.account, storage_root, out);
    }
}

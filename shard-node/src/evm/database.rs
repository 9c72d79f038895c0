//! revm's view of a shard's state: local accounts only, and the commit of what it changed.

use std::collections::BTreeSet;

use alloy_primitives::map::B256Map;
use alloy_primitives::{Address, B256, Bytes, U256};
use revm::Database;
use revm::bytecode::Bytecode;
use revm::database_interface::DBErrorMarker;
use revm::state::{AccountInfo, EvmState};
use state::{Account, AccountChange, ShardState};

use super::environment::BlockEnvironment;
use super::locality::Locality;

/// Why an account, its code or a slot cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// The account lives on another shard.
    #[error("account {0} lives on another shard")]
    Remote(Address),
    /// The account is on its way to this shard.
    #[error("account {0} is on its way to this shard")]
    InFlight(Address),
    /// The state has an account with this code hash, but not the code.
    #[error("no code with hash {0}")]
    MissingCode(B256),
}

impl DBErrorMarker for DatabaseError {}

/// What an account brings to its new home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Its nonce.
    pub nonce: u64,
    /// Its balance, in wei.
    pub balance: U256,
    /// Its code; empty without.
    pub code: Bytes,
    /// Its slots and their values, none of them zero, each slot once.
    pub storage: Vec<(U256, U256)>,
}

/// Code in the form that the interpreter runs, by its hash. Analysis costs more than most calls,
/// so it is kept from block to block.
#[derive(Debug, Default)]
pub(super) struct AnalysedCode(B256Map<Bytecode>);

/// Contracts whose analysed code is kept; about 20 KB each.
const MAX_ANALYSED: usize = 10_000;

/// What revm reads and commits through.
pub(super) struct ShardDatabase<'a> {
    pub state: &'a mut ShardState,
    code: &'a mut AnalysedCode,
    locality: &'a dyn Locality,
    beneficiary: Address,
    block_hashes: std::sync::Arc<std::collections::BTreeMap<u64, B256>>,
    /// Contracts that this block has created here although their base home is elsewhere.
    created: BTreeSet<Address>,
    /// Accounts that came to live here in this block.
    arrived: BTreeSet<Address>,
    /// The address at which revm is creating a contract right now.
    creating: Option<Address>,
}

impl<'a> ShardDatabase<'a> {
    pub(super) fn new(
        state: &'a mut ShardState,
        code: &'a mut AnalysedCode,
        locality: &'a dyn Locality,
        environment: &BlockEnvironment,
    ) -> Self {
        Self {
            state,
            code,
            locality,
            beneficiary: environment.beneficiary,
            block_hashes: environment.block_hashes.clone(),
            created: BTreeSet::new(),
            arrived: BTreeSet::new(),
            creating: None,
        }
    }

    /// Whether the account may be opened and written here.
    pub(super) fn is_local(&self, address: &Address) -> bool {
        self.locality.is_local(address)
            || *address == self.beneficiary
            || self.created.contains(address)
            || self.arrived.contains(address)
    }

    /// An account that has moved here is live from now on: what it brings replaces all that is known
    /// of it here but its balance, which is added to.
    pub(super) fn install(&mut self, address: Address, arrived: Arrived) {
        let code_hash = self.state.insert_code(arrived.code);
        let held = self.account(&address).balance;
        // A sum of balances is far below 2^256 while value is conserved.
        let balance = held.saturating_add(arrived.balance);
        self.state.commit(AccountChange {
            address,
            info: Some(Account { nonce: arrived.nonce, balance, code_hash }),
            code: None,
            storage_cleared: true,
            storage: arrived.storage,
        });
        self.arrived.insert(address);
    }

    /// While a frame of a creation is set up, its address answers as new instead of as remote.
    pub(super) fn set_creating(&mut self, address: Option<Address>) {
        self.creating = address;
    }

    /// The code with this hash, analysed.
    pub(super) fn analysed(&mut self, hash: B256) -> Result<Bytecode, DatabaseError> {
        if let Some(code) = self.code.0.get(&hash) {
            return Ok(code.clone());
        }
        let raw = self.state.code(&hash).ok_or(DatabaseError::MissingCode(hash))?;
        // Code from before London may begin like a delegation without being one.
        let code = Bytecode::new_raw_checked(raw.clone())
            .unwrap_or_else(|_| Bytecode::new_legacy(raw.clone()));
        if self.code.0.len() >= MAX_ANALYSED {
            self.code.0.clear();
        }
        self.code.0.insert(hash, code.clone());
        Ok(code)
    }

    /// The account, empty if it does not exist.
    pub(super) fn account(&self, address: &Address) -> Account {
        self.state.account(address).copied().unwrap_or_default()
    }

    /// Writes an account natively. An empty one is deleted (EIP-161).
    pub(super) fn put(&mut self, address: Address, account: Account) {
        self.state.set_account(address, Some(account));
    }

    /// Adds to a balance, and touches the account: an empty one does not come to exist.
    pub(super) fn credit(&mut self, address: Address, wei: U256) {
        let mut account = self.account(&address);
        // A sum of balances is far below 2^256 while value is conserved.
        account.balance = account.balance.saturating_add(wei);
        self.put(address, account);
    }

    /// The account that `evm_state` would write although it is not this shard's: value sent to an
    /// address at which a creation failed before.
    pub(super) fn foreign_write(&self, evm_state: &EvmState) -> Option<Address> {
        let foreign = evm_state.iter().filter(|(address, account)| {
            account.is_touched() && !account.is_created_locally() && !self.is_local(address)
        });
        foreign.map(|(address, _)| *address).min()
    }

    /// Puts what revm changed into the state. Returns the contracts created, in ascending order.
    pub(super) fn commit(&mut self, evm_state: EvmState) -> Vec<Address> {
        let mut placements = Vec::new();
        let mut changes = Vec::with_capacity(evm_state.len());
        for (address, account) in evm_state {
            if !account.is_touched() {
                continue;
            }
            if account.is_selfdestructed() {
                changes.push(AccountChange {
                    address,
                    info: None,
                    code: None,
                    storage_cleared: true,
                    storage: Vec::new(),
                });
                continue;
            }
            let created = account.is_created();
            if account.is_created_locally() {
                placements.push(address);
            }
            let storage: Vec<_> = account
                .storage
                .iter()
                .filter(|(_, slot)| slot.is_changed())
                .map(|(key, slot)| (*key, slot.present_value()))
                .collect();
            // A called contract is touched without being changed.
            if !account.is_changed() && storage.is_empty() && !created && !account.is_empty() {
                continue;
            }
            let info = account.info;
            let code = info.code.filter(|code| !code.is_empty());
            let old = code.as_ref().and_then(|_| self.state.account(&address));
            let is_new = old.is_none_or(|old| old.code_hash != info.code_hash);
            changes.push(AccountChange {
                address,
                info: Some(Account {
                    nonce: info.nonce,
                    balance: info.balance,
                    code_hash: info.code_hash,
                }),
                code: code.filter(|_| is_new).map(|code| code.original_bytes()),
                storage_cleared: created,
                storage,
            });
        }
        placements.sort_unstable();
        changes.sort_unstable_by_key(|change| change.address);
        self.created.extend(placements.iter().copied());
        for change in changes {
            self.state.commit(change);
        }
        placements
    }
}

impl Database for ShardDatabase<'_> {
    type Error = DatabaseError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, DatabaseError> {
        if !self.is_local(&address) {
            if self.locality.is_in_flight(&address) {
                return Err(DatabaseError::InFlight(address));
            }
            if self.creating != Some(address) {
                return Err(DatabaseError::Remote(address));
            }
            // A nonce makes the creation collide (EIP-684).
            let taken = AccountInfo { nonce: 1, ..AccountInfo::default() };
            return Ok(self.locality.is_placed_elsewhere(&address).then_some(taken));
        }
        Ok(self.state.account(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: None,
            account_id: None,
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, DatabaseError> {
        self.analysed(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, DatabaseError> {
        Ok(self.state.storage(&address, slot))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, DatabaseError> {
        Ok(self.block_hashes.get(&number).copied().unwrap_or_default())
    }
}

//! A shard in a test: a few accounts, hand-assembled contracts, and value counted to the wei.

#![allow(dead_code, reason = "each test program uses a part of this")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alloy_consensus::{Signed, TxEip1559, TxEip2930, TxEnvelope, TxLegacy};
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use cross_shard_msg::{Call, Gas, Recovered, Transaction, Wei};
use shard_node::evm::{
    BlockEnvironment, BlockExecutor, ChainRules, Executor, Locality, OUTBOX, SpecId, outbox_code,
};
use state::{Account, GenesisAccount, ShardState};

pub const CHAIN: u64 = 1_337;
pub const BASE_FEE: u64 = 10;
/// A user with 10^18 wei and nonce 0.
pub const ALICE: Address = Address::repeat_byte(0xa1);
/// A user with nothing.
pub const BOB: Address = Address::repeat_byte(0xb0);
/// Where tests put a contract.
pub const CONTRACT: Address = Address::repeat_byte(0xc0);
/// Where tests put another one.
pub const OTHER: Address = Address::repeat_byte(0xc1);
/// An account of another shard.
pub const REMOTE: Address = Address::repeat_byte(0xff);
pub const BENEFICIARY: Address = Address::repeat_byte(0xfe);
pub const ETHER: u64 = 1_000_000_000_000_000_000;

/// Everything but the named accounts is local; or, with `only`, nothing but the named ones is.
#[derive(Clone, Debug, Default)]
pub struct Map {
    pub remote: BTreeSet<Address>,
    pub only: Option<BTreeSet<Address>>,
    pub placed_elsewhere: BTreeSet<Address>,
}

impl Map {
    /// All accounts of [`Lab`] but [`REMOTE`] are local.
    pub fn standard() -> Self {
        Self { remote: [REMOTE].into(), ..Self::default() }
    }

    /// Only what a test names is local: addresses of creations have their base home elsewhere.
    pub fn only_named() -> Self {
        Self { only: Some([ALICE, BOB, CONTRACT, OTHER, OUTBOX].into()), ..Self::default() }
    }
}

impl Locality for Map {
    fn is_local(&self, address: &Address) -> bool {
        match &self.only {
            Some(only) => only.contains(address),
            None => !self.remote.contains(address) && !self.placed_elsewhere.contains(address),
        }
    }

    fn is_placed_elsewhere(&self, address: &Address) -> bool {
        self.placed_elsewhere.contains(address)
    }
}

/// A shard under test.
pub struct Lab {
    pub executor: Executor,
    pub state: ShardState,
    pub map: Map,
    pub environment: BlockEnvironment,
}

impl Lab {
    pub fn new(spec: SpecId) -> Self {
        let user = GenesisAccount { balance: Wei::from(ETHER), ..GenesisAccount::default() };
        let outbox = GenesisAccount { nonce: 1, code: outbox_code(), ..GenesisAccount::default() };
        Self {
            executor: Executor::new(ChainRules { chain_id: CHAIN, spec, prescribed: false }),
            state: ShardState::from_genesis([(ALICE, user), (OUTBOX, outbox)]),
            map: Map::standard(),
            environment: BlockEnvironment {
                number: 7,
                timestamp: 1_700_000_000,
                beneficiary: BENEFICIARY,
                base_fee: BASE_FEE,
                gas_limit: Gas(30_000_000),
                difficulty: U256::ZERO,
                prevrandao: B256::ZERO,
                excess_blob_gas: 0,
                block_hashes: Arc::new(BTreeMap::new()),
            },
        }
    }

    pub fn prague() -> Self {
        Self::new(SpecId::PRAGUE)
    }

    pub fn map(mut self, map: Map) -> Self {
        self.map = map;
        self
    }

    pub fn account(mut self, address: Address, balance: u64, code: &[u8]) -> Self {
        let code_hash = self.state.insert_code(code.to_vec().into());
        let nonce = u64::from(!code.is_empty());
        let account = Account { nonce, balance: Wei::from(balance), code_hash };
        self.state.set_account(address, Some(account));
        self
    }

    pub fn slot(mut self, address: Address, slot: u64, value: u64) -> Self {
        self.state.set_storage(&address, U256::from(slot), U256::from(value));
        self
    }

    pub fn block(&mut self) -> BlockExecutor<'_> {
        self.executor.block(&mut self.state, &self.map, &self.environment)
    }

    /// Everything that the shard holds.
    pub fn held(&self) -> Wei {
        Wei::from(self.state.total_balance())
    }

    pub fn balance(&self, address: Address) -> Wei {
        self.state.account(&address).map_or(Wei::ZERO, |account| account.balance)
    }

    pub fn nonce(&self, address: Address) -> u64 {
        self.state.account(&address).map_or(0, |account| account.nonce)
    }

    pub fn stored(&self, address: Address, slot: u64) -> U256 {
        self.state.storage(&address, U256::from(slot))
    }
}

/// The fields of a transaction; the signature is not one.
#[derive(Clone, Debug)]
pub struct Fields {
    pub kind: u8,
    pub sender: Address,
    pub chain_id: Option<u64>,
    pub nonce: u64,
    pub gas_limit: u64,
    /// Gas price, or the highest fee per gas.
    pub max_fee: u128,
    pub tip: u128,
    pub to: TxKind,
    pub value: U256,
    pub input: Bytes,
    pub access_list: AccessList,
}

impl Fields {
    /// Alice calls `to` with plenty of gas, 2 wei per gas above the base fee.
    pub fn call(to: Address) -> Self {
        Self {
            kind: 2,
            sender: ALICE,
            chain_id: Some(CHAIN),
            nonce: 0,
            gas_limit: 1_000_000,
            max_fee: 100,
            tip: 2,
            to: TxKind::Call(to),
            value: U256::ZERO,
            input: Bytes::new(),
            access_list: AccessList::default(),
        }
    }

    /// Alice creates a contract.
    pub fn create(init_code: Vec<u8>) -> Self {
        Self { to: TxKind::Create, input: init_code.into(), ..Self::call(Address::ZERO) }
    }

    pub fn value(self, value: u64) -> Self {
        Self { value: U256::from(value), ..self }
    }

    pub fn input(self, input: impl Into<Bytes>) -> Self {
        Self { input: input.into(), ..self }
    }

    pub fn gas(self, gas_limit: u64) -> Self {
        Self { gas_limit, ..self }
    }

    pub fn nonce(self, nonce: u64) -> Self {
        Self { nonce, ..self }
    }

    pub fn envelope(self) -> TxEnvelope {
        let Self { nonce, gas_limit, to, value, input, access_list, .. } = self;
        let chain_id = self.chain_id.unwrap_or(0);
        let signature = Signature::test_signature();
        match self.kind {
            0 => {
                let (chain_id, gas_price) = (self.chain_id, self.max_fee);
                let tx = TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input };
                Signed::new_unhashed(tx, signature).into()
            }
            1 => {
                let tx = TxEip2930 {
                    chain_id,
                    nonce,
                    gas_price: self.max_fee,
                    gas_limit,
                    to,
                    value,
                    access_list,
                    input,
                };
                Signed::new_unhashed(tx, signature).into()
            }
            _ => {
                let tx = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: self.max_fee,
                    max_priority_fee_per_gas: self.tip,
                    to,
                    value,
                    access_list,
                    input,
                };
                Signed::new_unhashed(tx, signature).into()
            }
        }
    }

    pub fn recovered(self) -> Recovered {
        let sender = self.sender;
        Recovered::assumed(Transaction::signed(self.envelope()), sender)
    }
}

/// A call that arrives from [`REMOTE`].
pub fn incoming(to: Address) -> Call {
    Call {
        from: REMOTE,
        to,
        value: Wei::ZERO,
        gas: Gas(100_000),
        gas_price: Wei::from(12),
        input: Bytes::new(),
        refund_to: REMOTE,
    }
}

/// Call data: the selector of `signature`, then words.
pub fn call_data(signature: &str, words: &[U256]) -> Vec<u8> {
    let mut data = keccak256(signature)[..4].to_vec();
    for word in words {
        data.extend(word.to_be_bytes::<32>());
    }
    data
}

/// An address as a word of call data.
pub fn word(address: Address) -> U256 {
    address.into_word().into()
}

/// Pushes an address.
pub fn push(address: Address) -> Vec<u8> {
    let mut code = vec![0x73];
    code.extend(address);
    code
}

/// Code that deploys `runtime`.
pub fn deploy(runtime: &[u8]) -> Vec<u8> {
    // PUSH1 length DUP1 PUSH1 offset PUSH0 CODECOPY PUSH0 RETURN
    let mut code = vec![0x60, runtime.len() as u8, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3];
    code.extend(runtime);
    code
}

/// `SSTORE(slot, value)`.
pub fn store(slot: u8, value: u8) -> Vec<u8> {
    vec![0x60, value, 0x60, slot, 0x55]
}

/// `SSTORE(slot, top of the stack)`.
pub fn store_top(slot: u8) -> Vec<u8> {
    vec![0x60, slot, 0x55]
}

/// Calls `to` with `value` and all gas; leaves the success on the stack.
pub fn call(to: Address, value: u8) -> Vec<u8> {
    // retSize retOffset argsSize argsOffset value address gas CALL
    [vec![0x5f, 0x5f, 0x5f, 0x5f, 0x60, value], push(to), vec![0x5a, 0xf1]].concat()
}

/// Creates a contract with `init` (at most 32 bytes); leaves its address on the stack.
pub fn create(init: &[u8], value: u8, salt: Option<u8>) -> Vec<u8> {
    let mut code = vec![0x7f];
    code.extend(init);
    code.resize(33, 0);
    code.extend([0x5f, 0x52]); // MSTORE at 0
    if let Some(salt) = salt {
        code.extend([0x60, salt]);
    }
    let opcode = if salt.is_some() { 0xf5 } else { 0xf0 };
    code.extend([0x60, init.len() as u8, 0x5f, 0x60, value, opcode]);
    code
}

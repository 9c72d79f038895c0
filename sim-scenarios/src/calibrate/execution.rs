//! What execution costs: native transfers, and gas by what it is spent on.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, hex, keccak256};
use cross_shard_msg::{Gas, Recovered, Transaction};
use shard_node::evm::{BlockEnvironment, ChainRules, Executor, SingleShard, SpecId};
use state::{GenesisAccount, ShardState};

use super::rounds::cpu_nanos;
use super::{Batch, CalibrateError};

const CHAIN: u64 = 1_337;
const BASE_FEE: u64 = 1_000_000_000;
/// Accounts that send and receive.
const ACCOUNTS: u64 = 10_000;
/// Transactions of a round of transfers.
const TRANSFERS: u64 = 4_000;
/// Transactions of a round of token transfers.
const TOKENS: u64 = 1_000;
/// Gas of a transaction that runs in a loop until it has none left.
const LOOP_GAS: u64 = 5_000_000;
const CONTRACT: Address = Address::repeat_byte(0x70);
const TOKEN: &str = include_str!("../../../contracts/artifacts/Token.json");

/// `x = x · 3 + 7` over and over.
const ARITHMETIC: &str = "5f5b600302600701600302600701600302600701600302600701600156";
/// The hash of the last hash, over and over.
const KECCAK: &str = "5b60205f205f5260205f205f5260205f205f5260205f205f525f56";
/// A fresh slot each time.
const STORAGE: &str = "5f5b600101808055600156";

/// A loop of a kind of opcodes, per 1,000 gas.
pub(super) fn arithmetic() -> Result<Batch, CalibrateError> {
    looping(ARITHMETIC)
}

/// The same for hashes.
pub(super) fn keccak() -> Result<Batch, CalibrateError> {
    looping(KECCAK)
}

/// The same for storage.
pub(super) fn storage() -> Result<Batch, CalibrateError> {
    looping(STORAGE)
}

/// Per transfer that the executor runs natively.
pub(super) fn transfers() -> Result<Batch, CalibrateError> {
    let mut lab = Lab::new(GenesisAccount::default());
    let mut nonce = 0;
    Ok(Box::new(move || {
        let transfer = |index| {
            let to = account((index + 7_919 * (nonce + 1)) % ACCOUNTS);
            call(account(index), nonce, to, 21_000, U256::ONE, Bytes::new())
        };
        let block: Vec<Recovered> = (0..TRANSFERS).map(transfer).collect();
        nonce += 1;
        let (took, _) = lab.run(&block);
        took / TRANSFERS as f64
    }))
}

/// Per 1,000 gas of ERC-20 transfers.
pub(super) fn tokens() -> Result<Batch, CalibrateError> {
    let artifact: serde_json::Value =
        serde_json::from_str(TOKEN).map_err(|error| CalibrateError::Token(error.to_string()))?;
    let code = artifact["deployedBytecode"].as_str().and_then(|code| code.parse().ok());
    let code = code.ok_or_else(|| CalibrateError::Token("no deployedBytecode".to_owned()))?;
    // `balanceOf` is the mapping in slot 0.
    let slot = |index| {
        let mut key = [0; 64];
        key[12..32].copy_from_slice(account(index).as_slice());
        (U256::from_be_bytes(keccak256(key).0), U256::from(u64::MAX))
    };
    let storage = (0..ACCOUNTS).map(slot).collect();
    let token = GenesisAccount { nonce: 1, code, storage, ..GenesisAccount::default() };
    let mut lab = Lab::new(token);
    let mut nonce = 0;
    Ok(Box::new(move || {
        let transfer = |index| {
            let to = account((index + 7_919 * (nonce + 1)) % ACCOUNTS);
            let mut input = keccak256("transfer(address,uint256)")[..4].to_vec();
            input.extend([0; 12]);
            input.extend(to.as_slice());
            input.extend(U256::ONE.to_be_bytes::<32>());
            call(account(index), nonce, CONTRACT, 100_000, U256::ZERO, input.into())
        };
        let block: Vec<Recovered> = (0..TOKENS).map(transfer).collect();
        nonce += 1;
        let (took, gas) = lab.run(&block);
        took * 1_000.0 / gas.max(1) as f64
    }))
}

fn looping(code: &str) -> Result<Batch, CalibrateError> {
    let code = hex::decode(code).map_err(|error| CalibrateError::Token(error.to_string()))?;
    let contract = GenesisAccount { nonce: 1, code: code.into(), ..GenesisAccount::default() };
    let mut lab = Lab::new(contract);
    let mut nonce = 0;
    Ok(Box::new(move || {
        let block: Vec<Recovered> = (nonce..nonce + 4)
            .map(|nonce| call(account(0), nonce, CONTRACT, LOOP_GAS, U256::ZERO, Bytes::new()))
            .collect();
        nonce += 4;
        let (took, gas) = lab.run(&block);
        took * 1_000.0 / gas.max(1) as f64
    }))
}

/// A state with accounts and one contract.
struct Lab {
    state: ShardState,
    executor: Executor,
    environment: BlockEnvironment,
}

impl Lab {
    fn new(contract: GenesisAccount) -> Self {
        let rich = || GenesisAccount { balance: U256::from(1u128 << 100), ..Default::default() };
        let accounts = (0..ACCOUNTS).map(|index| (account(index), rich()));
        let rules = ChainRules { chain_id: CHAIN, spec: SpecId::PRAGUE, prescribed: false };
        Self {
            state: ShardState::from_genesis(accounts.chain([(CONTRACT, contract)])),
            executor: Executor::new(rules),
            environment: BlockEnvironment {
                number: 1,
                timestamp: 1,
                beneficiary: Address::repeat_byte(0xfe),
                base_fee: BASE_FEE,
                gas_limit: Gas(1_000_000_000),
                difficulty: U256::ZERO,
                prevrandao: B256::ZERO,
                excess_blob_gas: 0,
                block_hashes: Arc::new(BTreeMap::new()),
            },
        }
    }

    /// Executes a block; its time and gas. What cannot be executed uses no gas.
    fn run(&mut self, transactions: &[Recovered]) -> (f64, u64) {
        let Self { state, executor, environment } = self;
        let mut gas = 0;
        let took = cpu_nanos(|| {
            let mut block = executor.block(state, &SingleShard, environment);
            for transaction in transactions {
                let result = black_box(block.execute_transaction(transaction));
                gas += result.map_or(0, |result| result.gas_used.0);
            }
        });
        state.discard_block_diff();
        (took, gas)
    }
}

fn account(index: u64) -> Address {
    let mixed = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = [0x5a; 20];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[12..].copy_from_slice(&mixed.rotate_left(29).to_be_bytes());
    Address::from(bytes)
}

/// A transaction whose signature nobody looks at.
fn call(
    from: Address,
    nonce: u64,
    to: Address,
    gas_limit: u64,
    value: U256,
    input: Bytes,
) -> Recovered {
    let unsigned = TxEip1559 {
        chain_id: CHAIN,
        nonce,
        gas_limit,
        max_fee_per_gas: 2 * u128::from(BASE_FEE),
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(to),
        value,
        input,
        ..TxEip1559::default()
    };
    let signature = Signature::new(U256::ONE, U256::ONE, false);
    let envelope = TxEnvelope::Eip1559(unsigned.into_signed(signature));
    Recovered::assumed(Transaction::signed(envelope), from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_uses_its_gas() {
        for code in [ARITHMETIC, KECCAK, STORAGE] {
            let code = hex::decode(code).unwrap().into();
            let mut lab = Lab::new(GenesisAccount { nonce: 1, code, ..Default::default() });
            let block = [call(account(0), 0, CONTRACT, LOOP_GAS, U256::ZERO, Bytes::new())];
            assert_eq!(lab.run(&block).1, LOOP_GAS);
        }
        let mut all = [transfers().unwrap(), tokens().unwrap()];
        assert!(all.iter_mut().all(|batch| batch() > 0.0));
    }
}

//! Block execution through the executor, against the bare limit of one core in the same run:
//! revm's `transact_commit` over a `CacheDB`, for the same transactions. Neither side verifies
//! signatures or computes roots.

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use alloy_primitives::{Address, B256, TxKind, U256, keccak256};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use cross_shard_msg::{Gas, Recovered};
use lab::{BASE_FEE, BENEFICIARY, CHAIN, Fields, call_data, word};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::state::{AccountInfo, Bytecode};
use revm::{Context, ExecuteCommitEvm as _, MainBuilder as _, MainContext as _};
use shard_node::evm::{BlockEnvironment, ChainRules, Executor, SingleShard, SpecId};
use state::{GenesisAccount, ShardState};

/// Transactions of one block.
const BLOCK: usize = 2_000;
const TOKEN: Address = Address::repeat_byte(0x70);

/// Addresses spread like those of real accounts, without hashing in the middle of a measurement.
fn account(index: usize) -> Address {
    let mut bytes = [0; 20];
    for (chunk, word) in bytes.chunks_mut(8).zip(1u64..) {
        let mixed = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) ^ word;
        let mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9).to_be_bytes();
        chunk.copy_from_slice(&mixed[..chunk.len()]);
    }
    Address::from(bytes)
}

/// What a workload sends in its n-th block: one transaction of each of [`BLOCK`] senders.
type Workload = fn(accounts: usize, nonce: u64) -> Vec<Fields>;

fn transfers(accounts: usize, nonce: u64) -> Vec<Fields> {
    let fields = |(from, to)| Fields {
        sender: account(from),
        nonce,
        gas_limit: 21_000,
        value: U256::ONE,
        ..Fields::call(account(to))
    };
    pairs(accounts, nonce).map(fields).collect()
}

fn token_transfers(accounts: usize, nonce: u64) -> Vec<Fields> {
    let fields = |(from, to)| {
        let words = [word(account(to)), U256::ONE];
        Fields {
            sender: account(from),
            nonce,
            gas_limit: 100_000,
            to: TxKind::Call(TOKEN),
            ..Fields::call(TOKEN).input(call_data("transfer(address,uint256)", &words))
        }
    };
    pairs(accounts, nonce).map(fields).collect()
}

/// Senders spread over all accounts, each with another recipient in every block.
fn pairs(accounts: usize, nonce: u64) -> impl Iterator<Item = (usize, usize)> {
    (0..BLOCK).map(move |index| {
        let from = index * (accounts / BLOCK);
        (from, (from + 7_919 * (nonce as usize + 1)) % accounts)
    })
}

/// Accounts with ether and tokens, and the token.
fn genesis(accounts: usize) -> Vec<(Address, GenesisAccount)> {
    let mut genesis: Vec<_> = (0..accounts)
        .map(|index| {
            let balance = U256::from(lab::ETHER);
            (account(index), GenesisAccount { balance, ..Default::default() })
        })
        .collect();
    // `balanceOf` is the mapping in slot 0.
    let slot = |holder: Address| {
        let key = [word(holder).to_be_bytes::<32>(), [0; 32]].concat();
        (U256::from_be_bytes(keccak256(key).0), U256::from(lab::ETHER))
    };
    let storage = (0..accounts).map(|index| slot(account(index))).collect();
    let artifact = include_str!("../../contracts/artifacts/Token.json");
    let artifact: serde_json::Value = serde_json::from_str(artifact).expect("an artifact");
    let code = artifact["deployedBytecode"].as_str().and_then(|code| code.parse().ok());
    let code = code.expect("deployed bytecode");
    genesis.push((TOKEN, GenesisAccount { nonce: 1, balance: U256::ZERO, code, storage }));
    genesis
}

fn bench_executor(bench: &mut Criterion, name: &str, accounts: usize, workload: Workload) {
    let mut state = ShardState::from_genesis(genesis(accounts));
    let rules = ChainRules { chain_id: CHAIN, spec: SpecId::PRAGUE, prescribed: false };
    let mut executor = Executor::new(rules);
    let environment = BlockEnvironment {
        number: 1,
        timestamp: 1,
        beneficiary: BENEFICIARY,
        base_fee: BASE_FEE,
        gas_limit: Gas(1_000_000_000),
        difficulty: U256::ZERO,
        prevrandao: B256::ZERO,
        excess_blob_gas: 0,
        block_hashes: Arc::new(BTreeMap::new()),
    };
    let nonce = Cell::new(0);
    let block = || -> Vec<Recovered> {
        let fields = workload(accounts, nonce.replace(nonce.get() + 1));
        fields.into_iter().map(Fields::recovered).collect()
    };
    bench.benchmark_group(name).throughput(Throughput::Elements(BLOCK as u64)).bench_function(
        "executor",
        |bencher| {
            bencher.iter_batched(
                block,
                |transactions| {
                    let mut block = executor.block(&mut state, &SingleShard, &environment);
                    for transaction in &transactions {
                        let result = block.execute_transaction(transaction);
                        assert!(black_box(result).is_ok_and(|result| result.is_success()));
                    }
                    state.discard_block_diff();
                    transactions
                },
                BatchSize::PerIteration,
            );
        },
    );
}

fn bench_revm(bench: &mut Criterion, name: &str, accounts: usize, workload: Workload) {
    let mut database = CacheDB::new(EmptyDB::default());
    for (address, account) in genesis(accounts) {
        let code = Bytecode::new_raw(account.code);
        let info = AccountInfo::new(account.balance, account.nonce, code.hash_slow(), code);
        database.insert_account_info(address, info);
        for (slot, value) in account.storage {
            assert!(database.insert_account_storage(address, slot, value).is_ok());
        }
    }
    let mut evm = Context::mainnet()
        .with_db(database)
        .with_cfg(CfgEnv::new_with_spec(SpecId::PRAGUE).with_chain_id(CHAIN))
        .with_block(BlockEnv {
            beneficiary: BENEFICIARY,
            basefee: BASE_FEE,
            gas_limit: 1_000_000_000,
            prevrandao: Some(B256::ZERO),
            ..BlockEnv::default()
        })
        .build_mainnet();
    let nonce = Cell::new(0);
    let block = || -> Vec<TxEnv> {
        let fields = workload(accounts, nonce.replace(nonce.get() + 1)).into_iter();
        let transaction = |fields: Fields| TxEnv {
            tx_type: 2,
            caller: fields.sender,
            gas_limit: fields.gas_limit,
            gas_price: fields.max_fee,
            gas_priority_fee: Some(fields.tip),
            kind: fields.to,
            value: fields.value,
            data: fields.input,
            nonce: fields.nonce,
            chain_id: fields.chain_id,
            ..TxEnv::default()
        };
        fields.map(transaction).collect()
    };
    bench.benchmark_group(name).throughput(Throughput::Elements(BLOCK as u64)).bench_function(
        "bare revm",
        |bencher| {
            bencher.iter_batched(
                block,
                |transactions| {
                    for transaction in transactions {
                        let result = evm.transact_commit(transaction);
                        assert!(black_box(result).is_ok_and(|result| result.is_success()));
                    }
                },
                BatchSize::PerIteration,
            );
        },
    );
}

fn execution(bench: &mut Criterion) {
    let workloads: [(&str, usize, Workload); 3] = [
        ("transfers, 10k accounts", 10_000, transfers),
        ("transfers, 100k accounts", 100_000, transfers),
        ("ERC-20 transfers, 100k accounts", 100_000, token_transfers),
    ];
    for (name, accounts, workload) in workloads {
        bench_executor(bench, name, accounts, workload);
        bench_revm(bench, name, accounts, workload);
    }
}

criterion_group!(benches, execution);
criterion_main!(benches);

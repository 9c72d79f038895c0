//! What a block's state root costs: `cargo bench -p state`.
//!
//! Each measured block writes 1,000 accounts (or slots) of a state that is already hashed, and takes
//! the root; divide by 1,000 for the cost per update. The last group rebuilds the whole trie with
//! alloy-trie, which is what an implementation without an incremental trie pays per block.

use alloy_primitives::map::AddressMap;
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::root::{ordered_trie_root_encoded, state_root};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use state::{Account, AccountChange, GenesisAccount, ShardState, ordered_root};
use std::hint::black_box;

const WRITES: u64 = 1_000;

fn address(number: u64) -> Address {
    Address::from_slice(&keccak256(number.to_be_bytes())[12..])
}

/// A state of `count` accounts, hashed once.
fn state_of(count: u64) -> ShardState {
    let mut state = ShardState::from_genesis((0..count).map(|number| {
        let account = GenesisAccount {
            balance: U256::from(10u64.pow(18) + number),
            ..GenesisAccount::default()
        };
        (address(number), account)
    }));
    state.root();
    state
}

/// Spreads writes over the accounts, other ones in every block.
fn chosen(block: u64, write: u64, count: u64) -> u64 {
    let mixed = (block * WRITES + write).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 11) % count
}

fn updates(c: &mut Criterion) {
    for (name, count) in [("100k", 100_000), ("1M", 1_000_000)] {
        let mut state = state_of(count);
        let addresses: Vec<Address> = (0..count).map(address).collect();
        let mut block = 0;
        let mut write_block = move |state: &mut ShardState| {
            block += 1;
            for write in 0..WRITES {
                let address = addresses[chosen(block, write, count) as usize];
                let balance = U256::from(10u64.pow(18) + block);
                state.set_account(address, Some(Account::without_code(block, balance)));
            }
        };
        let mut group = c.benchmark_group(format!("1,000 updates of {name} accounts"));
        group.throughput(Throughput::Elements(WRITES));
        group.bench_function("root alone", |b| {
            b.iter_custom(|blocks| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..blocks {
                    write_block(&mut state);
                    state.discard_block_diff();
                    let begin = now();
                    black_box(state.root());
                    spent += begin.elapsed();
                }
                spent
            });
        });
        group.bench_function("commit, diff and root", |b| {
            b.iter(|| {
                write_block(&mut state);
                black_box(state.take_block_diff());
                black_box(state.root())
            });
        });
        group.finish();
    }
}

fn insertions(c: &mut Criterion) {
    let mut state = state_of(100_000);
    let mut next = 100_000;
    let mut group = c.benchmark_group("1,000 insertions into 100k accounts and more");
    group.throughput(Throughput::Elements(WRITES));
    group.bench_function("commit, diff and root", |b| {
        b.iter(|| {
            for _ in 0..WRITES {
                next += 1;
                let account = Account::without_code(0, U256::from(next));
                state.set_account(address(next), Some(account));
            }
            black_box(state.take_block_diff());
            black_box(state.root())
        });
    });
    group.finish();
}

fn storage(c: &mut Criterion) {
    let slot = |number: u64| U256::from_be_bytes(keccak256(number.to_be_bytes()).0);
    let token = address(7);
    let genesis = GenesisAccount {
        nonce: 1,
        storage: (0..100_000).map(|n| (slot(n), U256::from(n + 1))).collect(),
        ..GenesisAccount::default()
    };
    let mut state = ShardState::from_genesis([(token, genesis)]);
    state.root();
    let info = state.account(&token).copied();
    let slots: Vec<U256> = (0..100_000).map(slot).collect();
    let mut block = 0;
    let mut group = c.benchmark_group("1,000 slots of 100k in one contract");
    group.throughput(Throughput::Elements(WRITES));
    group.bench_function("commit, diff and root", |b| {
        b.iter(|| {
            block += 1;
            for transfer in 0..WRITES / 2 {
                let pair = [2 * transfer, 2 * transfer + 1].map(|write| {
                    let chosen = chosen(block, write, 100_000) as usize;
                    (slots[chosen], U256::from(block + 10u64.pow(15)))
                });
                state.commit(AccountChange {
                    address: token,
                    info,
                    code: None,
                    storage_cleared: false,
                    storage: pair.to_vec(),
                });
            }
            black_box(state.take_block_diff());
            black_box(state.root())
        });
    });
    group.finish();
}

fn lookups(c: &mut Criterion) {
    let state = state_of(100_000);
    let addresses: Vec<Address> = (0..100_000).map(address).collect();
    let plain: AddressMap<Account> =
        addresses.iter().map(|address| (*address, Account::default())).collect();
    let mut group = c.benchmark_group("1,000 look-ups in 100k accounts");
    group.throughput(Throughput::Elements(WRITES));
    let mut block = 0;
    group.bench_function("ShardState::account", |b| {
        b.iter(|| {
            block += 1;
            for write in 0..WRITES {
                black_box(state.account(&addresses[chosen(block, write, 100_000) as usize]));
            }
        });
    });
    group.bench_function("bare AddressMap", |b| {
        b.iter(|| {
            block += 1;
            for write in 0..WRITES {
                black_box(plain.get(&addresses[chosen(block, write, 100_000) as usize]));
            }
        });
    });
    group.finish();
}

fn ordered(c: &mut Criterion) {
    let items: Vec<Vec<u8>> =
        (0..2_000u64).map(|n| keccak256(n.to_be_bytes()).repeat(4)[..112].to_vec()).collect();
    let mut group = c.benchmark_group("transactions root of 2,000 transfers");
    group.throughput(Throughput::Elements(2_000));
    group.bench_function("ordered_root", |b| b.iter(|| ordered_root(&items)));
    group.bench_function("alloy-trie", |b| {
        b.iter(|| ordered_trie_root_encoded(&items));
    });
    group.finish();
}

fn full_rebuild(c: &mut Criterion) {
    let account = TrieAccount {
        nonce: 1,
        balance: U256::from(10u64.pow(18)),
        storage_root: EMPTY_ROOT_HASH,
        code_hash: alloy_primitives::KECCAK256_EMPTY,
    };
    let mut hashed: Vec<B256> = (0..100_000).map(|n| keccak256(address(n))).collect();
    hashed.sort_unstable();
    let mut group = c.benchmark_group("full root of 100k accounts");
    group.sample_size(10);
    group.bench_function("alloy-trie, keys hashed and sorted", |b| {
        b.iter(|| state_root(hashed.iter().map(|key| (*key, account))));
    });
    group.bench_function("ShardState, genesis and first root", |b| {
        b.iter_batched(|| (), |()| black_box(state_of(100_000).root()), BatchSize::PerIteration);
    });
    group.finish();
}

/// A bench measures, so it reads the clock.
#[allow(clippy::disallowed_methods)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

criterion_group!(benches, updates, insertions, storage, lookups, ordered, full_rebuild);
criterion_main!(benches);

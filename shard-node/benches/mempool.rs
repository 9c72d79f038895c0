//! The mempool: admission and turns, per transaction.

use std::hint::black_box;

use alloy_consensus::{Signed, TxEnvelope, TxLegacy};
use alloy_primitives::{Address, Signature, TxKind, U256};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use cross_shard_msg::{Duration, Recovered, Timestamp, Transaction};
use shard_node::mempool::{Mempool, MempoolBounds};

const SENDERS: u32 = 2_500;
const PER_SENDER: u64 = 4;

fn transactions() -> Vec<Recovered> {
    let mut all = Vec::new();
    for nonce in 0..PER_SENDER {
        for sender in 0..SENDERS {
            let mut address = [0x22; 20];
            address[16..].copy_from_slice(&sender.to_be_bytes());
            let tx = TxLegacy {
                chain_id: Some(1),
                nonce,
                gas_price: 10,
                gas_limit: 21_000,
                to: TxKind::Call(Address::ZERO),
                value: U256::from(sender),
                ..TxLegacy::default()
            };
            let signature = Signature::new(U256::from(1), U256::from(1), false);
            let envelope = TxEnvelope::Legacy(Signed::new_unhashed(tx, signature));
            all.push(Recovered::assumed(Transaction::signed(envelope), Address::from(address)));
        }
    }
    all
}

fn pool() -> Mempool {
    Mempool::new(MempoolBounds { total: 100_000, per_sender: 64, time: Duration::from_secs(60) })
}

fn mempool(criterion: &mut Criterion) {
    let transactions = transactions();
    let mut group = criterion.benchmark_group("mempool");
    group.throughput(Throughput::Elements(transactions.len() as u64));
    group.bench_function("admit", |bencher| {
        bencher.iter_batched(
            || (pool(), transactions.clone()),
            |(mut pool, transactions)| {
                for transaction in transactions {
                    let _ = black_box(pool.admit(Timestamp::ZERO, transaction, 0));
                }
                pool
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("take turns", |bencher| {
        bencher.iter_batched(
            || {
                let mut pool = pool();
                for transaction in &transactions {
                    let _ = pool.admit(Timestamp::ZERO, transaction.clone(), 0);
                }
                pool
            },
            |mut pool| {
                while let Some(turn) = pool.next_turn() {
                    pool.executed(black_box(&turn));
                }
                pool
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, mempool);
criterion_main!(benches);

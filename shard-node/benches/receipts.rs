//! Receipts: the proof at the source and its verification at the destination, per receipt.

use std::hint::black_box;

use alloy_primitives::{Address, B256, U256};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cross_shard_msg::header::signing_digest;
use cross_shard_msg::receipt::prove_outgoing;
use cross_shard_msg::{
    Action, Call, Certificate, CheckpointNumber, Congestion, Gas, Header, Height, Ledger,
    NetworkId, Outgoing, Receipt, ReceiptBatch, SealedHeader, SecretKey, Sequence, ShardId,
    ShardKeys, SignedHeader, Timestamp, Wei,
};

const DESTINATIONS: u32 = 4;
const RECEIPTS: u64 = 1_000;

fn receipt(index: u64) -> Receipt {
    Receipt {
        origin: B256::from(U256::from(index)),
        caused: Height(7),
        action: Action::Call(Call {
            from: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            value: Wei::from(index),
            gas: Gas(0),
            gas_price: Wei::from(10),
            input: Default::default(),
            refund_to: Address::repeat_byte(1),
        }),
    }
}

fn outgoing() -> Vec<Outgoing> {
    let receipts: Vec<Receipt> = (0..RECEIPTS).map(receipt).collect();
    (1..=DESTINATIONS)
        .map(|shard| Outgoing {
            destination: ShardId(shard),
            first: Sequence(1),
            receipts: receipts.clone(),
        })
        .collect()
}

fn receipts(criterion: &mut Criterion) {
    let outgoing = outgoing();
    let (root, proofs) = prove_outgoing(&outgoing);
    let key = SecretKey::from_seed(&B256::repeat_byte(1));
    let network = NetworkId::default();
    let header = SealedHeader::seal(Header {
        shard: ShardId(0),
        height: Height(7),
        parent: B256::ZERO,
        checkpoint: CheckpointNumber(1),
        timestamp: Timestamp(1),
        state_root: B256::ZERO,
        transactions_root: B256::ZERO,
        results_root: B256::ZERO,
        outgoing_receipts_root: root,
        watermarks: Vec::new(),
        sent: Vec::new(),
        placements: Vec::new(),
        gas_used: Gas(0),
        gas_limit: Gas(30_000_000),
        base_fee: 1,
        congestion: Congestion::default(),
        ledger: Ledger::default(),
        traffic: alloy_primitives::B256::ZERO,
    });
    let certificate = Certificate::single(&key, &signing_digest(&network, &header.hash()));
    let batch = ReceiptBatch {
        chain: Vec::new(),
        header: SignedHeader { header, certificate },
        outgoing: outgoing[0].clone(),
        proof: proofs[0].clone(),
    };
    let keys = ShardKeys::single(key.public());

    let mut group = criterion.benchmark_group("receipts");
    group.throughput(Throughput::Elements(u64::from(DESTINATIONS) * RECEIPTS));
    group.bench_function("prove", |bencher| {
        bencher.iter(|| prove_outgoing(black_box(&outgoing)));
    });
    group.throughput(Throughput::Elements(RECEIPTS));
    group.bench_function("verify", |bencher| {
        bencher.iter(|| {
            let batch = black_box(&batch);
            batch.is_proven() && batch.header.verify(&network, &keys)
        });
    });
    group.finish();
}

criterion_group!(benches, receipts);
criterion_main!(benches);

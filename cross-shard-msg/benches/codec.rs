//! What a node pays for bytes and hashes: the codec, header hashes, inclusion proofs, signatures.
//!
//! `cargo bench -p cross-shard-msg`

use std::hint::black_box;

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use cross_shard_msg::{
    Action, Call, Certificate, CheckpointNumber, Congestion, Gas, Header, Height, Ledger, Message,
    Outgoing, Receipt, ReceiptBatch, Recovered, SealedHeader, SecretKey, Sent, Sequence, ShardId,
    SignedHeader, Submission, Timestamp, Transaction, Watermark, codec, merkle, receipt, signature,
};

fn transfers(count: u64) -> Vec<Submission> {
    let key = secp256k1::SecretKey::from_byte_array([0x42; 32]).unwrap();
    let transfer = |nonce| {
        let unsigned = TxEip1559 {
            chain_id: 1337,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 30_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(Address::repeat_byte(7)),
            value: U256::from(1_000_000_000),
            ..TxEip1559::default()
        };
        let signature = signature::sign(&unsigned.signature_hash(), &key);
        let signed = Transaction::signed(TxEnvelope::Eip1559(unsigned.into_signed(signature)));
        Submission { encoded: signed.encoded().clone(), assumed_sender: None }
    };
    (0..count).map(transfer).collect()
}

/// A header of a network of `shards` shards, in which everyone has sent to everyone.
fn header(shards: u32, outgoing_receipts_root: B256) -> Header {
    let others = || (1..shards).map(ShardId);
    let watermark = |source| Watermark {
        source,
        height: Height(1_000),
        header: B256::repeat_byte(1),
        sequence: Sequence(100_000),
        value: U256::from(1u128 << 80),
    };
    let sent = |destination| Sent {
        destination,
        sequence: Sequence(100_000),
        value: U256::from(1u128 << 80),
    };
    Header {
        shard: ShardId(0),
        height: Height(1_001),
        parent: B256::repeat_byte(2),
        checkpoint: CheckpointNumber(300),
        timestamp: Timestamp(2_000_000_000_000),
        state_root: B256::repeat_byte(3),
        transactions_root: B256::repeat_byte(4),
        results_root: B256::repeat_byte(5),
        outgoing_receipts_root,
        watermarks: others().map(watermark).collect(),
        sent: others().map(sent).collect(),
        placements: Vec::new(),
        gas_used: Gas(21_000_000),
        gas_limit: Gas(30_000_000),
        base_fee: 1_000_000_000,
        congestion: Congestion::default(),
        ledger: Ledger::default(),
        traffic: B256::ZERO,
    }
}

fn receipts(count: u64) -> Vec<Receipt> {
    let call = |number: u64| Receipt {
        origin: B256::from(U256::from(number)),
        caused: Height(1_000),
        action: Action::Call(Call {
            from: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            value: U256::from(number),
            gas: Gas(0),
            gas_price: U256::from(1_000_000_000),
            input: Bytes::new(),
            refund_to: Address::repeat_byte(1),
        }),
    };
    (0..count).map(call).collect()
}

fn batch(count: u64) -> Message {
    let outgoing =
        Outgoing { destination: ShardId(1), first: Sequence(1), receipts: receipts(count) };
    let outgoing = vec![outgoing];
    let (root, mut proofs) = receipt::prove_outgoing(&outgoing);
    let header = SealedHeader::seal(header(16, root));
    let certificate = Certificate::single(&SecretKey::from_seed(&B256::ZERO), &header.hash());
    let header = SignedHeader { header, certificate };
    let (outgoing, proof) = outgoing.into_iter().zip(proofs.drain(..)).next().unwrap();
    Message::Batch(ReceiptBatch { chain: Vec::new(), header, outgoing, proof }.into())
}

fn messages(criterion: &mut Criterion) {
    let messages = [
        ("submit of 1,000 transfers", Message::Submit(transfers(1_000)), 1_000),
        ("batch of 1,000 receipts", batch(1_000), 1_000),
    ];
    for (name, message, items) in messages {
        let bytes = codec::encode(&message).unwrap();
        println!("{name}: {} bytes", bytes.len());
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(items));
        group.bench_function("encode", |bencher| bencher.iter(|| codec::encode(&message)));
        group.bench_function("decode", |bencher| {
            bencher.iter(|| codec::decode::<Message>(black_box(&bytes)));
        });
        group.finish();
    }
    let Message::Batch(batch) = batch(1_000) else { unreachable!() };
    criterion.bench_function("is_proven, 1,000 receipts", |bencher| {
        bencher.iter(|| black_box(&batch).is_proven());
    });
}

fn hashes(criterion: &mut Criterion) {
    for shards in [2, 16, 64] {
        let header = header(shards, B256::ZERO);
        criterion.bench_function(&format!("header hash, {shards} shards"), |bencher| {
            bencher.iter(|| black_box(&header).hash());
        });
    }
    let leaves: Vec<B256> = (0..1_000u64).map(|leaf| B256::from(U256::from(leaf))).collect();
    let root = merkle::root(&leaves);
    let proof = merkle::prove(&leaves, 777).unwrap();
    criterion.bench_function("merkle root, 1,000 leaves", |bencher| {
        bencher.iter(|| merkle::root(black_box(&leaves)));
    });
    criterion.bench_function("merkle prove, 1 of 1,000", |bencher| {
        bencher.iter(|| merkle::prove(black_box(&leaves), 777));
    });
    criterion.bench_function("merkle verify, 1 of 1,000", |bencher| {
        bencher.iter(|| proof.verify(black_box(&root), &leaves[777]));
    });
}

fn signatures(criterion: &mut Criterion) {
    let submission = transfers(1).swap_remove(0);
    criterion.bench_function("transaction decode", |bencher| {
        bencher.iter(|| Transaction::decode(black_box(submission.encoded.clone())));
    });
    let transaction = Transaction::decode(submission.encoded).unwrap();
    criterion.bench_function("sender recover", |bencher| {
        bencher.iter_batched(|| transaction.clone(), Recovered::recover, BatchSize::SmallInput);
    });
    let key = SecretKey::from_seed(&B256::repeat_byte(1));
    let (public, digest) = (key.public(), B256::repeat_byte(2));
    let signature = key.sign(&digest);
    criterion.bench_function("node sign", |bencher| bencher.iter(|| key.sign(black_box(&digest))));
    criterion.bench_function("node verify", |bencher| {
        bencher.iter(|| public.verify(black_box(&digest), &signature));
    });
}

criterion_group!(benches, messages, hashes, signatures);
criterion_main!(benches);

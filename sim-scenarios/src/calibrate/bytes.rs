//! What signatures, hashes, bytes, the trie and records cost.

use std::hint::black_box;

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_primitives::{Address, B256, TxKind, U256, keccak256};
use cross_shard_msg::{
    Action, Call, Certificate, Gas, Height, Message, Outgoing, Receipt, ReceiptBatch, Recovered,
    SecretKey, Sequence, ShardId, SignedHeader, Transaction, codec, receipt, signature,
};
use runtime::records::{Durability, RecordLog};
use state::{Account, GenesisAccount, ShardState};

use super::rounds::{cpu_nanos, nanos};
use super::{Batch, CalibrateError};

/// Signatures of a round.
const SIGNATURES: u32 = 400;
/// Accounts of the state whose root is taken.
const ACCOUNTS: u64 = 10_000;
/// Accounts that a round updates.
const UPDATES: u64 = 1_000;
/// Receipts of the batch that is encoded and decoded.
const RECEIPTS: u64 = 500;
/// Records that a round appends.
const RECORDS: u32 = 400;
/// Bytes of a record, about those of a vote or a small block.
const RECORD_BYTES: usize = 1_000;

/// Per recovered user signature.
pub(super) fn recoveries() -> Result<Batch, CalibrateError> {
    let key = secp256k1::SecretKey::from_byte_array([0x42; 32])
        .map_err(|error| CalibrateError::Token(error.to_string()))?;
    let signed = |nonce| {
        let unsigned = TxEip1559 {
            chain_id: 1_337,
            nonce,
            gas_limit: 21_000,
            to: TxKind::Call(Address::repeat_byte(7)),
            value: U256::from(1_000_000_000),
            ..TxEip1559::default()
        };
        let signature = signature::sign(&unsigned.signature_hash(), &key);
        Transaction::signed(TxEnvelope::Eip1559(unsigned.into_signed(signature)))
    };
    let transactions: Vec<Transaction> = (0..u64::from(SIGNATURES)).map(signed).collect();
    Ok(Box::new(move || {
        let copies = transactions.clone();
        let took = cpu_nanos(|| {
            for transaction in copies {
                let _ = black_box(Recovered::recover(transaction));
            }
        });
        took / f64::from(SIGNATURES)
    }))
}

/// Per node signature made.
pub(super) fn signatures() -> Result<Batch, CalibrateError> {
    let key = SecretKey::from_seed(&B256::repeat_byte(1));
    Ok(Box::new(move || {
        let took = cpu_nanos(|| {
            for index in 0..SIGNATURES {
                black_box(key.sign(&B256::from(U256::from(index))));
            }
        });
        took / f64::from(SIGNATURES)
    }))
}

/// Per node signature checked.
pub(super) fn verifications() -> Result<Batch, CalibrateError> {
    let key = SecretKey::from_seed(&B256::repeat_byte(1));
    let (public, digest) = (key.public(), B256::repeat_byte(2));
    let signature = key.sign(&digest);
    Ok(Box::new(move || {
        let took = cpu_nanos(|| {
            for _ in 0..SIGNATURES {
                black_box(public.verify(black_box(&digest), &signature));
            }
        });
        took / f64::from(SIGNATURES)
    }))
}

/// Per account of a block: written, taken into the diff and into the state root.
pub(super) fn updates() -> Result<Batch, CalibrateError> {
    let name = |index: u64| Address::from_slice(&keccak256(index.to_be_bytes())[12..]);
    let names: Vec<Address> = (0..ACCOUNTS).map(name).collect();
    let rich = || GenesisAccount { balance: U256::from(1u64 << 60), ..Default::default() };
    let mut state = ShardState::from_genesis(names.iter().map(|name| (*name, rich())));
    state.root();
    let mut block = 0;
    Ok(Box::new(move || {
        block += 1;
        let took = cpu_nanos(|| {
            for write in 0..UPDATES {
                let mixed = (block * UPDATES + write).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let Some(name) = names.get(((mixed >> 11) % ACCOUNTS) as usize) else { continue };
                let balance = U256::from((1u64 << 60) + block);
                state.set_account(*name, Some(Account::without_code(block, balance)));
            }
            black_box(state.root());
            black_box(state.take_block_diff());
        });
        took / UPDATES as f64
    }))
}

/// Per 1,000 bytes of a batch of receipts, encoded and decoded once each: the mean of both.
pub(super) fn codec_bytes() -> Result<Batch, CalibrateError> {
    let message = batch();
    let bytes =
        codec::encode(&message).map_err(|error| CalibrateError::Token(error.to_string()))?;
    let kilobytes = bytes.len() as f64 / 1_000.0;
    Ok(Box::new(move || {
        let took = cpu_nanos(|| {
            for _ in 0..20 {
                let _ = black_box(codec::encode(black_box(&message)));
                let _ = black_box(codec::decode::<Message>(black_box(&bytes)));
            }
        });
        took / 40.0 / kilobytes
    }))
}

/// Per 1,000 bytes, in pieces of 100: BLAKE3 and keccak-256, the mean of both.
pub(super) fn hashed_bytes() -> Result<Batch, CalibrateError> {
    Ok(Box::new(move || {
        let mut piece = [7; 100];
        let took = cpu_nanos(|| {
            for index in 0..2_000u32 {
                // Another content each time: keccak remembers what it has hashed.
                piece[..4].copy_from_slice(&index.to_be_bytes());
                black_box(keccak256(piece));
                let mut preimage = cross_shard_msg::hash::Preimage::new("shardlab/calibrate");
                preimage.bytes(&piece);
                black_box(preimage.finish());
            }
        });
        took / 4_000.0 * 10.0
    }))
}

/// Per record of 1,000 bytes, until the operating system has it.
pub(super) fn records() -> Result<Batch, CalibrateError> {
    let path = std::env::temp_dir().join(format!("shardlab-calibrate-{}", std::process::id()));
    let mut log = RecordLog::create(&path, Durability::Process)?;
    // The file stays open, and vanishes with this process.
    let _ = std::fs::remove_file(&path);
    let record = vec![7u8; RECORD_BYTES];
    Ok(Box::new(move || {
        let took = nanos(|| {
            for _ in 0..RECORDS {
                let _ = black_box(log.append(&record));
            }
        });
        took / f64::from(RECORDS)
    }))
}

fn batch() -> Message {
    let call = |number: u64| Receipt {
        origin: B256::from(U256::from(number)),
        caused: Height(1_000),
        action: Action::Call(Call {
            from: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            value: U256::from(number),
            gas: Gas(0),
            gas_price: U256::from(1_000_000_000),
            input: Default::default(),
            refund_to: Address::repeat_byte(1),
        }),
    };
    let receipts = (0..RECEIPTS).map(call).collect();
    let outgoing = Outgoing { destination: ShardId(1), first: Sequence(1), receipts };
    let outgoing = vec![outgoing];
    let (root, proofs) = receipt::prove_outgoing(&outgoing);
    let header = super::messages::header(root);
    let certificate = Certificate::single(&SecretKey::from_seed(&B256::ZERO), &header.hash());
    let header = SignedHeader { header, certificate };
    let pair = outgoing.into_iter().zip(proofs).next();
    let (outgoing, proof) = pair.unwrap_or_else(|| unreachable!("one destination has one proof"));
    Message::Batch(ReceiptBatch { chain: Vec::new(), header, outgoing, proof }.into())
}

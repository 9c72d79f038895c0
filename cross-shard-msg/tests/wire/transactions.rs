//! Transactions of every type, and what is not one.

use alloy_consensus::{
    BlobTransactionSidecarVariant, SignableTransaction, Signed, TxEip1559, TxEip2930, TxEip4844,
    TxEip4844Variant, TxEip4844WithSidecar, TxEip7702, TxEnvelope, TxLegacy,
};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7594::BlobTransactionSidecarEip7594;
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use cross_shard_msg::transaction::MAX_TRANSACTION_BYTES;
use cross_shard_msg::{Recovered, Transaction, TransactionError, signature};

use crate::bodies;
use crate::examples::{address, hash};

fn key() -> secp256k1::SecretKey {
    secp256k1::SecretKey::from_byte_array([0x42; 32]).unwrap()
}

fn sender() -> Address {
    signature::address_of(&key().public_key(secp256k1::SECP256K1))
}

fn sign<T: SignableTransaction<Signature>>(unsigned: T) -> Signed<T> {
    let signature = signature::sign(&unsigned.signature_hash(), &key());
    unsigned.into_signed(signature)
}

fn access_list() -> AccessList {
    let item = AccessListItem { address: address(1), storage_keys: vec![hash(2), hash(3)] };
    AccessList(vec![item])
}

fn legacy(chain_id: Option<u64>, input: Bytes) -> TxEnvelope {
    let to = TxKind::Call(address(7));
    sign(TxLegacy { chain_id, nonce: 1, gas_limit: 21_000, to, input, ..TxLegacy::default() })
        .into()
}

fn blob() -> TxEip4844 {
    TxEip4844 {
        chain_id: 1,
        to: address(7),
        blob_versioned_hashes: vec![hash(4)],
        max_fee_per_blob_gas: 5,
        ..TxEip4844::default()
    }
}

pub fn every_type() -> Vec<(&'static str, u8, TxEnvelope)> {
    let authorization = Authorization { chain_id: U256::from(1), address: address(5), nonce: 6 };
    let signed = signature::sign(&authorization.signature_hash(), &key());
    let set_code = TxEip7702 {
        chain_id: 1,
        to: address(7),
        authorization_list: vec![authorization.into_signed(signed)],
        ..TxEip7702::default()
    };
    let creation = TxEip1559 { chain_id: 1, to: TxKind::Create, ..TxEip1559::default() };
    let listed = TxEip2930 {
        chain_id: 1,
        to: TxKind::Call(address(7)),
        access_list: access_list(),
        ..TxEip2930::default()
    };
    let blob = sign(TxEip4844Variant::from(blob()));
    vec![
        ("legacy with a chain id", 0, legacy(Some(1), Bytes::new())),
        ("legacy with the largest chain id", 0, legacy(Some(u64::MAX), Bytes::new())),
        ("legacy without a chain id", 0, legacy(None, Bytes::from_static(b"x"))),
        ("access list", 1, sign(listed).into()),
        ("fee market", 2, sign(creation).into()),
        ("blob", 3, TxEnvelope::Eip4844(blob)),
        ("set code", 4, sign(set_code).into()),
    ]
}

#[test]
fn every_type_is_decoded_with_its_sender() {
    for (name, kind, envelope) in every_type() {
        let signed = Transaction::signed(envelope);
        let encoded = signed.encoded().clone();
        assert!(bodies::transaction(&encoded), "{name}");
        let decoded = Transaction::decode(encoded.clone()).unwrap();
        assert_eq!(decoded.envelope(), signed.envelope(), "{name}");
        assert_eq!(decoded.envelope().tx_type() as u8, kind, "{name}");
        assert_eq!(decoded.hash(), *signed.envelope().tx_hash(), "{name}");
        assert_eq!(decoded.recipient().is_none(), name == "fee market", "{name}");
        assert_eq!(Recovered::recover(decoded).unwrap().sender(), sender(), "{name}");
        for length in 0..encoded.len() {
            assert!(!bodies::transaction(&encoded[..length]), "{name}, {length} bytes of it");
        }
        for extra in [&[0][..], &encoded] {
            let longer = Bytes::from([&encoded, extra].concat());
            let refused = Transaction::decode(longer).unwrap_err();
            assert!(matches!(refused, TransactionError::Malformed(_)), "{name}: {refused}");
        }
    }
}

#[test]
fn every_damaged_transaction_is_refused_or_another_one() {
    for (name, _, envelope) in every_type() {
        let honest = Transaction::signed(envelope);
        let mut bytes = honest.encoded().to_vec();
        for position in 0..bytes.len() {
            for bit in 0..8 {
                bytes[position] ^= 1 << bit;
                bodies::transaction(&bytes);
                if let Ok(other) = Transaction::decode(Bytes::copy_from_slice(&bytes)) {
                    assert_ne!(other.hash(), honest.hash(), "{name}");
                }
                bytes[position] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn a_transaction_has_at_most_its_bound() {
    let around = Transaction::signed(legacy(Some(1), vec![7; MAX_TRANSACTION_BYTES].into()));
    let overhead = around.encoded().len() - MAX_TRANSACTION_BYTES;
    let sized = |bytes: usize| {
        let input = vec![7; bytes - overhead].into();
        Transaction::signed(legacy(Some(1), input)).encoded().clone()
    };
    assert!(Transaction::decode(sized(MAX_TRANSACTION_BYTES)).is_ok());
    let refused = Transaction::decode(sized(MAX_TRANSACTION_BYTES + 1)).unwrap_err();
    assert_eq!(refused, TransactionError::TooLarge(MAX_TRANSACTION_BYTES + 1));
}

#[test]
fn a_type_that_is_none_is_malformed() {
    let encoded = Transaction::signed(every_type().swap_remove(4).2).encoded().to_vec();
    for kind in (0..=0xff).filter(|kind| *kind != 2) {
        let mut other = encoded.clone();
        other[0] = kind;
        assert!(!bodies::transaction(&other), "type {kind:#x}");
    }
    let legacy = Transaction::signed(legacy(Some(1), Bytes::new())).encoded().to_vec();
    assert!(!bodies::transaction(&[&[0], &legacy[..]].concat()), "a legacy type byte");
}

/// With its blobs the same transaction would have a second encoding, and another hash.
#[test]
fn blobs_do_not_travel_with_their_transaction() {
    let sidecar = BlobTransactionSidecarEip7594::default();
    let sidecar = BlobTransactionSidecarVariant::Eip7594(sidecar);
    let with = TxEip4844WithSidecar { tx: blob(), sidecar };
    let envelope = TxEnvelope::Eip4844(sign(TxEip4844Variant::TxEip4844WithSidecar(with)));
    let encoded = Transaction::signed(envelope).encoded().clone();
    let refused = Transaction::decode(encoded).unwrap_err();
    assert_eq!(refused, TransactionError::Malformed("it carries its blobs".to_owned()));
}

#[test]
fn a_signature_without_a_sender_is_refused() {
    let unsigned = TxEip1559 { chain_id: 1, ..TxEip1559::default() };
    let order = U256::from_be_bytes(secp256k1::constants::CURVE_ORDER);
    let honest = signature::sign(&unsigned.signature_hash(), &key());
    let signatures = [
        ("zero", Signature::new(U256::ZERO, U256::ZERO, false)),
        ("r beyond the order", Signature::new(order, honest.s(), false)),
        ("s beyond the order", Signature::new(honest.r(), order, false)),
        ("malleable", Signature::new(honest.r(), order - honest.s(), !honest.v())),
        ("largest", Signature::new(U256::MAX, U256::MAX, true)),
    ];
    for (name, signature) in signatures {
        let envelope = TxEnvelope::Eip1559(unsigned.clone().into_signed(signature));
        let refused = Recovered::recover(Transaction::signed(envelope)).unwrap_err();
        assert_eq!(refused, TransactionError::Signature, "{name}");
    }
}

//! What must hold for any bytes at all. The fuzz targets and the property tests run the same
//! bodies; each panics when its rule is broken.

use alloy_primitives::{Bytes, keccak256};
use cross_shard_msg::{Block, Message, Recovered, Submission, Transaction, codec};

/// Bytes that decode as a message are that message's only encoding (R-WIRE-1, R-WIRE-3). Says
/// whether they did.
pub fn message(bytes: &[u8]) -> bool {
    let Ok(message) = codec::decode::<Message>(bytes) else { return false };
    let again = codec::encode(&message).expect("what was decoded can be encoded");
    assert!(again == bytes, "{message:?} has two encodings");
    if let Message::Batch(batch) = &message {
        let _ = (batch.is_proven(), batch.outgoing.last(), batch.outgoing.value());
    }
    if let Message::Finalized(finalized) = &message {
        let _ = finalized.checkpoint.digest();
        for crosslink in &finalized.checkpoint.crosslinks {
            let _ = (crosslink.tip(), crosslink.hash_at(crosslink.tip()));
        }
    }
    true
}

/// Bytes that decode as a transaction are its only encoding, and its hash is Ethereum's. Says
/// whether they did.
pub fn transaction(bytes: &[u8]) -> bool {
    let encoded = Bytes::copy_from_slice(bytes);
    let submission = Submission { encoded: encoded.clone(), assumed_sender: None };
    let Ok(transaction) = Transaction::decode(encoded) else {
        assert!(submission.recover(true).is_err());
        return false;
    };
    let hash = *transaction.envelope().tx_hash();
    assert_eq!(transaction.hash(), hash, "{transaction:?}");
    assert_eq!(transaction.hash(), keccak256(bytes));
    let again = Transaction::signed(transaction.envelope().clone());
    assert_eq!(again.encoded().as_ref(), bytes, "{transaction:?} has two encodings");
    if let Ok(recovered) = Recovered::recover(transaction) {
        let known = submission.recover(true).expect("the same bytes have the same sender");
        assert_eq!(known.sender(), recovered.sender());
    }
    true
}

/// Bytes that decode as a block record are that record's only encoding. Says whether they did.
pub fn record(bytes: &[u8]) -> bool {
    let Ok(block) = codec::decode_record::<Block>(bytes) else { return false };
    let again = codec::encode_record(&block).expect("what was decoded can be encoded");
    assert!(again == bytes, "{block:?} has two encodings");
    true
}

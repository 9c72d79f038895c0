//! Golden files: the wire format and the preimages of what is signed, byte for byte.
//!
//! A difference means that nodes of two versions would not understand one another, or would sign
//! different things. When that is meant, write the files anew and look at the difference:
//!
//! `SHARDLAB_GOLDEN=write cargo test --release -p cross-shard-msg --test wire golden`

use std::fmt::{Debug, Write as _};
use std::path::{Path, PathBuf};

use alloy_primitives::{B256, Bytes, hex};
use cross_shard_msg::{
    NetworkId, ShardId, Transaction, checkpoint, codec, header, merkle, receipt,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{examples, transactions};

const VARIABLE: &str = "SHARDLAB_GOLDEN";

#[test]
fn every_message_has_its_golden_bytes() {
    for (name, message) in examples::messages() {
        golden_bytes(name, &message, codec::encode, codec::decode);
    }
}

#[test]
fn what_is_stored_has_its_golden_bytes() {
    let (write, read) = (codec::encode_record, codec::decode_record);
    golden_bytes("signed-header", &examples::signed(examples::header()), write, read);
    golden_bytes("checkpoint", &examples::checkpoint(), codec::encode_record, codec::decode_record);
    golden_bytes("proposal", &examples::proposal(), codec::encode_record, codec::decode_record);
    golden_bytes("block", &examples::block(), codec::encode_record, codec::decode_record);
}

#[test]
fn every_type_of_transaction_has_its_golden_bytes() {
    for (name, _, envelope) in transactions::every_type() {
        let file = format!("transaction-{}.hex", name.replace(' ', "-"));
        let signed = Transaction::signed(envelope);
        let known = golden_text(&file, &lines(signed.encoded()));
        let known = Bytes::from(hex::decode(known.split_whitespace().collect::<String>()).unwrap());
        assert_eq!(signed.encoded(), &known, "{name}");
        assert_eq!(Transaction::decode(known).unwrap(), signed, "{name}");
    }
}

#[test]
fn what_is_signed_has_its_golden_digest() {
    let network = examples::network();
    let header = examples::header();
    let outgoing = examples::outgoing();
    let digests = [
        ("header", header.hash()),
        ("header to sign", header::signing_digest(&network, &header.hash())),
        ("genesis of shard 2", header::genesis_hash(&network, ShardId(2))),
        ("receipt: call", examples::call().digest()),
        ("receipt: refund", examples::refund().digest()),
        ("receipt: migrate", examples::migrate().digest()),
        ("outgoing", outgoing[0].digest()),
        ("outgoing root", receipt::outgoing_root(&outgoing)),
        ("outgoing root of nothing", receipt::outgoing_root(&[])),
        ("tree of three", merkle::root(&[examples::hash(1), examples::hash(2), examples::hash(3)])),
        ("checkpoint", examples::checkpoint().digest()),
        ("genesis checkpoint", checkpoint::genesis_digest(&network)),
        ("transaction", examples::transaction().hash()),
        ("network", network_of_settings().0),
    ];
    let mut text = String::new();
    for (name, digest) in digests {
        writeln!(text, "{digest} {name}").unwrap();
    }
    let known = golden_text("digests.txt", &text);
    for (new, old) in text.lines().zip(known.lines()) {
        assert_eq!(new, old, "see {VARIABLE} in tests/wire/golden.rs");
    }
    assert_eq!(text, known);
}

fn network_of_settings() -> NetworkId {
    examples::settings().with_network_id(&examples::hash(0xab)).network
}

/// The value encodes to the file's bytes, and they decode to the value.
fn golden_bytes<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    name: &str,
    value: &T,
    encode: impl Fn(&T) -> Result<Vec<u8>, codec::CodecError>,
    decode: impl Fn(&[u8]) -> Result<T, codec::CodecError>,
) {
    let bytes = encode(value).unwrap();
    let text = golden_text(&format!("{name}.hex"), &lines(&bytes));
    let known = hex::decode(text.split_whitespace().collect::<String>()).unwrap();
    let differs = bytes.iter().zip(&known).position(|(new, old)| new != old);
    assert!(
        bytes == known,
        "{name}: {} bytes, the file has {}; the first difference is at {differs:?} (see \
         {VARIABLE} in tests/wire/golden.rs)",
        bytes.len(),
        known.len(),
    );
    assert_eq!(&decode(&known).unwrap(), value, "{name}");
}

/// The file's text, after writing it if that was asked for.
fn golden_text(file: &str, new: &str) -> String {
    let path = directory().join(file);
    match std::env::var(VARIABLE).as_deref() {
        Ok("write") => std::fs::write(&path, new).unwrap(),
        Ok(other) => panic!("{VARIABLE} may be \"write\", not {other:?}"),
        Err(_) => {}
    }
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Hex, 32 bytes a line, so that a difference is a line.
fn lines(bytes: &[u8]) -> String {
    bytes
        .chunks(B256::len_bytes())
        .fold(String::new(), |text, line| text + &hex::encode(line) + "\n")
}

//! Bytes that decode as a transaction re-encode to the same bytes and have Ethereum's hash.
//! The body is the one that the property tests run on stable.

#![no_main]

#[allow(dead_code)]
#[path = "../../cross-shard-msg/tests/wire/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bodies::transaction(bytes);
});

//! Each example, damaged in every place: cut off, one bit flipped, a hostile number in place of
//! any eight bytes, which meets every length at every level.

use crate::damage::{encodings, with_hostile_lengths};

#[test]
fn what_is_cut_off_is_refused() {
    for (name, bytes, body) in encodings() {
        assert!(body(&bytes), "{name}");
        for length in 0..bytes.len() {
            assert!(!body(&bytes[..length]), "{name}, its first {length} bytes");
        }
        assert!(!body(&[&bytes[..], &[0]].concat()), "{name}, and one byte more");
    }
}

#[test]
fn flipped_bits_never_panic_nor_give_a_second_encoding() {
    for (_, mut bytes, body) in encodings() {
        for position in 0..bytes.len() {
            for bit in 0..8 {
                bytes[position] ^= 1 << bit;
                body(&bytes);
                bytes[position] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn hostile_lengths_never_panic() {
    for (_, bytes, body) in encodings() {
        with_hostile_lengths(&bytes, |hostile| {
            body(hostile);
        });
    }
}

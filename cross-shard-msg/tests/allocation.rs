//! Decoding allocates no more than the bound allows, whatever lengths the bytes claim (rule
//! R-WIRE-2). A program of its own with one test, because it counts what the process allocates.

#[path = "wire/bodies.rs"]
mod bodies;
#[path = "wire/damage.rs"]
mod damage;
#[path = "wire/examples.rs"]
#[allow(dead_code)]
mod examples;

use cross_shard_msg::codec::{self, MAX_MESSAGE_BYTES};
use cross_shard_msg::{Block, Message};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// A lie may cost one buffer of the bound at most, and no list is sized beyond a mebibyte before
/// its items are there.
const MOST_FOR_A_LIE: usize = MAX_MESSAGE_BYTES + (4 << 20);

/// The smallest item of any list takes 9 bytes on the wire (an empty submission) and 56 in memory;
/// a growing list is copied to twice its size.
const MOST_PER_BYTE: usize = 12;

#[test]
fn decoding_allocates_within_its_bound() {
    for (name, bytes, _) in damage::encodings() {
        let mut worst = 0;
        damage::with_hostile_lengths(&bytes, |hostile| {
            // A record's bound is 16 times a message's; a lie costs as much more.
            let allocated = match name {
                "block" => peak_of(|| drop(codec::decode_record::<Block>(hostile))) / 16,
                _ => peak_of(|| drop(codec::decode::<Message>(hostile))),
            };
            worst = worst.max(allocated);
        });
        assert!(worst <= MOST_FOR_A_LIE, "{name}: {worst} bytes");
    }
    full_messages_stay_within_their_factor();
}

/// Honest lengths: a message as large as allowed, of the smallest items that there are.
fn full_messages_stay_within_their_factor() {
    let submissions = (MAX_MESSAGE_BYTES - 12) / 9;
    let mut bytes = vec![0; 12 + submissions * 9];
    bytes[4..12].copy_from_slice(&(submissions as u64).to_le_bytes());
    let allocated = peak_of(|| match codec::decode::<Message>(&bytes) {
        Ok(Message::Submit(list)) => assert_eq!(list.len(), submissions),
        other => panic!("{other:?}"),
    });
    assert!(allocated > submissions * size_of::<cross_shard_msg::Submission>(), "it is counted");
    assert!(allocated <= MOST_PER_BYTE * MAX_MESSAGE_BYTES, "{allocated} bytes");
    bytes.extend([0; 9]);
    bytes[4..12].copy_from_slice(&(submissions as u64 + 1).to_le_bytes());
    assert!(codec::decode::<Message>(&bytes).is_err(), "beyond the bound");
}

/// Most bytes that were allocated at once by `run`, beyond what was allocated before.
fn peak_of(run: impl FnOnce()) -> usize {
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    run();
    ALLOCATED.peak_usage().saturating_sub(before)
}

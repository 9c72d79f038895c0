//! One digest over everything that happens in a world, so that two runs are told apart by one line.
//!
//! What is sent is folded when it is sent, once for all its receivers; what happens is folded with
//! its time, its node and the names that decide the rest. All numbers have a fixed width.

use alloy_primitives::B256;
use cross_shard_msg::{Message, Timestamp};

/// Bytes that are gathered before they are hashed.
const BUFFER: usize = 1 << 16;

pub(crate) struct Digest {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl Digest {
    pub fn new() -> Self {
        Self { hasher: blake3::Hasher::new(), buffer: Vec::with_capacity(2 * BUFFER) }
    }

    pub fn finish(&self) -> B256 {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.buffer);
        B256::from(*hasher.finalize().as_bytes())
    }

    /// Something that happened to a node: its kind, and a number that names it.
    pub fn event(&mut self, at: Timestamp, node: u32, kind: u8, name: u64) {
        let mut bytes = [0; 21];
        bytes[..8].copy_from_slice(&at.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&node.to_be_bytes());
        bytes[12] = kind;
        bytes[13..].copy_from_slice(&name.to_be_bytes());
        self.buffer.extend_from_slice(&bytes);
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        if bytes.len() >= BUFFER {
            self.flush();
            self.hasher.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The content of a message.
    pub fn message(&mut self, message: &Message) {
        self.buffer.push(kind(message));
        match message {
            Message::Submit(items) => {
                self.number(items.len());
                for item in items {
                    self.bytes(&item.encoded);
                }
            }
            Message::Admissions(items) => {
                self.number(items.len());
                for item in items {
                    self.buffer.extend_from_slice(item.hash.as_slice());
                    self.buffer.push(u8::from(item.outcome.is_ok()));
                }
            }
            Message::Included(notice) => {
                self.word(notice.height.0);
                self.number(notice.legs.len());
                self.number(notice.dropped.len());
            }
            Message::Batch(batch) => {
                self.buffer.extend_from_slice(batch.header.hash().as_slice());
                self.word(batch.outgoing.first.0);
                self.number(batch.outgoing.receipts.len());
            }
            Message::PullBatches { above } => self.word(above.0),
            Message::Received { sequence } => self.word(sequence.0),
            Message::Headers(headers) => {
                self.number(headers.len());
                for header in headers.iter() {
                    self.buffer.extend_from_slice(header.hash().as_slice());
                }
            }
            Message::Traffic(report) => {
                self.word(report.height.0);
                self.buffer.extend_from_slice(report.digest().as_slice());
            }
            Message::PullHeaders { shard, from, to } => {
                for word in [u64::from(shard.0), from.0, to.0] {
                    self.word(word);
                }
            }
            Message::Consensus(bytes) => self.bytes(bytes),
            Message::Finalized(finalized) => {
                let checkpoint = &finalized.checkpoint;
                self.word(checkpoint.number.0);
                self.word(checkpoint.timestamp.0);
                self.buffer.extend_from_slice(checkpoint.parent.as_slice());
                let tips = checkpoint.crosslinks.iter().filter_map(|link| link.headers.last());
                for tip in tips {
                    self.buffer.extend_from_slice(tip.as_slice());
                }
            }
            Message::PullCheckpoints { from } => self.word(from.0),
        }
    }

    fn number(&mut self, number: usize) {
        self.word(number as u64);
    }

    fn word(&mut self, word: u64) {
        self.buffer.extend_from_slice(&word.to_be_bytes());
    }

    fn flush(&mut self) {
        self.hasher.update(&self.buffer);
        self.buffer.clear();
    }
}

fn kind(message: &Message) -> u8 {
    match message {
        Message::Submit(_) => 0,
        Message::Admissions(_) => 1,
        Message::Included(_) => 2,
        Message::Batch(_) => 3,
        Message::PullBatches { .. } => 4,
        Message::Received { .. } => 5,
        Message::Headers(_) => 6,
        Message::PullHeaders { .. } => 7,
        Message::Consensus(_) => 8,
        Message::Finalized(_) => 9,
        Message::PullCheckpoints { .. } => 10,
        Message::Traffic(_) => 11,
    }
}

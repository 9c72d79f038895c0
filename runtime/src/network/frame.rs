//! The bytes on a stream.
//!
//! The opener writes a hello, the acceptor answers with a welcome; then frames go one way and
//! acknowledgements the other. All numbers are little-endian.
//!
//! ```text
//! hello:   "SLH1" ‖ class u8 ‖ life u64 ‖ first sequence it can still send u64
//! welcome: "SLW1" ‖ life u64 ‖ last sequence delivered u64 ‖ window messages u32 ‖ window bytes u64
//! frame:   length u32 ‖ sequence u64 ‖ payload
//! ack:     last sequence delivered u64
//! ```
//!
//! A life is a number that a process draws at its start, so that a restart is noticed.

use libp2p::StreamProtocol;
use libp2p::bytes::Bytes;

use super::config::TrafficClass;
use super::events::RefusalReason;

/// Length of a frame's header in bytes.
pub const FRAME_HEADER_BYTES: usize = 12;

/// The libp2p protocol that carries this class.
#[must_use]
pub const fn protocol_name(class: TrafficClass) -> StreamProtocol {
    StreamProtocol::new(match class {
        TrafficClass::Consensus => "/shardlab/1/consensus",
        TrafficClass::Control => "/shardlab/1/control",
        TrafficClass::Receipts => "/shardlab/1/receipts",
        TrafficClass::Client => "/shardlab/1/client",
    })
}

pub(super) const HELLO_BYTES: usize = 21;
pub(super) const WELCOME_BYTES: usize = 32;
pub(super) const ACK_BYTES: usize = 8;

/// Bytes read from a stream at once; longer messages get a buffer of their own.
const READ_BUFFER_BYTES: usize = 64 << 10;

const HELLO_MAGIC: [u8; 4] = *b"SLH1";
const WELCOME_MAGIC: [u8; 4] = *b"SLW1";

/// What the opener of a stream says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    pub class: TrafficClass,
    pub life: u64,
    pub first: u64,
}

impl Hello {
    pub(super) fn encode(&self) -> [u8; HELLO_BYTES] {
        let mut bytes = [0; HELLO_BYTES];
        bytes[..4].copy_from_slice(&HELLO_MAGIC);
        bytes[4] = self.class.index() as u8;
        bytes[5..13].copy_from_slice(&self.life.to_le_bytes());
        bytes[13..].copy_from_slice(&self.first.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HELLO_BYTES]) -> Option<Self> {
        let first = number(&bytes[13..]);
        let class = *TrafficClass::ALL.get(usize::from(bytes[4]))?;
        (bytes[..4] == HELLO_MAGIC && first > 0).then(|| Self {
            class,
            life: number(&bytes[5..13]),
            first,
        })
    }
}

/// What the acceptor of a stream answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Welcome {
    pub life: u64,
    pub delivered: u64,
    pub window_messages: u32,
    pub window_bytes: u64,
}

impl Welcome {
    pub(super) fn encode(&self) -> [u8; WELCOME_BYTES] {
        let mut bytes = [0; WELCOME_BYTES];
        bytes[..4].copy_from_slice(&WELCOME_MAGIC);
        bytes[4..12].copy_from_slice(&self.life.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.delivered.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.window_messages.to_le_bytes());
        bytes[24..].copy_from_slice(&self.window_bytes.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; WELCOME_BYTES]) -> Option<Self> {
        (bytes[..4] == WELCOME_MAGIC).then(|| Self {
            life: number(&bytes[4..12]),
            delivered: number(&bytes[12..20]),
            window_messages: number(&bytes[20..24]) as u32,
            window_bytes: number(&bytes[24..]),
        })
    }
}

/// The header of a frame.
pub(super) fn frame_header(length: usize, sequence: u64) -> [u8; FRAME_HEADER_BYTES] {
    let mut bytes = [0; FRAME_HEADER_BYTES];
    bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
    bytes[4..].copy_from_slice(&sequence.to_le_bytes());
    bytes
}

/// The little-endian number in at most eight bytes.
pub(super) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

/// Cuts a stream of bytes into frames. Read into [`Self::space`], say how much came with
/// [`Self::filled`], then take frames with [`Self::next`] until there is none.
pub(super) struct FrameReader {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// A payload too long for the buffer, being filled.
    long: Option<Long>,
    longest: usize,
}

struct Long {
    sequence: u64,
    payload: Vec<u8>,
    filled: usize,
}

impl FrameReader {
    pub(super) fn new(longest: usize) -> Self {
        Self {
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            long: None,
            longest,
        }
    }

    /// Forgets an incomplete frame: the next bytes are of a new stream.
    pub(super) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.long = None;
    }

    /// Where the next bytes belong; never empty after `next` returned `None`.
    pub(super) fn space(&mut self) -> &mut [u8] {
        match &mut self.long {
            Some(long) => &mut long.payload[long.filled..],
            None => &mut self.buffer[self.end..],
        }
    }

    pub(super) fn filled(&mut self, count: usize) {
        match &mut self.long {
            Some(long) => long.filled += count,
            None => self.end += count,
        }
    }

    /// The next complete frame: its sequence and payload.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Bytes)>, RefusalReason> {
        if let Some(long) = self.long.take_if(|long| long.filled == long.payload.len()) {
            return Ok(Some((long.sequence, Bytes::from(long.payload))));
        }
        if self.long.is_some() {
            return Ok(None);
        }
        let held = &self.buffer[self.start..self.end];
        if held.len() < FRAME_HEADER_BYTES {
            self.compact();
            return Ok(None);
        }
        let length = number(&held[..4]) as usize;
        let sequence = number(&held[4..FRAME_HEADER_BYTES]);
        // Nothing is allocated for a length that is not believed.
        if length > self.longest {
            return Err(RefusalReason::Oversize);
        }
        let held = &held[FRAME_HEADER_BYTES..];
        if held.len() >= length {
            // A copy, so that a small message that is kept does not keep the whole buffer.
            let payload = Bytes::copy_from_slice(&held[..length]);
            self.start += FRAME_HEADER_BYTES + length;
            return Ok(Some((sequence, payload)));
        }
        if FRAME_HEADER_BYTES + length > self.buffer.len() {
            let mut payload = vec![0; length];
            payload[..held.len()].copy_from_slice(held);
            self.long = Some(Long { sequence, payload, filled: held.len() });
            self.start = 0;
            self.end = 0;
        } else {
            self.compact();
        }
        Ok(None)
    }

    fn compact(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: usize = 1 << 20;

    fn feed(reader: &mut FrameReader, mut bytes: &[u8], step: usize) -> Vec<(u64, Bytes)> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let space = reader.space();
            let count = step.min(bytes.len()).min(space.len());
            space[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            reader.filled(count);
            while let Some(frame) = reader.next().unwrap() {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn frames_survive_any_cut() {
        let lengths =
            [0, 1, 100, READ_BUFFER_BYTES - FRAME_HEADER_BYTES, READ_BUFFER_BYTES, 200_000];
        let mut stream = Vec::new();
        for (sequence, length) in lengths.iter().enumerate() {
            stream.extend(frame_header(*length, sequence as u64));
            stream.extend(std::iter::repeat_n(sequence as u8, *length));
        }
        for step in [1, 7, 4096, READ_BUFFER_BYTES, usize::MAX] {
            let frames = feed(&mut FrameReader::new(LONGEST), &stream, step);
            let got: Vec<_> = frames.iter().map(|(_, payload)| payload.len()).collect();
            assert_eq!(got, lengths);
            for (index, (sequence, payload)) in frames.iter().enumerate() {
                assert_eq!(*sequence, index as u64);
                assert!(payload.iter().all(|byte| *byte == index as u8));
            }
        }
    }

    #[test]
    fn an_oversize_frame_is_refused_before_allocation() {
        let mut reader = FrameReader::new(LONGEST);
        let header = frame_header(LONGEST + 1, 1);
        reader.space()[..header.len()].copy_from_slice(&header);
        reader.filled(header.len());
        assert_eq!(reader.next(), Err(RefusalReason::Oversize));
        assert!(reader.long.is_none());
    }

    #[test]
    fn hello_and_welcome_come_back() {
        let hello = Hello { class: TrafficClass::Client, life: 1 << 60, first: 9 };
        assert_eq!(Hello::decode(&hello.encode()), Some(hello));
        assert_eq!(Hello::decode(&[0; HELLO_BYTES]), None);
        let welcome =
            Welcome { life: 3, delivered: 8, window_messages: u32::MAX, window_bytes: 1 << 40 };
        assert_eq!(Welcome::decode(&welcome.encode()), Some(welcome));
        assert_eq!(Welcome::decode(&[b'S'; WELCOME_BYTES]), None);
    }
}

//! A validator that says nothing but noise: random bytes, and what others said with bits turned.

use std::convert::Infallible;
use std::sync::Arc;

use alloy_primitives::Bytes;
use cross_shard_msg::{
    Audience, CheckpointNumber, Duration, Effects, Height, Input, Machine, Message, Sequence,
    ShardId, Timestamp,
};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// How often it makes a noise.
const EVERY: Duration = Duration::from_millis(10);

/// A node that sends garbage to everybody.
#[derive(Debug)]
pub struct Garbage {
    noise: ChaCha12Rng,
    heard: Option<Message>,
}

impl Garbage {
    /// Noise that the seed decides.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { noise: ChaCha12Rng::seed_from_u64(seed), heard: None }
    }

    fn message(&mut self) -> Message {
        let word = self.noise.next_u64();
        match word % 8 {
            0 => {
                let mut bytes = vec![0; (word >> 8) as usize % 512];
                self.noise.fill_bytes(&mut bytes);
                Message::Consensus(bytes.into())
            }
            1 => Message::PullBatches { above: Height(self.noise.next_u64()) },
            2 => Message::Received { sequence: Sequence(self.noise.next_u64()) },
            3 => Message::PullHeaders {
                shard: ShardId(self.noise.next_u32()),
                from: Height(word),
                to: Height(self.noise.next_u64()),
            },
            4 => Message::PullCheckpoints { from: CheckpointNumber(self.noise.next_u64()) },
            _ => self.garbled(),
        }
    }

    /// What it heard last with a bit turned, or as it is where there are no bytes to turn.
    fn garbled(&mut self) -> Message {
        let place = self.noise.next_u64();
        match self.heard.clone() {
            Some(Message::Consensus(bytes)) if !bytes.is_empty() => {
                let mut bytes = bytes.to_vec();
                let index = (place >> 3) as usize % bytes.len();
                bytes[index] ^= 1 << (place & 7);
                Message::Consensus(Bytes::from(bytes))
            }
            Some(Message::Headers(headers)) => {
                let mut headers = (*headers).clone();
                if let Some(signed) = headers.first_mut() {
                    let mut header = (*signed.header).clone();
                    header.height = Height(header.height.0 ^ (1 << (place & 7)));
                    signed.header = cross_shard_msg::SealedHeader::seal(header);
                }
                Message::Headers(Arc::new(headers))
            }
            Some(other) => other,
            None => Message::Consensus(Bytes::new()),
        }
    }
}

impl Machine for Garbage {
    type Timer = ();
    type Record = Infallible;
    type Job = Infallible;
    type JobResult = Infallible;
    type Admin = Infallible;
    type Executed = Infallible;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        match input {
            Input::Message { message, .. } => self.heard = Some(message),
            Input::Start | Input::Timer(()) => {
                for audience in [Audience::Coordinators, Audience::ShardsAndClient] {
                    effects.broadcast(audience, self.message());
                }
                effects.set_timer((), now + EVERY);
            }
            _ => {}
        }
    }

    fn compute(job: Infallible) -> Infallible {
        job
    }
}

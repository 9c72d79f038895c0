//! The reader of a lane: takes the streams that its peer opens, one after another, and delivers
//! what is new.
//!
//! A newer stream replaces the current one: its opener has given that up. What was delivered is
//! remembered across streams, so a message that is sent again is recognised and dropped.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use cross_shard_msg::NodeId;
use libp2p::Stream;
use libp2p::futures::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::config::{NetworkBounds, TrafficClass};
use super::counters::IncomingCounters;
use super::events::RefusalReason;
use super::frame::{FrameReader, HELLO_BYTES, Hello, Welcome};
use super::inbox::{Inbound, InboxSender};
use super::outbox::Link;

/// How long a message may wait for its acknowledgement. Nothing waits for one but memory, so they
/// are rare: each costs a system call at both ends.
const ACK_DELAY: Duration = Duration::from_millis(100);

/// An acknowledgement is sent early when this part of the window is used.
const EARLY_ACK_SHARE: u64 = 4;

/// How long the hello of an accepted stream may take.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// Streams that may wait for a reader; more are dropped and opened again by their sender.
pub(super) const WAITING_STREAMS: usize = 4;

/// Why a stream ended.
enum Ended {
    Lost,
    Broken(RefusalReason),
    Replaced(Stream),
    Shutdown,
}

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Self {
        Self::Lost
    }
}

/// Reads one lane of one peer.
pub(super) struct Reader {
    pub from: NodeId,
    pub class: TrafficClass,
    /// This process's life.
    pub life: u64,
    pub bounds: NetworkBounds,
    pub link: std::sync::Arc<Link>,
    pub streams: mpsc::Receiver<Stream>,
    pub inbox: InboxSender,
    pub counters: IncomingCounters,
}

/// What a reader remembers from stream to stream.
struct Progress {
    /// The sender's life that the sequence belongs to.
    sender: u64,
    /// Sequence of the last message put into the inbox.
    delivered: u64,
    /// Last acknowledged sequence.
    acknowledged: u64,
    /// Bytes delivered since then.
    unacknowledged_bytes: u64,
    frames: FrameReader,
    batch: VecDeque<Inbound>,
}

impl Reader {
    /// Runs until the network shuts down.
    pub(super) async fn run(mut self) {
        let mut progress = Progress {
            sender: 0,
            delivered: 0,
            acknowledged: 0,
            unacknowledged_bytes: 0,
            frames: FrameReader::new(self.bounds.message_bytes),
            batch: VecDeque::new(),
        };
        let mut next = None;
        loop {
            let stream = match next.take() {
                Some(stream) => stream,
                None => match self.streams.recv().await {
                    Some(stream) => stream,
                    None => return,
                },
            };
            let Err(ended) = self.serve(stream, &mut progress).await;
            match ended {
                Ended::Lost => {}
                Ended::Broken(reason) => self.inbox.refuse(reason, Some(self.from)),
                Ended::Replaced(stream) => next = Some(stream),
                Ended::Shutdown => return,
            }
        }
    }

    async fn serve(
        &mut self,
        mut stream: Stream,
        progress: &mut Progress,
    ) -> Result<std::convert::Infallible, Ended> {
        let greeted = timeout(HELLO_TIMEOUT, self.greet(&mut stream, progress)).await;
        greeted.unwrap_or(Err(Ended::Lost))?;
        progress.frames.clear();
        let ack = sleep_until(Instant::now());
        tokio::pin!(ack);
        let mut ack_is_due = false;
        loop {
            tokio::select! {
                stream = self.streams.recv() => {
                    return Err(stream.map_or(Ended::Shutdown, Ended::Replaced));
                }
                count = stream.read(progress.frames.space()) => {
                    let count = count?;
                    if count == 0 {
                        return Err(Ended::Lost);
                    }
                    progress.frames.filled(count);
                    self.receive(progress).await?;
                    if self.early_ack(progress) {
                        acknowledge(&mut stream, progress).await?;
                        ack_is_due = false;
                    } else if !ack_is_due && progress.delivered > progress.acknowledged {
                        restart(ack.as_mut());
                        ack_is_due = true;
                    }
                }
                () = ack.as_mut(), if ack_is_due => {
                    acknowledge(&mut stream, progress).await?;
                    ack_is_due = false;
                }
            }
        }
    }

    /// Reads the hello and answers it.
    async fn greet(&self, stream: &mut Stream, progress: &mut Progress) -> Result<(), Ended> {
        let mut hello = [0; HELLO_BYTES];
        stream.read_exact(&mut hello).await?;
        let hello = Hello::decode(&hello)
            .filter(|hello| hello.class == self.class)
            .ok_or(Ended::Broken(RefusalReason::BadHello))?;
        if hello.life != progress.sender {
            progress.sender = hello.life;
            progress.delivered = hello.first - 1;
        } else if hello.first > progress.delivered + 1 {
            // The sender forgot what it never got acknowledged.
            return Err(Ended::Broken(RefusalReason::SequenceGap));
        }
        self.link.met(hello.life);
        progress.acknowledged = progress.delivered;
        progress.unacknowledged_bytes = 0;
        let welcome = Welcome {
            life: self.life,
            delivered: progress.delivered,
            window_messages: self.bounds.window_messages,
            window_bytes: self.bounds.window_bytes,
        };
        stream.write_all(&welcome.encode()).await?;
        stream.flush().await?;
        Ok(())
    }

    /// Delivers the complete frames that were read, waiting for room in the inbox. A newer stream
    /// ends the wait: what has not been delivered then comes again.
    async fn receive(&mut self, progress: &mut Progress) -> Result<(), Ended> {
        let mut broken = None;
        let mut expected = progress.delivered + 1;
        let mut repeated = 0;
        let mut bytes = 0;
        loop {
            match progress.frames.next() {
                Ok(Some((sequence, payload))) if sequence == expected => {
                    expected += 1;
                    bytes += payload.len() as u64;
                    let (from, class) = (self.from, self.class);
                    progress.batch.push_back(Inbound { from, class, bytes: payload });
                }
                Ok(Some((sequence, _))) if sequence < expected => repeated += 1,
                Ok(Some(_)) => {
                    broken = Some(RefusalReason::SequenceGap);
                    break;
                }
                Ok(None) => break,
                Err(reason) => {
                    broken = Some(reason);
                    break;
                }
            }
        }
        let count = progress.batch.len() as u64;
        let replaced = if count == 0 {
            None
        } else {
            tokio::select! {
                biased;
                () = self.inbox.deliver(self.class, &mut progress.batch) => None,
                stream = self.streams.recv() => {
                    Some(stream.map_or(Ended::Shutdown, Ended::Replaced))
                }
            }
        };
        let left: u64 = progress.batch.iter().map(|message| message.bytes.len() as u64).sum();
        let delivered = count - progress.batch.len() as u64;
        progress.batch.clear();
        progress.delivered += delivered;
        progress.unacknowledged_bytes += bytes - left;
        self.counters.received_messages.inc_by(delivered);
        self.counters.received_bytes.inc_by(bytes - left);
        self.counters.repeated_messages.inc_by(repeated);
        match (replaced, broken) {
            (Some(ended), _) => Err(ended),
            (None, Some(reason)) => Err(Ended::Broken(reason)),
            (None, None) => Ok(()),
        }
    }

    fn early_ack(&self, progress: &Progress) -> bool {
        let messages = progress.delivered - progress.acknowledged;
        messages >= u64::from(self.bounds.window_messages).div_ceil(EARLY_ACK_SHARE)
            || progress.unacknowledged_bytes >= self.bounds.window_bytes.div_ceil(EARLY_ACK_SHARE)
    }
}

async fn acknowledge(stream: &mut Stream, progress: &mut Progress) -> Result<(), Ended> {
    stream.write_all(&progress.delivered.to_le_bytes()).await?;
    progress.acknowledged = progress.delivered;
    progress.unacknowledged_bytes = 0;
    Ok(())
}

fn restart(timer: Pin<&mut Sleep>) {
    timer.reset(Instant::now() + ACK_DELAY);
}

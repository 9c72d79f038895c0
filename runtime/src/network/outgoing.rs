//! The writer of a lane: opens its stream, writes frames, reads acknowledgements.
//!
//! A stream is opened when there is a message for it, and again after it was lost; each begins with
//! hello and welcome, because an accepted stream may still be dropped unseen at the other end. Small
//! messages that wait together are written together: the cost of a message is mostly the system
//! calls and wake-ups that it causes.

use std::sync::Arc;
use std::time::Duration;

use libp2p::Stream;
use libp2p::futures::{AsyncReadExt, AsyncWriteExt};
use libp2p_stream::Control;
use tokio::time::{sleep, sleep_until, timeout};

use super::config::TrafficClass;
use super::events::RefusalReason;
use super::frame::{ACK_BYTES, Hello, WELCOME_BYTES, Welcome, frame_header, number, protocol_name};
use super::inbox::InboxSender;
use super::outbox::{Link, Next, Numbered, Window};

/// How long opening a stream with hello and welcome may take. The other side may be busy waiting
/// for room in its inbox, but it answers also then.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Pauses between attempts to open a stream: from the first, doubling, to the last.
const REOPEN_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Payloads up to this length are copied together before they are written; longer ones go alone.
const COPIED_BYTES: usize = 16 << 10;

/// Why a stream ended.
enum Ended {
    /// The stream or its connection is gone, or the other side did not answer.
    Lost,
    /// The other side broke the protocol.
    Broken(RefusalReason),
}

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Self {
        Self::Lost
    }
}

/// Runs the writer of one lane until the network shuts down.
pub(super) async fn write_lane(
    link: Arc<Link>,
    class: TrafficClass,
    life: u64,
    mut control: Control,
    inbox: InboxSender,
) {
    let mut connected = link.connected.subscribe();
    let mut pause = REOPEN_PAUSE.0;
    let mut writer = Writer { batch: Vec::new(), buffer: Vec::new(), ack: [0; ACK_BYTES], read: 0 };
    loop {
        link.waiting(class).await;
        if connected.wait_for(|connected| *connected).await.is_err() {
            return;
        }
        let opened = timeout(OPEN_TIMEOUT, open(&link, class, life, &mut control)).await;
        let ended = match opened.unwrap_or(Err(Ended::Lost)) {
            Ok((stream, window)) => {
                pause = REOPEN_PAUSE.0;
                writer.read = 0;
                let Err(ended) = writer.run(&link, class, stream, window).await;
                ended
            }
            Err(ended) => ended,
        };
        if let Ended::Broken(reason) = ended {
            inbox.refuse(reason, Some(link.to));
        }
        sleep(pause).await;
        pause = (pause * 2).min(REOPEN_PAUSE.1);
    }
}

/// Opens a stream and agrees with the receiver on where to go on.
async fn open(
    link: &Link,
    class: TrafficClass,
    life: u64,
    control: &mut Control,
) -> Result<(Stream, Window), Ended> {
    let opened = control.open_stream(link.peer, protocol_name(class)).await;
    let mut stream = opened.map_err(|error| {
        tracing::debug!(to = %link.to, %class, %error, "stream not opened");
        Ended::Lost
    })?;
    let hello = Hello { class, life, first: link.first(class) };
    stream.write_all(&hello.encode()).await?;
    stream.flush().await?;
    let mut welcome = [0; WELCOME_BYTES];
    stream.read_exact(&mut welcome).await?;
    let welcome = Welcome::decode(&welcome).ok_or(Ended::Broken(RefusalReason::BadHello))?;
    link.resume(class, welcome.life, welcome.delivered).map_err(Ended::Broken)?;
    let window =
        Window { messages: u64::from(welcome.window_messages), bytes: welcome.window_bytes };
    Ok((stream, window))
}

struct Writer {
    batch: Vec<Numbered>,
    /// Frames to be written at once.
    buffer: Vec<u8>,
    /// An acknowledgement and how much of it was read.
    ack: [u8; ACK_BYTES],
    read: usize,
}

impl Writer {
    async fn run(
        &mut self,
        link: &Link,
        class: TrafficClass,
        mut stream: Stream,
        window: Window,
    ) -> Result<std::convert::Infallible, Ended> {
        let lane = &link.lanes[class.index()];
        loop {
            self.batch.clear();
            match link.take(class, window, &mut self.batch) {
                Next::Write => self.write(&mut stream).await?,
                Next::Sleep(at) => tokio::select! {
                    count = stream.read(&mut self.ack[self.read..]) => {
                        self.acknowledged(link, class, count?)?;
                    }
                    () = sleep_until(at.into()) => {}
                    () = lane.wake.notified() => {}
                },
                Next::Idle => tokio::select! {
                    count = stream.read(&mut self.ack[self.read..]) => {
                        self.acknowledged(link, class, count?)?;
                    }
                    () = lane.wake.notified() => {}
                },
            }
        }
    }

    async fn write(&mut self, stream: &mut Stream) -> Result<(), Ended> {
        self.buffer.clear();
        for (sequence, payload) in self.batch.drain(..) {
            self.buffer.extend(frame_header(payload.len(), sequence));
            if payload.len() <= COPIED_BYTES {
                self.buffer.extend(&payload);
            } else {
                stream.write_all(&self.buffer).await?;
                self.buffer.clear();
                stream.write_all(&payload).await?;
            }
        }
        stream.write_all(&self.buffer).await?;
        Ok(())
    }

    /// Handles `count` more bytes of acknowledgements.
    fn acknowledged(
        &mut self,
        link: &Link,
        class: TrafficClass,
        count: usize,
    ) -> Result<(), Ended> {
        if count == 0 {
            return Err(Ended::Lost);
        }
        self.read += count;
        if self.read == ACK_BYTES {
            self.read = 0;
            link.acknowledge(class, number(&self.ack)).map_err(Ended::Broken)?;
        }
        Ok(())
    }
}

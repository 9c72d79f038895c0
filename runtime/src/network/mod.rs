//! The network of processes: opaque messages between the nodes of one run, over libp2p
//! (TCP, Noise, Yamux).
//!
//! What it promises, per ordered pair of nodes and traffic class, while both processes live:
//! every message that [`NetworkHandle::send`] accepted is delivered exactly once and in order,
//! also across lost connections. A message that is not accepted is refused to the caller, counted
//! and reported as an event; nothing is dropped silently. When a process restarts, its peers learn
//! it from [`NetworkEvent::PeerRestarted`].
//!
//! How a message travels, in reading order of the files:
//!
//! 1. `config`, `shape`, `fault`: who takes part; when a message leaves a shaped link (delay, jitter,
//!    bandwidth per directed pair, applied at the sender), and a broken one;
//! 2. `outbox`: the bounded queue of one class of one link, kept until the receiver acknowledges;
//! 3. `frame`: the bytes on a stream: hello and welcome, then `length ‖ sequence ‖ payload` one way
//!    and cumulative acknowledgements the other;
//! 4. `outgoing`: writes a queue to its stream, several frames at a time; resumes on a new one;
//! 5. `incoming`: reads frames, checks length and sequence, acknowledges in batches;
//! 6. `inbox`: the bounded queues a plain thread reads, more urgent classes first;
//! 7. `connections`: the swarm: allow-list, limits, one connection per pair, redialling;
//! 8. `handle`: the public face; `events`, `counters`: what is reported.
//!
//! Two phases start a network: [`bind`] opens a port that the process reports to the launcher,
//! [`Bound::connect`] begins when the addresses of all are known. Until then connections wait in
//! the listening socket.

#![allow(
    clippy::disallowed_methods,
    reason = "shaping, redialling and acknowledgements go by the wall clock"
)]

mod config;
mod connections;
mod counters;
mod events;
mod fault;
mod frame;
mod handle;
mod inbox;
mod incoming;
mod outbox;
mod outgoing;
mod shape;

pub use config::{NetworkBounds, NetworkConfig, PeerAddress, TrafficClass, peer_id};
pub use events::{NetworkEvent, RefusalReason};
pub use fault::LinkFault;
pub use frame::{FRAME_HEADER_BYTES, protocol_name};
pub use handle::{Bound, Network, NetworkError, NetworkHandle, bind};
pub use inbox::{Delivery, Inbound, Inbox, InboxWaker, Wakeup};
pub use libp2p::PeerId;
pub use libp2p::bytes::Bytes;
pub use outbox::SendError;
pub use shape::{LinkShape, LinkTable};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whatever a panicking thread left behind: each critical section of this module leaves its
/// data consistent at every point where it can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

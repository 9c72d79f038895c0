//! Who takes part in a network, and its bounds.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use cross_shard_msg::NodeId;
use libp2p::PeerId;
use libp2p::identity::Keypair;
use serde::{Deserialize, Serialize};

use super::handle::NetworkError;
use super::shape::LinkTable;

/// What a process needs before it can open its port.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// The node that this process is.
    pub node: NodeId,
    /// Seed of the node's ed25519 transport key; the node's [`PeerId`] follows from it.
    pub key: [u8; 32],
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Shaping of links; only those that leave this node are used.
    pub links: LinkTable,
    /// Seed of the jitter of shaped links; each link draws from a stream of its own.
    pub seed: u64,
    /// How long a message of each class may wait for others to travel with; zero sends at once. A
    /// message alone costs its system calls and three wake-ups; the messages of one node that leave
    /// together share them. All classes and links of a node with the same linger leave at the
    /// same moments.
    pub linger: [Duration; TrafficClass::COUNT],
    /// Bounds of queues and messages.
    pub bounds: NetworkBounds,
}

/// How long [`TrafficClass::Client`] lingers by default: it is many small messages, and nothing in
/// the protocol waits for them.
const CLIENT_LINGER: Duration = Duration::from_millis(2);

impl NetworkConfig {
    /// A node that listens on a free port of 127.0.0.1, with unshaped links, the usual bounds, and
    /// a linger of 2 ms for the client class alone.
    #[must_use]
    pub fn new(node: NodeId, key: [u8; 32]) -> Self {
        Self {
            node,
            key,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            links: LinkTable::default(),
            seed: 0,
            linger: TrafficClass::ALL.map(|class| match class {
                TrafficClass::Client => CLIENT_LINGER,
                TrafficClass::Consensus | TrafficClass::Control | TrafficClass::Receipts => {
                    Duration::ZERO
                }
            }),
            bounds: NetworkBounds::default(),
        }
    }
}

/// Bounds of everything in the network that could grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkBounds {
    /// Longest message in bytes, the same in all processes. Checked by the sender, and by the
    /// receiver before it allocates.
    pub message_bytes: usize,
    /// Messages that one class of one link may hold, waiting or not yet acknowledged.
    pub queue_messages: usize,
    /// Bytes that one class of one link may hold; one message is always allowed.
    pub queue_bytes: usize,
    /// Messages of one class, from all nodes, that may wait in the inbox.
    pub inbox_messages: usize,
    /// Bytes of one class, from all nodes, that may wait in the inbox; one message is always
    /// allowed.
    pub inbox_bytes: usize,
    /// Messages of one class of one link that may be sent and not yet acknowledged (the credit
    /// that a receiver grants).
    pub window_messages: u32,
    /// Bytes of one class of one link that may be sent and not yet acknowledged; one message is
    /// always allowed.
    pub window_bytes: u64,
    /// Events that may wait in the inbox; more are counted and reported as
    /// [`NetworkEvent::EventsLost`](super::NetworkEvent::EventsLost).
    pub events: usize,
}

impl Default for NetworkBounds {
    fn default() -> Self {
        Self {
            message_bytes: 16 << 20,
            queue_messages: 1 << 17,
            queue_bytes: 64 << 20,
            inbox_messages: 1 << 16,
            inbox_bytes: 64 << 20,
            window_messages: 1 << 14,
            window_bytes: 8 << 20,
            events: 1 << 10,
        }
    }
}

/// One node of the network, as all others know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// The node.
    pub node: NodeId,
    /// Its transport identity; nobody else may connect under its name.
    pub peer: PeerId,
    /// Where it listens. Needed on the side that dials (the one with the lower [`PeerId`]); may
    /// follow later with [`NetworkHandle::set_address`](super::NetworkHandle::set_address).
    pub address: Option<SocketAddr>,
}

/// What a message is about. Each class has its own stream and queues, so that a bulk of receipts
/// does not delay votes; earlier ones are more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficClass {
    /// Proposals, votes and certificates.
    Consensus,
    /// Headers, checkpoints, requests and administration.
    Control,
    /// Batches of receipts and migrations.
    Receipts,
    /// Transactions from the load generator and their outcomes.
    Client,
}

impl TrafficClass {
    /// How many classes there are.
    pub const COUNT: usize = 4;

    /// All classes, the most urgent first.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Consensus, Self::Control, Self::Receipts, Self::Client];

    /// Position in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consensus => "consensus",
            Self::Control => "control",
            Self::Receipts => "receipts",
            Self::Client => "client",
        }
    }
}

impl fmt::Display for TrafficClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The transport identity of the node with this key seed.
///
/// # Errors
/// When the seed is not a valid ed25519 secret key.
pub fn peer_id(key: [u8; 32]) -> Result<PeerId, NetworkError> {
    Ok(keypair(key)?.public().to_peer_id())
}

pub(super) fn keypair(key: [u8; 32]) -> Result<Keypair, NetworkError> {
    Keypair::ed25519_from_bytes(key).map_err(|error| NetworkError::Key(error.to_string()))
}

//! The public face: bind, connect, send, shut down.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cross_shard_msg::NodeId;
use libp2p::bytes::Bytes;
use libp2p::connection_limits::ConnectionLimits;
use libp2p::futures::StreamExt;
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, Stream, Swarm, SwarmBuilder, TransportError, noise, tcp, yamux};
use libp2p_stream::IncomingStreams;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::config::{NetworkConfig, PeerAddress, TrafficClass, keypair};
use super::connections::{
    Behaviour, Command, Connections, PENDING_INCOMING, multiaddr, socket_address,
};
use super::counters::Counters;
use super::fault::LinkFault;
use super::frame::protocol_name;
use super::inbox::{Inbox, InboxSender, inbox};
use super::incoming::{Reader, WAITING_STREAMS};
use super::outbox::{Link, SendError};
use super::outgoing::write_lane;

/// Commands that may wait for the swarm.
const COMMANDS: usize = 64;

/// Why a network did not start.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The transport key is not usable.
    #[error("the transport key is not valid: {0}")]
    Key(String),
    /// The port cannot be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The transport could not be built.
    #[error("the transport could not be built: {0}")]
    Transport(String),
    /// Two nodes of the network share a name or a transport identity.
    #[error("{0} is listed twice, or under another's transport identity")]
    Duplicate(NodeId),
}

/// A node with an open port that does not talk yet.
pub struct Bound {
    config: NetworkConfig,
    address: SocketAddr,
    swarm: Swarm<Behaviour>,
    streams: Vec<(TrafficClass, IncomingStreams)>,
}

/// Opens the port of a node. Must be called within a tokio runtime with time and IO, which the
/// network then uses.
///
/// # Errors
/// When the key is not valid or the port cannot be opened (it is busy, the address is not local).
pub async fn bind(config: NetworkConfig) -> Result<Bound, NetworkError> {
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_INCOMING))
        .with_max_established_per_peer(Some(1));
    let mut swarm = SwarmBuilder::with_existing_identity(keypair(config.key)?)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .map_err(|error| NetworkError::Transport(error.to_string()))?
        .with_behaviour(|_| Behaviour {
            allowed: Default::default(),
            limits: libp2p::connection_limits::Behaviour::new(limits),
            streams: libp2p_stream::Behaviour::new(),
        })
        .map_err(|error| NetworkError::Transport(error.to_string()))?
        // Connections are kept though no stream may be open.
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::MAX))
        .build();

    let mut control = swarm.behaviour().streams.new_control();
    let mut streams = Vec::new();
    for class in TrafficClass::ALL {
        let incoming = control
            .accept(protocol_name(class))
            .map_err(|error| NetworkError::Transport(error.to_string()))?;
        streams.push((class, incoming));
    }

    let refused = |source| NetworkError::Listen { address: config.listen, source };
    if config.listen.port() != 0 {
        // libp2p listens with SO_REUSEPORT: two processes would share the port, each getting some
        // of the connections. A plain socket finds out that it is busy.
        drop(std::net::TcpListener::bind(config.listen).map_err(refused)?);
    }
    swarm.listen_on(multiaddr(config.listen)).map_err(|error| {
        refused(match error {
            TransportError::Other(error) => error,
            TransportError::MultiaddrNotSupported(address) => {
                io::Error::other(format!("{address} is not a TCP address"))
            }
        })
    })?;
    let address = loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                if let Some(address) = socket_address(&address) {
                    break address;
                }
            }
            SwarmEvent::ListenerError { error, .. } => return Err(refused(error)),
            SwarmEvent::ListenerClosed { reason, .. } => {
                return Err(refused(reason.err().unwrap_or_else(|| io::Error::other("closed"))));
            }
            _ => {}
        }
    };
    Ok(Bound { config, address, swarm, streams })
}

impl Bound {
    /// Where this node listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// This node's transport identity.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    /// Begins to talk with `peers`; nobody else is allowed to connect. The list may contain this
    /// node itself, so that all nodes can be given the same one. Metrics go to `registry`.
    ///
    /// # Errors
    /// When two peers share a name or a transport identity.
    pub fn connect(
        self,
        peers: &[PeerAddress],
        registry: &mut Registry,
    ) -> Result<(Network, Inbox), NetworkError> {
        let Self { config, swarm, streams, .. } = self;
        let counters = Counters::default();
        counters.register(registry);
        let (inbox_sender, inbox) = inbox(config.bounds, &counters);
        let life = new_life();
        let began = std::time::Instant::now();
        let control = swarm.behaviour().streams.new_control();

        let mut links = BTreeMap::new();
        let mut routes: Vec<_> = TrafficClass::ALL
            .iter()
            .map(|_| BTreeMap::<PeerId, mpsc::Sender<Stream>>::new())
            .collect();
        let mut addresses = Vec::new();
        let mut tasks = JoinSet::new();
        for peer in peers {
            if peer.node == config.node {
                continue;
            }
            let to = (peer.node, peer.peer);
            let link = Link::new(&config, to, began, &counters, inbox_sender.clone());
            let link = Arc::new(link);
            if peer.peer == *swarm.local_peer_id()
                || routes[0].contains_key(&peer.peer)
                || links.insert(peer.node, Arc::clone(&link)).is_some()
            {
                return Err(NetworkError::Duplicate(peer.node));
            }
            addresses.push((Arc::clone(&link), peer.address));
            for class in TrafficClass::ALL {
                let (sender, receiver) = mpsc::channel(WAITING_STREAMS);
                routes[class.index()].insert(peer.peer, sender);
                let reader = Reader {
                    from: peer.node,
                    class,
                    life,
                    bounds: config.bounds,
                    link: Arc::clone(&link),
                    streams: receiver,
                    inbox: inbox_sender.clone(),
                    counters: counters.incoming(peer.node, class),
                };
                tasks.spawn(reader.run());
                let (link, inbox) = (Arc::clone(&link), inbox_sender.clone());
                tasks.spawn(write_lane(link, class, life, control.clone(), inbox));
            }
        }
        for ((class, incoming), routes) in streams.into_iter().zip(routes) {
            tasks.spawn(accept(class, incoming, routes));
        }
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let connections =
            Connections::new(swarm, addresses, receiver, inbox_sender.clone(), &counters);
        tasks.spawn(connections.run());
        let handle = NetworkHandle { shared: Arc::new(Shared { links, commands }) };
        Ok((Network { handle, inbox: inbox_sender, _tasks: tasks }, inbox))
    }
}

/// A running network. Dropping it closes all connections at once.
pub struct Network {
    handle: NetworkHandle,
    inbox: InboxSender,
    _tasks: JoinSet<()>,
}

impl Network {
    /// A handle to send with.
    #[must_use]
    pub fn handle(&self) -> NetworkHandle {
        self.handle.clone()
    }

    /// Waits at most `patience` until everything sent was acknowledged. Returns how many messages
    /// were not, by node; a peer acknowledges within 0.1 s what it delivers, if it lives that long.
    pub async fn drain(&self, patience: Duration) -> BTreeMap<NodeId, usize> {
        let until = Instant::now() + patience;
        let mut left = BTreeMap::new();
        for (node, link) in &self.handle.shared.links {
            for class in TrafficClass::ALL {
                if timeout_at(until, link.drained(class)).await.is_err() {
                    *left.entry(*node).or_default() += link.held(class);
                }
            }
        }
        left
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// Sends messages; cheap to clone, usable from any thread, never blocks for longer than it takes
/// to append to a queue.
#[derive(Clone, Debug)]
pub struct NetworkHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    links: BTreeMap<NodeId, Arc<Link>>,
    commands: mpsc::Sender<Command>,
}

impl NetworkHandle {
    /// Queues a message for a node.
    ///
    /// # Errors
    /// When the node is unknown, the message too long or the queue full. The message is then not
    /// sent; a full queue is also counted and reported as an event.
    pub fn send(
        &self,
        to: NodeId,
        class: TrafficClass,
        bytes: impl Into<Bytes>,
    ) -> Result<(), SendError> {
        self.link(to)?.send(class, bytes.into())
    }

    /// Queues one message for several nodes, which share its bytes. Returns those that did not
    /// take it, with the reason.
    #[must_use = "a refused message is not sent again"]
    pub fn broadcast(
        &self,
        to: impl IntoIterator<Item = NodeId>,
        class: TrafficClass,
        bytes: impl Into<Bytes>,
    ) -> Vec<(NodeId, SendError)> {
        let bytes = bytes.into();
        let send = |node| Some((node, self.send(node, class, bytes.clone()).err()?));
        to.into_iter().filter_map(send).collect()
    }

    /// All other nodes of the network, in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.shared.links.keys().copied()
    }

    /// Whether the connection to this node stands.
    #[must_use]
    pub fn is_connected(&self, node: NodeId) -> bool {
        self.link(node).is_ok_and(|link| *link.connected.borrow())
    }

    /// How many messages of this class to this node are not yet acknowledged; 0 for an unknown
    /// node.
    #[must_use]
    pub fn queued(&self, to: NodeId, class: TrafficClass) -> usize {
        self.link(to).map_or(0, |link| link.held(class))
    }

    /// Breaks the link from this node to `to` in these ways and in no others; none mends it.
    ///
    /// # Errors
    /// When the node is unknown.
    pub fn set_faults(&self, to: NodeId, faults: &[LinkFault]) -> Result<(), SendError> {
        self.link(to)?.set_faults(faults);
        Ok(())
    }

    /// Closes the connection to a node, as a fault would; it is dialled again.
    ///
    /// # Errors
    /// When the node is unknown.
    pub async fn disconnect(&self, node: NodeId) -> Result<(), SendError> {
        let peer = self.link(node)?.peer;
        // A swarm that is gone has no connection.
        let _ = self.shared.commands.send(Command::Disconnect(peer)).await;
        Ok(())
    }

    /// A node listens at a new address, because it was started again.
    ///
    /// # Errors
    /// When the node is unknown.
    pub async fn set_address(&self, node: NodeId, address: SocketAddr) -> Result<(), SendError> {
        let peer = self.link(node)?.peer;
        let _ = self.shared.commands.send(Command::Address(peer, address)).await;
        Ok(())
    }

    fn link(&self, node: NodeId) -> Result<&Arc<Link>, SendError> {
        self.shared.links.get(&node).ok_or(SendError::UnknownNode(node))
    }
}

/// Hands the incoming streams of a class to the readers of their peers.
async fn accept(
    class: TrafficClass,
    mut incoming: IncomingStreams,
    routes: BTreeMap<PeerId, mpsc::Sender<Stream>>,
) {
    while let Some((peer, stream)) = incoming.next().await {
        // A stream that nobody has room for is dropped; its sender opens another.
        if let Some(reader) = routes.get(&peer)
            && reader.try_send(stream).is_err()
        {
            tracing::debug!(%class, %peer, "no room for another stream");
        }
    }
}

/// A number that differs between the lives of a node on one host: the wall clock at the start.
fn new_life() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX).max(1)
}

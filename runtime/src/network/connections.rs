//! The swarm: who may connect, and that each pair has exactly one connection.
//!
//! Of two nodes the one with the lower [`PeerId`] dials, and dials again after a bounded, doubling
//! pause. Peers that are not on the allow-list are refused after the handshake that names them;
//! unfinished handshakes are limited.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use libp2p::allow_block_list::{AllowedPeers, NotAllowed};
use libp2p::futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ListenError, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, allow_block_list, connection_limits};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::counters::Counters;
use super::events::{NetworkEvent, RefusalReason};
use super::inbox::InboxSender;
use super::outbox::Link;

/// Pauses between attempts to dial a node: from the first, doubling, to the last.
const REDIAL_PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Handshakes of incoming connections that may be under way at once.
pub(super) const PENDING_INCOMING: u32 = 256;

/// What the swarm is made of.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub allowed: allow_block_list::Behaviour<AllowedPeers>,
    pub limits: connection_limits::Behaviour,
    pub streams: libp2p_stream::Behaviour,
}

/// What a handle asks the swarm to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Close the connection to this peer; it is dialled again.
    Disconnect(PeerId),
    /// The peer listens here now.
    Address(PeerId, SocketAddr),
}

/// Owns the swarm and keeps the connections.
pub(super) struct Connections {
    swarm: Swarm<Behaviour>,
    peers: BTreeMap<PeerId, Peer>,
    commands: mpsc::Receiver<Command>,
    inbox: InboxSender,
}

struct Peer {
    link: Arc<Link>,
    address: Option<Multiaddr>,
    /// Whether it is us who dials.
    dials: bool,
    /// When to dial next; `None` while connected, dialling or not ours to dial.
    dial_at: Option<Instant>,
    pause: Duration,
    established: Counter,
}

impl Connections {
    /// Allows the peers of `links` and begins to dial those that are ours to dial.
    pub(super) fn new(
        mut swarm: Swarm<Behaviour>,
        links: Vec<(Arc<Link>, Option<SocketAddr>)>,
        commands: mpsc::Receiver<Command>,
        inbox: InboxSender,
        counters: &Counters,
    ) -> Self {
        let local = *swarm.local_peer_id();
        let mut peers = BTreeMap::new();
        for (link, address) in links {
            swarm.behaviour_mut().allowed.allow_peer(link.peer);
            let dials = local < link.peer;
            let peer = Peer {
                address: address.map(multiaddr),
                dials,
                dial_at: (dials && address.is_some()).then(Instant::now),
                pause: REDIAL_PAUSE.0,
                established: counters.connections(link.to),
                link,
            };
            peers.insert(peer.link.peer, peer);
        }
        Self { swarm, peers, commands, inbox }
    }

    /// Runs until the last handle is gone.
    pub(super) async fn run(mut self) {
        loop {
            let dial_at = self.peers.values().filter_map(|peer| peer.dial_at).min();
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                () = sleep_until(dial_at.unwrap_or_else(Instant::now)), if dial_at.is_some() => {
                    self.dial();
                }
            }
        }
    }

    fn dial(&mut self) {
        let now = Instant::now();
        for (id, peer) in &mut self.peers {
            if peer.dial_at.is_none_or(|at| at > now) {
                continue;
            }
            peer.dial_at = None;
            let Some(address) = peer.address.clone() else { continue };
            let dial = DialOpts::peer_id(*id)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(vec![address])
                .allocate_new_port()
                .build();
            if let Err(error) = self.swarm.dial(dial) {
                tracing::debug!(to = %peer.link.to, %error, "dial refused");
                peer.dial_later();
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Disconnect(id) => {
                // An error says that there was no connection, which is what is wanted.
                let _ = self.swarm.disconnect_peer_id(id);
            }
            Command::Address(id, address) => {
                let Some(peer) = self.peers.get_mut(&id) else { return };
                peer.address = Some(multiaddr(address));
                peer.pause = REDIAL_PAUSE.0;
                if peer.dials && !self.swarm.is_connected(&id) {
                    peer.dial_at = Some(Instant::now());
                }
            }
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                let Some(peer) = self.peers.get_mut(&peer_id) else { return };
                peer.established.inc();
                peer.dial_at = None;
                peer.pause = REDIAL_PAUSE.0;
                tracing::info!(to = %peer.link.to, "connected");
                peer.link.connected.send_replace(true);
                self.inbox.event(NetworkEvent::Connected(peer.link.to));
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => {
                let Some(peer) = self.peers.get_mut(&peer_id) else { return };
                tracing::info!(to = %peer.link.to, cause = ?cause, "disconnected");
                peer.link.connected.send_replace(false);
                peer.dial_later();
                self.inbox.event(NetworkEvent::Disconnected(peer.link.to));
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(id), error, .. } => {
                let connected = self.swarm.is_connected(&id);
                let Some(peer) = self.peers.get_mut(&id) else { return };
                tracing::debug!(to = %peer.link.to, %error, "not connected");
                if !connected {
                    peer.dial_later();
                }
            }
            SwarmEvent::IncomingConnectionError { error, peer_id, .. } => {
                tracing::debug!(%error, "incoming connection refused");
                let from = peer_id.and_then(|id| self.peers.get(&id)).map(|peer| peer.link.to);
                if let ListenError::Denied { cause } = error {
                    let reason = if cause.downcast_ref::<NotAllowed>().is_some() {
                        RefusalReason::NotAllowed
                    } else {
                        RefusalReason::ConnectionLimit
                    };
                    self.inbox.refuse(reason, from);
                }
            }
            _ => {}
        }
    }
}

impl Peer {
    fn dial_later(&mut self) {
        if self.dials && self.address.is_some() && self.dial_at.is_none() {
            self.dial_at = Some(Instant::now() + self.pause);
            self.pause = (self.pause * 2).min(REDIAL_PAUSE.1);
        }
    }
}

/// The libp2p form of a TCP address.
pub(super) fn multiaddr(address: SocketAddr) -> Multiaddr {
    Multiaddr::empty().with(address.ip().into()).with(Protocol::Tcp(address.port()))
}

/// The TCP address in a libp2p one.
pub(super) fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

//! A peer that speaks libp2p but not our protocol unless told to.

use libp2p::futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, Stream, Swarm, SwarmBuilder, noise, tcp, yamux};
use libp2p_stream::Behaviour;
use runtime::network::{Bound, TrafficClass, protocol_name};

const HELLO_BYTES: usize = 21;
const WELCOME_BYTES: usize = 32;

pub fn swarm(key: [u8; 32]) -> Swarm<Behaviour> {
    SwarmBuilder::with_existing_identity(Keypair::ed25519_from_bytes(key).unwrap())
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| Behaviour::new())
        .unwrap()
        .build()
}

/// Where a bound node can be dialled.
pub fn target(bound: &Bound) -> (PeerId, Multiaddr) {
    let address = bound.address();
    (bound.peer_id(), format!("/ip4/{}/tcp/{}", address.ip(), address.port()).parse().unwrap())
}

pub fn dial(swarm: &mut Swarm<Behaviour>, (peer, address): &(PeerId, Multiaddr)) {
    swarm.dial(DialOpts::peer_id(*peer).addresses(vec![address.clone()]).build()).unwrap();
}

/// Connects and opens streams under the key of an allowed peer.
pub struct Intruder {
    control: libp2p_stream::Control,
    peer: PeerId,
}

impl Intruder {
    pub async fn connect(key: [u8; 32], target: (PeerId, Multiaddr)) -> Self {
        let mut swarm = swarm(key);
        let control = swarm.behaviour().new_control();
        dial(&mut swarm, &target);
        loop {
            if let SwarmEvent::ConnectionEstablished { .. } = swarm.select_next_some().await {
                break;
            }
        }
        tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        Self { control, peer: target.0 }
    }

    pub async fn open(&mut self, class: TrafficClass) -> Stream {
        self.control.open_stream(self.peer, protocol_name(class)).await.unwrap()
    }

    /// Opens a stream with a proper hello; returns it with the sequence that the welcome names.
    pub async fn greeted(&mut self, class: TrafficClass, first: u64) -> (Stream, u64) {
        let mut stream = self.open(class).await;
        let mut hello = [0; HELLO_BYTES];
        hello[..4].copy_from_slice(b"SLH1");
        hello[4] = class.index() as u8;
        hello[5] = 77;
        hello[13..].copy_from_slice(&first.to_le_bytes());
        stream.write_all(&hello).await.unwrap();
        stream.flush().await.unwrap();
        let mut welcome = [0; WELCOME_BYTES];
        stream.read_exact(&mut welcome).await.unwrap();
        assert_eq!(&welcome[..4], b"SLW1");
        (stream, u64::from_le_bytes(welcome[12..20].try_into().unwrap()))
    }
}

pub fn frame(sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
    bytes.extend(sequence.to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// Waits until the other side closes or resets the stream.
pub async fn ends(stream: &mut Stream) {
    // A reset is an end too, whatever it is reported as.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

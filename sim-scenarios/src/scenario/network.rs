//! The network of a scenario: shards, committee, protocol settings, bounds of queues, links.

use cross_shard_msg::settings::Bounds;
use cross_shard_msg::{Duration, Gas, Gate, NodeId, ShardId, ValidatorIndex, Wei};

use simulation::regions::Region;

use super::unit::{Bandwidth, ByteSize};

/// The most shards a network can have: each is a process.
pub const MAX_SHARDS: u32 = 1_024;
/// The most validators a committee can have: each is a process.
pub const MAX_VALIDATORS: u32 = 256;
/// The gas of a plain transfer; no block's gas limit is below it.
pub const TRANSFER_GAS: Gas = Gas(21_000);

/// Settings that all nodes of a network share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// 1 to [`MAX_SHARDS`].
    pub shards: u32,
    /// 1 to [`MAX_VALIDATORS`].
    pub validators: u32,
    /// EIP-155 chain id, not 0. `mainnet-blocks` needs 1.
    pub chain_id: u64,
    /// Time from one block of a shard to its next.
    pub block_time: Duration,
    /// How the block times of different shards relate.
    pub block_phase: BlockPhase,
    /// Time from one checkpoint to the next.
    pub checkpoint_every: Duration,
    /// Gas limit of each block; its target is half of it. At least [`TRANSFER_GAS`].
    pub gas_limit: Gas,
    /// Base fee of the first block of each shard, per gas. At most one ether.
    pub base_fee: Wei,
    /// Whether the base fee follows EIP-1559 or stays as it is.
    pub base_fee_moves: bool,
    /// When a destination may consume a batch of receipts.
    pub gate: Gate,
    /// Where an account lives at first.
    pub allocation: AllocationRule,
    /// Whether the signatures of users are checked.
    pub signatures: Signatures,
    /// What a durable write survives.
    pub durability: Durability,
    /// The bounds of the nodes' queues.
    pub bounds: Bounds,
    /// The bounds of the streams between nodes.
    pub transport: TransportBounds,
    /// Delay, jitter and bandwidth between nodes.
    pub links: Links,
}

/// How the block times of different shards relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockPhase {
    /// Shard i of k makes its blocks i/k of a block time after shard 0.
    Staggered,
    /// All shards make their blocks at the same moment.
    Aligned,
    /// Each shard's offset is drawn from the seed.
    Random,
}

/// Where an account lives at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocationRule {
    /// The low 32 bits of the address modulo the number of shards.
    Hash,
}

/// Whether the signatures of users are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// Each sender is recovered from its signature.
    Verify,
    /// The sender travels with the transaction and is believed: for throughput studies.
    Assumed,
}

/// What a durable write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process (kill -9), not of the machine.
    Process,
    /// The end of the machine too: every record waits for the disk (fsync).
    Disk,
}

impl Durability {
    /// As the scenario says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Disk => "disk",
        }
    }
}

/// The bounds of the streams between nodes. Each pair of nodes has one stream per direction and
/// class of traffic; what is bounded per class is so for every one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportBounds {
    /// The longest message, the same for all nodes.
    pub message_bytes: ByteSize,
    /// Messages that one stream may hold, waiting or not yet acknowledged.
    pub queue_messages: u32,
    /// Bytes that one stream may hold; one message is always allowed.
    pub queue_bytes: ByteSize,
    /// Messages of one class, from all nodes, that may wait for a node to handle them.
    pub inbox_messages: u32,
    /// Bytes of the same; one message is always allowed.
    pub inbox_bytes: ByteSize,
    /// Messages of one stream that may be sent and not yet acknowledged.
    pub window_messages: u32,
    /// Bytes of the same; one message is always allowed.
    pub window_bytes: ByteSize,
}

/// Delay, jitter and bandwidth of every directed pair of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    /// What holds where neither regions nor an override say otherwise.
    pub default: Link,
    /// Where nodes are. No node is in two regions.
    pub regions: Vec<RegionNodes>,
    /// In the order of the file. A later one wins over an earlier one, field by field.
    pub overrides: Vec<LinkOverride>,
}

/// Nodes in one region of the world. Between two nodes that are in regions, delay and jitter are
/// those that were measured between the regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionNodes {
    /// The region.
    pub region: Region,
    /// Who is there; at least one.
    pub nodes: Vec<Endpoint>,
}

/// A directed network path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// One-way delay.
    pub delay: Duration,
    /// Up to so much more delay, drawn uniformly for each message; order is kept.
    pub jitter: Duration,
    /// How fast bytes enter the link.
    pub bandwidth: Bandwidth,
}

/// Changes to some links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkOverride {
    /// The sending nodes.
    pub from: Endpoint,
    /// The receiving nodes.
    pub to: Endpoint,
    /// One-way delay, if changed.
    pub delay: Option<Duration>,
    /// Jitter, if changed.
    pub jitter: Option<Duration>,
    /// Bandwidth, if changed.
    pub bandwidth: Option<Bandwidth>,
}

/// Nodes at one end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `*`: every node.
    Any,
    /// `shard:*`: every shard.
    Shards,
    /// `shard:1`: one shard.
    Shard(ShardId),
    /// `coordinator:*`: the whole committee.
    Coordinators,
    /// `coordinator:1`: one committee member.
    Coordinator(ValidatorIndex),
    /// `client`: the load generator.
    Client,
}

impl Links {
    /// What holds from one node to another.
    #[must_use]
    pub fn between(&self, from: NodeId, to: NodeId) -> Link {
        let mut link = self.default;
        if let Some((here, there)) = self.region(from).zip(self.region(to)) {
            let simulation::Link { delay, jitter } = here.link_to(there);
            link = Link { delay, jitter, ..link };
        }
        for change in &self.overrides {
            if change.from.covers(from) && change.to.covers(to) {
                link.delay = change.delay.unwrap_or(link.delay);
                link.jitter = change.jitter.unwrap_or(link.jitter);
                link.bandwidth = change.bandwidth.unwrap_or(link.bandwidth);
            }
        }
        link
    }

    /// Whether all links are alike.
    #[must_use]
    pub fn are_uniform(&self) -> bool {
        self.overrides.is_empty() && self.regions.is_empty()
    }

    /// Where a node is, if that is known.
    #[must_use]
    pub fn region(&self, node: NodeId) -> Option<Region> {
        let covers = |place: &&RegionNodes| place.nodes.iter().any(|nodes| nodes.covers(node));
        self.regions.iter().find(covers).map(|place| place.region)
    }

    /// The longest that a message travels over any link, jitter included, however little it is.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        let all = || self.regions.iter().map(|place| place.region);
        let between = all().flat_map(|here| all().map(move |there| here.link_to(there)));
        let measured = between.map(|link| (link.delay, link.jitter));
        let (delay, jitter) = measured
            .fold((self.default.delay, self.default.jitter), |(delay, jitter), link| {
                (delay.max(link.0), jitter.max(link.1))
            });
        let changed = self
            .overrides
            .iter()
            .map(|change| change.delay.unwrap_or(delay) + change.jitter.unwrap_or(jitter));
        changed.fold(delay + jitter, Duration::max)
    }
}

impl Network {
    /// All nodes: shards, coordinators, the client.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let shards = (0..self.shards).map(|shard| NodeId::Shard(ShardId(shard)));
        let committee =
            (0..self.validators).map(|index| NodeId::Coordinator(ValidatorIndex(index)));
        shards.chain(committee).chain([NodeId::Client])
    }
}

impl Endpoint {
    /// Whether `node` is one of these.
    #[must_use]
    pub fn covers(self, node: NodeId) -> bool {
        match (self, node) {
            (Self::Any, _)
            | (Self::Shards, NodeId::Shard(_))
            | (Self::Coordinators, NodeId::Coordinator(_))
            | (Self::Client, NodeId::Client) => true,
            (Self::Shard(shard), NodeId::Shard(other)) => shard == other,
            (Self::Coordinator(index), NodeId::Coordinator(other)) => index == other,
            _ => false,
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Shards => f.write_str("shard:*"),
            Self::Shard(shard) => write!(f, "{}", NodeId::Shard(*shard)),
            Self::Coordinators => f.write_str("coordinator:*"),
            Self::Coordinator(index) => write!(f, "{}", NodeId::Coordinator(*index)),
            Self::Client => write!(f, "{}", NodeId::Client),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_overrides_win_field_by_field() {
        let slow = Duration::from_millis(100);
        let links = Links {
            default: Link {
                delay: Duration::from_millis(1),
                jitter: Duration::ZERO,
                bandwidth: Bandwidth::Unlimited,
            },
            regions: Vec::new(),
            overrides: vec![
                LinkOverride {
                    from: Endpoint::Shards,
                    to: Endpoint::Any,
                    delay: Some(slow),
                    jitter: None,
                    bandwidth: Some(Bandwidth::BitsPerSecond(1_000)),
                },
                LinkOverride {
                    from: Endpoint::Shard(ShardId(1)),
                    to: Endpoint::Client,
                    delay: Some(Duration::ZERO),
                    jitter: None,
                    bandwidth: None,
                },
            ],
        };
        let shard = |index| NodeId::Shard(ShardId(index));
        let coordinator = NodeId::Coordinator(ValidatorIndex(0));
        assert_eq!(links.between(coordinator, shard(0)), links.default);
        assert_eq!(links.between(shard(0), coordinator).delay, slow);
        let special = links.between(shard(1), NodeId::Client);
        assert_eq!(special.delay, Duration::ZERO);
        assert_eq!(special.bandwidth, Bandwidth::BitsPerSecond(1_000));
        assert_eq!(links.slowest(), slow);
    }

    #[test]
    fn regions_say_what_lies_between_their_nodes() {
        let region = |name| Region::named(name).unwrap();
        let (paris, sydney) = (region("eu-west-3"), region("ap-southeast-2"));
        let shard = |index| NodeId::Shard(ShardId(index));
        let near = Duration::from_millis(1);
        let default = Link { delay: near, jitter: near, bandwidth: Bandwidth::BitsPerSecond(8) };
        let change = LinkOverride {
            from: Endpoint::Shard(ShardId(1)),
            to: Endpoint::Any,
            delay: Some(near),
            jitter: None,
            bandwidth: None,
        };
        let links = Links {
            default,
            regions: vec![
                RegionNodes { region: paris, nodes: vec![Endpoint::Shard(ShardId(0))] },
                RegionNodes {
                    region: sydney,
                    nodes: vec![Endpoint::Coordinators, Endpoint::Shard(ShardId(1))],
                },
            ],
            overrides: vec![change],
        };
        let coordinator = NodeId::Coordinator(ValidatorIndex(0));
        let far = paris.link_to(sydney);
        let link = links.between(shard(0), coordinator);
        assert_eq!((link.delay, link.jitter), (far.delay, far.jitter));
        assert_eq!(link.bandwidth, default.bandwidth);
        let back = links.between(shard(1), shard(0));
        assert_eq!((back.delay, back.jitter), (near, sydney.link_to(paris).jitter));
        assert_eq!(links.between(shard(0), NodeId::Client), default, "the client is nowhere");
        assert!(links.slowest() >= far.delay + far.jitter);
    }
}

//! What breaks in a phase: nodes that die or stand still, links that lose, delay or reorder.

use std::collections::BTreeSet;

use cross_shard_msg::{Duration, NodeId, Timestamp};

use super::network::{Endpoint, Network};
use super::unit::Fraction;

/// One fault of a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When it begins, counted from the start of its phase.
    pub at: Duration,
    /// What breaks.
    pub kind: FaultKind,
}

/// What breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nodes die as by kill -9.
    Crash {
        /// Who; at least one.
        nodes: Vec<FaultTarget>,
        /// When they start again from what they had made durable; `None` is never.
        restart_after: Option<Duration>,
    },
    /// Nodes stand still; what arrives waits.
    Pause {
        /// Who; at least one.
        nodes: Vec<FaultTarget>,
        /// For how long.
        span: Duration,
    },
    /// Links are worse than they were.
    Links {
        /// The senders; at least one.
        from: Vec<FaultTarget>,
        /// The receivers; at least one.
        to: Vec<FaultTarget>,
        /// Whether only the direction from `from` to `to` is meant.
        one_way: bool,
        /// For how long.
        span: Duration,
        /// How.
        damage: Damage,
    },
}

/// What happens to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nothing passes; it waits until the fault is over.
    Disconnect,
    /// Messages take longer.
    Delay {
        /// Added to every message.
        delay: Duration,
        /// Up to so much more, drawn uniformly for each message.
        jitter: Duration,
    },
    /// Packets get lost and are sent again.
    Loss {
        /// How often.
        share: PerMille,
    },
    /// Packets arrive twice.
    Duplicate {
        /// How often.
        share: PerMille,
    },
    /// Packets are overtaken.
    Reorder {
        /// How often.
        share: PerMille,
        /// The most by which one is late; drawn uniformly.
        within: Duration,
    },
    /// Links carry less.
    Bandwidth {
        /// Bits per second, at least 1,000.
        bits_per_second: u64,
    },
}

/// A probability in thousandths: 1 to 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerMille(pub u16);

/// Who a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultTarget {
    /// The nodes at one end of a link.
    Nodes(Endpoint),
    /// `leader`: whoever leads the committee when the fault begins.
    Leader,
}

/// When a fault was at work in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultBand {
    /// The number of the network's mainnet block, else 0.
    pub network: u64,
    /// What broke: `crash`, `loss`.
    pub kind: &'static str,
    /// Whom it struck, as in the scenario: `shard:1`, `shard:0 to coordinator:*`.
    pub target: String,
    /// When it began, counted from the network's start.
    pub start: Timestamp,
    /// When it was over; `None` for a crash without restart.
    pub end: Option<Timestamp>,
}

impl PerMille {
    /// As a share of a whole, for printing.
    #[must_use]
    pub fn fraction(self) -> Fraction {
        Fraction { millionths: u32::from(self.0) * 1_000 }
    }
}

impl FaultKind {
    /// The name in scenario files and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::Pause { .. } => "pause",
            Self::Links { damage, .. } => damage.name(),
        }
    }

    /// How long it lasts; `None` for a crash without restart.
    #[must_use]
    pub fn span(&self) -> Option<Duration> {
        match self {
            Self::Crash { restart_after, .. } => *restart_after,
            Self::Pause { span, .. } | Self::Links { span, .. } => Some(*span),
        }
    }

    /// Whom it strikes, for a person: `shard:1`, `shard:0 and coordinator:*`, `a to b`.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Crash { nodes, .. } | Self::Pause { nodes, .. } => listed(nodes),
            Self::Links { from, to, one_way: true, .. } => {
                format!("{} to {}", listed(from), listed(to))
            }
            Self::Links { from, to, one_way: false, .. } => {
                format!("{} with {}", listed(from), listed(to))
            }
        }
    }

    /// When it is at work if it begins at `start`, for the report.
    #[must_use]
    pub fn band(&self, network: u64, start: Timestamp) -> FaultBand {
        let end = self.span().map(|span| start + span);
        FaultBand { network, kind: self.name(), target: self.target(), start, end }
    }
}

impl FaultBand {
    /// The same in a network that ended at `end`: what was not over then lasted.
    #[must_use]
    pub fn until(mut self, end: Timestamp) -> Self {
        self.end = self.end.filter(|over| *over <= end);
        self
    }
}

impl Damage {
    /// The name in scenario files and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Delay { .. } => "delay",
            Self::Loss { .. } => "loss",
            Self::Duplicate { .. } => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::Bandwidth { .. } => "bandwidth",
        }
    }
}

impl FaultTarget {
    /// The nodes of `network` that are meant, in order; `None` for the leader, whom only the run
    /// knows.
    #[must_use]
    pub fn nodes(self, network: &Network) -> Option<Vec<NodeId>> {
        let Self::Nodes(endpoint) = self else { return None };
        Some(network.nodes().filter(|node| endpoint.covers(*node)).collect())
    }

    /// All nodes that may turn out to be meant, in order: any coordinator may lead.
    #[must_use]
    pub fn candidates(self, network: &Network) -> Vec<NodeId> {
        let endpoint = match self {
            Self::Nodes(endpoint) => endpoint,
            Self::Leader => Endpoint::Coordinators,
        };
        network.nodes().filter(|node| endpoint.covers(*node)).collect()
    }
}

/// `leader`, or as the nodes at one end of a link are written.
impl std::fmt::Display for FaultTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nodes(endpoint) => endpoint.fmt(f),
            Self::Leader => f.write_str("leader"),
        }
    }
}

impl super::Scenario {
    /// The nodes whose observations a fault depends on, or would lose: those that may be killed, and
    /// every coordinator if a fault strikes whoever leads.
    #[must_use]
    pub fn observed_closely(&self) -> BTreeSet<NodeId> {
        let faults = self.phases.iter().flat_map(|phase| &phase.faults);
        let targets = faults.flat_map(|fault| match &fault.kind {
            FaultKind::Crash { nodes, .. } => nodes.iter().collect::<Vec<_>>(),
            FaultKind::Pause { nodes, .. } => leaders(nodes).collect(),
            FaultKind::Links { from, to, .. } => leaders(from).chain(leaders(to)).collect(),
        });
        targets.flat_map(|target| target.candidates(&self.network)).collect()
    }
}

fn leaders(targets: &[FaultTarget]) -> impl Iterator<Item = &FaultTarget> {
    targets.iter().filter(|target| **target == FaultTarget::Leader)
}

fn listed(targets: &[FaultTarget]) -> String {
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

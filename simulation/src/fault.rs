//! Faults as data: what breaks, when, and for how long.
//!
//! A [`FaultPlan`] is given to a world before it runs ([`crate::World::schedule`]); the same faults
//! can be brought about at once with [`crate::World::inject`]. Probabilities are in thousandths and
//! all arithmetic is in integers, so that a plan means the same on every machine.

use std::fmt;

use cross_shard_msg::{Duration, NodeId, Timestamp};

/// A node that a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// This node.
    Node(NodeId),
    /// Whoever leads when the fault begins: the coordinator that proposed last, or coordinator 0
    /// before the first proposal.
    Leader,
}

/// All directed links from one set of nodes to another. A node has no link to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSet {
    /// Senders.
    pub from: Vec<Target>,
    /// Receivers.
    pub to: Vec<Target>,
    /// Whether the links back are meant, too.
    pub both_ways: bool,
}

/// Something that breaks. A span counts from when the fault begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The node dies: what it held in memory, what was on its way to it and what was not durable
    /// yet are gone. Does nothing to a node that is down.
    Crash {
        /// Who.
        node: Target,
        /// When it starts again, from its durable records; `None` is never.
        restart_after: Option<Duration>,
    },
    /// The node stands still; what arrives waits.
    Pause {
        /// Who.
        node: Target,
        /// How long.
        span: Duration,
    },
    /// Nothing passes. On reliable links it waits until the fault ends, on raw ones it is lost.
    Disconnect {
        /// Where.
        links: LinkSet,
        /// How long.
        span: Duration,
    },
    /// Messages take longer.
    Delay {
        /// Where.
        links: LinkSet,
        /// Time added to every message.
        delay: Duration,
        /// Largest further time; each message draws uniformly from zero to this.
        jitter: Duration,
        /// How long.
        span: Duration,
    },
    /// Messages get lost. On reliable links they are sent again after a timeout, as often as
    /// needed.
    Loss {
        /// Where.
        links: LinkSet,
        /// Probability in thousandths; more than 1000 counts as 1000.
        per_mille: u16,
        /// How long.
        span: Duration,
    },
    /// Messages arrive twice, the second time later. Nothing on reliable links.
    Duplicate {
        /// Where.
        links: LinkSet,
        /// Probability in thousandths.
        per_mille: u16,
        /// How long.
        span: Duration,
    },
    /// Messages are overtaken. On reliable links they are only late, and hold up those behind them.
    Reorder {
        /// Where.
        links: LinkSet,
        /// Probability in thousandths.
        per_mille: u16,
        /// Largest time by which a message is late; drawn uniformly.
        within: Duration,
        /// How long.
        span: Duration,
    },
    /// Links carry less.
    Bandwidth {
        /// Where.
        links: LinkSet,
        /// Bytes per second; 0 counts as 1. A link that is slower already stays as it is.
        bytes_per_second: u64,
        /// How long.
        span: Duration,
    },
    /// The node's clock is off: it sees times that are `offset` nanoseconds later (earlier when
    /// negative, but never before the start). Its timers are off in the same way.
    ClockSkew {
        /// Who.
        node: Target,
        /// Nanoseconds, at most a few hundred milliseconds in a network that shall go on.
        offset: i64,
        /// How long.
        span: Duration,
    },
}

/// Faults with the times at which they begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    faults: Vec<(Timestamp, Fault)>,
}

impl LinkSet {
    /// Links from each node of one set to each of the other, one way.
    #[must_use]
    pub fn one_way(
        from: impl IntoIterator<Item = NodeId>,
        to: impl IntoIterator<Item = NodeId>,
    ) -> Self {
        Self {
            from: from.into_iter().map(Target::Node).collect(),
            to: to.into_iter().map(Target::Node).collect(),
            both_ways: false,
        }
    }

    /// Links between two sets, both ways.
    #[must_use]
    pub fn between(
        from: impl IntoIterator<Item = NodeId>,
        to: impl IntoIterator<Item = NodeId>,
    ) -> Self {
        Self { both_ways: true, ..Self::one_way(from, to) }
    }
}

impl Fault {
    /// The name in scenario files and reports.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::Pause { .. } => "pause",
            Self::Disconnect { .. } => "disconnect",
            Self::Delay { .. } => "delay",
            Self::Loss { .. } => "loss",
            Self::Duplicate { .. } => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::Bandwidth { .. } => "bandwidth",
            Self::ClockSkew { .. } => "clock_skew",
        }
    }

    /// How long it lasts; `None` for a crash without restart.
    #[must_use]
    pub fn span(&self) -> Option<Duration> {
        match self {
            Self::Crash { restart_after, .. } => *restart_after,
            Self::Pause { span, .. }
            | Self::Disconnect { span, .. }
            | Self::Delay { span, .. }
            | Self::Loss { span, .. }
            | Self::Duplicate { span, .. }
            | Self::Reorder { span, .. }
            | Self::Bandwidth { span, .. }
            | Self::ClockSkew { span, .. } => Some(*span),
        }
    }
}

impl FaultPlan {
    /// No faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault that begins at `at`. Faults that begin together are brought about in the order
    /// in which they were added.
    pub fn push(&mut self, at: Timestamp, fault: Fault) {
        let place = self.faults.partition_point(|(other, _)| *other <= at);
        self.faults.insert(place, (at, fault));
    }

    /// The same, for building a plan in one expression.
    #[must_use]
    pub fn with(mut self, at: Timestamp, fault: Fault) -> Self {
        self.push(at, fault);
        self
    }

    /// All faults by the time at which they begin.
    pub fn iter(&self) -> impl Iterator<Item = &(Timestamp, Fault)> {
        self.faults.iter()
    }

    /// Number of faults.
    #[must_use]
    pub fn len(&self) -> usize {
        self.faults.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// When the last fault is over: the start of a phase in which everything must settle. Crashes
    /// without restart count when they begin; they are never over.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        let ends =
            self.faults.iter().map(|(at, fault)| *at + fault.span().unwrap_or(Duration::ZERO));
        ends.max().unwrap_or(Timestamp::ZERO)
    }

    /// The plan without the fault at `index`; for shrinking a failure. Out of bounds: unchanged.
    #[must_use]
    pub fn without(&self, index: usize) -> Self {
        let kept = self.faults.iter().enumerate().filter(|(other, _)| *other != index);
        Self { faults: kept.map(|(_, fault)| fault.clone()).collect() }
    }
}

impl FromIterator<(Timestamp, Fault)> for FaultPlan {
    fn from_iter<I: IntoIterator<Item = (Timestamp, Fault)>>(faults: I) -> Self {
        let mut faults: Vec<_> = faults.into_iter().collect();
        faults.sort_by_key(|(at, _)| *at);
        Self { faults }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Leader => f.write_str("leader"),
        }
    }
}

impl fmt::Display for LinkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |targets: &[Target]| {
            targets.iter().map(Target::to_string).collect::<Vec<_>>().join(",")
        };
        let arrow = if self.both_ways { "↔" } else { "→" };
        write!(f, "{}{arrow}{}", names(&self.from), names(&self.to))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind())?;
        match self {
            Self::Crash { node, restart_after: Some(after) } => {
                write!(f, "{node}, restart after {after}")
            }
            Self::Crash { node, restart_after: None } => write!(f, "{node}"),
            Self::Pause { node, span } => write!(f, "{node} for {span}"),
            Self::Disconnect { links, span } => write!(f, "{links} for {span}"),
            Self::Delay { links, delay, jitter, span } => {
                write!(f, "{links} by {delay} + {jitter} for {span}")
            }
            Self::Loss { links, per_mille, span } | Self::Duplicate { links, per_mille, span } => {
                write!(f, "{links} {per_mille}‰ for {span}")
            }
            Self::Reorder { links, per_mille, within, span } => {
                write!(f, "{links} {per_mille}‰ within {within} for {span}")
            }
            Self::Bandwidth { links, bytes_per_second, span } => {
                write!(f, "{links} {bytes_per_second} B/s for {span}")
            }
            Self::ClockSkew { node, offset, span } => write!(f, "{node} {offset} ns for {span}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use cross_shard_msg::ShardId;

    use super::*;

    fn pause(shard: u32, secs: u64) -> Fault {
        let node = Target::Node(NodeId::Shard(ShardId(shard)));
        Fault::Pause { node, span: Duration::from_secs(secs) }
    }

    #[test]
    fn a_plan_is_in_order_of_time_and_knows_its_end() {
        let crash = Fault::Crash { node: Target::Leader, restart_after: None };
        let plan = FaultPlan::new()
            .with(Timestamp(20), pause(0, 1))
            .with(Timestamp(10), pause(1, 3))
            .with(Timestamp(20), crash.clone());
        let order: Vec<_> = plan.iter().map(|(at, fault)| (at.0, fault.kind())).collect();
        assert_eq!(order, [(10, "pause"), (20, "pause"), (20, "crash")]);
        assert_eq!(plan.end(), Timestamp(3_000_000_010));
        assert_eq!(plan.without(0).end(), Timestamp(1_000_000_020));
        assert_eq!(plan.without(9), plan);
        assert_eq!(plan.iter().cloned().collect::<FaultPlan>(), plan);
        assert_eq!(crash.to_string(), "crash leader");
        assert_eq!(pause(1, 2).to_string(), "pause shard:1 for 2s");
    }
}

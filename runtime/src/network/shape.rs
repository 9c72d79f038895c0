//! Shaping of links: when a message may leave its sender, also when the link is broken.
//!
//! A message of n bytes occupies its link for n / bandwidth, then travels for delay plus a jitter
//! drawn uniformly from [0, jitter] by the link's own seeded stream. The order within a class is
//! kept. A more urgent class does not wait for bytes of a less urgent one that are still queued,
//! but what it takes is taken from them. Times are computed when a message is sent and have the
//! resolution of the runtime's timers: a message is late by at most about a millisecond, never
//! early.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cross_shard_msg::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::config::TrafficClass;
use super::fault::{LinkFault, draw, suffer};

/// The shape of one directed link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkShape {
    /// One-way delay.
    pub delay: cross_shard_msg::Duration,
    /// Upper end of the uniform jitter added to the delay.
    pub jitter: cross_shard_msg::Duration,
    /// Bytes per second, `None` for unlimited; 0 counts as 1.
    pub bandwidth: Option<u64>,
}

impl LinkShape {
    /// Whether messages leave at once.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// Shapes of all directed links of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkTable {
    /// Shape of every link without an override.
    pub default: LinkShape,
    /// Shapes by (sender, receiver).
    pub overrides: BTreeMap<(NodeId, NodeId), LinkShape>,
}

impl LinkTable {
    /// The shape of the link from `from` to `to`.
    #[must_use]
    pub fn shape(&self, from: NodeId, to: NodeId) -> LinkShape {
        self.overrides.get(&(from, to)).copied().unwrap_or(self.default)
    }
}

/// When a message leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// It waits for nothing.
    AtOnce,
    /// Not before this moment.
    At(Instant),
    /// When the link is connected again.
    Held,
}

/// Computes when each message of one link may leave.
#[derive(Debug)]
pub(super) struct Shaper {
    shape: LinkShape,
    jitter: ChaCha8Rng,
    /// What breaks the link at present, in the order in which it began.
    pub(super) faults: Vec<LinkFault>,
    chance: ChaCha8Rng,
    /// Until when the link is busy with bytes of this class or a more urgent one.
    busy: [Option<Instant>; TrafficClass::COUNT],
    /// When the last message of the class leaves.
    last: [Option<Instant>; TrafficClass::COUNT],
}

impl Shaper {
    pub(super) fn new(shape: LinkShape, seed: u64, from: NodeId, to: NodeId) -> Self {
        let link = (u64::from(code(from)) << 32) | u64::from(code(to));
        let random = |stream| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(stream);
            random
        };
        Self {
            shape,
            jitter: random(link),
            faults: Vec::new(),
            // No other link's: numbers of nodes are far below 2³¹.
            chance: random(!link),
            busy: [None; TrafficClass::COUNT],
            last: [None; TrafficClass::COUNT],
        }
    }

    /// Whether messages leave at once.
    pub(super) fn is_open(&self) -> bool {
        self.shape.is_open() && self.faults.is_empty()
    }

    /// When a message of `bytes`, sent now, may leave, and whether it leaves twice.
    pub(super) fn release(
        &mut self,
        now: Instant,
        class: TrafficClass,
        bytes: usize,
    ) -> (Release, bool) {
        let fate = suffer(&self.faults, self.shape.bandwidth, &mut self.chance);
        if fate.held {
            return (Release::Held, false);
        }
        let class = class.index();
        let mut at = now;
        if let Some(limit) = fate.limit {
            let nanos = (bytes as u128 * 1_000_000_000) / u128::from(limit.max(1));
            let occupied = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            for busy in &mut self.busy[class..] {
                *busy = Some(busy.unwrap_or(now).max(now) + occupied);
            }
            at = self.busy[class].unwrap_or(now);
        }
        at += Duration::from(self.shape.delay) + draw(&mut self.jitter, self.shape.jitter);
        at += fate.late;
        let at = self.last[class].map_or(at, |last| last.max(at));
        self.last[class] = Some(at);
        (Release::At(at), fate.copied)
    }
}

/// A number per node, to tell the random streams of links apart.
fn code(node: NodeId) -> u32 {
    match node {
        NodeId::Client => 0,
        NodeId::Shard(shard) => shard.0.wrapping_mul(2).wrapping_add(1),
        NodeId::Coordinator(index) => index.0.wrapping_mul(2).wrapping_add(2),
    }
}

#[cfg(test)]
mod tests {
    use cross_shard_msg::{Duration as Span, ShardId};

    use super::*;

    const A: NodeId = NodeId::Shard(ShardId(0));
    const B: NodeId = NodeId::Shard(ShardId(1));

    fn shaper(shape: LinkShape) -> Shaper {
        Shaper::new(shape, 7, A, B)
    }

    fn at(link: &mut Shaper, now: Instant, class: TrafficClass, bytes: usize) -> Instant {
        match link.release(now, class, bytes) {
            (Release::At(at), false) => at,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bandwidth_queues_messages_behind_one_another() {
        let mut link = shaper(LinkShape { bandwidth: Some(1_000), ..LinkShape::default() });
        let now = Instant::now();
        let class = TrafficClass::Receipts;
        assert_eq!(at(&mut link, now, class, 500), now + Duration::from_millis(500));
        assert_eq!(at(&mut link, now, class, 500), now + Duration::from_millis(1_000));
        let idle = now + Duration::from_secs(5);
        assert_eq!(at(&mut link, idle, class, 500), idle + Duration::from_millis(500));
    }

    #[test]
    fn urgent_classes_overtake_and_take_their_share() {
        let mut link = shaper(LinkShape { bandwidth: Some(1_000), ..LinkShape::default() });
        let now = Instant::now();
        at(&mut link, now, TrafficClass::Receipts, 10_000);
        let vote = at(&mut link, now, TrafficClass::Consensus, 100);
        assert_eq!(vote, now + Duration::from_millis(100));
        let next = at(&mut link, now, TrafficClass::Receipts, 1_000);
        assert_eq!(next, now + Duration::from_millis(11_100));
    }

    #[test]
    fn jitter_is_seeded_bounded_and_keeps_the_order() {
        let shape = LinkShape {
            delay: Span::from_millis(10),
            jitter: Span::from_millis(5),
            bandwidth: None,
        };
        let now = Instant::now();
        let run = |mut link: Shaper| -> Vec<Instant> {
            (0..100).map(|_| at(&mut link, now, TrafficClass::Control, 1)).collect()
        };
        let times = run(shaper(shape));
        assert_eq!(times, run(shaper(shape)));
        assert_ne!(times, run(Shaper::new(shape, 7, B, A)));
        assert!(times.is_sorted());
        assert!(times[0] >= now + Duration::from_millis(10));
        assert!(times[99] <= now + Duration::from_millis(15));
    }

    #[test]
    fn faults_add_to_the_shape_and_end() {
        let now = Instant::now();
        let class = TrafficClass::Receipts;
        let mut link = shaper(LinkShape { bandwidth: Some(1_000), ..LinkShape::default() });
        let delayed = LinkFault::Delayed { delay: Span::from_millis(30), jitter: Span(0) };
        link.faults = vec![delayed, LinkFault::Limited { bytes_per_second: 100 }];
        assert_eq!(at(&mut link, now, class, 10), now + Duration::from_millis(130));
        link.faults.push(LinkFault::Disconnected);
        assert_eq!(link.release(now, class, 10), (Release::Held, false));
        link.faults.clear();
        // Not before the one that was sent earlier.
        assert_eq!(at(&mut link, now, class, 10), now + Duration::from_millis(130));
        let later = now + Duration::from_secs(1);
        assert_eq!(at(&mut link, later, class, 10), later + Duration::from_millis(10));
        link.faults.push(LinkFault::Duplicating { per_mille: 1_000 });
        assert!(link.release(later, class, 1).1);
    }

    #[test]
    fn overrides_are_directed() {
        let slow = LinkShape { delay: Span::from_millis(1), ..LinkShape::default() };
        let mut table = LinkTable::default();
        table.overrides.insert((A, B), slow);
        assert_eq!(table.shape(A, B), slow);
        assert!(table.shape(B, A).is_open());
    }
}

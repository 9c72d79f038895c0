//! Links between simulated nodes: delay, jitter and bandwidth per directed pair, and what faults
//! make of them.
//!
//! A message of n bytes occupies its link for n / bandwidth, then travels for delay and jitter.
//! Links are [`Mode::Reliable`] or [`Mode::Raw`]: as the streams of the real network, or worse than
//! any network that a node's transport lets through.

use std::collections::BTreeMap;

use cross_shard_msg::{Duration, NodeId, Timestamp};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// First pause before what got lost on a reliable link is sent again; it doubles each time.
const RESEND_AFTER: Duration = Duration::from_millis(50);
/// Most times that one message gets lost on a reliable link.
const MOST_RESENDS: u32 = 8;
/// A second copy arrives at most so much later than its own delay says.
const COPY_WITHIN: Duration = Duration::from_millis(20);

/// One directed pair's properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Time from sending to arrival.
    pub delay: Duration,
    /// Largest additional time; each message draws uniformly from zero to this.
    pub jitter: Duration,
}

/// What links promise while both ends are up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Exactly once and in order, as the streams of the real network: what is lost is sent again,
    /// what is disconnected waits.
    #[default]
    Reliable,
    /// Nothing: messages vanish, come twice and overtake one another.
    Raw,
}

/// All links of a world.
#[derive(Debug)]
pub struct Links {
    default: Link,
    overrides: BTreeMap<(NodeId, NodeId), Link>,
    limit: Option<u64>,
    limits: BTreeMap<(NodeId, NodeId), Option<u64>>,
    mode: Mode,
    pairs: Vec<Vec<Option<Pair>>>,
    conditions: Vec<(u64, Affected, Condition)>,
    jitter: ChaCha12Rng,
    chance: ChaCha12Rng,
}

/// A node, by its place in the world and by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub index: usize,
    pub id: NodeId,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Arrives(Timestamp),
    ArrivesTwice(Timestamp, Timestamp),
    /// It waits for the end of a disconnection.
    Waits,
    Lost,
}

/// What a fault does to links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Disconnected,
    Delayed { delay: Duration, jitter: Duration },
    Lossy(u16),
    Duplicating(u16),
    Reordering { per_mille: u16, within: Duration },
    Limited(u64),
}

/// Which links, by places of nodes.
#[derive(Clone, Debug)]
pub(crate) struct Affected {
    pub from: Vec<usize>,
    pub to: Vec<usize>,
    pub both_ways: bool,
}

impl Affected {
    fn includes(&self, from: usize, to: usize) -> bool {
        (self.from.contains(&from) && self.to.contains(&to))
            || (self.both_ways && self.from.contains(&to) && self.to.contains(&from))
    }
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    link: Link,
    limit: Option<u64>,
    /// When the link has taken all bytes that were sent.
    sent: Timestamp,
    /// When the last message arrives.
    arrived: Timestamp,
}

impl Links {
    /// Reliable links that are all alike. `seed` decides jitter and chance.
    #[must_use]
    pub fn uniform(default: Link, seed: u64) -> Self {
        let stream = |stream| {
            let mut rng = ChaCha12Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            rng
        };
        Self {
            default,
            overrides: BTreeMap::new(),
            limit: None,
            limits: BTreeMap::new(),
            mode: Mode::Reliable,
            pairs: Vec::new(),
            conditions: Vec::new(),
            jitter: stream(0),
            chance: stream(1),
        }
    }

    /// Gives one directed pair other properties.
    #[must_use]
    pub fn with(mut self, from: NodeId, to: NodeId, link: Link) -> Self {
        self.overrides.insert((from, to), link);
        self
    }

    /// Limits all links that have no limit of their own, in bytes per second; 0 counts as 1.
    #[must_use]
    pub fn with_bandwidth(mut self, limit: Option<u64>) -> Self {
        self.limit = limit;
        self
    }

    /// Limits one directed pair, in bytes per second; `None` lifts the limit of all.
    #[must_use]
    pub fn with_bandwidth_of(mut self, from: NodeId, to: NodeId, limit: Option<u64>) -> Self {
        self.limits.insert((from, to), limit);
        self
    }

    /// What the links promise.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Whether the size of messages matters on this link.
    pub(crate) fn is_limited(&mut self, from: End, to: End) -> bool {
        self.pair(from, to).limit.is_some()
            || self.conditions_of(from, to).any(|what| matches!(what, Condition::Limited(_)))
    }

    /// When a message of `size` bytes that is sent at `at` arrives. Messages of a reliable pair
    /// arrive in the order in which they were sent.
    pub(crate) fn pass(&mut self, from: End, to: End, at: Timestamp, size: u64) -> Passage {
        let pair = self.pair(from, to);
        let mut fate = Fate::new(pair);
        fate.late = draw(&mut self.jitter, pair.link.jitter);
        if !self.conditions.is_empty() && self.suffer(from, to, &mut fate) {
            return match self.mode {
                Mode::Reliable => Passage::Waits,
                Mode::Raw => Passage::Lost,
            };
        }
        if fate.lost && self.mode == Mode::Raw {
            return Passage::Lost;
        }
        let (mode, pair) = (self.mode, self.pair_mut(from.index, to.index));
        let Some(pair) = pair else { return Passage::Lost };
        let mut left = at;
        if let Some(limit) = fate.limit {
            let occupied = u128::from(size) * 1_000_000_000 / u128::from(limit.max(1));
            let occupied = Duration(u64::try_from(occupied).unwrap_or(u64::MAX));
            left = at.max(pair.sent) + occupied;
            pair.sent = left;
        }
        let mut arrival = left + pair.link.delay + fate.late;
        match mode {
            Mode::Reliable => {
                arrival = (arrival + fate.resent).max(pair.arrived);
                pair.arrived = arrival;
                Passage::Arrives(arrival)
            }
            Mode::Raw => match fate.copy {
                Some(later) => Passage::ArrivesTwice(arrival, arrival + later),
                None => Passage::Arrives(arrival),
            },
        }
    }

    pub(crate) fn begin(&mut self, id: u64, affected: Affected, what: Condition) {
        self.conditions.push((id, affected, what));
    }

    /// Ends a condition; false if it was over.
    pub(crate) fn end(&mut self, id: u64) -> bool {
        let before = self.conditions.len();
        self.conditions.retain(|(other, ..)| *other != id);
        self.conditions.len() < before
    }

    /// Lets the conditions of this link act on one message; true if it is disconnected.
    fn suffer(&mut self, from: End, to: End, fate: &mut Fate) -> bool {
        let conditions = std::mem::take(&mut self.conditions);
        let mut disconnected = false;
        for (_, affected, what) in &conditions {
            if !affected.includes(from.index, to.index) {
                continue;
            }
            match *what {
                Condition::Disconnected => disconnected = true,
                Condition::Delayed { delay, jitter } => {
                    fate.late = fate.late + delay + draw(&mut self.chance, jitter);
                }
                Condition::Lossy(per_mille) => {
                    let mut pause = RESEND_AFTER;
                    for _ in 0..MOST_RESENDS {
                        if !happens(&mut self.chance, per_mille) {
                            break;
                        }
                        fate.lost = true;
                        fate.resent = fate.resent + pause;
                        pause = pause.times(2);
                    }
                }
                Condition::Duplicating(per_mille) => {
                    if happens(&mut self.chance, per_mille) {
                        fate.copy = Some(draw(&mut self.chance, COPY_WITHIN));
                    }
                }
                Condition::Reordering { per_mille, within } => {
                    if happens(&mut self.chance, per_mille) {
                        fate.late = fate.late + draw(&mut self.chance, within);
                    }
                }
                Condition::Limited(limit) => {
                    fate.limit = Some(fate.limit.map_or(limit, |other| other.min(limit)));
                }
            }
        }
        self.conditions = conditions;
        disconnected
    }

    fn conditions_of(&self, from: End, to: End) -> impl Iterator<Item = &Condition> {
        self.conditions
            .iter()
            .filter(move |(_, affected, _)| affected.includes(from.index, to.index))
            .map(|(_, _, what)| what)
    }

    fn pair(&mut self, from: End, to: End) -> Pair {
        if let Some(pair) = self.pair_mut(from.index, to.index) {
            return *pair;
        }
        let names = (from.id, to.id);
        let link = self.overrides.get(&names).copied().unwrap_or(self.default);
        let limit = self.limits.get(&names).copied().unwrap_or(self.limit);
        let pair = Pair { link, limit, sent: Timestamp::ZERO, arrived: Timestamp::ZERO };
        if self.pairs.len() <= from.index {
            self.pairs.resize(from.index + 1, Vec::new());
        }
        let row = &mut self.pairs[from.index];
        if row.len() <= to.index {
            row.resize(to.index + 1, None);
        }
        row[to.index] = Some(pair);
        pair
    }

    fn pair_mut(&mut self, from: usize, to: usize) -> Option<&mut Pair> {
        self.pairs.get_mut(from)?.get_mut(to)?.as_mut()
    }
}

/// What one message meets.
#[derive(Clone, Copy, Debug)]
struct Fate {
    late: Duration,
    resent: Duration,
    lost: bool,
    copy: Option<Duration>,
    limit: Option<u64>,
}

impl Fate {
    fn new(pair: Pair) -> Self {
        let (late, resent) = (Duration::ZERO, Duration::ZERO);
        Self { late, resent, lost: false, copy: None, limit: pair.limit }
    }
}

fn draw(rng: &mut ChaCha12Rng, most: Duration) -> Duration {
    match most.0 {
        0 => Duration::ZERO,
        most => Duration(rng.next_u64() % most.saturating_add(1)),
    }
}

fn happens(rng: &mut ChaCha12Rng, per_mille: u16) -> bool {
    rng.next_u64() % 1_000 < u64::from(per_mille)
}

#[cfg(test)]
mod tests {
    use cross_shard_msg::ShardId;

    use super::*;

    const A: End = End { index: 0, id: NodeId::Shard(ShardId(0)) };
    const B: End = End { index: 1, id: NodeId::Client };

    fn links(jitter: u64) -> Links {
        Links::uniform(Link { delay: Duration(10), jitter: Duration(jitter) }, 1)
    }

    fn both(what: Condition, links: &mut Links) {
        links.begin(7, Affected { from: vec![0], to: vec![1], both_ways: false }, what);
    }

    fn arrivals(links: &mut Links, from: End, to: End) -> Vec<u64> {
        let mut arrivals = Vec::new();
        for at in 0..1_000 {
            match links.pass(from, to, Timestamp(at), 100) {
                Passage::Arrives(at) => arrivals.push(at.0),
                Passage::ArrivesTwice(one, two) => arrivals.extend([one.0, two.0]),
                Passage::Waits | Passage::Lost => {}
            }
        }
        arrivals
    }

    #[test]
    fn a_reliable_pair_keeps_its_order_whatever_happens() {
        let mut links = links(1_000);
        both(Condition::Lossy(200), &mut links);
        both(Condition::Duplicating(200), &mut links);
        both(Condition::Reordering { per_mille: 500, within: Duration(9_000) }, &mut links);
        let arrivals = arrivals(&mut links, A, B);
        assert!(arrivals.is_sorted() && arrivals.len() == 1_000);
        assert!(arrivals.iter().zip(0..).all(|(arrival, at)| *arrival >= at + 10));
    }

    #[test]
    fn a_raw_pair_promises_nothing() {
        let count = |what| {
            let mut links = links(0).with_mode(Mode::Raw);
            both(what, &mut links);
            let there = arrivals(&mut links, A, B);
            assert_eq!(arrivals(&mut links, B, A).len(), 1_000, "the way back is whole");
            (there.len(), there.is_sorted())
        };
        assert!((700..900).contains(&count(Condition::Lossy(200)).0));
        assert!((1_100..1_300).contains(&count(Condition::Duplicating(200)).0));
        let within = Duration(1_000);
        assert_eq!(count(Condition::Reordering { per_mille: 200, within }), (1_000, false));
        assert_eq!(count(Condition::Disconnected).0, 0);
    }

    #[test]
    fn bytes_queue_where_bandwidth_is_limited() {
        let mut links = links(0).with_bandwidth(Some(1_000_000_000));
        let mut pass = |at, size| links.pass(A, B, Timestamp(at), size);
        assert_eq!(pass(0, 100), Passage::Arrives(Timestamp(110)));
        assert_eq!(pass(0, 100), Passage::Arrives(Timestamp(210)));
        assert_eq!(pass(500, 50), Passage::Arrives(Timestamp(560)));
        both(Condition::Limited(100_000_000), &mut links);
        assert!(links.is_limited(A, B));
        assert_eq!(links.pass(A, B, Timestamp(600), 10), Passage::Arrives(Timestamp(710)));
        assert!(links.end(7) && !links.end(7));
        assert_eq!(links.pass(A, B, Timestamp(800), 10), Passage::Arrives(Timestamp(820)));
    }
}

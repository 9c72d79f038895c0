//! Links between simulated nodes: delay and jitter per directed pair, in order of sending.

use std::collections::BTreeMap;

use cross_shard_msg::{Duration, NodeId, Timestamp};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// One directed pair's properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Time from sending to arrival.
    pub delay: Duration,
    /// Largest additional time; each message draws uniformly from zero to this.
    pub jitter: Duration,
}

/// All links of a world.
#[derive(Debug)]
pub struct Links {
    default: Link,
    overrides: BTreeMap<(NodeId, NodeId), Link>,
    busy_until: BTreeMap<(NodeId, NodeId), Timestamp>,
    jitter: ChaCha12Rng,
}

impl Links {
    /// Links that are all alike. `seed` decides the jitter.
    #[must_use]
    pub fn uniform(default: Link, seed: u64) -> Self {
        let jitter = ChaCha12Rng::seed_from_u64(seed);
        Self { default, overrides: BTreeMap::new(), busy_until: BTreeMap::new(), jitter }
    }

    /// Gives one directed pair other properties.
    #[must_use]
    pub fn with(mut self, from: NodeId, to: NodeId, link: Link) -> Self {
        self.overrides.insert((from, to), link);
        self
    }

    /// When a message that is sent at `at` arrives. Messages of one pair arrive in the order in
    /// which they were sent, as on the streams of the real network.
    pub(crate) fn arrival(&mut self, from: NodeId, to: NodeId, at: Timestamp) -> Timestamp {
        let link = self.overrides.get(&(from, to)).copied().unwrap_or(self.default);
        let jitter = match link.jitter.0 {
            0 => 0,
            most => self.jitter.next_u64() % most.saturating_add(1),
        };
        let earliest = self.busy_until.entry((from, to)).or_default();
        let arrival = (at + link.delay + Duration(jitter)).max(*earliest);
        *earliest = arrival;
        arrival
    }
}

#[cfg(test)]
mod tests {
    use cross_shard_msg::ShardId;

    use super::*;

    #[test]
    fn a_pair_keeps_its_order_whatever_the_jitter() {
        let link = Link { delay: Duration(10), jitter: Duration(1_000) };
        let mut links = Links::uniform(link, 1);
        let (a, b) = (NodeId::Shard(ShardId(0)), NodeId::Client);
        let arrivals: Vec<_> = (0..100).map(|at| links.arrival(a, b, Timestamp(at))).collect();
        assert!(arrivals.is_sorted());
        assert!(arrivals.iter().zip(0..).all(|(arrival, at)| arrival.0 >= at + 10));
    }
}

//! `ldg`: linear deterministic greedy: a vertex goes to argmax |N(v) ∩ P_i| · (1 − |P_i| / C).
//!
//! I. Stanton, G. Kliot, "Streaming Graph Partitioning for Large Distributed Graphs", KDD 2012,
//! §3.1 (heuristic 4, linear weight). Deviations: neighbours and sizes are weighted; the capacity
//! is `1 + slack` times the mean weight, where the paper leaves C to the user; a vertex that fits
//! nowhere goes to the lightest shard.

use serde::{Deserialize, Serialize};

use super::options;
use super::streaming::{Rule, Start, stream};
use crate::network::Network;
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Problem, Proposal};

/// Options.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LdgOptions {
    /// How far above the mean a shard may weigh: 0.1 is ten percent. At least 0.
    pub slack: f64,
    /// Passes over the graph, at least 1.
    pub passes: u32,
    /// From which assignment it starts.
    pub start: Start,
}

impl LdgOptions {
    /// One pass from nothing.
    pub const PUBLISHED: Self = Self { slack: 0.1, passes: 1, start: Start::Scratch };
}

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct Ldg(LdgOptions);

impl Ldg {
    /// # Errors
    /// Options out of their bounds.
    pub fn new(options: LdgOptions) -> Result<Self, OptionsError> {
        options::slack("ldg", options.slack)?;
        options::at_least_one("ldg", "passes", options.passes)?;
        Ok(Self(options))
    }
}

impl Partitioner for Ldg {
    fn name(&self) -> &'static str {
        "ldg"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        let Self(LdgOptions { slack, passes, start }) = *self;
        let (mut wanted, rounds) = assign(&network, slack, passes, start);
        if start == Start::Scratch {
            wanted = network.relabelled(wanted);
        }
        Ok(network.proposal(problem, &wanted, rounds))
    }
}

/// The assignment, and the passes it took.
pub(super) fn assign(
    network: &Network<'_>,
    slack: f64,
    passes: u32,
    start: Start,
) -> (Vec<u32>, u32) {
    let cap = network.cap(slack);
    stream(network, &Linear { capacity: cap.max(1) as f64 }, cap, passes, start)
}

struct Linear {
    capacity: f64,
}

impl Rule for Linear {
    fn factor(&self, weight: u64) -> f64 {
        1.0 - weight as f64 / self.capacity
    }

    fn score(&self, tie: u64, _: u64, factor: f64) -> f64 {
        tie as f64 * factor
    }
}

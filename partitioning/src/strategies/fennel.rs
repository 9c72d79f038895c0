//! `fennel`: a vertex goes to argmax |N(v) ∩ P_i| − w(v) · α γ |P_i|^(γ−1), where
//! α = m k^(γ−1) / n^γ.
//!
//! C. Tsourakakis, C. Gkantsidis, B. Radunovic, M. Vojnovic, "FENNEL: Streaming Graph Partitioning
//! for Massive Scale Graphs", WSDM 2014, §3–4; published γ = 1.5 and a cap of 1.1 times the mean.
//! Passes after the first: see `streaming.rs`. Deviations: n and m are the weights of all vertices
//! and pairs; the paper's marginal cost α((l+1)^γ − l^γ) is taken as its derivative; a vertex that
//! fits nowhere goes to the lightest shard; five passes by default, which come close to METIS.

use serde::{Deserialize, Serialize};

use super::options;
use super::streaming::{Rule, Start, stream};
use crate::network::Network;
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Problem, Proposal};

/// Options.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FennelOptions {
    /// The exponent γ of the balance's cost, from 1 to 3.
    pub gamma: f64,
    /// How far above the mean a shard may weigh: 0.1 is ten percent. At least 0.
    pub slack: f64,
    /// Passes over the graph, at least 1.
    pub passes: u32,
    /// From which assignment it starts.
    pub start: Start,
}

impl FennelOptions {
    /// The paper's γ and cap, with five passes.
    pub const PUBLISHED: Self = Self { gamma: 1.5, slack: 0.1, passes: 5, start: Start::Scratch };
}

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct Fennel(FennelOptions);

impl Fennel {
    /// # Errors
    /// Options out of their bounds.
    pub fn new(options: FennelOptions) -> Result<Self, OptionsError> {
        options::slack("fennel", options.slack)?;
        options::at_least_one("fennel", "passes", options.passes)?;
        options::within("fennel", "gamma", options.gamma, 1.0, 3.0, "a number from 1 to 3")?;
        Ok(Self(options))
    }
}

impl Partitioner for Fennel {
    fn name(&self) -> &'static str {
        "fennel"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        let (mut wanted, rounds) = assign(&network, self.0);
        if self.0.start == Start::Scratch {
            wanted = network.relabelled(wanted);
        }
        Ok(network.proposal(problem, &wanted, rounds))
    }
}

fn assign(network: &Network<'_>, options: FennelOptions) -> (Vec<u32>, u32) {
    let FennelOptions { gamma, slack, passes, start } = options;
    let pairs = network.graph.pair_weight() as f64;
    let vertices = network.total_weight().max(1) as f64;
    let shards = f64::from(network.shards);
    let alpha = pairs * libm::pow(shards, gamma - 1.0) / libm::pow(vertices, gamma);
    let rule = Marginal { scale: alpha * gamma, exponent: gamma - 1.0 };
    stream(network, &rule, network.cap(slack), passes, start)
}

struct Marginal {
    scale: f64,
    exponent: f64,
}

impl Rule for Marginal {
    fn factor(&self, weight: u64) -> f64 {
        let weight = weight as f64;
        // The published exponent, far cheaper this way; a square root is exact on every platform.
        let power =
            if self.exponent == 0.5 { weight.sqrt() } else { libm::pow(weight, self.exponent) };
        self.scale * power
    }

    fn score(&self, tie: u64, weight: u64, factor: f64) -> f64 {
        tie as f64 - weight as f64 * factor
    }
}

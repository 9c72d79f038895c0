//! `metis`: multilevel k-way partitioning by the METIS library, with weighted vertices and pairs.
//!
//! G. Karypis, V. Kumar, "A Fast and High Quality Multilevel Scheme for Partitioning Irregular
//! Graphs", SIAM J. Sci. Comput. 20(1), 1998; sharding uses it since BrokerChain (H. Huang et al.,
//! INFOCOM 2022). METIS 5 in C comes with the crate `metis`. Deviations: weights are scaled into
//! METIS's 32 bits (vertices to a sum of 2³⁰, pairs likewise, none below 1); parts are named so that
//! few accounts move; a graph with fewer accounts than shards goes to LDG, as METIS refuses it.
//!
//! METIS draws from the C library's `rand`, seeded by us: its result is the same for every run on
//! one C library, but differs between C libraries. Whoever must agree on moves agrees on the moves,
//! and does not compute them again.

use std::sync::{Mutex, PoisonError};

use metis::Graph;
use metis::option::{Seed, UFactor};
use serde::{Deserialize, Serialize};

use super::streaming::Start;
use super::{ldg, options};
use crate::network::Network;
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Problem, Proposal};

/// What the weights of all vertices, and of all pairs, are scaled to.
const SCALED_SUM: f64 = (1_u64 << 30) as f64;

/// The library's random numbers are the process's: one call at a time.
static LIBRARY: Mutex<()> = Mutex::new(());

/// Options.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetisOptions {
    /// How far above the mean a shard may weigh, from 0.001 to 100; the library tries, and does not
    /// promise. Its `ufactor` in thousandths.
    pub slack: f64,
}

impl MetisOptions {
    /// The library's own default, ufactor 30.
    pub const PUBLISHED: Self = Self { slack: 0.03 };
}

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct Metis {
    ufactor: i32,
}

impl Metis {
    /// # Errors
    /// Options out of their bounds.
    pub fn new(options: MetisOptions) -> Result<Self, OptionsError> {
        let expected = "a number from 0.001 to 100";
        options::within("metis", "slack", options.slack, 0.001, 100.0, expected)?;
        Ok(Self { ufactor: libm::round(options.slack * 1_000.0) as i32 })
    }

    fn assign(self, network: &Network<'_>, seed: u64) -> Result<Vec<u32>, PartitionError> {
        let failed = |message: String| PartitionError::Library { strategy: "metis", message };
        let movable: Vec<u32> = network.movable().collect();
        if movable.len() <= network.shards as usize {
            return Ok(ldg::assign(network, 0.1, 1, Start::Scratch).0);
        }
        let mut position = vec![-1_i32; network.home.len()];
        for (at, vertex) in movable.iter().enumerate() {
            position[*vertex as usize] =
                i32::try_from(at).map_err(|_| failed("more than 2³¹ accounts".to_owned()))?;
        }
        let pair_scale = SCALED_SUM / (2 * network.graph.pair_weight()).max(1) as f64;
        let vertex_scale = SCALED_SUM / network.total_weight().max(1) as f64;
        let scaled = |weight: u64, scale: f64| ((weight as f64 * scale) as i32).max(1);
        let mut starts = vec![0_i32];
        let (mut neighbours, mut pairs) = (Vec::new(), Vec::new());
        for vertex in &movable {
            for (other, weight) in network.graph.neighbours(*vertex) {
                if position[other as usize] >= 0 {
                    neighbours.push(position[other as usize]);
                    pairs.push(scaled(weight, pair_scale.min(1.0)));
                }
            }
            let end = i32::try_from(neighbours.len());
            starts.push(end.map_err(|_| failed("more than 2³⁰ pairs".to_owned()))?);
        }
        let weights: Vec<i32> = movable
            .iter()
            .map(|vertex| scaled(network.weight[*vertex as usize], vertex_scale.min(1.0)))
            .collect();
        let shards = i32::try_from(network.shards).map_err(|error| failed(error.to_string()))?;
        let mut parts = vec![0_i32; movable.len()];
        if neighbours.is_empty() {
            return Ok(ldg::assign(network, 0.1, 1, Start::Scratch).0);
        }
        let graph = Graph::new(1, shards, &starts, &neighbours)
            .map_err(|error| failed(error.to_string()))?
            .set_vwgt(&weights)
            .set_adjwgt(&pairs)
            .set_option(UFactor(self.ufactor))
            .set_option(Seed((seed & 0x7fff_ffff) as i32));
        // A panic elsewhere leaves nothing half-done here: every call seeds again.
        let library = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
        graph.part_kway(&mut parts).map_err(|error| failed(error.to_string()))?;
        drop(library);
        let mut assignment = network.home.clone();
        for (vertex, part) in movable.iter().zip(parts) {
            assignment[*vertex as usize] = u32::try_from(part).unwrap_or(0);
        }
        Ok(assignment)
    }
}

impl Partitioner for Metis {
    fn name(&self) -> &'static str {
        "metis"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        let wanted = network.relabelled(self.assign(&network, problem.seed)?);
        Ok(network.proposal(problem, &wanted, 1))
    }
}

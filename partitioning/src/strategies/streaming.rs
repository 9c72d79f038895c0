//! What LDG and Fennel share: vertices come one by one, and each goes where a rule's score is
//! highest among the shards that have room.
//!
//! Vertices come in ascending order of their addresses, which for hashed addresses is a random
//! order. Later passes see the neighbours' newest parts (J. Nishimura, J. Ugander, "Restreaming
//! Graph Partitioning: Simple Versatile Algorithms for Advanced Balancing", KDD 2013, §3);
//! deviation: a pass takes each vertex out of its shard and puts it back, where the paper counts
//! the weights of shards anew in every pass, so that the cap holds at every moment.

use serde::{Deserialize, Serialize};

use crate::network::{Network, RESIDENT, Ties, UNASSIGNED, lightest};

/// From which assignment a strategy starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// From none, as published; the parts are then named so that few accounts move.
    Scratch,
    /// From the one in force.
    Current,
}

/// How a shard is scored for a vertex.
pub(super) trait Rule {
    /// What depends on the shard's weight alone.
    fn factor(&self, weight: u64) -> f64;
    /// The score for a vertex of weight `weight` that has pairs of weight `tie` into the shard.
    /// Must not grow with the shard's weight.
    fn score(&self, tie: u64, weight: u64, factor: f64) -> f64;
}

/// Runs `passes` passes, fewer if nothing moves. Returns the assignment and the number of passes.
/// No shard weighs more than `cap`, or than the mean plus the heaviest vertex.
pub(super) fn stream(
    network: &Network<'_>,
    rule: &impl Rule,
    cap: u64,
    passes: u32,
    start: Start,
) -> (Vec<u32>, u32) {
    let mut part = match start {
        Start::Current => network.home.clone(),
        Start::Scratch => {
            let unless = |home: &u32| if *home == RESIDENT { RESIDENT } else { UNASSIGNED };
            network.home.iter().map(unless).collect()
        }
    };
    let mut weights = network.weights_of(&part);
    let mut factors: Vec<f64> = weights.iter().map(|weight| rule.factor(*weight)).collect();
    let mut ties = Ties::new(network.shards as usize);
    for pass in 1..=passes {
        let mut moved = 0_u64;
        for vertex in network.movable() {
            let weight = network.weight[vertex as usize];
            let old = part[vertex as usize];
            ties.collect(network.graph, vertex, &part);
            if let Some(sum) = weights.get_mut(old as usize) {
                *sum -= weight;
                factors[old as usize] = rule.factor(*sum);
            }
            // Of the shards without a neighbour only the lightest can score highest.
            let light = lightest(&weights);
            let mut best = (f64::NEG_INFINITY, light);
            for at in ties.parts().iter().copied().chain([light, old]) {
                let Some(sum) = weights.get(at as usize) else { continue };
                if sum + weight > cap {
                    continue;
                }
                let score = rule.score(ties.to(at), weight, factors[at as usize]);
                if score > best.0 || (score == best.0 && preferred(at, best.1, old, &weights)) {
                    best = (score, at);
                }
            }
            let chosen = best.1;
            part[vertex as usize] = chosen;
            weights[chosen as usize] += weight;
            factors[chosen as usize] = rule.factor(weights[chosen as usize]);
            moved += u64::from(chosen != old);
        }
        if moved == 0 {
            return (part, pass);
        }
    }
    (part, passes)
}

/// Of equal scores: where the vertex is, then the lighter shard, then the lower number.
fn preferred(at: u32, than: u32, old: u32, weights: &[u64]) -> bool {
    let rank = |at: u32| (at != old, weights[at as usize], at);
    rank(at) < rank(than)
}

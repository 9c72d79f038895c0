//! Communities of a graph, by Louvain or Leiden, deterministically.
//!
//! V. D. Blondel, J.-L. Guillaume, R. Lambiotte, E. Lefebvre, "Fast unfolding of communities in
//! large networks", J. Stat. Mech., 2008; V. A. Traag, L. Waltman, N. J. van Eck, "From Louvain to
//! Leiden: guaranteeing well-connected communities", Sci. Rep. 9, 2019 (modularity with resolution
//! γ). Deviations: vertices come in ascending order; of equal gains staying wins, then the lower
//! number; a level ends when fewer than one in a thousand of its vertices move, or after
//! [`MOST_SWEEPS`]; Leiden's refinement takes the best gain where the paper draws among the
//! positive ones, and its local moving sweeps over all vertices where the paper keeps a queue.

use crate::network::{Network, RESIDENT};

/// Most sweeps of one level.
const MOST_SWEEPS: u32 = 32;
/// Most levels; each at least halves nothing but shrinks the graph.
const MOST_LEVELS: u32 = 32;

/// One level's graph.
struct Level {
    starts: Vec<usize>,
    neighbours: Vec<u32>,
    weights: Vec<u64>,
    /// Weight of the pairs inside each vertex.
    inside: Vec<u64>,
    /// Weight of all pair ends at each vertex.
    strength: Vec<u64>,
}

/// The community of each vertex, numbered from 0 in the order of their first vertices; residents
/// have [`RESIDENT`]. Also the number of communities and the sweeps over a graph.
pub(super) fn communities(
    network: &Network<'_>,
    resolution: f64,
    refine: bool,
) -> (Vec<u32>, u32, u32) {
    let movable: Vec<u32> = network.movable().collect();
    let mut level = Level::first(network, &movable);
    // Where each movable vertex is in the present level, and the level's communities so far.
    let mut at: Vec<u32> = number(movable.len());
    let mut community: Vec<u32> = number(movable.len());
    let mut sweeps = 0;
    for _ in 0..MOST_LEVELS {
        let before = level.len();
        sweeps += level.move_locally(&mut community, resolution);
        let coarse = if refine { level.refined(&community, resolution) } else { community.clone() };
        let (coarse, count) = renumbered(&coarse);
        // What becomes one vertex lies in one community.
        let mut next = vec![0; count as usize];
        for (merged, own) in coarse.iter().zip(&community) {
            next[*merged as usize] = *own;
        }
        for at in &mut at {
            *at = coarse[*at as usize];
        }
        community = renumbered(&next).0;
        if count as usize == before {
            break;
        }
        level = level.aggregated(&coarse, count);
    }
    let mut found = vec![RESIDENT; network.home.len()];
    for (vertex, at) in movable.iter().zip(&at) {
        found[*vertex as usize] = community[*at as usize];
    }
    let (found, count) = renumbered(&found);
    (found, count, sweeps)
}

impl Level {
    fn first(network: &Network<'_>, movable: &[u32]) -> Self {
        let mut position = vec![RESIDENT; network.home.len()];
        for (at, vertex) in (0_u32..).zip(movable) {
            position[*vertex as usize] = at;
        }
        let mut level = Self::empty(movable.len());
        for vertex in movable {
            let mut strength = 0;
            for (other, weight) in network.graph.neighbours(*vertex) {
                let other = position[other as usize];
                if other != RESIDENT {
                    level.neighbours.push(other);
                    level.weights.push(weight);
                    strength += weight;
                }
            }
            level.end_vertex(0, strength);
        }
        level
    }

    fn empty(vertices: usize) -> Self {
        let mut starts = Vec::with_capacity(vertices + 1);
        starts.push(0);
        Self {
            starts,
            neighbours: Vec::new(),
            weights: Vec::new(),
            inside: Vec::with_capacity(vertices),
            strength: Vec::with_capacity(vertices),
        }
    }

    fn end_vertex(&mut self, inside: u64, strength: u64) {
        self.starts.push(self.neighbours.len());
        self.inside.push(inside);
        self.strength.push(strength);
    }

    fn len(&self) -> usize {
        self.inside.len()
    }

    fn pairs(&self, vertex: usize) -> impl Iterator<Item = (u32, u64)> {
        let range = self.starts[vertex]..self.starts[vertex + 1];
        let neighbours = self.neighbours[range.clone()].iter().copied();
        neighbours.zip(self.weights[range].iter().copied())
    }

    fn both_ends(&self) -> f64 {
        self.strength.iter().sum::<u64>().max(1) as f64
    }

    /// Moves vertices to the community with the highest gain of modularity until it settles.
    /// Returns the number of sweeps.
    fn move_locally(&self, community: &mut [u32], resolution: f64) -> u32 {
        let scale = resolution / self.both_ends();
        let mut strength = vec![0_u64; self.len()];
        for (own, weight) in community.iter().zip(&self.strength) {
            strength[*own as usize] += weight;
        }
        let mut ties = Sparse::new(self.len());
        for sweep in 1..=MOST_SWEEPS {
            let mut moved = 0;
            for vertex in 0..self.len() {
                let (own, weight) = (community[vertex], self.strength[vertex]);
                ties.clear();
                self.pairs(vertex).for_each(|(other, weight)| {
                    ties.add(community[other as usize], weight);
                });
                strength[own as usize] -= weight;
                let gain = |to: u32, ties: &Sparse| {
                    ties.at(to) as f64 - scale * weight as f64 * strength[to as usize] as f64
                };
                let mut best = (gain(own, &ties), own);
                for candidate in ties.keys() {
                    let gain = gain(*candidate, &ties);
                    let tied = gain == best.0 && best.1 != own && *candidate < best.1;
                    if gain > best.0 || tied {
                        best = (gain, *candidate);
                    }
                }
                strength[best.1 as usize] += weight;
                community[vertex] = best.1;
                moved += usize::from(best.1 != own);
            }
            if moved * 1_000 <= self.len() {
                return sweep;
            }
        }
        MOST_SWEEPS
    }

    /// Leiden's refinement: every community falls apart into parts that are well connected, which
    /// the next level's vertices are made of.
    fn refined(&self, community: &[u32], resolution: f64) -> Vec<u32> {
        let scale = resolution / self.both_ends();
        let mut whole = vec![0_u64; self.len()];
        for (own, weight) in community.iter().zip(&self.strength) {
            whole[*own as usize] += weight;
        }
        let mut part = number(self.len());
        let mut strength = self.strength.clone();
        // Pairs from each part to the rest of its community.
        let mut outside: Vec<u64> = (0..self.len())
            .map(|vertex| {
                let same = |other: u32| community[other as usize] == community[vertex];
                self.pairs(vertex).filter(|(other, _)| same(*other)).map(|(_, w)| w).sum()
            })
            .collect();
        let mut alone = vec![true; self.len()];
        let mut ties = Sparse::new(self.len());
        for vertex in 0..self.len() {
            let all = whole[community[vertex] as usize] as f64;
            let connected = |outside: u64, strength: u64| {
                outside as f64 >= scale * strength as f64 * (all - strength as f64)
            };
            let weight = self.strength[vertex];
            if !alone[vertex] || !connected(outside[vertex], weight) {
                continue;
            }
            ties.clear();
            for (other, weight) in self.pairs(vertex) {
                if community[other as usize] == community[vertex] {
                    ties.add(part[other as usize], weight);
                }
            }
            let mut best: Option<(f64, u32)> = None;
            for candidate in ties.keys() {
                let at = *candidate as usize;
                let gain = ties.at(*candidate) as f64 - scale * weight as f64 * strength[at] as f64;
                let better = best.is_none_or(|(most, chosen)| {
                    gain > most || (gain == most && *candidate < chosen)
                });
                if gain >= 0.0 && better && connected(outside[at], strength[at]) {
                    best = Some((gain, *candidate));
                }
            }
            if let Some((_, target)) = best {
                let to = target as usize;
                outside[to] = outside[to] + outside[vertex] - 2 * ties.at(target);
                strength[to] += weight;
                strength[vertex] = 0;
                outside[vertex] = 0;
                part[vertex] = target;
                // A part keeps the number of its first vertex, which is no longer alone.
                alone[to] = false;
                alone[vertex] = false;
            }
        }
        part
    }

    /// The graph whose vertices are the communities.
    fn aggregated(&self, community: &[u32], count: u32) -> Self {
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); count as usize];
        for (vertex, own) in (0_u32..).zip(community) {
            members[*own as usize].push(vertex);
        }
        let mut level = Self::empty(count as usize);
        let mut ties = Sparse::new(count as usize);
        for (own, members) in (0_u32..).zip(&members) {
            ties.clear();
            let (mut inside, mut strength) = (0, 0);
            for vertex in members {
                inside += self.inside[*vertex as usize];
                strength += self.strength[*vertex as usize];
                self.pairs(*vertex as usize).for_each(|(other, weight)| {
                    ties.add(community[other as usize], weight);
                });
            }
            // Pairs inside are met from both ends.
            inside += ties.at(own) / 2;
            for other in ties.keys().iter().filter(|other| **other != own) {
                level.neighbours.push(*other);
                level.weights.push(ties.at(*other));
            }
            level.end_vertex(inside, strength);
        }
        level
    }
}

/// Sums by number, of which few are not zero.
pub(super) struct Sparse {
    sums: Vec<u64>,
    keys: Vec<u32>,
}

impl Sparse {
    pub(super) fn new(length: usize) -> Self {
        Self { sums: vec![0; length], keys: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        for key in self.keys.drain(..) {
            self.sums[key as usize] = 0;
        }
    }

    pub(super) fn add(&mut self, key: u32, weight: u64) {
        let sum = &mut self.sums[key as usize];
        if *sum == 0 {
            self.keys.push(key);
        }
        *sum += weight;
    }

    pub(super) fn at(&self, key: u32) -> u64 {
        self.sums[key as usize]
    }

    /// In the order in which they were added first.
    pub(super) fn keys(&self) -> &[u32] {
        &self.keys
    }
}

fn number(length: usize) -> Vec<u32> {
    (0..u32::try_from(length).unwrap_or(u32::MAX)).collect()
}

/// Numbers from 0 in the order of their first appearance, and how many; residents keep theirs.
fn renumbered(labels: &[u32]) -> (Vec<u32>, u32) {
    let largest = labels.iter().copied().filter(|label| *label != RESIDENT).max();
    let mut name = vec![RESIDENT; largest.map_or(0, |largest| largest as usize + 1)];
    let mut count = 0;
    let mut rename = |label: &u32| {
        let Some(name) = name.get_mut(*label as usize) else { return RESIDENT };
        if *name == RESIDENT {
            *name = count;
            count += 1;
        }
        *name
    };
    let renamed = labels.iter().map(&mut rename).collect();
    (renamed, count)
}

//! The access graph: which accounts are touched together, and how often. What a partitioner sees
//! of a workload, and what a report says of it.
//!
//! A transaction that touches m accounts has weight 1, shared equally by its C(m, 2) pairs.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use petgraph::csr::{Csr, EdgesNotSorted};
use petgraph::unionfind::UnionFind;

use crate::allocation::{Allocation, Home};

/// The weight of one transaction, so that shares of it are whole numbers.
pub const TRANSACTION_WEIGHT: u64 = 1_000_000;

/// Accounts and the weights between them.
#[derive(Clone, Debug)]
pub struct AccessGraph {
    /// Ascending; the position is the vertex.
    accounts: Vec<Address>,
    /// Every pair in both directions, each once.
    graph: Csr<(), u64>,
}

/// What a graph looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Accounts that are touched together with another.
    pub accounts: u64,
    /// Pairs of accounts.
    pub pairs: u64,
    /// Parts that no pair connects.
    pub components: u64,
    /// Accounts in the largest part.
    pub largest_component: u64,
    /// Weight of all pairs, in parts of [`TRANSACTION_WEIGHT`].
    pub weight: u64,
    /// Weight of the pairs whose accounts live on different shards.
    pub crossing_weight: u64,
}

impl AccessGraph {
    /// The graph of transactions, each given by the accounts that it touches. An account that is
    /// named twice counts once; a transaction that touches fewer than two adds nothing.
    #[must_use]
    pub fn new<T: AsRef<[Address]>>(transactions: impl IntoIterator<Item = T>) -> Self {
        let mut weights: BTreeMap<(Address, Address), u64> = BTreeMap::new();
        for transaction in transactions {
            let mut touched = transaction.as_ref().to_vec();
            touched.sort_unstable();
            touched.dedup();
            let pairs = (touched.len() * touched.len().saturating_sub(1) / 2) as u64;
            for (index, a) in touched.iter().enumerate() {
                for b in touched.iter().skip(index + 1) {
                    *weights.entry((*a, *b)).or_default() += TRANSACTION_WEIGHT / pairs;
                }
            }
        }
        let mut accounts: Vec<Address> = weights.keys().flat_map(|(a, b)| [*a, *b]).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let vertex = |account: &Address| {
            u32::try_from(accounts.binary_search(account).unwrap_or(0)).unwrap_or(u32::MAX)
        };
        let mut edges: Vec<(u32, u32, u64)> = weights
            .iter()
            .flat_map(|((a, b), weight)| {
                let (a, b) = (vertex(a), vertex(b));
                [(a, b, *weight), (b, a, *weight)]
            })
            .collect();
        edges.sort_unstable();
        // Sorted and without duplicates, as the constructor wants it.
        let graph =
            Csr::from_sorted_edges(&edges).unwrap_or_else(|EdgesNotSorted { .. }| Csr::new());
        Self { accounts, graph }
    }

    /// The accounts, ascending; the position of each is its vertex.
    #[must_use]
    pub fn accounts(&self) -> &[Address] {
        &self.accounts
    }

    /// The graph itself: each pair in both directions, with its weight.
    #[must_use]
    pub fn graph(&self) -> &Csr<(), u64> {
        &self.graph
    }

    /// Its shape, and how much of it an allocation cuts. An account that lives everywhere crosses
    /// nothing.
    #[must_use]
    pub fn shape(&self, allocation: &Allocation) -> Shape {
        let homes: Vec<Home> =
            self.accounts.iter().map(|account| allocation.home(account)).collect();
        let mut parts = UnionFind::<u32>::new(self.accounts.len());
        let mut shape = Shape { accounts: self.accounts.len() as u64, ..Shape::default() };
        for vertex in 0..u32::try_from(self.accounts.len()).unwrap_or(u32::MAX) {
            let neighbours = self.graph.neighbors_slice(vertex);
            for (other, weight) in neighbours.iter().zip(self.graph.edges_slice(vertex)) {
                if *other < vertex {
                    continue;
                }
                parts.union(vertex, *other);
                shape.pairs += 1;
                shape.weight += weight;
                let homes = (homes.get(vertex as usize), homes.get(*other as usize));
                if let (Some(Home::Shard(a)), Some(Home::Shard(b))) = homes
                    && a != b
                {
                    shape.crossing_weight += weight;
                }
            }
        }
        let mut sizes: BTreeMap<u32, u64> = BTreeMap::new();
        for part in parts.into_labeling() {
            *sizes.entry(part).or_default() += 1;
        }
        shape.components = sizes.len() as u64;
        shape.largest_component = sizes.values().copied().max().unwrap_or(0);
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Base, Residents};

    fn account(index: u8) -> Address {
        Address::with_last_byte(0x20 + index)
    }

    #[test]
    fn a_transactions_weight_is_shared_by_its_pairs() {
        let transactions =
            [vec![account(0), account(1)], vec![account(1), account(0)], vec![account(2); 2]];
        let allocation = Allocation::new(2, Base::Hash, Residents::standard(2));
        let shape = AccessGraph::new(transactions).shape(&allocation);
        let two = 2 * TRANSACTION_WEIGHT;
        let expected = Shape {
            accounts: 2,
            pairs: 1,
            components: 1,
            largest_component: 2,
            weight: two,
            crossing_weight: two,
        };
        assert_eq!(shape, expected);
        let triple = [[account(0), account(2), account(4)]];
        let shape = AccessGraph::new(triple).shape(&allocation);
        assert_eq!((shape.pairs, shape.weight), (3, TRANSACTION_WEIGHT / 3 * 3));
        assert_eq!(shape.crossing_weight, 0, "all on shard 0");
    }

    #[test]
    fn parts_are_counted() {
        let chain = (0..5).map(|i| [account(i), account(i + 1)]);
        let apart = [[account(20), account(21)]];
        let graph = AccessGraph::new(chain.chain(apart));
        let allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        let shape = graph.shape(&allocation);
        assert_eq!((shape.accounts, shape.components, shape.largest_component), (8, 2, 6));
        let degrees: usize = (0..8).map(|vertex| graph.graph().neighbors_slice(vertex).len()).sum();
        assert_eq!(degrees as u64, 2 * shape.pairs);
    }

    #[test]
    fn nothing_is_a_graph_too() {
        let graph = AccessGraph::new(Vec::<Vec<Address>>::new());
        let allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        assert_eq!(graph.shape(&allocation), Shape::default());
    }
}

//! The access graph: which accounts are touched together, and how often. What a partitioner sees
//! of a workload, and what a report says of it.
//!
//! A transaction that touches m accounts has weight 1, shared equally by its C(m, 2) pairs; each of
//! the accounts has 1/m of it as load.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use alloy_primitives::map::HashMap;
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
    /// Of each vertex, in parts of [`TRANSACTION_WEIGHT`].
    loads: Vec<u64>,
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
    /// named twice counts once; a transaction that touches a single account adds load, no pair.
    #[must_use]
    pub fn new<T: AsRef<[Address]>>(transactions: impl IntoIterator<Item = T>) -> Self {
        // Looked up only.
        let mut names: HashMap<Address, u32> = HashMap::default();
        let mut accounts: Vec<(Address, u64)> = Vec::new();
        let mut pairs: Vec<(u32, u32, u64)> = Vec::new();
        let mut touched: Vec<u32> = Vec::new();
        for transaction in transactions {
            touched.clear();
            for account in transaction.as_ref() {
                let next = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
                let name = *names.entry(*account).or_insert_with(|| {
                    accounts.push((*account, 0));
                    next
                });
                touched.push(name);
            }
            touched.sort_unstable();
            touched.dedup();
            let share = TRANSACTION_WEIGHT / (touched.len() as u64).max(1);
            for name in &touched {
                if let Some((_, load)) = accounts.get_mut(*name as usize) {
                    *load += share;
                }
            }
            let count = (touched.len() * touched.len().saturating_sub(1) / 2) as u64;
            for (index, a) in touched.iter().enumerate() {
                pairs.extend(
                    touched.iter().skip(index + 1).map(|b| (*a, *b, TRANSACTION_WEIGHT / count)),
                );
            }
        }
        Self::from_parts(accounts, pairs)
    }

    /// A graph of accounts with their loads, and of weighted pairs of positions in `accounts`.
    /// Loads of an account and weights of a pair that are given several times are added up. Pairs
    /// of an account with itself, with a position that is not there, or without weight are left
    /// out.
    #[must_use]
    pub fn from_parts(accounts: Vec<(Address, u64)>, pairs: Vec<(u32, u32, u64)>) -> Self {
        // Vertices ascend with the address, in whatever order accounts came.
        let mut order: Vec<u32> = (0..u32::try_from(accounts.len()).unwrap_or(u32::MAX)).collect();
        order.sort_unstable_by_key(|at| accounts[*at as usize].0);
        let mut vertex = vec![0_u32; accounts.len()];
        let mut sorted: Vec<Address> = Vec::with_capacity(accounts.len());
        let mut loads: Vec<u64> = Vec::with_capacity(accounts.len());
        for at in order {
            let (account, load) = accounts[at as usize];
            if sorted.last() == Some(&account) {
                if let Some(sum) = loads.last_mut() {
                    *sum += load;
                }
            } else {
                sorted.push(account);
                loads.push(load);
            }
            vertex[at as usize] = u32::try_from(sorted.len() - 1).unwrap_or(u32::MAX);
        }
        drop(accounts);
        let mut edges: Vec<(u32, u32, u64)> = Vec::with_capacity(pairs.len() * 2);
        for (a, b, weight) in pairs {
            let ends = (vertex.get(a as usize), vertex.get(b as usize));
            if let (Some(a), Some(b)) = ends
                && a != b
                && weight > 0
            {
                edges.push((*a, *b, weight));
                edges.push((*b, *a, weight));
            }
        }
        edges.sort_unstable_by_key(|(a, b, _)| (*a, *b));
        edges.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        // Sorted and without duplicates, as the constructor wants it.
        let mut graph =
            Csr::from_sorted_edges(&edges).unwrap_or_else(|EdgesNotSorted { .. }| Csr::new());
        drop(edges);
        while graph.node_count() < sorted.len() {
            graph.add_node(());
        }
        Self { accounts: sorted, loads, graph }
    }

    /// The sum of several graphs.
    #[must_use]
    pub fn merge<'a>(graphs: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut accounts = Vec::new();
        let mut pairs = Vec::new();
        for graph in graphs {
            let offset = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
            accounts.extend(graph.accounts.iter().copied().zip(graph.loads.iter().copied()));
            for a in 0..graph.len() {
                let neighbours = graph.neighbours(a).filter(|(b, _)| *b > a);
                pairs.extend(neighbours.map(|(b, weight)| (offset + a, offset + b, weight)));
            }
        }
        Self::from_parts(accounts, pairs)
    }

    /// Number of vertices.
    #[must_use]
    pub fn len(&self) -> u32 {
        u32::try_from(self.accounts.len()).unwrap_or(u32::MAX)
    }

    /// Whether there is no vertex.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The load of each vertex, in parts of [`TRANSACTION_WEIGHT`].
    #[must_use]
    pub fn loads(&self) -> &[u64] {
        &self.loads
    }

    /// The neighbours of a vertex with the weights of the pairs, ascending.
    pub fn neighbours(&self, vertex: u32) -> impl Iterator<Item = (u32, u64)> {
        let neighbours = self.graph.neighbors_slice(vertex).iter().copied();
        neighbours.zip(self.graph.edges_slice(vertex).iter().copied())
    }

    /// Weight of all pairs, in parts of [`TRANSACTION_WEIGHT`].
    #[must_use]
    pub fn pair_weight(&self) -> u64 {
        let both: u64 = (0..self.len()).flat_map(|vertex| self.graph.edges_slice(vertex)).sum();
        both / 2
    }

    /// The vertex of an account that the graph has.
    #[must_use]
    pub fn vertex(&self, account: &Address) -> Option<u32> {
        self.accounts.binary_search(account).ok().and_then(|at| u32::try_from(at).ok())
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
        let mut shape = Shape::default();
        for vertex in 0..u32::try_from(self.accounts.len()).unwrap_or(u32::MAX) {
            shape.accounts += u64::from(!self.graph.neighbors_slice(vertex).is_empty());
            for (other, weight) in self.neighbours(vertex).filter(|(other, _)| *other > vertex) {
                parts.union(vertex, other);
                shape.pairs += 1;
                shape.weight += weight;
                let homes = (homes.get(vertex as usize), homes.get(other as usize));
                if let (Some(Home::Shard(a)), Some(Home::Shard(b))) = homes
                    && a != b
                {
                    shape.crossing_weight += weight;
                }
            }
        }
        let mut sizes: BTreeMap<u32, u64> = BTreeMap::new();
        for (vertex, part) in (0..self.len()).zip(parts.into_labeling()) {
            if !self.graph.neighbors_slice(vertex).is_empty() {
                *sizes.entry(part).or_default() += 1;
            }
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
    fn parts_in_any_order_give_the_same_graph() {
        let parts = |order: [usize; 3]| {
            let accounts = [(account(4), 7), (account(1), 1), (account(1), 2)];
            let position =
                |at: usize| u32::try_from(order.iter().position(|o| *o == at).unwrap()).unwrap();
            let pairs = [(0, 1, 5), (2, 0, 6), (1, 2, 9), (0, 0, 3)];
            let pairs = pairs.map(|(a, b, weight)| (position(a), position(b), weight));
            AccessGraph::from_parts(order.map(|at| accounts[at]).to_vec(), pairs.to_vec())
        };
        for graph in [parts([0, 1, 2]), parts([2, 0, 1]), AccessGraph::merge([&parts([1, 2, 0])])] {
            assert_eq!(graph.accounts(), [account(1), account(4)]);
            assert_eq!(graph.loads(), [3, 7]);
            assert_eq!(graph.neighbours(0).collect::<Vec<_>>(), [(1, 11)]);
            assert_eq!(graph.neighbours(1).collect::<Vec<_>>(), [(0, 11)]);
        }
    }

    #[test]
    fn an_account_alone_has_load_and_no_shape() {
        let graph = AccessGraph::new([vec![account(1)], vec![account(0), account(2)]]);
        let half = TRANSACTION_WEIGHT / 2;
        assert_eq!(graph.loads(), [half, TRANSACTION_WEIGHT, half]);
        let allocation = Allocation::new(2, Base::Hash, Residents::standard(2));
        let shape = graph.shape(&allocation);
        assert_eq!((shape.accounts, shape.components), (2, 1));
    }

    #[test]
    fn nothing_is_a_graph_too() {
        let graph = AccessGraph::new(Vec::<Vec<Address>>::new());
        let allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        assert_eq!(graph.shape(&allocation), Shape::default());
    }
}

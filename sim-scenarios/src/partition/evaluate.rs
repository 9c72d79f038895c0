//! Windows move forward over a trace: a strategy learns from past windows, its moves are applied,
//! and the next window judges the allocation. What is judged was never seen, except by the oracle.

use std::collections::BTreeSet;
use std::time::Duration;

use alloy_primitives::Address;
use cross_shard_msg::Epoch;
use partitioning::{
    AccessGraph, Allocation, Base, Partitioner, Problem, Residents, Stream, VertexWeight, Weights,
};

use super::memory;
use super::quality::Quality;

/// How strategies are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Number of shards.
    pub shards: u32,
    /// Transactions of a window, at least 1. A last window that is not full is left out.
    pub window: usize,
    /// Most past windows that a strategy learns from, at least 1.
    pub train: usize,
    /// Most moves between two windows.
    pub budget: usize,
    /// What counts how much.
    pub weights: Weights,
    /// For strategies that draw random numbers.
    pub seed: u64,
}

/// What a strategy made of a trace.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// Of each window after the first.
    pub windows: Vec<WindowResult>,
}

/// What a strategy made of one window.
#[derive(Clone, Debug)]
pub struct WindowResult {
    /// Its number; window 0 only teaches.
    pub window: usize,
    /// How good the allocation was for it.
    pub quality: Quality,
    /// Accounts that moved before it.
    pub migrations: u64,
    /// Moves that were wanted before the budget cut them.
    pub wanted: u64,
    /// Why the strategy gave no answer; the old allocation stayed.
    pub failure: Option<String>,
    /// How long the strategy took.
    pub took: Duration,
    /// How much memory grew at most meanwhile, in this process. `None` where the system does not
    /// tell.
    pub memory: Option<u64>,
}

/// Judges a strategy. `oracle` is whether it may see the window that judges it. `told` hears of
/// every window that is done, and of how many there are; it returns whether to go on.
pub fn evaluate(
    stream: &Stream,
    contracts: &BTreeSet<Address>,
    strategy: &dyn Partitioner,
    oracle: bool,
    options: Options,
    told: &mut dyn FnMut(usize, usize) -> bool,
) -> Evaluation {
    let window = options.window.max(1);
    let count = stream.len() / window;
    let part = |at: usize| stream.slice(at * window, (at + 1) * window);
    let mut allocation =
        Allocation::new(options.shards, Base::Hash, Residents::standard(options.shards));
    let mut graphs: Vec<AccessGraph> = Vec::new();
    let mut evaluation = Evaluation::default();
    for at in 1..count {
        // What came before, and nothing else, is put together here.
        graphs.push(AccessGraph::new(part(at - 1).iter()));
        if graphs.len() > options.train.max(1) {
            graphs.remove(0);
        }
        let past = stream.slice((at - graphs.len()) * window, at * window);
        let graph = AccessGraph::merge(&graphs);
        let judge = part(at);
        let future = oracle.then(|| AccessGraph::new(judge.iter()));
        let problem = Problem {
            graph: &graph,
            windows: &graphs,
            stream: &past,
            future: future.as_ref(),
            contracts,
            allocation: &allocation,
            weights: options.weights,
            budget: options.budget,
            places: None,
            epoch: Epoch(at as u64 - 1),
            seed: options.seed,
        };
        let before = if memory::forget_peak() { memory::resident() } else { None };
        let started = now();
        let answer = strategy.propose(&problem);
        let took = now().saturating_sub(started);
        let memory = before.zip(memory::peak()).map(|(before, peak)| peak.saturating_sub(before));
        let (proposal, failure) = match answer {
            Ok(proposal) => (proposal, None),
            Err(error) => (partitioning::Proposal::default(), Some(error.to_string())),
        };
        allocation.relocate(allocation.newest().next(), &proposal.moves);
        evaluation.windows.push(WindowResult {
            window: at,
            quality: Quality::of(&judge, &allocation, options.weights.eta),
            migrations: proposal.moves.len() as u64,
            wanted: proposal.stats.wanted,
            failure,
            took,
            memory,
        });
        if !told(at, count.saturating_sub(1)) {
            break;
        }
    }
    evaluation
}

impl Evaluation {
    /// All windows together: transactions and work are added up.
    #[must_use]
    pub fn total(&self, shards: u32) -> Quality {
        let mut total = Quality::nothing(shards);
        for WindowResult { quality, .. } in &self.windows {
            total.transactions += quality.transactions;
            total.cross_shard += quality.cross_shard;
            total.shards_touched += quality.shards_touched;
            for (sum, work) in total.work.iter_mut().zip(&quality.work) {
                *sum += work;
            }
        }
        total
    }

    /// The mean of something over the windows; 0 without any.
    #[must_use]
    pub fn mean(&self, of: impl Fn(&Quality) -> f64) -> f64 {
        let sum: f64 = self.windows.iter().map(|window| of(&window.quality)).sum();
        sum / (self.windows.len() as f64).max(1.0)
    }
}

/// The weights that BlockEmulator-like studies use: load, and η = 2.
pub const USUAL_WEIGHTS: Weights = Weights { vertex: VertexWeight::Load, eta: 2.0 };

/// Real time since some moment in the past.
fn now() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

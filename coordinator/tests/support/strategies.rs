//! Partitioners for tests.

use std::sync::Arc;

use alloy_primitives::Address;
use coordinator::PartitionerConfig;
use cross_shard_msg::{Move, ShardId};
use partitioning::{
    Home, PartitionError, Partitioner, Problem, Proposal, Stats, VertexWeight, Weights,
};

/// How a committee asks a strategy about the last `windows` epochs.
pub fn asking(partitioner: impl Partitioner + 'static, windows: u32) -> PartitionerConfig {
    PartitionerConfig {
        partitioner: Arc::new(partitioner),
        weights: Weights { vertex: VertexWeight::Load, eta: 2.0 },
        windows,
        places: None,
        seed: 7,
    }
}

/// Moves every account of the traffic to the next shard, as many as may.
#[derive(Debug)]
pub struct Rotate;

impl Partitioner for Rotate {
    fn name(&self) -> &'static str {
        "rotate"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let shards = problem.allocation.shards();
        let next = |account: &Address| match problem.allocation.home(account) {
            Home::Everywhere => None,
            Home::Shard(from) => {
                let to = ShardId((from.0 + 1) % shards);
                Some(Move { account: *account, from, to })
            }
        };
        let moves = problem.graph.accounts().iter().filter_map(next).take(problem.budget);
        Ok(Proposal { moves: moves.collect(), stats: Stats::default() })
    }
}

/// Wants these moves, whatever it is asked.
#[derive(Debug)]
pub struct Wants(pub Vec<Move>);

impl Partitioner for Wants {
    fn name(&self) -> &'static str {
        "wants"
    }

    fn propose(&self, _: &Problem<'_>) -> Result<Proposal, PartitionError> {
        Ok(Proposal { moves: self.0.clone(), stats: Stats::default() })
    }
}

/// Has no answer.
#[derive(Debug)]
pub struct Fails;

impl Partitioner for Fails {
    fn name(&self) -> &'static str {
        "fails"
    }

    fn propose(&self, _: &Problem<'_>) -> Result<Proposal, PartitionError> {
        Err(PartitionError::NoPlaces { strategy: "fails" })
    }
}

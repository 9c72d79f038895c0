//! A partitioner that does harm within the rules (R-EPOCH-4): accounts go anywhere, as many as may,
//! those that nobody has ever used among them. A coordinator that asks it is the worst leader of an
//! epoch that validators do not vote down; and whoever moves that much tests migration.

use alloy_primitives::Address;
use cross_shard_msg::{Move, ShardId};
use partitioning::{Home, PartitionError, Partitioner, Problem, Proposal, Stats};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// One in so many moves is of an account that nobody has used.
const UNUSED: u32 = 8;

/// Sends accounts anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scatter;

impl Partitioner for Scatter {
    fn name(&self) -> &'static str {
        "scatter"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let shards = problem.allocation.shards();
        let mut rng = ChaCha12Rng::seed_from_u64(problem.seed ^ problem.epoch.0.rotate_left(32));
        let used = problem.graph.accounts();
        let mut moves = Vec::new();
        if shards < 2 || used.is_empty() {
            return Ok(Proposal::default());
        }
        for _ in 0..problem.budget {
            let account = if rng.next_u32() % UNUSED == 0 {
                let mut bytes = [0; 20];
                rng.fill_bytes(&mut bytes);
                Address::from(bytes)
            } else {
                used[rng.next_u64() as usize % used.len()]
            };
            let Home::Shard(from) = problem.allocation.home(&account) else { continue };
            let to = ShardId((from.0 + 1 + rng.next_u32() % (shards - 1)) % shards);
            moves.push(Move { account, from, to });
        }
        moves.sort_unstable();
        moves.dedup_by_key(|moved| moved.account);
        let wanted = moves.len() as u64;
        Ok(Proposal { moves, stats: Stats { wanted, ..Stats::default() } })
    }
}

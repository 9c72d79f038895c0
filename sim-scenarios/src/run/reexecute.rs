//! Executes every shard's blocks again, shards side by side on all cores, for the checkers of
//! validity and conservation.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use alloy_primitives::map::HashMap;
use alloy_primitives::{Address, B256};
use cross_shard_msg::ShardId;
use shard_node::ShardRecord;
use simulation::checkers::{Execution, Reexecution};

use crate::launch::NetworkPlan;
use crate::metrics::TransactionInfo;
use crate::workload::Workers;

/// The records of each shard, ascending by height.
pub type ShardLogs = BTreeMap<ShardId, Vec<ShardRecord>>;

/// Blocks between two words of progress.
const TELL_EVERY: usize = 16;

/// Executes the blocks of `logs` again from the genesis of `plan`. Who signed the transactions of
/// the plan is known from `transactions`; of others the sender is recovered. The result does not
/// depend on `workers`.
#[must_use]
pub fn reexecute(
    plan: &NetworkPlan,
    logs: &ShardLogs,
    transactions: &[TransactionInfo],
    workers: &Workers<'_>,
) -> BTreeMap<ShardId, Execution> {
    let senders: HashMap<B256, Address> =
        transactions.iter().map(|known| (known.hash, known.sender)).collect();
    let sender_of = |hash: &B256| senders.get(hash).copied();
    let all = logs.values().map(Vec::len).sum();
    let done = AtomicUsize::new(0);
    let one = |shard: ShardId, log: &[ShardRecord]| {
        let mut again = match plan.shard_config(shard).map(Reexecution::new) {
            Ok(Ok(again)) => again,
            Ok(Err(error)) => return failed(&error),
            Err(error) => return failed(&error),
        };
        for records in log.chunks(TELL_EVERY) {
            for record in records {
                again.block(record, &sender_of);
            }
            let done = done.fetch_add(records.len(), Ordering::Relaxed) + records.len();
            (workers.progress)(done, all);
        }
        again.finish()
    };
    // The longest first, so that no thread is left with it at the end.
    let mut queue: Vec<_> = logs.iter().collect();
    queue.sort_by_key(|(shard, log)| (work(log), std::cmp::Reverse(**shard)));
    let queue = Mutex::new(queue);
    let executions = Mutex::new(BTreeMap::new());
    let run = || {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((shard, log)) = next else { return };
            let execution = one(*shard, log);
            executions.lock().unwrap_or_else(PoisonError::into_inner).insert(*shard, execution);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers.threads.get().min(logs.len()) {
            scope.spawn(run);
        }
        run();
    });
    executions.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn work(log: &[ShardRecord]) -> usize {
    log.iter().map(|record| 1 + record.block.legs.len()).sum()
}

fn failed(error: &dyn std::fmt::Display) -> Execution {
    Execution {
        held: Vec::new(),
        failure: Some(format!("cannot be executed: {error}")),
        moved: 0,
        misplaced: None,
    }
}

//! What a leg costs beside what the other measures know of it: whole blocks of a small simulated
//! network are executed again, and everything that has a price of its own is taken off.

use std::num::NonZeroUsize;

use cross_shard_msg::{Duration, ShardId, Timestamp};
use shard_node::ShardRecord;
use simulation::CostProfile;
use simulation::checkers::Reexecution;

use super::rounds::cpu_nanos;
use super::{Batch, CalibrateError};
use crate::run::prepare::prepare;
use crate::run::simulated::{Conditions, simulate_job};
use crate::scenario::{Places, parse};
use crate::workload::Workers;

const SCENARIO: &str = r#"
    name = "calibrate"
    [network]
    shards = 2
    validators = 1
    signatures = "assumed"
    block_time = "500ms"
    checkpoint_every = "1s"
    [accounts]
    count = 20000
    [[phase]]
    name = "load"
    for = "2s"
    [[phase.load]]
    kind = "transfer"
    rate = 2000
"#;

/// What a leg of the network does on average that has a price of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Shares {
    pub transfers: f64,
    pub updates: f64,
    pub signatures: f64,
    pub kilobytes: f64,
}

/// Per leg of whole blocks, all costs together; and what of them is known.
pub(super) fn legs() -> Result<(Batch, Shares), CalibrateError> {
    let problem = |what: &dyn std::fmt::Display| CalibrateError::Network(what.to_string());
    let places = Places { base: ".".into(), data: None };
    let scenario =
        parse("calibrate.toml", SCENARIO, &[], &places).map_err(|error| problem(&error))?;
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = Workers { threads, progress: &|_, _| {} };
    let mut prepared = prepare(&scenario, &workers).map_err(|error| problem(&error))?;
    let job = prepared.jobs.pop().ok_or_else(|| problem(&"no network"))?;
    let end = Timestamp::ZERO + Duration::from_secs(600);
    let conditions = Conditions { profile: CostProfile::FREE, end, linger: Duration::ZERO };
    let (simulated, _) =
        simulate_job(&scenario, &job, conditions).map_err(|error| problem(&error))?;
    let shard = ShardId(0);
    let log = simulated.logs.get(&shard).cloned().unwrap_or_default();
    let config = job.plan.shard_config(shard).map_err(|error| problem(&error))?;
    let shares = shares(&log);
    let legs: usize = log.iter().map(|record| record.block.legs.len()).sum();
    let senders: alloy_primitives::map::HashMap<_, _> =
        job.transactions.iter().map(|known| (known.hash, known.sender)).collect();
    let batch = move || {
        let Ok(mut again) = Reexecution::new(config.clone()) else { return 0.0 };
        let took = cpu_nanos(|| {
            for record in &log {
                again.block(record, &|hash| senders.get(hash).copied());
            }
        });
        took / legs.max(1) as f64
    };
    Ok((Box::new(batch), shares))
}

fn shares(log: &[ShardRecord]) -> Shares {
    let sum = |of: fn(&ShardRecord) -> usize| log.iter().map(of).sum::<usize>() as f64;
    let legs = sum(|record| record.block.legs.len()).max(1.0);
    // Receipts are encoded for their proofs, 320 bytes each.
    let released = sum(|record| record.block.outgoing.iter().map(|out| out.receipts.len()).sum());
    Shares {
        transfers: 1.0,
        updates: sum(|record| record.block.written.len()) / legs,
        signatures: log.len() as f64 / legs,
        kilobytes: released * 0.32 / legs,
    }
}

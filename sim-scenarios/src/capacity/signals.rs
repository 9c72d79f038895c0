//! What was scarce in a run: measured from its files, each against a bound that is named here. A
//! signal beyond its bound says what was saturated; the one that is beyond it at the lowest rate
//! gave out first.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::metrics::saturation::{
    CPU_SHARE_BOUND, FEWEST_JUDGED, FULL_SHARE_BOUND, GENERATOR_LAG_BOUND, QUEUE_GROWTH_BOUND,
    RUN_QUEUE_SHARE_BOUND, TIMER_LAG_BOUND,
};
use crate::report::html::source::{HtmlError, each};
use crate::scenario::Scenario;

/// The blocks of the fullest shard are full if they use this share of their gas.
pub const GAS_BOUND: f64 = 0.9;
/// Blocks are late if they come after this multiple of the block time: the node's loop lags.
pub const BLOCK_LAG_BOUND: f64 = 1.1;
/// Checkpoints are late if they come after this multiple of their interval.
pub const CHECKPOINT_LAG_BOUND: f64 = 1.25;

/// Something that can be scarce.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Its name.
    pub name: String,
    /// What was measured.
    pub value: f64,
    /// Beyond this it is saturated.
    pub bound: f64,
}

impl Signal {
    fn new(name: &str, value: f64, bound: f64) -> Self {
        // A digest of files, not more exact than they are.
        Self { name: name.to_owned(), value: (value * 1e6).round() / 1e6, bound }
    }

    /// Whether it is beyond its bound.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.value > self.bound
    }

    /// What it says, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        match self.name.as_str() {
            "gas" => format!("the fullest shard's blocks use {} of their gas", percent(self.value)),
            "queues" => format!("queues grow by {} of what is due", percent(self.value)),
            "full queues" => {
                format!("full queues refuse {} of what is offered", percent(self.value))
            }
            "fees" => format!("{} is refused because fees rose", percent(self.value)),
            "block lag" => format!("blocks take {:.2} × the block time", self.value),
            "checkpoint lag" => {
                format!("checkpoints take {:.2} × their interval", self.value)
            }
            "load generator" => format!("the load generator is {:.0} ms late (p99)", self.value),
            "timer lag" => format!("timers of a node are {:.0} ms late (p99)", self.value),
            "cpu" => format!("{} of all cores are busy", percent(self.value)),
            "run queue" => format!("a node waits for a core {} of the time", percent(self.value)),
            name => format!("{name}: {}", self.value),
        }
    }
}

/// What recorded transactions did in the time in which they were due.
#[derive(Default)]
struct Load {
    first: Option<u64>,
    last: u64,
    /// When they were due.
    due: Vec<u64>,
}

/// A block: shard, when it was executed, gas used, gas limit, what waited after it.
type Block = (u64, u64, u64, u64, u64);

/// Measures what was scarce in the run in this directory, in the order of files: the network's own
/// resources, then those of what it runs on.
///
/// # Errors
/// When a table is missing or is not what a run writes.
pub fn signals(
    directory: &Path,
    scenario: &Scenario,
    summary: &Value,
    manifest: &Value,
) -> Result<Vec<Signal>, HtmlError> {
    let load = Load::read(directory, scenario)?;
    let blocks = blocks(directory)?;
    let mut found = Vec::new();
    let first = load.first.unwrap_or(0);
    let during: Vec<&Block> =
        blocks.iter().filter(|block| block.1 > first && block.1 <= load.last).collect();
    found.extend(gas(&during).map(|share| Signal::new("gas", share, GAS_BOUND)));
    found.push(load.queues(&during));
    let number = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_f64);
    let offered = number(summary, "/transactions/offered").unwrap_or(0.0).max(1.0);
    let refused = |reasons: &[&str]| -> f64 {
        let counts = summary.get("refusals").and_then(Value::as_object).into_iter().flatten();
        let counts = counts.filter(|(reason, _)| reasons.contains(&reason.as_str()));
        counts.filter_map(|(_, count)| count.as_f64()).sum::<f64>() / offered
    };
    let full = refused(&["mempool_full", "congested"]);
    found.push(Signal::new("full queues", full, FULL_SHARE_BOUND));
    found.push(Signal::new("fees", refused(&["fee_too_low"]), FULL_SHARE_BOUND));
    let block_time = scenario.network.block_time.0 as f64;
    found.extend(
        block_lag(&during).map(|gap| Signal::new("block lag", gap / block_time, BLOCK_LAG_BOUND)),
    );
    if let Some(interval) = number(summary, "/checkpoints/interval_ms/p50") {
        let wanted = scenario.network.checkpoint_every.0 as f64 / 1e6;
        found.push(Signal::new("checkpoint lag", interval / wanted, CHECKPOINT_LAG_BOUND));
    }
    if let Some(lag) = number(summary, "/generator_lag_ms/p99") {
        found.push(Signal::new("load generator", lag, GENERATOR_LAG_BOUND.0 as f64 / 1e6));
    }
    found.extend(machine(manifest));
    Ok(found)
}

impl Load {
    fn read(directory: &Path, scenario: &Scenario) -> Result<Self, HtmlError> {
        let recorded: Vec<&[u8]> = scenario
            .phases
            .iter()
            .filter(|phase| phase.record)
            .map(|phase| phase.name.as_bytes())
            .collect();
        let mut load = Self::default();
        let columns = ["phase", "setup", "scheduled_ns"];
        each(directory, "transactions.csv", columns, |row| {
            if row.bytes(1) == b"true" || !recorded.contains(&row.bytes(0)) {
                return;
            }
            let Some(scheduled) = row.number(2) else { return };
            load.first = Some(load.first.map_or(scheduled, |first| first.min(scheduled)));
            load.last = load.last.max(scheduled);
            load.due.push(scheduled);
        })?;
        Ok(load)
    }

    /// Growth of all queues from the second to the last quarter, as a share of what was due in the
    /// second half. Queues that are used, and do not grow, are no sign of anything.
    fn queues(&self, blocks: &[&Block]) -> Signal {
        let first = self.first.unwrap_or(0);
        let quarter = self.last.saturating_sub(first) / 4;
        let point = |quarters: u64| first + quarter * quarters;
        let due = self.due.iter().filter(|due| **due > point(2)).count() as u64;
        let growth = waiting(blocks, point(3), self.last) - waiting(blocks, point(1), point(2));
        let share = if due < FEWEST_JUDGED { 0.0 } else { growth / due as f64 };
        Signal::new("queues", share.max(0.0), QUEUE_GROWTH_BOUND)
    }
}

fn blocks(directory: &Path) -> Result<Vec<Block>, HtmlError> {
    let mut blocks = Vec::new();
    let columns =
        ["shard", "executed_ns", "gas_used", "gas_limit", "mempool", "delayed", "buffered"];
    each(directory, "blocks.csv", columns, |row| {
        let number = |column| row.number(column).unwrap_or(0);
        let waiting = number(4) + number(5) + number(6);
        if let Some(executed) = row.number(1) {
            blocks.push((number(0), executed, number(2), number(3), waiting));
        }
    })?;
    Ok(blocks)
}

/// The share of their gas that the blocks of the fullest shard use.
fn gas(blocks: &[&Block]) -> Option<f64> {
    let mut shards: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (shard, _, used, limit, _) in blocks {
        let sums = shards.entry(*shard).or_default();
        *sums = (sums.0 + used, sums.1 + limit);
    }
    let shares = shards.values().filter(|(_, limit)| *limit > 0);
    shares.map(|(used, limit)| *used as f64 / *limit as f64).reduce(f64::max)
}

/// What waited after a block, as the mean over a shard's blocks of a time, summed over shards.
fn waiting(blocks: &[&Block], from: u64, to: u64) -> f64 {
    let mut shards: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (shard, executed, .., waiting) in blocks {
        if *executed > from && *executed <= to {
            let sums = shards.entry(*shard).or_default();
            *sums = (sums.0 + waiting, sums.1 + 1);
        }
    }
    shards.values().map(|(waiting, count)| *waiting as f64 / *count as f64).sum()
}

/// The mean time between two blocks of the slowest shard, in nanoseconds.
fn block_lag(blocks: &[&Block]) -> Option<f64> {
    let mut shards: BTreeMap<u64, (u64, u64, u64)> = BTreeMap::new();
    for (shard, executed, ..) in blocks {
        let span = shards.entry(*shard).or_insert((*executed, *executed, 0));
        *span = (span.0.min(*executed), span.1.max(*executed), span.2 + 1);
    }
    let gaps = shards.values().filter(|(.., count)| *count > 1);
    gaps.map(|(from, to, count)| (to - from) as f64 / (count - 1) as f64).reduce(f64::max)
}

/// What a run of processes says of its machine.
fn machine(manifest: &Value) -> Vec<Signal> {
    let number = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_f64);
    let all = manifest.get("processes").and_then(Value::as_array).map(Vec::as_slice);
    let all = all.unwrap_or_default();
    let most = |pointer: &str| all.iter().filter_map(|it| number(it, pointer)).reduce(f64::max);
    let mut found = Vec::new();
    if let Some(lag) = most("/report/timer_lag_p99_us") {
        found.push(Signal::new("timer lag", lag / 1e3, TIMER_LAG_BOUND.0 as f64 / 1e6));
    }
    let wall = number(manifest, "/measured_ms").unwrap_or(0.0) / 1e3;
    let cores = number(manifest, "/machine/cores").unwrap_or(0.0);
    if let Some(used) = number(manifest, "/cpu_seconds").filter(|_| wall * cores > 0.0) {
        found.push(Signal::new("cpu", used / (wall * cores), CPU_SHARE_BOUND));
    }
    if let Some(waited) = most("/run_queue_seconds").filter(|_| wall > 0.0) {
        found.push(Signal::new("run queue", waited / wall, RUN_QUEUE_SHARE_BOUND));
    }
    found
}

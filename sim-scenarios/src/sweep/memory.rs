//! Whether there is memory for another run beside those that are running. Two runs that need more
//! than the machine has would take the whole sweep down with them.

use std::fs;

use crate::scenario::{Load, Scenario};

/// What a run needs besides its transactions and accounts.
const BASE: u64 = 64 << 20;

/// What a planned transaction needs until the run's report is written: measured with a million
/// transfers over 64 shards (`scenarios/large.toml`) 2,300 bytes, and a third more.
const PER_TRANSACTION: u64 = 3_072;

/// What an account needs in its shard's state and trie.
const PER_ACCOUNT: u64 = 1_024;

/// Bytes that a run of this scenario may need, as far as one can tell beforehand: a trace is as long
/// as its file.
#[must_use]
pub fn needed(scenario: &Scenario) -> u64 {
    let loads = scenario.phases.iter().flat_map(|phase| {
        let milliseconds = phase.duration.map_or(0, |duration| duration.as_millis());
        phase.loads.iter().map(move |load| match load {
            Load::Transfer(load) => expected(load.rate.per_kilosecond, milliseconds),
            Load::Call(load) => expected(load.rate.per_kilosecond, milliseconds),
            Load::Communities(load) => expected(load.rate.per_kilosecond, milliseconds),
            Load::Trace(load) => {
                let of_phase = expected(load.rate.per_kilosecond, milliseconds);
                load.count.unwrap_or(of_phase).max(of_phase)
            }
            Load::MainnetBlocks(_) => 0,
        })
    });
    let transactions = loads.fold(0, u64::saturating_add);
    let accounts = u64::from(scenario.accounts.count) * PER_ACCOUNT;
    BASE + transactions.saturating_mul(PER_TRANSACTION).saturating_add(accounts)
}

/// Whether runs that need so many bytes together fit into what this program has and the system could
/// still give it, with a tenth to spare. They do where the system does not tell.
#[must_use]
pub fn suffices(bytes: u64) -> bool {
    match (available(), resident()) {
        (Some(available), Some(resident)) => bytes <= (available + resident) / 10 * 9,
        _ => true,
    }
}

fn available() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

fn resident() -> Option<u64> {
    kibibytes("/proc/self/status", "VmRSS:")
}

fn kibibytes(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

fn expected(per_kilosecond: u64, milliseconds: u64) -> u64 {
    per_kilosecond.saturating_mul(milliseconds) / 1_000_000
}

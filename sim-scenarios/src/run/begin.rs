//! How a run of either world begins: its workload is made, and nothing has happened yet.

use std::num::NonZeroUsize;

use cross_shard_msg::Duration;

use super::prepare::{Job, PrepareError, Prepared, prepare};
use super::processes::Stopwatch;
use super::{Progress, facts};
use crate::metrics::{MachineUse, RunData};
use crate::scenario::Scenario;
use crate::workload::Workers;

/// A run that is ready to go.
pub(super) struct Begun {
    /// Its networks, in order.
    pub jobs: Vec<Job>,
    /// What it leaves: nothing so far.
    pub data: RunData,
    /// What it has taken of the machine so far.
    pub machine: MachineUse,
}

/// Makes a scenario ready.
///
/// # Errors
/// When it cannot be.
pub(super) fn begin(scenario: &Scenario, progress: &Progress) -> Result<Begun, PrepareError> {
    let started = jiff::Timestamp::now().to_string();
    let mut stopwatch = Stopwatch::start();
    progress.phase("making the workload");
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let signing = |done, all| progress.count("keys and signatures", done, all);
    let Prepared { jobs, skipped, substitutes } =
        prepare(scenario, &Workers { threads, progress: &signing })?;
    stopwatch.lap("preparing");
    let data = RunData {
        scenario: scenario.clone(),
        networks: Vec::new(),
        skipped,
        substitutes,
        interrupted: false,
        lost: Vec::new(),
        died: None,
        machine: None,
        simulation: None,
        faults: Vec::new(),
    };
    let machine = MachineUse {
        facts: facts::machine(),
        started,
        measured: Duration::ZERO,
        durations: stopwatch.laps,
    };
    Ok(Begun { jobs, data, machine })
}

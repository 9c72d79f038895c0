//! A whole scenario on processes: made ready, run network by network, put together for the report.

use std::path::Path;

use super::begin::{Begun, begin};
use super::prepare::PrepareError;
use super::processes::{self, NetworkRun, RunError, add_laps};
use super::{Interrupt, Progress};
use crate::client::Ended;
use crate::launch::LaunchError;
use crate::metrics::{MachineUse, RunData};
use crate::scenario::Scenario;

/// Why a scenario has no result at all.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// It cannot be made ready.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// A network left nothing that can be read.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Runs a scenario on processes; the nodes' files go under `directory`.
///
/// # Errors
/// When it cannot be made ready, or what it left cannot be read. A network that does not start, a
/// process that dies and the user end the run early; [`RunData`] says so.
pub fn execute(
    scenario: &Scenario,
    directory: &Path,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<RunData, ExecuteError> {
    let Begun { jobs, mut data, mut machine } = begin(scenario, progress)?;
    for job in jobs {
        data.interrupted = interrupt.is_set();
        if data.interrupted || data.died.is_some() {
            break;
        }
        let place = directory.join(job.directory_name());
        match processes::run(scenario, job, &place, interrupt, progress) {
            Ok(run) => add(&mut data, &mut machine, run),
            Err(RunError::Launch(LaunchError::Interrupted)) => {}
            Err(error @ (RunError::Launch(_) | RunError::Client(_))) => {
                data.died = Some(error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    data.interrupted = interrupt.is_set();
    data.machine = Some(machine);
    Ok(data)
}

fn add(data: &mut RunData, machine: &mut MachineUse, run: NetworkRun) {
    machine.measured = machine.measured + run.measured;
    add_laps(&mut machine.durations, run.durations);
    data.lost.extend(run.lost);
    data.died = run.died;
    data.faults.extend(run.faults);
    if let Some(Ended::SetupFailed(failure)) = run.ended {
        data.died = Some(format!("the contracts could not be set up: {failure:?}"));
    }
    data.networks.push(run.data);
}

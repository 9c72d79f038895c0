//! A run from its scenario to the last file in its directory, in either world. Nothing is printed,
//! and nothing is shared between runs, so that a program can have several at a time.

use std::io;
use std::path::{Path, PathBuf};

use super::execute::{ExecuteError, execute};
use super::prepare::PrepareError;
use super::simulate::{SimulateError, SimulateOptions, simulate};
use super::{Interrupt, Progress};
use crate::cli::Exit;
use crate::metrics::{Measured, measure};
use crate::report::{self, ReportError};
use crate::scenario::Scenario;

/// Where a scenario runs.
#[derive(Clone, Debug)]
pub enum World {
    /// On processes of this program. Several runs at a time share the machine's cores, and the CPU
    /// time of the load generators cannot be told apart.
    Processes,
    /// Under virtual time, on the thread that asks.
    Simulation(SimulateOptions),
}

/// Why a run has no result at all.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// A file in its directory cannot be written.
    #[error("{}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Processes are never Byzantine.
    #[error("a network of processes has no Byzantine nodes: simulate the scenario")]
    Byzantine,
    /// On processes.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// In the simulated world.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// What it came to cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Runs a scenario, judges it and writes [`report::FILES`] into `directory`, which exists; then
/// `look` takes from the result what is wanted of it. The directory is a run's own: nodes of a
/// network of processes leave their files there, too. [`Measured::results`] has the verdict,
/// `run.simulation` the digest.
///
/// # Errors
/// When there is no result. A network that does not start, a process that dies and the user end a
/// run early; the verdict says so.
pub fn complete<T>(
    scenario: &Scenario,
    world: &World,
    directory: &Path,
    interrupt: &Interrupt,
    progress: &Progress,
    look: impl FnOnce(&Measured<'_>) -> T,
) -> Result<T, CompleteError> {
    // While it runs one can see what was understood.
    let understood = directory.join("scenario.toml");
    std::fs::write(&understood, scenario.to_string())
        .map_err(|source| CompleteError::Directory { path: understood, source })?;
    let data = match world {
        World::Processes if !scenario.byzantine.is_empty() => return Err(CompleteError::Byzantine),
        World::Processes => execute(scenario, directory, interrupt, progress)?,
        World::Simulation(options) => simulate(scenario, options, interrupt, progress)?,
    };
    let measured = measure(&data);
    report::write(&measured, directory)?;
    Ok(look(&measured))
}

impl CompleteError {
    /// What a program ends with that has nothing else to do.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Directory { .. } | Self::Byzantine | Self::Execute(ExecuteError::Prepare(_)) => {
                Exit::BadInput
            }
            Self::Simulate(SimulateError::Prepare(error)) => match error {
                PrepareError::Plan(_) => Exit::Internal,
                _ => Exit::BadInput,
            },
            Self::Execute(ExecuteError::Run(_))
            | Self::Simulate(SimulateError::Simulation(_))
            | Self::Report(_) => Exit::Internal,
        }
    }
}

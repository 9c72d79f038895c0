//! What the subcommands that run a scenario have in common: their arguments, how they begin, and
//! what they tell.

use std::path::{Path, PathBuf};

use super::terminal::{colour, complain, print};
use super::{Exit, ScenarioArguments};
use crate::metrics::Measured;
use crate::report;
use crate::run::complete::{CompleteError, World, complete};
use crate::run::{Interrupt, Progress, directory};
use crate::scenario::{Rejected, Scenario};

/// A scenario, where its run's files go, and what is printed.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Where the run's files go [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// Changes the seed: short for --set seed=N
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print summary.json instead of the report
    #[arg(long)]
    json: bool,
    /// No progress and no report, only the verdict
    #[arg(long)]
    quiet: bool,
}

impl RunArguments {
    /// The scenario file.
    pub fn file(&self) -> &Path {
        &self.scenario.file
    }

    /// Reads the scenario.
    ///
    /// # Errors
    /// What the program ends with; the user has been told why.
    pub fn load(&self) -> Result<Scenario, Exit> {
        let mut asked = self.scenario.clone();
        asked.set.extend(self.seed.map(|seed| format!("seed={seed}")));
        asked.load().map_err(|rejected| refuse(&rejected))
    }

    /// Runs the scenario and tells what came out. `silent` is whether there is no progress even if
    /// it was not asked for; `more` follows the report.
    pub fn run(
        &self,
        scenario: &Scenario,
        world: &World,
        silent: bool,
        more: impl FnOnce(&Measured<'_>) -> String,
    ) -> Exit {
        let (directory, interrupt) = match open(self.out.as_deref(), &scenario.name) {
            Ok(opened) => opened,
            Err(exit) => return exit,
        };
        let progress = Progress::new(self.quiet || self.json || silent);
        let tell = |measured: &Measured<'_>| {
            progress.clear();
            self.tell(measured, &directory, more)
        };
        let told = complete(scenario, world, &directory, &interrupt, &progress, tell);
        told.unwrap_or_else(|error| {
            progress.clear();
            fail(&error)
        })
    }

    fn tell(
        &self,
        measured: &Measured<'_>,
        directory: &Path,
        more: impl FnOnce(&Measured<'_>) -> String,
    ) -> Exit {
        let verdict = measured.results.verdict;
        let printed = if self.json {
            print(&report::summary(measured).to_string())
        } else if self.quiet {
            print(&format!("{}: {}\n", measured.run.scenario.name, verdict.name()))
        } else {
            let report = report::terminal(measured, directory, report::Style::detect());
            print(&format!("{report}{}", more(measured)))
        };
        if let Some(died) = &measured.run.died {
            complain(died);
        }
        if printed == Exit::Passed { verdict.exit() } else { printed }
    }
}

/// Makes the directory of a run and begins to listen for Ctrl-C.
///
/// # Errors
/// What the program ends with; the user has been told why.
pub fn open(out: Option<&Path>, name: &str) -> Result<(PathBuf, Interrupt), Exit> {
    let directory = directory::make(out, name).map_err(|error| {
        complain(&error.to_string());
        Exit::BadInput
    })?;
    Ok((directory, listen()?))
}

/// Begins to listen for Ctrl-C.
///
/// # Errors
/// What the program ends with; the user has been told why.
pub fn listen() -> Result<Interrupt, Exit> {
    Interrupt::listen().map_err(|error| {
        complain(&format!("cannot listen for Ctrl-C: {error}"));
        Exit::Internal
    })
}

/// Tells what is wrong with a scenario.
pub fn refuse(rejected: &Rejected) -> Exit {
    complain(&rejected.render(colour()));
    Exit::BadInput
}

fn fail(error: &CompleteError) -> Exit {
    complain(&error.to_string());
    error.exit()
}

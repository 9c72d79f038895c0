//! `shardlab run`: a scenario on real processes, with its report.

use std::path::{Path, PathBuf};

use super::terminal::{colour, complain, print};
use super::{Exit, ScenarioArguments};
use crate::metrics::{RunData, measure};
use crate::report;
use crate::run::execute::{ExecuteError, execute};
use crate::run::{Interrupt, Progress, directory};
use crate::scenario::refuse_byzantine;

/// Run a scenario on real processes and report what was measured
#[derive(Debug, clap::Args)]
pub struct Arguments {
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

/// Runs the scenario.
pub fn run(arguments: &Arguments) -> Exit {
    let mut asked = arguments.scenario.clone();
    asked.set.extend(arguments.seed.map(|seed| format!("seed={seed}")));
    let scenario = match asked.load() {
        Ok(scenario) => scenario,
        Err(rejected) => {
            complain(&rejected.render(colour()));
            return Exit::BadInput;
        }
    };
    if let Err(rejected) = refuse_byzantine(&asked.file) {
        complain(&rejected.render(colour()));
        return Exit::BadInput;
    }
    let directory = match directory::make(arguments.out.as_deref(), &scenario.name) {
        Ok(directory) => directory,
        Err(error) => {
            complain(&error.to_string());
            return Exit::BadInput;
        }
    };
    let understood = directory.join("scenario.toml");
    if let Err(error) = std::fs::write(&understood, scenario.to_string()) {
        complain(&format!("{}: {error}", understood.display()));
        return Exit::BadInput;
    }
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            complain(&format!("cannot listen for Ctrl-C: {error}"));
            return Exit::Internal;
        }
    };
    let progress = Progress::new(arguments.quiet || arguments.json);
    let outcome = execute(&scenario, &directory, &interrupt, &progress);
    progress.clear();
    match outcome {
        Ok(data) => tell(arguments, &data, &directory),
        Err(error) => {
            complain(&error.to_string());
            exit_of(&error)
        }
    }
}

fn tell(arguments: &Arguments, data: &RunData, directory: &Path) -> Exit {
    let measured = measure(data);
    if let Err(error) = report::write(&measured, directory) {
        complain(&error.to_string());
        return Exit::Internal;
    }
    let verdict = measured.results.verdict;
    let printed = if arguments.json {
        print(&report::summary(&measured).to_string())
    } else if arguments.quiet {
        print(&format!("{}: {}\n", data.scenario.name, verdict.name()))
    } else {
        print(&report::terminal(&measured, directory, report::Style::detect()))
    };
    if let Some(died) = &data.died {
        complain(died);
    }
    if printed == Exit::Passed { verdict.exit() } else { printed }
}

fn exit_of(error: &ExecuteError) -> Exit {
    match error {
        ExecuteError::Prepare(_) => Exit::BadInput,
        ExecuteError::Run(_) => Exit::Internal,
    }
}

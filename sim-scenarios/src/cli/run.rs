//! `shardlab run`: a scenario on real processes, with its report.

use super::Exit;
use super::run_arguments::{RunArguments, refuse};
use crate::run::complete::World;
use crate::scenario::refuse_byzantine;

/// Run a scenario on real processes and report what was measured
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
}

/// Runs the scenario.
pub fn run(arguments: &Arguments) -> Exit {
    let scenario = match arguments.run.load() {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    if let Err(rejected) = refuse_byzantine(arguments.run.file()) {
        return refuse(&rejected);
    }
    arguments.run.run(&scenario, &World::Processes, false, |_| String::new())
}

//! `shardlab check`: is this scenario valid, and what does it say in full?

use serde_json::json;

use super::terminal::{colour, complain, print};
use super::{Exit, ScenarioArguments};
use crate::scenario::{Rejected, Scenario};

/// Validate a scenario file
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Print the scenario with every default written out
    #[arg(long)]
    print: bool,
    /// Print the result as JSON: {valid, scenario} or {valid, problems}
    #[arg(long)]
    json: bool,
}

/// Validates and prints.
pub fn run(arguments: &Arguments) -> Exit {
    match arguments.scenario.load() {
        Ok(scenario) => accepted(arguments, &scenario),
        Err(rejected) => refused(arguments, &rejected),
    }
}

fn accepted(arguments: &Arguments, scenario: &Scenario) -> Exit {
    let warning = scenario.byzantine_warning();
    if arguments.json {
        let warnings: Vec<String> = warning.into_iter().collect();
        return match toml::from_str::<toml::Table>(&scenario.to_string()) {
            Ok(table) => print_json(&json!({
                "valid": true, "warnings": warnings, "scenario": table,
            })),
            Err(error) => {
                complain(&format!("the printed scenario cannot be read: {error}"));
                Exit::Internal
            }
        };
    }
    if let Some(warning) = warning {
        complain(&format!("warning: {}: {warning}", arguments.scenario.file.display()));
    }
    if arguments.print {
        return print(&scenario.to_string());
    }
    print(&format!("{}: valid\n", arguments.scenario.file.display()))
}

fn refused(arguments: &Arguments, rejected: &Rejected) -> Exit {
    if arguments.json {
        let written = print_json(&json!({ "valid": false, "problems": rejected.located() }));
        return written.max(Exit::BadInput);
    }
    complain(&rejected.render(colour()));
    Exit::BadInput
}

fn print_json(value: &serde_json::Value) -> Exit {
    print(&format!("{value:#}\n"))
}

//! `shardlab check`: is this scenario valid, and what does it say in full?

use serde_json::json;

use super::terminal::{colour, complain, print};
use super::{Exit, ScenarioArguments};
use crate::run::simulate_profile::NamedProfile;
use crate::scenario::{Rejected, Scenario, SweepFile, is_sweep, load_sweep};
use crate::sweep::Plan;
use crate::sweep::terminal::size;

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

/// What is said of a valid file.
struct Valid {
    warning: Option<String>,
    printed: String,
    /// Of a sweep: how many runs it has.
    size: Option<String>,
}

impl Valid {
    fn scenario(scenario: &Scenario) -> Self {
        Self { warning: scenario.byzantine_warning(), printed: scenario.to_string(), size: None }
    }

    fn sweep(file: &SweepFile) -> Self {
        let plan = Plan::new(file, "", &[], &NamedProfile::default());
        Self {
            warning: file.cells.iter().find_map(|cell| cell.scenario.byzantine_warning()),
            printed: file.printed(),
            size: Some(size(&plan)),
        }
    }
}

/// Validates and prints.
pub fn run(arguments: &Arguments) -> Exit {
    let ScenarioArguments { file, set } = &arguments.scenario;
    let valid = match is_sweep(file, set) {
        true => load_sweep(file, set).map(|sweep| Valid::sweep(&sweep)),
        false => arguments.scenario.load().map(|scenario| Valid::scenario(&scenario)),
    };
    match valid {
        Ok(valid) => accepted(arguments, valid),
        Err(rejected) => refused(arguments, &rejected),
    }
}

fn accepted(arguments: &Arguments, valid: Valid) -> Exit {
    let Valid { warning, printed, size } = valid;
    if arguments.json {
        let warnings: Vec<String> = warning.into_iter().collect();
        return match toml::from_str::<toml::Table>(&printed) {
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
        return print(&printed);
    }
    let size = size.map(|size| format!(", a sweep: {size}")).unwrap_or_default();
    print(&format!("{}: valid{size}\n", arguments.scenario.file.display()))
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

//! `shardlab simulate`: a scenario in the simulated world, with the report of `shardlab run`.

use std::path::{Path, PathBuf};

use alloy_primitives::B256;
use cross_shard_msg::{Duration, Timestamp};

use super::terminal::{colour, complain, print};
use super::{Exit, ScenarioArguments};
use crate::metrics::{RunData, measure};
use crate::report::{self, number};
use crate::run::prepare::PrepareError;
use crate::run::simulate::{RUNNING_CPU, SimulateError, SimulateOptions, simulate};
use crate::run::simulate_profile::{DEFAULT_PROFILE, cost_profile};
use crate::run::simulate_trace::TraceOptions;
use crate::run::{Interrupt, Progress, directory};
use crate::scenario::{print_duration, read_duration};

/// Run a scenario under virtual time in one process, reproducible to the bit
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
    /// Print one line per event, before the report
    #[arg(long, conflicts_with = "json")]
    trace: bool,
    /// Trace only what happens until this virtual time, such as 2.5s
    #[arg(long, requires = "trace", value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Trace only what concerns this transaction
    #[arg(long, requires = "trace", value_name = "HASH")]
    tx: Option<B256>,
    /// What work costs a node: `default`, `free` or a file of `shardlab calibrate`
    #[arg(long, default_value = DEFAULT_PROFILE, value_name = "NAME|FILE")]
    profile: String,
}

fn time(text: &str) -> Result<Timestamp, String> {
    let span =
        read_duration(text).map_err(|_| "expected a time such as 2.5s (ns, us, ms, s, m, h)")?;
    Ok(Timestamp::ZERO + span)
}

/// Simulates the scenario.
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
    let profile = match cost_profile(&arguments.profile) {
        Ok(profile) => profile,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Exit::BadInput;
        }
    };
    let directory = match directory::make(arguments.out.as_deref(), &scenario.name) {
        Ok(directory) => directory,
        Err(error) => {
            complain(&error.to_string());
            return Exit::BadInput;
        }
    };
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            complain(&format!("cannot listen for Ctrl-C: {error}"));
            return Exit::Internal;
        }
    };
    let narrowed = TraceOptions { until: arguments.until, transaction: arguments.tx };
    let options = SimulateOptions { profile, trace: arguments.trace.then_some(narrowed) };
    let progress = Progress::new(arguments.quiet || arguments.json || arguments.trace);
    let outcome = simulate(&scenario, &options, &interrupt, &progress);
    progress.clear();
    match outcome {
        Ok(data) => tell(arguments, &data, &directory),
        Err(error) => {
            complain(&error.to_string());
            match error {
                SimulateError::Prepare(PrepareError::Plan(_)) | SimulateError::Simulation(_) => {
                    Exit::Internal
                }
                SimulateError::Prepare(_) => Exit::BadInput,
            }
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
        let report = report::terminal(&measured, directory, report::Style::detect());
        print(&format!("{report}{}", speed(data)))
    };
    if let Some(died) = &data.died {
        complain(died);
    }
    if printed == Exit::Passed { verdict.exit() } else { printed }
}

/// Virtual and real time, events per second of one core, the digest.
fn speed(data: &RunData) -> String {
    let Some(facts) = &data.simulation else { return String::new() };
    let took = |wanted: &str| {
        let laps = data.machine.iter().flat_map(|machine| &machine.durations);
        let parts = laps.filter(|(part, _)| *part == wanted).map(|(_, took)| *took);
        parts.fold(Duration::ZERO, |sum, took| sum + took)
    };
    let (real, cpu) = (took("running"), took(RUNNING_CPU));
    let rate = facts.events as f64 / (cpu.0.max(1) as f64 / 1e9);
    let rounded = |time: Duration| print_duration(Duration::from_millis(time.as_millis()));
    format!(
        "  simulated {} of virtual time in {} of real time, {} of one core:\n  {} events, {} \
         per second of one core\n  costs of {}\n  \
         digest {}\n",
        rounded(facts.time),
        rounded(real),
        rounded(cpu),
        number::grouped(facts.events),
        number::grouped(rate as u64),
        facts.profile.name,
        facts.digest
    )
}

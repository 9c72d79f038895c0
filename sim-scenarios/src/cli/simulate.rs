//! `shardlab simulate`: a scenario in the simulated world, with the report of `shardlab run`.

use alloy_primitives::B256;
use cross_shard_msg::{Duration, Timestamp};

use super::Exit;
use super::run_arguments::RunArguments;
use super::terminal::complain;
use crate::metrics::RunData;
use crate::report::number;
use crate::run::complete::World;
use crate::run::simulate::{RUNNING_CPU, SimulateOptions};
use crate::run::simulate_profile::{DEFAULT_PROFILE, cost_profile};
use crate::run::simulate_trace::TraceOptions;
use crate::scenario::{print_duration, read_duration};

/// Run a scenario under virtual time in one process, reproducible to the bit
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    run: RunArguments,
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
    let scenario = match arguments.run.load() {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    let profile = match cost_profile(&arguments.profile) {
        Ok(profile) => profile,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Exit::BadInput;
        }
    };
    let narrowed = TraceOptions { until: arguments.until, transaction: arguments.tx };
    let options = SimulateOptions { profile, trace: arguments.trace.then_some(narrowed) };
    let world = World::Simulation(options);
    arguments.run.run(&scenario, &world, arguments.trace, |measured| speed(measured.run))
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

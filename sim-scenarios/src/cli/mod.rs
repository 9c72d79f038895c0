//! The command line of `shardlab`. Each subcommand has a file of its own: its arguments, and what
//! it does with them.

mod calibrate;
mod capacity;
mod check;
mod compare;
mod examples;
mod exit;
mod import;
mod new;
mod node;
mod partition;
mod report;
mod run;
mod run_arguments;
mod simulate;
mod swarm;
mod sweep;
pub mod terminal;
mod trace;
mod up;
mod workload;

use clap::{Parser, Subcommand};

use crate::partition::{Registration, register};

pub use exit::Exit;

/// A laboratory for sharded EVM chains: runs scenario files and reports what was measured.
#[derive(Debug, Parser)]
#[command(
    name = "shardlab",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 passed, 1 internal error, 2 bad input, 3 the network did not start \
                  or a process died, 4 an invariant broke, 99 a threshold failed, 130 interrupted."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Simulate(simulate::Arguments),
    Sweep(sweep::Arguments),
    Swarm(swarm::Arguments),
    Trace(trace::Arguments),
    Report(report::Arguments),
    Compare(compare::Arguments),
    Capacity(capacity::Arguments),
    Up(up::Arguments),
    Partition(partition::Arguments),
    Workload(workload::Arguments),
    Calibrate(calibrate::Arguments),
    Import(import::Arguments),
    Check(check::Arguments),
    New(new::Arguments),
    Examples(examples::Arguments),
    #[command(hide = true)]
    ShardNode(node::Arguments),
    #[command(hide = true)]
    Coordinator(node::Arguments),
}

/// The program with strategies of one's own, which are named as those that it has: register them,
/// then do as [`main`]. docs/strategies.md has an example.
#[must_use]
pub fn main_with(own: &[Registration]) -> Exit {
    if let Err(error) = register(own) {
        terminal::complain(&format!("error: {error}"));
        return Exit::Internal;
    }
    main()
}

/// Parses the program's arguments and does what they say.
#[must_use]
pub fn main() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => {
            // Help and version come as an error too, but go to standard output.
            let _ = message.print();
            return if message.use_stderr() { Exit::BadInput } else { Exit::Passed };
        }
    };
    match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Swarm(arguments) => swarm::run(&arguments),
        Command::Trace(arguments) => trace::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Capacity(arguments) => capacity::run(&arguments),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::Workload(arguments) => workload::run(&arguments),
        Command::Partition(arguments) => partition::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Examples(arguments) => examples::run(&arguments),
        Command::Up(arguments) => up::run(&arguments),
        Command::ShardNode(arguments) | Command::Coordinator(arguments) => node::run(&arguments),
    }
}

/// A scenario file and changes to it: the arguments of every subcommand that reads one.
#[derive(Clone, Debug, clap::Args)]
pub struct ScenarioArguments {
    /// The scenario file
    pub file: std::path::PathBuf,
    /// Changes one field, such as network.shards=8 or phase.steady.load.0.rate=200
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

impl ScenarioArguments {
    /// Reads the scenario.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(&self) -> Result<crate::scenario::Scenario, crate::scenario::Rejected> {
        crate::scenario::load(&self.file, &self.set)
    }
}

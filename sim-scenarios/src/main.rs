//! The `shardlab` program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    sim_scenarios::cli::main().into()
}

//! `shardlab` with one strategy more: `spinner`. It is named wherever strategies are: in
//! `my-shardlab partition --strategy spinner`, and in scenario files under `[partitioning]`.

mod spinner;

use std::process::ExitCode;

use sim_scenarios::cli::main_with;
use sim_scenarios::partition::Registration;

use crate::spinner::Spinner;

fn main() -> ExitCode {
    main_with(&[Registration::of::<Spinner>()]).into()
}

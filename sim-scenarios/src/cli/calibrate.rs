//! `shardlab calibrate`: what work costs on this machine.

use std::path::PathBuf;

use super::Exit;
use super::terminal::{complain, print};
use crate::calibrate::{CalibrateError, Estimate, Profile, ROUNDS, calibrate};
use crate::report::number::grouped;
use crate::run::{Interrupt, Progress};

/// Measure what work costs on this machine, for `simulate --profile FILE` (about 20 s)
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Write the profile to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What reports call the profile [default: the file's name, or `measured`]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Most rounds; each takes all measures once, about a second
    #[arg(long, value_name = "N", default_value_t = ROUNDS as u64, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    rounds: u64,
    /// Print the profile as JSON
    #[arg(long)]
    json: bool,
}

/// Measures.
pub fn run(arguments: &Arguments) -> Exit {
    let interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            complain(&format!("cannot listen for Ctrl-C: {error}"));
            return Exit::Internal;
        }
    };
    let stem = arguments.out.as_deref().and_then(|path| path.file_stem());
    let name = arguments.name.clone().or_else(|| Some(stem?.to_string_lossy().into_owned()));
    let name = name.unwrap_or_else(|| "measured".to_owned());
    let progress = Progress::new(arguments.json);
    progress.phase("calibrating: making everything ready");
    let telling = |done, all| progress.count("calibrating: rounds", done, all);
    let outcome = calibrate(&name, arguments.rounds as usize, &telling, &|| interrupt.is_set());
    progress.clear();
    let profile = match outcome {
        Ok(profile) => profile,
        Err(CalibrateError::Interrupted) => return Exit::Interrupted,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Exit::Internal;
        }
    };
    if let Some(path) = &arguments.out
        && let Err(error) = std::fs::write(path, profile.to_toml())
    {
        complain(&format!("error: {}: {error}", path.display()));
        return Exit::BadInput;
    }
    if arguments.json {
        return match serde_json::to_string_pretty(&profile) {
            Ok(text) => print(&format!("{text}\n")),
            Err(error) => {
                complain(&format!("error: {error}"));
                Exit::Internal
            }
        };
    }
    let mut text = table(&profile);
    match &arguments.out {
        Some(path) => text.push_str(&format!(
            "\n  profile  {}\n  use it with: shardlab simulate SCENARIO --profile {0}\n",
            path.display()
        )),
        None => text.push_str("\n  --out FILE writes it for: shardlab simulate --profile FILE\n"),
    }
    print(&text)
}

/// The profile for people: at most 100 columns.
fn table(profile: &Profile) -> String {
    let machine = &profile.machine;
    let mut text = format!(
        "{}: {}, {} cores, {}; medians of {} rounds\n\n  {:<42}{:>14}  spread\n",
        profile.name, machine.processor, machine.cores, machine.system, machine.rounds, "one", "ns"
    );
    let spread = |estimate: &Estimate| format!("{:.0} %", estimate.spread() * 100.0);
    for (_, what, estimate) in profile.costs.named() {
        let nanos = match estimate.median {
            small if small < 100.0 => format!("{small:.1}"),
            large => grouped(large.round() as u64),
        };
        text.push_str(&format!("  {what:<42}{nanos:>14}  {:>6}\n", spread(&estimate)));
    }
    text.push_str(&format!("\n  {:<42}{:>14}  spread\n", "gas of", "Mgas/s"));
    for (what, estimate) in profile.gas_per_second.named() {
        let rate = grouped((estimate.median / 1e6).round() as u64);
        text.push_str(&format!("  {what:<42}{rate:>14}  {:>6}\n", spread(&estimate)));
    }
    text
}

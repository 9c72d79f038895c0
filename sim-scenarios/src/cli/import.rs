//! `shardlab import`: scenarios from the configurations of other emulators.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Exit;
use super::run_arguments::refuse;
use super::terminal::{complain, print};
use crate::import::{Config, JsonFile, imported};
use crate::scenario::{self, Places};

/// A file that is looked for in the data directory.
const DATA: &str = "data:";

/// Turn another emulator's configuration into a scenario
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    Blockemulator(Blockemulator),
}

/// A paramsConfig.json of BlockEmulator v1 (github.com/HuangLab-SYSU/block-emulator)
#[derive(Debug, clap::Args)]
struct Blockemulator {
    /// The configuration
    file: PathBuf,
    /// The scenario to write, which must not exist [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The trace to replay [default: DatasetFile, beside the configuration]
    #[arg(long, value_name = "FILE")]
    trace: Option<String>,
    /// Number of shards, -S of BlockEmulator's command line [default: ShardNum, else 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    shards: Option<u32>,
}

/// Writes the scenario.
pub fn run(arguments: &Arguments) -> Exit {
    let From::Blockemulator(arguments) = &arguments.from;
    let read =
        JsonFile::read(&arguments.file).and_then(|file| Config::new(&file, arguments.shards));
    let config = match read {
        Ok(config) => config,
        Err(rejected) => return refuse(&rejected),
    };
    let places = Places::of(arguments.out.as_deref().unwrap_or(Path::new("scenario.toml")));
    let trace = match trace(arguments, &config, &places.base) {
        Ok(trace) => trace,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Exit::BadInput;
        }
    };
    let name = arguments.file.file_name().unwrap_or_default().to_string_lossy();
    let imported = imported(&config, &name, &trace);
    // What else may be wrong, such as a trace that is not there, the scenario's own reader knows.
    if let Err(rejected) = scenario::parse("the scenario", &imported.text, &[], &places) {
        return refuse(&rejected);
    }
    for warning in &imported.warnings {
        complain(&format!("warning: {warning}"));
    }
    let Some(out) = &arguments.out else { return print(&imported.text) };
    let shown = out.display();
    let written = std::fs::File::create_new(out)
        .and_then(|mut file| file.write_all(imported.text.as_bytes()));
    match written {
        Ok(()) => print(&format!("{shown} written. Next: shardlab check {shown}\n")),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            complain(&format!(
                "error: {shown} exists and is left as it is; choose another with --out"
            ));
            Exit::BadInput
        }
        Err(error) => {
            complain(&format!("error: cannot write {shown}: {error}"));
            Exit::BadInput
        }
    }
}

/// The trace's path as the scenario in `base` has it: relative to it where it can be.
fn trace(arguments: &Blockemulator, config: &Config, base: &Path) -> Result<String, String> {
    let found = match &arguments.trace {
        Some(data) if data.starts_with(DATA) => return Ok(data.clone()),
        Some(path) => PathBuf::from(path),
        None => {
            let beside = arguments.file.parent().unwrap_or(Path::new(""));
            beside.join(&config.dataset.value)
        }
    };
    let whole = std::path::absolute(&found)
        .and_then(|path| Ok((path, std::path::absolute(base)?)))
        .map_err(|error| format!("{}: {error}", found.display()));
    let (path, base) = whole?;
    if !path.is_file() {
        let asked = if arguments.trace.is_some() { "--trace" } else { "DatasetFile" };
        return Err(format!(
            "{asked}: there is no file {}\n  name another one with --trace FILE: a CSV in \
             BlockEmulator's columns, plain or gzip",
            path.display()
        ));
    }
    let relative = path.strip_prefix(&base).unwrap_or(&path);
    relative
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("{}: a path in a scenario must be valid UTF-8", path.display()))
}

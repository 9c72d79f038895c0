//! `shardlab compare`: which differences between runs are real.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::Exit;
use super::terminal::{complain, print};
use crate::compare::{self, Compared, Metric, Side, output};
use crate::report::{Style, html};
use crate::statistics::Finding;

/// Tell which differences between runs are real: two runs, or several seeds of each
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A RUN is the directory of a run, or one with runs in it (other seeds of the \
                        same scenario, such as a sweep's cell). The first one is what the others \
                        are compared with.\n\nExit codes: 0 compared, 2 bad input, 99 what \
                        --fail-if names was found."
)]
pub struct Arguments {
    /// Directories of runs, at least two
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Several runs as one side: NAME=DIRECTORY,DIRECTORY,…
    #[arg(long = "group", value_name = "NAME=DIR,DIR", value_parser = group)]
    groups: Vec<Group>,
    /// Writes compare.html, compare.json and compare.csv there
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// Prints JSON instead of the table
    #[arg(long)]
    json: bool,
    /// Shows all metrics, not only the main ones
    #[arg(long)]
    all: bool,
    /// Compares only metrics whose names begin so, such as finality or settlement.cross.p99
    #[arg(long = "metric", value_name = "NAME")]
    metrics: Vec<String>,
    /// Ends with exit code 99 if a real difference is `worse`, or if there is `any`
    #[arg(long, value_name = "WHAT")]
    fail_if: Option<FailIf>,
    /// Seed of the resampling
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Several runs under one name.
#[derive(Clone, Debug)]
struct Group {
    name: String,
    directories: Vec<PathBuf>,
}

/// What a script cares about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailIf {
    /// A real difference for the worse.
    Worse,
    /// Any real difference.
    Any,
}

fn group(text: &str) -> Result<Group, String> {
    let expected = "expected NAME=DIRECTORY,DIRECTORY,…";
    let (name, directories) = text.split_once('=').ok_or(expected)?;
    let directories: Vec<PathBuf> =
        directories.split(',').filter(|part| !part.is_empty()).map(PathBuf::from).collect();
    match name.is_empty() || directories.is_empty() {
        true => Err(expected.to_owned()),
        false => Ok(Group { name: name.to_owned(), directories }),
    }
}

/// Compares the runs.
pub fn run(arguments: &Arguments) -> Exit {
    let groups =
        arguments.groups.iter().map(|group| (group.name.clone(), group.directories.clone()));
    let singles = compare::names(&arguments.runs).into_iter().zip(&arguments.runs);
    let singles = singles.map(|(name, directory)| (name, vec![directory.clone()]));
    let sides: Result<Vec<Side>, _> =
        groups.chain(singles).map(|(name, directories)| Side::read(&name, &directories)).collect();
    let metrics = match chosen(&arguments.metrics) {
        Ok(metrics) => metrics,
        Err(problem) => {
            complain(&format!("error: {problem}"));
            return Exit::BadInput;
        }
    };
    let compared = sides.and_then(|sides| compare::compare(sides, &metrics, arguments.seed));
    let compared = match compared {
        Ok(compared) => compared,
        Err(error) => {
            complain(&format!("error: {error}"));
            return Exit::BadInput;
        }
    };
    if let Some(directory) = &arguments.out
        && let Err(problem) = write(&compared, directory)
    {
        complain(&format!("error: {problem}"));
        return Exit::BadInput;
    }
    let printed = if arguments.json {
        print(&format!("{:#}\n", output::json(&compared)))
    } else {
        let mut text = output::terminal(&compared, arguments.all, Style::detect());
        if let Some(directory) = &arguments.out {
            text.push_str(&format!("\n  {}\n", directory.join(html::comparison::FILE).display()));
        }
        print(&text)
    };
    match arguments.fail_if {
        _ if printed != Exit::Passed => printed,
        Some(what) if is_found(&compared, what) => Exit::ThresholdFailed,
        _ => Exit::Passed,
    }
}

/// The metrics whose names begin with one of these; all without any.
fn chosen(names: &[String]) -> Result<Vec<Metric>, String> {
    let mut metrics = Metric::all();
    let begins = |metric: &Metric, name: &String| {
        metric
            .name
            .strip_prefix(name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || name.ends_with('.'))
    };
    if let Some(name) = names.iter().find(|name| !metrics.iter().any(|it| begins(it, name))) {
        let mut known: Vec<&str> =
            metrics.iter().map(|it| it.name.split('.').next().unwrap_or_default()).collect();
        known.dedup();
        return Err(format!("no metric is named {name}\n  there are {}", known.join(", ")));
    }
    if !names.is_empty() {
        metrics.retain(|metric| names.iter().any(|name| begins(metric, name)));
        // What was asked for by name is shown.
        metrics.iter_mut().for_each(|metric| metric.main = true);
    }
    Ok(metrics)
}

fn write(compared: &Compared, directory: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    std::fs::create_dir_all(directory).map_err(failed)?;
    output::write(compared, directory).map_err(failed)?;
    let page = html::comparison::render(compared);
    std::fs::write(directory.join(html::comparison::FILE), page).map_err(failed)
}

fn is_found(compared: &Compared, what: FailIf) -> bool {
    let mut rows = compared.comparisons.iter().flat_map(|comparison| &comparison.rows);
    match what {
        FailIf::Any => rows.any(|row: &compare::Row| row.finding.is_shown()),
        FailIf::Worse => rows.any(|row| {
            matches!(row.finding, Finding::Lower | Finding::Higher)
                && row.is_better() == Some(false)
        }),
    }
}

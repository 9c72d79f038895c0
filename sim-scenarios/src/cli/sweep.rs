//! `shardlab sweep`: a scenario many times, each time a little different, and what the differences
//! came to.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::run_arguments::{listen, refuse};
use super::terminal::{complain, print};
use super::{Exit, ScenarioArguments};
use crate::metrics::Verdict;
use crate::report::{Style, html};
use crate::run::Progress;
use crate::run::simulate_profile::{DEFAULT_PROFILE, NamedProfile, cost_profile};
use crate::scenario::{SweepFile, load_sweep};
use crate::sweep::directory::{OpenError, Opened, open};
use crate::sweep::execute::{Ended, Making, execute, worse};
use crate::sweep::terminal::{listed, terminal, verdicts};
use crate::sweep::{Effect, Plan, SweepResults, load, tables};

/// Run a scenario with a [sweep] many times, and tell which differences are real
#[derive(Debug, clap::Args)]
#[command(after_help = "A sweep that was stopped goes on when it is called again with --out and \
                        its directory: only what is missing is run.")]
pub struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Where the sweep's files go; one that was stopped goes on [default: runs/NAME-TIME]
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// Changes the seed that those of the repeats are made from: short for --set seed=N
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Simulated runs at a time [default: one for each core, as memory allows]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// What work costs a simulated node: `default`, `free` or a file of `shardlab calibrate`
    #[arg(long, default_value = DEFAULT_PROFILE, value_name = "NAME|FILE")]
    profile: String,
    /// Only list the cells and the seeds
    #[arg(long)]
    list: bool,
    /// Print the results as JSON instead of the report
    #[arg(long)]
    json: bool,
    /// No progress and no report, only how many runs ended how
    #[arg(long)]
    quiet: bool,
}

/// Runs the sweep.
pub fn run(arguments: &Arguments) -> Exit {
    let mut set = arguments.scenario.set.clone();
    set.extend(arguments.seed.map(|seed| format!("seed={seed}")));
    let path = &arguments.scenario.file;
    let file = match load_sweep(path, &set) {
        Ok(file) => file,
        Err(rejected) => return refuse(&rejected),
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return bad_input(&format!("cannot read {}: {error}", path.display())),
    };
    let profile = match cost_profile(&arguments.profile) {
        Ok(profile) => profile,
        Err(error) => return bad_input(&format!("error: {error}")),
    };
    let plan = Plan::new(&file, &text, &set, &profile);
    if arguments.list {
        return print(&if arguments.json { pretty(&plan) } else { listed(&plan) });
    }
    match open(arguments.out.as_deref(), &plan, &text) {
        Ok(opened) => make(arguments, &file, &plan, &profile, &opened),
        Err(error @ OpenError::Write { .. }) => {
            complain(&error.to_string());
            Exit::Internal
        }
        Err(error) => bad_input(&error.to_string()),
    }
}

fn make(
    arguments: &Arguments,
    file: &SweepFile,
    plan: &Plan,
    profile: &NamedProfile,
    opened: &Opened,
) -> Exit {
    let interrupt = match listen() {
        Ok(interrupt) => interrupt,
        Err(exit) => return exit,
    };
    let progress = Progress::new(arguments.quiet || arguments.json);
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let making = Making {
        file,
        plan,
        directory: &opened.path,
        profile,
        jobs: arguments.jobs.unwrap_or(cores).get(),
        interrupt: &interrupt,
        progress: &progress,
    };
    let ended = execute(&making);
    progress.phase("comparing");
    let finished = ended.and_then(|ended| Ok((ended, load(&opened.path)?)));
    let (ended, results) = match finished {
        Ok(finished) => finished,
        Err(error) => {
            progress.clear();
            complain(&error.to_string());
            return Exit::Internal;
        }
    };
    let written = tables::write(&results, &opened.path);
    progress.clear();
    if let Err(error) = written {
        complain(&error.to_string());
        return Exit::Internal;
    }
    if let Err(error) = html::sweep::put(&results, &opened.path) {
        complain(&error.to_string());
        return Exit::Internal;
    }
    let told = Told {
        arguments,
        directory: &opened.path,
        results: &results,
        ended,
        resumed: opened.resumed,
        interrupted: interrupt.is_set(),
    };
    told.tell()
}

/// What is told at the end.
struct Told<'a> {
    arguments: &'a Arguments,
    directory: &'a Path,
    results: &'a SweepResults,
    ended: Ended,
    resumed: bool,
    interrupted: bool,
}

impl Told<'_> {
    fn tell(&self) -> Exit {
        let exit = self.exit();
        let printed = if self.arguments.json {
            print(&self.json(exit))
        } else if self.arguments.quiet {
            print(&format!("{}: {}\n", self.results.plan.name, verdicts(self.results)))
        } else {
            let mut text = terminal(self.results, self.directory, Style::detect());
            if self.resumed {
                let Ended { found, made, .. } = self.ended;
                text.push_str(&format!("  {found} runs were there, {made} were made now\n"));
            }
            print(&text)
        };
        let missing = self.results.missing();
        if missing > 0 {
            let why = if self.interrupted { "interrupted" } else { "not all runs have a result" };
            complain(&format!("{why}; {missing} runs are missing. To go on:\n  {}", self.again()));
        }
        if printed == Exit::Passed { exit } else { printed }
    }

    /// The code of the worst run, unless the user stopped the sweep.
    fn exit(&self) -> Exit {
        if self.interrupted && self.results.missing() > 0 {
            return Exit::Interrupted;
        }
        let verdicts = [Verdict::InvariantBroken, Verdict::NetworkDown, Verdict::ThresholdFailed];
        let of_run = |name: &str| {
            let verdict = verdicts.iter().find(|verdict| verdict.name() == name);
            verdict.map_or(Exit::Passed, |verdict| verdict.exit())
        };
        let runs = self.results.runs.iter().map(|run| of_run(&run.verdict));
        runs.fold(self.ended.without_result, worse)
    }

    /// The command that goes on with this sweep.
    fn again(&self) -> String {
        let quoted = |text: &str| match text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./=:,+".contains(c))
        {
            true => text.to_owned(),
            false => format!("'{}'", text.replace('\'', r"'\''")),
        };
        let arguments = self.arguments;
        let mut command =
            format!("shardlab sweep {}", quoted(&arguments.scenario.file.display().to_string()));
        for set in &arguments.scenario.set {
            command.push_str(&format!(" --set {}", quoted(set)));
        }
        if let Some(seed) = arguments.seed {
            command.push_str(&format!(" --seed {seed}"));
        }
        if let Some(jobs) = arguments.jobs {
            command.push_str(&format!(" --jobs {jobs}"));
        }
        if arguments.profile != DEFAULT_PROFILE {
            command.push_str(&format!(" --profile {}", quoted(&arguments.profile)));
        }
        format!("{command} --out {}", quoted(&self.directory.display().to_string()))
    }

    fn json(&self, exit: Exit) -> String {
        let SweepResults { plan, machine, runs, effects } = self.results;
        let runs: Vec<_> = runs
            .iter()
            .map(|run| {
                json!({
                    "cell": run.cell, "repeat": run.repeat, "seed": run.seed,
                    "verdict": run.verdict, "digest": run.digest, "problem": run.problem,
                    "directory": run.directory, "machine": run.machine,
                })
            })
            .collect();
        let chosen = |effect: &&Effect| plan.metrics.contains(&effect.metric);
        pretty(&json!({
            "directory": self.directory,
            "exit": exit as u8,
            "interrupted": self.interrupted,
            "missing": self.results.missing(),
            "plan": plan,
            "machine": machine,
            "runs": runs,
            "effects": effects.iter().filter(chosen).collect::<Vec<_>>(),
        }))
    }
}

fn pretty(value: &impl serde::Serialize) -> String {
    // Maps with keys of text and numbers are always JSON.
    serde_json::to_string_pretty(value).map(|text| text + "\n").unwrap_or_default()
}

fn bad_input(problem: &str) -> Exit {
    complain(problem);
    Exit::BadInput
}

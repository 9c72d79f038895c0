//! `shardlab capacity`: the highest rate at which a scenario's thresholds hold.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use runtime::clock::monotonic_nanos;
use runtime::logging::log_to_file;

use super::run_arguments::{listen, refuse};
use super::terminal::{complain, print};
use super::{Exit, ScenarioArguments};
use crate::capacity::climb::stage_name;
use crate::capacity::output::{self, JSON};
use crate::capacity::search::left;
use crate::capacity::{CapacityError, Climb, Ladder, Probe, Rule, Told, climb};
use crate::report::Style;
use crate::run::complete::World;
use crate::run::directory::{self, DirectoryError, LOG};
use crate::run::simulate::SimulateOptions;
use crate::run::simulate_profile::{DEFAULT_PROFILE, cost_profile};
use crate::run::{Interrupt, LOG_FILTER, Progress};
use crate::scenario::{Scenario, refuse_byzantine};

/// Find the highest rate at which a scenario's thresholds hold, and what gives out first above it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every rate of every load is multiplied by the same factor. It is doubled (or \
                        halved) until one rate holds and one does not, the distance is halved down \
                        to the resolution, other seeds are tried at the edge, and some more rates \
                        for the curve.\n\nA search that was interrupted goes on with the same \
                        command and --out.\n\nExit codes: 0 found, 2 bad input, 4 an invariant \
                        broke, 99 no rate holds, 130 interrupted."
)]
pub struct Arguments {
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Where files go; goes on with the search that is there [default: runs/NAME-capacity-TIME]
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// On real processes instead of in the simulated world
    #[arg(long)]
    processes: bool,
    /// What work costs in the simulated world: a name or a file, as in `simulate`
    #[arg(long, default_value = DEFAULT_PROFILE, value_name = "NAME|FILE", conflicts_with = "processes")]
    profile: String,
    /// Distance of two rates at the edge
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    resolution: f64,
    /// Seeds that are tried at the edge: the scenario's and those that follow it
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    seeds: u64,
    /// Rates are at most multiplied, or divided, by this
    #[arg(long, value_name = "FACTOR", default_value_t = 1024.0, value_parser = factor)]
    furthest: f64,
    /// Only the edge, no rates below and above it for the curve
    #[arg(long)]
    no_curve: bool,
    /// Simulated runs at a time [default: one for each core]
    #[arg(long, value_name = "N", conflicts_with = "processes")]
    jobs: Option<NonZeroUsize>,
    /// Prints capacity.json instead of the table
    #[arg(long)]
    json: bool,
    /// No progress, only the result in a line
    #[arg(long)]
    quiet: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim().parse::<f64>();
    match number {
        Ok(number) if (0.5..=100.0).contains(&number) => Ok(number / 100.0),
        _ => Err("expected 0.5% to 100%".to_owned()),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (1.0..=1e6).contains(&number) => Ok(number),
        _ => Err("expected a number from 1 to 1000000".to_owned()),
    }
}

/// Searches.
pub fn run(arguments: &Arguments) -> Exit {
    match prepared(arguments) {
        Ok((scenario, world)) => match searched(arguments, &scenario, &world) {
            Ok(exit) | Err(exit) => exit,
        },
        Err(exit) => exit,
    }
}

fn prepared(arguments: &Arguments) -> Result<(Scenario, World), Exit> {
    let scenario = arguments.scenario.load().map_err(|rejected| refuse(&rejected))?;
    let world = if arguments.processes {
        refuse_byzantine(&arguments.scenario.file).map_err(|rejected| refuse(&rejected))?;
        World::Processes
    } else {
        let profile = cost_profile(&arguments.profile).map_err(|error| bad(&error.to_string()))?;
        World::Simulation(SimulateOptions { profile, trace: None })
    };
    crate::capacity::scaled::check(&scenario).map_err(|error| bad(&error.to_string()))?;
    Ok((scenario, world))
}

fn bad(message: &str) -> Exit {
    complain(&format!("error: {message}"));
    Exit::BadInput
}

fn searched(arguments: &Arguments, scenario: &Scenario, world: &World) -> Result<Exit, Exit> {
    let directory = open(arguments, &scenario.name).map_err(|error| bad(&error.to_string()))?;
    let interrupt = listen()?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let jobs = match world {
        World::Processes => 1,
        World::Simulation(_) => arguments.jobs.unwrap_or(cores).get(),
    };
    let seeds = (0..arguments.seeds).map(|more| scenario.seed.saturating_add(more));
    let rule = Rule {
        resolution: arguments.resolution,
        seeds: seeds.collect(),
        furthest: arguments.furthest,
        curve: !arguments.no_curve,
    };
    let quiet = arguments.quiet || arguments.json;
    let line = Line::new(&rule, quiet);
    let asked = Climb {
        scenario,
        world,
        rule: rule.clone(),
        directory: &directory,
        jobs,
        interrupt: &interrupt,
        told: &|told| line.told(told),
    };
    let found = line.while_drawn(|| climb(&asked));
    line.progress.clear();
    match found {
        Ok(ladder) => Ok(tell(arguments, &ladder, &directory, &interrupt)),
        Err(error) => {
            complain(&format!("error: {error}"));
            Err(match error {
                CapacityError::Run { source, .. } => source.exit(),
                CapacityError::Files(_) => Exit::Internal,
                _ => Exit::BadInput,
            })
        }
    }
}

/// The directory of a search: a new one, or one with a search to go on with.
fn open(arguments: &Arguments, name: &str) -> Result<PathBuf, DirectoryError> {
    match &arguments.out {
        Some(asked) if asked.join(JSON).is_file() => {
            log_to_file(&asked.join(LOG), LOG_FILTER)?;
            Ok(asked.clone())
        }
        asked => directory::make(asked.as_deref(), &format!("{name}-capacity")),
    }
}

fn tell(arguments: &Arguments, ladder: &Ladder, directory: &Path, interrupt: &Interrupt) -> Exit {
    let printed = if arguments.json {
        print(&std::fs::read_to_string(directory.join(JSON)).unwrap_or_default())
    } else if arguments.quiet {
        print(&format!("{}\n", output::headline(ladder)))
    } else {
        print(&output::terminal(ladder, directory, Style::detect()))
    };
    let broken = ladder.probes.iter().find(|probe| probe.verdict == "invariant_broken");
    match broken {
        _ if printed != Exit::Passed => printed,
        Some(probe) => {
            complain(&format!(
                "an invariant broke in {}",
                directory.join(&probe.directory).display()
            ));
            Exit::InvariantBroke
        }
        None if interrupt.is_set() && !ladder.done => {
            complain(&format!(
                "interrupted; the same command with --out {} goes on",
                directory.display()
            ));
            Exit::Interrupted
        }
        None if ladder.capacity.step.is_none() => Exit::ThresholdFailed,
        None => Exit::Passed,
    }
}

/// What the user sees meanwhile.
struct Line<'a> {
    rule: &'a Rule,
    progress: Progress,
    /// What is being done, and how many seconds are left of it and what follows, from when on.
    now: Mutex<(String, Option<f64>, u64)>,
}

impl<'a> Line<'a> {
    fn new(rule: &'a Rule, quiet: bool) -> Self {
        let now = Mutex::new((String::new(), None, monotonic_nanos()));
        Self { rule, progress: Progress::new(quiet), now }
    }

    fn told(&self, told: Told<'_>) {
        match told {
            Told::Begins { probes, search, rate, seed } => {
                let left = left(self.rule, search);
                let seconds = seconds_left(probes, left);
                let words = format!(
                    "{:.0} tx/s, seed {seed}: {}; run {} of about {}",
                    rate,
                    stage_name(search.stage),
                    probes.len() + 1,
                    probes.len() + left,
                );
                if let Ok(mut now) = self.now.lock() {
                    *now = (words, seconds, monotonic_nanos());
                }
            }
            Told::Ended { probe, found } => {
                let mark = if probe.met { "✓" } else { "✗" };
                let why = probe.unmet.first().map(String::as_str).unwrap_or_default();
                let found = if found { " (was there)" } else { "" };
                self.progress.line(&format!(
                    "{mark} {:>9.1} tx/s  seed {}  {:>9.1} settled/s  p99 {:>6} ms{found}  {why}",
                    probe.offered_tps,
                    probe.seed,
                    probe.throughput_tps,
                    probe.settlement.p99.map_or("–".to_owned(), |time| format!("{time:.0}")),
                ));
            }
        }
        self.draw();
    }

    fn draw(&self) {
        let Ok(now) = self.now.lock() else { return };
        let (words, left, since) = &*now;
        let elapsed = monotonic_nanos().saturating_sub(*since) as f64 / 1e9;
        let left = match left {
            Some(left) => format!(", {} left", span((left - elapsed).max(0.0))),
            None => String::new(),
        };
        self.progress.say(&format!("{words}{left}"));
    }

    /// Keeps the line up to date while something is done.
    fn while_drawn<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let (stop, stopped) = channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let tick = Duration::from_millis(500);
                while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                    self.draw();
                }
            });
            let done = work();
            drop(stop);
            done
        })
    }
}

/// About how long so many runs take: as long as those that are done did on average, of which the
/// fast ones at low rates count less.
fn seconds_left(probes: &[Probe], left: usize) -> Option<f64> {
    let took: Vec<f64> = probes.iter().map(|it| it.took_seconds).filter(|it| *it > 0.0).collect();
    let longest = took.iter().copied().reduce(f64::max)?;
    let mean = took.iter().sum::<f64>() / took.len() as f64;
    Some(mean.midpoint(longest) * left as f64)
}

fn span(seconds: f64) -> String {
    match seconds.round() as u64 {
        seconds @ 0..60 => format!("about {seconds} s"),
        seconds @ 60..3_600 => format!("about {} min {} s", seconds / 60, seconds % 60),
        seconds => format!("about {} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

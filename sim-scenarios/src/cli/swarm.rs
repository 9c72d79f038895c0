//! `shardlab swarm`: many small random networks, to find out whether anything ever goes wrong.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runtime::clock::monotonic_nanos;

use super::Exit;
use super::run_arguments::listen;
use super::terminal::{complain, print};
use crate::report::number;
use crate::run::Progress;
use crate::scenario::print_duration;
use crate::swarm::shrink::{Shrunk, USUAL_DISK};
use crate::swarm::{
    Failure, Flock, FlockReport, Options, Situation, draw, flock, fly, run_trial, shrink,
    trace_trial,
};

/// Trials that shrinking may take.
const MAX_SHRINKING: u32 = 300;

/// Try random networks, workloads and faults from many seeds, with checkers at every event
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many seeds [default: 1000, or as many as fit into --minutes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Stop after so many minutes of real time
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Only this seed, with its options
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "minutes", "first"])]
    seed: Option<u64>,
    /// The first seed; the others follow it
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// Worker threads [default: one for each core]
    #[arg(long, value_name = "T")]
    threads: Option<NonZeroUsize>,
    /// Print one JSON object instead of the report
    #[arg(long)]
    json: bool,
    /// Try all seeds, also when one has failed
    #[arg(long)]
    keep_going: bool,
    /// Print one line per event of the seed, or of the smallest trial that fails
    #[arg(long, requires = "seed", conflicts_with = "json")]
    trace: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
    /// Where the shrunk scenario of a failure goes
    #[arg(long, value_name = "FILE", default_value = "swarm-failure.toml")]
    out: PathBuf,
}

/// Runs the swarm.
pub fn run(arguments: &Arguments) -> Exit {
    let interrupt = match listen() {
        Ok(interrupt) => interrupt,
        Err(exit) => return exit,
    };
    let (first, seeds) = match (arguments.seed, arguments.seeds, arguments.minutes) {
        (Some(seed), _, _) => (seed, 1),
        (None, Some(seeds), _) => (arguments.first, seeds),
        (None, None, Some(_)) => (arguments.first, u64::MAX),
        (None, None, None) => (arguments.first, 1_000),
    };
    if let (Some(seed), false) = (arguments.seed, arguments.json)
        && let Ok(options) = draw(seed)
    {
        let printed = print(&format!("seed {seed}\n{options}"));
        if printed != Exit::Passed {
            return printed;
        }
    }
    let limit = match arguments.minutes.map(|minutes| Duration::try_from_secs_f64(minutes * 60.0)) {
        Some(Err(_) | Ok(Duration::ZERO)) => {
            complain("error: --minutes: expected a number above 0");
            return Exit::BadInput;
        }
        Some(Ok(limit)) => Some(limit),
        None => None,
    };
    let started = monotonic_nanos();
    let elapsed = || Duration::from_nanos(monotonic_nanos().saturating_sub(started));
    let progress = Progress::new(arguments.quiet || arguments.json);
    let available = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let report = fly(&Flock {
        first,
        seeds,
        threads: arguments.threads.unwrap_or(available).get(),
        keep_going: arguments.keep_going,
        enough: &|| interrupt.is_set() || limit.is_some_and(|limit| elapsed() >= limit),
        told: &|report| progress.say(&line(report, elapsed())),
    });
    let took = elapsed();
    let failed = report.failed.first_key_value();
    let shrunk = failed.and_then(|(seed, failure)| {
        let options = draw(*seed).ok()?;
        let told = |attempts| progress.say(&format!("shrinking seed {seed}: {attempts} trials"));
        Some(shrink(&options, failure, MAX_SHRINKING, &run_trial, &told))
    });
    progress.clear();
    if let (true, Some(seed)) = (arguments.trace, arguments.seed)
        && let Some(options) = shrunk.as_ref().map(|it| it.options.clone()).or(draw(seed).ok())
    {
        let _ = trace_trial(&options);
    }
    let interrupted = interrupt.is_set();
    let shrunk = shrunk.as_ref();
    let told = Told { arguments, first, report: &report, took, interrupted, shrunk };
    let printed = print(&if arguments.json { told.json() } else { told.text() });
    match failed {
        _ if printed != Exit::Passed => printed,
        Some(_) => Exit::InvariantBroke,
        None if interrupt.is_set() => Exit::Interrupted,
        None => Exit::Passed,
    }
}

fn line(report: &FlockReport, took: Duration) -> String {
    format!(
        "{} seeds  {} seeds/hour  {} events/s",
        number::grouped(report.seeds),
        number::grouped(flock::per_hour(report.seeds, took)),
        number::grouped(rate(report.events, took)),
    )
}

fn rate(events: u64, took: Duration) -> u64 {
    (events as f64 / took.as_secs_f64().max(1e-9)) as u64
}

/// What is told at the end.
struct Told<'a> {
    arguments: &'a Arguments,
    first: u64,
    report: &'a FlockReport,
    took: Duration,
    interrupted: bool,
    shrunk: Option<&'a Shrunk>,
}

impl Told<'_> {
    fn text(&self) -> String {
        let report = self.report;
        let simulated = u64::try_from(report.virtual_time / 1_000_000).unwrap_or(u64::MAX);
        let mut text = format!(
            "{} from seed {}, {} events, {} of virtual time\ndigest {}\n\nwhat seldom happens\n",
            line(report, self.took),
            self.first,
            number::grouped(report.events),
            print_duration(cross_shard_msg::Duration::from_millis(simulated)),
            report.digest(),
        );
        for situation in Situation::ALL {
            let times = report.situations.times(situation);
            let times = match times {
                0 => "NEVER".to_owned(),
                times => number::grouped(times),
            };
            text.push_str(&format!("  {:<40} {times:>12}\n", situation.name()));
        }
        for (seed, failure) in report.failed.iter().skip(1) {
            text.push_str(&format!("\nseed {seed} FAILED\n  {failure}\n"));
        }
        match report.failed.first_key_value() {
            None if self.interrupted => {
                text.push_str("\ninterrupted; everything held until then\n")
            }
            None => text.push_str("\neverything held\n"),
            Some((seed, failure)) => self.failure(*seed, failure, &mut text),
        }
        text
    }

    fn failure(&self, seed: u64, failure: &Failure, text: &mut String) {
        text.push_str(&format!("\nseed {seed} FAILED\n  {failure}\n"));
        let Some(shrunk) = self.shrunk else { return };
        text.push_str(&format!(
            "\nafter {} trials the smallest that fails:\n{}  {}\n",
            shrunk.attempts, shrunk.options, shrunk.failure
        ));
        match write(&shrunk.options, &self.arguments.out) {
            Ok(Some(command)) => text.push_str(&format!("\nthe smallest one: {command}\n")),
            Ok(None) => text.push_str("\na scenario file cannot say what its disk is like\n"),
            Err(error) => text.push_str(&format!("\n{}: {error}\n", self.arguments.out.display())),
        }
        text.push_str(&format!("\nto repeat it: shardlab swarm --seed {seed}\n"));
    }

    fn json(&self) -> String {
        let report = self.report;
        let situations: serde_json::Map<String, serde_json::Value> = Situation::ALL
            .into_iter()
            .map(|one| (one.name().to_owned(), report.situations.times(one).into()))
            .collect();
        let failed = report.failed.first_key_value().map(|(seed, failure)| {
            let shrunk = self.shrunk.map(|shrunk| shrunk.options.scenario.to_string());
            serde_json::json!({
                "seed": seed,
                "invariant": failure.invariant,
                "detail": failure.detail,
                "shrunk": shrunk,
            })
        });
        let object = serde_json::json!({
            "first": self.first,
            "seeds": report.seeds,
            "events": report.events,
            "digest": report.digest().to_string(),
            "seconds": self.took.as_secs_f64(),
            "interrupted": self.interrupted,
            "situations": situations,
            "failed": failed,
        });
        format!("{object}\n")
    }
}

/// Writes a trial as a scenario, if a scenario can say all of it; the command that runs it.
fn write(options: &Options, path: &Path) -> std::io::Result<Option<String>> {
    if options.disk != USUAL_DISK {
        return Ok(None);
    }
    std::fs::write(path, options.scenario.to_string())?;
    let profile = if options.priced { "" } else { " --profile free" };
    Ok(Some(format!("shardlab simulate {}{profile}", path.display())))
}

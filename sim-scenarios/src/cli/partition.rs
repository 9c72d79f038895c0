//! `shardlab partition`: partitioning strategies judged on a trace, without a network.

use std::path::PathBuf;
use std::time::Duration;

use partitioning::{VertexWeight, Weights};

use super::Exit;
use super::run_arguments::listen;
use super::terminal::{complain, print};
use crate::partition::evaluate::{Evaluation, Options, WindowResult, evaluate};
use crate::partition::report::{self, ALL_LOCAL, Judged, Row};
use crate::partition::{Chosen, ChosenError, Quality, Trace};
use crate::run::{Progress, directory};

/// The lower bound, which is always judged.
const LOWER_BOUND: &str = "hash";

/// Judge partitioning strategies on a trace, without running a network
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Transactions in BlockEmulator's columns: CSV, CSV in gzip, or Parquet (.parquet)
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,
    /// Strategies, such as metis,fennel:passes=1,trace-file:homes.csv; hash is always judged
    #[arg(long = "strategy", value_name = "NAME[:OPTION=VALUE]", value_delimiter = ',')]
    strategies: Vec<String>,
    /// A strategy of your own: a program, see docs/strategies.md
    #[arg(long = "command", value_name = "PROGRAM ARGUMENTS")]
    commands: Vec<String>,
    /// Numbers of shards
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "4,16,64", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    shards: Vec<u32>,
    /// Transactions of a window [default: a tenth of the trace]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    window: Option<u64>,
    /// How many past windows a strategy learns from
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    train: u64,
    /// Most migrations before each window [default: any number]
    #[arg(long, value_name = "N")]
    budget: Option<u64>,
    /// Work of a cross-shard transaction over all its shards, in intra-shard transactions
    #[arg(long, value_name = "η", default_value_t = 2.0, value_parser = eta)]
    eta: f64,
    /// What is balanced
    #[arg(long, value_enum, default_value_t = Balanced::Load)]
    balance: Balanced,
    /// For strategies that draw random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Seconds that a command may take for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    timeout: f64,
    /// Where results.json, results.csv and windows.csv go [default: nowhere]
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// Print results.json instead of the table
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
}

/// What a strategy balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Balanced {
    /// The shards' load
    Load,
    /// The number of accounts
    Accounts,
}

fn eta(text: &str) -> Result<f64, String> {
    number(text, 1.0, 1_000.0)
}

fn seconds(text: &str) -> Result<f64, String> {
    number(text, 0.001, 86_400.0)
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let within = |number: &f64| *number >= least && *number <= most;
    let number = text.parse().ok().filter(within);
    number.ok_or_else(|| format!("expected a number from {least} to {most}"))
}

/// Judges the strategies.
pub fn run(arguments: &Arguments) -> Exit {
    let chosen = match chosen(arguments) {
        Ok(chosen) => chosen,
        Err(error) => return refuse(&error.to_string()),
    };
    let trace = match Trace::read(&arguments.trace) {
        Ok(trace) => trace,
        Err(error) => return refuse(&error.to_string()),
    };
    let all = trace.stream.len();
    let window = arguments.window.map_or(all / 10, |window| usize::try_from(window).unwrap_or(all));
    if window == 0 || all / window < 2 {
        return refuse(&format!(
            "{} has {all} transactions: too few for one window to learn from and one to judge; \
             give a --window of at most {}",
            arguments.trace.display(),
            all / 2
        ));
    }
    let out = match &arguments.out {
        Some(asked) => match directory::make(Some(asked), "partition") {
            Ok(directory) => Some(directory),
            Err(error) => return refuse(&error.to_string()),
        },
        None => None,
    };
    let interrupt = match listen() {
        Ok(interrupt) => interrupt,
        Err(exit) => return exit,
    };
    let progress = Progress::new(arguments.quiet);
    let mut judged = Judged {
        trace: arguments.trace.display().to_string(),
        transactions: all as u64,
        rows: Vec::new(),
    };
    for shards in &arguments.shards {
        let options = options(arguments, *shards, window);
        for strategy in &chosen {
            let label = &strategy.label;
            let mut told = |done: usize, count: usize| {
                progress.count(&format!("{label} at {shards} shards: window"), done, count);
                !interrupt.is_set()
            };
            let evaluation = evaluate(
                &trace.stream,
                &trace.contracts,
                strategy.partitioner.as_ref(),
                strategy.oracle,
                options,
                &mut told,
            );
            if interrupt.is_set() {
                progress.clear();
                return Exit::Interrupted;
            }
            judged.rows.push(Row { strategy: label.clone(), options, evaluation });
        }
        // The same transactions as those that were judged.
        if let Some(row) = judged.rows.last() {
            let evaluation = all_local(&row.evaluation, *shards);
            judged.rows.push(Row { strategy: ALL_LOCAL.to_owned(), options, evaluation });
        }
    }
    progress.clear();
    if let Some(directory) = out
        && let Err(error) = report::write(&judged, &directory)
    {
        complain(&format!("{}: {error}", directory.display()));
        return Exit::Internal;
    }
    if arguments.json {
        print(&format!("{:#}\n", report::json(&judged)))
    } else {
        print(&report::terminal(&judged))
    }
}

fn chosen(arguments: &Arguments) -> Result<Vec<Chosen>, ChosenError> {
    let mut chosen: Vec<Chosen> = Vec::new();
    let named = arguments.strategies.iter().map(String::as_str);
    for name in [LOWER_BOUND].into_iter().chain(named) {
        if !chosen.iter().any(|known| known.label == name) {
            chosen.push(Chosen::named(name)?.without_places()?);
        }
    }
    let timeout = Duration::from_secs_f64(arguments.timeout);
    for command in &arguments.commands {
        chosen.push(Chosen::command(command, timeout)?);
    }
    Ok(chosen)
}

fn options(arguments: &Arguments, shards: u32, window: usize) -> Options {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let vertex = match arguments.balance {
        Balanced::Load => VertexWeight::Load,
        Balanced::Accounts => VertexWeight::Unit,
    };
    Options {
        shards,
        window,
        train: whole(arguments.train),
        budget: arguments.budget.map_or(usize::MAX, whole),
        weights: Weights { vertex, eta: arguments.eta },
        seed: arguments.seed,
    }
}

/// The upper bound for what was judged.
fn all_local(judged: &Evaluation, shards: u32) -> Evaluation {
    let best = |window: &WindowResult| WindowResult {
        quality: Quality::all_local(window.quality.transactions, shards),
        window: window.window,
        migrations: 0,
        wanted: 0,
        failure: None,
        took: Duration::ZERO,
        memory: None,
    };
    Evaluation { windows: judged.windows.iter().map(best).collect() }
}

fn refuse(message: &str) -> Exit {
    complain(&format!("error: {message}"));
    Exit::BadInput
}

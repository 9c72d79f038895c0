//! `shardlab workload`: what a scenario would send, without running it: how it compares with
//! mainnet, and as a trace for other tools.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::terminal::{colour, complain, print};
use super::{Exit, ScenarioArguments};
use crate::report::number::grouped;
use crate::run::{Progress, genesis_allocation, open_file};
use crate::scenario::Scenario;
use crate::sweep::table::{write_csv, write_parquet};
use crate::workload::records::is_parquet;
use crate::workload::seen::{Seen, planned, traced};
use crate::workload::statistics::{Compared, MAINNET, Statistics, modularity};
use crate::workload::{self, Planted, Workers, Workload, export};

/// Plan a scenario's workload without running it, and compare it with mainnet
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A scenario file, or a trace in BlockEmulator's columns: .csv, .csv.gz, .parquet
    #[command(flatten)]
    scenario: ScenarioArguments,
    /// Writes what the phases send as a trace: Parquet if it ends in .parquet, else CSV
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes the planted communities as an allocation for the strategy `trace-file`: lines
    /// ADDRESS,SHARD, where the shard is the community modulo the scenario's shards
    #[arg(long, value_name = "FILE")]
    planted: Option<PathBuf>,
    /// Compares this many transactions, the first ones; 0 for all. The mainnet sample has 8,759, and
    /// most of the numbers depend on it
    #[arg(long, value_name = "N", default_value_t = MAINNET.transactions)]
    sample: u64,
    /// Of a trace, only blocks from this one on (the mainnet sample: 15537394)
    #[arg(long, value_name = "BLOCK", default_value_t = 0)]
    from_block: u64,
    /// The deviation from mainnet, in percent, up to which a number counts as alike
    #[arg(long, value_name = "PERCENT", default_value_t = 25.0, value_parser = percent)]
    tolerance: f64,
    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
}

/// What is compared with mainnet.
struct Subject {
    seen: Vec<Seen>,
    planted: Vec<Planted>,
    /// Transactions that prepare the run, by what they do.
    setup: Option<(usize, usize)>,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse().ok();
    let number = number.filter(|number: &f64| *number >= 0.0 && *number <= 1_000.0);
    number.ok_or_else(|| "expected a number from 0 to 1000".to_owned())
}

/// Plans and compares.
pub fn run(arguments: &Arguments) -> Exit {
    let file = &arguments.scenario.file;
    let is_scenario = file.extension().is_some_and(|extension| extension == "toml");
    let subject = if is_scenario { scenario(arguments) } else { trace(arguments, file) };
    let mut subject = match subject {
        Ok(subject) => subject,
        Err(message) => {
            complain(&message);
            return Exit::BadInput;
        }
    };
    let all = subject.seen.len();
    let wanted = if arguments.sample == 0 { u64::MAX } else { arguments.sample };
    subject.seen.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    let statistics = Statistics::of(&subject.seen);
    if arguments.json {
        print(&format!("{:#}\n", in_json(arguments, &subject, &statistics, all)))
    } else {
        print(&on_terminal(arguments, &subject, &statistics, all))
    }
}

fn scenario(arguments: &Arguments) -> Result<Subject, String> {
    let scenario = arguments.scenario.load().map_err(|rejected| rejected.render(colour()))?;
    let failed = |error: &dyn std::fmt::Display| format!("error: {error}");
    let progress = Progress::new(arguments.quiet || arguments.json);
    let told = |done: usize, of: usize| progress.count("deriving keys", done, of);
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = Workers { threads, progress: &told };
    let workload = workload::build(&scenario, &genesis_allocation(&scenario), &open_file, &workers)
        .map_err(|error| failed(&error))?;
    if let Some(out) = &arguments.out {
        let told = |done: usize, of: usize| progress.count("signing", done, of);
        write(&scenario, &workload, &Workers { threads, progress: &told }, out)?;
    }
    if let Some(out) = &arguments.planted {
        let lines = allocation(&workload, scenario.network.shards);
        std::fs::write(out, lines)
            .map_err(|error| format!("error: cannot write {}: {error}", out.display()))?;
    }
    progress.clear();
    let seen = planned(&workload);
    if seen.is_empty() {
        return Err(failed(&"the scenario plans no transaction (real blocks are not planned)"));
    }
    let of = |stage| workload.transactions.iter().filter(|plan| plan.stage == stage).count();
    let setup = (of(workload::Stage::Deploy), of(workload::Stage::Prepare));
    Ok(Subject { seen, planted: workload.planted, setup: Some(setup) })
}

/// Every account's and contract's community as a shard; the first load that knows one decides.
fn allocation(workload: &Workload, shards: u32) -> String {
    let mut known = BTreeSet::new();
    let places = workload.planted.iter().flat_map(|planted| &planted.community);
    places
        .filter(|(address, _)| known.insert(*address))
        .map(|(address, community)| format!("{address:#x},{}\n", community % shards.max(1)))
        .collect()
}

fn write(
    scenario: &Scenario,
    workload: &Workload,
    workers: &Workers<'_>,
    out: &Path,
) -> Result<(), String> {
    let signed = workload::sign(workload, workers).map_err(|error| format!("error: {error}"))?;
    let columns = export::columns(scenario, workload, &signed);
    let write = if is_parquet(out) { write_parquet } else { write_csv };
    write(&columns, out).map_err(|error| format!("error: cannot write {}: {error}", out.display()))
}

fn trace(arguments: &Arguments, file: &Path) -> Result<Subject, String> {
    if !arguments.scenario.set.is_empty() || arguments.out.is_some() || arguments.planted.is_some()
    {
        return Err(format!(
            "error: {} is a trace, as its name does not end in .toml: it has no --set, --out and \
             --planted",
            file.display()
        ));
    }
    let seen = traced(file, arguments.from_block, &open_file)
        .map_err(|error| format!("error: {error}"))?;
    if seen.is_empty() {
        return Err(format!("error: {} has no transaction from there on", file.display()));
    }
    Ok(Subject { seen, planted: Vec::new(), setup: None })
}

fn verdict(arguments: &Arguments, row: &Compared) -> bool {
    row.deviation().abs() * 100.0 <= arguments.tolerance
}

fn on_terminal(
    arguments: &Arguments,
    subject: &Subject,
    statistics: &Statistics,
    all: usize,
) -> String {
    let mut text =
        format!("{}: {} transactions", arguments.scenario.file.display(), grouped(all as u64));
    if let Some((deployed, prepared)) = subject.setup {
        text.push_str(&format!(
            ", after {} that create contracts and {} that prepare them",
            grouped(deployed as u64),
            grouped(prepared as u64)
        ));
    }
    text.push_str(&format!(
        "\nthe first {} beside {} of mainnet:\n\n",
        grouped(statistics.transactions),
        grouped(MAINNET.transactions)
    ));
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["", "here", "mainnet", "deviation", "verdict"]);
    let shown = |row: &Compared, value: f64| {
        if row.share { format!("{:.1} %", 100.0 * value) } else { format!("{value:.2}") }
    };
    let rows = statistics.compared();
    for row in &rows {
        let within = if verdict(arguments, row) { "within" } else { "not within" };
        table.add_row([
            row.what.to_owned(),
            shown(row, row.here),
            shown(row, row.mainnet),
            // 0 rather than -0.
            format!("{:+.0} %", (100.0 * row.deviation()).round() + 0.0),
            format!("{within} {} %", arguments.tolerance),
        ]);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        if (1..=3).contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let within = rows.iter().filter(|row| verdict(arguments, row)).count();
    text.push_str(&format!("\n{within} of {} within {} %\n", rows.len(), arguments.tolerance));
    for planted in &subject.planted {
        text.push_str(&communities(subject, planted));
    }
    text
}

fn communities(subject: &Subject, planted: &Planted) -> String {
    let all = (planted.inside + planted.outside + planted.hub).max(1) as f64;
    let percent = |count: u64| 100.0 * count as f64 / all;
    let count = planted.community.iter().map(|(_, community)| community + 1).max().unwrap_or(0);
    let modularity = modularity(&subject.seen, planted)
        .map_or_else(String::new, |value| format!("; modularity {value:.2}"));
    let changes = match planted.periods {
        0 => String::new(),
        periods => format!("; they changed {} times", grouped(periods)),
    };
    format!(
        "phase {}, load {}: {} communities; {:.1} % of its transactions stay inside one, {:.1} % go \
         to another, {:.1} % to a hub{modularity}{changes}\n",
        planted.phase,
        planted.load,
        grouped(count.into()),
        percent(planted.inside),
        percent(planted.outside),
        percent(planted.hub),
    )
}

fn in_json(arguments: &Arguments, subject: &Subject, statistics: &Statistics, all: usize) -> Value {
    let row = |row: &Compared| {
        json!({
            "name": row.name,
            "here": row.here,
            "mainnet": row.mainnet,
            "deviation": row.deviation(),
            "within": verdict(arguments, row),
        })
    };
    let planted = |planted: &Planted| {
        json!({
            "phase": planted.phase,
            "load": planted.load,
            "inside": planted.inside,
            "outside": planted.outside,
            "hub": planted.hub,
            "changes": planted.periods,
            "modularity": modularity(&subject.seen, planted),
        })
    };
    json!({
        "version": 1,
        "file": arguments.scenario.file.display().to_string(),
        "transactions": all,
        "compared": statistics.transactions,
        "deployments": subject.setup.map(|setup| setup.0),
        "preparations": subject.setup.map(|setup| setup.1),
        "tolerance": arguments.tolerance / 100.0,
        "statistics": statistics.compared().iter().map(row).collect::<Vec<_>>(),
        "communities": subject.planted.iter().map(planted).collect::<Vec<_>>(),
    })
}

//! What came of a search: the ladder on the terminal, `capacity.json`, `capacity.csv`,
//! `report.html`.

use std::fs;
use std::io;
use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::ladder::{Ladder, Rung};
use crate::compare::Unit;
use crate::compare::output::shown;
use crate::report::number::grouped;
use crate::report::{Style, html};

/// The results for programs.
pub const JSON: &str = "capacity.json";
/// One row per run.
pub const CSV: &str = "capacity.csv";

/// Columns of capacity.csv.
pub const COLUMNS: &[&str] = &[
    "step",
    "factor",
    "seed",
    "directory",
    "offered_tps",
    "throughput_tps",
    "settled_share",
    "settlement_p50_ms",
    "settlement_p90_ms",
    "settlement_p99_ms",
    "finality_p50_ms",
    "finality_p90_ms",
    "finality_p99_ms",
    "verdict",
    "met",
    "unmet",
    "took_seconds",
];

/// Writes all files of a search. Each appears whole or not at all.
///
/// # Errors
/// When one cannot be written.
pub fn write(ladder: &Ladder, directory: &Path) -> io::Result<()> {
    let json = serde_json::to_string_pretty(ladder)?;
    replace(&directory.join(JSON), &format!("{json}\n"))?;
    replace(&directory.join(CSV), &csv(ladder)?)?;
    replace(&directory.join(html::FILE), &html::capacity::render(ladder))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    fs::write(&partial, text)?;
    fs::rename(&partial, path)
}

fn csv(ladder: &Ladder) -> io::Result<String> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    for probe in &ladder.probes {
        let number = |value: Option<f64>| value.map(|it| it.to_string()).unwrap_or_default();
        table.write_record([
            probe.step.to_string(),
            probe.factor.to_string(),
            probe.seed.to_string(),
            probe.directory.clone(),
            probe.offered_tps.to_string(),
            probe.throughput_tps.to_string(),
            number(probe.settled_share),
            number(probe.settlement.p50),
            number(probe.settlement.p90),
            number(probe.settlement.p99),
            number(probe.finality.p50),
            number(probe.finality.p90),
            number(probe.finality.p99),
            probe.verdict.clone(),
            probe.met.to_string(),
            probe.unmet.join("; "),
            probe.took_seconds.to_string(),
        ])?;
    }
    let bytes = table.into_inner().map_err(|error| error.into_error())?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// What is printed: the capacity, the ladder, the knee, what gave out first.
#[must_use]
pub fn terminal(ladder: &Ladder, directory: &Path, style: Style) -> String {
    let paint = |code: &str, words: &str| match style.colour {
        true => format!("\u{1b}[{code}m{words}\u{1b}[0m"),
        false => words.to_owned(),
    };
    let mut text = format!("{}\n", paint("1", &headline(ladder)));
    text.push_str(&format!("  {}\n\n", ladder.plan.world));
    text.push_str("  what must hold\n");
    for criterion in &ladder.plan.criteria {
        text.push_str(&format!("    {criterion}\n"));
    }
    for threshold in &ladder.plan.not_judged {
        text.push_str(&format!("    not judged, it grows with the rate: {threshold}\n"));
    }
    text.push('\n');
    text.push_str(&table(ladder));
    text.push('\n');
    for line in facts(ladder) {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(&format!("\n  {}\n", directory.join(html::FILE).display()));
    text
}

/// The result in a line.
#[must_use]
pub fn headline(ladder: &Ladder) -> String {
    let found = &ladder.capacity;
    let name = &ladder.plan.name;
    let so_far = if ladder.done { "" } else { " (so far: the search is not done)" };
    let rate = |tps: f64| shown(tps, Unit::Number);
    let seeds = match ladder.plan.rule.seeds.len() {
        1 => "with its seed".to_owned(),
        seeds => format!("with each of {seeds} seeds"),
    };
    match (found.offered_tps, found.unmet_tps) {
        (Some(met), Some(unmet)) => format!(
            "{name}: {} transactions per second {seeds}, but not {}{so_far}",
            rate(met),
            rate(unmet)
        ),
        (Some(met), None) => format!(
            "{name}: at least {} transactions per second {seeds}{}",
            rate(met),
            match ladder.done {
                true => "; a higher rate was not tried (--furthest)",
                false => so_far,
            }
        ),
        (None, _) => format!("{name}: no rate that was tried meets the thresholds{so_far}"),
    }
}

/// The knee, what gave out first, why the next step fails.
#[must_use]
pub fn facts(ladder: &Ladder) -> Vec<String> {
    let found = &ladder.capacity;
    let rate = |tps: f64| shown(tps, Unit::Number);
    let mut lines = Vec::new();
    if let Some(knee) = found.knee {
        lines.push(format!(
            "Knee: {} tx/s, where throughput ÷ median settlement latency (Kleinrock's power) is \
             largest: {} ms",
            rate(knee.offered_tps),
            shown(knee.settlement_p50_ms, Unit::Milliseconds)
        ));
    }
    match found.saturated.as_slice() {
        [] if ladder.done => lines.push(match found.unmet_tps {
            Some(_) => "Nothing was saturated: a threshold gave out first".to_owned(),
            None => "Nothing was saturated at the rates that were tried".to_owned(),
        }),
        [] => {}
        [first, others @ ..] => {
            let at = |it: &super::ladder::Saturated| {
                format!("from {} tx/s: {}", rate(it.offered_tps), it.words)
            };
            lines.push(format!("Saturated first, {}", at(first)));
            lines.extend(others.iter().map(|it| format!("then, {}", at(it))));
        }
    }
    if let (Some(unmet), false) = (found.unmet_tps, found.because.is_empty()) {
        lines.push(format!("Not met at {} tx/s:", rate(unmet)));
        lines.extend(found.because.iter().map(|reason| format!("  {reason}")));
    }
    lines
}

fn table(ladder: &Ladder) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "offered,\ntx/s",
        "×",
        "settled,\ntx/s",
        "settlement\np50, ms",
        "\np99, ms",
        "finality\np99, ms",
        "power",
        "met by",
        "",
    ]);
    for rung in &ladder.rungs {
        table.add_row(row(rung, ladder));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        if index != 8 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn row(rung: &Rung, ladder: &Ladder) -> Vec<String> {
    let found = &ladder.capacity;
    let time = |range: &Option<super::ladder::Range>| {
        range.map_or("–".to_owned(), |it| shown(it.mean, Unit::Milliseconds))
    };
    let mut notes = Vec::new();
    if found.step == Some(rung.step) {
        notes.push("capacity");
    }
    if found.knee.is_some_and(|knee| knee.offered_tps == rung.offered_tps) {
        notes.push("knee");
    }
    vec![
        shown(rung.offered_tps, Unit::Number),
        format!("{:.3}", rung.factor),
        shown(rung.throughput_tps.mean, Unit::Number),
        time(&rung.settlement_p50_ms),
        time(&rung.settlement_p99_ms),
        time(&rung.finality_p99_ms),
        rung.power.map_or("–".to_owned(), |power| format!("{power:.2}")),
        format!("{} of {}", grouped(rung.met as u64), grouped(rung.seeds as u64)),
        notes.join(", "),
    ]
}

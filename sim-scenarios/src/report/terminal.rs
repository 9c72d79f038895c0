//! The report on the terminal: the verdict first, then what it rests on. At most 100 columns.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;

use cross_shard_msg::Timestamp;
use simulation::checkers::Checked;

use super::byzantine;
use super::migrations;
use super::number::{grouped, plain};
use super::summary::gate_name;
use super::tables::{self, MAX_SHARDS_SHOWN, percent};
use crate::metrics::results::{PhaseResults, Results, failure_name};
use crate::metrics::shards::{CROSS_SHARD_WEIGHT, imbalance};
use crate::metrics::verdict::ThresholdResult;
use crate::metrics::{Measured, Verdict};
use crate::scenario::Durability;

/// The widest line.
pub const WIDTH: usize = 100;
/// Most breaches of one invariant that are listed; summary.json has all of them.
const MOST_LISTED: usize = 8;

/// How the report looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour what matters: on a terminal, unless `NO_COLOR` is set.
    pub colour: bool,
}

impl Style {
    /// As the standard output of this program and its environment want it.
    #[must_use]
    pub fn detect() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|value| value == "dumb");
        let forbidden = set("NO_COLOR").is_some() || dumb;
        Self { colour: !forbidden && std::io::stdout().is_terminal() }
    }
}

/// The report of a run whose files are in `directory`.
#[must_use]
pub fn terminal(measured: &Measured<'_>, directory: &Path, style: Style) -> String {
    let results = &measured.results;
    let mut report = Report { text: String::new(), style };
    report.verdict(results);
    report.thresholds(results);
    report.invariants(results);
    report.problems(results);
    report.byzantine(measured);
    report.migrations(measured);
    report.faults(measured);
    report.transactions(results);
    report.table(&tables::latencies(&results.total));
    if results.phases.len() > 1 {
        report.table(&tables::phases(results));
    }
    report.table(&tables::shards(results));
    report.balance(results);
    report.table(&tables::checkpoints(results));
    report.network(results);
    report.machine(measured);
    report.blank();
    report.line("files", &directory.display().to_string());
    report.text
}

#[derive(Clone, Copy)]
enum Colour {
    Red,
    Green,
    Yellow,
}

struct Report {
    text: String,
    style: Style,
}

impl Report {
    fn verdict(&mut self, results: &Results) {
        let (word, colour) = match results.verdict {
            Verdict::Passed => ("PASSED", Colour::Green),
            Verdict::ThresholdFailed => ("THRESHOLD FAILED", Colour::Red),
            Verdict::InvariantBroken => ("INVARIANT BROKEN", Colour::Red),
            Verdict::NetworkDown => ("NETWORK DOWN", Colour::Red),
            Verdict::Interrupted => ("INTERRUPTED", Colour::Yellow),
        };
        let word = self.paint(word, colour);
        self.text.push_str(&format!("{word}  {}", results.name));
        if results.signatures_assumed {
            let note = self.paint("signatures assumed, not verified", Colour::Yellow);
            self.text.push_str(&format!("  ({note})"));
        }
        self.text.push('\n');
        self.text.push_str(&format!(
            "  {}, {}, gate {}, {}seed {}\n",
            plural(results.shards.into(), "shard"),
            plural(results.validators.into(), "coordinator"),
            gate_name(results.gate),
            match results.durability {
                Durability::Process => "",
                Durability::Disk => "durability disk, ",
            },
            results.seed
        ));
        // The program shows the end of the log after the report.
        if let Some(died) = results.died.as_ref().and_then(|died| died.lines().next()) {
            self.wrapped("  ", died);
        }
    }

    fn thresholds(&mut self, results: &Results) {
        if results.thresholds.is_empty() {
            return;
        }
        self.blank();
        for result in &results.thresholds {
            let mark = self.mark(result.held);
            self.wrapped(&format!("  {mark} "), &threshold(result));
        }
    }

    fn invariants(&mut self, results: &Results) {
        self.blank();
        for result in &results.invariants {
            let name = format!("{:<12}", result.invariant.name());
            if result.not_applicable() {
                let why = result.not_judged.as_deref().unwrap_or("nothing was recorded");
                self.wrapped(&format!("  - {name}  "), &format!("not applicable: {why}"));
            } else if result.held() {
                let mark = self.mark(true);
                self.wrapped(&format!("  {mark} {name}  "), &counted(&result.checked));
            }
        }
        for result in results.invariants.iter().filter(|result| !result.held()) {
            let mark = self.mark(false);
            self.wrapped(
                &format!("  {mark} "),
                &format!("invariant broken: {}", result.invariant.name()),
            );
            for breach in result.breaches.iter().take(MOST_LISTED) {
                self.wrapped("      ", breach);
            }
        }
    }

    /// Warnings, and what is missing.
    fn problems(&mut self, results: &Results) {
        let incomplete = results.incomplete.iter().map(|text| format!("incomplete: {text}"));
        let all: Vec<String> = results.warnings.all().cloned().chain(incomplete).collect();
        if !all.is_empty() {
            self.blank();
        }
        for warning in all {
            let mark = self.paint("!", Colour::Yellow);
            self.wrapped(&format!("  {mark} "), &warning);
        }
    }

    /// What Byzantine nodes did, and whom it hurt.
    fn byzantine(&mut self, measured: &Measured<'_>) {
        let lines = byzantine::lines(measured);
        if !lines.is_empty() {
            self.blank();
        }
        for line in lines {
            self.wrapped("  ", &line);
        }
    }

    /// Epochs, and what it took to move accounts.
    fn migrations(&mut self, measured: &Measured<'_>) {
        let lines = migrations::lines(measured);
        if !lines.is_empty() {
            self.blank();
        }
        for line in lines {
            self.wrapped("  ", &line);
        }
    }

    /// What broke, and when, in seconds from the network's start.
    fn faults(&mut self, measured: &Measured<'_>) {
        let faults = &measured.run.faults;
        if !faults.is_empty() {
            self.blank();
        }
        for fault in faults.iter().take(MOST_LISTED) {
            let seconds = |at: Timestamp| format!("{:.1} s", at.0 as f64 / 1e9);
            let end = fault.end.map_or("the end".to_owned(), seconds);
            let (kind, target) = (fault.kind, &fault.target);
            let when = format!("{} to {end}", seconds(fault.start));
            self.wrapped("  ", &format!("fault  {kind} of {target}: {when}"));
        }
        if faults.len() > MOST_LISTED {
            self.wrapped("  ", &format!("{} more faults", faults.len() - MOST_LISTED));
        }
    }

    fn transactions(&mut self, results: &Results) {
        let total = &results.total;
        let counts = &total.counts;
        self.blank();
        let mut row = |name: &str, count: u64, note: String| {
            let count = grouped(count);
            let line = format!("  {name:<12}{count:>12}  {note}");
            self.wrapped("", line.trim_end());
        };
        let outcome = |name: &str| name.to_owned();
        row("offered", counts.offered, String::new());
        row("admitted", counts.admitted, String::new());
        row(
            "refused",
            counts.refused,
            reasons(total.refused_by.iter().map(|(why, count)| (why.name(), *count))),
        );
        row("settled", counts.settled, rate(total));
        row(
            "failed",
            counts.failed,
            reasons(total.failed_by.iter().map(|(why, count)| (failure_name(*why), *count))),
        );
        row("replaced", counts.replaced, String::new());
        let not_due = match counts.not_due {
            0 => String::new(),
            count => outcome(&format!("of these {} were not due yet", grouped(count))),
        };
        row("unfinished", counts.unfinished, not_due);
        let cross = match total.cross_shard_ratio() {
            None => "no transaction was executed".to_owned(),
            ratio => format!("{} of the executed ones, {}", percent(ratio), touched(total)),
        };
        row("cross-shard", total.cross, cross);
        if !results.skipped.is_empty() {
            let count = results.skipped.values().sum();
            row("rows skipped", count, reasons(results.skipped.iter().map(|(k, v)| (*k, *v))));
        }
    }

    fn balance(&mut self, results: &Results) {
        let hidden = results.by_shard.len().saturating_sub(MAX_SHARDS_SHOWN);
        if hidden > 0 {
            self.wrapped("  ", &format!("… and {hidden} more shards: see summary.json"));
        }
        if let Some(imbalance) = imbalance(&results.by_shard) {
            self.wrapped(
                "  ",
                &format!(
                    "load imbalance {imbalance:.2} (largest over mean; a cross-shard transaction \
                     weighs {})",
                    plain(CROSS_SHARD_WEIGHT)
                ),
            );
        }
    }

    /// What the network did besides: view changes, refusals that were tried again, drops.
    fn network(&mut self, results: &Results) {
        self.wrapped("  ", &plural(results.checkpoints.view_changes, "view change"));
        let refusals = results.refusals.iter().map(|(why, count)| (why.name(), *count));
        if !results.refusals.is_empty() {
            self.wrapped("  ", &format!("answers of shards that refused: {}", reasons(refusals)));
        }
        if !results.drops.is_empty() {
            let mut by_reason: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
            for ((_, reason), count) in &results.drops {
                let (sum, nodes) = by_reason.entry(reason.name()).or_default();
                *sum += count;
                *nodes += 1;
            }
            let drops: Vec<String> = by_reason
                .iter()
                .map(|(reason, (count, nodes))| {
                    let reason = reason.replace('_', " ");
                    format!("{reason} {} on {}", grouped(*count), plural(*nodes, "node"))
                })
                .collect();
            self.wrapped("  ", &format!("dropped inputs: {}", drops.join(", ")));
        }
    }

    /// What the run took, next to what there was.
    fn machine(&mut self, measured: &Measured<'_>) {
        let Some(machine) = &measured.run.machine else { return };
        if !machine.durations.is_empty() {
            let spent = machine.durations.iter();
            let spent = spent.map(|(part, took)| format!("{part} {:.1} s", took.0 as f64 / 1e9));
            self.wrapped("  ", &format!("time: {}", spent.collect::<Vec<_>>().join(", ")));
        }
        if measured.run.simulation.is_some() {
            return;
        }
        let processes = measured.run.networks.iter().flat_map(|network| network.processes.values());
        let used: f64 = processes.filter_map(|it| it.measured).map(|cpu| cpu.seconds).sum();
        let wall = machine.measured.0 as f64 / 1e9;
        let cores = machine.facts.cores;
        let line = format!(
            "{used:.1} CPU-seconds from the first scheduled to the last finalized, {wall:.1} s on {}",
            plural(cores as u64, "core")
        );
        self.wrapped("  ", &line);
    }

    fn table(&mut self, table: &str) {
        self.blank();
        self.text.push_str(table);
    }

    fn line(&mut self, name: &str, value: &str) {
        self.text.push_str(&format!("  {name}  {value}\n"));
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn mark(&self, held: bool) -> String {
        if held { self.paint("✓", Colour::Green) } else { self.paint("✗", Colour::Red) }
    }

    fn paint(&self, text: &str, colour: Colour) -> String {
        let code = match colour {
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
        };
        if self.style.colour { format!("\x1b[1;{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Appends `prefix` and `text`, broken between words where a line would be too wide. The
    /// prefix may be coloured.
    fn wrapped(&mut self, prefix: &str, text: &str) {
        let indent = shown_width(prefix);
        let blanks = text.chars().take_while(|c| *c == ' ').count();
        self.text.push_str(prefix);
        self.text.push_str(&" ".repeat(blanks));
        let mut width = indent + blanks;
        let mut first = true;
        // Blanks between words are kept: they align columns.
        for word in text.trim_start().split(' ') {
            let needed = word.chars().count() + usize::from(!first);
            if !first && width + needed > WIDTH {
                let further = indent.max(blanks) + 2;
                self.text.truncate(self.text.trim_end_matches(' ').len());
                self.text.push('\n');
                self.text.push_str(&" ".repeat(further));
                width = further + word.chars().count();
            } else {
                if !first {
                    self.text.push(' ');
                }
                width += needed;
            }
            self.text.push_str(word);
            first = false;
        }
        self.text.push('\n');
    }
}

/// Characters that a terminal shows: without colour codes.
fn shown_width(text: &str) -> usize {
    let mut in_code = false;
    let shown = text.chars().filter(|c| {
        let counts = !in_code && *c != '\x1b';
        in_code = if in_code { *c != 'm' } else { *c == '\x1b' };
        counts
    });
    shown.count()
}

fn threshold(result: &ThresholdResult) -> String {
    match result.measured {
        Some(measured) => format!("{}   measured {measured}", result.threshold),
        None => format!("{}   there was nothing to measure", result.threshold),
    }
}

/// What a checker looked at.
fn counted(checked: &Checked) -> String {
    let each = checked.0.iter();
    let each = each.map(|(what, count)| format!("{} {}", grouped(*count), what.replace('_', " ")));
    each.collect::<Vec<_>>().join(", ")
}

fn reasons<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let each: Vec<String> = counts
        .map(|(name, count)| format!("{} {}", name.replace('_', " "), grouped(count)))
        .collect();
    each.join(", ")
}

fn rate(total: &PhaseResults) -> String {
    if total.counts.settled == 0 {
        return String::new();
    }
    let seconds = total.span.0 as f64 / 1e9;
    format!("{} per second over {} s", plain_rate(total.throughput_tps()), plain_rate(seconds))
}

/// One decimal below a thousand.
fn plain_rate(number: f64) -> String {
    if number >= 1_000.0 { grouped(number.round() as u64) } else { format!("{number:.1}") }
}

fn touched(total: &PhaseResults) -> String {
    let each = total.shards_touched.iter().map(|(shards, count)| {
        format!("{} touched {}", grouped(*count), plural(u64::from(*shards), "shard"))
    });
    each.collect::<Vec<_>>().join(", ")
}

fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

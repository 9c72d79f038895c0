//! What a sweep tells on the terminal: one table for each chosen number, one row for each cell, with
//! intervals, and which differences are real. At most 100 columns.

use std::collections::BTreeMap;
use std::path::Path;

use super::effects::{Against, Effect};
use super::plan::{Cell, Plan};
use super::results::{RunRow, SweepResults};
use crate::metrics::Verdict;
use crate::report::Style;
use crate::report::number::grouped;
use crate::scenario::SweepWorld;
use crate::statistics::{Finding, Interval};

/// Most cells that are named because something is wrong with their runs.
const MOST_NAMED: usize = 8;

/// Most rows of one table; effects.csv has all of them.
const MOST_ROWS: usize = 60;

/// The widest name of a value.
const WIDEST: usize = 28;

/// The report of a sweep in `directory`.
#[must_use]
pub fn terminal(results: &SweepResults, directory: &Path, style: Style) -> String {
    let mut text = format!("{}  {}\n", bold(style, "SWEEP"), results.plan.name);
    text.push_str(&format!("  {}\n", size(&results.plan)));
    text.push_str(&format!("  {}\n", verdicts(results)));
    for line in wrong(results) {
        text.push_str(&format!("  {} {line}\n", red(style, "✗")));
    }
    for metric in &results.plan.metrics {
        text.push('\n');
        text.push_str(&table(results, metric, style));
    }
    let report = directory.join("report.html");
    text.push_str(&format!("\n{}\n  report  {}\n", legend(results), report.display()));
    text.push_str(&format!("  files   {}\n", directory.display()));
    text
}

/// The cells of a plan and the seeds of its repeats.
#[must_use]
pub fn listed(plan: &Plan) -> String {
    let mut rows = vec![vec!["cell".to_owned()]];
    rows[0].extend(plan.axes.iter().map(|axis| axis.name.clone()));
    rows[0].push("compared with".to_owned());
    for cell in &plan.cells {
        let mut row = vec![cell.index.to_string()];
        row.extend(cell.values.iter().map(|value| shortened(value)));
        row.push(match cell.baseline == cell.index {
            true => "–".to_owned(),
            false => cell.baseline.to_string(),
        });
        rows.push(row);
    }
    let seeds: Vec<String> = plan.seeds.iter().map(ToString::to_string).collect();
    format!(
        "{}: {}\n\n{}\n  seeds  {}\n",
        plan.name,
        size(plan),
        aligned(&rows, |column| column > 0),
        seeds.join(" ")
    )
}

/// `12 cells × 5 repeats = 60 runs, simulated, interleaved order, seed 1`
#[must_use]
pub fn size(plan: &Plan) -> String {
    let cells = plan.cells.len();
    let world = match plan.world {
        SweepWorld::Simulate => "simulated",
        SweepWorld::Run => "on processes",
    };
    format!(
        "{cells} {} × {} {} = {} runs, {world}, {} order, seed {}",
        if cells == 1 { "cell" } else { "cells" },
        plan.repeats(),
        if plan.repeats() == 1 { "repeat" } else { "repeats" },
        cells * plan.seeds.len(),
        plan.order.name(),
        plan.seed
    )
}

/// How many runs ended how, in one line.
#[must_use]
pub fn verdicts(results: &SweepResults) -> String {
    let planned = results.plan.cells.len() * results.plan.seeds.len();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for run in &results.runs {
        *counts.entry(run.verdict.as_str()).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(verdict, count)| format!("{count} {}", verdict.replace('_', " ")))
        .collect();
    let done = results.runs.len();
    match counts.is_empty() {
        true => format!("0 of {planned} runs"),
        false => format!("{done} of {planned} runs: {}", counts.join(", ")),
    }
}

/// What went wrong, cell by cell.
fn wrong(results: &SweepResults) -> Vec<String> {
    let mut groups: BTreeMap<(usize, &str), Vec<&RunRow>> = BTreeMap::new();
    for run in results.runs.iter().filter(|run| run.verdict != Verdict::Passed.name()) {
        groups.entry((run.cell, &run.verdict)).or_default().push(run);
    }
    let hidden = groups.len().saturating_sub(MOST_NAMED);
    let shown = groups.iter().take(MOST_NAMED).map(|((cell, verdict), runs)| {
        let cell = results.plan.cells.get(*cell).map(|cell| results.plan.shown(cell));
        let problem = runs.iter().find_map(|run| run.problem.as_ref()?.lines().next());
        let problem = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
        format!(
            "{}  {}, {} of {} runs, such as {}{problem}",
            verdict.replace('_', " "),
            cell.unwrap_or_default(),
            runs.len(),
            results.plan.repeats(),
            runs.first().map_or("", |run| run.directory.as_str()),
        )
    });
    let more = (hidden > 0).then(|| format!("… and {hidden} more cells: see runs.csv"));
    shown.chain(more).collect()
}

/// One number in all cells.
fn table(results: &SweepResults, metric: &str, style: Style) -> String {
    let plan = &results.plan;
    let percent = |level: f64| format!("{} %", crate::report::number::plain(level * 100.0));
    let compared = plan.cells.iter().any(|cell| cell.baseline != cell.index);
    let mut header: Vec<String> = plan.axes.iter().map(|axis| axis.name.clone()).collect();
    let axes = header.len();
    header.extend(["runs".to_owned(), "mean".to_owned(), percent(plan.level)]);
    if compared {
        header.extend(["".to_owned(), "difference".to_owned(), percent(plan.level)]);
    }
    let mut rows = vec![header];
    for cell in plan.cells.iter().take(MOST_ROWS) {
        let effect = results.effect(cell.index, metric);
        rows.push(row(cell, effect, compared));
    }
    let mut text = format!("  {}\n", bold(style, metric));
    // Text to the left, numbers and intervals to the right; a mark stands before its difference.
    text.push_str(&aligned(&rows, |column| column < axes));
    let hidden = plan.cells.len().saturating_sub(MOST_ROWS);
    if hidden > 0 {
        text.push_str(&format!("    … and {hidden} more cells: see effects.csv\n"));
    }
    match style.colour {
        true => text.replace('▲', &bold(style, "▲")).replace('▼', &bold(style, "▼")),
        false => text,
    }
}

fn row(cell: &Cell, effect: Option<&Effect>, compared: bool) -> Vec<String> {
    let mut row: Vec<String> = cell.values.iter().map(|value| shortened(value)).collect();
    let Some(effect) = effect else {
        row.extend(["0".to_owned(), "–".to_owned(), String::new()]);
        return row;
    };
    row.push(effect.runs.to_string());
    let decimals = decimals(effect.mean, effect.mean_interval);
    row.push(number(effect.mean, decimals));
    row.push(effect.mean_interval.map(|it| interval(it, decimals)).unwrap_or_default());
    if compared {
        row.extend(difference(effect, cell));
    }
    row
}

/// The mark, the difference and its interval: as a share of the baseline where that makes sense.
fn difference(effect: &Effect, cell: &Cell) -> [String; 3] {
    let Some(Against { difference, finding, .. }) = &effect.against else {
        let note = if cell.baseline == cell.index { "baseline" } else { "–" };
        return [String::new(), note.to_owned(), String::new()];
    };
    let mark = match finding {
        Finding::Higher => "▲",
        Finding::Lower => "▼",
        Finding::NotShown => "",
        Finding::TooFew => "?",
    };
    let (shown, range) = match difference.relative {
        Some(relative) => {
            let percent = |share: f64| share * 100.0;
            let within = Interval {
                estimate: percent(relative.estimate),
                low: percent(relative.low),
                high: percent(relative.high),
            };
            let decimals = decimals(within.estimate, Some(within)).min(2);
            let shown = format!("{} %", signed(within.estimate, decimals));
            (shown, signed_interval(within, decimals))
        }
        None => {
            let decimals = decimals(difference.estimate, difference.interval);
            let range = difference.interval.map(|it| signed_interval(it, decimals));
            (signed(difference.estimate, decimals), range.unwrap_or_default())
        }
    };
    [mark.to_owned(), shown, range]
}

fn legend(results: &SweepResults) -> String {
    let plan = &results.plan;
    let resamples = grouped(plan.resamples.into());
    let mut lines = vec![format!("Intervals: bootstrap over repeats, {resamples} resamples.")];
    let bases: Vec<&Cell> = plan.cells.iter().filter(|cell| cell.baseline == cell.index).collect();
    if bases.len() < plan.cells.len() {
        lines.push(match bases.as_slice() {
            [one] => format!("Differences: to {}, paired by seed.", plan.shown(one)),
            _ => "Differences: to the baseline with the same other values, paired by seed.".into(),
        });
        lines.push(
            "▲ ▼ differ for real: the interval leaves out 0, and so does a paired t-test,\n    \
             adjusted for all cells (Holm)."
                .to_owned(),
        );
        let too_few = |effect: &Effect| {
            effect.against.as_ref().is_some_and(|it| it.finding == Finding::TooFew)
        };
        if results.effects.iter().any(too_few) {
            lines.push("? Less than three repeats say nothing about differences.".to_owned());
        }
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// Two digits of what the interval spans, or three of the number itself.
fn decimals(number: f64, interval: Option<Interval>) -> usize {
    let span = interval.map_or(0.0, |interval| interval.high - interval.low);
    let (size, digits) = if span > 0.0 { (span, 2) } else { (number.abs(), 3) };
    if size == 0.0 || !size.is_finite() || span == 0.0 && number.fract() == 0.0 {
        return 0;
    }
    let magnitude = libm::floor(libm::log10(size)) as i64;
    usize::try_from(digits - 1 - magnitude).unwrap_or(0).min(6)
}

fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or(whole.to_owned(), grouped);
    let sign = if value < 0.0 && text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        "−"
    } else {
        ""
    };
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

fn signed(value: f64, decimals: usize) -> String {
    let text = number(value, decimals);
    let zero = !text.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
    if value > 0.0 && !zero { format!("+{text}") } else { text }
}

fn interval(of: Interval, decimals: usize) -> String {
    format!("[{}, {}]", number(of.low, decimals), number(of.high, decimals))
}

fn signed_interval(of: Interval, decimals: usize) -> String {
    format!("[{}, {}]", signed(of.low, decimals), signed(of.high, decimals))
}

fn bold(style: Style, text: &str) -> String {
    if style.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

fn red(style: Style, text: &str) -> String {
    if style.colour { format!("\x1b[1;31m{text}\x1b[0m") } else { text.to_owned() }
}

fn shortened(value: &str) -> String {
    match value.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// Columns as wide as their widest field, two blanks between them.
pub(super) fn aligned(rows: &[Vec<String>], left: impl Fn(usize) -> bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |text: &str| text.chars().count();
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|field| width(field)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = "   ".to_owned();
        for (column, field) in row.iter().enumerate() {
            let blanks = " ".repeat(widths[column] - width(field));
            match left(column) {
                true => line.push_str(&format!(" {field}{blanks} ")),
                false => line.push_str(&format!(" {blanks}{field} ")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_their_interval_is_worth() {
        let within = |low: f64, high: f64| Some(Interval { estimate: 0.0, low, high });
        for (value, range, expected) in [
            (199.812, within(199.1, 200.4), "199.8"),
            (0.412_345, within(0.405, 0.42), "0.412"),
            (1_234.6, within(1_000.0, 1_500.0), "1,235"),
            (16.0, within(16.0, 16.0), "16"),
            (0.75, None, "0.750"),
            (-3.21, within(-3.3, -3.1), "−3.21"),
            (0.0, None, "0"),
        ] {
            assert_eq!(number(value, decimals(value, range)), expected);
        }
        assert_eq!(signed(0.04, 1), "0.0");
        assert_eq!(signed(-0.04, 1), "0.0");
        assert_eq!(signed(4.0, 1), "+4.0");
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["strategy", "mean"], ["hash", "1"], ["clpa", "1,000"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        let text = aligned(&rows, |column| column == 0);
        assert_eq!(text, "    strategy   mean\n    hash          1\n    clpa      1,000\n");
    }
}

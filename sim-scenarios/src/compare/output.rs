//! What came of a comparison: a table on the terminal, `compare.json`, `compare.csv`.

use std::fs;
use std::io;
use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::differences::{Compared, Comparison, Method, Row};
use super::metric::Unit;
use super::run::Side;
use super::within::LEVEL;
use crate::report::number::{grouped, plain};
use crate::report::{SCHEMA_VERSION, Style};
use crate::statistics::Finding;

/// Most fields that are listed; the JSON has all.
const MOST_FIELDS: usize = 12;

/// What is printed: what is compared, the table, what it rests on. `all` is whether metrics that are
/// not in the short table are shown too.
#[must_use]
pub fn terminal(compared: &Compared, all: bool, style: Style) -> String {
    let mut text = String::new();
    for side in &compared.sides {
        text.push_str(&format!("{}\n", side_line(side)));
    }
    for comparison in &compared.comparisons {
        text.push('\n');
        one(comparison, all, style, &mut text);
    }
    text
}

fn one(comparison: &Comparison, all: bool, style: Style, text: &mut String) {
    let paint = |code: &str, words: &str| match style.colour {
        true => format!("\u{1b}[{code}m{words}\u{1b}[0m"),
        false => words.to_owned(),
    };
    text.push_str(&paint("1", &format!("{} → {}\n", comparison.a, comparison.b)));
    match comparison.fields.as_slice() {
        [] => text.push_str("  the scenarios are equal, apart from seeds\n"),
        fields => {
            for field in fields.iter().take(MOST_FIELDS) {
                text.push_str(&format!(
                    "  {}: {} → {}\n",
                    field.field,
                    or_nothing(&field.a),
                    or_nothing(&field.b)
                ));
            }
            if fields.len() > MOST_FIELDS {
                text.push_str(&format!("  and {} more fields\n", fields.len() - MOST_FIELDS));
            }
        }
    }
    for warning in &comparison.warnings {
        text.push_str(&format!("  {} {warning}\n", paint("33", "!")));
    }
    text.push('\n');
    text.push_str(&table(comparison, all));
    text.push('\n');
    text.push_str(&wrapped(&conclusion(comparison)));
}

/// Lines of at most 96 characters, each after two spaces.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 96 && !line.is_empty() {
            lines.push_str(&format!("  {line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push_str(&format!("  {line}\n"));
    lines
}

fn table(comparison: &Comparison, all: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    let interval = format!("{} % interval", plain(LEVEL * 100.0));
    table.set_header([
        "metric".to_owned(),
        shortened(&comparison.a, 16),
        shortened(&comparison.b, 16),
        "difference".to_owned(),
        interval,
        "relative".to_owned(),
        "real?".to_owned(),
    ]);
    // What never happened on either side is in the files.
    let happened = |value: Option<f64>| value.is_some_and(|value| value != 0.0);
    let measured = |row: &&Row| happened(row.a) || happened(row.b);
    for row in comparison.rows.iter().filter(|row| all || row.main).filter(measured) {
        let value = |value: Option<f64>| value.map_or("–".to_owned(), |it| shown(it, row.unit));
        table.add_row([
            format!("{}{}", row.metric, unit(row.unit)),
            value(row.a),
            value(row.b),
            row.difference.map_or("–".to_owned(), |it| signed(it, row.unit)),
            row.interval.map_or("–".to_owned(), |[low, high]| {
                format!("{} … {}", signed(low, row.unit), signed(high, row.unit))
            }),
            row.relative.map_or("–".to_owned(), percent),
            verdict(row).to_owned(),
        ]);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        if !matches!(index, 0 | 6) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Whether a difference is real, in a word or two.
#[must_use]
pub fn verdict(row: &Row) -> &'static str {
    match (row.finding, row.is_better()) {
        (Finding::TooFew, _) => "–",
        (Finding::NotShown, _) => "no",
        (_, Some(true)) => "yes, better",
        _ => "yes, worse",
    }
}

/// How many differences are real, and what that rests on.
#[must_use]
pub fn conclusion(comparison: &Comparison) -> String {
    let (shown, judged) = comparison.counts();
    let count = match (shown, judged) {
        (_, 0) => "No difference could be judged.".to_owned(),
        (0, judged) => format!("None of {judged} differences that could be judged is real."),
        (1, judged) => format!("1 of {judged} differences that could be judged is real."),
        (shown, judged) => {
            format!("{shown} of {judged} differences that could be judged are real.")
        }
    };
    let rests = match &comparison.method {
        Method::Slices { slice_ms, slices, same_arrivals, .. } => {
            let drawn = match same_arrivals {
                true => "the same slices of both, since both have the same arrivals",
                false => "each run's for itself, since their arrivals differ",
            };
            format!(
                "Intervals: slices of {} s of the runs' time ({} and {}), drawn again {} times; {drawn}. \
                 Transactions of one run are not independent, slices nearly are. One run of each \
                 cannot show how runs vary from seed to seed: for that, compare several seeds.",
                plain(slice_ms / 1e3),
                slices[0],
                slices[1],
                grouped(super::within::RESAMPLES as u64)
            )
        }
        Method::Runs { pairs: Some(pairs), .. } => format!(
            "Values are means over runs; intervals: bootstrap over {pairs} pairs of runs with the \
             same seed."
        ),
        Method::Runs { runs, pairs: None } => format!(
            "Values are means over runs; intervals: bootstrap over {} and {} runs with seeds of \
             their own.",
            runs[0], runs[1]
        ),
    };
    format!(
        "{count} Real: the interval does not hold 0, nor does chance explain it at {} %, with that \
         many metrics looked at (Holm). {rests}",
        plain((1.0 - LEVEL) * 100.0)
    )
}

/// `A  simulated · 4 shards · seed 1 · 6,074 transactions`.
#[must_use]
pub fn side_line(side: &Side) -> String {
    format!("{}  {}", side.name, side_facts(side).join(" · "))
}

/// What ran on one side.
#[must_use]
pub fn side_facts(side: &Side) -> Vec<String> {
    let Some(run) = side.runs.first() else { return Vec::new() };
    let seeds: Vec<String> = side.runs.iter().map(|run| run.seed().to_string()).collect();
    let offered: u64 = side.runs.iter().map(|run| run.count("/transactions/offered")).sum();
    let seeds = match seeds.as_slice() {
        [seed] => format!("seed {seed}"),
        many if many.len() > 8 => format!("{} seeds", many.len()),
        seeds => format!("seeds {}", seeds.join(" ")),
    };
    vec![
        run.text("/name").to_owned(),
        run.world().to_owned(),
        format!("{} shards", run.count("/shards")),
        seeds,
        format!("{} transactions", grouped(offered)),
    ]
}

/// The whole comparison for programs.
#[must_use]
pub fn json(compared: &Compared) -> Value {
    let sides = compared.sides.iter().map(|side| {
        let runs = side.runs.iter().map(|run| {
            json!({
                "directory": run.directory.display().to_string(),
                "seed": run.seed(),
                "verdict": run.text("/verdict"),
                "digest": run.summary.pointer("/simulation/digest"),
            })
        });
        json!({ "name": side.name, "runs": runs.collect::<Vec<_>>() })
    });
    let comparisons = compared.comparisons.iter().map(|comparison| {
        let (real, judged) = comparison.counts();
        let mut value = serde_json::to_value(comparison).unwrap_or(Value::Null);
        if let Value::Object(object) = &mut value {
            object.insert("real".to_owned(), json!(real));
            object.insert("judged".to_owned(), json!(judged));
        }
        value
    });
    json!({
        "schema_version": SCHEMA_VERSION,
        "level": LEVEL,
        "sides": sides.collect::<Vec<_>>(),
        "comparisons": comparisons.collect::<Vec<_>>(),
    })
}

/// Columns of `compare.csv`.
pub const COLUMNS: &[&str] = &[
    "a",
    "b",
    "metric",
    "unit",
    "value_a",
    "value_b",
    "difference",
    "low",
    "high",
    "relative",
    "relative_low",
    "relative_high",
    "p_value",
    "p_adjusted",
    "samples",
    "finding",
];

/// Writes `compare.json` and `compare.csv` into a directory that exists.
///
/// # Errors
/// When one of them cannot be written.
pub fn write(compared: &Compared, directory: &Path) -> io::Result<()> {
    fs::write(directory.join("compare.json"), format!("{:#}\n", json(compared)))?;
    let mut table = csv::Writer::from_path(directory.join("compare.csv"))?;
    table.write_record(COLUMNS)?;
    for comparison in &compared.comparisons {
        for row in &comparison.rows {
            let number = |value: Option<f64>| value.map(|it| it.to_string()).unwrap_or_default();
            let end = |ends: Option<[f64; 2]>, at: usize| number(ends.map(|ends| ends[at]));
            let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
            table.write_record([
                comparison.a.clone(),
                comparison.b.clone(),
                row.metric.clone(),
                word(json!(row.unit)),
                number(row.a),
                number(row.b),
                number(row.difference),
                end(row.interval, 0),
                end(row.interval, 1),
                number(row.relative),
                end(row.relative_interval, 0),
                end(row.relative_interval, 1),
                number(row.p_value),
                number(row.p_adjusted),
                row.samples.to_string(),
                word(json!(row.finding)),
            ])?;
        }
    }
    table.flush()
}

fn or_nothing(value: &str) -> &str {
    if value.is_empty() { "(not there)" } else { value }
}

fn shortened(name: &str, most: usize) -> String {
    match name.chars().count() > most {
        true => format!("{}…", name.chars().take(most - 1).collect::<String>()),
        false => name.to_owned(),
    }
}

/// ` ms` and the like, after a metric's name.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Milliseconds => ", ms",
        Unit::PerSecond | Unit::Share | Unit::Number => "",
    }
}

/// A value as tables show it, without its unit.
#[must_use]
pub fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{} %", digits(value * 100.0)),
        _ => digits(value),
    }
}

/// A difference with its sign; of shares in percentage points.
#[must_use]
pub fn signed(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{} pp", with_sign(value * 100.0)),
        _ => with_sign(value),
    }
}

/// `+12.5 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{} %", with_sign(share * 100.0))
}

fn with_sign(value: f64) -> String {
    let text = digits(value.abs());
    let is_zero = !text.contains(|c: char| ('1'..='9').contains(&c));
    match (is_zero, value < 0.0) {
        (true, _) => text,
        (false, true) => format!("−{text}"),
        (false, false) => format!("+{text}"),
    }
}

/// Three significant digits, or all before the point.
fn digits(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        s if s >= 1_000.0 => grouped(s.round() as u64),
        s if s >= 100.0 => format!("{s:.0}"),
        s if s >= 10.0 => format!("{s:.1}"),
        s if s >= 1.0 => format!("{s:.2}"),
        s => format!("{s:.3}"),
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let found = [0.0, 0.0421, 1.234, 12.34, 250.9, 160_000.4].map(digits);
        assert_eq!(found, ["0", "0.042", "1.23", "12.3", "251", "160,000"]);
        assert_eq!(signed(-0.5, Unit::Milliseconds), "−0.500");
        assert_eq!(signed(-0.000_01, Unit::Milliseconds), "0.000");
        assert_eq!(
            (percent(0.125), signed(-0.125, Unit::Share)),
            ("+12.5 %".into(), "−12.5 pp".into())
        );
    }
}

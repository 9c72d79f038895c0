//! What came of judging strategies: a table, JSON and two CSV files.

use std::fs;
use std::io;
use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::evaluate::{Evaluation, Options};
use super::quality::Quality;
use crate::report::number::{bytes, grouped, rounded};

/// The upper bound's name: all transactions intra-shard, shared equally.
pub const ALL_LOCAL: &str = "all-local";

/// Version of the JSON and the CSV files.
pub const VERSION: u32 = 1;

/// Growth of memory that is shown: below, what the process had freed before is all that was used.
const LEAST_GROWTH: u64 = 1 << 20;

/// One strategy at one number of shards.
#[derive(Clone, Debug)]
pub struct Row {
    /// The strategy as it was asked for, or [`ALL_LOCAL`].
    pub strategy: String,
    /// How it was judged.
    pub options: Options,
    /// What came of it.
    pub evaluation: Evaluation,
}

/// What was judged.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The trace's file.
    pub trace: String,
    /// Transactions in it.
    pub transactions: u64,
    /// One row per strategy and number of shards, in the order of the table.
    pub rows: Vec<Row>,
}

impl Row {
    fn total(&self) -> Quality {
        self.evaluation.total(self.options.shards)
    }

    fn migrations(&self) -> u64 {
        self.evaluation.windows.iter().map(|window| window.migrations).sum()
    }

    fn failures(&self) -> usize {
        self.evaluation.windows.iter().filter(|window| window.failure.is_some()).count()
    }

    fn first_failure(&self) -> Option<(usize, &str)> {
        let mut windows = self.evaluation.windows.iter();
        windows.find_map(|window| Some((window.window, window.failure.as_deref()?)))
    }

    fn seconds(&self) -> f64 {
        self.evaluation.windows.iter().map(|window| window.took.as_secs_f64()).sum()
    }

    fn peak(&self) -> Option<u64> {
        self.evaluation.windows.iter().filter_map(|window| window.memory).max()
    }
}

/// The table on the terminal, with what its columns mean.
#[must_use]
pub fn terminal(judged: &Judged) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "shards",
        "strategy",
        "cross-\nshard",
        "shards\nper tx",
        "max/\nmean",
        "CV",
        "through-\nput",
        "migra-\ntions",
        "time,\ns",
        "memory\ngrowth",
    ]);
    let mut notes = String::new();
    for row in &judged.rows {
        let (total, evaluation) = (row.total(), &row.evaluation);
        let bound = row.strategy == ALL_LOCAL;
        let dash = |text: String| if bound { "–".to_owned() } else { text };
        table.add_row([
            row.options.shards.to_string(),
            row.strategy.clone(),
            format!("{:.1} %", 100.0 * total.cross_shard_ratio()),
            format!("{:.2}", total.shards_per_transaction()),
            format!("{:.2}", evaluation.mean(Quality::max_over_mean)),
            format!("{:.2}", evaluation.mean(Quality::variation)),
            format!("{:.2}", evaluation.mean(Quality::throughput)),
            dash(grouped(row.migrations())),
            dash(format!("{:.3}", row.seconds())),
            row.peak().filter(|grown| *grown >= LEAST_GROWTH).map_or_else(|| "–".to_owned(), bytes),
        ]);
        if let Some((window, failure)) = row.first_failure() {
            notes.push_str(&format!(
                "  {} at {} shards: no answer for {} of {} windows, the old allocation stayed; \
                 window {window}: {failure}\n",
                row.strategy,
                row.options.shards,
                row.failures(),
                evaluation.windows.len(),
            ));
        }
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        if index != 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = heading(judged);
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&notes);
    text
}

fn heading(judged: &Judged) -> String {
    let Some(row) = judged.rows.first() else { return String::new() };
    let options = row.options;
    let budget = match options.budget {
        usize::MAX => "any number of".to_owned(),
        budget => format!("at most {}", grouped(budget as u64)),
    };
    format!(
        "{}: {} transactions, windows of {}, {} judged\n\n  learns from up to {} past windows; {budget} \
         migrations per window; η = {}\n  max/mean, CV: of the shards' work (intra-shard 1, \
         cross-shard η over its shards)\n  throughput: until the busiest shard is full, in units of \
         one shard's intra-shard rate\n\n",
        judged.trace,
        grouped(judged.transactions),
        grouped(options.window as u64),
        row.evaluation.windows.len(),
        options.train,
        options.weights.eta,
    )
}

/// Everything as JSON. What differs between machines is under `machine` alone.
#[must_use]
pub fn json(judged: &Judged) -> Value {
    let rows = judged.rows.iter().map(|row| {
        let (total, evaluation) = (row.total(), &row.evaluation);
        let windows: Vec<Value> = evaluation
            .windows
            .iter()
            .map(|window| {
                let mut value = quality(&window.quality);
                value["window"] = json!(window.window);
                value["migrations"] = json!(window.migrations);
                value["migrations_wanted"] = json!(window.wanted);
                value["failure"] = json!(window.failure);
                value["machine"] = json!({
                    "seconds": rounded(window.took.as_secs_f64()),
                    "memory_growth_bytes": window.memory,
                });
                value
            })
            .collect();
        json!({
            "strategy": row.strategy,
            "shards": row.options.shards,
            "transactions": total.transactions,
            "cross_shard": total.cross_shard,
            "cross_shard_ratio": rounded(total.cross_shard_ratio()),
            "shards_per_transaction": rounded(total.shards_per_transaction()),
            "max_over_mean": rounded(evaluation.mean(Quality::max_over_mean)),
            "coefficient_of_variation": rounded(evaluation.mean(Quality::variation)),
            "throughput": rounded(evaluation.mean(Quality::throughput)),
            "migrations": row.migrations(),
            "failures": row.failures(),
            "machine": {
                "seconds": rounded(row.seconds()),
                "memory_growth_bytes": row.peak(),
            },
            "windows": windows,
        })
    });
    let options = judged.rows.first().map(|row| row.options);
    json!({
        "version": VERSION,
        "trace": judged.trace,
        "transactions": judged.transactions,
        "window": options.map(|options| options.window),
        "train": options.map(|options| options.train),
        "budget": options.map(|options| options.budget).filter(|budget| *budget != usize::MAX),
        "eta": options.map(|options| options.weights.eta),
        "vertex": options.map(|options| options.weights.vertex),
        "seed": options.map(|options| options.seed),
        "results": rows.collect::<Vec<_>>(),
    })
}

fn quality(quality: &Quality) -> Value {
    json!({
        "transactions": quality.transactions,
        "cross_shard": quality.cross_shard,
        "cross_shard_ratio": rounded(quality.cross_shard_ratio()),
        "shards_per_transaction": rounded(quality.shards_per_transaction()),
        "max_over_mean": rounded(quality.max_over_mean()),
        "coefficient_of_variation": rounded(quality.variation()),
        "throughput": rounded(quality.throughput()),
    })
}

/// Writes `results.json`, `results.csv` (a row per strategy and number of shards) and `windows.csv`
/// (a row per window) into a directory.
///
/// # Errors
/// A file cannot be written.
pub fn write(judged: &Judged, directory: &Path) -> io::Result<()> {
    let value = json(judged);
    fs::write(directory.join("results.json"), format!("{value:#}\n"))?;
    let results = value["results"].as_array().map_or(&[][..], Vec::as_slice);
    let all = [
        "strategy",
        "shards",
        "transactions",
        "cross_shard",
        "cross_shard_ratio",
        "shards_per_transaction",
        "max_over_mean",
        "coefficient_of_variation",
        "throughput",
        "migrations",
        "failures",
    ];
    let mut file = csv::Writer::from_path(directory.join("results.csv"))?;
    file.write_record(all.iter().chain(&["seconds", "memory_growth_bytes"]))?;
    for result in results {
        let fields = all.iter().map(|key| text(&result[key]));
        file.write_record(fields.chain(machine(result)))?;
    }
    file.flush()?;
    let of_window = ["window", "migrations", "migrations_wanted", "failure"];
    let of_quality = &all[2..9];
    let mut file = csv::Writer::from_path(directory.join("windows.csv"))?;
    let names = all[..2].iter().chain(&of_window).chain(of_quality);
    file.write_record(names.chain(&["seconds", "memory_growth_bytes"]))?;
    for result in results {
        let outer = all[..2].iter().map(|key| text(&result[key])).collect::<Vec<_>>();
        for window in result["windows"].as_array().map_or(&[][..], Vec::as_slice) {
            let inner = of_window.iter().chain(of_quality).map(|key| text(&window[key]));
            file.write_record(outer.iter().cloned().chain(inner).chain(machine(window)))?;
        }
    }
    file.flush()
}

fn machine(value: &Value) -> [String; 2] {
    ["seconds", "memory_growth_bytes"].map(|key| text(&value["machine"][key]))
}

/// A field of a CSV file: empty where there is nothing.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

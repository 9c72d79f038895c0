//! The tables of the terminal report.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use cross_shard_msg::Duration;

use super::number::{bytes, grouped, millis, plain};
use crate::metrics::Distribution;
use crate::metrics::results::{PhaseResults, Results};
use crate::metrics::shards::ShardRow;
use crate::metrics::stages::Part;
use crate::scenario::{Scope, Span, Statistic};

/// Most shards that are shown; summary.json has all of them.
pub(super) const MAX_SHARDS_SHOWN: usize = 16;

/// The longest name of a phase that is shown in full.
const MOST_NAME_CHARACTERS: usize = 24;

/// Every latency of a phase with its count and percentiles, in milliseconds.
pub(super) fn latencies(phase: &PhaseResults) -> String {
    let mut table = new(&["latency, ms", "count", "p50", "p90", "p99", "p99.9", "max"], 1);
    for span in Span::ALL {
        let all = phase.latency(*span, Scope::All);
        table.add_row(times(&span_name(*span), all));
        match span {
            Span::CrossShard => {
                for part in Part::ALL {
                    table.add_row(times(&format!("  {}", part.name()), phase.part(part)));
                }
            }
            Span::Inclusion | Span::Settlement | Span::Finality => {
                for scope in [Scope::Intra, Scope::Cross] {
                    table.add_row(times(&format!("  {scope}"), phase.latency(*span, scope)));
                }
            }
        }
    }
    text(&table)
}

/// One row per shard.
pub(super) fn shards(results: &Results) -> String {
    let mut table = new(
        &[
            "shard",
            "blocks",
            "included",
            "receipts\nin",
            "receipts\nout",
            "gas",
            "mempool",
            "delayed",
            "held\nback",
            "receipt\nbytes",
        ],
        1,
    );
    for row in results.by_shard.iter().take(MAX_SHARDS_SHOWN) {
        table.add_row(vec![
            row.shard.to_string(),
            grouped(row.blocks),
            grouped(row.transactions),
            grouped(row.receipts_in),
            grouped(row.receipts_out),
            gas(row),
            grouped(row.mempool_max.into()),
            grouped(row.delayed_max),
            grouped(row.buffered_max),
            bytes(row.receipt_bytes),
        ]);
    }
    text(&table)
}

/// Checkpoint latency and interval, in milliseconds.
pub(super) fn checkpoints(results: &Results) -> String {
    let mut table = new(&["checkpoints, ms", "count", "p50", "p90", "p99", "p99.9", "max"], 1);
    table.add_row(times("proposed → finalized", &results.checkpoints.latency));
    table.add_row(times("between two", &results.checkpoints.interval));
    text(&table)
}

/// One row per recorded phase.
pub(super) fn phases(results: &Results) -> String {
    let mut table = new(
        &[
            "phase",
            "offered",
            "settled",
            "settled\nper second",
            "cross",
            "cross-shard\np50, ms",
            "cross-shard\np99, ms",
        ],
        1,
    );
    for phase in &results.phases {
        let cross = phase.latency(Span::CrossShard, Scope::All);
        table.add_row(vec![
            shortened(&phase.name),
            grouped(phase.counts.offered),
            grouped(phase.counts.settled),
            plain((phase.throughput_tps() * 10.0).round() / 10.0),
            percent(phase.cross_shard_ratio()),
            time(cross.time(Statistic::P50)),
            time(cross.time(Statistic::P99)),
        ]);
    }
    text(&table)
}

/// A ratio as percent.
pub(super) fn percent(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0))
}

/// A phase's name may be longer than a table has room for.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(MOST_NAME_CHARACTERS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

fn times(name: &str, distribution: &Distribution) -> Vec<String> {
    let mut row = vec![name.to_owned(), grouped(distribution.count())];
    let statistics =
        [Statistic::P50, Statistic::P90, Statistic::P99, Statistic::P999, Statistic::Max];
    row.extend(statistics.map(|statistic| time(distribution.time(statistic))));
    row
}

fn time(time: Option<Duration>) -> String {
    time.map_or_else(|| "–".to_owned(), millis)
}

/// How much of its gas a shard used.
fn gas(row: &ShardRow) -> String {
    percent((row.gas_limit.0 > 0).then(|| row.gas_used.0 as f64 / row.gas_limit.0 as f64))
}

fn span_name(span: Span) -> String {
    span.to_string().replace('_', "-")
}

/// A table with columns that are aligned to the left, then to the right.
fn new(header: &[&str], left: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 2 } else { 1 }, 1));
        if index >= left {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

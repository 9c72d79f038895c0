//! The report's part on epochs and migrations: in `summary.json`, as tables in CSV, and as lines on the
//! terminal.

use std::io::{self, Write};

use cross_shard_msg::Timestamp;
use serde::Serialize;

use super::number::{bytes, grouped, millis, milliseconds};
use super::summary::Times;
use super::table::Table;
use crate::metrics::migrations::{EpochRow, MigrationResults, Window};
use crate::metrics::{Distribution, Measured, Moment};
use crate::scenario::Statistic;

/// Columns of migrations.csv.
pub const MIGRATIONS: &[&str] = &[
    "network",
    "account",
    "checkpoint",
    "from",
    "to",
    "decided_ns",
    "left_ns",
    "arrived_ns",
    "stalled_ns",
    "parts",
    "slots",
    "bytes",
    "parked",
];

/// Columns of epochs.csv.
pub const EPOCHS: &[&str] = &[
    "network",
    "epoch",
    "checkpoint",
    "decided_ns",
    "began_ns",
    "over_ns",
    "moves",
    "left",
    "arrived",
    "parts",
    "bytes",
    "slots",
    "parked",
    "stalled_p50_ns",
    "stalled_p99_ns",
    "stalled_max_ns",
    "transactions_before",
    "transactions_during",
    "transactions_after",
    "cross_shard_ratio_before",
    "cross_shard_ratio_during",
    "cross_shard_ratio_after",
    "inclusion_p50_before_ns",
    "inclusion_p50_during_ns",
    "inclusion_p50_after_ns",
    "inclusion_p99_before_ns",
    "inclusion_p99_during_ns",
    "inclusion_p99_after_ns",
    "cross_shard_p50_before_ns",
    "cross_shard_p50_during_ns",
    "cross_shard_p50_after_ns",
    "cross_shard_p99_before_ns",
    "cross_shard_p99_during_ns",
    "cross_shard_p99_after_ns",
    "settlement_p50_before_ns",
    "settlement_p50_during_ns",
    "settlement_p50_after_ns",
    "settlement_p99_before_ns",
    "settlement_p99_during_ns",
    "settlement_p99_after_ns",
];

/// Columns of partitioner.csv.
pub const PARTITIONER: &[&str] = &[
    "network",
    "coordinator",
    "epoch",
    "accounts",
    "pairs",
    "wanted",
    "moves",
    "wall_ns",
    "cpu_ns",
    "memory_bytes",
    "failure",
];

/// `migrations` of `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct MigrationsSummary {
    strategy: String,
    epochs: Epochs,
    moves: u64,
    left: u64,
    accounts: u64,
    unfinished: u64,
    parts: u64,
    bytes: u64,
    slots: u64,
    parked: u64,
    forwarded: u64,
    refused: Refused,
    stalled_ms: Times,
    cross_shard_ratio: BeforeAfter,
    by_epoch: Vec<Epoch>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Epochs {
    ended: u64,
    asked: u64,
    answered: u64,
    failed: Vec<u64>,
    late: Vec<u64>,
    moved: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Refused {
    moved: u64,
    in_flight: u64,
    transactions: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct BeforeAfter {
    before: Option<f64>,
    after: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Epoch {
    network: u64,
    epoch: u64,
    checkpoint: u64,
    moves: u64,
    left: u64,
    arrived: u64,
    parts: u64,
    bytes: u64,
    slots: u64,
    parked: u64,
    decided_ms: Option<f64>,
    began_ms: Option<f64>,
    over_ms: Option<f64>,
    stalled_ms: Times,
    before: Span,
    during: Span,
    after: Span,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Span {
    transactions: u64,
    cross_shard_ratio: Option<f64>,
    inclusion_ms: Times,
    cross_shard_ms: Times,
    settlement_ms: Times,
}

impl MigrationsSummary {
    pub(super) fn of(measured: &Measured<'_>) -> Option<Self> {
        let results = measured.results.migrations.as_ref()?;
        Some(Self {
            strategy: results.strategy.clone(),
            epochs: Epochs {
                ended: results.ended,
                asked: results.asked,
                answered: results.answered,
                failed: results.failed.iter().map(|epoch| epoch.0).collect(),
                late: results.late.iter().map(|epoch| epoch.0).collect(),
                moved: results.epochs.len() as u64,
            },
            moves: results.moves,
            left: results.left,
            accounts: results.arrived,
            unfinished: results.unfinished(),
            parts: results.parts,
            bytes: results.bytes,
            slots: results.slots,
            parked: results.parked,
            forwarded: results.forwarded,
            refused: Refused {
                moved: results.refused_moved,
                in_flight: results.refused_in_flight,
                transactions: results.rerouted,
            },
            stalled_ms: Times::of(&results.stalled),
            cross_shard_ratio: BeforeAfter {
                before: results.ratio_before.map(millionths),
                after: results.ratio_after.map(millionths),
            },
            by_epoch: results.epochs.iter().map(Epoch::of).collect(),
        })
    }
}

impl Epoch {
    fn of(row: &EpochRow) -> Self {
        let at =
            |moment: Moment| moment.time().map(|time| milliseconds(time.since(Timestamp::ZERO)));
        Self {
            network: row.network,
            epoch: row.epoch.0,
            checkpoint: row.checkpoint.0,
            moves: row.moves,
            left: row.left,
            arrived: row.arrived,
            parts: row.parts,
            bytes: row.bytes,
            slots: row.slots,
            parked: row.parked,
            decided_ms: at(row.decided),
            began_ms: at(row.began),
            over_ms: at(row.over),
            stalled_ms: Times::of(&row.stalled),
            before: Span::of(&row.before),
            during: Span::of(&row.during),
            after: Span::of(&row.after),
        }
    }
}

impl Span {
    fn of(window: &Window) -> Self {
        Self {
            transactions: window.intra + window.cross,
            cross_shard_ratio: window.cross_shard_ratio().map(millionths),
            inclusion_ms: Times::of(&window.inclusion),
            cross_shard_ms: Times::of(&window.cross_shard),
            settlement_ms: Times::of(&window.settlement),
        }
    }
}

fn millionths(ratio: f64) -> f64 {
    (ratio * 1e6).round() / 1e6
}

/// Writes migrations.csv.
///
/// # Errors
/// What the writer says.
pub fn migrations(results: &MigrationResults, out: impl Write) -> io::Result<()> {
    let mut table = Table::new(out, MIGRATIONS)?;
    for row in &results.rows {
        table.number(row.network);
        table.address(&row.account);
        table.number(row.checkpoint.0);
        table.number(row.from.0);
        table.number(row.to.0);
        table.moment(row.decided);
        table.moment(row.left);
        table.moment(row.arrived);
        table.optional_number(row.stalled().map(|time| time.0));
        table.number(row.parts);
        table.number(row.slots);
        table.number(row.bytes);
        table.number(row.parked);
        table.end()?;
    }
    table.finish()
}

/// Writes epochs.csv.
///
/// # Errors
/// What the writer says.
pub fn epochs(results: &MigrationResults, out: impl Write) -> io::Result<()> {
    let mut table = Table::new(out, EPOCHS)?;
    for row in &results.epochs {
        for count in [row.network, row.epoch.0, row.checkpoint.0] {
            table.number(count);
        }
        for moment in [row.decided, row.began, row.over] {
            table.moment(moment);
        }
        let counts = [row.moves, row.left, row.arrived, row.parts, row.bytes, row.slots];
        for count in counts.into_iter().chain([row.parked]) {
            table.number(count);
        }
        for statistic in [Statistic::P50, Statistic::P99, Statistic::Max] {
            table.optional_number(row.stalled.time(statistic).map(|time| time.0));
        }
        let windows = [&row.before, &row.during, &row.after];
        for window in windows {
            table.number(window.intra + window.cross);
        }
        for window in windows {
            table.optional(window.cross_shard_ratio().map(millionths));
        }
        let latencies: [fn(&Window) -> &Distribution; 3] =
            [|window| &window.inclusion, |window| &window.cross_shard, |window| &window.settlement];
        for latency in latencies {
            for statistic in [Statistic::P50, Statistic::P99] {
                for window in windows {
                    table.optional_number(latency(window).time(statistic).map(|time| time.0));
                }
            }
        }
        table.end()?;
    }
    table.finish()
}

/// Writes partitioner.csv: what asking the strategy took of the machine.
///
/// # Errors
/// What the writer says.
pub fn partitioner(measured: &Measured<'_>, out: impl Write) -> io::Result<()> {
    let mut table = Table::new(out, PARTITIONER)?;
    for network in &measured.run.networks {
        for asked in &network.questions {
            table.number(network.label);
            table.number(asked.coordinator.0);
            for count in [asked.epoch.0, asked.accounts, asked.pairs, asked.wanted, asked.moves] {
                table.number(count);
            }
            table.number(asked.wall.0);
            table.number(asked.cpu.0);
            table.optional_number(asked.grown);
            table.optional(asked.failure.as_deref());
            table.end()?;
        }
    }
    table.finish()
}

fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Lines for the terminal; none where no account may move.
pub(super) fn lines(measured: &Measured<'_>) -> Vec<String> {
    let Some(results) = &measured.results.migrations else { return Vec::new() };
    let mut lines = vec![format!(
        "migrations: strategy {}, {} ended, {} answered, {} with moves",
        results.strategy,
        plural(results.ended, "epoch"),
        grouped(results.answered),
        grouped(results.epochs.len() as u64)
    )];
    if results.moves == 0 {
        lines.push("no account moved".to_owned());
        return lines;
    }
    lines.push(format!(
        "{} moved with {} in {}, {}; receipts that waited for them: {}, forwarded: {}; transactions \
         that looked for their sender's home: {}",
        plural(results.arrived, "account"),
        plural(results.slots, "slot"),
        plural(results.parts, "receipt"),
        bytes(results.bytes),
        grouped(results.parked),
        grouped(results.forwarded),
        grouped(results.rerouted)
    ));
    let at = |statistic| results.stalled.time(statistic).map(millis);
    if let (Some(median), Some(tail), Some(max)) =
        (at(Statistic::P50), at(Statistic::P99), at(Statistic::Max))
    {
        lines.push(format!(
            "an account was nowhere for {median} ms (p50), {tail} ms (p99), {max} ms at most"
        ));
    }
    if let Some((before, after)) = results.ratio_before.zip(results.ratio_after) {
        lines.push(format!(
            "cross-shard {:.1} % before the first migration, {:.1} % after the last",
            before * 100.0,
            after * 100.0
        ));
    }
    lines
}

//! Epochs and accounts that moved: what it took, how long accounts were nowhere, and what it did to
//! the cross-shard ratio and to latency.

use std::path::Path;

use cross_shard_msg::Duration;

use super::chart::{Along, Band, Chart, Series, Shape};
use super::latency::{TABLE_PERCENT, curve, percent_axis, plain_percent, quantile, time};
use super::markup::{Table, message};
use super::over_time::settlement;
use super::scale::Axis;
use super::source::{Document, HtmlError, Unit, duration, each, shown};
use super::timeline::{MOST_BANDS, Timeline, Values, seconds};
use super::transactions::Transactions;
use crate::metrics::Distribution;
use crate::report::number::{grouped, millis, plain};

/// Most epochs in the table; epochs.csv has all of them.
const MOST_EPOCHS: usize = 200;
/// Most failures of the strategy that are shown.
const MOST_FAILURES: usize = 5;

/// What epochs.csv, migrations.csv and partitioner.csv say; nothing where no account may move.
#[derive(Default)]
pub(super) struct Migrations {
    there: bool,
    epochs: Vec<Epoch>,
    /// How long accounts were nowhere.
    stalled: Distribution,
    /// What the strategy said that failed, each once.
    failures: Vec<String>,
    /// Wall-clock times of its answers.
    asked: Distribution,
}

/// A row of epochs.csv.
struct Epoch {
    network: u64,
    number: u64,
    began: Option<u64>,
    over: Option<u64>,
    moves: u64,
}

impl Migrations {
    /// Reads the tables.
    ///
    /// # Errors
    /// If the run has migrations, and one of the tables cannot be read.
    pub fn read(directory: &Path, summary: &Document) -> Result<Self, HtmlError> {
        let mut all = Self::default();
        if summary.at("/migrations").is_null() {
            return Ok(all);
        }
        all.there = true;
        let columns = ["network", "epoch", "began_ns", "over_ns", "moves"];
        each(directory, "epochs.csv", columns, |row| {
            all.epochs.push(Epoch {
                network: row.number(0).unwrap_or(0),
                number: row.number(1).unwrap_or(0),
                began: row.number(2),
                over: row.number(3),
                moves: row.number(4).unwrap_or(0),
            });
        })?;
        each(directory, "migrations.csv", ["stalled_ns"], |row| {
            row.number(0).into_iter().for_each(|time| all.stalled.record(Duration(time)));
        })?;
        each(directory, "partitioner.csv", ["wall_ns", "failure"], |row| {
            row.number(0).into_iter().for_each(|time| all.asked.record(Duration(time)));
            let failure = String::from_utf8_lossy(row.bytes(1)).into_owned();
            if !failure.is_empty() && !all.failures.contains(&failure) {
                all.failures.push(failure);
            }
        })?;
        Ok(all)
    }

    /// While accounts were on their way.
    #[must_use]
    pub fn bands(&self, time: &Timeline) -> Vec<Band> {
        let band = |epoch: &Epoch| {
            let place = |at| seconds(time.place(epoch.network, at));
            let (from, to) = (place(epoch.began?), place(epoch.over.or(epoch.began)?));
            let moves = grouped(epoch.moves);
            let (since, until) = (plain(from), plain(to));
            Some(Band {
                span: (from, to),
                name: format!("epoch {}", epoch.number),
                title: format!(
                    "after epoch {}: {moves} accounts on their way, {since} s to {until} s",
                    epoch.number
                ),
                class: "band moving",
            })
        };
        self.epochs.iter().filter_map(band).take(MOST_BANDS).collect()
    }

    /// The section; `None` where no account may move.
    #[must_use]
    pub fn html(
        &self,
        summary: &Document,
        time: &Timeline,
        transactions: &Transactions,
    ) -> Option<String> {
        if !self.there {
            return None;
        }
        let mut html = self.failures();
        html.push_str(&facts(summary));
        if self.epochs.is_empty() {
            html.push_str("<p class=\"empty\">No account moved.</p>");
            return Some(html);
        }
        html.push_str(&before_and_after(summary));
        let mut charts = vec![ratio(time, transactions)];
        charts.extend(settlement(time, transactions));
        charts.extend(self.stalled());
        html.push_str("<div class=\"grid\">");
        charts.iter().for_each(|chart| html.push_str(&chart.html()));
        html.push_str("</div>");
        html.push_str(&epochs(summary));
        Some(html)
    }

    /// What depends on the machine: the words of a program that failed.
    fn failures(&self) -> String {
        if self.failures.is_empty() {
            return String::new();
        }
        let mut html = String::from(super::MACHINE_BEGINS);
        html.push_str("<div class=\"notice poor\"><h3>The strategy failed</h3>");
        for failure in self.failures.iter().take(MOST_FAILURES) {
            html.push_str(&format!("<pre>{}</pre>", message(failure)));
        }
        html.push_str("<p>Accounts stayed where they were.</p></div>");
        html.push_str(super::MACHINE_ENDS);
        html
    }

    /// The distribution of the time in which an account was nowhere.
    fn stalled(&self) -> Option<Chart> {
        let max = self.stalled.max()?;
        let x = Axis::linear(max.0 as f64 / 1e6, 5, "ms");
        let points = curve(&self.stalled, x.domain.1);
        let mut table = Table::new(["percent", "ms"]);
        for percent in TABLE_PERCENT {
            table.row(vec![plain_percent(percent), time(&self.stalled, percent / 100.0)]);
        }
        let count = grouped(self.stalled.count());
        let median = quantile(&self.stalled, 0.5).unwrap_or(0.0);
        Some(Chart {
            title: "Accounts on their way".to_owned(),
            unit: "left → arrived".to_owned(),
            x,
            y: percent_axis(),
            series: vec![Series { name: String::new(), class: "c5", shape: Shape::Line(points) }],
            bands: Vec::new(),
            marks: Vec::new(),
            along: Along::Y,
            at: TABLE_PERCENT.to_vec(),
            table,
            note: format!(
                "{count} accounts; half of them were live again after {} ms.",
                millis(duration(median))
            ),
        })
    }
}

/// Counts, as summary.json has them.
fn facts(summary: &Document) -> String {
    let figure = |key: &str| summary.figure(&format!("/migrations/{key}"), Unit::Count);
    let strategy = message(summary.text("/migrations/strategy"));
    let bytes = summary.count("/migrations/bytes");
    let shown_bytes = crate::report::number::bytes(bytes);
    format!(
        "<p class=\"facts\">Strategy <b>{strategy}</b>. {} epochs ended, {} with an answer, {} with \
         moves. {} accounts moved with {} slots in {} receipts (<span data-key=\"/migrations/bytes\" \
         data-value=\"{bytes}\">{shown_bytes}</span>); {} receipts waited for them, {} were forwarded, \
         {} transactions looked for their sender's new home.</p>\n",
        figure("epochs/ended"),
        figure("epochs/answered"),
        figure("epochs/moved"),
        figure("accounts"),
        figure("slots"),
        figure("parts"),
        figure("parked"),
        figure("forwarded"),
        figure("refused/transactions"),
    )
}

/// How long accounts were nowhere, and the ratio at both ends.
fn before_and_after(summary: &Document) -> String {
    let ratio = |side: &str| {
        summary.figure(&format!("/migrations/cross_shard_ratio/{side}"), Unit::Percent)
    };
    let stalled = |statistic: &str| {
        summary.figure(&format!("/migrations/stalled_ms/{statistic}"), Unit::Millis)
    };
    format!(
        "<p class=\"facts\">Cross-shard {} before the first migration, {} after the last. An account \
         was nowhere for {} ms (p50), {} ms (p99), {} ms at most.</p>\n",
        ratio("before"),
        ratio("after"),
        stalled("p50"),
        stalled("p99"),
        stalled("max"),
    )
}

/// The share of cross-shard transactions by the time at which they were due.
fn ratio(time: &Timeline, transactions: &Transactions) -> Chart {
    let share = |intra: u64, cross: u64| {
        (intra + cross > 0).then(|| cross as f64 * 100.0 / (intra + cross) as f64)
    };
    let moments = transactions.moments.iter();
    let values = moments.map(|moments| share(moments.intra, moments.cross)).collect();
    let line = Values {
        title: "cross-shard, %".to_owned(),
        name: Some(String::new()),
        class: "cross",
        values,
    };
    let unit = format!(
        "% of executed recorded transactions by when they were due, per {}",
        time.bin_name()
    );
    let mut chart = time.lines("Cross-shard ratio", &unit, vec![line]);
    chart.y = percent_axis();
    chart
}

/// One row per epoch with moves: what moved, and what it was like before, during and after.
fn epochs(summary: &Document) -> String {
    let rows = summary.list("/migrations/by_epoch");
    let mut table = Table::new([
        "epoch",
        "accounts",
        "slots",
        "bytes",
        "from s",
        "to s",
        "stalled p50, ms",
        "stalled p99, ms",
        "waited",
        "cross-shard before",
        "after",
        "settled p50 before, ms",
        "during",
        "after ",
        "settled p99 before, ms",
        "during ",
        "after  ",
    ]);
    for row in rows.iter().take(MOST_EPOCHS) {
        let number = |pointer: &str, unit: Unit| {
            let value = row.pointer(pointer).and_then(serde_json::Value::as_f64);
            value.map_or_else(|| "–".to_owned(), |value| shown(value, unit))
        };
        let second = |pointer: &str| {
            let value = row.pointer(pointer).and_then(serde_json::Value::as_f64);
            value.map_or_else(|| "–".to_owned(), |millis| plain(millis / 1_000.0))
        };
        let bytes = row.pointer("/bytes").and_then(serde_json::Value::as_u64).unwrap_or(0);
        table.row(vec![
            number("/epoch", Unit::Count),
            number("/arrived", Unit::Count),
            number("/slots", Unit::Count),
            crate::report::number::bytes(bytes),
            second("/began_ms"),
            second("/over_ms"),
            number("/stalled_ms/p50", Unit::Millis),
            number("/stalled_ms/p99", Unit::Millis),
            number("/parked", Unit::Count),
            number("/before/cross_shard_ratio", Unit::Percent),
            number("/after/cross_shard_ratio", Unit::Percent),
            number("/before/settlement_ms/p50", Unit::Millis),
            number("/during/settlement_ms/p50", Unit::Millis),
            number("/after/settlement_ms/p50", Unit::Millis),
            number("/before/settlement_ms/p99", Unit::Millis),
            number("/during/settlement_ms/p99", Unit::Millis),
            number("/after/settlement_ms/p99", Unit::Millis),
        ]);
    }
    let mut html = format!("<h3>Epochs with moves</h3>{}", table.html());
    if let Some(hidden @ 1..) = rows.len().checked_sub(MOST_EPOCHS) {
        let hidden = grouped(hidden as u64);
        html.push_str(&format!("<p class=\"note\">{hidden} more: see epochs.csv.</p>"));
    }
    html
}

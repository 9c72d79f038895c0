//! The run over time: what was offered and came to an end, latency, load and queues of shards.

use super::blocks::{BlockRow, Chain};
use super::chart::Chart;
use super::markup::Table;
use super::timeline::{Timeline, Values};
use super::transactions::{Moments, Transactions};
use crate::report::number::plain;

/// How long a queue was after a block.
type Length = fn(&BlockRow) -> Option<u64>;
/// One of the counts of a bin.
type Count = fn(&Moments) -> u64;

/// The section on the run over time.
#[must_use]
pub(super) fn over_time(
    shards: usize,
    time: &Timeline,
    chain: &Chain,
    transactions: &Transactions,
) -> String {
    if time.is_empty() {
        return "<p class=\"empty\">No block was made: there is no time to look at.</p>".to_owned();
    }
    let bin = time.bin_name();
    let mut charts = vec![throughput(time, transactions)];
    charts.extend(settlement(time, transactions));
    let load = chain.load(shards, time);
    let unit = format!("transactions and receipts per second in blocks, per {bin}");
    charts.push(time.shards("Load of each shard", &unit, &load));
    let queues: [(&str, &str, Length); 3] = [
        ("Mempools", "most transactions that waited after a block", |block| block.mempool),
        ("Delayed receipts", "most receipts that waited for gas or their account", |block| {
            Some(block.delayed)
        }),
        ("Receipts held back", "most receipts that waited for their release", |block| {
            Some(block.buffered)
        }),
    ];
    let mut empty: Vec<&str> = Vec::new();
    for (title, unit, length) in queues {
        let queue = chain.queue(shards, time, length);
        if queue.iter().flatten().flatten().any(|length| *length > 0.0) {
            charts.push(time.shards(title, &format!("{unit}, per {bin}"), &queue));
        } else {
            empty.push(title);
        }
    }
    let mut html = String::from("<div class=\"grid\">");
    charts.iter().for_each(|chart| html.push_str(&chart.html()));
    html.push_str("</div>");
    if !empty.is_empty() {
        let names = empty.join(", ").to_lowercase();
        html.push_str(&format!("<p class=\"note\">Empty at every block: {names}.</p>"));
    }
    html.push_str(&faults(time));
    html
}

/// When faults were at work: the red bands of the charts.
fn faults(time: &Timeline) -> String {
    let faults = || time.bands.iter().filter(|band| band.class == "band");
    if faults().count() == 0 {
        return String::new();
    }
    let mut table = Table::new(["fault", "from s", "to s"]);
    for band in faults() {
        let (from, to) = band.span;
        table.row(vec![band.name.clone(), plain(from), plain(to)]);
    }
    table.details(&format!("{} faults: the red bands", faults().count()))
}

/// What was due, settled and refused, per second.
fn throughput(time: &Timeline, transactions: &Transactions) -> Chart {
    let rate = |of: fn(&Moments) -> u64| -> Vec<Option<f64>> {
        let bins = transactions.moments.iter().enumerate();
        bins.map(|(bin, moments)| {
            let (from, to) = time.bounds(bin);
            // The last bin may be a fraction of one, and a rate of it noise.
            Some(of(moments) as f64 / (to - from).max(time.bin_seconds() / 2.0))
        })
        .collect()
    };
    // Not the finalized ones: a checkpoint finalizes many at once, which is no rate.
    let lines: [(&str, &'static str, Count); 3] = [
        ("offered", "all", |it| it.scheduled),
        ("settled", "c1", |it| it.settled),
        ("refused", "cross", |it| it.refused),
    ];
    let lines = lines
        .into_iter()
        .map(|(title, class, of)| Values {
            title: title.to_owned(),
            name: None,
            class,
            values: rate(of),
        })
        .filter(|line| line.title != "refused" || line.values.iter().flatten().any(|v| *v > 0.0));
    let unit = format!("transactions per second, per {}", time.bin_name());
    time.lines("Throughput", &unit, lines.collect())
}

/// Percentiles of the settlement latency by the time at which transactions were due.
#[must_use]
pub(super) fn settlement(time: &Timeline, transactions: &Transactions) -> Option<Chart> {
    let mut sorted = transactions.settlements.clone();
    sorted.sort_unstable();
    sorted.first()?;
    let percentile = |share: f64| -> Vec<Option<f64>> {
        let of = |bin: usize| {
            let from = sorted.partition_point(|(at, _)| *at < bin);
            let to = sorted.partition_point(|(at, _)| *at <= bin);
            let members = &sorted[from..to];
            let rank = (share * members.len() as f64).ceil().max(1.0) as usize - 1;
            members
                .get(rank.min(members.len().saturating_sub(1)))
                .map(|(_, took)| *took as f64 / 1e6)
        };
        (0..time.bins()).map(of).collect()
    };
    let lines = [("p50", 0.5, "c1"), ("p90", 0.9, "c3"), ("p99", 0.99, "cross")];
    let lines = lines.map(|(name, share, class)| Values {
        title: name.to_owned(),
        name: None,
        class,
        values: percentile(share),
    });
    let unit =
        format!("ms, of recorded transactions by when they were due, per {}", time.bin_name());
    Some(time.lines("Settlement latency", &unit, lines.into()))
}

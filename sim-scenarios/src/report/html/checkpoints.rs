//! Checkpoints over time: how long each took, what it covered.

use super::blocks::{Chain, CheckpointRow};
use super::chart::{Chart, Series, Shape};
use super::markup::Table;
use super::source::{Document, Unit};
use super::timeline::{Timeline, figure, seconds};
use crate::report::number::{grouped, plain};

/// Most checkpoints that are drawn one by one; more are put together.
pub(super) const MOST_POINTS: usize = 240;

/// One or more checkpoints that follow one another.
struct Group {
    /// Numbers of the first and the last.
    numbers: (u64, u64),
    /// When the last was final, in seconds.
    at: f64,
    /// The longest time from proposed to finalized, in milliseconds.
    latency: f64,
    /// Blocks that they cover, per checkpoint.
    blocks: f64,
    /// Shards that moved, per checkpoint.
    crosslinks: f64,
    /// Views that ended without one, before them.
    view_changes: u64,
}

/// The section on checkpoints.
#[must_use]
pub(super) fn checkpoints(summary: &Document, time: &Timeline, chain: &Chain) -> String {
    let final_ones: Vec<&CheckpointRow> =
        chain.checkpoints.iter().filter(|row| row.finalized.is_some()).collect();
    let mut html = facts(summary);
    if final_ones.is_empty() || time.is_empty() {
        html.push_str("<p class=\"empty\">No checkpoint was finalized.</p>");
        return html;
    }
    let size = final_ones.len().div_ceil(MOST_POINTS);
    let groups: Vec<Group> = final_ones.chunks(size).map(|rows| group(rows, time)).collect();
    let mut note = match size {
        1 => String::new(),
        size => format!(
            "{} checkpoints, {size} to a point: the longest latency, the mean of what they cover. ",
            grouped(final_ones.len() as u64)
        ),
    };
    if groups.iter().any(|group| group.view_changes > 0) {
        note.push_str("Orange: views ended without a checkpoint before it.");
    }
    let latency = chart(
        time,
        &groups,
        ("Checkpoint latency", "ms from proposed to finalized"),
        "c1",
        |it| it.latency,
        &note,
    );
    let covered =
        chart(time, &groups, ("Blocks covered", "per checkpoint"), "c3", |it| it.blocks, &note);
    html.push_str(&format!("<div class=\"grid\">{}{}</div>", latency.html(), covered.html()));
    html
}

/// Counts and percentiles, as summary.json has them.
fn facts(summary: &Document) -> String {
    let mut html = String::from(
        "<div class=\"scroll\"><table class=\"figures\"><caption>Checkpoints, ms</caption><thead>\
         <tr><th scope=\"col\"></th><th scope=\"col\">count</th><th scope=\"col\">p50</th>\
         <th scope=\"col\">p90</th><th scope=\"col\">p99</th><th scope=\"col\">p99.9</th>\
         <th scope=\"col\">max</th></tr></thead><tbody>",
    );
    for (title, key) in [("proposed → finalized", "latency_ms"), ("between two", "interval_ms")] {
        html.push_str(&format!("<tr><th scope=\"row\">{title}</th><td>"));
        html.push_str(&summary.figure(&format!("/checkpoints/{key}/count"), Unit::Count));
        for statistic in ["p50", "p90", "p99", "p999", "max"] {
            let pointer = format!("/checkpoints/{key}/{statistic}");
            html.push_str(&format!("</td><td>{}", summary.figure(&pointer, Unit::Millis)));
        }
        html.push_str("</td></tr>");
    }
    html.push_str("</tbody></table></div><p class=\"facts\">");
    html.push_str(&summary.figure("/checkpoints/finalized", Unit::Count));
    html.push_str(" finalized, ");
    html.push_str(&summary.figure("/checkpoints/view_changes", Unit::Count));
    html.push_str(" views ended without one.</p>\n");
    html
}

fn group(rows: &[&CheckpointRow], time: &Timeline) -> Group {
    let latency = |row: &&CheckpointRow| Some(row.finalized?.saturating_sub(row.proposed?));
    let mean = |of: fn(&CheckpointRow) -> u64| {
        rows.iter().map(|row| of(row)).sum::<u64>() as f64 / rows.len() as f64
    };
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    Group {
        numbers: (first.number, last.number),
        at: seconds(time.place(last.network, last.finalized.unwrap_or(0))),
        latency: rows.iter().filter_map(latency).max().unwrap_or(0) as f64 / 1e6,
        blocks: mean(|row| row.blocks),
        crosslinks: mean(|row| row.crosslinks),
        view_changes: rows.iter().map(|row| row.view_changes).sum(),
    }
}

fn chart(
    time: &Timeline,
    groups: &[Group],
    (title, unit): (&str, &str),
    class: &'static str,
    of: fn(&Group) -> f64,
    note: &str,
) -> Chart {
    let mut chart = time.chart(title, unit, groups.iter().map(of).fold(0.0, f64::max));
    let points = |changed: bool| {
        let chosen = groups.iter().filter(|group| (group.view_changes > 0) == changed);
        Shape::Points(chosen.map(|group| (group.at, of(group))).collect())
    };
    chart.at = groups.iter().map(|group| group.at).collect();
    chart.series = [(class, false), ("cross", true)]
        .map(|(class, changed)| Series { name: String::new(), class, shape: points(changed) })
        .into();
    chart.table = Table::new([
        "finalized at s",
        "checkpoint",
        "latency, ms",
        "blocks",
        "shards that moved",
        "view changes before",
    ]);
    for group in groups {
        let number = match group.numbers {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}–{last}"),
        };
        chart.table.row(vec![
            plain(group.at),
            number,
            plain(group.latency),
            figure(group.blocks),
            figure(group.crosslinks),
            grouped(group.view_changes),
        ]);
    }
    chart.note = note.to_owned();
    chart
}

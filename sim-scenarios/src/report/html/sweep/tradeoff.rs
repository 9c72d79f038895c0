//! Where a better cross-shard ratio gives no better latency.

use super::super::chart::{Along, Chart, Series, Shape};
use super::super::markup::{Table, escaped};
use super::super::scale::Axis;
use super::cells::{change, name};
use super::metric::Named;
use super::plots::{colour, row_axis};
use crate::compare::output::shown;
use crate::statistics::Finding;
use crate::sweep::{Cell, Effect, SweepResults};

/// Ratio that partitioning papers improve.
const RATIO: &str = "cross_shard_ratio";
/// What users feel of it.
const LATENCIES: [&str; 4] = [
    "latency_ms.settlement.all.p50",
    "latency_ms.settlement.all.p99",
    "load_imbalance.max_over_mean",
    "throughput_tps",
];
/// Up to so many cells, points have names.
const MOST_NAMED: usize = 14;
/// Most cells that are listed.
const MOST_LISTED: usize = 40;

/// Scatter plots of the ratio against latencies, and the cells that improve one and not the other.
#[must_use]
pub(super) fn tradeoffs(results: &SweepResults) -> String {
    let ratio = Named::of(RATIO);
    let known = results.plan.cells.iter().filter(|it| results.effect(it.index, RATIO).is_some());
    if known.count() < 2 {
        return "<p class=\"empty\">There are not two cells with a cross-shard ratio.</p>"
            .to_owned();
    }
    let mut html = String::from("<div class=\"grid\">");
    for path in LATENCIES {
        html.push_str(&scatter(results, &ratio, &Named::of(path)));
    }
    html.push_str("</div>");
    html.push_str(&contradictions(results, &ratio));
    html
}

fn scatter(results: &SweepResults, ratio: &Named, other: &Named) -> String {
    let Some(axis) = row_axis(results) else { return String::new() };
    let mut points: Vec<(&Cell, &Effect, &Effect)> = results
        .plan
        .cells
        .iter()
        .filter_map(|cell| {
            let of = |metric: &Named| results.effect(cell.index, &metric.path);
            Some((cell, of(ratio)?, of(other)?))
        })
        .collect();
    if points.len() < 2 {
        return String::new();
    }
    points.sort_by(|one, two| one.1.mean.total_cmp(&two.1.mean));
    let x = |effect: &Effect| effect.mean * ratio.scale();
    let y = |effect: &Effect| effect.mean * other.scale();
    let mut series: Vec<Series> = Vec::new();
    let mut labels = Vec::new();
    let (mut left, mut right, mut low, mut high) = (f64::MAX, f64::MIN, f64::MAX, f64::MIN);
    let mut table = Table::new([ratio.title.clone(), other.title.clone(), "cell".to_owned()]);
    for (cell, of_ratio, of_other) in &points {
        let class = colour(results, axis, cell);
        let at = (x(of_ratio), y(of_other));
        (left, right) = (left.min(at.0), right.max(at.0));
        (low, high) = (low.min(at.1), high.max(at.1));
        if let Some(interval) = of_other.mean_interval {
            let span = (interval.low * other.scale(), interval.high * other.scale());
            (low, high) = (low.min(span.0), high.max(span.1));
            let shape = Shape::Whiskers(vec![(at.0, span)]);
            series.push(Series { name: String::new(), class, shape });
        }
        series.push(Series { name: String::new(), class, shape: Shape::Points(vec![at]) });
        labels.push((at.0, at.1, name(results, cell)));
        table.row(vec![
            ratio.words(of_ratio.mean),
            other.words(of_other.mean),
            name(results, cell),
        ]);
    }
    if points.len() <= MOST_NAMED {
        series.push(Series { name: String::new(), class: "", shape: Shape::Labels(labels) });
    }
    Chart {
        title: format!("{} and {}", ratio.title, other.title.to_lowercase()),
        unit: format!(
            "one dot per cell: {} over cross-shard ratio in %",
            match other.axis() {
                "" => other.title.to_lowercase(),
                unit => unit.to_owned(),
            }
        ),
        x: Axis::fitting(left, right, 5, "%"),
        y: Axis::fitting(low, high, 4, ""),
        series,
        bands: Vec::new(),
        marks: Vec::new(),
        along: Along::X,
        at: points.iter().map(|it| x(it.1)).collect(),
        table,
        note: String::new(),
    }
    .html()
}

/// Cells with a ratio that is really lower than the baseline's, and a latency that is not.
fn contradictions(results: &SweepResults, ratio: &Named) -> String {
    let mut html = String::new();
    let mut count = 0;
    let mut better = 0;
    for cell in &results.plan.cells {
        let Some(of_ratio) = results.effect(cell.index, RATIO) else { continue };
        let Some(against) = &of_ratio.against else { continue };
        if against.finding != Finding::Lower {
            continue;
        }
        better += 1;
        let mut wrong = Vec::new();
        for path in &LATENCIES[..2] {
            let metric = Named::of(path);
            let Some(effect) = results.effect(cell.index, path) else { continue };
            let Some(latency) = &effect.against else { continue };
            match latency.finding {
                Finding::Higher => wrong.push(format!(
                    "<b class=\"bad\">worse</b> {}: {} ({})",
                    escaped(&metric.title.to_lowercase()),
                    metric.words(effect.mean),
                    change(latency, &metric)
                )),
                Finding::NotShown => wrong.push(format!(
                    "no real change of {}: {} ({})",
                    escaped(&metric.title.to_lowercase()),
                    metric.words(effect.mean),
                    change(latency, &metric)
                )),
                _ => {}
            }
        }
        if !wrong.is_empty() {
            count += 1;
            if count <= MOST_LISTED {
                html.push_str(&format!(
                    "<li>{}: ratio {} ({}), but {}</li>",
                    escaped(&name(results, cell)),
                    shown(of_ratio.mean, ratio.unit),
                    change(against, ratio),
                    wrong.join(", ")
                ));
            }
        }
    }
    match (better, count) {
        (0, _) => "<p class=\"note\">No cell has a ratio that is really better than its \
                   baseline's.</p>"
            .to_owned(),
        (better, 0) => format!(
            "<p class=\"note\">In each of the {better} cells with a really better ratio, settlement \
             latency is really better too.</p>"
        ),
        (better, count) => format!(
            "<div class=\"notice fair\"><h3>A better ratio, but no better latency: {count} of \
             {better} cells</h3><ul>{html}</ul></div>"
        ),
    }
}

//! Cells: the best of each metric, and all of them in a table.

use super::super::markup::escaped;
use super::metric::Named;
use crate::compare::output::{percent, shown};
use crate::scenario::Bound;
use crate::statistics::Finding;
use crate::sweep::effects::Against;
use crate::sweep::{Cell, Effect, SweepResults};

/// Most metrics with a tile.
const MOST_TILES: usize = 6;
/// Most rows of the table; effects.csv has all.
const MOST_ROWS: usize = 400;

/// What a cell is called: its values; of numbers also what they are.
#[must_use]
pub(super) fn name(results: &SweepResults, cell: &Cell) -> String {
    let values = results.plan.axes.iter().zip(&cell.values).map(|(axis, value)| {
        if axis.values.iter().any(|it| it.bound.is_some() && it.label == *value) {
            return bound_name(cell.bound).to_owned();
        }
        match value.starts_with(|c: char| c.is_ascii_digit()) {
            true => format!("{} {value}", axis.name),
            false => value.clone(),
        }
    });
    values.collect::<Vec<_>>().join(" · ")
}

/// What a bound of the strategies is called in charts.
#[must_use]
pub(super) fn bound_name(bound: Option<Bound>) -> &'static str {
    match bound {
        Some(Bound::Lower) => "hash",
        Some(Bound::Upper) => "all local",
        None => "",
    }
}

/// A number of effects.csv, in an element that names its place there.
#[must_use]
pub(super) fn figure(effect: &Effect, column: &str, value: f64, metric: &Named) -> String {
    format!(
        "<span data-key=\"{}/{}/{column}\" data-value=\"{value}\">{}</span>",
        effect.cell,
        escaped(&effect.metric),
        shown(value, metric.unit)
    )
}

/// Whether a difference to the baseline is real, in an element.
#[must_use]
pub(super) fn badge(against: &Against, metric: &Named) -> String {
    let higher = against.finding == Finding::Higher;
    let (class, words) = match (against.finding, metric.higher_is_better) {
        (Finding::TooFew, _) => ("none", "too few"),
        (Finding::NotShown, _) => ("none", "not real"),
        (_, None) => ("fair", "real"),
        (_, Some(up)) if up == higher => ("good", "real, better"),
        _ => ("bad", "real, worse"),
    };
    format!("<span class=\"verdict {class}\">{words}</span>")
}

/// The difference to the baseline: in percent where that has a meaning.
#[must_use]
pub(super) fn change(against: &Against, metric: &Named) -> String {
    match against.difference.relative {
        Some(relative) => percent(relative.estimate),
        None => crate::compare::output::signed(against.difference.estimate, metric.unit),
    }
}

/// The best cell of each metric that has a better side, without the upper bound.
#[must_use]
pub(super) fn tiles(results: &SweepResults, metrics: &[Named]) -> String {
    let mut html = String::from("<div class=\"tiles six\">");
    let judged = metrics.iter().filter(|metric| metric.higher_is_better.is_some());
    for metric in judged.take(MOST_TILES) {
        let cells = results.plan.cells.iter().filter(|cell| cell.bound != Some(Bound::Upper));
        let effects = cells.filter_map(|cell| results.effect(cell.index, &metric.path));
        let up = metric.higher_is_better == Some(true);
        let best = effects.reduce(|best, other| match (other.mean > best.mean) == up {
            true if other.mean != best.mean => other,
            _ => best,
        });
        let Some(best) = best else { continue };
        let change = match &best.against {
            Some(against) => format!("{} {}", change(against, metric), badge(against, metric)),
            None => "the baseline itself".to_owned(),
        };
        html.push_str(&format!(
            "<div class=\"tile\"><h3>Best: {}</h3><p class=\"big\">{}<small> {}</small></p><p>{}</p>\
             <p class=\"change\">{change}</p></div>",
            escaped(&metric.title.to_lowercase()),
            figure(best, "mean", best.mean, metric),
            if metric.unit == crate::compare::Unit::Share { "" } else { metric.axis() },
            escaped(&name(results, &results.plan.cells[best.cell])),
        ));
    }
    html.push_str("</div>\n");
    html
}

/// All cells: each metric's mean with its interval, and the difference to the baseline.
#[must_use]
pub(super) fn table(results: &SweepResults, metrics: &[Named]) -> String {
    let plan = &results.plan;
    let mut html = String::from("<div class=\"scroll\"><table class=\"figures wide\"><thead><tr>");
    html.push_str("<th scope=\"col\">cell</th>");
    for axis in &plan.axes {
        html.push_str(&format!("<th scope=\"col\">{}</th>", escaped(&axis.name)));
    }
    for metric in metrics {
        let unit = match metric.axis() {
            "" | "%" => String::new(),
            unit => format!(", {unit}"),
        };
        html.push_str(&format!(
            "<th scope=\"col\" title=\"{}\">{}{unit}</th>",
            escaped(&metric.path),
            escaped(&metric.title)
        ));
    }
    html.push_str("</tr></thead><tbody>");
    for cell in plan.cells.iter().take(MOST_ROWS) {
        html.push_str(&format!("<tr><th scope=\"row\">{}</th>", cell.index));
        for value in &cell.values {
            html.push_str(&format!("<td>{}</td>", escaped(value)));
        }
        for metric in metrics {
            html.push_str("<td>");
            match results.effect(cell.index, &metric.path) {
                None => html.push('–'),
                Some(effect) => html.push_str(&value(effect, metric)),
            }
            html.push_str("</td>");
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table></div>");
    if plan.cells.len() > MOST_ROWS {
        html.push_str(&format!(
            "<p class=\"note\">The first {MOST_ROWS} of {} cells: effects.csv has all of them.</p>",
            plan.cells.len()
        ));
    }
    html.push_str(
        "<p class=\"note\">Means over repeats; below, the interval of the mean, and the difference to \
         the baseline, paired by seed.</p>",
    );
    html
}

fn value(effect: &Effect, metric: &Named) -> String {
    let mut html = figure(effect, "mean", effect.mean, metric);
    if let Some(interval) = effect.mean_interval {
        html.push_str(&format!(
            "<br/><small>{} … {}</small>",
            shown(interval.low, metric.unit),
            shown(interval.high, metric.unit)
        ));
    }
    match &effect.against {
        None => html.push_str("<br/><small>baseline</small>"),
        Some(against) => html.push_str(&format!(
            "<br/><small>{}</small> {}",
            change(against, metric),
            badge(against, metric)
        )),
    }
    html
}

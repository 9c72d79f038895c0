//! Effects as dots with intervals, and what two axes do together.

use std::collections::BTreeMap;

use super::super::chart::{Along, Chart, Series, Shape};
use super::super::intervals::{Dot, IntervalRow, Intervals, Reference, Width};
use super::super::markup::Table;
use super::super::scale::Axis as Scale;
use super::super::timeline::COLOURS;
use super::cells::change;
use super::metric::Named;
use crate::compare::output::shown;
use crate::scenario::Bound;
use crate::sweep::{Cell, Effect, SweepResults};

/// Most rows of a plot.
const MOST_ROWS: usize = 60;
/// Rows from which on a plot takes the whole width.
const WIDE_FROM: usize = 26;
/// Most lines of an interaction plot.
const MOST_LINES: usize = 12;

/// The axis whose values are the rows of a plot: that of the strategies, or the one that varies
/// fastest. `None` without axes.
#[must_use]
pub(super) fn row_axis(results: &SweepResults) -> Option<usize> {
    let axes = &results.plan.axes;
    let of_strategies =
        axes.iter().position(|axis| axis.values.iter().any(|value| value.bound.is_some()));
    of_strategies
        .or_else(|| axes.iter().rposition(|axis| axis.values.len() > 1))
        .or(axes.len().checked_sub(1))
}

/// The colour of a value of the row axis. Bounds have colours of their own.
#[must_use]
pub(super) fn colour(results: &SweepResults, axis: usize, cell: &Cell) -> &'static str {
    match cell.bound {
        Some(Bound::Lower) => "low",
        Some(Bound::Upper) => "up",
        None => {
            let values = results.plan.axes[axis].values.iter().filter(|it| it.bound.is_none());
            let place = values.map(|it| &it.label).position(|it| *it == cell.values[axis]);
            COLOURS[place.unwrap_or(0) % COLOURS.len()]
        }
    }
}

/// Cells that differ in the row axis only, under the values of the others.
fn groups(results: &SweepResults, axis: usize) -> Vec<(String, Vec<&Cell>)> {
    let mut groups: Vec<(String, Vec<&Cell>)> = Vec::new();
    for cell in &results.plan.cells {
        let named = results.plan.axes.iter().zip(&cell.values).enumerate();
        let others = named.filter(|(place, (it, _))| *place != axis && it.values.len() > 1);
        let others: Vec<String> =
            others.map(|(_, (it, value))| format!("{} {value}", it.name)).collect();
        let name = others.join(" · ");
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, cells)) => cells.push(cell),
            None => groups.push((name, vec![cell])),
        }
    }
    groups
}

/// One plot per metric.
#[must_use]
pub(super) fn effects(results: &SweepResults, metrics: &[Named]) -> String {
    let Some(axis) = row_axis(results) else {
        return "<p class=\"empty\">The sweep varies nothing.</p>".to_owned();
    };
    let plots: String = metrics.iter().map(|metric| effect_plot(results, axis, metric)).collect();
    if plots.is_empty() {
        return "<p class=\"empty\">No run is done yet.</p>".to_owned();
    }
    let level = results.plan.level * 100.0;
    let repeats = results.plan.seeds.len();
    format!(
        "<div class=\"grid\">{plots}</div><p class=\"note\">Means over {repeats} repeats with their \
         {level} % intervals (bootstrap). A dot is filled where the difference to the baseline is \
         real: its interval, paired by seed, does not hold 0, and chance does not explain it with \
         that many cells compared (Holm). Intervals of two means may overlap while their paired \
         difference is real.</p>"
    )
}

fn effect_plot(results: &SweepResults, axis: usize, metric: &Named) -> String {
    let scale = metric.scale();
    let mut rows = Vec::new();
    let mut references = Vec::new();
    let mut table = Table::new([
        "cell".to_owned(),
        "mean".to_owned(),
        "from".to_owned(),
        "to".to_owned(),
        "to baseline".to_owned(),
        "real?".to_owned(),
    ]);
    let (mut low, mut high) = (f64::MAX, f64::MIN);
    let mut hidden = 0;
    for (name, cells) in groups(results, axis) {
        let bounded = cells.iter().any(|cell| cell.bound.is_none());
        let first = rows.len();
        for cell in &cells {
            let Some(effect) = results.effect(cell.index, &metric.path) else { continue };
            let mean = effect.mean * scale;
            (low, high) = (low.min(mean), high.max(mean));
            if let (Some(bound), true) = (cell.bound, bounded) {
                let (name, class) = match bound {
                    Bound::Lower => ("hash", "low"),
                    Bound::Upper => ("all local", "up"),
                };
                // Once is enough.
                references.push((first, mean, if first == 0 { name } else { "" }, class));
                continue;
            }
            if rows.len() >= MOST_ROWS {
                hidden += 1;
                continue;
            }
            let interval = effect.mean_interval.map(|it| (it.low * scale, it.high * scale));
            if let Some((from, to)) = interval {
                (low, high) = (low.min(from), high.max(to));
            }
            let finding = effect.against.as_ref().map(|against| against.finding);
            table.row(cells_of(&cell.values.join(" · "), effect, metric));
            rows.push(IntervalRow {
                group: if rows.len() == first { name.clone() } else { String::new() },
                name: cell.values[axis].clone(),
                dots: vec![Dot {
                    value: mean,
                    interval,
                    class: colour(results, axis, cell),
                    filled: finding.is_none_or(crate::statistics::Finding::is_shown),
                }],
            });
        }
        let last = rows.len().saturating_sub(1);
        references.iter_mut().filter(|it| it.0 > last).for_each(|it| it.0 = last);
    }
    if rows.is_empty() {
        return String::new();
    }
    let count = rows.len();
    let ends: Vec<usize> = (0..count)
        .map(|row| (row + 1..count).find(|next| !rows[*next].group.is_empty()).unwrap_or(count) - 1)
        .collect();
    let references = references.into_iter().map(|(first, value, name, class)| Reference {
        value,
        name: name.to_owned(),
        class,
        rows: (first, ends[first]),
    });
    let direction = match metric.direction() {
        "" => String::new(),
        direction => format!("; {direction}"),
    };
    Intervals {
        title: metric.title.clone(),
        unit: format!(
            "{}{direction}",
            if metric.axis().is_empty() { "mean" } else { metric.axis() }
        ),
        x: Scale::fitting(low, high, 5, metric.axis()),
        references: references.collect(),
        legend: Vec::new(),
        table,
        note: match hidden {
            0 => String::new(),
            hidden => format!("{hidden} more cells are in the table of cells."),
        },
        width: if rows.len() >= WIDE_FROM { Width::Whole } else { Width::Half },
        rows,
    }
    .html()
}

fn cells_of(name: &str, effect: &Effect, metric: &Named) -> Vec<String> {
    let end = |value: Option<f64>| value.map_or("–".to_owned(), |it| shown(it, metric.unit));
    let (difference, real) = match &effect.against {
        None => ("baseline".to_owned(), String::new()),
        Some(against) => {
            let real = match against.finding {
                finding if finding.is_shown() => "yes",
                crate::statistics::Finding::TooFew => "too few",
                _ => "no",
            };
            (change(against, metric), real.to_owned())
        }
    };
    vec![
        name.to_owned(),
        metric.words(effect.mean),
        end(effect.mean_interval.map(|it| it.low)),
        end(effect.mean_interval.map(|it| it.high)),
        difference,
        real,
    ]
}

/// For each metric: one line per value of the row axis over the values of the other one.
#[must_use]
pub(super) fn interactions(results: &SweepResults, metrics: &[Named]) -> String {
    let Some(rows) = row_axis(results) else { return String::new() };
    let axes = &results.plan.axes;
    let over = axes
        .iter()
        .enumerate()
        .filter(|(place, axis)| *place != rows && axis.values.len() > 1)
        .max_by_key(|(_, axis)| axis.values.len())
        .map_or(rows, |(place, _)| place);
    let mut html = String::from("<div class=\"grid\">");
    for metric in metrics {
        html.push_str(&interaction(results, metric, rows, over));
    }
    html.push_str("</div>");
    let fixed: Vec<String> = axes
        .iter()
        .enumerate()
        .filter(|(place, axis)| *place != rows && *place != over && axis.values.len() > 1)
        .map(|(_, axis)| format!("{} {}", axis.name, axis.values[0].label))
        .collect();
    if !fixed.is_empty() {
        let fixed = super::super::markup::escaped(&fixed.join(", ")).into_owned();
        html.push_str(&format!("<p class=\"note\">With {fixed}.</p>"));
    }
    html
}

/// Cells of one line: the first one, and each one's place with its effect.
type Effects<'a> = (&'a Cell, Vec<(usize, &'a Effect)>);

fn interaction(results: &SweepResults, metric: &Named, rows: usize, over: usize) -> String {
    let axes = &results.plan.axes;
    let first = |place: usize| axes[place].values[0].label.as_str();
    let chosen = results.plan.cells.iter().filter(|cell| {
        let others = cell.values.iter().enumerate();
        let mut others = others.filter(|(place, _)| *place != rows && *place != over);
        others.all(|(place, value)| value == first(place))
    });
    let ticks: Vec<&str> = axes[over].values.iter().map(|value| value.label.as_str()).collect();
    let scale = metric.scale();
    let mut lines: BTreeMap<usize, Effects<'_>> = BTreeMap::new();
    for cell in chosen {
        let Some(effect) = results.effect(cell.index, &metric.path) else { continue };
        let Some(at) = ticks.iter().position(|tick| *tick == cell.values[over]) else { continue };
        let line = match rows == over {
            true => 0,
            false => {
                let labels = axes[rows].values.iter().map(|value| value.label.as_str());
                labels.into_iter().position(|label| label == cell.values[rows]).unwrap_or(0)
            }
        };
        lines.entry(line).or_insert_with(|| (cell, Vec::new())).1.push((at, effect));
    }
    if lines.is_empty() {
        return String::new();
    }
    let name = |cell: &Cell| match (rows == over, cell.bound) {
        (true, _) => String::new(),
        (_, Some(Bound::Lower)) => "hash".to_owned(),
        (_, Some(Bound::Upper)) => "all local".to_owned(),
        _ => cell.values[rows].clone(),
    };
    let hidden = lines.len().saturating_sub(MOST_LINES);
    let mut series = Vec::new();
    let mut table = Table::new([axes[over].name.clone()].into_iter().chain(lines.values().map(
        |it| match name(it.0) {
            name if name.is_empty() => metric.title.clone(),
            name => name,
        },
    )));
    for (at, tick) in ticks.iter().enumerate() {
        let value = |points: &[(usize, &Effect)]| {
            let found = points.iter().find(|(place, _)| *place == at);
            found.map_or("–".to_owned(), |(_, effect)| metric.words(effect.mean))
        };
        let values = lines.values().map(|(_, points)| value(points));
        table.row([(*tick).to_owned()].into_iter().chain(values).collect());
    }
    let (mut low, mut high) = (f64::MAX, f64::MIN);
    for (place, (cell, points)) in lines.values().take(MOST_LINES).enumerate() {
        let class = if rows == over { "c1" } else { colour(results, rows, cell) };
        // Whiskers that lie on one another are not told apart.
        let apart = (place as f64 - (lines.len().min(MOST_LINES) - 1) as f64 / 2.0) * 0.025;
        let x = |at: usize| at as f64 + apart;
        let mut line = Vec::new();
        let mut whiskers = Vec::new();
        for (at, effect) in points {
            let mean = effect.mean * scale;
            (low, high) = (low.min(mean), high.max(mean));
            line.push((x(*at), Some(mean)));
            if let Some(interval) = effect.mean_interval {
                let span = (interval.low * scale, interval.high * scale);
                (low, high) = (low.min(span.0), high.max(span.1));
                whiskers.push((x(*at), span));
            }
        }
        let dots = line.iter().filter_map(|(x, y)| Some((*x, (*y)?))).collect();
        series.push(Series { name: String::new(), class, shape: Shape::Whiskers(whiskers) });
        series.push(Series { name: name(cell), class, shape: Shape::Line(line) });
        series.push(Series { name: String::new(), class, shape: Shape::Points(dots) });
    }
    Chart {
        title: metric.title.clone(),
        unit: match metric.axis() {
            "" => format!("over {}", axes[over].name),
            unit => format!("{unit}, over {}", axes[over].name),
        },
        x: Scale {
            domain: (-0.35, ticks.len() as f64 - 0.65),
            ticks: (0..).map(f64::from).zip(ticks.iter().map(|it| (*it).to_owned())).collect(),
        },
        y: Scale::fitting(low, high, 4, ""),
        series,
        bands: Vec::new(),
        marks: Vec::new(),
        along: Along::X,
        at: (0..ticks.len()).map(|at| at as f64).collect(),
        table,
        note: match hidden {
            0 => String::new(),
            hidden => format!("{hidden} more lines are in the table."),
        },
    }
    .html()
}

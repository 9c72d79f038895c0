//! What gave out above the highest rate that holds, and how close other resources came to their bounds.

use std::collections::BTreeMap;

use super::{ROOM, drawn, marks, most, offered};
use crate::capacity::Ladder;
use crate::capacity::output::facts;
use crate::compare::Unit;
use crate::compare::output::shown;
use crate::report::html::chart::{Along, Chart, Series, Shape};
use crate::report::html::markup::{Table, message};
use crate::report::html::scale::Axis;
use crate::report::html::timeline::COLOURS;

/// A signal at more than this multiple of its bound is drawn there.
const MOST_EXCESS: f64 = 2.0;
/// Most signals with a line.
const MOST_SIGNALS: usize = 6;

/// What gave out, what must hold, signals relative to their bounds.
pub(super) fn section(ladder: &Ladder) -> String {
    let mut html = String::from(
        "<div class=\"grid\"><div class=\"below\"><div><h3>What gave out</h3><ul class=\"checks bare\">",
    );
    for fact in facts(ladder) {
        html.push_str(&format!("<li>{}</li>", message(fact.trim())));
    }
    html.push_str("</ul></div><div><h3>What must hold</h3><ul class=\"checks bare\">");
    for criterion in &ladder.plan.criteria {
        html.push_str(&format!("<li>{}</li>", message(criterion)));
    }
    for threshold in &ladder.plan.not_judged {
        html.push_str(&format!(
            "<li>{} <span>is not judged: it grows with the rate</span></li>",
            message(threshold)
        ));
    }
    html.push_str("</ul></div></div>");
    html.push_str(&resources(ladder));
    html.push_str("</div>");
    html
}

/// Signals relative to their bounds.
fn resources(ladder: &Ladder) -> String {
    let rungs = drawn(ladder);
    let mut lines: BTreeMap<&str, BTreeMap<i32, f64>> = BTreeMap::new();
    for probe in &ladder.probes {
        for signal in probe.signals.iter().filter(|signal| signal.bound > 0.0) {
            let share = signal.value / signal.bound;
            let values = lines.entry(signal.name.as_str()).or_default();
            let most = values.entry(probe.step).or_insert(share);
            *most = share.max(*most);
        }
    }
    let all = lines.len();
    let mut lines: Vec<(&str, Vec<Option<f64>>)> = lines
        .into_iter()
        .map(|(name, values)| {
            (name, rungs.iter().map(|rung| values.get(&rung.step).copied()).collect())
        })
        .collect();
    let largest = |values: &[Option<f64>]| values.iter().flatten().copied().fold(0.0, f64::max);
    lines.sort_by(|one, two| largest(&two.1).total_cmp(&largest(&one.1)).then(one.0.cmp(two.0)));
    let head = lines.iter().map(|(name, _)| (*name).to_owned());
    let mut table = Table::new(["offered, tx/s".to_owned()].into_iter().chain(head));
    for (at, rung) in rungs.iter().enumerate() {
        let cell =
            |value: Option<f64>| value.map_or("–".to_owned(), |it| shown(it, Unit::Number));
        let cells = lines.iter().map(|(_, values)| cell(values[at]));
        table.row([shown(rung.offered_tps, Unit::Number)].into_iter().chain(cells).collect());
    }
    lines.retain(|(_, values)| largest(values) > 0.02);
    lines.truncate(MOST_SIGNALS);
    let end = most(&rungs, offered);
    let mut series = vec![Series {
        name: "bound".to_owned(),
        class: "ideal",
        shape: Shape::Line(vec![(0.0, Some(1.0)), (end, Some(1.0))]),
    }];
    let mut top = 1.0_f64;
    for ((name, values), class) in lines.iter().zip(COLOURS) {
        let points = rungs.iter().zip(values);
        let points =
            points.map(|(rung, value)| (offered(rung), value.map(|it| it.min(MOST_EXCESS))));
        let points: Vec<(f64, Option<f64>)> = points.collect();
        top = points.iter().filter_map(|(_, value)| *value).fold(top, f64::max);
        series.push(Series { name: (*name).to_owned(), class, shape: Shape::Line(points) });
    }
    if rungs.is_empty() {
        return String::new();
    }
    let chart = Chart {
        title: "Resources".to_owned(),
        unit: "each relative to the bound beyond which it is saturated".to_owned(),
        x: Axis::until(end * ROOM, 5, "tx/s"),
        y: Axis::linear(top, 4, ""),
        series,
        bands: Vec::new(),
        marks: marks(ladder, offered),
        along: Along::X,
        at: rungs.iter().map(|rung| offered(rung)).collect(),
        table,
        note: format!(
            "Of {all} resources those that come closest to their bounds; drawn up to {MOST_EXCESS} \
             times a bound. Of several seeds the worst."
        ),
    };
    chart.html()
}

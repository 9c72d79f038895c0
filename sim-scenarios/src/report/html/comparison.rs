//! `compare.html`: which differences between runs are real, in one file that needs nothing else.
//!
//! Each number that `compare.json` has stands in an element that names its place there.

use serde_json::Value;

use super::chart::{Along, Chart, Series, Shape};
use super::intervals::{Dot, IntervalRow, Intervals, Reference, Width};
use super::markup::{Table, escaped, message};
use super::page;
use super::scale::Axis;
use super::source::Document;
use super::timeline::COLOURS;
use super::transactions::SPANS;
use crate::compare::metric::{Better, STAGES, Unit};
use crate::compare::output::{conclusion, json, percent, shown, side_facts, signed, verdict};
use crate::compare::{Compared, Comparison, Row, Side};
use crate::report::number::plain;
use crate::statistics::Finding;

/// The name of the file.
pub const FILE: &str = "compare.html";

/// Metrics with a tile.
const TILES: [(&str, &str); 6] = [
    ("throughput_tps", "Throughput"),
    ("cross_shard_ratio", "Cross-shard ratio"),
    ("settlement.p50", "Settlement, p50"),
    ("settlement.p99", "Settlement, p99"),
    ("finality.p50", "Finality, p50"),
    ("finality.p99", "Finality, p99"),
];
/// A difference of more than this many percent is not drawn to scale.
const MOST_PERCENT: f64 = 400.0;
/// Percentiles of the tables of distributions.
const TABLE_PERCENT: [usize; 13] = [1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99];
/// Most runs that are listed of one side.
const MOST_RUNS: usize = 64;
/// Most fields that are listed.
const MOST_FIELDS: usize = 64;

/// The page.
#[must_use]
pub fn render(compared: &Compared) -> String {
    let document = Document::of(json(compared));
    let mut head = String::new();
    for (index, comparison) in compared.comparisons.iter().enumerate() {
        head.push_str(&title(
            comparison,
            &compared.sides[index + 1],
            &compared.sides[0],
            index == 0,
        ));
        head.push_str(&tiles(comparison, index, &document));
    }
    let mut sections = vec![("Differences", differences(compared))];
    sections.push(("Distributions", distributions(compared)));
    sections.push(("All metrics", metrics(compared, &document)));
    sections.push(("What differs", fields(compared)));
    sections.push(("Runs", runs(compared)));
    let names: Vec<&str> = compared.sides.iter().map(|side| side.name.as_str()).collect();
    page(&names.join(" → "), &head, &sections)
}

fn title(comparison: &Comparison, side: &Side, first: &Side, is_first: bool) -> String {
    let (shown, judged) = comparison.counts();
    let (class, mark, words) = match (shown, judged) {
        (_, 0) => ("fair", "?", "No difference can be judged".to_owned()),
        (0, _) => ("none", "=", "No difference is real".to_owned()),
        (1, judged) => ("fair", "≠", format!("1 of {judged} differences is real")),
        (shown, judged) => ("fair", "≠", format!("{shown} of {judged} differences are real")),
    };
    let heading = if is_first { "h1" } else { "h1 class=\"next\"" };
    let close = "h1";
    format!(
        "<header><p class=\"badge {class}\"><span aria-hidden=\"true\">{mark}</span> {words}</p>\
         <{heading}>{} → {}</{close}><p class=\"what\">{}</p><p class=\"what\">{}</p></header>\n",
        escaped(&comparison.a),
        escaped(&comparison.b),
        escaped(&format!("{}: {}", first.name, side_facts(first).join(" · "))),
        escaped(&format!("{}: {}", side.name, side_facts(side).join(" · "))),
    )
}

fn tiles(comparison: &Comparison, index: usize, document: &Document) -> String {
    let mut html = String::from("<div class=\"tiles six\">");
    for (name, title) in TILES {
        let Some(at) = comparison.rows.iter().position(|row| row.metric == name) else { continue };
        let row = &comparison.rows[at];
        let pointer = |key: &str| format!("/comparisons/{index}/rows/{at}/{key}");
        let unit = match row.unit {
            Unit::Milliseconds => " ms",
            Unit::PerSecond => " tx/s",
            Unit::Share | Unit::Number => "",
        };
        let change = match row.relative {
            Some(relative) => percent(relative),
            None => "–".to_owned(),
        };
        html.push_str(&format!(
            "<div class=\"tile\"><h3>{title}</h3><p class=\"big\">{}<small>{unit}</small></p>\
             <p>from {}{unit}</p><p class=\"change\"><span>{change}</span>{}</p></div>",
            figure(document, &pointer("b"), row.unit, false),
            figure(document, &pointer("a"), row.unit, false),
            badge(row)
        ));
    }
    html.push_str("</div>\n");
    html
}

/// Whether it is real.
fn badge(row: &Row) -> String {
    let (class, words) = match (row.finding, row.is_better()) {
        (Finding::TooFew, _) => ("none", "not judged"),
        (Finding::NotShown, _) => ("none", "not real"),
        (_, Some(true)) => ("good", "real, better"),
        _ => ("bad", "real, worse"),
    };
    format!("<span class=\"verdict {class}\">{words}</span>")
}

fn colour(row: &Row) -> &'static str {
    match row.is_better() {
        Some(true) => "good",
        Some(false) => "bad",
        None => "none",
    }
}

/// A number with its place in the JSON.
fn figure(document: &Document, pointer: &str, unit: Unit, with_sign: bool) -> String {
    let value = document.at(pointer);
    let Some(number) = value.as_f64() else { return "<span>–</span>".to_owned() };
    let text = if with_sign { signed(number, unit) } else { shown(number, unit) };
    format!("<span data-key=\"{}\" data-value=\"{value}\">{text}</span>", escaped(pointer))
}

/// Relative differences with their intervals.
fn differences(compared: &Compared) -> String {
    let several = compared.comparisons.len() > 1;
    let mut html = String::new();
    if several {
        html.push_str(&format!(
            "<p class=\"note\">Each colour is a side, compared with {}. Filled dots are real \
             differences.</p>",
            escaped(&compared.sides[0].name)
        ));
    }
    let is_latency = |row: &Row| row.unit == Unit::Milliseconds;
    let is_part = |row: &Row| {
        let parts =
            STAGES.iter().any(|stage| row.metric.starts_with(&format!("cross_shard.{stage}")));
        parts || row.metric.starts_with("checkpoints")
    };
    let of_whole = |row: &Row| is_latency(row) && !is_part(row);
    html.push_str(&format!(
        "<div class=\"grid\">{}<div class=\"below\">{}{}</div></div>",
        plot(compared, "Latencies", "lower is better", of_whole),
        plot(compared, "Throughput, ratios, shares", "", |row| !is_latency(row)),
        plot(compared, "Stages and checkpoints", "lower is better", is_part),
    ));
    for comparison in &compared.comparisons {
        let name = match several {
            true => format!("<b>{}</b>: ", escaped(&comparison.b)),
            false => String::new(),
        };
        html.push_str(&format!("<p class=\"note\">{name}{}</p>", escaped(&conclusion(comparison))));
        if !comparison.warnings.is_empty() {
            html.push_str("<div class=\"notice fair\"><h3>What to bear in mind</h3><ul>");
            for warning in &comparison.warnings {
                html.push_str(&format!("<li>{}</li>", message(warning)));
            }
            html.push_str("</ul></div>");
        }
    }
    html
}

fn plot(compared: &Compared, title: &str, unit: &str, wanted: impl Fn(&Row) -> bool) -> String {
    let Some(first) = compared.comparisons.first() else { return String::new() };
    let several = compared.comparisons.len() > 1;
    let mut head = vec!["metric".to_owned()];
    for comparison in &compared.comparisons {
        let name = if several { format!("{}: ", comparison.b) } else { String::new() };
        head.extend(["relative", "low", "high", "real?"].map(|it| format!("{name}{it}")));
    }
    let mut table = Table::new(head);
    let mut rows = Vec::new();
    let mut ends = (0.0_f64, 0.0_f64);
    let mut group = "";
    for (at, row) in first.rows.iter().enumerate().filter(|(_, row)| row.main && wanted(row)) {
        let mut dots = Vec::new();
        let mut cells = vec![row.metric.clone()];
        for (index, comparison) in compared.comparisons.iter().enumerate() {
            let row = &comparison.rows[at];
            let part = |value: Option<f64>| value.map_or("–".to_owned(), percent);
            cells.push(part(row.relative));
            cells.push(part(row.relative_interval.map(|it| it[0])));
            cells.push(part(row.relative_interval.map(|it| it[1])));
            cells.push(verdict(row).to_owned());
            let Some(value) = row.relative.map(|it| it * 100.0) else { continue };
            let interval = row.relative_interval.map(|[low, high]| (low * 100.0, high * 100.0));
            for end in [Some(value), interval.map(|it| it.0), interval.map(|it| it.1)] {
                let end = end.unwrap_or(0.0).clamp(-100.0, MOST_PERCENT);
                ends = (ends.0.min(end), ends.1.max(end));
            }
            dots.push(Dot {
                value,
                interval,
                class: if several { side_colour(index + 1) } else { colour(row) },
                filled: row.finding.is_shown(),
            });
        }
        if dots.is_empty() {
            continue;
        }
        let (own, name) = match row.unit {
            Unit::Milliseconds => row.metric.split_once('.').unwrap_or(("", &row.metric)),
            _ => ("", row.metric.as_str()),
        };
        let begins = own != group;
        group = own;
        table.row(cells);
        rows.push(IntervalRow {
            group: if begins { capital(own) } else { String::new() },
            name: name.replace(['_', '.'], " "),
            dots,
        });
    }
    if rows.is_empty() {
        return String::new();
    }
    let sides = compared.comparisons.iter().enumerate();
    let room = (ends.1 - ends.0).max(2.0) * 0.04;
    let better = if unit.is_empty() { String::new() } else { format!("; {unit}") };
    Intervals {
        title: title.to_owned(),
        unit: format!("difference in % of {}, with 95 % intervals{better}", first.a),
        x: Axis::between(ends.0 - room, ends.1 + room, 5, "%"),
        references: vec![Reference {
            value: 0.0,
            name: String::new(),
            class: "zero",
            rows: (0, rows.len() - 1),
        }],
        rows,
        legend: match several {
            true => sides.map(|(index, it)| (it.b.clone(), side_colour(index + 1))).collect(),
            false => vec![
                ("real, better".to_owned(), "good"),
                ("real, worse".to_owned(), "bad"),
                ("not real, or not judged".to_owned(), "none"),
            ],
        },
        table,
        note: String::new(),
        width: Width::Half,
    }
    .html()
}

/// The colour of a side in all charts.
fn side_colour(side: usize) -> &'static str {
    COLOURS[side % COLOURS.len()]
}

fn capital(name: &str) -> String {
    let name = name.replace('_', "-");
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => name,
    }
}

/// Distribution functions of all sides.
fn distributions(compared: &Compared) -> String {
    let mut html = String::from("<div class=\"grid\">");
    for (span, (_, title, what)) in SPANS.iter().enumerate() {
        let curves: Vec<(&str, &[f64])> = compared
            .sides
            .iter()
            .zip(&compared.curves)
            .map(|(side, curves)| (side.name.as_str(), curves[span].0.as_slice()))
            .filter(|(_, curve)| !curve.is_empty())
            .collect();
        if !curves.is_empty() {
            html.push_str(&distribution(title, what, &curves).html());
        }
    }
    html.push_str("</div>");
    html
}

fn distribution(title: &str, what: &str, curves: &[(&str, &[f64])]) -> Chart {
    let at = |curve: &[f64], percent: usize| {
        curve.get((curve.len() - 1) * percent / 100).copied().unwrap_or(0.0)
    };
    let end = curves.iter().map(|(_, curve)| at(curve, 100)).fold(0.0, f64::max);
    let tail = curves.iter().map(|(_, curve)| at(curve, 99)).fold(0.0, f64::max);
    let cut = end > tail * 1.8;
    let x = Axis::linear(if cut { tail } else { end }, 5, "ms");
    let series = curves.iter().enumerate().map(|(side, (name, curve))| {
        // What is compared with lies below, wide enough to be seen where the others are equal.
        let class = if side == 0 { "c1 under" } else { side_colour(side) };
        let steps = (curve.len() - 1) as f64;
        let points = curve.iter().enumerate().take_while(|(_, value)| **value <= x.domain.1);
        let points = points.map(|(step, value)| (*value, Some(step as f64 / steps * 100.0)));
        Series { name: (*name).to_owned(), class, shape: Shape::Line(points.collect()) }
    });
    let series = series.collect();
    let names = curves.iter().map(|(name, _)| format!("{name}, ms"));
    let mut table = Table::new(["percent".to_owned()].into_iter().chain(names));
    for percent in TABLE_PERCENT {
        let values = curves.iter().map(|(_, curve)| shown(at(curve, percent), Unit::Milliseconds));
        table.row([percent.to_string()].into_iter().chain(values).collect());
    }
    let ticks = [0, 25, 50, 75, 100].map(|tick| (f64::from(tick), format!("{tick} %")));
    Chart {
        title: format!("{title} latency"),
        unit: what.to_owned(),
        x,
        y: Axis { domain: (0.0, 100.0), ticks: ticks.to_vec() },
        series,
        bands: Vec::new(),
        marks: Vec::new(),
        along: Along::Y,
        at: TABLE_PERCENT.map(|percent| percent as f64).to_vec(),
        table,
        note: match cut {
            true => format!("Drawn to the 99th percentile; the slowest took {} ms.", plain(end)),
            false => String::new(),
        },
    }
}

/// Everything that was compared.
fn metrics(compared: &Compared, document: &Document) -> String {
    let mut html = String::new();
    for (index, comparison) in compared.comparisons.iter().enumerate() {
        html.push_str(&format!(
            "<div class=\"scroll\"><table class=\"figures wide\"><caption>{} → {}</caption><thead>\
             <tr><th scope=\"col\">metric</th><th scope=\"col\">{0}</th><th scope=\"col\">{1}</th>\
             <th scope=\"col\">difference</th><th scope=\"col\">from</th><th scope=\"col\">to</th>\
             <th scope=\"col\">p, adjusted</th><th scope=\"col\">real?</th></tr></thead><tbody>",
            escaped(&comparison.a),
            escaped(&comparison.b)
        ));
        for (at, row) in comparison.rows.iter().enumerate() {
            if row.a.is_none() && row.b.is_none() {
                continue;
            }
            let cell = |key: &str, with_sign: bool| {
                let pointer = format!("/comparisons/{index}/rows/{at}/{key}");
                format!("<td>{}</td>", figure(document, &pointer, row.unit, with_sign))
            };
            let sub = if row.metric.contains('.') { " class=\"sub\"" } else { "" };
            let unit = match row.unit {
                Unit::Milliseconds => " <small>ms</small>",
                Unit::PerSecond => " <small>per second</small>",
                Unit::Share | Unit::Number => "",
            };
            let p_value = row.p_adjusted.map_or("–".to_owned(), |p| match p {
                p if p < 0.001 => "&lt; 0.001".to_owned(),
                p => format!("{p:.3}"),
            });
            html.push_str(&format!(
                "<tr{sub}><th scope=\"row\">{}{unit}{}</th>{}{}{}{}{}<td>{p_value}</td><td>{}</td></tr>",
                escaped(&row.metric),
                match row.better {
                    Better::Higher => " <small>higher is better</small>",
                    Better::Lower => "",
                },
                cell("a", false),
                cell("b", false),
                cell("difference", true),
                cell("interval/0", true),
                cell("interval/1", true),
                badge(row)
            ));
        }
        html.push_str("</tbody></table></div>");
    }
    html
}

/// Fields of the scenarios that differ.
fn fields(compared: &Compared) -> String {
    let mut html = String::new();
    for comparison in &compared.comparisons {
        if comparison.fields.is_empty() {
            html.push_str(&format!(
                "<p class=\"empty\">{} and {} have the same scenario, apart from seeds.</p>",
                escaped(&comparison.a),
                escaped(&comparison.b)
            ));
            continue;
        }
        let mut table = Table::new(["field", comparison.a.as_str(), comparison.b.as_str()]);
        for field in comparison.fields.iter().take(MOST_FIELDS) {
            let value = |text: &str| match text.is_empty() {
                true => "(not there)".to_owned(),
                false => text.to_owned(),
            };
            table.row(vec![field.field.clone(), value(&field.a), value(&field.b)]);
        }
        html.push_str(&table.html());
    }
    html
}

/// What was run, on what.
fn runs(compared: &Compared) -> String {
    let mut table = Table::new([
        "side",
        "run",
        "seed",
        "verdict",
        "world",
        "shardlab",
        "cost profile",
        "machine",
        "digest",
    ]);
    for side in &compared.sides {
        for run in side.runs.iter().take(MOST_RUNS) {
            let about = |pointer: &str| {
                run.manifest.pointer(pointer).and_then(Value::as_str).unwrap_or("–").to_owned()
            };
            let digest = run.text("/simulation/digest");
            table.row(vec![
                side.name.clone(),
                run.directory.display().to_string(),
                run.seed().to_string(),
                run.text("/verdict").replace('_', " "),
                run.world().to_owned(),
                about("/shardlab"),
                about("/profile/name"),
                about("/machine/processor"),
                digest.chars().take(18).collect(),
            ]);
        }
        if side.runs.len() > MOST_RUNS {
            let more = format!("and {} more", side.runs.len() - MOST_RUNS);
            table.row(vec![side.name.clone(), more]);
        }
    }
    table.html()
}

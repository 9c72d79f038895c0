//! `report.html` of a search for the capacity: the ladder, the knee, what gave out first.
//!
//! Each number that `capacity.json` has stands in an element that names its place there.

use std::fs;
use std::path::{Path, PathBuf};

mod saturation;

use super::chart::{Along, Chart, Series, Shape};
use super::markup::{Table, escaped, shortened};
use super::scale::Axis;
use super::source::{Document, HtmlError};
use super::{FILE, page};
use crate::capacity::ladder::Range;
use crate::capacity::output::{JSON, headline};
use crate::capacity::{Ladder, Rung};
use crate::compare::Unit;
use crate::compare::output::shown;

/// Rates above this multiple of the capacity are in the table and not in the charts.
const JUST_PAST: f64 = 1.2;
/// Axes end so much beyond the last point.
const ROOM: f64 = 1.03;
/// Most runs in the table.
const MOST_PROBES: usize = 200;
/// The longest scenario that is shown, in characters.
const MOST_SCENARIO: usize = 100_000;

/// Writes `report.html` into the directory of a search and returns its path.
///
/// # Errors
/// When `capacity.json` is missing or is not what this version writes, or the report cannot be
/// written.
pub fn write(directory: &Path) -> Result<PathBuf, HtmlError> {
    let from = directory.join(JSON);
    let text = fs::read_to_string(&from).map_err(|error| HtmlError::new(&from, error))?;
    let ladder: Ladder =
        serde_json::from_str(&text).map_err(|error| HtmlError::new(&from, error))?;
    let path = directory.join(FILE);
    fs::write(&path, render(&ladder)).map_err(|error| HtmlError::new(&path, error))?;
    Ok(path)
}

/// The page.
#[must_use]
pub fn render(ladder: &Ladder) -> String {
    let document = Document::of(serde_json::to_value(ladder).unwrap_or_default());
    let head = title(ladder) + &tiles(ladder, &document);
    let sections = [
        ("Curve", curve(ladder)),
        ("Ladder", rungs(ladder, &document)),
        ("Saturation", saturation::section(ladder)),
        ("Runs", probes(ladder)),
        ("Manifest", manifest(ladder)),
    ];
    page(&format!("{}: capacity", ladder.plan.name), &head, &sections)
}

fn title(ladder: &Ladder) -> String {
    let (class, mark, words) = match (ladder.done, ladder.capacity.step) {
        (false, _) => ("fair", "…", "Not done yet"),
        (true, None) => ("bad", "✗", "No rate meets the thresholds"),
        (true, Some(_)) => ("good", "✓", "Capacity found"),
    };
    let seeds: Vec<String> = ladder.plan.rule.seeds.iter().map(u64::to_string).collect();
    format!(
        "<header><p class=\"badge {class}\"><span aria-hidden=\"true\">{mark}</span> {words}</p>\
         <h1>{}: capacity</h1><p class=\"what\">{}</p><p class=\"what\">{}</p></header>\n",
        escaped(&ladder.plan.name),
        escaped(&headline(ladder)),
        escaped(&format!(
            "{} · {} runs · seeds {} · resolution {} %",
            ladder.plan.world,
            ladder.probes.len(),
            seeds.join(" "),
            shown(ladder.plan.rule.resolution * 100.0, Unit::Number)
        )),
    )
}

/// A number with its place in the JSON.
fn figure(document: &Document, pointer: &str, unit: Unit) -> String {
    let value = document.at(pointer);
    let Some(number) = value.as_f64() else { return "<span>–</span>".to_owned() };
    let text = shown(number, unit);
    format!("<span data-key=\"{}\" data-value=\"{value}\">{text}</span>", escaped(pointer))
}

fn tiles(ladder: &Ladder, document: &Document) -> String {
    let tile = |title: &str, figure: String, unit: &str, note: String| {
        format!(
            "<div class=\"tile\"><h3>{title}</h3><p class=\"big\">{figure}<small>{unit}</small></p>\
             <p>{note}</p></div>"
        )
    };
    let number = |pointer: &str, unit| figure(document, pointer, unit);
    let at = ladder.rungs.iter().position(|rung| Some(rung.step) == ladder.capacity.step);
    let rung = |key: &str| match at {
        Some(at) => number(&format!("/rungs/{at}/{key}"), Unit::Milliseconds),
        None => "–".to_owned(),
    };
    let first = match ladder.capacity.saturated.first() {
        Some(first) => {
            (escaped(&first.signal.name).into_owned(), escaped(&first.words).into_owned())
        }
        None => ("none".to_owned(), "at the rates that were tried".to_owned()),
    };
    let knee = |key: &str, unit| number(&format!("/capacity/knee/{key}"), unit);
    format!(
        "<div class=\"tiles\">{}{}{}{}</div>\n",
        tile(
            "Capacity",
            number("/capacity/offered_tps", Unit::Number),
            " tx/s offered",
            format!(
                "{} × the scenario's rates; not met at {}",
                number("/capacity/factor", Unit::Number),
                number("/capacity/unmet_tps", Unit::Number)
            )
        ),
        tile(
            "Settlement at capacity",
            rung("settlement_p50_ms/mean"),
            " ms, p50",
            format!(
                "p99 {} · finality p99 {}",
                rung("settlement_p99_ms/mean"),
                rung("finality_p99_ms/mean")
            )
        ),
        tile(
            "Knee",
            knee("offered_tps", Unit::Number),
            " tx/s offered",
            format!("settlement p50 {} ms", knee("settlement_p50_ms", Unit::Milliseconds))
        ),
        tile("Saturated first", first.0, "", first.1),
    )
}

/// Rungs up to the capacity and just past it.
fn drawn(ladder: &Ladder) -> Vec<&Rung> {
    let possible = ladder.rungs.iter().filter(|rung| rung.offered_tps > 0.0);
    let Some(capacity) = ladder.capacity.offered_tps else { return possible.collect() };
    let past = ladder.capacity.unmet_tps.unwrap_or(capacity).max(capacity * JUST_PAST);
    possible.filter(|rung| rung.offered_tps <= past).collect()
}

fn curve(ladder: &Ladder) -> String {
    let rungs = drawn(ladder);
    if rungs.is_empty() {
        return "<p class=\"empty\">No run is done yet.</p>".to_owned();
    }
    let mut html = String::from("<div class=\"grid\">");
    html.push_str(&latency_over_throughput(ladder, &rungs));
    html.push_str(&settled_over_offered(ladder, &rungs));
    html.push_str(&latency_over_offered(ladder, &rungs));
    html.push_str(&power(ladder, &rungs));
    html.push_str("</div>");
    let hidden = ladder.rungs.len() - rungs.len();
    if hidden > 0 {
        let rates = if hidden == 1 { "rate" } else { "rates" };
        html.push_str(&format!(
            "<p class=\"note\">Not drawn, but in the table below: {hidden} {rates} far above the \
             capacity.</p>"
        ));
    }
    html
}

/// Lines at the knee and at the capacity.
fn marks(ladder: &Ladder, of: fn(&Rung) -> f64) -> Vec<(f64, String)> {
    let at = |wanted: Option<f64>| {
        ladder.rungs.iter().find(|rung| Some(rung.offered_tps) == wanted).map(of)
    };
    let capacity = at(ladder.capacity.offered_tps);
    let knee = at(ladder.capacity.knee.map(|knee| knee.offered_tps));
    match (capacity, knee) {
        (Some(capacity), Some(knee)) if (capacity - knee).abs() < capacity * 1e-9 => {
            vec![(capacity, "capacity, knee".to_owned())]
        }
        _ => {
            let marks = [(knee, "knee"), (capacity, "capacity")];
            marks.into_iter().filter_map(|(at, name)| Some((at?, name.to_owned()))).collect()
        }
    }
}

/// A percentile: its name, its colour, where it is.
type Percentile = (&'static str, &'static str, fn(&Rung) -> Option<Range>);

const PERCENTILES: [Percentile; 2] =
    [("p50", "c1", |rung| rung.settlement_p50_ms), ("p99", "c2", |rung| rung.settlement_p99_ms)];

fn latencies(rungs: &[&Rung], x: fn(&Rung) -> f64, with_ranges: bool) -> (Vec<Series>, f64) {
    let mut series = Vec::new();
    let mut largest = 0.0_f64;
    for (name, class, of) in PERCENTILES {
        let known: Vec<(f64, Range)> =
            rungs.iter().filter_map(|rung| Some((x(rung), of(rung)?))).collect();
        let line = known.iter().map(|(x, range)| (*x, Some(range.mean))).collect();
        let points = known.iter().map(|(x, range)| (*x, range.mean)).collect();
        largest = known.iter().map(|(_, range)| range.high).fold(largest, f64::max);
        if with_ranges {
            let spans = known.iter().map(|(x, range)| (*x, (range.low, range.high))).collect();
            series.push(Series { name: String::new(), class, shape: Shape::Whiskers(spans) });
        }
        series.push(Series { name: name.to_owned(), class, shape: Shape::Line(line) });
        series.push(Series { name: String::new(), class, shape: Shape::Points(points) });
    }
    (series, largest)
}

fn table(rungs: &[&Rung]) -> Table {
    let mut table = Table::new([
        "offered, tx/s",
        "settled, tx/s",
        "settlement p50, ms",
        "p99, ms",
        "power",
        "met by",
    ]);
    for rung in rungs {
        let time = |range: Option<Range>| {
            range.map_or("–".to_owned(), |it| shown(it.mean, Unit::Milliseconds))
        };
        table.row(vec![
            shown(rung.offered_tps, Unit::Number),
            shown(rung.throughput_tps.mean, Unit::Number),
            time(rung.settlement_p50_ms),
            time(rung.settlement_p99_ms),
            rung.power.map_or("–".to_owned(), |power| format!("{power:.2}")),
            format!("{} of {}", rung.met, rung.seeds),
        ]);
    }
    table
}

fn chart(title: &str, unit: &str, x: Axis, y: Axis, series: Vec<Series>, rungs: &[&Rung]) -> Chart {
    Chart {
        title: title.to_owned(),
        unit: unit.to_owned(),
        x,
        y,
        series,
        bands: Vec::new(),
        marks: Vec::new(),
        along: Along::X,
        at: Vec::new(),
        table: table(rungs),
        note: String::new(),
    }
}

fn most(rungs: &[&Rung], of: fn(&Rung) -> f64) -> f64 {
    rungs.iter().map(|rung| of(rung)).fold(0.0, f64::max)
}

fn settled(rung: &Rung) -> f64 {
    rung.throughput_tps.mean
}

fn offered(rung: &Rung) -> f64 {
    rung.offered_tps
}

fn latency_over_throughput(ladder: &Ladder, rungs: &[&Rung]) -> String {
    let (series, largest) = latencies(rungs, settled, false);
    let x = Axis::until(most(rungs, settled) * ROOM, 5, "tx/s");
    let y = Axis::linear(largest, 4, "");
    let unit = "settlement latency in ms over settled transactions per second";
    Chart {
        marks: marks(ladder, settled),
        at: rungs.iter().map(|rung| settled(rung)).collect(),
        note: "One dot per rate, joined in the order of rates: where the line turns back, more is \
               offered and less settles."
            .to_owned(),
        ..chart("Latency over throughput", unit, x, y, series, rungs)
    }
    .html()
}

fn settled_over_offered(ladder: &Ladder, rungs: &[&Rung]) -> String {
    let end = most(rungs, offered);
    let points = rungs.iter().map(|rung| (offered(rung), Some(settled(rung)))).collect();
    let dots = rungs.iter().map(|rung| (offered(rung), settled(rung))).collect();
    let series = vec![
        Series {
            name: "all settles".to_owned(),
            class: "ideal",
            shape: Shape::Line(vec![(0.0, Some(0.0)), (end, Some(end))]),
        },
        Series { name: "settled".to_owned(), class: "c3", shape: Shape::Line(points) },
        Series { name: String::new(), class: "c3", shape: Shape::Points(dots) },
    ];
    let x = Axis::until(end * ROOM, 5, "tx/s");
    let y = Axis::linear(most(rungs, settled).max(end), 4, "");
    let unit = "settled over offered transactions per second";
    Chart {
        marks: marks(ladder, offered),
        at: rungs.iter().map(|rung| offered(rung)).collect(),
        ..chart("Throughput", unit, x, y, series, rungs)
    }
    .html()
}

fn latency_over_offered(ladder: &Ladder, rungs: &[&Rung]) -> String {
    let (series, largest) = latencies(rungs, offered, true);
    let x = Axis::until(most(rungs, offered) * ROOM, 5, "tx/s");
    let y = Axis::linear(largest, 4, "");
    let unit = "settlement latency in ms over offered transactions per second";
    Chart {
        marks: marks(ladder, offered),
        at: rungs.iter().map(|rung| offered(rung)).collect(),
        note: "Where several seeds were tried, dots are means and whiskers span all of them."
            .to_owned(),
        ..chart("Latency", unit, x, y, series, rungs)
    }
    .html()
}

fn power(ladder: &Ladder, rungs: &[&Rung]) -> String {
    let known: Vec<(f64, f64)> =
        rungs.iter().filter_map(|rung| Some((offered(rung), rung.power?))).collect();
    let line = known.iter().map(|(x, y)| (*x, Some(*y))).collect();
    let series = vec![
        Series { name: "power".to_owned(), class: "c6", shape: Shape::Line(line) },
        Series { name: String::new(), class: "c6", shape: Shape::Points(known) },
    ];
    let x = Axis::until(most(rungs, offered) * ROOM, 5, "tx/s");
    let unit = "throughput ÷ median settlement latency, relative to the largest";
    Chart {
        marks: marks(ladder, offered),
        at: rungs.iter().map(|rung| offered(rung)).collect(),
        note: "The knee is where it is largest (Kleinrock, 1979): beyond it, a higher rate costs \
               more latency than it gives throughput."
            .to_owned(),
        ..chart("Power", unit, x, Axis::linear(1.0, 4, ""), series, rungs)
    }
    .html()
}

fn rungs(ladder: &Ladder, document: &Document) -> String {
    let mut html = String::from(
        "<div class=\"scroll\"><table class=\"figures wide\"><thead><tr>\
         <th scope=\"col\">offered, tx/s</th><th scope=\"col\">×</th>\
         <th scope=\"col\">settled, tx/s</th><th scope=\"col\">settlement p50, ms</th>\
         <th scope=\"col\">p99, ms</th><th scope=\"col\">finality p99, ms</th>\
         <th scope=\"col\">power</th><th scope=\"col\">met by seeds</th><th scope=\"col\"></th>\
         </tr></thead><tbody>",
    );
    for (at, rung) in ladder.rungs.iter().enumerate() {
        let cell = |key: &str, unit| {
            format!("<td>{}</td>", figure(document, &format!("/rungs/{at}/{key}"), unit))
        };
        let mut notes = String::new();
        if Some(rung.step) == ladder.capacity.step {
            notes.push_str("<span class=\"verdict good\">capacity</span> ");
        }
        if ladder.capacity.knee.is_some_and(|knee| knee.offered_tps == rung.offered_tps) {
            notes.push_str("<span class=\"verdict c6\">knee</span>");
        }
        let class = if rung.met == rung.seeds { "good" } else { "bad" };
        html.push_str(&format!(
            "<tr><th scope=\"row\">{}</th>{}{}{}{}{}{}<td><span class=\"verdict {class}\">{} of \
             {}</span></td><td>{notes}</td></tr>",
            figure(document, &format!("/rungs/{at}/offered_tps"), Unit::Number),
            cell("factor", Unit::Number),
            cell("throughput_tps/mean", Unit::Number),
            cell("settlement_p50_ms/mean", Unit::Milliseconds),
            cell("settlement_p99_ms/mean", Unit::Milliseconds),
            cell("finality_p99_ms/mean", Unit::Milliseconds),
            cell("power", Unit::Number),
            rung.met,
            rung.seeds,
        ));
    }
    html.push_str("</tbody></table></div>");
    html
}

fn probes(ladder: &Ladder) -> String {
    let mut table =
        Table::new(["directory", "offered, tx/s", "seed", "verdict", "met", "why not", "took, s"]);
    for probe in ladder.probes.iter().take(MOST_PROBES) {
        table.row(vec![
            probe.directory.clone(),
            shown(probe.offered_tps, Unit::Number),
            probe.seed.to_string(),
            probe.verdict.replace('_', " "),
            if probe.met { "yes" } else { "no" }.to_owned(),
            probe.unmet.join("; "),
            shown(probe.took_seconds, Unit::Number),
        ]);
    }
    table.html()
}

fn manifest(ladder: &Ladder) -> String {
    let fact =
        |name: &str, value: &str| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escaped(value));
    let rule = &ladder.plan.rule;
    format!(
        "<dl class=\"manifest\">{}{}{}{}{}</dl><details><summary>Scenario at its own rates, with \
         every default</summary><pre>{}</pre></details>",
        fact("Shardlab", &ladder.shardlab),
        fact("World", &ladder.plan.world),
        fact("Cost profile", ladder.plan.profile.split(':').next().unwrap_or_default()),
        fact("Resolution", &format!("{} %", rule.resolution * 100.0)),
        fact("Version of the files", &ladder.schema_version.to_string()),
        shortened(&ladder.plan.scenario, MOST_SCENARIO)
    )
}

//! Latencies: percentiles, their distribution, their tail, and what cross-shard time is made of.

use super::chart::{Along, Chart, Series, Shape};
use super::markup::{Table, escaped};
use super::scale::Axis;
use super::source::{Document, Unit};
use super::transactions::{SPANS, Spread, Transactions, grouped_stages};
use crate::metrics::Distribution;
use crate::metrics::stages::Part;
use crate::report::number::{grouped, millis, plain};

/// Points of a curve.
const CURVE_POINTS: u32 = 200;
/// Percentiles of the tables: in percent.
pub(super) const TABLE_PERCENT: [f64; 17] = [
    1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99,
    100.0,
];
/// Most groups of cross-shard transactions.
const MOST_GROUPS: usize = 40;
/// The end of the percentile spectrum: 1 in so many is slower.
const SPECTRUM_END: f64 = 10_000.0;
/// Points of the spectrum in each power of ten.
const SPECTRUM_STEPS: u32 = 16;
/// Colours of the stages, in the order of [`Part::ALL`].
pub(super) const STAGE_COLOURS: [&str; 5] = ["c5", "c3", "c6", "c1", "c2"];

/// The section on latencies.
#[must_use]
pub(super) fn latency(summary: &Document, transactions: &Transactions) -> String {
    let mut html = percentiles(summary);
    let spreads = || transactions.spreads.iter().zip(SPANS);
    if spreads().all(|(spread, _)| spread.all.count() == 0) {
        html.push_str("<p class=\"empty\">No transaction was executed: there is no latency.</p>");
        return html;
    }
    html.push_str("<div class=\"grid\">");
    for (spread, (name, title, what)) in spreads() {
        if spread.all.count() > 0 {
            html.push_str(&distribution(name, title, what, spread).html());
        }
    }
    html.push_str(&spectrum(transactions).html());
    html.push_str(&stages(transactions));
    html.push_str("</div>");
    html
}

/// The table of percentiles, as summary.json has them.
fn percentiles(summary: &Document) -> String {
    let mut html = String::from(
        "<div class=\"scroll\"><table class=\"figures\"><caption>Latency, ms</caption><thead><tr>\
         <th scope=\"col\"></th><th scope=\"col\">count</th><th scope=\"col\">p50</th>\
         <th scope=\"col\">p90</th><th scope=\"col\">p99</th><th scope=\"col\">p99.9</th>\
         <th scope=\"col\">max</th></tr></thead><tbody>",
    );
    let mut row = |class: &str, title: &str, note: &str, pointer: &str| {
        html.push_str(&format!("<tr{class}><th scope=\"row\">{}", escaped(title)));
        if !note.is_empty() {
            html.push_str(&format!(" <small>{}</small>", escaped(note)));
        }
        html.push_str("</th><td>");
        html.push_str(&summary.figure(&format!("{pointer}/count"), Unit::Count));
        for statistic in ["p50", "p90", "p99", "p999", "max"] {
            html.push_str("</td><td>");
            html.push_str(&summary.figure(&format!("{pointer}/{statistic}"), Unit::Millis));
        }
        html.push_str("</td></tr>");
    };
    let sub = " class=\"sub\"";
    for (name, title, what) in SPANS {
        row("", title, what, &format!("/latency_ms/{name}/all"));
        if name == "cross_shard" {
            for part in Part::ALL {
                let pointer = format!("/latency_ms/cross_shard/stages/{}", part.name());
                row(sub, part.name(), meaning(part), &pointer);
            }
        } else {
            row(sub, "intra-shard", "", &format!("/latency_ms/{name}/intra"));
            row(sub, "cross-shard", "", &format!("/latency_ms/{name}/cross"));
        }
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// What a stage is, in a few words.
fn meaning(part: Part) -> &'static str {
    match part {
        Part::Release => "executed → sent",
        Part::Network => "sent → arrived",
        Part::Gate => "arrived → let through",
        Part::Queue => "let through → block begins",
        Part::Execution => "block begins → executed",
    }
}

/// Empirical distribution functions: all, intra-shard, cross-shard.
fn distribution(name: &str, title: &str, what: &str, spread: &Spread) -> Chart {
    let has_classes = name != "cross_shard";
    let mut curves = vec![("all", "all", &spread.all)];
    if has_classes {
        curves.push(("intra", "intra", &spread.intra));
        curves.push(("cross", "cross", &spread.cross));
        curves.retain(|(_, _, values)| values.count() > 0);
    }
    let max = spread.all.max().map_or(0.0, to_millis);
    let tail = quantile(&spread.all, 0.999).unwrap_or(max);
    // One straggler must not press everybody else against the axis.
    let cut = max > tail * 1.5;
    let x = Axis::linear(if cut { tail } else { max }, 5, "ms");
    let end = x.domain.1;
    let series = curves.iter().map(|(name, class, values)| Series {
        name: if curves.len() > 1 { (*name).to_owned() } else { String::new() },
        class: if has_classes { class } else { "cross" },
        shape: Shape::Line(curve(values, end)),
    });
    let mut table = Table::new(
        ["percent".to_owned()]
            .into_iter()
            .chain(curves.iter().map(|(name, ..)| format!("{name}, ms"))),
    );
    for percent in TABLE_PERCENT {
        let values = curves.iter().map(|(_, _, values)| time(values, percent / 100.0));
        table.row([plain_percent(percent)].into_iter().chain(values).collect());
    }
    Chart {
        title: format!("{title} latency"),
        unit: what.to_owned(),
        series: series.collect(),
        x,
        y: percent_axis(),
        bands: Vec::new(),
        marks: Vec::new(),
        along: Along::Y,
        at: TABLE_PERCENT.to_vec(),
        table,
        note: if cut {
            let max = spread.all.max().map(millis).unwrap_or_default();
            format!("Drawn to the 99.9th percentile; the slowest took {max} ms.")
        } else {
            String::new()
        },
    }
}

pub(super) fn percent_axis() -> Axis {
    let ticks = [0, 25, 50, 75, 100].map(|tick| (f64::from(tick), format!("{tick} %")));
    Axis { domain: (0.0, 100.0), ticks: ticks.to_vec() }
}

/// Points of a distribution function up to a time: percent over milliseconds.
pub(super) fn curve(values: &Distribution, end: f64) -> Vec<(f64, Option<f64>)> {
    let mut points = Vec::new();
    for step in 0..=CURVE_POINTS {
        let share = f64::from(step) / f64::from(CURVE_POINTS);
        let Some(at) = quantile(values, share) else { break };
        if at > end {
            break;
        }
        points.push((at, Some(share * 100.0)));
    }
    points
}

/// Latency over percentile, where each further nine is as wide as the one before.
fn spectrum(transactions: &Transactions) -> Chart {
    let decades = 4;
    // With fewer values a percentile says nothing that the largest does not.
    let steps: Vec<f64> = (0..=decades * SPECTRUM_STEPS)
        .map(|step| f64::from(step) / f64::from(SPECTRUM_STEPS))
        .collect();
    let share = |decade: f64| 1.0 - 1.0 / libm::pow(10.0, decade);
    let known = transactions.spreads.iter().zip(SPANS).zip(["c1", "cross", "c3", "c5"]);
    let known: Vec<_> = known.filter(|((spread, _), _)| spread.all.count() > 0).collect();
    let series = known.iter().map(|((spread, (_, title, _)), class)| {
        let enough = spread.all.count() as f64;
        let points = steps.iter().map(|decade| {
            // What is beyond 1 of all is the largest itself.
            let drawn = libm::pow(10.0, *decade) <= enough.max(10.0);
            (*decade, quantile(&spread.all, share(*decade)).filter(|_| drawn))
        });
        Series { name: title.to_lowercase(), class, shape: Shape::Line(points.collect()) }
    });
    let series: Vec<Series> = series.collect();
    let values = series.iter().flat_map(|series| match &series.shape {
        Shape::Line(points) => points.iter().filter_map(|(_, value)| *value).collect(),
        _ => Vec::new(),
    });
    let largest = values.fold(0.0, f64::max);
    let mut table = Table::new(
        ["percentile".to_owned()]
            .into_iter()
            .chain(known.iter().map(|((_, (_, title, _)), _)| format!("{title}, ms"))),
    );
    for decade in &steps {
        let share = share(*decade);
        let values = known.iter().map(|((spread, _), _)| time(&spread.all, share));
        table.row([plain_percent(share * 100.0)].into_iter().chain(values).collect());
    }
    let ticks = ["0", "90 %", "99 %", "99.9 %", "99.99 %"];
    Chart {
        title: "Percentile spectrum".to_owned(),
        unit: "ms at each percentile; a further nine per step".to_owned(),
        x: Axis {
            domain: (0.0, f64::from(decades)),
            ticks: (0..).map(f64::from).zip(ticks.map(str::to_owned)).collect(),
        },
        y: Axis::linear(largest, 4, ""),
        series,
        bands: Vec::new(),
        marks: Vec::new(),
        along: Along::X,
        at: steps,
        table,
        note: match transactions.settlement().count() {
            count if (count as f64) < SPECTRUM_END => {
                format!("{} transactions: lines end where a single one remains.", grouped(count))
            }
            _ => String::new(),
        },
    }
}

/// The stages of cross-shard latency, from the fastest to the slowest transactions.
fn stages(transactions: &Transactions) -> String {
    let groups = grouped_stages(&transactions.stages, MOST_GROUPS);
    if groups.is_empty() {
        return String::new();
    }
    let width = 100.0 / groups.len() as f64;
    let bounds = |group: usize| (group as f64 * width, (group + 1) as f64 * width);
    let mut bars: [Vec<[f64; 4]>; 5] = Default::default();
    let mut table = Table::new(
        ["percentiles".to_owned()]
            .into_iter()
            .chain(Part::ALL.map(|part| format!("{}, ms", part.name())))
            .chain(["sum, ms".to_owned()]),
    );
    let mut largest = 0.0_f64;
    for (group, means) in groups.iter().enumerate() {
        let (from, to) = bounds(group);
        let mut low = 0.0;
        let mut cells = vec![format!("{}–{}", plain_percent(from), plain_percent(to))];
        for (bars, mean) in bars.iter_mut().zip(means) {
            let high = low + mean / 1e6;
            bars.push([from, to, low, high]);
            cells.push(plain(mean / 1e6));
            low = high;
        }
        cells.push(plain(low));
        table.row(cells);
        largest = largest.max(low);
    }
    // What is everywhere too thin to be seen has no name beside the bars.
    let visible = |bars: &[[f64; 4]]| {
        bars.last().is_some_and(|[_, _, low, high]| high - low > largest / 60.0)
    };
    let series =
        Part::ALL.iter().zip(STAGE_COLOURS).zip(bars).map(|((part, class), bars)| Series {
            name: if visible(&bars) { part.name().to_owned() } else { String::new() },
            class,
            shape: Shape::Bars(bars),
        });
    let chart = Chart {
        title: "Stages of cross-shard latency".to_owned(),
        unit: "ms; from the fastest to the slowest cross-shard transactions".to_owned(),
        x: Axis {
            ticks: [0, 25, 50, 75, 100].map(|at| (f64::from(at), format!("{at} %"))).to_vec(),
            domain: (0.0, 100.0),
        },
        y: Axis::linear(largest, 4, ""),
        series: series.collect(),
        bands: Vec::new(),
        marks: Vec::new(),
        along: Along::X,
        at: (0..groups.len()).map(|group| (bounds(group).0 + bounds(group).1) / 2.0).collect(),
        table,
        note: format!(
            "{} transactions in {} groups of equal size; each bar is the mean of its group.",
            grouped(transactions.stages.len() as u64),
            groups.len()
        ),
    };
    chart.html()
}

pub(super) fn quantile(values: &Distribution, share: f64) -> Option<f64> {
    values.quantile(share).map(to_millis)
}

pub(super) fn time(values: &Distribution, share: f64) -> String {
    values.quantile(share).map_or_else(|| "–".to_owned(), millis)
}

fn to_millis(time: cross_shard_msg::Duration) -> f64 {
    time.0 as f64 / 1e6
}

/// `99.99`, without zeros at its end.
pub(super) fn plain_percent(percent: f64) -> String {
    plain((percent * 1_000.0).round() / 1_000.0)
}

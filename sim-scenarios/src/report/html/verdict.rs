//! The head of the report: how the run ended, on what grounds, and its main numbers.

use serde_json::Value;

use super::markup::{escaped, message, words};
use super::source::{Document, Unit, shown};
use crate::report::number::grouped;

/// Most breaches, warnings and the like that are shown; summary.json has all of them.
const MOST_LISTED: usize = 50;

/// Verdict, name and what ran.
#[must_use]
pub(super) fn title(summary: &Document, manifest: &Document) -> String {
    let verdict = summary.text("/verdict");
    let (class, mark, word) = match verdict {
        "passed" => ("good", "✓", "Passed"),
        "threshold_failed" => ("bad", "✗", "A threshold failed"),
        "invariant_broken" => ("bad", "✗", "An invariant broke"),
        "network_down" => ("bad", "✗", "The network went down"),
        "interrupted" => ("fair", "!", "Interrupted"),
        other => ("fair", "?", other),
    };
    let world = match summary.at("/simulation") {
        Value::Null => "processes",
        _ => "simulation",
    };
    let count = |pointer: &str, noun: &str| {
        let count = summary.count(pointer);
        format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
    };
    let mut facts = vec![
        world.to_owned(),
        count("/shards", "shard"),
        count("/validators", "coordinator"),
        format!("gate {}", escaped(summary.text("/gate"))),
        format!("signatures {}", escaped(summary.text("/signatures"))),
        format!("durability {}", escaped(summary.text("/durability"))),
        format!("seed {}", summary.count("/seed")),
    ];
    if summary.at("/incomplete") == &Value::Bool(true) {
        facts.push("<b>measurements incomplete</b>".to_owned());
    }
    let died = match manifest.text("/died") {
        "" => String::new(),
        died => format!("<pre class=\"died\">{}</pre>", message(died)),
    };
    format!(
        "<header><p class=\"badge {class}\"><span aria-hidden=\"true\">{mark}</span> {}</p>\
         <h1>{}</h1><p class=\"what\">{}</p>{died}</header>\n",
        escaped(word),
        escaped(summary.text("/name")),
        facts.join(" · ")
    )
}

/// The main numbers.
#[must_use]
pub(super) fn headline(summary: &Document) -> String {
    let tile = |title: &str, figure: String, unit: &str, note: String| {
        format!(
            "<div class=\"tile\"><h3>{title}</h3><p class=\"big\">{figure}<small>{unit}</small></p>\
             <p>{note}</p></div>"
        )
    };
    let latency = |span: &str, statistic: &str| {
        summary.figure(&format!("/latency_ms/{span}/all/{statistic}"), Unit::Millis)
    };
    let tails = |span: &str| format!("p99 {} · max {}", latency(span, "p99"), latency(span, "max"));
    let tiles = [
        tile(
            "Throughput",
            summary.figure("/throughput_tps", Unit::Number),
            " / s",
            format!(
                "{} settled of {} offered",
                summary.figure("/transactions/settled", Unit::Count),
                summary.figure("/transactions/offered", Unit::Count)
            ),
        ),
        tile(
            "Cross-shard ratio",
            summary.figure("/cross_shard_ratio", Unit::Percent),
            "",
            "of the executed transactions".to_owned(),
        ),
        tile(
            "Cross-shard latency",
            latency("cross_shard", "p50"),
            " ms, p50",
            tails("cross_shard"),
        ),
        tile("Settlement", latency("settlement", "p50"), " ms, p50", tails("settlement")),
        tile("Finality", latency("finality", "p50"), " ms, p50", tails("finality")),
    ];
    format!("<div class=\"tiles\">{}</div>\n", tiles.concat())
}

/// Thresholds, checkers, warnings.
#[must_use]
pub(super) fn grounds(summary: &Document, manifest: &Document) -> String {
    let mut html = String::from("<div class=\"columns\">");
    html.push_str(&thresholds(summary));
    html.push_str(&checkers(summary));
    html.push_str("</div>");
    html.push_str(&list("Breaches", "bad", summary.texts("/breaches")));
    html.push_str(&super::byzantine::byzantine(summary));
    html.push_str(&list("Warnings", "fair", summary.texts("/warnings")));
    html.push_str(super::MACHINE_BEGINS);
    html.push_str(&list("Of this machine", "fair", manifest.texts("/warnings")));
    html.push_str(&list("Missing", "fair", manifest.texts("/incomplete")));
    html.push_str(super::MACHINE_ENDS);
    html
}

fn thresholds(summary: &Document) -> String {
    let mut html = String::from("<div><h3>Thresholds</h3>");
    let all = summary.list("/thresholds");
    if all.is_empty() {
        html.push_str("<p class=\"empty\">The scenario sets none.</p></div>");
        return html;
    }
    html.push_str("<ul class=\"checks\">");
    for (at, threshold) in all.iter().enumerate() {
        let text = |key: &str| threshold.get(key).and_then(Value::as_str).unwrap_or_default();
        let held = threshold.get("held") == Some(&Value::Bool(true));
        let pointer = format!("/thresholds/{at}/measured");
        let measured = match summary.number(&pointer) {
            None => "nothing to measure".to_owned(),
            Some(_) => format!("measured {}", measured(summary, &pointer, text("threshold"))),
        };
        html.push_str(&format!(
            "<li>{}<code>{}</code> <span>{measured}</span></li>",
            mark(held),
            message(text("threshold"))
        ));
    }
    html.push_str("</ul></div>");
    html
}

/// The unit of what was measured is that of the limit: a time, or a number.
fn measured(summary: &Document, pointer: &str, threshold: &str) -> String {
    let limit = threshold.split(' ').next_back().unwrap_or_default();
    let is_time = limit.starts_with(|c: char| c.is_ascii_digit())
        && limit.ends_with(|c: char| c.is_ascii_alphabetic());
    match is_time {
        true => format!("{} ms", summary.figure(pointer, Unit::Millis)),
        false => summary.figure(pointer, Unit::Number),
    }
}

/// Invariants, in the order of reports where that is known.
fn checkers(summary: &Document) -> String {
    let mut html = String::from("<div><h3>Checkers</h3><ul class=\"checks\">");
    let order = simulation::checkers::Invariant::ALL.map(simulation::checkers::Invariant::name);
    let rank = |name: &str| order.iter().position(|it| *it == name).unwrap_or(order.len());
    let mut all: Vec<(&String, &Value)> =
        summary.at("/invariants").as_object().into_iter().flatten().collect();
    all.sort_by_key(|(name, _)| (rank(name), *name));
    for (name, found) in all {
        let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default();
        let counts = found.get("checked").and_then(Value::as_object).into_iter().flatten();
        let counted = counts.map(|(what, count)| {
            format!("{} {}", grouped(count.as_u64().unwrap_or(0)), words(what))
        });
        let (mark, note) = match text("verdict") {
            "held" => (mark(true), counted.collect::<Vec<_>>().join(", ")),
            "broken" => (mark(false), "broken".to_owned()),
            _ => ("<b class=\"none\">–</b>".to_owned(), message(text("not_judged"))),
        };
        html.push_str(&format!("<li>{mark}{} <span>{note}</span></li>", words(name)));
    }
    html.push_str("</ul></div>");
    html
}

fn mark(held: bool) -> String {
    match held {
        true => "<b class=\"good\" title=\"held\">✓</b>".to_owned(),
        false => "<b class=\"bad\" title=\"failed\">✗</b>".to_owned(),
    }
}

/// A list of messages; nothing if there is none.
fn list<'a>(title: &str, class: &str, texts: impl Iterator<Item = &'a str>) -> String {
    let texts: Vec<&str> = texts.collect();
    if texts.is_empty() {
        return String::new();
    }
    let mut html = format!("<div class=\"notice {class}\"><h3>{title}</h3><ul>");
    for text in texts.iter().take(MOST_LISTED) {
        html.push_str(&format!("<li>{}</li>", message(text)));
    }
    match texts.len().saturating_sub(MOST_LISTED) {
        0 => {}
        hidden => html.push_str(&format!(
            "<li>and {} more: see summary.json</li>",
            shown(hidden as f64, Unit::Count)
        )),
    }
    html.push_str("</ul></div>");
    html
}

//! `[thresholds]`: `"steady: cross_shard.p99" = "< 3s"`. A key without a phase needs no quotes
//! (`finality.p99 = "< 5s"`), although TOML reads that as a table of tables.

use super::super::problem::{Place, Problem, nearest};
use super::super::threshold::{Comparison, Limit, Metric, Outcome, Threshold};
use super::super::unit::{Fraction, Unreadable, read_duration};
use super::kind::{self, Wrong};
use super::section::{Notes, Section};
use super::tree::{Node, Table, Value};

/// One key of the section with its dots, and its value.
struct Line<'a> {
    key: String,
    at: &'a Place,
    node: &'a Node,
}

pub(super) fn read(
    notes: &Notes,
    top: &Section<'_>,
    phases: &[(String, bool)],
) -> Option<Vec<Threshold>> {
    let empty = Table::default();
    let section = top.section("thresholds", &empty);
    let mut lines = Vec::new();
    for (key, at, node) in section.entries() {
        flatten(key.to_owned(), at, node, &mut lines);
    }
    lines.sort_by(|a, b| a.at.cmp(b.at));
    let mut thresholds = Some(Vec::new());
    for line in lines {
        let read = threshold(notes, &line, phases);
        thresholds = thresholds.zip(read).map(|(mut thresholds, read)| {
            thresholds.extend(read);
            thresholds
        });
    }
    thresholds
}

/// Joins the keys of nested tables.
fn flatten<'a>(key: String, at: &'a Place, node: &'a Node, lines: &mut Vec<Line<'a>>) {
    match &node.value {
        Value::Table(table) => {
            for (inner, entry) in &table.entries {
                flatten(format!("{key}.{inner}"), &entry.key_at, &entry.node, lines);
            }
        }
        _ => lines.push(Line { key, at, node }),
    }
}

/// The thresholds of one line: its value is a condition or an array of them.
fn threshold(notes: &Notes, line: &Line<'_>, phases: &[(String, bool)]) -> Option<Vec<Threshold>> {
    let (phase, path) = match line.key.split_once(':') {
        Some((phase, path)) => (Some(phase.trim()), path.trim()),
        None => (None, line.key.trim()),
    };
    let known_phase = phase.is_none_or(|phase| check_phase(notes, line.at, phase, phases));
    let Some(metric) = Metric::from_path(path) else {
        notes.add(unknown_metric(line.at, path));
        return None;
    };
    let conditions = match &line.node.value {
        Value::Array(conditions) => conditions.as_slice(),
        _ => std::slice::from_ref(line.node),
    };
    let mut thresholds = Some(Vec::new());
    for condition in conditions {
        let read = condition_of(metric, condition).map_err(|wrong| {
            notes.add(wrong.into_problem(&format!("thresholds.\"{}\"", line.key), condition));
        });
        thresholds = thresholds.zip(read.ok()).map(|(mut thresholds, (comparison, limit))| {
            let phase = phase.map(str::to_owned);
            thresholds.push(Threshold { phase, metric, comparison, limit });
            thresholds
        });
    }
    thresholds.filter(|_| known_phase)
}

fn check_phase(notes: &Notes, at: &Place, phase: &str, phases: &[(String, bool)]) -> bool {
    match phases.iter().find(|(name, _)| name == phase) {
        Some((_, true)) => true,
        Some((_, false)) => {
            let title = format!("phase `{phase}` is not recorded");
            notes.wrong(at, title, "expected a phase without `record = false`");
            false
        }
        None => {
            let names = phases.iter().map(|(name, _)| name.as_str());
            let label = match nearest(phase, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if phases.is_empty() => "the scenario has no phase".to_owned(),
                None => format!("the phases are `{}`", names.collect::<Vec<_>>().join("`, `")),
            };
            notes.wrong(at, format!("there is no phase `{phase}`"), label);
            false
        }
    }
}

fn unknown_metric(at: &Place, path: &str) -> Problem {
    let paths: Vec<String> = Metric::all().iter().map(ToString::to_string).collect();
    let label = match nearest(path, paths.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "not a metric of the report".to_owned(),
    };
    let help = "metrics: {inclusion, settlement, finality}[.intra, .cross].{p50, p90, p99, p999, \
                max, count}, cross_shard[.gate, .network, .queue, .execution].{…}, throughput_tps, \
                cross_shard_ratio, transactions.{offered, admitted, refused, settled, failed, \
                replaced, unfinished}, checkpoints.finalized, checkpoints.latency.{…}, \
                migrations.{accounts, moves, unfinished, slots, bytes, parked, forwarded, asked, \
                failed}, migrations.stalled.{…}, migrations.cross_shard_ratio.{before, after}";
    Problem {
        title: format!("unknown metric `{path}`"),
        at: Some(at.clone()),
        label,
        help: Some(help.to_owned()),
    }
}

fn condition_of(metric: Metric, node: &Node) -> Result<(Comparison, Limit), Wrong> {
    let example = match metric {
        metric if metric.is_time() => "a comparison such as \"< 3s\"",
        Metric::Transactions(outcome) if outcome != Outcome::Offered => {
            "a comparison such as \"== 0\" or \"<= 1%\""
        }
        Metric::CrossShardRatio | Metric::MigrationRatio(_) => "a comparison such as \">= 50%\"",
        _ => "a comparison such as \">= 100\"",
    };
    let text = kind::string(node, example)?.trim();
    let comparison = Comparison::ALL.iter().find(|c| text.starts_with(&c.to_string()));
    let Some(comparison) = comparison else {
        let wrong = Wrong::value(format!("expected {example}"));
        return Err(if text.starts_with('=') { wrong.help("write `==`") } else { wrong });
    };
    let limit = text[comparison.to_string().len()..].trim_start();
    match limit_of(metric, limit) {
        Some(limit) => Ok((*comparison, limit)),
        None if metric.is_time() && read_duration(limit) == Err(Unreadable::Form) => {
            Err(Wrong::value(format!("expected {example}"))
                .help(format!("`{metric}` is a time: ns, us, ms, s, m, h")))
        }
        None => Err(Wrong::value(format!("expected {example}"))),
    }
}

fn limit_of(metric: Metric, text: &str) -> Option<Limit> {
    if metric.is_time() {
        return read_duration(text).ok().map(Limit::Duration);
    }
    if text.ends_with('%') {
        let share = Fraction::read(text).ok()?;
        return match metric {
            Metric::CrossShardRatio | Metric::MigrationRatio(_) => {
                Some(Limit::Number(share.as_f64()))
            }
            Metric::Transactions(Outcome::Offered) => None,
            Metric::Transactions(_) => Some(Limit::OfOffered(share)),
            _ => None,
        };
    }
    // Plain decimals only: no sign, exponent, `inf` or `nan`.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = text.parse::<f64>().ok().filter(|number| plain && number.is_finite())?;
    Some(Limit::Number(number))
}

//! Nodes that broke the rules, what was found of them, and whom it held up: `byzantine` of
//! summary.json.

use serde_json::Value;

use super::markup::{Table, words};
use super::source::{Document, Unit, shown};
use crate::report::number::grouped;

/// Most rows of each table; summary.json has all of them.
const MOST_ROWS: usize = 50;

/// Tables of it; nothing for a run without Byzantine nodes.
#[must_use]
pub(super) fn byzantine(summary: &Document) -> String {
    if summary.at("/byzantine").is_null() {
        return String::new();
    }
    let mut html = String::from("<div class=\"notice fair\"><h3>Byzantine nodes</h3>");
    let tables: [(&str, &str, &[&str]); 4] = [
        ("Nodes that broke the rules", "nodes", &["target", "behaviour", "from_ms"]),
        ("Evidence", "evidence", &["accused", "kind", "count", "first", "kept_by", "verified"]),
        ("Left out of checkpoints", "left_out", &["shard", "rule", "height", "since_ms"]),
        (
            "Stalled",
            "stalled",
            &["shard", "height", "since_ms", "source", "source_height", "because"],
        ),
    ];
    for (title, key, columns) in tables {
        let rows = summary.list(&format!("/byzantine/{key}"));
        if rows.is_empty() {
            continue;
        }
        let mut table = Table::new(columns.iter().map(|name| name.replace('_', " ")));
        for row in rows.iter().take(MOST_ROWS) {
            table.row(columns.iter().map(|column| cell(row.get(column))).collect());
        }
        html.push_str(&format!("<h4>{title}</h4>{}", table.html()));
        if let Some(hidden @ 1..) = rows.len().checked_sub(MOST_ROWS) {
            let hidden = grouped(hidden as u64);
            html.push_str(&format!("<p class=\"note\">{hidden} more: see summary.json.</p>"));
        }
    }
    html.push_str("</div>");
    html
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.replace('_', " "),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(", ")
        }
        Some(value) => match (value.as_u64(), value.as_f64()) {
            (Some(count), _) => grouped(count),
            (None, Some(number)) => shown(number, Unit::Number),
            (None, None) => words(&value.to_string()),
        },
    }
}

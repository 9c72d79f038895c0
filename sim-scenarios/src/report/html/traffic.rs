//! Who sent receipts to whom, and what each shard did.

use std::collections::BTreeMap;

use super::chart::heading;
use super::markup::Table;
use super::scale::pixel;
use super::source::{Document, Unit};
use crate::report::number::{bytes, grouped, plain};

/// Most rows and columns of the heat map; with more shards, one stands for several.
pub(super) const MOST_CELLS: usize = 40;
/// Most shards of the table; summary.json has all of them.
const MOST_ROWS: usize = 512;
/// Up to so many shards the numbers stand in the cells.
const MOST_NUMBERED: usize = 8;
/// Width of the map, as of charts.
const WIDTH: f64 = 460.0;
const LEFT: f64 = 40.0;
const TOP: f64 = 24.0;

/// The section on traffic between shards.
#[must_use]
pub(super) fn traffic(
    summary: &Document,
    shards: usize,
    flows: &BTreeMap<(u64, u64), u64>,
) -> String {
    let mut html = String::from("<div class=\"grid\">");
    match shards {
        0 | 1 => html.push_str("<p class=\"empty\">One shard: nothing crosses.</p>"),
        _ if flows.is_empty() => html.push_str("<p class=\"empty\">No receipt crossed.</p>"),
        _ => html.push_str(&heat_map(shards, flows)),
    }
    html.push_str(&load(summary));
    html.push_str("</div>");
    html.push_str(&by_shard(summary));
    html
}

fn heat_map(shards: usize, flows: &BTreeMap<(u64, u64), u64>) -> String {
    let size = shards.div_ceil(MOST_CELLS);
    let count = shards.div_ceil(size);
    let mut cells = vec![vec![0_u64; count]; count];
    for ((source, destination), flow) in flows {
        let (row, column) = (*source as usize / size, *destination as usize / size);
        if let Some(cell) = cells.get_mut(row).and_then(|row| row.get_mut(column)) {
            *cell += flow;
        }
    }
    let name = |at: usize| match size {
        1 => at.to_string(),
        size => format!("{}–{}", at * size, ((at + 1) * size).min(shards) - 1),
    };
    let largest = cells.iter().flatten().copied().max().unwrap_or(0).max(1);
    let side = ((WIDTH - LEFT - 8.0) / count as f64).min(70.0);
    let height = TOP + side * count as f64 + 8.0;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"Receipts from each shard to each \
         other one\">",
        pixel(height)
    );
    let every = if size > 1 { count.div_ceil(8) } else { count.div_ceil(16) };
    for at in (0..count).step_by(every) {
        let middle = (at as f64 + 0.5) * side;
        svg.push_str(&format!(
            "<text class=\"tick end\" x=\"{}\" y=\"{}\" dy=\".34em\">{2}</text>\
             <text class=\"tick middle\" x=\"{3}\" y=\"{4}\">{2}</text>",
            pixel(LEFT - 5.0),
            pixel(TOP + middle),
            name(at),
            pixel(LEFT + middle),
            pixel(TOP - 7.0),
        ));
    }
    let mut table = Table::new(
        ["source".to_owned()].into_iter().chain((0..count).map(|at| format!("to {}", name(at)))),
    );
    for (row, line) in cells.iter().enumerate() {
        for (column, flow) in line.iter().enumerate() {
            let same = size == 1 && row == column;
            svg.push_str(&cell(
                (LEFT + column as f64 * side, TOP + row as f64 * side, side),
                (!same).then_some(*flow),
                largest,
                (&name(row), &name(column)),
                count <= MOST_NUMBERED,
            ));
        }
        let flows =
            line.iter().enumerate().map(|(column, flow)| match size == 1 && row == column {
                true => "–".to_owned(),
                false => grouped(*flow),
            });
        table.row([name(row)].into_iter().chain(flows).collect());
    }
    svg.push_str("</svg>");
    let unit = match size {
        1 => "receipts executed; rows are sources, columns destinations".to_owned(),
        size => format!("receipts executed between groups of {size} shards; rows are sources"),
    };
    format!(
        "<figure class=\"chart\">{}{svg}<p class=\"scale\"><span>0</span><i></i><span>{}</span></p>{}\
         </figure>\n",
        heading("Cross-shard receipts", &unit),
        grouped(largest),
        table.details("Table")
    )
}

/// A cell; `None` is a shard to itself.
fn cell(
    (x, y, side): (f64, f64, f64),
    flow: Option<u64>,
    largest: u64,
    (source, destination): (&str, &str),
    numbered: bool,
) -> String {
    let gap = if side > 12.0 { 1.5 } else { 0.5 };
    let (left, top, width) = (pixel(x), pixel(y), pixel(side - gap));
    let Some(flow) = flow else {
        return format!(
            "<rect class=\"none\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{width}\"/>"
        );
    };
    let share = flow as f64 / largest as f64;
    let opacity = plain(if flow == 0 { 0.0 } else { 0.08 + 0.92 * share });
    let mut html = format!(
        "<rect class=\"heat\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{width}\" \
         fill-opacity=\"{opacity}\"><title>{source} to {destination}: {}</title></rect>",
        grouped(flow)
    );
    if numbered {
        let class = if share > 0.68 { "on" } else { "off" };
        html.push_str(&format!(
            "<text class=\"cell {class}\" x=\"{}\" y=\"{}\" dy=\".34em\">{}</text>",
            pixel(x + (side - gap) / 2.0),
            pixel(y + (side - gap) / 2.0),
            super::scale::compact(flow as f64, if flow < 10_000 { 1.0 } else { 1_000.0 })
        ));
    }
    html
}

/// The share of each shard of the load, as bars; for many shards the extremes.
fn load(summary: &Document) -> String {
    let rows = summary.list("/by_shard");
    let load_of = |row: &serde_json::Value| row.get("load")?.as_f64();
    let mut loads: Vec<(u64, f64)> =
        rows.iter().filter_map(|row| Some((row.get("shard")?.as_u64()?, load_of(row)?))).collect();
    let most = loads.iter().map(|(_, load)| *load).fold(0.0, f64::max);
    if most <= 0.0 {
        return "<p class=\"empty\">No recorded transaction was executed: no load.</p>".to_owned();
    }
    let mean = loads.iter().map(|(_, load)| load).sum::<f64>() / loads.len() as f64;
    let weight = summary.figure("/load_imbalance/cross_shard_weight", Unit::Number);
    let imbalance = summary.figure("/load_imbalance/max_over_mean", Unit::Number);
    let note = format!(
        "<p class=\"note\">Imbalance {imbalance} (largest over mean). A cross-shard transaction \
         weighs {weight}, shared over its shards.</p>"
    );
    const MOST_BARS: usize = 16;
    let mut hidden = String::new();
    if loads.len() > MOST_BARS {
        loads.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        let between = loads.len() - MOST_BARS;
        hidden = format!(
            "<p class=\"note\">{} shards between these are not drawn.</p>",
            grouped(between as u64)
        );
        loads.drain(MOST_BARS / 2..MOST_BARS / 2 + between);
    }
    let bars = loads.iter().map(|(shard, load)| {
        format!(
            "<div class=\"bar\"><span>shard {shard}</span><i><b style=\"width:{}%\"></b>\
             <u style=\"left:{}%\"></u></i><span>{}</span></div>",
            plain(load / most * 100.0),
            plain(mean / most * 100.0),
            super::timeline::figure(*load)
        )
    });
    format!(
        "<figure class=\"chart\">{}<div class=\"bars-list\">{}</div>{hidden}{note}</figure>\n",
        heading("Load", "recorded transactions; the line is the mean"),
        bars.collect::<String>()
    )
}

/// What each shard did, as summary.json has it.
fn by_shard(summary: &Document) -> String {
    let columns = [
        ("blocks", "blocks"),
        ("transactions", "included"),
        ("receipts_in", "receipts in"),
        ("receipts_out", "receipts out"),
        ("failed_legs", "failed legs"),
        ("mempool_max", "mempool, most"),
        ("delayed_max", "delayed, most"),
        ("buffered_max", "held back, most"),
    ];
    let names = columns.iter().map(|(_, name)| *name);
    let mut table =
        Table::new(["shard"].into_iter().chain(names).chain(["gas used", "receipt bytes", "load"]));
    let rows = summary.list("/by_shard");
    for row in rows.iter().take(MOST_ROWS) {
        let count = |key: &str| row.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let mut cells = vec![count("shard").to_string()];
        cells.extend(columns.iter().map(|(key, _)| grouped(count(key))));
        let (used, limit) = (count("gas_used"), count("gas_limit"));
        let share = used as f64 / limit.max(1) as f64;
        cells.push(super::source::shown(share, Unit::Percent));
        cells.push(bytes(count("receipt_bytes")));
        let load = row.get("load").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        cells.push(super::timeline::figure(load));
        table.row(cells);
    }
    let note = match rows.len().saturating_sub(MOST_ROWS) {
        0 => String::new(),
        hidden => {
            let hidden = grouped(hidden as u64);
            format!("<p class=\"note\">{hidden} more shards: see summary.json.</p>")
        }
    };
    format!("{}{note}", table.details("Every shard"))
}

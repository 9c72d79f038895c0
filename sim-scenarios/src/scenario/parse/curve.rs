//! `curve`: how the rate of a load changes over its phase.

use cross_shard_msg::Duration;

use super::super::load::Curve;
use super::super::unit::{Fraction, Rate};
use super::kind::{self, Wrong};
use super::loads::Context;
use super::phases::DAY;
use super::section::Section;
use super::tree::{Node, Table, Value};

const EXPECTED: &str = "\"constant\", { ramp = [1, 4] }, { steps = [1, 3, 2] }, { sine = \"10s\", \
                        depth = 0.5 }, { bursts = \"10s\", length = \"1s\", height = 5 } or \
                        { file = \"rates.csv\" }";
const MAX_LEVELS: usize = 1_000;

/// Reads `curve`; a curve that is not constant needs a phase with `for`.
pub(super) fn read(context: &Context<'_>, section: &Section<'_>) -> Option<Curve> {
    let curve = section.with_default("curve", Curve::Constant, |node| curve(context, node))?;
    if curve.value != Curve::Constant && context.duration.is_none() {
        context.notes.wrong(
            &curve.at,
            format!("`{}` needs to know how long its phase lasts", curve.path),
            "expected a phase with `for`",
        );
    }
    Some(curve.value)
}

fn curve(context: &Context<'_>, node: &Node) -> Result<Curve, Wrong> {
    let table = match &node.value {
        Value::Text(text) if text == "constant" => return Ok(Curve::Constant),
        Value::Table(table) => table,
        Value::Text(_) => return Err(Wrong::value(format!("expected {EXPECTED}"))),
        _ => return Err(Wrong::kind(EXPECTED, node)),
    };
    let keys: Vec<&str> = table.entries.keys().map(String::as_str).collect();
    let get = |key: &str| table.entries.get(key).map(|entry| &entry.node);
    match keys.as_slice() {
        ["ramp"] => {
            let found = levels(table, "ramp")?;
            match found.as_slice() {
                [from, to] => Ok(Curve::Ramp(*from, *to)),
                _ => Err(Wrong::value("expected two levels, such as `ramp = [1, 4]`")),
            }
        }
        ["steps"] => levels(table, "steps").map(Curve::Steps),
        ["depth", "sine"] | ["sine"] => {
            let depth = get("depth").map(kind::fraction).transpose()?;
            let depth = depth.unwrap_or(Fraction { millionths: 500_000 });
            Ok(Curve::Sine { every: period(table, "sine")?, depth })
        }
        ["bursts", "height", "length"] => {
            let (every, length) = (period(table, "bursts")?, period(table, "length")?);
            if length > every {
                return Err(Wrong::value("expected `length` to be at most `bursts`"));
            }
            let height = get("height").map(level).transpose()?.unwrap_or(one());
            Ok(Curve::Bursts { every, length, height })
        }
        ["file"] | ["file", "stretch"] => {
            let Some(file) = get("file") else { return Err(Wrong::value(EXPECTED)) };
            let file = context.file(file, false)?;
            let stretch = get("stretch").map(kind::boolean).transpose()?.unwrap_or(false);
            Ok(Curve::File { file, stretch })
        }
        _ => Err(Wrong::value(format!("expected {EXPECTED}"))),
    }
}

fn period(table: &Table, key: &str) -> Result<Duration, Wrong> {
    let Some(entry) = table.entries.get(key) else { return Err(Wrong::value(EXPECTED)) };
    kind::duration(Duration::from_millis(1)..=DAY)(&entry.node)
}

fn levels(table: &Table, key: &str) -> Result<Vec<Rate>, Wrong> {
    let expected = "an array of 1 to 1,000 levels, such as [1, 2.5, 4]";
    let Some(entry) = table.entries.get(key) else { return Err(Wrong::value(EXPECTED)) };
    let Value::Array(elements) = &entry.node.value else {
        return Err(Wrong::kind(expected, &entry.node));
    };
    if elements.is_empty() || elements.len() > MAX_LEVELS {
        return Err(Wrong::value(format!("expected {expected}")));
    }
    let levels = elements.iter().map(level).collect::<Result<Vec<_>, _>>()?;
    if levels.iter().all(|level| level.per_kilosecond == 0) {
        return Err(Wrong::value("expected a level above 0"));
    }
    Ok(levels)
}

/// A level relative to the others, 0 to a million.
fn level(node: &Node) -> Result<Rate, Wrong> {
    let expected = "a level from 0 to 1,000,000, such as 2.5";
    let text = match &node.value {
        Value::Integer(Some(number)) => number.to_string(),
        Value::Float(text) => text.clone(),
        _ => return Err(Wrong::kind(expected, node)),
    };
    let level = Rate::read(&text).ok().filter(|level| level.per_kilosecond <= 1_000_000_000);
    level.ok_or_else(|| Wrong::value(format!("expected {expected}")))
}

fn one() -> Rate {
    Rate { per_kilosecond: 1_000 }
}

//! `[partitioning]`: epochs at which accounts move.

use std::collections::BTreeMap;

use cross_shard_msg::Duration;
use cross_shard_msg::migration::MAX_ACCESSES;
use partitioning::{VertexWeight, Weights};
use serde_json::{Map, Number, Value as Json};

use super::super::files::Places;
use super::super::load::Load;
use super::super::partitioning::{Partitioning, StrategyChoice};
use super::super::types::Phase;
use super::kind::{self, Wrong};
use super::network::ReadNetwork;
use super::section::{Field, Notes, Section};
use super::tree::{Entry, Node, Table, Value};
use crate::partition::{Chosen, ChosenError};

const HOUR: Duration = Duration::from_secs(3_600);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const STRATEGY: &str =
    "a name, { name = \"fennel\", OPTION = VALUE } or { command = [\"PROGRAM\", \"ARGUMENT\"] }";

/// What the section says; `Some(None)` without one, `None` if it cannot be read.
pub(super) fn read(
    notes: &Notes,
    top: &Section<'_>,
    network: &ReadNetwork,
    phases: Option<&[Phase]>,
    places: &Places,
) -> Option<Option<Partitioning>> {
    let empty = Table::default();
    let there = top.has("partitioning");
    let section = top.section("partitioning", &empty);
    if !there {
        return Some(None);
    }
    let reader = Reader { notes, places };
    let strategy = section.required("strategy", "strategy = \"clpa\"", |node| {
        reader.strategy(&section.path_of("strategy"), node)
    });
    let epoch = section.with_default("epoch", 10, kind::integer(1..=1_000_000));
    let max_moves = section.with_default("max_moves", 1_000, kind::small(1..=100_000));
    let most = u32::try_from(MAX_ACCESSES).unwrap_or(u32::MAX);
    let max_accesses = section.with_default("max_accesses", 10_000, kind::small(1..=most));
    let window = section.with_default("window", 4, kind::small(1..=1_000));
    let eta = section.with_default("eta", 2.0, eta);
    let vertex = section.with_default(
        "vertex",
        VertexWeight::Load,
        kind::choice(&[("load", VertexWeight::Load), ("unit", VertexWeight::Unit)]),
    );
    check_phases(notes, &section, phases);
    section.finish();
    let strategy = check_places(notes, network, strategy?)?;
    Some(Some(Partitioning {
        strategy,
        epoch: epoch?.value,
        max_moves: max_moves?.value,
        max_accesses: max_accesses?.value,
        window: window?.value,
        weights: Weights { vertex: vertex?.value, eta: eta?.value },
    }))
}

fn eta(node: &Node) -> Result<f64, Wrong> {
    let expected = "a number from 1 to 1,000";
    let number = match &node.value {
        Value::Float(text) => text.parse::<f64>().ok(),
        Value::Integer(Some(number)) => u32::try_from(*number).ok().map(f64::from),
        Value::Integer(None) => None,
        _ => return Err(Wrong::kind(expected, node)),
    };
    let within = number.filter(|eta| (1.0..=1_000.0).contains(eta));
    within.ok_or_else(|| Wrong::value(format!("expected {expected}")))
}

fn check_phases(notes: &Notes, section: &Section<'_>, phases: Option<&[Phase]>) {
    let prescribed =
        |phase: &Phase| phase.loads.iter().any(|load| matches!(load, Load::MainnetBlocks(_)));
    if phases.is_some_and(|phases| phases.iter().any(prescribed)) {
        notes.wrong(
            section.at(),
            "`partitioning` does not go with `mainnet-blocks`",
            "each block is a network of its own, which is over in a moment",
        );
    }
}

/// A strategy that goes by distance needs to be told where shards are.
fn check_places(
    notes: &Notes,
    network: &ReadNetwork,
    field: Field<Option<Read>>,
) -> Option<StrategyChoice> {
    let (strategy, chosen) = field.value?;
    let nowhere = network.network.as_ref().is_some_and(|network| network.places().is_none());
    if chosen.places && nowhere {
        notes.wrong(
            &field.at,
            format!("`{}` needs to know where shards are", chosen.label),
            "write `[network.regions]`, which says who is where in the world",
        );
        return None;
    }
    Some(strategy)
}

/// A strategy as it was written, and made.
type Read = (StrategyChoice, Chosen);

struct Reader<'a> {
    notes: &'a Notes,
    places: &'a Places,
}

impl Reader<'_> {
    /// `None`: it is wrong, and that is noted where it stands.
    fn strategy(&self, path: &str, node: &Node) -> Result<Option<Read>, Wrong> {
        let table = match &node.value {
            Value::Text(name) => return self.named(name, BTreeMap::new()).map(Some),
            Value::Table(table) => table,
            _ => return Err(Wrong::kind(STRATEGY, node)),
        };
        match (table.entries.get("name"), table.entries.get("command")) {
            (Some(name), None) => {
                let name = kind::string(&name.node, "the name of a strategy")?;
                match self.options(path, name, table) {
                    Some(options) => self.named(name, options).map(Some),
                    None => Ok(None),
                }
            }
            (None, Some(command)) => {
                let Some(timeout) = self.timeout(path, table) else { return Ok(None) };
                match self.noted(path, "command", command, Self::command) {
                    Some(command) => {
                        self.built(StrategyChoice::Command { command, timeout }).map(Some)
                    }
                    None => Ok(None),
                }
            }
            _ => Err(Wrong::value(format!("expected {STRATEGY}"))),
        }
    }

    /// Reads one entry of a strategy's table; what is wrong with it is noted.
    fn noted<T>(
        &self,
        path: &str,
        key: &str,
        entry: &Entry,
        read: impl FnOnce(&Self, &Node) -> Result<T, Wrong>,
    ) -> Option<T> {
        let note = |wrong: Wrong| {
            self.notes.add(wrong.into_problem(&format!("{path}.{key}"), &entry.node));
        };
        read(self, &entry.node).map_err(note).ok()
    }

    fn options(&self, path: &str, name: &str, table: &Table) -> Option<BTreeMap<String, Json>> {
        let entries = table.entries.iter().filter(|(key, _)| *key != "name");
        let read = entries.map(|(key, entry)| {
            let option = |reader: &Self, node: &Node| reader.option(name, key, node);
            Some((key.clone(), self.noted(path, key, entry, option)?))
        });
        read.collect()
    }

    fn timeout(&self, path: &str, table: &Table) -> Option<Duration> {
        let other =
            table.entries.iter().find(|(key, _)| !["command", "timeout"].contains(&key.as_str()));
        if let Some((key, entry)) = other {
            let title = format!("unknown key `{key}` in `{path}`");
            self.notes.wrong(&entry.key_at, title, "a command has `command` and `timeout`");
            return None;
        }
        let Some(entry) = table.entries.get("timeout") else { return Some(DEFAULT_TIMEOUT) };
        let read = kind::duration(Duration::from_millis(1)..=HOUR);
        self.noted(path, "timeout", entry, |_, node| read(node))
    }

    fn named(&self, name: &str, options: BTreeMap<String, Json>) -> Result<Read, Wrong> {
        if name == "trace-file" && !options.contains_key("file") {
            return Err(Wrong::value("expected a file with lines ADDRESS,SHARD")
                .help("write { name = \"trace-file\", file = \"FILE\" }"));
        }
        let (_, chosen) =
            self.built(StrategyChoice::Named { name: name.to_owned(), options: options.clone() })?;
        if chosen.oracle {
            return Err(Wrong::value(format!(
                "`{name}` sees the future, and nobody in a running network does"
            ))
            .help("`shardlab partition --trace FILE --strategy oracle` asks it about a trace"));
        }
        // A file of homes has no options but the file; all others are written out.
        let options = if chosen.options.is_empty() { options } else { chosen.options.clone() };
        Ok((StrategyChoice::Named { name: name.to_owned(), options }, chosen))
    }

    fn built(&self, strategy: StrategyChoice) -> Result<Read, Wrong> {
        let chosen = strategy.build().map_err(|error| match error {
            ChosenError::Unknown { .. } => Wrong::value(error.to_string())
                .help("write { name = \"fennel\", passes = 1 } to change options"),
            _ => Wrong::value(error.to_string()),
        })?;
        Ok((strategy, chosen))
    }

    /// Paths are relative to the scenario file.
    fn option(&self, name: &str, key: &str, node: &Node) -> Result<Json, Wrong> {
        if name == "trace-file" && key == "file" {
            let written = kind::text(node)?;
            let found = self.places.find(&written, false);
            let found = found.map_err(|error| Wrong::value("expected a file").help(error))?;
            return Ok(Json::String(found.path.display().to_string()));
        }
        json(node)
    }

    /// A program and its arguments; those that name a file beside the scenario are made absolute.
    fn command(&self, node: &Node) -> Result<Vec<String>, Wrong> {
        let expected = "an array of strings: a program and its arguments";
        let Value::Array(parts) = &node.value else { return Err(Wrong::kind(expected, node)) };
        let mut command = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let text = kind::string(part, expected)?;
            // A program without a slash is looked for in PATH.
            let may_be_file = !text.is_empty() && (index > 0 || text.contains('/'));
            let found = may_be_file.then(|| self.places.find(text, false));
            command.push(match found {
                Some(Ok(file)) => file.path.display().to_string(),
                Some(Err(error)) if index == 0 => {
                    return Err(Wrong::value("expected a program").help(error));
                }
                Some(Err(_)) | None => text.to_owned(),
            });
        }
        if command.first().is_none_or(String::is_empty) {
            return Err(Wrong::value("expected a program and its arguments"));
        }
        Ok(command)
    }
}

fn json(node: &Node) -> Result<Json, Wrong> {
    let too_large = || Wrong::value("too large");
    Ok(match &node.value {
        Value::Text(text) => Json::String(text.clone()),
        Value::Integer(number) => {
            let number = number.ok_or_else(too_large)?;
            Json::Number(Number::from_i128(number).ok_or_else(too_large)?)
        }
        Value::Float(text) => {
            let number = text.parse().ok().and_then(Number::from_f64);
            Json::Number(number.ok_or_else(|| Wrong::value("expected a finite number"))?)
        }
        Value::Boolean(value) => Json::Bool(*value),
        Value::Datetime => return Err(Wrong::kind("an option's value", node)),
        Value::Array(elements) => Json::Array(elements.iter().map(json).collect::<Result<_, _>>()?),
        Value::Table(table) => {
            let each = table.entries.iter();
            let each = each.map(|(key, entry)| Ok((key.clone(), json(&entry.node)?)));
            Json::Object(each.collect::<Result<Map<_, _>, Wrong>>()?)
        }
    })
}

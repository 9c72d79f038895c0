//! The numbers of a summary.json, each with its path: `latency_ms.settlement.all.p50`,
//! `by_shard.0.load`.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use cross_shard_msg::Duration;
use serde_json::Value;

use crate::metrics::{RunData, SimulationFacts, measure};
use crate::report::summary;
use crate::run::simulate_profile::NamedProfile;
use crate::scenario::Scenario;

/// What says nothing about a run: the version of the format, and the seed, which has a column.
const NOT_MEASURED: [&str; 2] = ["schema_version", "seed"];

/// Parts of a summary that only some runs have.
const OPTIONAL_PARTS: [&str; 2] = ["byzantine", "migrations"];

/// Every number of a summary by its path. What is absent in this run (`null`) has no entry.
#[must_use]
pub fn leaves(summary: &Value) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    walk(summary, "", &mut |path, value| {
        if let Some(number) = value.as_f64() {
            found.insert(path.to_owned(), number);
        }
    });
    found.retain(|path, _| !NOT_MEASURED.contains(&path.as_str()));
    found
}

/// Whether a path leads into an array: to a single shard, epoch or threshold. Such numbers are in the
/// table of runs, but not compared: shard 3 of one cell has little to do with shard 3 of another one.
#[must_use]
pub fn in_array(path: &str) -> bool {
    let arrays = ["by_shard.", "thresholds.", "faults.", "migrations.by_epoch."];
    arrays.iter().any(|part| path.starts_with(part))
        || path.starts_with("byzantine.") && path.split('.').any(|step| step.parse::<u64>().is_ok())
}

/// The paths that summaries of some scenarios can have.
#[derive(Clone, Debug, Default)]
pub struct Known {
    paths: BTreeSet<String>,
    /// Objects whose keys depend on what happens, such as reasons of refusals.
    open: BTreeSet<String>,
}

impl Known {
    /// Adds those of a scenario: a run in which nothing happened has them.
    pub fn add(&mut self, scenario: &Scenario) {
        let nothing = RunData {
            scenario: scenario.clone(),
            networks: Vec::new(),
            skipped: BTreeMap::new(),
            substitutes: Vec::new(),
            interrupted: false,
            lost: Vec::new(),
            died: None,
            machine: None,
            simulation: Some(SimulationFacts {
                profile: NamedProfile::default(),
                digest: B256::ZERO,
                events: 0,
                time: Duration::ZERO,
            }),
            faults: Vec::new(),
        };
        let Ok(summary) = serde_json::to_value(summary(&measure(&nothing))) else { return };
        walk(&summary, "", &mut |path, value| match value {
            Value::Object(_) => {
                self.open.insert(format!("{path}."));
            }
            // Nothing was measured, so that there is no number.
            Value::Number(_) | Value::Null if !in_array(path) => {
                self.paths.insert(path.to_owned());
            }
            _ => {}
        });
        NOT_MEASURED.iter().for_each(|path| {
            self.paths.remove(*path);
        });
    }

    /// Whether a run can have this number, and it can be compared.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let optional =
            |part: &&str| path.strip_prefix(*part).is_some_and(|rest| rest.starts_with('.'));
        !in_array(path)
            && (self.paths.contains(path)
                || self.open.iter().any(|open| path.starts_with(open.as_str()))
                || OPTIONAL_PARTS.iter().any(optional))
    }

    /// The paths that are certain.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }
}

/// Tells every leaf; an object without entries is one.
fn walk(value: &Value, path: &str, tell: &mut dyn FnMut(&str, &Value)) {
    let below = |step: &str| {
        if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
    };
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            entries.iter().for_each(|(key, value)| walk(value, &below(key), tell));
        }
        Value::Array(elements) => {
            let elements = elements.iter().enumerate();
            elements.for_each(|(index, value)| walk(value, &below(&index.to_string()), tell));
        }
        leaf => tell(path, leaf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{EXAMPLES, Places, parse};

    #[test]
    fn numbers_have_paths() {
        let value = serde_json::json!({
            "seed": 7, "name": "x", "a": { "b": 1.5, "c": null, "d": true }, "by_shard": [{ "load": 2 }],
        });
        let found = leaves(&value);
        let expected = [("a.b".to_owned(), 1.5), ("by_shard.0.load".to_owned(), 2.0)];
        assert_eq!(found, BTreeMap::from(expected));
        assert!(in_array("by_shard.0.load") && !in_array("shards_per_transaction.2"));
    }

    #[test]
    fn the_paths_of_a_scenario_are_known_before_it_runs() {
        let places = Places { base: ".".into(), data: None };
        let text = EXAMPLES.iter().find(|example| example.name == "quickstart").unwrap().text;
        let mut known = Known::default();
        known.add(&parse("quickstart.toml", text, &[], &places).unwrap());
        for path in [
            "throughput_tps",
            "cross_shard_ratio",
            "load_imbalance.max_over_mean",
            "latency_ms.settlement.all.p50",
            "latency_ms.cross_shard.stages.gate.p99",
            "phases.steady.latency_ms.finality.cross.p999",
            "transactions.failed_by.reverted",
            "shards_per_transaction.2",
            "checkpoints.latency_ms.p90",
        ] {
            assert!(known.has(path), "{path}: {known:?}");
        }
        for path in ["throughput", "by_shard.0.load", "seed", "phases.other.throughput_tps"] {
            assert!(!known.has(path), "{path}");
        }
    }
}

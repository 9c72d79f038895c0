//! What else differs between the sides of a comparison, and what of it makes them incomparable.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::run::{Run, Side};

/// Fields of a scenario that say nothing about what is run.
const NAMES: [&str; 2] = ["name", "seed"];
/// Longest value that a message repeats, in characters.
const MOST_CHARACTERS: usize = 60;

/// A field of the scenario that has different values on the two sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldDifference {
    /// Its path: `network.shards`.
    pub field: String,
    /// Its value in the first side's runs; empty where it is not there.
    pub a: String,
    /// Its value in the second side's runs.
    pub b: String,
}

/// The fields of the scenario, apart from its name and seed, in which two sides differ.
#[must_use]
pub fn field_differences(a: &Side, b: &Side) -> Vec<FieldDifference> {
    let (Some(of_a), Some(of_b)) = (a.runs.first(), b.runs.first()) else { return Vec::new() };
    let paths: BTreeSet<&String> = of_a.fields.keys().chain(of_b.fields.keys()).collect();
    let value = |run: &Run, path: &str| run.fields.get(path).cloned().unwrap_or_default();
    paths
        .into_iter()
        .filter(|path| !NAMES.contains(&path.as_str()))
        .map(|path| FieldDifference {
            field: path.clone(),
            a: value(of_a, path),
            b: value(of_b, path),
        })
        .filter(|it| it.a != it.b)
        .collect()
}

/// What keeps the differences of two sides from meaning what they seem to mean.
#[must_use]
pub fn warnings(a: &Side, b: &Side, fields: &[FieldDifference]) -> Vec<String> {
    let mut found = Vec::new();
    if fields.len() > 1 {
        let names: Vec<&str> = fields.iter().map(|it| it.field.as_str()).collect();
        found.push(format!(
            "{} fields of the scenario differ ({}): which of them causes a difference cannot be told",
            fields.len(),
            shortened(&names.join(", "))
        ));
    }
    for (what, of) in CIRCUMSTANCES {
        found.extend(differing(what, of, a, b));
    }
    let simulated = |side: &Side| side.runs.iter().all(|run| run.world() == "simulated");
    if !simulated(a) && !simulated(b) {
        found.extend(differing("machine", machine, a, b));
    }
    for side in [a, b] {
        found.extend(within_side(side));
        for run in &side.runs {
            found.extend(of_run(side, run));
        }
    }
    if equal_digests(a, b) {
        found.push("both sides have the same digests: they are the same runs".to_owned());
    }
    found
}

/// Something that must be equal on both sides: its name, and its value for a run.
type Circumstance = (&'static str, fn(&Run) -> String);

const CIRCUMSTANCES: [Circumstance; 4] = [
    ("world", |run| run.world().to_owned()),
    ("version of shardlab", |run| of_manifest(run, "/shardlab")),
    ("signatures", |run| run.text("/signatures").to_owned()),
    ("cost profile", |run| {
        // Two profiles with one name may have different costs.
        let costs = run.manifest.pointer("/profile/costs").map(Value::to_string);
        let name = of_manifest(run, "/profile/name");
        match costs {
            Some(costs) => format!("{name} ({:08x})", checksum(costs.as_bytes())),
            None => name,
        }
    }),
];

fn machine(run: &Run) -> String {
    let text = |pointer: &str| of_manifest(run, pointer);
    format!(
        "{}, {}, {} cores",
        text("/machine/system"),
        text("/machine/processor"),
        run.manifest.pointer("/machine/cores").and_then(Value::as_u64).unwrap_or(0)
    )
}

fn of_manifest(run: &Run, pointer: &str) -> String {
    run.manifest.pointer(pointer).and_then(Value::as_str).unwrap_or("unknown").to_owned()
}

fn differing(what: &str, of: fn(&Run) -> String, a: &Side, b: &Side) -> Option<String> {
    let values = |side: &Side| side.runs.iter().map(of).collect::<BTreeSet<String>>();
    let (of_a, of_b) = (values(a), values(b));
    if of_a == of_b && of_a.len() == 1 {
        return None;
    }
    let list = |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(" and ");
    Some(format!("{what} differs: {} in {}, {} in {}", list(of_a), a.name, list(of_b), b.name))
}

/// Runs of one side that differ in more than their seeds.
fn within_side(side: &Side) -> Option<String> {
    let mut values: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for run in &side.runs {
        for (path, value) in &run.fields {
            values.entry(path).or_default().insert(value);
        }
    }
    let differs: Vec<&str> = values
        .iter()
        .filter(|(path, values)| values.len() > 1 && !NAMES.contains(&path.as_str()))
        .map(|(path, _)| path.as_str())
        .collect();
    let seeds: BTreeSet<u64> = side.runs.iter().map(Run::seed).collect();
    if !differs.is_empty() {
        return Some(format!(
            "the runs of {} differ in more than their seeds: {}",
            side.name,
            shortened(&differs.join(", "))
        ));
    }
    (seeds.len() < side.runs.len()).then(|| {
        format!(
            "{} has {} runs with {} seeds: runs with one seed are not independent",
            side.name,
            side.runs.len(),
            seeds.len()
        )
    })
}

fn of_run(side: &Side, run: &Run) -> Vec<String> {
    let who = match side.runs.len() {
        1 => side.name.clone(),
        _ => format!("{}, seed {}", side.name, run.seed()),
    };
    let mut found = Vec::new();
    match run.text("/verdict") {
        "invariant_broken" => {
            found.push(format!("{who}: an invariant broke, its numbers are wrong"))
        }
        "network_down" => found.push(format!("{who}: the network went down during the run")),
        "interrupted" => found.push(format!("{who}: the run was interrupted")),
        _ => {}
    }
    if run.summary.get("incomplete") == Some(&Value::Bool(true)) {
        found.push(format!("{who}: observations are missing"));
    }
    let texts = |value: &Value| {
        let all = value.get("warnings").and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let told = texts(&run.summary).into_iter().chain(texts(&run.manifest));
    found.extend(told.map(|warning| format!("{who}: {warning}")));
    found
}

fn equal_digests(a: &Side, b: &Side) -> bool {
    let digests = |side: &Side| {
        let all = side.runs.iter().map(|run| run.text("/simulation/digest").to_owned());
        all.collect::<BTreeSet<String>>()
    };
    let (of_a, of_b) = (digests(a), digests(b));
    of_a == of_b && !of_a.contains("")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// FNV-1a of 32 bits: tells cost profiles apart, nothing more.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

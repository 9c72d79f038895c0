//! The axes of a sweep: what its matrix varies, and what the bounds of strategies add to it.

use super::super::problem::{Place, Problem, nearest};
use super::super::sweep::{ALL_LOCAL, Axis, AxisValue, Bound, HASH, STRATEGY};
use super::kind::Wrong;
use super::overrides::{self, Step};
use super::section::{Notes, Section};
use super::sweep_values::{label, written};
use super::tree::{Node, Table, Value};

/// An axis with the nodes that are put into the tree.
pub(super) struct ReadAxis {
    pub(super) axis: Axis,
    pub(super) at: Place,
    /// The path of each field.
    pub(super) steps: Vec<Vec<Step>>,
    /// For each value one node for each field; none where the file's own value stays.
    pub(super) nodes: Vec<Vec<Node>>,
}

impl ReadAxis {
    /// Whether it has the strategies.
    pub(super) fn is_strategy(&self) -> bool {
        self.axis.fields == [STRATEGY]
    }
}

/// What the matrix varies, in the order of the file.
pub(super) fn axes(notes: &Notes, matrix: &Section<'_>, overrides: &[String]) -> Vec<ReadAxis> {
    let mut entries = Vec::new();
    flatten("", matrix.entries(), &mut entries);
    entries.sort_by(|a, b| a.1.cmp(b.1));
    let mut axes: Vec<ReadAxis> = Vec::new();
    for (key, at, node) in entries {
        let path = format!("sweep.matrix.\"{key}\"");
        match axis(&key, at, node) {
            Ok(axis) => {
                taken(notes, &axis, &axes, overrides);
                axes.push(axis);
            }
            Err(AxisProblem::Path(problem)) => notes.add(problem),
            Err(AxisProblem::Value(wrong, node)) => notes.add(wrong.into_problem(&path, node)),
        }
    }
    axes
}

/// `network.shards = […]` without quotes is a table of TOML in a table.
fn flatten<'a>(
    prefix: &str,
    entries: Vec<(&'a str, &'a Place, &'a Node)>,
    flat: &mut Vec<(String, &'a Place, &'a Node)>,
) {
    for (key, at, node) in entries {
        let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        match &node.value {
            Value::Table(table) => {
                let within = table.entries.iter();
                let within = within.map(|(key, it)| (key.as_str(), &it.key_at, &it.node));
                flatten(&path, within.collect(), flat);
            }
            _ => flat.push((path, at, node)),
        }
    }
}

enum AxisProblem<'a> {
    Path(Problem),
    Value(Wrong, &'a Node),
}

fn axis<'a>(key: &str, at: &Place, node: &'a Node) -> Result<ReadAxis, AxisProblem<'a>> {
    let fields: Vec<String> = key.split(',').map(|field| field.trim().to_owned()).collect();
    let mut steps = Vec::new();
    for field in &fields {
        steps.push(overrides::steps(field, at).map_err(AxisProblem::Path)?);
    }
    let Value::Array(elements) = &node.value else {
        let wrong = Wrong::kind("an array of values", node);
        return Err(AxisProblem::Value(wrong, node));
    };
    if elements.is_empty() {
        return Err(AxisProblem::Value(Wrong::value("expected at least one value"), node));
    }
    let mut read = ReadAxis {
        axis: Axis { fields, name: String::new(), values: Vec::new() },
        at: at.clone(),
        steps,
        nodes: Vec::new(),
    };
    for element in elements {
        let nodes = match (&element.value, read.axis.fields.len()) {
            (_, 1) => vec![element.clone()],
            (Value::Array(nodes), fields) if nodes.len() == fields => nodes.clone(),
            (_, fields) => {
                let expected = format!("an array of {fields} values, one for each field");
                return Err(AxisProblem::Value(Wrong::kind(&expected, element), element));
            }
        };
        let label = nodes.iter().map(label).collect::<Vec<_>>().join(", ");
        if read.axis.values.iter().any(|value| value.label == label) {
            return Err(AxisProblem::Value(Wrong::value("this value is there already"), element));
        }
        let written = nodes.iter().map(written).collect();
        read.axis.values.push(AxisValue { label, written, bound: None });
        read.nodes.push(nodes);
    }
    Ok(read)
}

/// Notes fields that something else says, too.
fn taken(notes: &Notes, axis: &ReadAxis, before: &[ReadAxis], overrides: &[String]) {
    let names = |steps: &[Step]| steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
    // One path within another is the same field, too: the second one written would win.
    let overlap =
        |one: &[String], other: &[String]| one.starts_with(other) || other.starts_with(one);
    for (place, (field, steps)) in axis.axis.fields.iter().zip(&axis.steps).enumerate() {
        let path = names(steps);
        match path.first().map(String::as_str) {
            Some("seed") => notes.wrong(
                &axis.at,
                "the matrix varies `seed`",
                "`repeats` does: each repeat has a seed of its own, the same in every cell",
            ),
            Some("name" | "sweep") => {
                notes.wrong(&axis.at, format!("the matrix varies `{field}`"), "all runs share it");
            }
            _ => {}
        }
        let others =
            before.iter().flat_map(|other| &other.steps).chain(axis.steps.iter().take(place));
        if others.map(|steps| names(steps)).any(|other| overlap(&other, &path)) {
            let expected = "this field, or one that it is a part of, is in the matrix already";
            notes.wrong(&axis.at, format!("`{field}` is varied twice"), expected);
        }
        if field == STRATEGY && axis.axis.fields.len() > 1 {
            notes.wrong(
                &axis.at,
                format!("`{STRATEGY}` varies together with another field"),
                "expected an axis of its own, for the bounds are its first and last value",
            );
        }
        for (index, text) in overrides.iter().enumerate() {
            if overrides::names(text).is_some_and(|set| overlap(&set, &path)) {
                notes.wrong(
                    &Place::new(index + 1, 0..text.len()),
                    format!("`{field}` is varied by the matrix"),
                    "each cell has its own value",
                );
            }
        }
    }
}

/// Where there is a strategy, its bounds come first and last.
pub(super) fn bound(notes: &Notes, root: &Table, axes: &mut Vec<ReadAxis>) {
    let found = axes.iter().position(ReadAxis::is_strategy);
    let axis = match (found, strategy(root)) {
        (Some(index), _) => &mut axes[index],
        (None, Some((at, node))) => {
            let Ok(steps) = overrides::steps(STRATEGY, at) else { return };
            let value = AxisValue { label: label(node), written: vec![written(node)], bound: None };
            let fields = vec![STRATEGY.to_owned()];
            axes.insert(
                0,
                ReadAxis {
                    axis: Axis { fields, name: String::new(), values: vec![value] },
                    at: at.clone(),
                    steps: vec![steps],
                    // What the file says stays, with what another axis changes in it.
                    nodes: vec![Vec::new()],
                },
            );
            &mut axes[0]
        }
        (None, None) => return,
    };
    // The lower bound is that one.
    if let Some(hash) = axis.axis.values.iter().position(|value| value.label == HASH) {
        axis.axis.values.remove(hash);
        axis.nodes.remove(hash);
    }
    let node = Node { value: Value::Text(HASH.to_owned()), at: axis.at.clone() };
    let added = |bound: Bound| AxisValue {
        label: bound.label().to_owned(),
        written: vec![written(&node)],
        bound: Some(bound),
    };
    axis.axis.values.insert(0, added(Bound::Lower));
    axis.axis.values.push(added(Bound::Upper));
    axis.nodes.insert(0, vec![node.clone()]);
    axis.nodes.push(vec![node]);
    let at = axis.at.clone();
    if axes.iter().any(|axis| axis.axis.fields.iter().any(|field| field == ALL_LOCAL)) {
        notes.wrong(
            &at,
            format!("`{ALL_LOCAL}` is varied beside a strategy"),
            "it is the upper bound, which is always there",
        );
    }
}

/// The strategy of the file itself.
fn strategy(root: &Table) -> Option<(&Place, &Node)> {
    let Value::Table(partitioning) = &root.entries.get("partitioning")?.node.value else {
        return None;
    };
    let entry = partitioning.entries.get("strategy")?;
    Some((&entry.key_at, &entry.node))
}

/// Gives axes the shortest names that tell them apart.
pub(super) fn name(axes: &mut [ReadAxis]) {
    let full: Vec<String> = axes.iter().map(|axis| axis.axis.fields[0].clone()).collect();
    let end = |path: &str, steps: usize| {
        let all: Vec<&str> = path.split('.').collect();
        all[all.len().saturating_sub(steps)..].join(".")
    };
    for (index, axis) in axes.iter_mut().enumerate() {
        let unique = |steps: &usize| {
            let short = end(&full[index], *steps);
            full.iter().filter(|path| end(path, *steps) == short).count() == 1
        };
        let steps = (1..10).find(unique);
        axis.axis.name = steps.map_or(full[index].clone(), |steps| end(&full[index], steps));
    }
}

/// The value of each axis that others are compared with; `None` for axes on which a cell is
/// compared with its like.
pub(super) fn compared(
    notes: &Notes,
    axes: &[ReadAxis],
    baseline: &[(String, Place, String)],
) -> Option<Vec<Option<usize>>> {
    let mut compared = vec![None; axes.len()];
    for (field, at, value) in baseline {
        let found = axes.iter().position(|axis| axis.axis.fields.first() == Some(field));
        let Some(index) = found else {
            let fields = axes.iter().map(|axis| axis.axis.fields[0].as_str());
            let label = match nearest(field, fields) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "the matrix does not vary it".to_owned(),
            };
            notes.wrong(at, format!("`{field}` is not varied"), label);
            return None;
        };
        let values = &axes[index].axis.values;
        let lower = |one: &AxisValue| value == HASH && one.bound == Some(Bound::Lower);
        let place = values.iter().position(|one| one.label == *value || lower(one));
        if place.is_none() {
            let labels: Vec<&str> = values.iter().map(|value| value.label.as_str()).collect();
            let label = format!("expected one of {}", labels.join(", "));
            notes.wrong(at, format!("`{field}` never is {value}"), label);
            return None;
        }
        compared[index] = place;
    }
    if baseline.is_empty() {
        let strategy = axes.iter().position(ReadAxis::is_strategy);
        match strategy {
            Some(index) => compared[index] = Some(0),
            None => compared = vec![Some(0); axes.len()],
        }
    }
    Some(compared)
}

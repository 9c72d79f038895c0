//! `[sweep]`: what is varied. Every cell of the matrix is read as a scenario of its own, so that a
//! value that does not fit is found before anything runs, and shown where it stands.

use std::path::Path;

use super::super::files::Places;
use super::super::problem::{Place, Problem, Rejected, nearest};
use super::super::sweep::{
    ALL_LOCAL, Axis, AxisValue, Bound, HASH, Order, STRATEGY, Sweep, SweepCell, SweepFile,
    SweepWorld,
};
use super::kind::{self, Wrong};
use super::overrides::{self, Step};
use super::section::{Notes, Section};
use super::sweep_values::{label, written};
use super::tree::{Node, Table, Value};
use crate::sweep::leaves::Known;

/// The numbers that tables show unless `metrics` says otherwise.
const USUAL_METRICS: [&str; 5] = [
    "throughput_tps",
    "cross_shard_ratio",
    "load_imbalance.max_over_mean",
    "latency_ms.settlement.all.p50",
    "latency_ms.settlement.all.p99",
];

/// The most cells of a matrix.
const MOST_CELLS: usize = 10_000;

/// The most runs of a sweep.
const MOST_RUNS: usize = 100_000;

/// Reads the sweep at `path`, changed by the `overrides` (`path=value`).
///
/// # Errors
/// Everything that is wrong with it, or that it is none.
pub fn load_sweep(path: &Path, overrides: &[String]) -> Result<SweepFile, Rejected> {
    let text = super::read_file(path)?;
    parse_sweep(&path.display().to_string(), &text, overrides, &Places::of(path))
}

/// Reads a sweep from its text. `name` is what messages call it.
///
/// # Errors
/// Everything that is wrong with it, or that it is none.
pub fn parse_sweep(
    name: &str,
    text: &str,
    overrides: &[String],
    places: &Places,
) -> Result<SweepFile, Rejected> {
    let notes = Notes::default();
    let read = super::tree_of(&notes, text, overrides)
        .and_then(|root| read(&notes, root, overrides, places));
    match read {
        Some(read) if notes.is_empty() => Ok(read),
        _ => Err(super::rejected(name, text, overrides, notes)),
    }
}

/// Whether the file at `path` has a `[sweep]`. A file that cannot be read has none.
#[must_use]
pub fn is_sweep(path: &Path, overrides: &[String]) -> bool {
    let Ok(text) = super::read_file(path) else { return false };
    let root = super::tree_of(&Notes::default(), &text, overrides);
    root.is_some_and(|root| root.entries.contains_key("sweep"))
}

/// An axis with the nodes that are put into the tree.
struct ReadAxis {
    axis: Axis,
    at: Place,
    /// The path of each field.
    steps: Vec<Vec<Step>>,
    /// For each value one node for each field; none where the file's own value stays.
    nodes: Vec<Vec<Node>>,
}

fn read(
    notes: &Notes,
    mut root: Table,
    overrides: &[String],
    places: &Places,
) -> Option<SweepFile> {
    let Some(entry) = root.entries.remove("sweep") else {
        notes.add(Problem {
            title: "there is no `[sweep]`".to_owned(),
            at: None,
            label: String::new(),
            help: Some("`shardlab run` and `shardlab simulate` run a scenario once".to_owned()),
        });
        return None;
    };
    let at = entry.key_at.clone();
    let mut alone = Table::default();
    alone.entries.insert("sweep".to_owned(), entry);
    let top = Section::top(notes, &alone);
    let empty = Table::default();
    let section = top.section("sweep", &empty);

    let repeats = section.with_default("repeats", 5, kind::small(1..=1_000));
    let order = section.with_default("order", Order::Interleaved, kind::choice(&Order::NAMES));
    let world =
        section.with_default("world", SweepWorld::Simulate, kind::choice(&SweepWorld::NAMES));
    let level = section.with_default("level", 0.95, level);
    let resamples = section.with_default("resamples", 10_000, kind::small(100..=1_000_000));
    let metrics = section.with_default("metrics", usual_metrics(), texts);
    let mut axes = axes(notes, &section.section("matrix", &empty), overrides);
    let baseline: Vec<(String, Place, String)> = section
        .section("baseline", &empty)
        .entries()
        .into_iter()
        .map(|(field, at, node)| (field.to_owned(), at.clone(), label(node)))
        .collect();
    section.finish();
    if !notes.is_empty() {
        return None;
    }
    bound(notes, &root, &mut axes);
    name(&mut axes);
    let compared = compared(notes, &axes, &baseline);
    let (repeats, order, world) = (repeats?.value, order?.value, world?.value);
    let cells = axes.iter().map(|axis| axis.nodes.len()).product::<usize>();
    if cells > MOST_CELLS || cells * repeats as usize > MOST_RUNS {
        let most = format!("at most {MOST_CELLS} cells and {MOST_RUNS} runs");
        notes.wrong(&at, format!("{cells} cells and {repeats} repeats are too many"), most);
    }
    if !notes.is_empty() {
        return None;
    }
    let cells = read_cells(notes, &root, &axes, compared.as_deref()?, places)?;
    let metrics = metrics?;
    check_metrics(notes, &metrics.at, &metrics.value, &cells);
    let first = &cells.first()?.scenario;
    if world == SweepWorld::Run && !first.byzantine.is_empty() {
        notes.wrong(
            &at,
            "`world = \"run\"` does not go with `[[byzantine]]`",
            "a network of processes has no Byzantine nodes",
        );
    }
    Some(SweepFile {
        name: first.name.clone(),
        seed: first.seed,
        sweep: Sweep {
            axes: axes.into_iter().map(|axis| axis.axis).collect(),
            repeats,
            order,
            world,
            baseline: baseline.into_iter().map(|(field, _, value)| (field, value)).collect(),
            metrics: metrics.value,
            level: level?.value,
            resamples: resamples?.value,
        },
        cells,
    })
}

fn usual_metrics() -> Vec<String> {
    USUAL_METRICS.map(str::to_owned).to_vec()
}

/// What the matrix varies, in the order of the file.
fn axes(notes: &Notes, matrix: &Section<'_>, overrides: &[String]) -> Vec<ReadAxis> {
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
    for (field, steps) in axis.axis.fields.iter().zip(&axis.steps) {
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
        let others = before.iter().flat_map(|other| &other.steps);
        if others.map(|steps| names(steps)).any(|other| other == path) {
            notes.wrong(&axis.at, format!("`{field}` is varied twice"), "two axes have it");
        }
        if field == STRATEGY && axis.axis.fields.len() > 1 {
            notes.wrong(
                &axis.at,
                format!("`{STRATEGY}` varies together with another field"),
                "expected an axis of its own, for the bounds are its first and last value",
            );
        }
        for (index, text) in overrides.iter().enumerate() {
            if overrides::names(text).is_some_and(|set| set == path) {
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
fn bound(notes: &Notes, root: &Table, axes: &mut Vec<ReadAxis>) {
    let found = axes.iter().position(|axis| axis.axis.fields == [STRATEGY]);
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
    axis.nodes.insert(0, vec![node.clone()]);
    axis.axis.values.push(added(Bound::Upper));
    axis.nodes.push(vec![node.clone()]);
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
fn name(axes: &mut [ReadAxis]) {
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
fn compared(
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
        let strategy = axes.iter().position(|axis| axis.axis.fields == [STRATEGY]);
        match strategy {
            Some(index) => compared[index] = Some(0),
            None => compared = vec![Some(0); axes.len()],
        }
    }
    Some(compared)
}

/// Every combination as a scenario. `None` if one of them has a problem.
fn read_cells(
    notes: &Notes,
    root: &Table,
    axes: &[ReadAxis],
    compared: &[Option<usize>],
    places: &Places,
) -> Option<Vec<SweepCell>> {
    let sizes: Vec<usize> = axes.iter().map(|axis| axis.nodes.len()).collect();
    let count = sizes.iter().product::<usize>();
    let index =
        |place: &[usize]| place.iter().zip(&sizes).fold(0, |sum, (at, size)| sum * size + at);
    let mut cells = Vec::new();
    let mut found: Vec<(Problem, Vec<String>)> = Vec::new();
    for number in 0..count {
        let mut rest = number;
        let mut place = vec![0; sizes.len()];
        for (at, size) in place.iter_mut().zip(&sizes).rev() {
            (*at, rest) = (rest % size, rest / size);
        }
        let own = Notes::default();
        let bound = place.iter().zip(axes).find_map(|(at, axis)| axis.axis.values[*at].bound);
        let read = cell(&own, root, axes, &place, bound, places);
        let like: Vec<usize> =
            place.iter().zip(compared).map(|(own, compared)| compared.unwrap_or(*own)).collect();
        if let (Some(scenario), true) = (read, own.is_empty()) {
            cells.push(SweepCell { baseline: index(&like), place, bound, scenario });
            continue;
        }
        let shown = shown(axes, &place);
        for problem in own.into_problems() {
            match found.iter_mut().find(|(known, _)| *known == problem) {
                Some((_, cells)) => cells.push(shown.clone()),
                None => found.push((problem, vec![shown.clone()])),
            }
        }
    }
    for (problem, in_cells) in found {
        notes.add(located(problem, &in_cells, count));
    }
    notes.is_empty().then_some(cells)
}

/// Says in which cells something is wrong, unless it is in all of them.
fn located(problem: Problem, cells: &[String], count: usize) -> Problem {
    let title = match cells {
        all if all.len() == count => problem.title,
        [one] => format!("{} in cell {one}", problem.title),
        [first, ..] => {
            format!("{} in {} of {count} cells, such as {first}", problem.title, cells.len())
        }
        [] => problem.title,
    };
    Problem { title, ..problem }
}

/// `strategy = clpa, shards = 16`
fn shown(axes: &[ReadAxis], place: &[usize]) -> String {
    let values = axes.iter().zip(place);
    let values =
        values.map(|(axis, at)| format!("{} = {}", axis.axis.name, axis.axis.values[*at].label));
    format!("`{}`", values.collect::<Vec<_>>().join(", "))
}

fn cell(
    notes: &Notes,
    root: &Table,
    axes: &[ReadAxis],
    place: &[usize],
    bound: Option<Bound>,
    places: &Places,
) -> Option<super::Scenario> {
    let mut root = root.clone();
    let strategy = |axis: &ReadAxis| axis.axis.fields == [STRATEGY];
    let mut ordered: Vec<(&ReadAxis, usize)> = axes.iter().zip(place.iter().copied()).collect();
    // Last, for a bound replaces what another axis says about a strategy's options.
    ordered.sort_by_key(|(axis, _)| strategy(axis));
    for (axis, at) in ordered {
        for (steps, node) in axis.steps.iter().zip(&axis.nodes[at]) {
            put(notes, &mut root, steps, node.clone());
        }
        if strategy(axis) && bound == Some(Bound::Upper) {
            let all_local = Node { value: Value::Boolean(true), at: axis.at.clone() };
            match overrides::steps(ALL_LOCAL, &axis.at) {
                Ok(steps) => put(notes, &mut root, &steps, all_local),
                Err(problem) => notes.add(problem),
            }
        }
    }
    if notes.is_empty() { super::read(notes, &root, places) } else { None }
}

fn put(notes: &Notes, root: &mut Table, steps: &[Step], node: Node) {
    if let Err(problem) = overrides::set(root, steps, node, "") {
        notes.add(Problem { title: "cannot vary this field".to_owned(), ..problem });
    }
}

fn check_metrics(notes: &Notes, at: &Place, metrics: &[String], cells: &[SweepCell]) {
    let mut known = Known::default();
    for cell in cells {
        known.add(&cell.scenario);
    }
    if metrics.is_empty() {
        notes.wrong(at, "`sweep.metrics` is empty", "expected paths of summary.json");
    }
    for metric in metrics.iter().filter(|metric| !known.has(metric)) {
        let label = match nearest(metric, known.paths()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "expected the path of a number in summary.json; see docs/output.md".to_owned(),
        };
        notes.wrong(at, format!("there is no metric \"{metric}\""), label);
    }
}

fn level(node: &Node) -> Result<f64, Wrong> {
    let expected = "a share from 0.5 to 0.999, such as 0.95";
    let Value::Float(text) = &node.value else { return Err(Wrong::kind(expected, node)) };
    let level: f64 = text.parse().map_err(|_| Wrong::value(format!("expected {expected}")))?;
    let wrong = || Wrong::value(format!("expected {expected}"));
    (0.5..=0.999).contains(&level).then_some(level).ok_or_else(wrong)
}

fn texts(node: &Node) -> Result<Vec<String>, Wrong> {
    let Value::Array(elements) = &node.value else {
        return Err(Wrong::kind("an array of strings", node));
    };
    elements.iter().map(kind::text).collect()
}

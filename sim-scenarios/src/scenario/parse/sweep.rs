//! `[sweep]`: what is varied. Every cell of the matrix is read as a scenario of its own, so that a
//! value that does not fit is found before anything runs, and shown where it stands.

use std::path::Path;

use super::super::files::Places;
use super::super::problem::{Place, Problem, Rejected, nearest};
use super::super::sweep::{ALL_LOCAL, Bound, Order, Sweep, SweepCell, SweepFile, SweepWorld};
use super::kind::{self, Wrong};
use super::overrides::{self, Step};
use super::section::{Notes, Section};
use super::sweep_axes::{ReadAxis, axes, bound, compared, name};
use super::sweep_values::label;
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

/// The sweep of a whole file, if nothing is wrong with it.
pub(super) fn read(
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
            help: Some(
                "write, for example, `[sweep.matrix]` and `\"network.shards\" = [4, 16]`; `shardlab \
                 run` and `shardlab simulate` run a scenario once"
                    .to_owned(),
            ),
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
    let metrics = section.with_default("metrics", Vec::new(), texts);
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
    let mut metrics = metrics?;
    if !metrics.written {
        metrics.value = usual_metrics(axes.iter().any(ReadAxis::is_strategy));
    }
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

fn usual_metrics(strategies: bool) -> Vec<String> {
    let of_strategies = strategies.then_some("migrations.accounts");
    USUAL_METRICS.into_iter().chain(of_strategies).map(str::to_owned).collect()
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
    let mut ordered: Vec<(&ReadAxis, usize)> = axes.iter().zip(place.iter().copied()).collect();
    // Last, for a bound replaces what another axis says about a strategy's options.
    ordered.sort_by_key(|(axis, _)| axis.is_strategy());
    for (axis, at) in ordered {
        for (steps, node) in axis.steps.iter().zip(&axis.nodes[at]) {
            put(notes, &mut root, steps, node.clone());
        }
        if axis.is_strategy() && bound == Some(Bound::Upper) {
            // Nothing is where `hash` would have it: nobody moves anything.
            root.entries.remove("partitioning");
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

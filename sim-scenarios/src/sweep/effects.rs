//! What the runs of a sweep show: of each cell and number the mean and the median over repeats, each
//! with an interval, and the difference to the cell's baseline, paired by seed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::leaves::in_array;
use super::plan::Plan;
use super::results::RunRow;
use crate::statistics::{
    Difference, Finding, Interval, Resampling, bootstrap, holm, mean, median, paired,
};

/// One number in one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The cell.
    pub cell: usize,
    /// The path of the number in summary.json.
    pub metric: String,
    /// Runs of the cell that have it.
    pub runs: usize,
    /// Its mean over them.
    pub mean: f64,
    /// The mean's interval. `None` of a single run.
    pub mean_interval: Option<Interval>,
    /// Its median over them.
    pub median: f64,
    /// The median's interval. `None` of a single run.
    pub median_interval: Option<Interval>,
    /// Against what. `None` of a baseline, and where no repeat has both numbers.
    pub against: Option<Against>,
}

/// The difference to the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Against {
    /// The baseline's cell.
    pub cell: usize,
    /// This cell minus the baseline, over the repeats that both have.
    pub difference: Difference,
    /// [`Difference::p_value`] adjusted for all cells that are compared by this number.
    pub p_adjusted: Option<f64>,
    /// What can be said.
    pub finding: Finding,
}

/// The effects of all numbers but those of single shards, by cell and path. Runs without a result
/// that can be trusted do not count: see [`RunRow::counts`].
#[must_use]
pub fn effects(plan: &Plan, runs: &[RunRow]) -> Vec<Effect> {
    let mut by_cell: Vec<BTreeMap<u32, &RunRow>> = vec![BTreeMap::new(); plan.cells.len()];
    for run in runs.iter().filter(|run| run.counts()) {
        if let Some(repeats) = by_cell.get_mut(run.cell) {
            repeats.insert(run.repeat, run);
        }
    }
    let paths: BTreeSet<&str> = runs
        .iter()
        .flat_map(|run| run.metrics.keys().map(String::as_str))
        .filter(|path| !in_array(path))
        .collect();
    let paths: Vec<&str> = paths.into_iter().collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = paths.len().div_ceil(threads).max(1);
    let by_cell = &by_cell;
    let mut all: Vec<Effect> = std::thread::scope(|scope| {
        let workers: Vec<_> = paths
            .chunks(share)
            .map(|paths| {
                let of = move |path: &&str| of_metric(plan, by_cell, path);
                scope.spawn(move || paths.iter().flat_map(of).collect::<Vec<_>>())
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    all.sort_by(|a, b| (a.cell, &a.metric).cmp(&(b.cell, &b.metric)));
    all
}

/// One number in all cells: these are the comparisons that are made side by side.
fn of_metric(plan: &Plan, by_cell: &[BTreeMap<u32, &RunRow>], metric: &str) -> Vec<Effect> {
    let resampling = Resampling { seed: plan.seed, resamples: plan.resamples, level: plan.level };
    let values = |cell: usize| -> BTreeMap<u32, f64> {
        let repeats = by_cell.get(cell).into_iter().flatten();
        repeats.filter_map(|(repeat, run)| Some((*repeat, *run.metrics.get(metric)?))).collect()
    };
    let mut effects = Vec::new();
    for cell in &plan.cells {
        let own = values(cell.index);
        if own.is_empty() {
            continue;
        }
        let samples: Vec<f64> = own.values().copied().collect();
        let against = (cell.baseline != cell.index)
            .then(|| {
                let other = values(cell.baseline);
                let pairs = own.iter().filter_map(|(repeat, a)| Some((*a, *other.get(repeat)?)));
                paired(&pairs.collect::<Vec<_>>(), &resampling)
            })
            .flatten()
            .map(|difference| Against {
                cell: cell.baseline,
                difference,
                p_adjusted: None,
                finding: Finding::TooFew,
            });
        effects.push(Effect {
            cell: cell.index,
            metric: metric.to_owned(),
            runs: samples.len(),
            mean: mean(&mut samples.clone()),
            mean_interval: bootstrap(&samples, mean, &resampling),
            median: median(&mut samples.clone()),
            median_interval: bootstrap(&samples, median, &resampling),
            against,
        });
    }
    let p_values: Vec<Option<f64>> =
        effects.iter().map(|effect| effect.against.as_ref()?.difference.p_value).collect();
    for (effect, adjusted) in effects.iter_mut().zip(holm(&p_values)) {
        if let Some(against) = &mut effect.against {
            against.p_adjusted = adjusted;
            against.finding = against.difference.finding(adjusted, plan.level);
        }
    }
    effects
}

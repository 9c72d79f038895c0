//! The two tables of a sweep: one row per run, one row per cell and number. docs/sweeps.md describes
//! their columns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::effects::Effect;
use super::plan::Cell;
use super::results::{RunRow, SweepResults};
use super::table::{Column, TableError, write_csv, write_parquet};
use crate::scenario::Bound;
use crate::statistics::{Finding, Interval};

/// Columns whose values may differ between two sweeps with the same file begin with this.
pub const MACHINE: &str = "machine.";

/// A table that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: TableError,
}

/// Writes `runs.csv`, `runs.parquet`, `effects.csv` and `effects.parquet` into the sweep's directory.
///
/// # Errors
/// For the first file that cannot be written.
pub fn write(results: &SweepResults, directory: &Path) -> Result<(), WriteError> {
    for (name, columns) in [("runs", runs(results)), ("effects", effects(results))] {
        let path = directory.join(format!("{name}.csv"));
        write_csv(&columns, &path).map_err(|source| WriteError { path, source })?;
        let path = directory.join(format!("{name}.parquet"));
        write_parquet(&columns, &path).map_err(|source| WriteError { path, source })?;
    }
    Ok(())
}

/// One row per run.
#[must_use]
pub fn runs(results: &SweepResults) -> Vec<Column> {
    let rows = &results.runs;
    let mut columns = cells(results, rows.iter().map(|run| run.cell));
    columns.push(Column::whole("repeat", rows.iter().map(|run| Some(run.repeat.into()))));
    columns.push(Column::whole("seed", rows.iter().map(|run| Some(run.seed))));
    columns.push(Column::text("verdict", rows.iter().map(|run| Some(&run.verdict))));
    columns.push(Column::text("digest", rows.iter().map(|run| run.digest.as_ref())));
    let paths: BTreeSet<&String> = rows.iter().flat_map(|run| run.metrics.keys()).collect();
    for path in paths {
        let value = |run: &RunRow| run.metrics.get(path).copied();
        columns.push(Column::number(path, rows.iter().map(value)));
    }
    columns.push(Column::text("directory", rows.iter().map(|run| Some(&run.directory))));
    let began = rows.iter().map(|run| Some(&run.machine.began));
    columns.push(Column::text(format!("{MACHINE}began"), began));
    let wall = rows.iter().map(|run| Some(run.machine.wall_ms));
    columns.push(Column::number(format!("{MACHINE}wall_ms"), wall));
    let problem = rows.iter().map(|run| run.problem.as_ref());
    columns.push(Column::text(format!("{MACHINE}problem"), problem));
    columns
}

/// One row per cell and number.
#[must_use]
pub fn effects(results: &SweepResults) -> Vec<Column> {
    let rows = &results.effects;
    let mut columns = cells(results, rows.iter().map(|effect| effect.cell));
    columns.push(Column::text("metric", rows.iter().map(|effect| Some(&effect.metric))));
    columns.push(Column::whole("runs", rows.iter().map(|effect| Some(effect.runs as u64))));
    columns.push(Column::number("mean", rows.iter().map(|effect| Some(effect.mean))));
    interval(&mut columns, "mean", rows, |effect| effect.mean_interval);
    columns.push(Column::number("median", rows.iter().map(|effect| Some(effect.median))));
    interval(&mut columns, "median", rows, |effect| effect.median_interval);

    let against = || rows.iter().map(|effect| effect.against.as_ref());
    let number = |of: fn(&crate::statistics::Difference) -> Option<f64>| {
        against().map(move |against| against.and_then(|against| of(&against.difference)))
    };
    let baseline = against().map(|against| against.map(|against| against.cell as u64));
    columns.push(Column::whole("baseline", baseline));
    let pairs = against().map(|against| against.map(|it| it.difference.samples as u64));
    columns.push(Column::whole("pairs", pairs));
    columns.push(Column::number("difference", number(|it| Some(it.estimate))));
    interval(&mut columns, "difference", rows, |it| it.against.as_ref()?.difference.interval);
    columns.push(Column::number("relative", number(|it| it.relative.map(|it| it.estimate))));
    interval(&mut columns, "relative", rows, |it| it.against.as_ref()?.difference.relative);
    columns.push(Column::number("p_value", number(|it| it.p_value)));
    let adjusted = against().map(|against| against.and_then(|against| against.p_adjusted));
    columns.push(Column::number("p_adjusted", adjusted));
    columns.push(Column::number("p_permutation", number(|it| Some(it.p_permutation))));
    let finding = against().map(|against| against.map(|against| finding_name(against.finding)));
    columns.push(Column::text("finding", finding));
    columns
}

/// The name of a finding in files.
#[must_use]
pub fn finding_name(finding: Finding) -> &'static str {
    match finding {
        Finding::Lower => "lower",
        Finding::Higher => "higher",
        Finding::NotShown => "not_shown",
        Finding::TooFew => "too_few",
    }
}

/// Which cell a row is about: its number, whether it is a bound, and the value of each axis.
fn cells(results: &SweepResults, rows: impl Iterator<Item = usize>) -> Vec<Column> {
    let plan = &results.plan;
    let rows: Vec<usize> = rows.collect();
    let of = |row: &usize| -> Option<&Cell> { plan.cells.get(*row) };
    let mut columns = vec![Column::whole("cell", rows.iter().map(|row| Some(*row as u64)))];
    let bound = rows.iter().map(|row| {
        of(row)?.bound.map(|bound| match bound {
            Bound::Lower => "lower",
            Bound::Upper => "upper",
        })
    });
    columns.push(Column::text("bound", bound));
    for (index, axis) in plan.axes.iter().enumerate() {
        let value = |row: &usize| of(row).and_then(|cell| cell.values.get(index));
        let texts: Vec<&str> = rows.iter().map(|row| value(row).map_or("", |it| it)).collect();
        columns.push(Column::guessed(&axis.fields.join(", "), &texts));
    }
    columns
}

fn interval(
    columns: &mut Vec<Column>,
    name: &str,
    rows: &[Effect],
    of: impl Fn(&Effect) -> Option<Interval>,
) {
    let low = rows.iter().map(|row| of(row).map(|interval| interval.low));
    columns.push(Column::number(format!("{name}_low"), low));
    let high = rows.iter().map(|row| of(row).map(|interval| interval.high));
    columns.push(Column::number(format!("{name}_high"), high));
}

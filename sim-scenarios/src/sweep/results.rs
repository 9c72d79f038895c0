//! What a sweep's directory holds, read back.
//!
//! `sweep.json` is written once, when the sweep begins: the plan, and apart from it the machine. Each
//! run's directory gets a `run.json` when the run is done, by a rename, so that a run without one is
//! not done.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::effects::{Effect, effects};
use super::leaves::leaves;
use super::plan::{Plan, Planned};
use crate::metrics::Verdict;
use crate::run::facts::MachineFacts;

/// The sweep's own file, in its directory.
pub const SWEEP: &str = "sweep.json";

/// The file that says that a run is done, in its directory.
pub const RUN: &str = "run.json";

/// The verdict of a run that has no result at all.
pub const NO_RESULT: &str = "no_result";

/// `sweep.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepJson {
    /// What does not depend on the machine.
    pub plan: Plan,
    /// What does.
    pub machine: MachineUse,
}

/// What a sweep was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineUse {
    /// The version of shardlab.
    pub shardlab: String,
    /// [`super::plan::hash`] of the program's file: another build may give other results.
    pub program: Option<String>,
    /// When it was begun, as RFC 3339.
    pub began: String,
    /// The machine.
    pub facts: MachineFacts,
}

/// `run.json`: how a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunJson {
    /// Its cell.
    pub cell: usize,
    /// From 1.
    pub repeat: u32,
    /// Its seed.
    pub seed: u64,
    /// The verdict of summary.json, or [`NO_RESULT`].
    pub verdict: String,
    /// Of a simulated run: the digest of everything that happened.
    pub digest: Option<String>,
    /// What is wrong, if something is.
    pub problem: Option<String>,
    /// What it took of the machine.
    pub machine: Made,
}

/// When and how fast a run was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// When it was begun, as RFC 3339.
    pub began: String,
    /// How long it took, in milliseconds of the wall clock, beside whatever else ran.
    pub wall_ms: f64,
}

/// One run that is done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRow {
    /// Its cell.
    pub cell: usize,
    /// From 1.
    pub repeat: u32,
    /// Its seed.
    pub seed: u64,
    /// Its directory, below the sweep's.
    pub directory: String,
    /// `passed`, `threshold_failed`, `invariant_broken`, `network_down` or [`NO_RESULT`].
    pub verdict: String,
    /// Of a simulated run: the digest of everything that happened.
    pub digest: Option<String>,
    /// What is wrong, if something is.
    pub problem: Option<String>,
    /// Every number of its summary, by path.
    pub metrics: BTreeMap<String, f64>,
    /// What it took of the machine.
    pub machine: Made,
}

/// A sweep, as far as it is done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepResults {
    /// What was to be run.
    pub plan: Plan,
    /// On what.
    pub machine: MachineUse,
    /// The runs that are done, by cell and repeat.
    pub runs: Vec<RunRow>,
    /// What they show, by cell and path.
    pub effects: Vec<Effect>,
}

/// Why a directory cannot be read as a sweep's.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what this version writes.
    #[error("{}: {problem}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// Reads a sweep's directory: its runs that are done, and what they show.
///
/// # Errors
/// When there is no sweep, or a file of it cannot be read.
pub fn load(directory: &Path) -> Result<SweepResults, LoadError> {
    let SweepJson { plan, machine } = read_json(&directory.join(SWEEP))?;
    let runs = load_runs(directory, &plan)?;
    let effects = effects(&plan, &runs);
    Ok(SweepResults { plan, machine, runs, effects })
}

/// The runs of a sweep that are done, by cell and repeat.
///
/// # Errors
/// When a file of them cannot be read.
pub fn load_runs(directory: &Path, plan: &Plan) -> Result<Vec<RunRow>, LoadError> {
    let mut planned = plan.runs();
    planned.sort_unstable();
    let rows = planned.into_iter().map(|run| load_run(directory, plan, run));
    rows.filter_map(Result::transpose).collect()
}

/// A run, if it is done.
///
/// # Errors
/// When a file of it cannot be read.
pub fn load_run(directory: &Path, plan: &Plan, run: Planned) -> Result<Option<RunRow>, LoadError> {
    let place = plan.run_directory(run);
    let path = directory.join(&place).join(RUN);
    if !path.exists() {
        return Ok(None);
    }
    let done: RunJson = read_json(&path)?;
    let metrics = match done.verdict == NO_RESULT {
        true => BTreeMap::new(),
        false => leaves(&read_json(&directory.join(&place).join("summary.json"))?),
    };
    Ok(Some(RunRow {
        cell: run.cell,
        repeat: run.repeat,
        seed: done.seed,
        directory: place,
        verdict: done.verdict,
        digest: done.digest,
        problem: done.problem,
        metrics,
        machine: done.machine,
    }))
}

/// Reads a file of JSON.
pub(super) fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, LoadError> {
    let text = fs::read_to_string(path)
        .map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    serde_json::from_str(&text)
        .map_err(|error| LoadError::Content { path: path.to_owned(), problem: error.to_string() })
}

impl RunRow {
    /// Whether its numbers enter effects: not those of a network that broke an invariant or lost a
    /// process.
    #[must_use]
    pub fn counts(&self) -> bool {
        [Verdict::Passed, Verdict::ThresholdFailed].iter().any(|it| it.name() == self.verdict)
    }

    /// Whether it need not be made again: not if the machine, and not the scenario, may be to blame.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.counts() || self.verdict == Verdict::InvariantBroken.name()
    }
}

impl SweepResults {
    /// The effect of a number in a cell.
    #[must_use]
    pub fn effect(&self, cell: usize, metric: &str) -> Option<&Effect> {
        let key = |effect: &Effect| (effect.cell, effect.metric.as_str()).cmp(&(cell, metric));
        self.effects.binary_search_by(key).ok().map(|index| &self.effects[index])
    }

    /// How many runs are not done.
    #[must_use]
    pub fn missing(&self) -> usize {
        let planned = self.plan.cells.len() * self.plan.seeds.len();
        planned - self.runs.iter().filter(|run| run.is_final()).count().min(planned)
    }
}

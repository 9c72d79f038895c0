//! Makes the runs of a sweep that are not done: several at a time in the simulated world, one at a
//! time on processes, which would take each other's cores.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::clock::monotonic_nanos;

use super::directory::write_json;
use super::memory;
use super::plan::{Plan, Planned};
use super::results::{LoadError, Made, NO_RESULT, RUN, RunJson, load_runs};
use crate::cli::Exit;
use crate::metrics::{Measured, Verdict};
use crate::run::complete::{World, complete};
use crate::run::simulate::SimulateOptions;
use crate::run::simulate_profile::NamedProfile;
use crate::run::{Interrupt, Progress};
use crate::scenario::{Scenario, SweepFile, SweepWorld};

/// How often one looks whether something has happened.
const LOOK: Duration = Duration::from_millis(50);

/// A sweep and how it is made.
#[derive(Debug)]
pub struct Making<'a> {
    /// What runs.
    pub file: &'a SweepFile,
    /// Which runs there are.
    pub plan: &'a Plan,
    /// Where they go.
    pub directory: &'a Path,
    /// What work costs in the simulated world.
    pub profile: &'a NamedProfile,
    /// Simulated runs at a time. At least 1.
    pub jobs: usize,
    /// Whether the user wants to stop.
    pub interrupt: &'a Interrupt,
    /// Where to tell how far it is.
    pub progress: &'a Progress,
}

/// How the making ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Runs that were done before.
    pub found: usize,
    /// Runs that were made now.
    pub made: usize,
    /// What runs without a result would end with by themselves; [`Exit::Passed`] if there are none.
    pub without_result: Exit,
}

/// Makes the runs that are missing, and marks each that is done. A run that breaks an invariant or
/// a threshold, or has no result at all, does not stop the others.
///
/// # Errors
/// When a run that is said to be done cannot be read.
pub fn execute(making: &Making<'_>) -> Result<Ended, LoadError> {
    let done = load_runs(making.directory, making.plan)?;
    let mut missing: VecDeque<Planned> = making.plan.runs().into();
    let mut times = Times::default();
    let mut found = 0;
    for run in done.iter().filter(|run| run.is_final()) {
        missing.retain(|other| *other != Planned { cell: run.cell, repeat: run.repeat });
        times.add(run.cell, run.machine.wall_ms / 1e3);
        found += 1;
    }
    let workers = match making.plan.world {
        SweepWorld::Simulate => making.jobs.clamp(1, missing.len().max(1)),
        SweepWorld::Run => 1,
    };
    let all = missing.len();
    let shared = Shared {
        making,
        workers,
        all: found + all,
        state: Mutex::new(State {
            missing,
            running: BTreeMap::new(),
            times,
            done: found,
            without_result: Exit::Passed,
        }),
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(|| shared.work())).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            shared.tell();
            std::thread::sleep(LOOK);
        }
    });
    let state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Ended { found, made: state.done - found, without_result: state.without_result })
}

/// What all workers see.
struct Shared<'a> {
    making: &'a Making<'a>,
    workers: usize,
    /// Runs of the sweep.
    all: usize,
    state: Mutex<State>,
}

struct State {
    missing: VecDeque<Planned>,
    /// When each was begun, on the monotonic clock, and what memory it may need.
    running: BTreeMap<Planned, (u64, u64)>,
    times: Times,
    done: usize,
    without_result: Exit,
}

impl Shared<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(run) = self.next() {
            let began = monotonic_nanos();
            let exit = self.make(run, began);
            let seconds = monotonic_nanos().saturating_sub(began) as f64 / 1e9;
            let mut state = self.state();
            state.running.remove(&run);
            if let Some(without_result) = exit {
                state.done += 1;
                state.times.add(run.cell, seconds);
                state.without_result = worse(state.without_result, without_result);
            }
        }
    }

    /// The next run, once there is memory for it; none when the user wants to stop.
    fn next(&self) -> Option<Planned> {
        loop {
            if self.making.interrupt.is_set() {
                return None;
            }
            let mut state = self.state();
            let run = *state.missing.front()?;
            let needed = self.scenario(run).map_or(0, memory::needed);
            if state.has_room(needed) {
                state.missing.pop_front();
                state.running.insert(run, (monotonic_nanos(), needed));
                return Some(run);
            }
            drop(state);
            std::thread::sleep(LOOK);
        }
    }

    fn scenario(&self, run: Planned) -> Option<&Scenario> {
        self.making.file.cells.get(run.cell).map(|cell| &cell.scenario)
    }

    /// Makes one run and marks it as done; `None` if the user stopped it. What it would have ended
    /// with by itself, if it has no result.
    fn make(&self, run: Planned, began: u64) -> Option<Exit> {
        let started = jiff::Timestamp::now().to_string();
        let place = self.making.directory.join(self.making.plan.run_directory(run));
        let (finished, problem, exit) = match self.complete(run, &place) {
            Ok(Finished { verdict: Verdict::Interrupted, .. }) => return None,
            Ok(finished) => {
                let died = finished.died.clone();
                (Some(finished), died, Exit::Passed)
            }
            Err((problem, exit)) => {
                tracing::error!(?run, problem, "a run has no result");
                (None, Some(problem), exit)
            }
        };
        let marked = self.mark(run, &place, finished, problem, started, began);
        Some(worse(exit, marked))
    }

    /// Runs one cell once. What is in its directory is left of a run that was not done.
    fn complete(&self, run: Planned, place: &Path) -> Result<Finished, (String, Exit)> {
        let making = self.making;
        let Some(scenario) = self.scenario(run) else {
            return Err(("the plan has no such cell".to_owned(), Exit::Internal));
        };
        let io = |error: std::io::Error| (format!("{}: {error}", place.display()), Exit::BadInput);
        if place.exists() {
            fs::remove_dir_all(place).map_err(io)?;
        }
        fs::create_dir_all(place).map_err(io)?;
        let scenario = Scenario { seed: making.plan.seed_of(run.repeat), ..scenario.clone() };
        let world = match making.plan.world {
            SweepWorld::Run => World::Processes,
            SweepWorld::Simulate => {
                World::Simulation(SimulateOptions { profile: making.profile.clone(), trace: None })
            }
        };
        let quiet = Progress::new(true);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            complete(&scenario, &world, place, making.interrupt, &quiet, Finished::of)
        }));
        match ran {
            Ok(Ok(finished)) => Ok(finished),
            Ok(Err(error)) => Err((error.to_string(), error.exit())),
            Err(_) => {
                let told = "the program panicked; what it said is above, or in launcher.log";
                Err((told.to_owned(), Exit::Internal))
            }
        }
    }

    /// Writes `run.json`; not [`Exit::Passed`] if it cannot.
    fn mark(
        &self,
        run: Planned,
        place: &Path,
        finished: Option<Finished>,
        problem: Option<String>,
        began: String,
        since: u64,
    ) -> Exit {
        let wall = monotonic_nanos().saturating_sub(since);
        let verdict = finished.as_ref().map_or(NO_RESULT, |finished| finished.verdict.name());
        let marked = RunJson {
            cell: run.cell,
            repeat: run.repeat,
            seed: self.making.plan.seed_of(run.repeat),
            verdict: verdict.to_owned(),
            digest: finished.and_then(|finished| finished.digest),
            problem,
            machine: Made { began, wall_ms: (wall / 1_000) as f64 / 1e3 },
        };
        match write_json(&place.join(RUN), &marked) {
            Ok(()) => Exit::Passed,
            Err(error) => {
                tracing::error!(?run, %error, "a run cannot be marked as done");
                Exit::Internal
            }
        }
    }

    /// Tells how far the sweep is.
    fn tell(&self) {
        let state = self.state();
        let (done, all) = (state.done, self.all);
        let mut line = format!("{done} of {all} runs");
        if self.making.interrupt.is_set() {
            line.push_str("  stopping");
        } else if let Some(left) = state.left(self.workers) {
            line.push_str(&format!("  about {} left", shown(left)));
        }
        // Last, for a narrow terminal cuts it off.
        let running = state.running.keys().filter_map(|run| {
            let cell = self.making.plan.cells.get(run.cell)?;
            Some(format!("{} #{}", self.making.plan.shown(cell), run.repeat))
        });
        let running: Vec<String> = running.collect();
        if !running.is_empty() {
            line.push_str(&format!("  now: {}", running.join("; ")));
        }
        drop(state);
        self.making.progress.say(&line);
    }
}

/// What is kept of a run.
struct Finished {
    verdict: Verdict,
    digest: Option<String>,
    died: Option<String>,
}

impl Finished {
    fn of(measured: &Measured<'_>) -> Self {
        Self {
            verdict: measured.results.verdict,
            digest: measured.run.simulation.as_ref().map(|facts| facts.digest.to_string()),
            died: measured.run.died.clone(),
        }
    }
}

impl State {
    fn has_room(&self, needed: u64) -> bool {
        let running: u64 = self.running.values().map(|(_, needed)| needed).sum();
        self.running.is_empty() || memory::suffices(running + needed)
    }

    /// Seconds until the last run is done, if the others take as long as those before.
    fn left(&self, workers: usize) -> Option<f64> {
        let now = monotonic_nanos();
        let missing = self.missing.iter().map(|run| self.times.of(run.cell));
        let running = self.running.iter().map(|(run, (began, _))| {
            let elapsed = now.saturating_sub(*began) as f64 / 1e9;
            self.times.of(run.cell).map(|whole| (whole - elapsed).max(0.0))
        });
        let work: Option<f64> = missing.chain(running).sum();
        work.map(|work| work / workers as f64)
    }
}

/// How long runs took, in seconds.
#[derive(Default)]
struct Times {
    by_cell: BTreeMap<usize, (f64, u32)>,
    all: (f64, u32),
}

impl Times {
    fn add(&mut self, cell: usize, seconds: f64) {
        for (sum, count) in [self.by_cell.entry(cell).or_default(), &mut self.all] {
            *sum += seconds;
            *count += 1;
        }
    }

    /// The mean of the cell, or else of all.
    fn of(&self, cell: usize) -> Option<f64> {
        let (sum, count) = self.by_cell.get(&cell).unwrap_or(&self.all);
        (*count > 0).then(|| sum / f64::from(*count))
    }
}

/// Of two codes the one that says more.
pub(crate) fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: &Exit| match exit {
        Exit::Passed => 0,
        Exit::ThresholdFailed => 1,
        Exit::NetworkDown => 2,
        Exit::BadInput => 3,
        Exit::Internal => 4,
        Exit::InvariantBroke => 5,
        Exit::Interrupted => 6,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

/// `40 s`, `3 min`, `2 h 10 min`
fn shown(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

//! Runs what the search asks for, each probe a whole run in a directory of its own, and writes down
//! after each what is known. A search that was interrupted goes on in its directory: runs that are
//! done are not done again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use runtime::clock::monotonic_nanos;

use super::ladder::{Ladder, Plan, known};
use super::output;
use super::probe::{Place, Probe, criteria, judge, not_judged};
use super::scaled::{Unscalable, check, offered, scaled};
use super::search::{Rule, Search, Stage, Try, search};
use crate::report::html::source::HtmlError;
use crate::run::complete::{CompleteError, World, complete};
use crate::run::{Interrupt, Progress};
use crate::scenario::Scenario;

/// Below the search's directory.
const PROBES: &str = "probes";

/// Why a search has no result.
#[derive(Debug, thiserror::Error)]
pub enum CapacityError {
    /// There are no rates.
    #[error(transparent)]
    Unscalable(#[from] Unscalable),
    /// The directory has another search.
    #[error(
        "{} has a search for something else: {what} differs\n  name another directory with --out",
        directory.display()
    )]
    AnotherSearch {
        /// Which directory.
        directory: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A run has no result at all.
    #[error("{}: {source}", directory.display())]
    Run {
        /// The run's directory.
        directory: PathBuf,
        /// Why.
        source: Box<CompleteError>,
    },
    /// A file of a run is not what a run writes.
    #[error(transparent)]
    Files(#[from] HtmlError),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What is told while the search goes on.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// A run begins; these are known, this is being done.
    Begins {
        /// What is known.
        probes: &'a [Probe],
        /// Where the search is.
        search: &'a Search,
        /// Rate of the run in transactions per second.
        rate: f64,
        /// Its seed.
        seed: u64,
    },
    /// A run ended, or was found done.
    Ended {
        /// What came of it.
        probe: &'a Probe,
        /// Whether it was found done.
        found: bool,
    },
}

/// How a search is done.
pub struct Climb<'a> {
    /// The scenario at its own rates.
    pub scenario: &'a Scenario,
    /// Where it runs.
    pub world: &'a World,
    /// How the ladder is climbed.
    pub rule: Rule,
    /// Where files go; exists.
    pub directory: &'a Path,
    /// Runs at a time; 1 for processes.
    pub jobs: usize,
    /// Whether the user wants to stop.
    pub interrupt: &'a Interrupt,
    /// Who listens.
    pub told: &'a (dyn Fn(Told<'_>) + Sync),
}

/// Searches until nothing is left to try or the user stops. Writes capacity.json, capacity.csv and
/// report.html after each step.
///
/// # Errors
/// When a run has no result, or a file cannot be read or written.
pub fn climb(climb: &Climb<'_>) -> Result<Ladder, CapacityError> {
    check(climb.scenario)?;
    let plan = plan(climb);
    same_search(climb.directory, &plan)?;
    let probes = climb.directory.join(PROBES);
    fs::create_dir_all(&probes).map_err(|source| CapacityError::Io { path: probes, source })?;
    let mut done: Vec<Probe> = Vec::new();
    loop {
        let found = search(&climb.rule, &known(&done));
        let ladder = Ladder::new(plan.clone(), done.clone());
        output::write(&ladder, climb.directory)
            .map_err(|source| CapacityError::Io { path: climb.directory.to_owned(), source })?;
        if found.next.is_empty() || climb.interrupt.is_set() {
            return Ok(ladder);
        }
        let before = done.len();
        done.extend(climb.all(&found, &done)?);
        let broken = |probe: &Probe| probe.verdict == "invariant_broken";
        if done.len() == before || done.iter().any(broken) {
            // Interrupted, or there is something that matters more than the highest rate.
            let ladder = Ladder::new(plan, done);
            output::write(&ladder, climb.directory)
                .map_err(|source| CapacityError::Io { path: climb.directory.to_owned(), source })?;
            return Ok(ladder);
        }
    }
}

impl Climb<'_> {
    /// The runs of one step of the search, some at a time. Those that were interrupted are not among
    /// what is returned.
    fn all(&self, found: &Search, done: &[Probe]) -> Result<Vec<Probe>, CapacityError> {
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<Result<Option<Probe>, CapacityError>>> = Mutex::new(Vec::new());
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(asked) = found.next.get(at) else { break };
                if self.interrupt.is_set() {
                    break;
                }
                let result = self.one(*asked, found, done);
                // Nobody panics while holding it.
                if let Ok(mut results) = results.lock() {
                    results.push(result);
                }
            }
        };
        let threads = self.jobs.clamp(1, found.next.len().max(1));
        if threads == 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
        }
        let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(results.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    fn one(
        &self,
        (step, seed): Try,
        found: &Search,
        done: &[Probe],
    ) -> Result<Option<Probe>, CapacityError> {
        let factor = self.rule.factor(step);
        let Some(scenario) = scaled(self.scenario, factor, seed) else {
            // A rate that no scenario can have is no rate at which something holds.
            return Ok(Some(impossible(step, factor, seed)));
        };
        let rate = offered(&scenario);
        let directory = format!("{PROBES}/{step:+04}-x{factor:.3}-seed-{seed}");
        let at = self.directory.join(&directory);
        let place = |took_seconds| Place {
            step,
            factor,
            seed,
            directory: directory.clone(),
            offered_tps: rate,
            took_seconds,
        };
        if at.is_dir() {
            let probe = judge(&at, &scenario, place(took(&at)))?;
            (self.told)(Told::Ended { probe: &probe, found: true });
            return Ok(Some(probe));
        }
        (self.told)(Told::Begins { probes: done, search: found, rate, seed });
        // A run that is not done has another name, so that it is never taken for one that is.
        let partial = self.directory.join(format!("{directory}.partial"));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CapacityError::Io { path, source }
        };
        if partial.is_dir() {
            fs::remove_dir_all(&partial).map_err(failed(&partial))?;
        }
        fs::create_dir_all(&partial).map_err(failed(&partial))?;
        let began = monotonic_nanos();
        let progress = Progress::new(true);
        let interrupted =
            complete(&scenario, self.world, &partial, self.interrupt, &progress, |measured| {
                measured.run.interrupted
            })
            .map_err(|source| CapacityError::Run {
                directory: partial.clone(),
                source: Box::new(source),
            })?;
        if interrupted {
            return Ok(None);
        }
        let took_seconds = monotonic_nanos().saturating_sub(began) as f64 / 1e9;
        fs::write(partial.join(TOOK), format!("{took_seconds:.3}\n")).map_err(failed(&partial))?;
        fs::rename(&partial, &at).map_err(failed(&at))?;
        let probe = judge(&at, &scenario, place(took_seconds))?;
        (self.told)(Told::Ended { probe: &probe, found: false });
        Ok(Some(probe))
    }
}

/// How long a run took, in seconds: the only thing about a probe that its files do not say.
const TOOK: &str = "took-seconds";

fn took(directory: &Path) -> f64 {
    let text = fs::read_to_string(directory.join(TOOK)).unwrap_or_default();
    text.trim().parse().unwrap_or(0.0)
}

fn impossible(step: i32, factor: f64, seed: u64) -> Probe {
    Probe {
        step,
        factor,
        seed,
        directory: String::new(),
        offered_tps: 0.0,
        throughput_tps: 0.0,
        settled_share: None,
        settlement: super::probe::Times::default(),
        finality: super::probe::Times::default(),
        verdict: "impossible".to_owned(),
        met: false,
        unmet: vec!["a load's rate must lie between 0.001 and 1,000,000 per second".to_owned()],
        signals: Vec::new(),
        took_seconds: 0.0,
    }
}

fn plan(climb: &Climb<'_>) -> Plan {
    let (world, profile) = match climb.world {
        World::Processes => ("processes", String::new()),
        World::Simulation(options) => {
            let costs = options.profile.prices().into_iter();
            let costs: Vec<String> = costs.map(|(name, cost)| format!("{name} {cost}")).collect();
            ("simulated", format!("{}: {}", options.profile.name, costs.join(", ")))
        }
    };
    Plan {
        name: climb.scenario.name.clone(),
        scenario: climb.scenario.to_string(),
        world: world.to_owned(),
        profile,
        rule: climb.rule.clone(),
        criteria: criteria(climb.scenario),
        not_judged: not_judged(climb.scenario),
    }
}

/// Checks that what a directory has is of the same search. The seeds may be more, and the curve may
/// be added later.
fn same_search(directory: &Path, plan: &Plan) -> Result<(), CapacityError> {
    let path = directory.join(output::JSON);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(CapacityError::Io { path, source }),
    };
    let another = |what| CapacityError::AnotherSearch { directory: directory.to_owned(), what };
    let ladder: Ladder =
        serde_json::from_str(&text).map_err(|_| another("the version of its files"))?;
    let old = &ladder.plan;
    let what = [
        ("the scenario", old.scenario != plan.scenario),
        ("the world", old.world != plan.world),
        ("the cost profile", old.profile != plan.profile),
        ("the resolution", old.rule.resolution != plan.rule.resolution),
        ("the version of shardlab", ladder.shardlab != env!("CARGO_PKG_VERSION")),
    ];
    match what.into_iter().find(|(_, differs)| *differs) {
        Some((what, _)) => Err(another(what)),
        None => Ok(()),
    }
}

/// What a stage is called.
#[must_use]
pub fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Bracketing => "looking for a rate that is too high",
        Stage::Bisecting => "halving the distance",
        Stage::Confirming => "other seeds at the edge",
        Stage::Drawing => "points of the curve",
        Stage::Done => "done",
    }
}

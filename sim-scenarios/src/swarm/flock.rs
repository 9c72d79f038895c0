//! Many seeds on many threads. What comes of a seed does not depend on the threads.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::{B256, keccak256};

use super::draw::draw;
use super::options::Options;
use super::situations::Situations;
use super::trial::{Failure, Trial, run_trial};

/// Which seeds, and for how long.
pub struct Flock<'a> {
    /// The first seed; the others follow it.
    pub first: u64,
    /// How many, at most.
    pub seeds: u64,
    /// Worker threads, at least 1.
    pub threads: usize,
    /// Whether the others are tried when one has failed.
    pub keep_going: bool,
    /// Asked before each trial; `true` ends the flock after those that run.
    pub enough: &'a (dyn Fn() -> bool + Sync),
    /// Told of every trial that has ended, from any thread.
    pub told: &'a (dyn Fn(&FlockReport) + Sync),
}

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
pub struct FlockReport {
    /// Seeds that were tried: this many from the first one on.
    pub seeds: u64,
    /// Events of all of them.
    pub events: u64,
    /// Virtual time of all of them, in nanoseconds.
    pub virtual_time: u128,
    /// What seldom happens.
    pub situations: Situations,
    /// Digests by seed, for [`FlockReport::digest`].
    digests: Vec<(u64, B256)>,
    /// What failed, by seed.
    pub failed: BTreeMap<u64, Failure>,
}

impl FlockReport {
    /// One digest over those of all seeds, in their order.
    #[must_use]
    pub fn digest(&self) -> B256 {
        let mut digests = self.digests.clone();
        digests.sort_unstable();
        let all: Vec<u8> = digests.iter().flat_map(|(_, digest)| digest.0).collect();
        keccak256(all)
    }

    fn add(&mut self, seed: u64, trial: Trial) {
        self.seeds += 1;
        self.events += trial.events;
        self.virtual_time += u128::from(trial.end.0);
        self.situations.join(&trial.situations);
        self.digests.push((seed, trial.digest));
        if let Some(failure) = trial.failure {
            self.failed.insert(seed, failure);
        }
    }
}

/// Tries seeds until one fails, all are done, or it is enough.
#[must_use]
pub fn fly(flock: &Flock<'_>) -> FlockReport {
    fly_with(flock, &|options| run_trial(options))
}

/// The same with another way to run a trial.
#[must_use]
pub fn fly_with(flock: &Flock<'_>, run: &(dyn Fn(&Options) -> Trial + Sync)) -> FlockReport {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let report = Mutex::new(FlockReport::default());
    let work = || {
        loop {
            if stop.load(Ordering::Acquire) || (flock.enough)() {
                return;
            }
            let index = next.fetch_add(1, Ordering::AcqRel);
            if index >= flock.seeds {
                return;
            }
            let seed = flock.first.wrapping_add(index);
            let trial = try_seed(seed, run);
            if trial.failure.is_some() && !flock.keep_going {
                stop.store(true, Ordering::Release);
            }
            let mut report = report.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            report.add(seed, trial);
            (flock.told)(&report);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..flock.threads.max(1) {
            scope.spawn(work);
        }
        work();
    });
    report.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn try_seed(seed: u64, run: &(dyn Fn(&Options) -> Trial + Sync)) -> Trial {
    match draw(seed) {
        Ok(options) => run(&options),
        Err(rejected) => Trial {
            digest: B256::ZERO,
            events: 0,
            end: cross_shard_msg::Timestamp::ZERO,
            situations: Situations::default(),
            failure: Some(Failure {
                invariant: "the drawn options are a scenario".to_owned(),
                detail: rejected.to_string(),
            }),
        },
    }
}

/// Things in a time, by the hour.
#[must_use]
pub fn per_hour(count: u64, time: Duration) -> u64 {
    (count as f64 * 3_600.0 / time.as_secs_f64().max(1e-9)) as u64
}

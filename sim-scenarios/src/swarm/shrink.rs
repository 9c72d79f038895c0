//! The smallest trial that still fails in the same way: faults, Byzantine nodes, load, shards and
//! time are taken away piece by piece, as long as what is left fails.

use super::draw::read;
use super::options::Options;
use super::trial::{Failure, Trial};
use crate::scenario::{Load, Popularity, Rate};
use cross_shard_msg::Duration;
use simulation::Disk;

/// The disk that `shardlab simulate` gives to every node.
pub const USUAL_DISK: Disk = Disk { durable_after: Duration::from_micros(50), torn: false };

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest options that fail.
    pub options: Options,
    /// How they fail.
    pub failure: Failure,
    /// Trials that it took.
    pub attempts: u32,
}

/// Makes `options`, which fail with `failure`, smaller with at most `most` trials. `told` hears how
/// many were made.
pub fn shrink(
    options: &Options,
    failure: &Failure,
    most: u32,
    run: &dyn Fn(&Options) -> Trial,
    told: &dyn Fn(u32),
) -> Shrunk {
    let mut shrunk = Shrunk { options: options.clone(), failure: failure.clone(), attempts: 0 };
    loop {
        let mut smaller = false;
        for candidate in candidates(&shrunk.options) {
            if shrunk.attempts >= most {
                return shrunk;
            }
            let Some(candidate) = valid(candidate, &shrunk.options) else { continue };
            shrunk.attempts += 1;
            told(shrunk.attempts);
            match run(&candidate).failure {
                Some(failure) if failure.invariant == shrunk.failure.invariant => {
                    shrunk.options = candidate;
                    shrunk.failure = failure;
                    smaller = true;
                    // The other candidates are of the larger one.
                    break;
                }
                _ => {}
            }
        }
        if !smaller {
            return shrunk;
        }
    }
}

/// As it is read from its own file; `None` if it is no scenario, or not another one.
fn valid(mut candidate: Options, from: &Options) -> Option<Options> {
    candidate.scenario.client.drain_timeout = Options::bound(&candidate.scenario);
    candidate.scenario = read(&candidate.scenario.to_string()).ok()?;
    (candidate != *from).then_some(candidate)
}

/// What could be left out, the large parts first.
fn candidates(options: &Options) -> Vec<Options> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Options)| {
        let mut candidate = options.clone();
        change(&mut candidate);
        all.push(candidate);
    };
    with(&|it| it.disk = USUAL_DISK);
    with(&|it| it.priced = false);
    with(&|it| it.scenario.partitioning = None);
    with(&|it| {
        if let Some(partitioning) = &mut it.scenario.partitioning {
            partitioning.max_moves = (partitioning.max_moves / 2).max(1);
        }
    });
    for phase in 0..options.scenario.phases.len() {
        let count = options.scenario.phases[phase].faults.len();
        // Halves, quarters, …, single ones.
        let mut size = count.div_ceil(2);
        while size > 0 {
            for first in (0..count).step_by(size) {
                with(&|it| {
                    let faults = &mut it.scenario.phases[phase].faults;
                    faults.drain(first..(first + size).min(count));
                });
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        for load in 0..options.scenario.phases[phase].loads.len() {
            if options.scenario.phases[phase].loads.len() > 1 {
                with(&|it| drop(it.scenario.phases[phase].loads.remove(load)));
            }
            with(&|it| slower(&mut it.scenario.phases[phase].loads[load]));
        }
        with(&|it| {
            let length = &mut it.scenario.phases[phase].duration;
            *length = length.map(|length| length.divided(2));
        });
    }
    for one in 0..options.scenario.byzantine.len() {
        with(&|it| {
            it.scenario.byzantine.remove(one);
        });
    }
    with(&|it| it.scenario.network.shards -= u32::from(it.scenario.network.shards > 1));
    with(&|it| it.scenario.network.validators -= u32::from(it.scenario.network.validators > 1));
    with(&|it| it.scenario.accounts.count = (it.scenario.accounts.count / 2).max(2));
    with(&|it| it.scenario.accounts.popularity = Popularity::Uniform);
    with(&|it| it.scenario.network.links.default.jitter = Duration::ZERO);
    with(&|it| it.scenario.network.links.default.delay = Duration::ZERO);
    all
}

fn slower(load: &mut Load) {
    let half = |rate: &mut Rate| rate.per_kilosecond = (rate.per_kilosecond / 2).max(1_000);
    match load {
        Load::Transfer(load) => half(&mut load.rate),
        Load::Call(load) => half(&mut load.rate),
        Load::Communities(load) => half(&mut load.rate),
        Load::Trace(load) => half(&mut load.rate),
        Load::MainnetBlocks(_) => {}
    }
}

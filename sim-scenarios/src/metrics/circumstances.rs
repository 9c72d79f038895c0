//! What checkers must know of a run beside its records: how it ended, and what mainnet says.

use cross_shard_msg::{Duration, Timestamp};
use simulation::checkers::{Circumstances, Ending, Unanswered};

use super::byzantine;
use super::input::RunData;
use super::joined::Joined;
use crate::scenario::{Outcome, Scenario};

/// Intervals of blocks and checkpoints for which anything may stand still: view changes, catching
/// up after a restart, sending again what was lost.
const PATIENT_INTERVALS: u64 = 16;
/// What the machine may add to them: processes that wait for a core.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn circumstances(run: &RunData, network: &Joined<'_>) -> Circumstances {
    let scenario = &run.scenario;
    let (end, label) = (network.data.end, network.data.label);
    let faults = run.faults.iter().filter(|fault| fault.network == label);
    let calm_since = faults.filter_map(|fault| fault.end).max().unwrap_or(Timestamp::ZERO);
    let unanswered = network.transactions().filter_map(|(info, life)| {
        let open = life.outcome == Outcome::Unfinished && life.class.is_none() && life.attempts > 0;
        let waits = match life.was_admitted {
            true => scenario.network.bounds.mempool_time,
            false => Duration::ZERO,
        };
        let until = life.scheduled + scenario.client.retry_deadline + waits;
        open.then_some(Unanswered { key: info.key, until })
    });
    Circumstances {
        ending: Some(Ending {
            at: end,
            calm_since,
            bound: bound(scenario),
            unanswered: unanswered.collect(),
            excuse: excuse(run, label, end),
        }),
        mainnet: network.data.mainnet,
        dishonest: byzantine::dishonest(run),
    }
}

/// How long anything may stand still in a network without faults.
fn bound(scenario: &Scenario) -> Duration {
    let network = &scenario.network;
    let slowest = network.links.slowest();
    let intervals = network.checkpoint_every + network.block_time + slowest.times(4);
    intervals.times(PATIENT_INTERVALS) + PATIENCE
}

/// Why the network could not do what it should.
fn excuse(run: &RunData, label: u64, end: Timestamp) -> Option<String> {
    if run.interrupted {
        return Some("the run was interrupted".to_owned());
    }
    if let Some(warning) = run.scenario.byzantine_warning() {
        return Some(warning);
    }
    if run.died.is_some() {
        return Some("the network went down".to_owned());
    }
    if let Some(lost) = run.lost.first() {
        return Some(format!("not all nodes were there at the end: {lost}"));
    }
    let mut faults = run.faults.iter().filter(|fault| fault.network == label);
    let open = faults.find(|fault| fault.end.is_none_or(|over| over > end))?;
    Some(format!("{} of {} was not over when the run ended", open.kind, open.target))
}

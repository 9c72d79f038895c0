//! What the report says of transactions: one pass over transactions.csv, one over legs.csv.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cross_shard_msg::Duration;

use super::source::{Document, Fields, HtmlError, each};
use super::timeline::Timeline;
use crate::metrics::Distribution;
use crate::metrics::stages::Part;
use crate::report::life::Row;

/// Most transactions that are drawn one by one.
pub(super) const MOST_SLOW: usize = 8;

/// The latencies, in the order of reports: name in files, title, what it is.
pub(super) const SPANS: [(&str, &str, &str); 4] = [
    ("inclusion", "Inclusion", "submitted → executed at the source"),
    ("cross_shard", "Cross-shard", "executed at the source → last call executed"),
    ("settlement", "Settlement", "scheduled → settled"),
    ("finality", "Finality", "scheduled → finalized"),
];

/// Position of the settlement latency in [`SPANS`].
const SETTLEMENT: usize = 2;

const COLUMNS: [&str; 18] = [
    "network",
    "index",
    "phase",
    "setup",
    "outcome",
    "class",
    "scheduled_ns",
    "submitted_ns",
    "executed_ns",
    "destination_executed_ns",
    "settled_ns",
    "finalized_ns",
    "release_stage_ns",
    "network_stage_ns",
    "gate_stage_ns",
    "queue_stage_ns",
    "execution_stage_ns",
    "refused_ns",
];

/// Latencies of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Spread {
    /// Of all transactions.
    pub all: Distribution,
    /// Of those that stayed on one shard.
    pub intra: Distribution,
    /// Of those that crossed.
    pub cross: Distribution,
}

/// What happened in one bin of time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    /// Were due.
    pub scheduled: u64,
    /// Settled.
    pub settled: u64,
    /// Were refused for good.
    pub refused: u64,
    /// Were due, in recorded phases, and stayed on one shard.
    pub intra: u64,
    /// Were due, in recorded phases, and crossed.
    pub cross: u64,
}

/// A transaction that took long to settle, with its rows.
pub(super) struct Slow {
    /// How long it took.
    pub took: Duration,
    /// Its row.
    pub row: Row,
    /// Its legs, in order of execution.
    pub legs: Vec<Row>,
}

/// What transactions.csv and legs.csv say.
#[derive(Default)]
pub(super) struct Transactions {
    /// Of recorded phases, in the order of [`SPANS`].
    pub spreads: [Spread; 4],
    /// Of recorded phases: the stages of each cross-shard latency, in the order of [`Part::ALL`].
    pub stages: Vec<[u64; 5]>,
    /// By bin; all phases, without what prepares the network.
    pub moments: Vec<Moments>,
    /// Of recorded phases: bin in which it was due, and settlement latency.
    pub settlements: Vec<(usize, u64)>,
    /// When each phase of each network began.
    pub phases: BTreeMap<(u64, String), u64>,
    /// Of recorded phases: the slowest to settle, by network and index, the slowest first.
    pub slow: Vec<((u64, u64), Slow)>,
    /// Receipts that each shard executed of each other one: (source, destination) → count.
    pub flows: BTreeMap<(u64, u64), u64>,
}

impl Transactions {
    /// Reads both tables.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn read(directory: &Path, summary: &Document, time: &Timeline) -> Result<Self, HtmlError> {
        let phases = summary.at("/phases").as_object();
        let recorded: BTreeSet<&str> =
            phases.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let mut all = Self { moments: vec![Moments::default(); time.bins()], ..Self::default() };
        let mut begins: BTreeMap<u64, BTreeMap<Vec<u8>, u64>> = BTreeMap::new();
        each(directory, "transactions.csv", COLUMNS, |row| {
            if row.bytes(3) == b"true" {
                return;
            }
            let network = row.number(0).unwrap_or(0);
            let phase = row.bytes(2);
            if let Some(due) = row.number(6) {
                let begins = begins.entry(network).or_default();
                match begins.get_mut(phase) {
                    Some(first) => *first = due.min(*first),
                    None => drop(begins.insert(phase.to_vec(), due)),
                }
            }
            all.count(&row, network, time);
            if std::str::from_utf8(phase).is_ok_and(|phase| recorded.contains(phase)) {
                all.measure(&row, network, time);
            }
        })?;
        for (network, begins) in begins {
            for (phase, first) in begins {
                let phase = String::from_utf8_lossy(&phase).into_owned();
                all.phases.insert((network, phase), first);
            }
        }
        all.read_legs(directory)?;
        Ok(all)
    }

    fn count(&mut self, row: &Fields<'_, 18>, network: u64, time: &Timeline) {
        let settled = row.bytes(4) == b"settled";
        let bin = |column| row.number(column).and_then(|at| time.bin(network, at));
        let mut add = |bin: Option<usize>, of: fn(&mut Moments) -> &mut u64| {
            if let Some(moments) = bin.and_then(|bin| self.moments.get_mut(bin)) {
                *of(moments) += 1;
            }
        };
        add(bin(6), |it| &mut it.scheduled);
        add(bin(10).filter(|_| settled), |it| &mut it.settled);
        add(bin(17), |it| &mut it.refused);
    }

    fn measure(&mut self, row: &Fields<'_, 18>, network: u64, time: &Timeline) {
        let at = |column| row.number(column);
        let since = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
        let is_cross = match row.bytes(5) {
            b"cross" => true,
            b"intra" => false,
            _ => return,
        };
        let due = at(6).and_then(|due| time.bin(network, due));
        if let Some(moments) = due.and_then(|bin| self.moments.get_mut(bin)) {
            *if is_cross { &mut moments.cross } else { &mut moments.intra } += 1;
        }
        let settled = row.bytes(4) == b"settled";
        let ended = settled || row.bytes(4) == b"failed";
        let stages = [at(12), at(13), at(14), at(15), at(16)];
        let last_call = at(9).filter(|_| is_cross && ended);
        let settlement = since(at(6), at(10)).filter(|_| settled);
        let latencies = [
            since(at(7), at(8)),
            since(at(8), last_call),
            settlement,
            since(at(6), at(11)).filter(|_| settled),
        ];
        for (spread, latency) in self.spreads.iter_mut().zip(latencies) {
            let Some(latency) = latency.map(Duration) else { continue };
            spread.all.record(latency);
            if is_cross { &mut spread.cross } else { &mut spread.intra }.record(latency);
        }
        if let [Some(a), Some(b), Some(c), Some(d), Some(e)] = stages {
            self.stages.push([a, b, c, d, e]);
        }
        if let Some(took) = settlement {
            if let Some(bin) = due {
                self.settlements.push((bin, took));
            }
            self.keep_if_slow(row, (network, at(1).unwrap_or(0)), Duration(took));
        }
    }

    /// Of equally slow ones the first in the table.
    fn keep_if_slow(&mut self, row: &Fields<'_, 18>, key: (u64, u64), took: Duration) {
        let place = self.slow.partition_point(|(_, slow)| slow.took >= took);
        if place < MOST_SLOW {
            self.slow.insert(place, (key, Slow { took, row: row.row(), legs: Vec::new() }));
            self.slow.truncate(MOST_SLOW);
        }
    }

    fn read_legs(&mut self, directory: &Path) -> Result<(), HtmlError> {
        let columns = ["network", "transaction", "shard", "source"];
        each(directory, "legs.csv", columns, |row| {
            let number = |column| row.number(column);
            if let (Some(shard), Some(source)) = (number(2), number(3))
                && shard != source
            {
                *self.flows.entry((source, shard)).or_default() += 1;
            }
            let key = (number(0).unwrap_or(0), number(1).unwrap_or(0));
            if let Some((_, slow)) = self.slow.iter_mut().find(|(it, _)| *it == key) {
                slow.legs.push(row.row());
            }
        })
    }

    /// The settlement latencies, of all classes.
    #[must_use]
    pub fn settlement(&self) -> &Distribution {
        &self.spreads[SETTLEMENT].all
    }
}

/// The stages of transactions in groups of equal size, by the whole latency: the mean of each stage
/// in nanoseconds.
#[must_use]
pub(super) fn grouped_stages(stages: &[[u64; 5]], most: usize) -> Vec<[f64; 5]> {
    let total =
        |stages: &[u64; 5]| stages.iter().fold(0_u64, |sum, part| sum.saturating_add(*part));
    let mut sorted = stages.to_vec();
    sorted.sort_unstable_by_key(|stages| (total(stages), *stages));
    let groups = most.min(sorted.len());
    let bound = |group: usize| group * sorted.len() / groups;
    (0..groups)
        .map(|group| {
            let members = &sorted[bound(group)..bound(group + 1)];
            let mut sums = [0_u128; Part::ALL.len()];
            for member in members {
                for (sum, part) in sums.iter_mut().zip(member) {
                    *sum += u128::from(*part);
                }
            }
            sums.map(|sum| sum as f64 / members.len() as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_equal_and_ascend() {
        let stages: Vec<[u64; 5]> = (0..10).rev().map(|at| [at, 0, 0, 1, 0]).collect();
        let groups = grouped_stages(&stages, 5);
        assert_eq!(groups.len(), 5);
        assert_eq!(groups[0], [0.5, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(groups[4], [8.5, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(grouped_stages(&stages[..1], 5).len(), 1);
        assert!(grouped_stages(&[], 5).is_empty());
    }
}

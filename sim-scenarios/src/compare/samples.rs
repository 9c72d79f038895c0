//! What one run has of each metric, cut into slices of its time.
//!
//! Transactions of one run are not independent: those that are due together meet in the same blocks
//! and queues. Slices that are longer than a transaction's life are nearly so. Each phase of each
//! network has slices of its own, by the time at which transactions were due; throughput and
//! checkpoints have slices of the network's time.

use std::collections::{BTreeMap, BTreeSet};

use super::run::{CompareError, Run};
use crate::metrics::distribution::histogram;
use crate::report::html::source::{HtmlError, each};

/// Nothing was measured.
const NONE: u64 = u64::MAX;

const COLUMNS: [&str; 17] = [
    "network",
    "phase",
    "setup",
    "outcome",
    "class",
    "shards",
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
];

/// Distributions of transactions, by the names of metrics: all, intra-shard and cross-shard of each
/// latency, then the stages.
const SERIES: [&str; 17] = [
    "inclusion",
    "inclusion.intra",
    "inclusion.cross",
    "cross_shard",
    "cross_shard.intra",
    "cross_shard.cross",
    "settlement",
    "settlement.intra",
    "settlement.cross",
    "finality",
    "finality.intra",
    "finality.cross",
    "cross_shard.release",
    "cross_shard.network",
    "cross_shard.gate",
    "cross_shard.queue",
    "cross_shard.execution",
];
/// Latencies before the stages in [`Life::times`].
const LATENCIES: usize = 4;

/// What is looked at of one transaction.
#[derive(Clone, Debug)]
struct Life {
    /// Position of its phase among the strata.
    stratum: u32,
    /// When it was due.
    scheduled: u64,
    /// When it settled, or [`NONE`].
    settled: u64,
    outcome: Outcome,
    is_cross: Option<bool>,
    shards: u32,
    /// Inclusion, cross-shard, settlement, finality, then the stages.
    times: [u64; 9],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Settled,
    Failed,
    Refused,
    Unfinished,
    Other,
}

/// What a run's tables say of its recorded transactions and its checkpoints.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    lives: Vec<Life>,
    /// Network and phase of each stratum.
    strata: Vec<(u64, Vec<u8>)>,
    /// Network, proposed, latency.
    checkpoints: Vec<(u64, u64, u64)>,
}

/// Metrics by slice.
#[derive(Clone, Debug)]
pub struct Sliced {
    /// Slices of each phase, by the time at which transactions were due.
    pub due: Grid,
    /// Slices of each network's time.
    pub clock: Grid,
    /// Distributions by the name of their metrics.
    pub series: BTreeMap<&'static str, Series>,
    /// Dividend and divisor in each slice, by the name of their metrics.
    pub tallies: BTreeMap<&'static str, Tally>,
}

/// Slices, one stratum after the other; what is resampled stays in its stratum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// How many slices each stratum has.
    pub strata: Vec<usize>,
}

/// Which grid something belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// [`Sliced::due`]
    Due,
    /// [`Sliced::clock`]
    Clock,
}

/// A distribution: what was measured in which slice how often, in ascending order of values.
#[derive(Clone, Debug)]
pub struct Series {
    /// Of which grid the slices are.
    pub by: By,
    /// Value in nanoseconds as histograms round it, slice, count.
    pub values: Vec<(u64, u32, u32)>,
}

/// Two sums in each slice.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Of which grid the slices are.
    pub by: By,
    /// Dividend and divisor.
    pub sums: Vec<(f64, f64)>,
}

impl Grid {
    /// How many slices there are.
    #[must_use]
    pub fn slices(&self) -> usize {
        self.strata.iter().sum()
    }
}

impl Measurements {
    /// Reads the tables of a run.
    ///
    /// # Errors
    /// When one of them is missing or is not what a run writes.
    pub fn read(run: &Run) -> Result<Self, CompareError> {
        let phases = run.summary.pointer("/phases").and_then(|phases| phases.as_object());
        let recorded: BTreeSet<&[u8]> =
            phases.into_iter().flatten().map(|(name, _)| name.as_bytes()).collect();
        let mut all = Self::default();
        let mut strata: BTreeMap<(u64, Vec<u8>), u32> = BTreeMap::new();
        each(&run.directory, "transactions.csv", COLUMNS, |row| {
            let phase = row.bytes(1);
            if row.bytes(2) == b"true" || !recorded.contains(phase) {
                return;
            }
            let count = strata.len() as u32;
            let key = (row.number(0).unwrap_or(0), phase.to_vec());
            let stratum = *strata.entry(key.clone()).or_insert(count);
            if stratum == count {
                all.strata.push(key);
            }
            let at = |column| row.number(column);
            let since = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
            let outcome = match row.bytes(3) {
                b"settled" => Outcome::Settled,
                b"failed" => Outcome::Failed,
                b"refused" => Outcome::Refused,
                b"unfinished" => Outcome::Unfinished,
                _ => Outcome::Other,
            };
            let is_cross = match row.bytes(4) {
                b"cross" => Some(true),
                b"intra" => Some(false),
                _ => None,
            };
            let settled = outcome == Outcome::Settled;
            let ended = settled || outcome == Outcome::Failed;
            let last_call = at(9).filter(|_| is_cross == Some(true) && ended);
            let known = |time: Option<u64>| time.filter(|_| is_cross.is_some()).unwrap_or(NONE);
            all.lives.push(Life {
                stratum,
                scheduled: at(6).unwrap_or(0),
                settled: at(10).filter(|_| settled).unwrap_or(NONE),
                outcome,
                is_cross,
                shards: at(5).unwrap_or(0) as u32,
                times: [
                    known(since(at(7), at(8))),
                    known(since(at(8), last_call)),
                    known(since(at(6), at(10)).filter(|_| settled)),
                    known(since(at(6), at(11)).filter(|_| settled)),
                    at(12).unwrap_or(NONE),
                    at(13).unwrap_or(NONE),
                    at(14).unwrap_or(NONE),
                    at(15).unwrap_or(NONE),
                    at(16).unwrap_or(NONE),
                ],
            });
        })
        .map_err(of_file)?;
        let columns = ["network", "proposed_ns", "finalized_ns"];
        each(&run.directory, "checkpoints.csv", columns, |row| {
            if let (Some(proposed), Some(finalized)) = (row.number(1), row.number(2)) {
                let latency = finalized.saturating_sub(proposed);
                all.checkpoints.push((row.number(0).unwrap_or(0), proposed, latency));
            }
        })
        .map_err(of_file)?;
        Ok(all)
    }

    /// How many recorded transactions there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lives.len()
    }

    /// All values of a latency in ascending order, in nanoseconds: of `inclusion`, `cross_shard`,
    /// `settlement` or `finality` by position.
    #[must_use]
    pub fn sorted(&self, span: usize) -> Vec<u64> {
        let all = self.lives.iter().map(|life| life.times[span]);
        let mut values: Vec<u64> = all.filter(|time| *time != NONE).collect();
        values.sort_unstable();
        values
    }

    /// The time that 99 % of transactions took from being due until their end, in nanoseconds: to
    /// their finality, else to their settlement.
    #[must_use]
    pub fn lifetime(&self) -> Option<u64> {
        [3, 2, 0].into_iter().find_map(|span| {
            let sorted = self.sorted(span);
            sorted.get((sorted.len() * 99 / 100).min(sorted.len().saturating_sub(1))).copied()
        })
    }

    /// Whether both have the same transactions due at the same times, counted from the first one of
    /// each phase: what differs then is not the arrivals.
    #[must_use]
    pub fn same_arrivals(&self, other: &Self) -> bool {
        let (own, others) = (self.begins(), other.begins());
        let since = |begins: &[u64], life: &Life| {
            (life.stratum, life.scheduled.saturating_sub(begins[life.stratum as usize]))
        };
        self.strata == other.strata
            && self.lives.len() == other.lives.len()
            && self
                .lives
                .iter()
                .zip(&other.lives)
                .all(|(one, two)| since(&own, one) == since(&others, two))
    }

    /// Cuts everything into slices of this many nanoseconds, at least 1.
    #[must_use]
    pub fn sliced(&self, length: u64) -> Sliced {
        let begins = self.begins();
        let mut ends = begins.clone();
        for life in &self.lives {
            let end = &mut ends[life.stratum as usize];
            *end = life.scheduled.max(*end);
        }
        let spans = begins.iter().zip(&ends).map(|(begin, end)| end - begin);
        let due = Cuts::new(spans, length);
        let networks = self.networks();
        let clock = Cuts::new(networks.values().map(|(from, to)| to.saturating_sub(*from)), length);
        let mut distributions: [Gathered; 17] = Default::default();
        let mut tallies = self.empty_tallies(&due, &clock, &networks, length);
        for life in &self.lives {
            let stratum = life.stratum as usize;
            let slice = due.slice(stratum, life.scheduled - begins[stratum]);
            life.record(slice, &mut distributions);
            life.tally(slice, &mut tallies);
            let network = self.strata[stratum].0;
            if let (true, Some((place, (from, _)))) = (
                life.settled != NONE,
                networks
                    .iter()
                    .enumerate()
                    .find(|(_, (label, _))| **label == network)
                    .map(|(place, (_, span))| (place, *span)),
            ) {
                let slice = clock.slice(place, life.settled.saturating_sub(from));
                add(&mut tallies, "throughput", slice, 1.0, 0.0);
            }
        }
        let of_transactions = SERIES.into_iter().zip(distributions);
        let mut series: BTreeMap<&'static str, Series> =
            of_transactions.map(|(name, gathered)| (name, gathered.series(By::Due))).collect();
        let mut latencies = Gathered::default();
        for (network, proposed, latency) in &self.checkpoints {
            let place = networks.keys().position(|label| label == network);
            let Some((place, (from, to))) = place.zip(networks.get(network)) else { continue };
            // Before the first and after the last transaction checkpoints are empty, but counted.
            let at = (*proposed).clamp(*from, (*to).max(*from)) - *from;
            latencies.add(*latency, clock.slice(place, at));
        }
        series.insert("checkpoints.latency", latencies.series(By::Clock));
        Sliced { due: due.grid(), clock: clock.grid(), series, tallies }
    }

    fn begins(&self) -> Vec<u64> {
        let mut begins = vec![u64::MAX; self.strata.len()];
        for life in &self.lives {
            let begin = &mut begins[life.stratum as usize];
            *begin = life.scheduled.min(*begin);
        }
        begins
    }

    /// Of each network: when the first transaction was due, when the last one settled.
    fn networks(&self) -> BTreeMap<u64, (u64, u64)> {
        let mut networks: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for life in &self.lives {
            let label = self.strata[life.stratum as usize].0;
            let end = if life.settled == NONE { 0 } else { life.settled };
            let span = networks.entry(label).or_insert((life.scheduled, end));
            *span = (span.0.min(life.scheduled), span.1.max(end));
        }
        networks
    }

    fn empty_tallies(
        &self,
        due: &Cuts,
        clock: &Cuts,
        networks: &BTreeMap<u64, (u64, u64)>,
        length: u64,
    ) -> BTreeMap<&'static str, Tally> {
        let names = [
            "settled",
            "failed",
            "refused",
            "unfinished",
            "cross_shard_ratio",
            "shards_per_transaction",
        ];
        let empty = |by, slices| Tally { by, sums: vec![(0.0, 0.0); slices] };
        let mut tallies: BTreeMap<&'static str, Tally> =
            names.into_iter().map(|name| (name, empty(By::Due, due.count))).collect();
        let mut throughput = empty(By::Clock, clock.count);
        // Seconds of each slice; the last one of a network ends with the last settled transaction.
        for (place, (from, to)) in networks.values().enumerate() {
            let mut rest = to.saturating_sub(*from);
            let (first, count) = clock.strata[place];
            for slice in first..first + count {
                let last = slice + 1 == first + count;
                let part = if last { rest } else { rest.min(length) };
                throughput.sums[slice].1 = part as f64 / 1e9;
                rest -= part;
            }
        }
        tallies.insert("throughput", throughput);
        tallies
    }
}

impl Life {
    /// Adds what was measured to the distributions of [`SERIES`].
    fn record(&self, slice: usize, distributions: &mut [Gathered; 17]) {
        let class = if self.is_cross == Some(true) { 2 } else { 1 };
        for (place, time) in self.times.into_iter().enumerate().filter(|(_, time)| *time != NONE) {
            if place < LATENCIES {
                distributions[place * 3].add(time, slice);
                distributions[place * 3 + class].add(time, slice);
            } else {
                distributions[LATENCIES * 3 + place - LATENCIES].add(time, slice);
            }
        }
    }

    fn tally(&self, slice: usize, tallies: &mut BTreeMap<&'static str, Tally>) {
        let is = |outcome: Outcome| if self.outcome == outcome { 1.0 } else { 0.0 };
        for (name, outcome) in [
            ("settled", Outcome::Settled),
            ("failed", Outcome::Failed),
            ("refused", Outcome::Refused),
            ("unfinished", Outcome::Unfinished),
        ] {
            add(tallies, name, slice, is(outcome), 1.0);
        }
        if let Some(is_cross) = self.is_cross {
            add(tallies, "cross_shard_ratio", slice, f64::from(u8::from(is_cross)), 1.0);
        }
        if self.shards > 0 {
            add(tallies, "shards_per_transaction", slice, f64::from(self.shards), 1.0);
        }
    }
}

fn add(
    tallies: &mut BTreeMap<&'static str, Tally>,
    name: &'static str,
    slice: usize,
    dividend: f64,
    divisor: f64,
) {
    if let Some(sums) = tallies.get_mut(name).and_then(|tally| tally.sums.get_mut(slice)) {
        sums.0 += dividend;
        sums.1 += divisor;
    }
}

/// Where strata are cut: first slice and number of slices of each.
struct Cuts {
    length: u64,
    strata: Vec<(usize, usize)>,
    count: usize,
}

impl Cuts {
    fn new(spans: impl Iterator<Item = u64>, length: u64) -> Self {
        let mut count = 0;
        let mut strata = Vec::new();
        for span in spans {
            // What is left at the end joins the last slice if it is less than half of one.
            let slices = ((span.saturating_add(length / 2)) / length).max(1) as usize;
            strata.push((count, slices));
            count += slices;
        }
        Self { length, strata, count }
    }

    fn slice(&self, stratum: usize, at: u64) -> usize {
        let (first, count) = self.strata[stratum];
        first + ((at / self.length) as usize).min(count - 1)
    }

    fn grid(&self) -> Grid {
        Grid { strata: self.strata.iter().map(|(_, count)| *count).collect() }
    }
}

/// Values of a distribution before they are sorted.
#[derive(Default)]
struct Gathered(Vec<(u64, u32)>);

impl Gathered {
    fn add(&mut self, value: u64, slice: usize) {
        self.0.push((value, slice as u32));
    }

    fn series(mut self, by: By) -> Series {
        // As histograms with 3 significant digits report values, so that percentiles are those of
        // summary.json.
        let rounding = histogram();
        self.0.iter_mut().for_each(|(value, _)| *value = rounding.highest_equivalent(*value));
        self.0.sort_unstable();
        let mut values: Vec<(u64, u32, u32)> = Vec::new();
        for (value, slice) in self.0 {
            match values.last_mut() {
                Some(last) if (last.0, last.1) == (value, slice) => last.2 += 1,
                _ => values.push((value, slice, 1)),
            }
        }
        Series { by, values }
    }
}

fn of_file(error: HtmlError) -> CompareError {
    CompareError::File { path: error.path, problem: error.problem }
}

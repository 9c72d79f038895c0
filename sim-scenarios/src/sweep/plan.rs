//! Which runs a sweep has: a function of the file, the overrides and the options, so that a sweep
//! that is begun again knows whether it is the same one.

use cross_shard_msg::hash::Preimage;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::run::simulate_profile::NamedProfile;
use crate::scenario::{Axis, Bound, Order, SweepFile, SweepWorld};

/// Version of a sweep's files. It grows when something changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// Seeds have so many bits, so that a table's reader can keep them in a double.
const SEED_BITS: u32 = 48;

/// The longest name of a cell's directory.
const LONGEST_NAME: usize = 72;

/// Everything about a sweep that does not depend on the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`SCHEMA_VERSION`] of the program that made it.
    pub schema_version: u32,
    /// The scenario's name.
    pub name: String,
    /// [`hash`] of the file's text.
    pub file_hash: String,
    /// What `--set` changed in it.
    pub overrides: Vec<String>,
    /// The scenario's seed.
    pub seed: u64,
    /// Where the runs run.
    pub world: SweepWorld,
    /// Of simulated runs: what work costs.
    pub profile: Option<Profile>,
    /// In which order they are made.
    pub order: Order,
    /// The seed of each repeat, the same in every cell: differences between cells are paired.
    pub seeds: Vec<u64>,
    /// What is varied. The last axis varies fastest.
    pub axes: Vec<Axis>,
    /// Every combination of the axes' values.
    pub cells: Vec<Cell>,
    /// The numbers that tables and plots show, by path in summary.json.
    pub metrics: Vec<String>,
    /// The level of confidence of all intervals.
    pub level: f64,
    /// How often the bootstrap draws the runs again.
    pub resamples: u32,
}

/// A cost profile: `prices` in nanoseconds by the names of profile files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// What users call it.
    pub name: String,
    /// What each kind of work costs.
    pub prices: std::collections::BTreeMap<String, u64>,
}

/// One combination of values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Its position in [`Plan::cells`].
    pub index: usize,
    /// The directory of its runs, below `runs/`.
    pub directory: String,
    /// The value of each axis, as tables show it.
    pub values: Vec<String>,
    /// Whether it is a bound of the strategies.
    pub bound: Option<Bound>,
    /// The cell that it is compared with; itself if it is a baseline.
    pub baseline: usize,
}

/// One run of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planned {
    /// Its cell.
    pub cell: usize,
    /// From 1.
    pub repeat: u32,
}

impl Plan {
    /// The plan of a file with this text; `profile` is what work costs in the simulated world.
    #[must_use]
    pub fn new(file: &SweepFile, text: &str, overrides: &[String], profile: &NamedProfile) -> Self {
        let sweep = &file.sweep;
        let cells = file.cells.iter().enumerate().map(|(index, cell)| {
            let values: Vec<String> = file.labels(cell).into_iter().map(str::to_owned).collect();
            let directory = directory(index, file.cells.len(), &values, cell.bound);
            Cell { index, directory, values, bound: cell.bound, baseline: cell.baseline }
        });
        let prices = profile.prices().into_iter();
        let profile = Profile {
            name: profile.name.clone(),
            prices: prices.map(|(name, price)| (name.to_owned(), price)).collect(),
        };
        Self {
            schema_version: SCHEMA_VERSION,
            name: file.name.clone(),
            file_hash: hash(text.as_bytes()),
            overrides: overrides.to_vec(),
            seed: file.seed,
            world: sweep.world,
            profile: (sweep.world == SweepWorld::Simulate).then_some(profile),
            order: sweep.order,
            seeds: (1..=sweep.repeats).map(|repeat| seed_of(file.seed, repeat)).collect(),
            axes: sweep.axes.clone(),
            cells: cells.collect(),
            metrics: sweep.metrics.clone(),
            level: sweep.level,
            resamples: sweep.resamples,
        }
    }

    /// Every run, in the order in which they are made.
    #[must_use]
    pub fn runs(&self) -> Vec<Planned> {
        let repeats = 1..=self.repeats();
        let cells = 0..self.cells.len();
        let by_cell = || {
            cells
                .clone()
                .flat_map(|cell| repeats.clone().map(move |repeat| Planned { cell, repeat }))
        };
        match self.order {
            Order::Matrix => by_cell().collect(),
            Order::Interleaved => {
                let mut runs: Vec<Planned> = by_cell().collect();
                runs.sort_by_key(|run| (run.repeat, run.cell));
                runs
            }
            Order::Random => {
                let mut runs: Vec<Planned> = by_cell().collect();
                shuffle(&mut runs, self.seed);
                runs
            }
        }
    }

    /// Runs of each cell.
    #[must_use]
    pub fn repeats(&self) -> u32 {
        u32::try_from(self.seeds.len()).unwrap_or(u32::MAX)
    }

    /// The seed of a repeat, which counts from 1. 0 if there is no such repeat.
    #[must_use]
    pub fn seed_of(&self, repeat: u32) -> u64 {
        let index = repeat.checked_sub(1).map(|index| index as usize);
        index.and_then(|index| self.seeds.get(index)).copied().unwrap_or(0)
    }

    /// The directory of a run, below the sweep's.
    #[must_use]
    pub fn run_directory(&self, run: Planned) -> String {
        let cell = self.cells.get(run.cell).map_or("", |cell| cell.directory.as_str());
        format!("runs/{cell}/repeat-{}", run.repeat)
    }

    /// A cell in one line: `strategy clpa, shards 16`.
    #[must_use]
    pub fn shown(&self, cell: &Cell) -> String {
        let values = self.axes.iter().zip(&cell.values);
        let values: Vec<String> = values
            .map(|(axis, value)| match value.contains("bound (") {
                true => value.clone(),
                false => format!("{} {value}", axis.name),
            })
            .collect();
        if values.is_empty() { "the scenario".to_owned() } else { values.join(", ") }
    }
}

/// The seed of a repeat: unrelated to those of other repeats and of other scenarios' seeds.
#[must_use]
pub fn seed_of(seed: u64, repeat: u32) -> u64 {
    let mut preimage = Preimage::new("shardlab/sweep/seed");
    let digest = preimage.u64(seed).u32(repeat).finish();
    let first = digest.0.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    first >> (u64::BITS - SEED_BITS)
}

/// A digest (blake3, with a tag) in lower-case hexadecimal digits.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    let mut preimage = Preimage::new("shardlab/sweep/file");
    format!("{:x}", preimage.bytes(bytes).finish())
}

/// `03-clpa-16`: its number, and what is said of it as far as it can stand in a path.
fn directory(index: usize, count: usize, values: &[String], bound: Option<Bound>) -> String {
    let width = count.saturating_sub(1).to_string().len();
    let mut name = format!("{index:0width$}");
    for value in values {
        let short = match bound {
            Some(bound) if value == bound.label() => match bound {
                Bound::Lower => "hash",
                Bound::Upper => "all-local",
            },
            _ => value,
        };
        let plain = short.chars().map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' => c,
            _ => '-',
        });
        let plain: String = plain.collect();
        // No dots at its ends: they could be read as another directory.
        let parts = plain.split('-').map(|part| part.trim_matches('.'));
        for part in parts.filter(|part| !part.is_empty()) {
            name.push('-');
            name.push_str(part);
        }
    }
    name.truncate(LONGEST_NAME);
    name
}

/// Fisher and Yates.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut preimage = Preimage::new("shardlab/sweep/order");
    let mut random = ChaCha12Rng::from_seed(preimage.u64(seed).finish().0);
    for last in (1..items.len()).rev() {
        // Biased by less than 2⁻⁴⁰.
        let other = random.next_u64() % (last as u64 + 1);
        items.swap(last, other as usize);
    }
}

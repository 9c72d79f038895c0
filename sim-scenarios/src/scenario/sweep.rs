//! `[sweep]`: a scenario that is run many times, each time a little different.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::types::Scenario;

/// The field that says which strategy decides where accounts live.
pub const STRATEGY: &str = "partitioning.strategy";

/// The field that makes a scenario the upper bound of all strategies.
pub const ALL_LOCAL: &str = "accounts.all_local";

/// The strategy that is the lower bound of all.
pub const HASH: &str = "hash";

/// What a sweep varies, how often, and what is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// What is varied, in the order of the file. The first one varies slowest.
    pub axes: Vec<Axis>,
    /// Runs of each cell, with a seed of their own each. 1 to 1,000.
    pub repeats: u32,
    /// In which order the runs are made.
    pub order: Order,
    /// Where they run.
    pub world: SweepWorld,
    /// Fields whose values say which cell others are compared with, and these values, as labels.
    /// Empty: as [`SweepCell::baseline`] says.
    pub baseline: Vec<(String, String)>,
    /// Numbers of summary.json that tables and plots show, by path. At least one.
    pub metrics: Vec<String>,
    /// The share of intervals that should hold the true value. 0.5 to 0.999.
    pub level: f64,
    /// How often the bootstrap draws the runs again. 100 to 1,000,000.
    pub resamples: u32,
}

/// Something that is varied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// The fields that vary together, as paths of `--set`. At least one.
    pub fields: Vec<String>,
    /// What a table calls it: the end of the first path, as far as it is unique.
    pub name: String,
    /// Its values. At least one; of a strategy the bounds come first and last.
    pub values: Vec<AxisValue>,
}

/// One value of an axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AxisValue {
    /// What tables show.
    pub label: String,
    /// The value of each field, in TOML.
    pub written: Vec<String>,
    /// Whether it was added as a bound.
    pub bound: Option<Bound>,
}

/// What every strategy lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Accounts are where hashing puts them.
    Lower,
    /// No transaction crosses: each is planned between accounts of one shard, and nothing moves.
    Upper,
}

impl Bound {
    /// What tables call it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Lower => "lower bound (hash)",
            Self::Upper => "upper bound (all local)",
        }
    }
}

/// In which order runs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// All repeats of the first cell, then of the second one.
    Matrix,
    /// The first repeat of all cells, then the second one: what changes about the machine in the
    /// meantime meets all cells alike.
    Interleaved,
    /// Shuffled, from the scenario's seed.
    Random,
}

impl Order {
    /// Each by its name in a file.
    pub const NAMES: [(&'static str, Self); 3] =
        [("interleaved", Self::Interleaved), ("matrix", Self::Matrix), ("random", Self::Random)];

    /// The name in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Matrix => "matrix",
            Self::Interleaved => "interleaved",
            Self::Random => "random",
        }
    }
}

/// Where the runs of a sweep run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepWorld {
    /// Under virtual time, several at a time.
    Simulate,
    /// On processes, one at a time.
    Run,
}

impl SweepWorld {
    /// Each by its name in a file.
    pub const NAMES: [(&'static str, Self); 2] = [("simulate", Self::Simulate), ("run", Self::Run)];

    /// The name in a file: the subcommand that runs one cell.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Simulate => "simulate",
            Self::Run => "run",
        }
    }
}

/// A scenario file with a `[sweep]`, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepFile {
    /// The scenario's name.
    pub name: String,
    /// The seed that those of the repeats are made from.
    pub seed: u64,
    /// What it says about the sweep.
    pub sweep: Sweep,
    /// Every combination of the axes' values; the last axis varies fastest. At least one.
    pub cells: Vec<SweepCell>,
}

/// One combination of values.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepCell {
    /// Which value of each axis.
    pub place: Vec<usize>,
    /// Whether it is a bound of the strategies.
    pub bound: Option<Bound>,
    /// The cell that it is compared with, itself if it is one of those: the same with the baseline's
    /// values; without such values the same with the strategy `hash`, or without strategies the
    /// first cell.
    pub baseline: usize,
    /// What runs, but for its seed.
    pub scenario: Scenario,
}

impl SweepFile {
    /// The value of each axis in a cell, as tables show them.
    #[must_use]
    pub fn labels(&self, cell: &SweepCell) -> Vec<&str> {
        let values = self.sweep.axes.iter().zip(&cell.place);
        values.map(|(axis, place)| axis.values[*place].label.as_str()).collect()
    }

    /// The file again, with every default written out: reading it gives the same sweep. What the
    /// sweep varies has the values of the first cell that is no bound.
    #[must_use]
    pub fn printed(&self) -> String {
        let shown = self.cells.iter().find(|cell| cell.bound.is_none());
        let mut text = String::new();
        if let Some(cell) = shown.or(self.cells.first()) {
            let scenario = Scenario { seed: self.seed, ..cell.scenario.clone() };
            text.push_str(&scenario.to_string());
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", self.sweep.printed());
        text
    }
}

impl Sweep {
    fn printed(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let list = |texts: &[String]| {
            let each: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
            format!("[{}]", each.join(", "))
        };
        let mut text = format!(
            "[sweep]\nrepeats = {}\norder = {}\nworld = {}\nmetrics = {}\nlevel = {:?}\nresamples = {}\n",
            self.repeats,
            quoted(self.order.name()),
            quoted(self.world.name()),
            list(&self.metrics),
            self.level,
            self.resamples,
        );
        if !self.baseline.is_empty() {
            text.push_str("\n[sweep.baseline]\n");
        }
        for (field, label) in &self.baseline {
            let axis = self.axes.iter().find(|axis| axis.fields.contains(field));
            let value = axis.and_then(|axis| axis.value_written(field, label));
            let _ = writeln!(text, "{} = {}", quoted(field), value.unwrap_or_default());
        }
        let varied = self.axes.iter().map(Axis::varied).filter(|values| !values.1.is_empty());
        let varied: Vec<(String, Vec<String>)> = varied.collect();
        if !varied.is_empty() {
            text.push_str("\n[sweep.matrix]\n");
        }
        for (field, values) in varied {
            let _ = writeln!(text, "{} = [{}]", quoted(&field), values.join(", "));
        }
        text
    }
}

impl Axis {
    /// What `matrix` says of it: bounds come of themselves.
    fn varied(&self) -> (String, Vec<String>) {
        let given = self.values.iter().filter(|value| value.bound.is_none());
        let values = given.map(|value| match value.written.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        });
        (self.fields.join(", "), values.collect())
    }

    fn value_written(&self, field: &str, label: &str) -> Option<String> {
        let place = self.fields.iter().position(|one| one == field)?;
        let value = self.values.iter().find(|value| value.label == label)?;
        value.written.get(place).cloned()
    }
}

//! The differences between sides, metric by metric.

use serde::Serialize;

use super::circumstances::{FieldDifference, field_differences, warnings};
use super::metric::{Better, Metric, Unit};
use super::run::{CompareError, Run, Side};
use super::samples::Measurements;
use super::within::{FEWEST_SLICES, LEVEL, Resampled, resample};
use crate::report::html::scale::nice_whole;
use crate::statistics::{self, Finding, Resampling, holm};

/// Values of distribution functions that are kept of each latency.
const CURVE_POINTS: usize = 240;

/// Sides and how each but the first differs from the first.
#[derive(Clone, Debug)]
pub struct Compared {
    /// At least two.
    pub sides: Vec<Side>,
    /// One for each side but the first.
    pub comparisons: Vec<Comparison>,
    /// Of each side: of inclusion, cross-shard, settlement and finality latency, over all its runs.
    pub curves: Vec<[Curve; 4]>,
}

/// A distribution function: milliseconds that shares of 0 to 1, evenly spaced, do not exceed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve(pub Vec<f64>);

/// How one side differs from the first.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Name of the first side.
    pub a: String,
    /// Name of the other one.
    pub b: String,
    /// What the intervals rest on.
    pub method: Method,
    /// Fields of the scenario that differ.
    pub fields: Vec<FieldDifference>,
    /// What keeps differences from meaning what they seem to mean.
    pub warnings: Vec<String>,
    /// One per metric, in the order of tables.
    pub rows: Vec<Row>,
}

/// What intervals rest on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Method {
    /// One run on each side: slices of its time are drawn again.
    Slices {
        /// Length of a slice, in milliseconds.
        slice_ms: f64,
        /// Slices of the first and of the second run.
        slices: [usize; 2],
        /// Whether both have the same arrivals, so that slices belong together.
        same_arrivals: bool,
        /// Whether they are enough.
        enough: bool,
    },
    /// Several runs on each side.
    Runs {
        /// Runs of the first and of the second side.
        runs: [usize; 2],
        /// Pairs with the same seed; `None`: the sides have different seeds.
        pairs: Option<usize>,
    },
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub metric: String,
    /// In what it is measured.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// Whether it is in the short table.
    #[serde(skip)]
    pub main: bool,
    /// Value of the first side: of its run, or the mean over its runs. `None`: nothing measured.
    pub a: Option<f64>,
    /// Value of the second side.
    pub b: Option<f64>,
    /// Interval of the first side's value.
    pub a_interval: Option<[f64; 2]>,
    /// Interval of the second side's value.
    pub b_interval: Option<[f64; 2]>,
    /// Second − first.
    pub difference: Option<f64>,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
    /// Second ÷ first − 1.
    pub relative: Option<f64>,
    /// Its interval.
    pub relative_interval: Option<[f64; 2]>,
    /// How probable so large a difference is if there is none.
    pub p_value: Option<f64>,
    /// The same, adjusted for the number of metrics.
    pub p_adjusted: Option<f64>,
    /// Slices, pairs, or runs of the smaller side.
    pub samples: usize,
    /// Whether the difference is real: the second side is lower, higher, or neither was shown.
    pub finding: Finding,
}

impl Row {
    /// Whether a shown difference is for the better; `None` if none was shown.
    #[must_use]
    pub fn is_better(&self) -> Option<bool> {
        match (self.finding, self.better) {
            (Finding::Lower, Better::Lower) | (Finding::Higher, Better::Higher) => Some(true),
            (Finding::Lower | Finding::Higher, _) => Some(false),
            _ => None,
        }
    }
}

impl Comparison {
    /// How many differences are real, and how many metrics could be judged.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let shown = self.rows.iter().filter(|row| row.finding.is_shown()).count();
        (shown, self.rows.iter().filter(|row| row.finding != Finding::TooFew).count())
    }
}

/// Compares each side with the first one by these metrics. `seed` is that of the resampling.
///
/// # Errors
/// When a run's files cannot be read, or the sides do not fit one another.
pub fn compare(sides: Vec<Side>, metrics: &[Metric], seed: u64) -> Result<Compared, CompareError> {
    let Some((first, others)) = sides.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Err(CompareError::OneSide);
    };
    for side in others {
        if (side.runs.len() == 1) != (first.runs.len() == 1) {
            let (single, several) =
                if side.runs.len() == 1 { (side, first) } else { (first, side) };
            let (single, several) = (single.name.clone(), several.name.clone());
            return Err(CompareError::OneAgainstSeveral { single, several });
        }
    }
    let mut curves = Vec::new();
    let mut comparisons = Vec::new();
    let single = match first.runs.as_slice() {
        [run] => Some(Measurements::read(run)?),
        _ => None,
    };
    curves.push(match &single {
        Some(measured) => of_one(measured),
        None => of_several(&first.runs)?,
    });
    for side in others {
        let fields = field_differences(first, side);
        let mut warned = warnings(first, side, &fields);
        let (method, rows) = match (&single, side.runs.as_slice()) {
            (Some(of_a), [run]) => {
                let of_b = Measurements::read(run)?;
                curves.push(of_one(&of_b));
                within(metrics, (&first.runs[0], of_a), (run, &of_b), seed)
            }
            _ => {
                curves.push(of_several(&side.runs)?);
                across(metrics, &first.runs, &side.runs, seed)
            }
        };
        warned.extend(about(&method, first, side));
        comparisons.push(Comparison {
            a: first.name.clone(),
            b: side.name.clone(),
            method,
            fields,
            warnings: warned,
            rows,
        });
    }
    Ok(Compared { sides, comparisons, curves })
}

/// What the method cannot say.
fn about(method: &Method, a: &Side, b: &Side) -> Option<String> {
    match method {
        Method::Slices { enough: false, slices, slice_ms, .. } => Some(format!(
            "the runs are too short to say how certain a difference is: {} and {} slices of {} s, \
             and it takes {FEWEST_SLICES}; load them longer, or compare several seeds",
            slices[0],
            slices[1],
            slice_ms / 1e3
        )),
        Method::Slices { .. } if a.runs[0].seed() != b.runs[0].seed() => Some(
            "the seeds differ: what the seed does cannot be told from what the scenario does"
                .to_owned(),
        ),
        Method::Runs { pairs: None, .. } => Some(
            "the sides have no seed in common: runs with common seeds show smaller differences"
                .to_owned(),
        ),
        Method::Runs { pairs: Some(pairs), runs } if pairs < runs.iter().max().unwrap_or(&0) => {
            Some(format!("only the {pairs} seeds that both sides have are compared"))
        }
        _ => None,
    }
}

/// Two single runs.
fn within(
    metrics: &[Metric],
    a: (&Run, &Measurements),
    b: (&Run, &Measurements),
    seed: u64,
) -> (Method, Vec<Row>) {
    let lifetime = a.1.lifetime().max(b.1.lifetime()).unwrap_or(0);
    let slice = nice_whole(lifetime.div_ceil(1_000_000).max(1)).saturating_mul(1_000_000);
    let same_arrivals = a.1.same_arrivals(b.1);
    let (of_a, of_b) = (a.1.sliced(slice), b.1.sliced(slice));
    let resampled = resample(metrics, &of_a, &of_b, same_arrivals, seed);
    let slices = [of_a.due.slices(), of_b.due.slices()];
    let fewest = slices[0].min(slices[1]);
    let rows = metrics.iter().zip(resampled).map(|(metric, found)| {
        let row =
            Row::without_interval(metric, metric.value(&a.0.summary), metric.value(&b.0.summary));
        match found {
            Some(found) => row.with(&found, fewest),
            None => row,
        }
    });
    let enough = fewest >= FEWEST_SLICES;
    let method = Method::Slices { slice_ms: slice as f64 / 1e6, slices, same_arrivals, enough };
    (method, judged(rows.collect()))
}

/// Runs with one seed, in the order of the first side; each run is in one pair at most.
fn pairs<'a>(a: &'a [Run], b: &'a [Run]) -> Vec<(&'a Run, &'a Run)> {
    let mut left: Vec<&Run> = b.iter().collect();
    let pair = |run: &'a Run| {
        let at = left.iter().position(|other| other.seed() == run.seed())?;
        Some((run, left.remove(at)))
    };
    a.iter().filter_map(pair).collect()
}

/// Several runs on each side.
fn across(metrics: &[Metric], a: &[Run], b: &[Run], seed: u64) -> (Method, Vec<Row>) {
    let pairs = pairs(a, b);
    let resampling = Resampling { seed, level: LEVEL, ..Resampling::USUAL };
    // A single common seed is no pair of samples.
    let is_paired = pairs.len() > 1;
    let rows = metrics.iter().map(|metric| {
        let values = |runs: &[Run]| -> Vec<f64> {
            runs.iter().filter_map(|run| metric.value(&run.summary)).collect()
        };
        let (of_a, of_b, difference) = if is_paired {
            let both = pairs
                .iter()
                .filter_map(|(a, b)| Some((metric.value(&b.summary)?, metric.value(&a.summary)?)));
            let both: Vec<(f64, f64)> = both.collect();
            let difference = statistics::paired(&both, &resampling);
            let (of_b, of_a): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
            (of_a, of_b, difference)
        } else {
            let (of_a, of_b) = (values(a), values(b));
            let difference = statistics::unpaired(&of_b, &of_a, &resampling);
            (of_a, of_b, difference)
        };
        let mean =
            |values: &[f64]| (!values.is_empty()).then(|| statistics::mean(&mut values.to_vec()));
        let interval = |values: &[f64]| {
            let found = statistics::bootstrap(values, statistics::mean, &resampling)?;
            Some([found.low, found.high])
        };
        let mut row = Row::without_interval(metric, mean(&of_a), mean(&of_b));
        row.a_interval = interval(&of_a);
        row.b_interval = interval(&of_b);
        if let Some(difference) = difference {
            row.difference = Some(difference.estimate);
            row.interval = difference.interval.map(|it| [it.low, it.high]);
            row.relative = difference.relative.map(|it| it.estimate).or(row.relative);
            row.relative_interval = difference.relative.map(|it| [it.low, it.high]);
            row.p_value = difference.p_value;
            row.samples = difference.samples;
        }
        row
    });
    let method = Method::Runs { runs: [a.len(), b.len()], pairs: is_paired.then_some(pairs.len()) };
    (method, judged(rows.collect()))
}

impl Row {
    fn without_interval(metric: &Metric, a: Option<f64>, b: Option<f64>) -> Self {
        let both = a.zip(b);
        Self {
            metric: metric.name.clone(),
            unit: metric.unit,
            better: metric.better,
            main: metric.main,
            a,
            b,
            a_interval: None,
            b_interval: None,
            difference: both.map(|(a, b)| b - a),
            interval: None,
            relative: both.filter(|(a, _)| *a > 0.0).map(|(a, b)| b / a - 1.0),
            relative_interval: None,
            p_value: None,
            p_adjusted: None,
            samples: 0,
            finding: Finding::TooFew,
        }
    }

    fn with(mut self, found: &Resampled, samples: usize) -> Self {
        if let (Some(a), Some(b), Some(difference)) = (self.a, self.b, self.difference) {
            // Summaries are rounded to a microsecond: the last digit of an end may be another one.
            let around = |[low, high]: [f64; 2], value: f64| [low.min(value), high.max(value)];
            self.a_interval = Some(around(found.a, a));
            self.b_interval = Some(around(found.b, b));
            self.interval = Some(around(found.difference, difference));
            self.relative_interval =
                found.relative.zip(self.relative).map(|(ends, value)| around(ends, value));
            self.p_value = Some(found.p_value);
            self.samples = samples;
        }
        self
    }
}

/// Adjusts p-values for their number, and says which differences are real.
fn judged(mut rows: Vec<Row>) -> Vec<Row> {
    // What is equal whatever is drawn, such as failures in runs without any, is no comparison.
    let equal = |row: &Row| row.interval == Some([0.0, 0.0]);
    let p_values: Vec<Option<f64>> =
        rows.iter().map(|row| row.p_value.filter(|_| !equal(row))).collect();
    for (row, adjusted) in rows.iter_mut().zip(holm(&p_values)) {
        let adjusted = if equal(row) { Some(1.0) } else { adjusted };
        row.p_adjusted = adjusted;
        let difference = statistics::Difference {
            samples: row.samples,
            estimate: row.difference.unwrap_or(0.0),
            interval: row.interval.map(|[low, high]| statistics::Interval {
                estimate: row.difference.unwrap_or(0.0),
                low,
                high,
            }),
            relative: None,
            p_value: row.p_value,
            p_permutation: 1.0,
        };
        row.finding = difference.finding(adjusted, LEVEL);
    }
    rows
}

fn of_one(measured: &Measurements) -> [Curve; 4] {
    [0, 1, 2, 3].map(|span| curve(&measured.sorted(span)))
}

fn of_several(runs: &[Run]) -> Result<[Curve; 4], CompareError> {
    let mut all: [Vec<u64>; 4] = Default::default();
    for run in runs {
        let measured = Measurements::read(run)?;
        for (span, values) in all.iter_mut().enumerate() {
            values.extend(measured.sorted(span));
        }
    }
    all.iter_mut().for_each(|values| values.sort_unstable());
    Ok(all.map(|values| curve(&values)))
}

fn curve(sorted: &[u64]) -> Curve {
    let Some(last) = sorted.len().checked_sub(1) else { return Curve::default() };
    let at = |step: usize| sorted[(last * step).div_ceil(CURVE_POINTS)] as f64 / 1e6;
    Curve((0..=CURVE_POINTS).map(at).collect())
}

//! How certain differences between two single runs are, as far as the runs themselves tell: by
//! drawing slices of their time again (a block bootstrap with blocks that do not overlap).
//!
//! If both runs have the same arrivals, the same slices are drawn of both: what the arrivals do to
//! both alike is no difference. What is left open is how runs vary from seed to seed; that takes
//! runs with several seeds.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::metric::{Metric, Source};
use super::samples::{By, Grid, Series, Sliced, Tally};
use crate::statistics::student;
use crate::workload::random::Stream;

/// How many times slices are drawn.
pub const RESAMPLES: usize = 2_000;
/// The share of intervals that should hold the true value.
pub const LEVEL: f64 = 0.95;
/// With fewer slices nothing is said.
pub const FEWEST_SLICES: usize = 6;
/// A percentile has an interval if so many measurements lie beyond it in both runs.
pub const FEWEST_BEYOND: f64 = 10.0;

/// What the slices say of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampled {
    /// Interval of the first run's value.
    pub a: [f64; 2],
    /// Interval of the second run's value.
    pub b: [f64; 2],
    /// Interval of second − first.
    pub difference: [f64; 2],
    /// Interval of second ÷ first − 1; `None` if the first's value can be 0.
    pub relative: Option<[f64; 2]>,
    /// How probable so large a difference is if there is none.
    pub p_value: f64,
}

/// Drawn slices: how often each slice counts, one resample after the other.
struct Draws {
    slices: usize,
    weights: Vec<u16>,
}

/// Draws slices again for each metric, on all cores. `None` where there are too few slices or too
/// few measurements. `paired` is whether slices of both runs belong together.
#[must_use]
pub fn resample(
    metrics: &[Metric],
    a: &Sliced,
    b: &Sliced,
    paired: bool,
    seed: u64,
) -> Vec<Option<Resampled>> {
    let slices = a.due.slices().min(b.due.slices());
    if slices < FEWEST_SLICES {
        return vec![None; metrics.len()];
    }
    let drawn = |by: By| {
        let (of_a, of_b) = match by {
            By::Due => (&a.due, &b.due),
            By::Clock => (&a.clock, &b.clock),
        };
        let purpose = match by {
            By::Due => 0,
            By::Clock => 1,
        };
        if paired {
            // One of two runs may have ended later: its last slices are empty in the other one.
            let both = longer(of_a, of_b);
            [Draws::new(&both, seed, purpose, 0), Draws::new(&both, seed, purpose, 0)]
        } else {
            [Draws::new(of_a, seed, purpose, 0), Draws::new(of_b, seed, purpose, 1)]
        }
    };
    let (due, clock) = (drawn(By::Due), drawn(By::Clock));
    let draws = |by: By| match by {
        By::Due => &due,
        By::Clock => &clock,
    };
    in_parallel(metrics, &|metric| {
        let (values_a, values_b) = match &metric.source {
            Source::Percentile { share, series, .. } => {
                let of = |run: &Sliced, side: usize| {
                    let series = run.series.get(series.as_str())?;
                    series.resampled(*share, &draws(series.by)[side])
                };
                (of(a, 0)?, of(b, 1)?)
            }
            Source::Ratio { tally, .. } => {
                let of = |run: &Sliced, side: usize| {
                    let tally = run.tallies.get(tally)?;
                    tally.resampled(&draws(tally.by)[side])
                };
                (of(a, 0)?, of(b, 1)?)
            }
            Source::ShardsPerTransaction => {
                let of = |run: &Sliced, side: usize| {
                    let tally = run.tallies.get("shards_per_transaction")?;
                    tally.resampled(&draws(tally.by)[side])
                };
                (of(a, 0)?, of(b, 1)?)
            }
            Source::Whole { .. } => return None,
        };
        Some(summarized(&values_a, &values_b, slices))
    })
}

impl Draws {
    fn new(grid: &Grid, seed: u64, purpose: u32, side: u32) -> Self {
        let slices = grid.slices();
        let mut stream = Stream::new(seed, "compare/slices", purpose, side);
        let mut weights = vec![0_u16; slices * RESAMPLES];
        for resample in weights.chunks_exact_mut(slices.max(1)) {
            let mut first = 0;
            for count in &grid.strata {
                for _ in 0..*count {
                    let slice = first + stream.below(*count as u64) as usize;
                    resample[slice] = resample[slice].saturating_add(1);
                }
                first += count;
            }
        }
        Self { slices, weights }
    }

    fn each(&self) -> impl Iterator<Item = &[u16]> {
        self.weights.chunks_exact(self.slices.max(1))
    }
}

fn longer(a: &Grid, b: &Grid) -> Grid {
    let strata = a.strata.iter().zip(&b.strata).map(|(a, b)| *a.max(b));
    Grid { strata: strata.collect() }
}

impl Series {
    /// The percentile of each resample; `None` if too few measurements lie beyond it.
    fn resampled(&self, share: f64, draws: &Draws) -> Option<Vec<f64>> {
        let count: u64 = self.values.iter().map(|(_, _, count)| u64::from(*count)).sum();
        if count as f64 * (1.0 - share) < FEWEST_BEYOND {
            return None;
        }
        let of = |weights: &[u16]| {
            let weigh = |slice: u32, count: u32| {
                u64::from(weights.get(slice as usize).copied().unwrap_or(0)) * u64::from(count)
            };
            let all: u64 = self.values.iter().map(|(_, slice, count)| weigh(*slice, *count)).sum();
            // The smallest value that this share does not exceed, as in histograms.
            let wanted = ((all as f64 * share).ceil() as u64).max(1);
            let mut below = 0;
            self.values.iter().find_map(|(value, slice, count)| {
                below += weigh(*slice, *count);
                (below >= wanted).then_some(*value as f64 / 1e6)
            })
        };
        draws.each().map(of).collect()
    }
}

impl Tally {
    fn resampled(&self, draws: &Draws) -> Option<Vec<f64>> {
        let of = |weights: &[u16]| {
            let (dividend, divisor) = self.sums.iter().zip(weights).fold(
                (0.0, 0.0),
                |(dividend, divisor), (sums, weight)| {
                    let weight = f64::from(*weight);
                    (dividend + sums.0 * weight, divisor + sums.1 * weight)
                },
            );
            (divisor > 0.0).then(|| dividend / divisor)
        };
        draws.each().map(of).collect()
    }
}

fn summarized(a: &[f64], b: &[f64], slices: usize) -> Resampled {
    let tail = tail(slices);
    let differences: Vec<f64> = b.iter().zip(a).map(|(b, a)| b - a).collect();
    let ratios: Option<Vec<f64>> =
        b.iter().zip(a).map(|(b, a)| (*a > 0.0).then(|| b / a - 1.0)).collect();
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    let squares: f64 = differences.iter().map(|it| (it - mean) * (it - mean)).sum();
    // The bootstrap's own spread is too small by (n − 1) / n.
    let freedom = (slices - 1) as f64;
    let error = (squares / differences.len() as f64 * slices as f64 / freedom).sqrt();
    let p_value = if mean.abs() <= 1e-12 {
        1.0
    } else if error <= mean.abs() * 1e-12 {
        0.0
    } else {
        student::two_sided(mean / error, freedom)
    };
    Resampled {
        a: ends(a.to_vec(), tail),
        b: ends(b.to_vec(), tail),
        difference: ends(differences, tail),
        relative: ratios.map(|ratios| ends(ratios, tail)),
        p_value,
    }
}

/// The share of resamples on each side of an interval, wider than 2.5 % where slices are few: as
/// [`crate::statistics`] explains.
fn tail(slices: usize) -> f64 {
    let freedom = (slices - 1) as f64;
    let t = student::quantile(0.5 + LEVEL / 2.0, freedom);
    student::normal(-(slices as f64 / freedom).sqrt() * t)
}

fn ends(mut values: Vec<f64>, tail: f64) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let low = (last as f64 * tail).floor() as usize;
    [low, last - low].map(|place| values.get(place).copied().unwrap_or(0.0))
}

/// The answers for all metrics, in their order, worked out on all cores.
fn in_parallel<T: Send>(
    metrics: &[Metric],
    answer: &(impl Fn(&Metric) -> Option<T> + Sync),
) -> Vec<Option<T>> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let next = AtomicUsize::new(0);
    let mut answers: Vec<(usize, Option<T>)> = std::thread::scope(|scope| {
        let work = || {
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(metric) = metrics.get(at) else { break };
                done.push((at, answer(metric)));
            }
            done
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // A worker that panicked has told why; the panic goes on here.
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.flatten().collect()
    });
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn run(shift: u64) -> Sliced {
        // Ten slices of a hundred values, each slice a bit slower than the one before.
        let values = (0..10_u32).flat_map(|slice| {
            (0..100_u64).map(move |at| ((at + u64::from(slice) + shift) * 1_000_000, slice, 1))
        });
        let mut values: Vec<(u64, u32, u32)> = values.collect();
        values.sort_unstable();
        let series = Series { by: By::Due, values };
        let tally = Tally { by: By::Due, sums: vec![(1.0, 2.0); 10] };
        let grid = Grid { strata: vec![10] };
        Sliced {
            due: grid.clone(),
            clock: grid,
            series: BTreeMap::from([("settlement", series)]),
            tallies: BTreeMap::from([("settled", tally)]),
        }
    }

    fn of(name: &str, a: u64, b: u64, paired: bool) -> Option<Resampled> {
        let metrics = Metric::all();
        let at = metrics.iter().position(|metric| metric.name == name).unwrap();
        resample(&metrics, &run(a), &run(b), paired, 1)[at]
    }

    #[test]
    fn slices_that_belong_together_show_small_differences() {
        let paired = of("settlement.p50", 0, 1, true).unwrap();
        assert_eq!(paired.difference, [1.0, 1.0]);
        assert_eq!(paired.p_value, 0.0);
        assert!(paired.a[0] < paired.a[1] && paired.relative.unwrap()[0] > 0.0);
        let alone = of("settlement.p50", 0, 1, false).unwrap();
        assert!(alone.difference[0] < 0.0 && alone.difference[1] > 2.0, "{alone:?}");
        assert!(alone.p_value > 0.05);
        let far = of("settlement.p50", 0, 30, false).unwrap();
        assert!(far.difference[0] > 20.0 && far.p_value < 1e-6, "{far:?}");
    }

    #[test]
    fn equal_runs_do_not_differ() {
        let equal = of("settlement.p90", 0, 0, true).unwrap();
        assert_eq!((equal.difference, equal.p_value), ([0.0, 0.0], 1.0));
        let ratio = of("settled_share", 0, 0, true).unwrap();
        assert_eq!((ratio.a, ratio.relative), ([0.5, 0.5], Some([0.0, 0.0])));
    }

    #[test]
    fn nothing_is_said_of_too_little() {
        // A thousand values: one lies beyond the 99.9th percentile.
        assert_eq!(of("settlement.p999", 0, 1, true), None);
        assert_eq!(of("finality.p50", 0, 1, true), None);
        assert_eq!(of("load_imbalance", 0, 1, true), None);
        let mut short = run(0);
        short.due = Grid { strata: vec![5] };
        let metrics = Metric::all();
        assert!(resample(&metrics, &short, &short, true, 1).iter().all(Option::is_none));
    }
}

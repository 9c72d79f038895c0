//! Whether two things differ, and by how much.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, Resampling, bootstrap, mean, percentiles};
use super::permutation;
use super::student;

/// The difference of two samples' means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Pairs; of unpaired samples the smaller count.
    pub samples: usize,
    /// Mean of the first minus mean of the second.
    pub estimate: f64,
    /// Its interval. `None` with less than two samples.
    pub interval: Option<Interval>,
    /// The difference as a share of the second's mean. `None` if that mean, or a resampled one, is
    /// not above 0.
    pub relative: Option<Interval>,
    /// How probable so large a difference is if there is none, by Student's distribution (Welch's
    /// for unpaired samples). `None` with less than two samples.
    pub p_value: Option<f64>,
    /// The same by exchanging labels, which assumes nothing but needs many samples: see
    /// [`permutation`].
    pub p_permutation: f64,
}

/// What can be said about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The first is lower.
    Lower,
    /// The first is higher.
    Higher,
    /// Chance explains what was seen: the samples do not show a difference. They do not show that
    /// there is none either.
    NotShown,
    /// Less than three samples, from which nothing can be told.
    TooFew,
}

impl Finding {
    /// Whether a difference was shown.
    #[must_use]
    pub fn is_shown(self) -> bool {
        matches!(self, Self::Lower | Self::Higher)
    }
}

/// The fewest samples that say anything about a difference.
const FEWEST: usize = 3;

impl Difference {
    /// A difference is shown if its interval does not hold 0 and `p_value` (adjusted for the other
    /// comparisons that are made beside it; see [`super::holm`]) is below 1 − `level`.
    #[must_use]
    pub fn finding(&self, p_value: Option<f64>, level: f64) -> Finding {
        let (Some(interval), Some(p_value)) = (self.interval, p_value) else {
            return Finding::TooFew;
        };
        if self.samples < FEWEST {
            return Finding::TooFew;
        }
        match interval.holds(0.0) || p_value >= 1.0 - level {
            true => Finding::NotShown,
            false if self.estimate < 0.0 => Finding::Lower,
            false => Finding::Higher,
        }
    }
}

/// The difference of samples that belong together two by two, such as runs with one seed. `None`
/// without pairs, or when a number is not finite.
#[must_use]
pub fn paired(pairs: &[(f64, f64)], resampling: &Resampling) -> Option<Difference> {
    if pairs.is_empty() || pairs.iter().any(|(a, b)| !a.is_finite() || !b.is_finite()) {
        return None;
    }
    let mut differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
    let estimate = mean(&mut differences);
    Some(Difference {
        samples: pairs.len(),
        estimate,
        interval: bootstrap(&differences, mean, resampling),
        relative: relative(pairs, resampling),
        p_value: paired_p(&differences, estimate),
        p_permutation: permutation::sign_flips(&differences, resampling.seed),
    })
}

/// The difference of samples that have nothing in common. `None` if one of them is empty, or a
/// number is not finite.
#[must_use]
pub fn unpaired(a: &[f64], b: &[f64], resampling: &Resampling) -> Option<Difference> {
    let finite = a.iter().chain(b).all(|value| value.is_finite());
    if a.is_empty() || b.is_empty() || !finite {
        return None;
    }
    let (of_a, of_b) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
    let (of_a, of_b) = (of_a / a.len() as f64, of_b / b.len() as f64);
    let samples = a.len().min(b.len());
    let interval = percentiles(of_a - of_b, samples, resampling, |picks| {
        let mut drawn = |from: &[f64]| {
            let sum: f64 = from.iter().map(|_| from[picks.below(from.len())]).sum();
            sum / from.len() as f64
        };
        Some(drawn(a) - drawn(b))
    });
    let relative = (of_b > 0.0).then(|| {
        percentiles(of_a / of_b - 1.0, samples, resampling, |picks| {
            let mut drawn = |from: &[f64]| {
                let sum: f64 = from.iter().map(|_| from[picks.below(from.len())]).sum();
                sum / from.len() as f64
            };
            let (a, b) = (drawn(a), drawn(b));
            (b > 0.0).then(|| a / b - 1.0)
        })
    });
    Some(Difference {
        samples,
        estimate: of_a - of_b,
        interval,
        relative: relative.flatten(),
        p_value: welch_p(a, b),
        p_permutation: permutation::exchanges(a, b, resampling.seed),
    })
}

/// Resamples pairs, so that the ratio keeps what they have in common.
fn relative(pairs: &[(f64, f64)], resampling: &Resampling) -> Option<Interval> {
    let ratio = |(a, b): (f64, f64)| (b > 0.0).then(|| a / b - 1.0);
    let add = |sum: (f64, f64), pair: &(f64, f64)| (sum.0 + pair.0, sum.1 + pair.1);
    let estimate = ratio(pairs.iter().fold((0.0, 0.0), add))?;
    percentiles(estimate, pairs.len(), resampling, |picks| {
        let drawn = pairs.iter().map(|_| &pairs[picks.below(pairs.len())]);
        ratio(drawn.fold((0.0, 0.0), add))
    })
}

fn paired_p(differences: &[f64], mean: f64) -> Option<f64> {
    let freedom = differences.len().checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
    let error = (variance(differences) / differences.len() as f64).sqrt();
    Some(p_of(mean, error, freedom))
}

/// B. L. Welch, 1947: without assuming that both vary alike.
fn welch_p(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let of = |sample: &[f64]| sample.iter().sum::<f64>() / sample.len() as f64;
    let squared = |sample: &[f64]| variance(sample) / sample.len() as f64;
    let (first, second) = (squared(a), squared(b));
    let both = first + second;
    let freedom = both * both
        / (first * first / (a.len() - 1) as f64 + second * second / (b.len() - 1) as f64);
    let freedom = if freedom.is_finite() { freedom } else { 1.0 };
    Some(p_of(of(a) - of(b), both.sqrt(), freedom))
}

fn p_of(difference: f64, error: f64, freedom: f64) -> f64 {
    match (difference == 0.0, error == 0.0) {
        (true, _) => 1.0,
        // Every sample says the same.
        (false, true) => 0.0,
        (false, false) => student::two_sided(difference / error, freedom),
    }
}

/// With n − 1; 0 of one sample. Numbers that are all the same have none, whatever rounding says.
fn variance(samples: &[f64]) -> f64 {
    let same = samples.windows(2).all(|pair| (pair[0] - pair[1]).abs() <= 1e-12 * pair[0].abs());
    if same {
        return 0.0;
    }
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let squares: f64 = samples.iter().map(|sample| (sample - mean) * (sample - mean)).sum();
    squares / (samples.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Student's sleep data (1908), the example of every textbook: hours gained with two drugs.
    const FIRST: [f64; 10] = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    const SECOND: [f64; 10] = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

    fn sleep() -> Vec<(f64, f64)> {
        FIRST.into_iter().zip(SECOND).collect()
    }

    #[track_caller]
    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }

    #[test]
    fn pairs_of_the_sleep_data() {
        let found = paired(&sleep(), &Resampling::USUAL).unwrap();
        assert!((found.estimate + 1.58).abs() < 1e-12);
        // t.test(extra ~ group, paired = TRUE) of R.
        close(found.p_value, 0.002_832_890);
        // Nine differences of one sign, and a zero that counts with either.
        assert_eq!(found.p_permutation, 4.0 / 1024.0);
        let interval = found.interval.unwrap();
        // Student's: −2.46 to −0.70. The data lean to one side, and so does the bootstrap.
        assert!((-2.75..-2.3).contains(&interval.low), "{interval:?}");
        assert!((-0.95..-0.7).contains(&interval.high), "{interval:?}");
        assert_eq!(found.finding(found.p_value, 0.95), Finding::Lower);
        assert_eq!(found.finding(found.p_value.map(|p| p * 20.0), 0.95), Finding::NotShown);
    }

    #[test]
    fn the_sleep_data_without_pairs() {
        let found = unpaired(&FIRST, &SECOND, &Resampling::USUAL).unwrap();
        assert!((found.estimate + 1.58).abs() < 1e-12);
        // t.test(extra ~ group) of R.
        close(found.p_value, 0.079_394_14);
        assert!((0.075..0.09).contains(&found.p_permutation), "{found:?}");
        assert!(found.interval.unwrap().holds(0.0));
        assert_eq!(found.finding(found.p_value, 0.95), Finding::NotShown);
    }

    #[test]
    fn a_ratio_needs_something_to_be_related_to() {
        let pairs = [(2.0, 1.0), (4.0, 2.0), (6.0, 3.0)];
        let found = paired(&pairs, &Resampling::USUAL).unwrap();
        assert_eq!(found.relative, Some(Interval { estimate: 1.0, low: 1.0, high: 1.0 }));
        let at_zero = [(2.0, 0.0), (4.0, 0.0), (6.0, 0.0)];
        assert_eq!(paired(&at_zero, &Resampling::USUAL).unwrap().relative, None);
    }

    #[test]
    fn few_samples_show_nothing() {
        let two = paired(&[(1.0, 2.0), (1.0, 2.1)], &Resampling::USUAL).unwrap();
        assert_eq!(two.finding(two.p_value, 0.95), Finding::TooFew);
        let one = paired(&[(1.0, 2.0)], &Resampling::USUAL).unwrap();
        assert_eq!((one.interval, one.p_value, one.estimate), (None, None, -1.0));
        assert_eq!(one.finding(one.p_value, 0.95), Finding::TooFew);
        assert_eq!(paired(&[], &Resampling::USUAL), None);
        assert_eq!(unpaired(&[1.0], &[], &Resampling::USUAL), None);
    }

    #[test]
    fn what_never_varies_differs_for_certain_or_not_at_all() {
        let constant = |a: f64, b: f64| paired(&[(a, b); 4], &Resampling::USUAL).unwrap();
        assert_eq!(constant(16.0, 4.0).p_value, Some(0.0));
        assert_eq!(constant(16.0, 4.0).finding(Some(0.0), 0.95), Finding::Higher);
        assert_eq!(constant(4.0, 4.0).finding(Some(1.0), 0.95), Finding::NotShown);
    }
}

//! Intervals by resampling.

use serde::{Deserialize, Serialize};

use super::student;

/// How the bootstrap is done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resampling {
    /// Where its random numbers come from.
    pub seed: u64,
    /// How many times the samples are drawn again. At least 1.
    pub resamples: u32,
    /// The share of intervals that should hold the true value: above 0, below 1.
    pub level: f64,
}

impl Resampling {
    /// What intervals are made with unless a user says otherwise: 10,000 resamples, 95 %.
    pub const USUAL: Self = Self { seed: 1, resamples: 10_000, level: 0.95 };
}

/// A number and where the true one probably is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The statistic of the samples themselves.
    pub estimate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies in it, ends included.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The interval of a statistic (such as [`mean`]; it may reorder what it is given) of samples.
/// `None` with less than two samples, or when one is not finite.
#[must_use]
pub fn bootstrap(
    samples: &[f64],
    statistic: impl Fn(&mut [f64]) -> f64,
    resampling: &Resampling,
) -> Option<Interval> {
    if samples.iter().any(|sample| !sample.is_finite()) {
        return None;
    }
    let mut scratch = samples.to_vec();
    let estimate = statistic(&mut scratch);
    if samples.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits()) {
        // However it is resampled, it is the same.
        return (samples.len() > 1).then_some(Interval { estimate, low: estimate, high: estimate });
    }
    let draw = |picks: &mut Picks| {
        scratch.iter_mut().for_each(|value| *value = samples[picks.below(samples.len())]);
        Some(statistic(&mut scratch))
    };
    percentiles(estimate, samples.len(), resampling, draw)
}

/// The mean. 0 of no samples.
pub fn mean(samples: &mut [f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len().max(1) as f64
}

/// The median; of an even number the mean of the two in the middle. 0 of no samples.
pub fn median(samples: &mut [f64]) -> f64 {
    quantile(samples, 0.5)
}

/// The quantile at a share from 0 to 1, by linear interpolation (R's type 7). Sorts the samples.
/// 0 of no samples.
pub fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    interpolated(samples, share)
}

/// The interval of a statistic whose value for one resample is what `draw` returns; `samples` is how
/// many there are of the scarcer kind. `None` if a resample has no value, or with less than two
/// samples.
pub(super) fn percentiles(
    estimate: f64,
    samples: usize,
    resampling: &Resampling,
    mut draw: impl FnMut(&mut Picks) -> Option<f64>,
) -> Option<Interval> {
    if samples < 2 {
        return None;
    }
    let mut picks = Picks::new(resampling.seed);
    let drawn: Option<Vec<f64>> = (0..resampling.resamples).map(|_| draw(&mut picks)).collect();
    let mut drawn = drawn?;
    drawn.sort_by(f64::total_cmp);
    let tail = expanded_tail(samples, resampling.level);
    Some(Interval {
        estimate,
        low: interpolated(&drawn, tail),
        high: interpolated(&drawn, 1.0 - tail),
    })
}

/// The share of resamples on each side of the interval: Φ(−√(n/(n−1)) · t), t being Student's
/// quantile with n − 1 degrees of freedom.
fn expanded_tail(samples: usize, level: f64) -> f64 {
    let freedom = (samples - 1) as f64;
    let t = student::quantile(0.5 + level / 2.0, freedom);
    student::normal(-(samples as f64 / freedom).sqrt() * t)
}

fn interpolated(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// Which samples are drawn: SplitMix64 (Steele, Lea, Flood, 2014), which passes BigCrush and costs
/// a nanosecond.
pub(super) struct Picks(u64);

impl Picks {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// An index below `bound`, which is not 0. Biased by less than bound / 2⁶⁴.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_is_the_published_one() {
        let mut picks = Picks::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([picks.next(), picks.next()], expected);
    }

    #[test]
    fn quantiles_are_interpolated() {
        let samples = || [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&mut samples()), 2.5);
        assert_eq!(quantile(&mut samples(), 0.25), 1.75);
        assert_eq!(quantile(&mut samples(), 1.0), 4.0);
        assert_eq!(mean(&mut samples()), 2.5);
        assert_eq!(mean(&mut []), 0.0);
    }

    #[test]
    fn many_samples_give_the_interval_of_the_normal_distribution() {
        // Sixty-four times each of 0 … 9: mean 4.5, standard error √(8.25 / 640).
        let samples: Vec<f64> = (0..640).map(|index| f64::from(index % 10)).collect();
        let found = bootstrap(&samples, mean, &Resampling::USUAL).unwrap();
        let half = 1.9637 * (8.25_f64 / 639.0).sqrt();
        assert_eq!(found.estimate, 4.5);
        assert!((found.low - (4.5 - half)).abs() < 0.01, "{found:?}");
        assert!((found.high - (4.5 + half)).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn few_samples_give_all_that_they_span() {
        let found = bootstrap(&[0.0, 1.0], mean, &Resampling::USUAL).unwrap();
        assert_eq!(found, Interval { estimate: 0.5, low: 0.0, high: 1.0 });
        assert_eq!(bootstrap(&[1.0], mean, &Resampling::USUAL), None);
        assert_eq!(bootstrap(&[], mean, &Resampling::USUAL), None);
        assert_eq!(bootstrap(&[1.0, f64::NAN], mean, &Resampling::USUAL), None);
        let constant = bootstrap(&[0.1; 7], mean, &Resampling::USUAL).unwrap();
        assert_eq!(constant.low, constant.high);
    }

    #[test]
    fn intervals_of_ten_normal_samples_cover_the_mean_as_often_as_they_say() {
        // Twelve uniform numbers add up to a nearly normal one with mean 6.
        let mut numbers = Picks::new(7);
        let mut uniform = || numbers.next() as f64 / 2_f64.powi(64);
        let covered = (0..2_000).filter(|round| {
            let samples: Vec<f64> = (0..10).map(|_| (0..12).map(|_| uniform()).sum()).collect();
            let resampling = Resampling { seed: *round, resamples: 500, level: 0.95 };
            bootstrap(&samples, mean, &resampling).unwrap().holds(6.0)
        });
        let covered = covered.count();
        assert!((1_860..=1_940).contains(&covered), "{covered} of 2,000");
    }

    #[test]
    fn a_seed_gives_the_same_interval_again() {
        let samples = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let of = |seed| bootstrap(&samples, median, &Resampling { seed, ..Resampling::USUAL });
        assert_eq!(of(5), of(5));
    }
}

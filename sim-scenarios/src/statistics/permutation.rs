//! Tests that exchange labels: if nothing differs, a label is as good as another one, and the
//! difference that was seen is one of many. Small samples are gone through completely, larger ones
//! by 100,000 exchanges from a seed.

use super::bootstrap::Picks;

/// Up to so many ways to exchange labels, all of them are tried.
const MOST_WAYS: u64 = 1 << 16;

/// How many are tried otherwise.
const TRIED: u32 = 100_000;

/// Of paired samples: the share of all choices of signs of the differences whose sum is at least as
/// far from 0. Two-sided; not less than 2^(1 − n) of n differences. 1 of none.
#[must_use]
pub fn sign_flips(differences: &[f64], seed: u64) -> f64 {
    let seen = differences.iter().sum::<f64>().abs();
    let enough = slightly_below(seen, differences);
    let count = differences.len();
    if count < 64 && 1_u64 << count <= MOST_WAYS {
        let ways = 1_u64 << count;
        let sum = |signs: u64| -> f64 {
            let signed = differences.iter().enumerate();
            signed.map(|(bit, value)| if signs >> bit & 1 == 1 { -value } else { *value }).sum()
        };
        let as_far = (0..ways).filter(|signs| sum(*signs).abs() >= enough).count();
        return as_far as f64 / ways as f64;
    }
    let mut picks = Picks::new(seed);
    sampled(|| {
        let sum: f64 = differences
            .iter()
            .map(|value| if picks.next() >> 63 == 1 { -value } else { *value })
            .sum();
        sum.abs() >= enough
    })
}

/// Of two samples that have nothing in common: the share of all ways to deal their values out again
/// whose means are at least as far apart. Two-sided. 1 if one is empty.
#[must_use]
pub fn exchanges(a: &[f64], b: &[f64], seed: u64) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    let whole: f64 = all.iter().sum();
    let (first, second) = (a.len() as f64, b.len() as f64);
    let apart = |sum: f64| (sum / first - (whole - sum) / second).abs();
    let enough = slightly_below(apart(a.iter().sum()), &all);
    if ways(all.len(), a.len()).is_some_and(|ways| ways <= MOST_WAYS) {
        let (mut as_far, mut tried) = (0_u64, 0_u64);
        each_choice(&all, a.len(), 0.0, &mut |sum| {
            tried += 1;
            as_far += u64::from(apart(sum) >= enough);
        });
        return as_far as f64 / tried as f64;
    }
    let mut picks = Picks::new(seed);
    sampled(|| {
        for index in 0..a.len() {
            let other = index + picks.below(all.len() - index);
            all.swap(index, other);
        }
        apart(all[..a.len()].iter().sum()) >= enough
    })
}

/// What was seen counts as one of those that were tried, so that the answer is never 0.
fn sampled(mut as_far: impl FnMut() -> bool) -> f64 {
    let found = (0..TRIED).filter(|_| as_far()).count();
    (found + 1) as f64 / f64::from(TRIED + 1)
}

/// The same numbers added in another order may differ in their last bits.
fn slightly_below(seen: f64, values: &[f64]) -> f64 {
    let magnitude: f64 = values.iter().map(|value| value.abs()).sum();
    seen - magnitude * 1e-12
}

/// n over k, if it is small enough to be of interest.
fn ways(n: usize, k: usize) -> Option<u64> {
    let mut ways = 1_u64;
    for step in 1..=k.min(n - k) as u64 {
        ways = ways.checked_mul(n as u64 - step + 1)? / step;
    }
    Some(ways)
}

/// Calls `told` with `sum` plus the sum of each choice of `count` values.
fn each_choice(values: &[f64], count: usize, sum: f64, told: &mut dyn FnMut(f64)) {
    if count == 0 {
        told(sum);
        return;
    }
    for first in 0..=values.len() - count {
        each_choice(&values[first + 1..], count - 1, sum + values[first], told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_differences_of_one_sign_are_the_two_extremes() {
        assert_eq!(sign_flips(&[1.0, 2.0, 3.0, 0.5, 0.1], 1), 2.0 / 32.0);
        assert_eq!(sign_flips(&[0.1, 0.2, 0.3], 1), 0.25);
        assert_eq!(sign_flips(&[1.0, -1.0], 1), 1.0);
        assert_eq!(sign_flips(&[], 1), 1.0);
    }

    #[test]
    fn many_differences_are_sampled() {
        let one_sided = [1.0; 40];
        assert!(sign_flips(&one_sided, 1) < 1e-4);
        let balanced: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert_eq!(sign_flips(&balanced, 1), 1.0);
        assert_eq!(sign_flips(&one_sided, 3), sign_flips(&one_sided, 3));
    }

    #[test]
    fn separate_samples_are_two_of_all_choices() {
        // 6 over 3 is 20.
        assert_eq!(exchanges(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 1), 0.1);
        assert_eq!(exchanges(&[1.0, 2.0], &[1.0, 2.0], 1), 1.0);
        assert_eq!(exchanges(&[], &[1.0], 1), 1.0);
        let (low, high) = ([0.0; 30], [1.0; 30]);
        assert!(exchanges(&low, &high, 1) < 1e-4);
    }
}

//! Random numbers of a workload: one independent stream per purpose, all of them functions of the
//! scenario's seed and the same on every machine.

use cross_shard_msg::hash::Preimage;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// A stream of random numbers for one purpose.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha12Rng);

impl Stream {
    /// The stream for `purpose` of load `load` in phase `phase`. Streams that differ in any of the
    /// four are independent, so that one load's draws never shift another's.
    #[must_use]
    pub fn new(seed: u64, purpose: &str, phase: u32, load: u32) -> Self {
        let mut preimage = Preimage::new("shardlab/workload/stream");
        preimage.u64(seed).bytes(purpose.as_bytes()).u32(phase).u32(load);
        Self(ChaCha12Rng::from_seed(preimage.finish().0))
    }

    /// A number below `bound`, each with the same probability. 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire, "Fast random integer generation in an interval", 2019: multiply, and draw again
        // in the few cases that would favour some numbers.
        let reject_below = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(bound);
            if product as u64 >= reject_below {
                return (product >> 64) as u64;
            }
        }
    }

    /// Whether an event of this probability, in millionths, happens.
    pub fn chance(&mut self, millionths: u32) -> bool {
        self.below(1_000_000) < u64::from(millionths)
    }

    /// An exponentially distributed number with mean 1.
    pub fn exponential(&mut self) -> f64 {
        // 53 random bits give a number in (0, 1]; its logarithm is finite.
        let unit = ((self.0.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        -libm::log(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_reproducible_and_independent() {
        let draw = |purpose, phase, load| {
            let mut stream = Stream::new(7, purpose, phase, load);
            (0..4).map(|_| stream.below(u64::MAX)).collect::<Vec<_>>()
        };
        assert_eq!(draw("a", 0, 0), draw("a", 0, 0));
        for other in [draw("b", 0, 0), draw("a", 1, 0), draw("a", 0, 1)] {
            assert_ne!(draw("a", 0, 0), other);
        }
        assert_eq!(draw("golden", 0, 0)[0], 2_995_439_631_033_204_632, "the same on every machine");
    }

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut stream = Stream::new(1, "below", 0, 0);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[stream.below(6) as usize] += 1;
        }
        // Five standard deviations around 10,000.
        assert!(counts.iter().all(|count| (9_540..=10_460).contains(count)), "{counts:?}");
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn exponential_has_mean_one() {
        let mut stream = Stream::new(1, "exponential", 0, 0);
        let sum: f64 = (0..100_000).map(|_| stream.exponential()).sum();
        assert!((sum / 100_000.0 - 1.0).abs() < 0.02, "{sum}");
    }
}

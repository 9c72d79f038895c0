//! Which account is drawn: uniformly, or by Zipf's law; from all accounts, or from those of one
//! shard, or from those of all others.
//!
//! Sampling is exact for integer weights. A Zipf weight is the power rounded to 2⁻³⁹ of the most
//! popular account's, and at least that.

use cross_shard_msg::ShardId;

use super::random::Stream;
use crate::scenario::Popularity;

/// The weight of the most popular account. 10 million of them fit into 64 bits.
const TOP_WEIGHT: f64 = (1_u64 << 39) as f64;

/// Draws one of n indices by weight.
#[derive(Clone, Debug)]
pub struct Sampler {
    /// For each index the sum of the weights up to it and including it.
    cumulative: Vec<u64>,
}

impl Sampler {
    /// For `count` accounts; the account of index 0 is the most popular one.
    #[must_use]
    pub fn new(count: u32, popularity: Popularity) -> Self {
        match popularity {
            Popularity::Uniform => Self { cumulative: (1..=u64::from(count)).collect() },
            Popularity::Zipf { exponent } => Self::weighted((1..=count).map(|rank| {
                let share = libm::pow(f64::from(rank), -exponent);
                ((share * TOP_WEIGHT) as u64).max(1)
            })),
        }
    }

    /// With these weights. Their sum must be below 2⁶⁴; more saturates, and is never drawn.
    #[must_use]
    pub fn weighted(weights: impl Iterator<Item = u64>) -> Self {
        let cumulative = weights.scan(0_u64, |sum, weight| {
            *sum = sum.saturating_add(weight);
            Some(*sum)
        });
        Self { cumulative: cumulative.collect() }
    }

    /// The sum of all weights.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// The weight of one index; 0 beyond the last.
    #[must_use]
    pub fn weight(&self, index: u32) -> u64 {
        let end = self.cumulative.get(index as usize).copied().unwrap_or(0);
        end.saturating_sub(self.start(index))
    }

    /// Draws an index; `None` if all weights are 0.
    pub fn draw(&self, stream: &mut Stream) -> Option<u32> {
        self.at(self.total(), |total| stream.below(total))
    }

    /// Draws an index other than `except`; `None` if there is no other weight.
    pub fn draw_except(&self, except: u32, stream: &mut Stream) -> Option<u32> {
        let (start, gap) = (self.start(except), self.weight(except));
        self.at(self.total().saturating_sub(gap), |total| {
            let point = stream.below(total);
            if point < start { point } else { point.saturating_add(gap) }
        })
    }

    fn at(&self, total: u64, point: impl FnOnce(u64) -> u64) -> Option<u32> {
        if total == 0 {
            return None;
        }
        let point = point(total);
        u32::try_from(self.cumulative.partition_point(|end| *end <= point)).ok()
    }

    fn start(&self, index: u32) -> u64 {
        let before = (index as usize).checked_sub(1);
        before.and_then(|before| self.cumulative.get(before)).copied().unwrap_or(0)
    }
}

/// Draws accounts by popularity and by shard.
#[derive(Clone, Debug)]
pub struct ByShard {
    home: Vec<ShardId>,
    /// Per shard its accounts, ascending.
    members: Vec<Vec<u32>>,
    /// Per shard a sampler over its members.
    samplers: Vec<Sampler>,
    /// Weights are whole shards.
    shards: Sampler,
}

impl ByShard {
    /// Sorts accounts by home: `home[i]` is the home of account i of `sampler`.
    #[must_use]
    pub fn new(sampler: &Sampler, home: Vec<ShardId>, shards: u32) -> Self {
        let mut members = vec![Vec::new(); shards as usize];
        for (account, shard) in (0..).zip(&home) {
            if let Some(members) = members.get_mut(shard.0 as usize) {
                members.push(account);
            }
        }
        let samplers: Vec<Sampler> = members
            .iter()
            .map(|members: &Vec<u32>| {
                Sampler::weighted(members.iter().map(|account| sampler.weight(*account)))
            })
            .collect();
        let shards = Sampler::weighted(samplers.iter().map(Sampler::total));
        Self { home, members, samplers, shards }
    }

    /// The home of an account; shard 0 for one that does not exist.
    #[must_use]
    pub fn home(&self, account: u32) -> ShardId {
        self.home.get(account as usize).copied().unwrap_or(ShardId(0))
    }

    /// Draws another account of the same shard; `None` if it has no other.
    pub fn neighbour(&self, account: u32, stream: &mut Stream) -> Option<u32> {
        let shard = self.home(account).0 as usize;
        let members = self.members.get(shard)?;
        let position = u32::try_from(members.binary_search(&account).ok()?).ok()?;
        let drawn = self.samplers.get(shard)?.draw_except(position, stream)?;
        members.get(drawn as usize).copied()
    }

    /// Draws an account of any other shard; `None` if they have none.
    pub fn stranger(&self, account: u32, stream: &mut Stream) -> Option<u32> {
        let shard = self.shards.draw_except(self.home(account).0, stream)? as usize;
        let drawn = self.samplers.get(shard)?.draw(stream)?;
        self.members.get(shard)?.get(drawn as usize).copied()
    }

    /// Whether some account has another one on its shard.
    #[must_use]
    pub fn has_neighbours(&self) -> bool {
        self.members.iter().any(|members| members.len() >= 2)
    }

    /// Whether accounts live on at least two shards.
    #[must_use]
    pub fn has_strangers(&self) -> bool {
        self.members.iter().filter(|members| !members.is_empty()).count() >= 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 200_000;

    fn shares(count: usize, mut draw: impl FnMut(&mut Stream) -> u32) -> Vec<f64> {
        let mut stream = Stream::new(11, "popularity", 0, 0);
        let mut counts = vec![0_u32; count];
        for _ in 0..DRAWS {
            counts[draw(&mut stream) as usize] += 1;
        }
        counts.iter().map(|count| f64::from(*count) / f64::from(DRAWS)).collect()
    }

    fn assert_near(found: &[f64], expected: &[f64]) {
        for (found_one, expected_one) in found.iter().zip(expected) {
            assert!((found_one - expected_one).abs() < 0.006, "{found:?} against {expected:?}");
        }
    }

    #[test]
    fn zipf_follows_its_law() {
        let sampler = Sampler::new(4, Popularity::Zipf { exponent: 1.0 });
        let sum = 1.0 + 0.5 + 1.0 / 3.0 + 0.25;
        let expected = [1.0 / sum, 0.5 / sum, 1.0 / 3.0 / sum, 0.25 / sum];
        assert_near(&shares(4, |stream| sampler.draw(stream).unwrap()), &expected);
    }

    #[test]
    fn an_exception_leaves_the_others_in_proportion() {
        let sampler = Sampler::weighted([5, 1, 3, 1].into_iter());
        for (except, expected) in
            [(0, [0.0, 0.2, 0.6, 0.2]), (2, [5.0 / 7.0, 1.0 / 7.0, 0.0, 1.0 / 7.0])]
        {
            let found = shares(4, |stream| sampler.draw_except(except, stream).unwrap());
            assert_near(&found, &expected);
            assert!(found[except as usize] == 0.0);
        }
        let alone = Sampler::weighted([7].into_iter());
        let mut stream = Stream::new(0, "alone", 0, 0);
        assert_eq!(alone.draw_except(0, &mut stream), None);
        assert_eq!(Sampler::weighted([].into_iter()).draw(&mut stream), None);
    }

    #[test]
    fn extreme_exponents_still_reach_every_account() {
        let sampler = Sampler::new(1_000_000, Popularity::Zipf { exponent: 10.0 });
        assert_eq!(sampler.weight(999_999), 1);
        assert!(sampler.total() > sampler.weight(0));
    }

    #[test]
    fn neighbours_and_strangers_are_drawn_by_weight() {
        let sampler = Sampler::weighted([4, 3, 2, 1].into_iter());
        let home = [0, 1, 0, 1].map(ShardId).to_vec();
        let by_shard = ByShard::new(&sampler, home, 3);
        assert!(by_shard.has_neighbours() && by_shard.has_strangers());
        let neighbours = shares(4, |stream| by_shard.neighbour(0, stream).unwrap());
        assert_near(&neighbours, &[0.0, 0.0, 1.0, 0.0]);
        let strangers = shares(4, |stream| by_shard.stranger(0, stream).unwrap());
        assert_near(&strangers, &[0.0, 0.75, 0.0, 0.25]);
        let lonely = ByShard::new(&sampler, [0, 1, 2, 3].map(ShardId).to_vec(), 4);
        assert!(!lonely.has_neighbours());
        assert_eq!(lonely.neighbour(2, &mut Stream::new(0, "lonely", 0, 0)), None);
    }
}

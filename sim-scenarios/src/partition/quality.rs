//! How good an allocation is for given transactions.

use partitioning::{Allocation, Home, Stream};

/// What an allocation makes of some transactions.
///
/// Work: an intra-shard transaction is 1 on its shard, a cross-shard transaction η shared equally
/// by its shards. Transactions that touch residents alone are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// Transactions that count.
    pub transactions: u64,
    /// Those that touch more than one shard.
    pub cross_shard: u64,
    /// Shards, summed over transactions.
    pub shards_touched: u64,
    /// Work of each shard, in intra-shard transactions.
    pub work: Vec<f64>,
}

impl Quality {
    /// Judges an allocation.
    #[must_use]
    pub fn of(stream: &Stream, allocation: &Allocation, eta: f64) -> Self {
        let mut quality = Self::nothing(allocation.shards());
        let mut shards: Vec<u32> = Vec::new();
        for transaction in stream.iter() {
            shards.clear();
            shards.extend(transaction.iter().filter_map(
                |account| match allocation.home(account) {
                    Home::Shard(shard) => Some(shard.0),
                    Home::Everywhere => None,
                },
            ));
            shards.sort_unstable();
            shards.dedup();
            let work = match shards.len() {
                0 => continue,
                1 => 1.0,
                several => eta / several as f64,
            };
            quality.transactions += 1;
            quality.cross_shard += u64::from(shards.len() > 1);
            quality.shards_touched += shards.len() as u64;
            for shard in &shards {
                quality.work[*shard as usize] += work;
            }
        }
        quality
    }

    /// No transactions at all.
    #[must_use]
    pub fn nothing(shards: u32) -> Self {
        let work = vec![0.0; shards as usize];
        Self { transactions: 0, cross_shard: 0, shards_touched: 0, work }
    }

    /// The upper bound: the same transactions, all intra-shard, shared equally.
    #[must_use]
    pub fn all_local(transactions: u64, shards: u32) -> Self {
        let share = transactions as f64 / f64::from(shards.max(1));
        let work = vec![share; shards as usize];
        Self { transactions, cross_shard: 0, shards_touched: transactions, work }
    }

    /// Share of the transactions that cross shards; 0 without any.
    #[must_use]
    pub fn cross_shard_ratio(&self) -> f64 {
        ratio(self.cross_shard as f64, self.transactions as f64)
    }

    /// Mean number of shards that a transaction touches.
    #[must_use]
    pub fn shards_per_transaction(&self) -> f64 {
        ratio(self.shards_touched as f64, self.transactions as f64)
    }

    /// Work of the busiest shard over the mean: 1 is perfect.
    #[must_use]
    pub fn max_over_mean(&self) -> f64 {
        ratio(self.most(), self.mean())
    }

    /// Coefficient of variation of the shards' work: standard deviation over mean.
    #[must_use]
    pub fn variation(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.work.iter().map(|work| (work - mean) * (work - mean)).sum();
        ratio((squares / (self.work.len() as f64).max(1.0)).sqrt(), mean)
    }

    /// Throughput in units of what one shard does with intra-shard transactions alone. The model:
    /// all shards are equally fast, offered load has this window's mix, and it may grow until the
    /// busiest shard is full.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        ratio(self.transactions as f64, self.most())
    }

    fn most(&self) -> f64 {
        self.work.iter().copied().fold(0.0, f64::max)
    }

    fn mean(&self) -> f64 {
        ratio(self.work.iter().sum(), self.work.len() as f64)
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use partitioning::{Base, OUTBOX, Residents};

    use super::*;

    #[test]
    fn work_is_shared_by_the_shards_of_a_transaction() {
        // On 4 shards the last byte decides.
        let on = |shard: u8| Address::with_last_byte(0x40 + shard);
        let stream: Stream = [
            vec![on(0), on(0)],
            vec![on(0), on(1)],
            vec![on(1), on(2), on(3)],
            vec![on(2), OUTBOX],
            vec![OUTBOX],
        ]
        .iter()
        .collect();
        let allocation = Allocation::new(4, Base::Hash, Residents::standard(4));
        let quality = Quality::of(&stream, &allocation, 3.0);
        assert_eq!((quality.transactions, quality.cross_shard, quality.shards_touched), (4, 2, 7));
        assert_eq!(quality.work, [2.5, 2.5, 2.0, 1.0]);
        assert_eq!(quality.cross_shard_ratio(), 0.5);
        assert_eq!(quality.max_over_mean(), 1.25);
        assert_eq!(quality.throughput(), 1.6);
        let best = Quality::all_local(8, 4);
        assert_eq!((best.throughput(), best.variation()), (4.0, 0.0));
        assert_eq!(Quality::nothing(4).throughput(), 0.0);
    }
}

//! What work costs a node in the simulation: time of its CPU, and what passes before its thread runs.
//!
//! Machines say what they did ([`Work`]); the world adds what a machine does not see: messages that
//! are sent and taken, the way through the network's threads, the time until a sleeping thread runs
//! again, the write of a record. `shardlab calibrate` measures all of it.
//!
//! The time of jobs is modelled, not measured: it must not depend on the machine that simulates.

use cross_shard_msg::{Duration, JobSize, Work};

/// Time of a job of nothing: to hand it to another core and back.
const JOB: Duration = Duration::from_millis(1);
/// Time of a job per account that it decides on, in nanoseconds.
const JOB_PER_ACCOUNT: u64 = 1_000;
/// Time of a job per account that the traffic names, each time, in nanoseconds. With the former
/// about what building an access graph and a few passes over it take (docs/performance.md),
/// whatever the strategy.
const JOB_PER_TOUCH: u64 = 600;

/// Modelled time of a job; it runs on a core of its own.
#[must_use]
pub fn job_time(size: &JobSize) -> Duration {
    let accounts = JOB_PER_ACCOUNT.saturating_mul(size.accounts);
    let touches = JOB_PER_TOUCH.saturating_mul(size.touches);
    Duration(JOB.0.saturating_add(accounts).saturating_add(touches))
}

/// Price of each kind of work, in nanoseconds of one core unless a field says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostProfile {
    /// Per 1,000 gas executed in the EVM.
    pub kilogas: u64,
    /// Per transfer executed natively.
    pub transfer: u64,
    /// Per leg, whatever it does: decoding, accounting, results.
    pub leg: u64,
    /// Per recovered user signature.
    pub recovery: u64,
    /// Per signature made by a node.
    pub signature: u64,
    /// Per node signature checked.
    pub verification: u64,
    /// Per account or slot updated in the trie.
    pub trie_update: u64,
    /// Per 1,000 bytes hashed, encoded or decoded.
    pub kilobyte: u64,
    /// Per message taken from the network: its frame, its bytes, its place in a queue.
    pub input: u64,
    /// Per message and receiver handed to the network.
    pub message: u64,
    /// Time, not CPU of the node, from the sender's hand to the receiver's thread, on a link without
    /// delay: the network's own threads, sockets, wake-ups.
    pub transit: u64,
    /// Time, not CPU, by which a timer wakes a sleeping thread late.
    pub wake: u64,
    /// Time, not CPU, until a record is durable.
    pub record: u64,
    /// Messages between a client and shards leave together, at multiples of this time: as the
    /// network of processes does it, so that many small ones share a wake-up.
    pub linger: u64,
}

impl CostProfile {
    /// Work takes no time: for tests of logic. A record is durable after 50 µs all the same, so that
    /// there is a moment at which a crash can lose it.
    pub const FREE: Self = Self {
        kilogas: 0,
        transfer: 0,
        leg: 0,
        recovery: 0,
        signature: 0,
        verification: 0,
        trie_update: 0,
        kilobyte: 0,
        input: 0,
        message: 0,
        transit: 0,
        wake: 0,
        record: 50_000,
        linger: 0,
    };

    /// One core of a 2-core AMD EPYC machine as `shardlab calibrate` measured it; the profile
    /// `epyc-2-core` that ships.
    pub const REFERENCE: Self = Self {
        kilogas: 150,
        transfer: 466,
        leg: 5_533,
        recovery: 43_034,
        signature: 18_026,
        verification: 48_132,
        trie_update: 2_277,
        kilobyte: 1_681,
        input: 1_966,
        message: 59,
        transit: 70_312,
        wake: 84_284,
        record: 4_165,
        linger: 2_000_000,
    };

    /// Time that `work` takes.
    #[must_use]
    pub fn price(&self, work: &Work) -> Duration {
        let per_unit = [
            (self.transfer, u64::from(work.transfers)),
            (self.leg, u64::from(work.legs)),
            (self.recovery, u64::from(work.recoveries)),
            (self.signature, u64::from(work.signatures)),
            (self.verification, u64::from(work.verifications)),
            (self.trie_update, u64::from(work.trie_updates)),
        ];
        let units = per_unit
            .iter()
            .fold(0u64, |sum, (price, count)| sum.saturating_add(price.saturating_mul(*count)));
        let per_thousand = self
            .kilogas
            .saturating_mul(work.gas.0)
            .saturating_add(self.kilobyte.saturating_mul(work.bytes))
            / 1_000;
        Duration(units.saturating_add(per_thousand))
    }
}

#[cfg(test)]
mod tests {
    use cross_shard_msg::Gas;

    use super::*;

    #[test]
    fn jobs_take_longer_with_their_size() {
        assert_eq!(job_time(&JobSize::default()), JOB);
        let size = JobSize { accounts: 1_000_000, touches: 10_000_000 };
        assert_eq!(job_time(&size), Duration::from_millis(7_001));
        let endless = JobSize { accounts: u64::MAX, touches: u64::MAX };
        assert_eq!(job_time(&endless), Duration(u64::MAX));
    }

    #[test]
    fn work_is_priced_by_kind() {
        let work = Work { gas: Gas(21_000), recoveries: 2, bytes: 500, ..Work::default() };
        assert_eq!(CostProfile::FREE.price(&work), Duration::ZERO);
        let profile = CostProfile { kilogas: 10, recovery: 7, kilobyte: 100, ..CostProfile::FREE };
        assert_eq!(profile.price(&work), Duration(210 + 14 + 50));
    }
}

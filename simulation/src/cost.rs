//! What work costs a node's CPU in the simulation.

use cross_shard_msg::{Duration, Work};

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
}

impl CostProfile {
    /// Work takes no time: for tests of logic.
    pub const FREE: Self = Self {
        kilogas: 0,
        transfer: 0,
        leg: 0,
        recovery: 0,
        signature: 0,
        verification: 0,
        trie_update: 0,
        kilobyte: 0,
    };

    /// One core of the 2-core EPYC machine on which docs/performance.md was measured.
    pub const REFERENCE: Self = Self {
        kilogas: 150,
        transfer: 300,
        leg: 2_000,
        recovery: 56_000,
        signature: 20_000,
        verification: 50_000,
        trie_update: 6_000,
        kilobyte: 500,
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
    fn work_is_priced_by_kind() {
        let work = Work { gas: Gas(21_000), recoveries: 2, bytes: 500, ..Work::default() };
        assert_eq!(CostProfile::FREE.price(&work), Duration::ZERO);
        let profile = CostProfile { kilogas: 10, recovery: 7, kilobyte: 100, ..CostProfile::FREE };
        assert_eq!(profile.price(&work), Duration(210 + 14 + 50));
    }
}

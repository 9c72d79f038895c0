//! What a block tells the partitioner: which accounts were used together (rule R-EPOCH-2).

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use cross_shard_msg::migration::{MAX_ACCESSED, MAX_ACCESSES};
use cross_shard_msg::settings::Epochs;
use cross_shard_msg::{Access, Height, ShardId, TrafficReport};

/// Reports that are kept until the committee has taken in their blocks; older ones are forgotten, and
/// are missing where they did not arrive.
const MAX_KEPT: usize = 256;

/// The traffic of the block that is being made.
#[derive(Debug)]
pub(crate) struct Traffic {
    accesses: Vec<Access>,
    omitted: u32,
    most: usize,
}

impl Traffic {
    pub(crate) fn new(epochs: &Epochs) -> Self {
        let most = (epochs.max_accesses as usize).min(MAX_ACCESSES);
        Self { accesses: Vec::new(), omitted: 0, most }
    }

    /// Adds an execution that touched these accounts, in this order, an account perhaps more than
    /// once.
    pub(crate) fn add(
        &mut self,
        touched: impl Iterator<Item = Address>,
        is_resident: impl Fn(&Address) -> bool,
        is_contract: impl Fn(&Address) -> bool,
    ) {
        let mut accounts: Vec<Address> = Vec::new();
        for account in touched {
            if accounts.len() == MAX_ACCESSED {
                break;
            }
            if !accounts.contains(&account) && !is_resident(&account) {
                accounts.push(account);
            }
        }
        if accounts.len() < 2 {
            return;
        }
        if self.accesses.len() >= self.most {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        let bits =
            accounts.iter().zip(0..).map(|(account, bit)| u16::from(is_contract(account)) << bit);
        let contracts = bits.fold(0, |all, bit| all | bit);
        self.accesses.push(Access { accounts, contracts });
    }

    /// The report; `None` where there is nothing to report.
    pub(crate) fn report(self, shard: ShardId, height: Height) -> Option<TrafficReport> {
        let Self { accesses, omitted, .. } = self;
        let any = !accesses.is_empty() || omitted > 0;
        any.then_some(TrafficReport { shard, height, accesses, omitted })
    }
}

/// Reports of own blocks that the committee may not have.
#[derive(Debug, Default)]
pub(crate) struct Reports(BTreeMap<Height, Arc<TrafficReport>>);

impl Reports {
    pub(crate) fn keep(&mut self, report: TrafficReport) {
        self.0.insert(report.height, Arc::new(report));
        if self.0.len() > MAX_KEPT {
            self.0.pop_first();
        }
    }

    /// The reports of blocks from one height to another, ascending.
    pub(crate) fn range(
        &self,
        from: Height,
        to: Height,
    ) -> impl Iterator<Item = &Arc<TrafficReport>> {
        let range = (from <= to).then(|| self.0.range(from..=to));
        range.into_iter().flatten().map(|(_, report)| report)
    }

    /// Forgets reports up to `height`.
    pub(crate) fn forget(&mut self, height: Height) {
        self.0 = self.0.split_off(&height.next());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(byte: u8) -> Address {
        Address::with_last_byte(byte)
    }

    fn traffic(max_accesses: u32) -> Traffic {
        Traffic::new(&Epochs { checkpoints: 4, max_moves: 10, max_accesses })
    }

    fn add(traffic: &mut Traffic, bytes: impl IntoIterator<Item = u8>) {
        let resident = |address: &Address| *address == account(9);
        let contract = |address: &Address| address.0[19] % 2 == 1;
        traffic.add(bytes.into_iter().map(account), resident, contract);
    }

    #[test]
    fn accounts_are_in_order_once_and_no_residents() {
        let mut traffic = traffic(10);
        add(&mut traffic, [4, 3, 9, 4, 7]);
        add(&mut traffic, [4, 9, 4]);
        add(&mut traffic, 10..100);
        let report = traffic.report(ShardId(1), Height(5)).unwrap();
        assert!(report.is_well_formed());
        assert_eq!(report.accesses[0].accounts, [4, 3, 7].map(account));
        assert_eq!(report.accesses[0].contracts, 0b110);
        assert_eq!(report.accesses[1].accounts.len(), MAX_ACCESSED);
        assert_eq!(report.accesses.len(), 2, "one account alone is no traffic");
    }

    #[test]
    fn what_exceeds_the_bound_is_counted() {
        let mut full = traffic(1);
        for _ in 0..3 {
            add(&mut full, [1, 2]);
        }
        let report = full.report(ShardId(1), Height(5)).unwrap();
        assert_eq!((report.accesses.len(), report.omitted), (1, 2));
        let mut nothing = traffic(0);
        add(&mut nothing, [1]);
        assert_eq!(nothing.report(ShardId(1), Height(5)), None);
    }

    #[test]
    fn reports_are_kept_until_they_are_taken_in() {
        let mut reports = Reports::default();
        let report = |height| TrafficReport {
            shard: ShardId(0),
            height: Height(height),
            accesses: Vec::new(),
            omitted: 1,
        };
        (1..=300).for_each(|height| reports.keep(report(height)));
        let heights = |reports: &Reports| {
            let all = reports.range(Height::ZERO, Height(u64::MAX));
            let all: Vec<u64> = all.map(|report| report.height.0).collect();
            (all[0], all.len())
        };
        assert_eq!(heights(&reports), (45, MAX_KEPT));
        reports.forget(Height(298));
        assert_eq!(heights(&reports), (299, 2));
        assert_eq!(reports.range(Height(5), Height(4)).count(), 0);
    }
}

//! What transactions are like, by the numbers that are known of mainnet.
//!
//! Whatever has chance in it is measured the same way on both sides: a generated workload and the
//! mainnet sample go through this code.

use std::collections::BTreeMap;

use alloy_primitives::Address;

use super::Planted;
use super::seen::{Call, Seen};

/// `transfer(address,uint256)` of ERC-20.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
/// `approve(address,uint256)` of ERC-20.
const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];
/// An exponent is estimated from accounts that are seen at least so often.
pub const LEAST_COUNT: u64 = 3;

/// Numbers of a list of transactions. Shares are of the transactions, unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// How many.
    pub transactions: u64,
    /// Without call data, to somebody.
    pub plain: f64,
    /// ERC-20 transfers.
    pub token_transfers: f64,
    /// ERC-20 approvals.
    pub approvals: f64,
    /// All other calls.
    pub other_calls: f64,
    /// To the most frequent recipient.
    pub to_top1: f64,
    /// To the ten most frequent ones.
    pub to_top10: f64,
    /// Share of the recipients that are seen once.
    pub to_once: f64,
    /// From the ten most frequent senders.
    pub from_top10: f64,
    /// Share of the senders that are seen once.
    pub from_once: f64,
    /// Distinct recipients for each transaction.
    pub targets: f64,
    /// Distinct senders for each transaction.
    pub senders: f64,
    /// Zipf exponent of the recipients.
    pub zipf_to: f64,
    /// Zipf exponent of the recipients that are contracts.
    pub zipf_contracts: f64,
    /// Zipf exponent of the senders.
    pub zipf_from: f64,
    /// Share of a block that goes to its most frequent recipient: the mean over blocks.
    pub hottest_mean: f64,
    /// The median over blocks.
    pub hottest_median: f64,
}

impl Statistics {
    /// Of these transactions.
    #[must_use]
    pub fn of(seen: &[Seen]) -> Self {
        let to = counts(seen.iter().filter_map(|one| one.to));
        let from = counts(seen.iter().map(|one| one.from));
        let contracts = counts(seen.iter().filter(|one| one.to_contract).filter_map(|one| one.to));
        let all = seen.len() as f64;
        let share = |wanted: &dyn Fn(&Seen) -> bool| {
            ratio(seen.iter().filter(|one| wanted(one)).count() as f64, all)
        };
        let called = |selector| share(&|one: &Seen| one.call == Call::Function(selector));
        let top = |counts: &[u64], first: usize| {
            ratio(counts.iter().take(first).sum::<u64>() as f64, all)
        };
        let plain = share(&|one: &Seen| one.call == Call::Plain && one.to.is_some());
        let (token_transfers, approvals) = (called(TRANSFER), called(APPROVE));
        let calls = share(&|one: &Seen| one.call != Call::Plain && one.to.is_some());
        let hottest = hottest(seen);
        Self {
            transactions: seen.len() as u64,
            plain,
            token_transfers,
            approvals,
            other_calls: calls - token_transfers - approvals,
            to_top1: top(&to, 1),
            to_top10: top(&to, 10),
            to_once: once(&to),
            from_top10: top(&from, 10),
            from_once: once(&from),
            targets: ratio(to.len() as f64, all),
            senders: ratio(from.len() as f64, all),
            zipf_to: zipf(&to),
            zipf_contracts: zipf(&contracts),
            zipf_from: zipf(&from),
            hottest_mean: ratio(hottest.iter().sum(), hottest.len() as f64),
            hottest_median: hottest.get(hottest.len() / 2).copied().unwrap_or(0.0),
        }
    }
}

/// The mainnet sample: the 33 blocks after the merge of `mainnet-transactions.csv.gz`, through this
/// code, rounded to four digits. A test computes them again.
pub const MAINNET: Statistics = Statistics {
    transactions: 8_759,
    plain: 0.4463,
    token_transfers: 0.2423,
    approvals: 0.0481,
    other_calls: 0.2616,
    to_top1: 0.0763,
    to_top10: 0.4227,
    to_once: 0.8406,
    from_top10: 0.0394,
    from_once: 0.9514,
    targets: 0.3317,
    senders: 0.8466,
    zipf_to: 1.0365,
    zipf_contracts: 0.9521,
    zipf_from: 0.7561,
    hottest_mean: 0.1963,
    hottest_median: 0.1162,
};

/// The first block of the mainnet sample: the first one after the merge.
pub const MAINNET_FROM_BLOCK: u64 = 15_537_394;

/// One number beside mainnet's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// Its name in JSON.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Whether it is a share, shown in percent.
    pub share: bool,
    /// Here.
    pub here: f64,
    /// In the mainnet sample.
    pub mainnet: f64,
}

impl Compared {
    /// How far it is from mainnet's, relative to that.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        ratio(self.here - self.mainnet, self.mainnet)
    }
}

impl Statistics {
    /// Every number beside the mainnet sample's.
    #[must_use]
    pub fn compared(&self) -> Vec<Compared> {
        type Of = fn(&Statistics) -> f64;
        let rows: [(&str, &str, bool, Of); 16] = [
            ("plain", "plain transfers", true, |of| of.plain),
            ("token_transfers", "ERC-20 transfers", true, |of| of.token_transfers),
            ("approvals", "ERC-20 approvals", true, |of| of.approvals),
            ("other_calls", "other calls", true, |of| of.other_calls),
            ("to_top1", "to the top recipient", true, |of| of.to_top1),
            ("to_top10", "to the top 10 recipients", true, |of| of.to_top10),
            ("to_once", "recipients seen once", true, |of| of.to_once),
            ("targets", "recipients per transaction", false, |of| of.targets),
            ("zipf_to", "Zipf exponent, recipients", false, |of| of.zipf_to),
            ("zipf_contracts", "Zipf exponent, contracts", false, |of| of.zipf_contracts),
            ("from_top10", "from the top 10 senders", true, |of| of.from_top10),
            ("from_once", "senders seen once", true, |of| of.from_once),
            ("senders", "senders per transaction", false, |of| of.senders),
            ("zipf_from", "Zipf exponent, senders", false, |of| of.zipf_from),
            ("hottest_median", "hottest of a block, median", true, |of| of.hottest_median),
            ("hottest_mean", "hottest of a block, mean", true, |of| of.hottest_mean),
        ];
        let compared = |(name, what, share, of): (_, _, _, Of)| Compared {
            name,
            what,
            share,
            here: of(self),
            mainnet: of(&MAINNET),
        };
        rows.into_iter().map(compared).collect()
    }
}

/// How often each is seen, most often first.
fn counts(seen: impl Iterator<Item = Address>) -> Vec<u64> {
    let mut counts: BTreeMap<Address, u64> = BTreeMap::new();
    for address in seen {
        *counts.entry(address).or_default() += 1;
    }
    let mut counts: Vec<u64> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts
}

fn once(counts: &[u64]) -> f64 {
    let once = counts.iter().filter(|count| **count == 1).count();
    ratio(once as f64, counts.len() as f64)
}

/// The exponent of Zipf's law: minus the slope of a straight line through (log rank, log count) by
/// least squares, over all that are seen at least [`LEAST_COUNT`] times; 0 with fewer than three of
/// them. Those that are seen less often lie on flat steps that say little about the law.
fn zipf(counts: &[u64]) -> f64 {
    let points: Vec<(f64, f64)> = (1_u32..)
        .zip(counts.iter().filter(|count| **count >= LEAST_COUNT))
        .map(|(rank, count)| (libm::log(f64::from(rank)), libm::log(*count as f64)))
        .collect();
    if points.len() < 3 {
        return 0.0;
    }
    let mean =
        |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(&|point| point.0), mean(&|point| point.1));
    let both = mean(&|point| (point.0 - x) * (point.1 - y));
    let spread = mean(&|point| (point.0 - x) * (point.0 - x));
    -ratio(both, spread)
}

/// For each block the share of its transactions that go to its most frequent recipient, ascending.
fn hottest(seen: &[Seen]) -> Vec<f64> {
    let mut blocks: BTreeMap<u64, Vec<Option<Address>>> = BTreeMap::new();
    for one in seen {
        blocks.entry(one.block).or_default().push(one.to);
    }
    let share = |block: Vec<Option<Address>>| {
        let top = counts(block.iter().copied().flatten()).first().copied().unwrap_or(0);
        ratio(top as f64, block.len() as f64)
    };
    let mut shares: Vec<f64> = blocks.into_values().map(share).collect();
    shares.sort_unstable_by(f64::total_cmp);
    shares
}

/// Newman's modularity of the graph of who deals with whom under planted communities, in which each
/// hub is one of its own; `None` for transactions that none of them sent.
#[must_use]
pub fn modularity(seen: &[Seen], planted: &Planted) -> Option<f64> {
    let community: BTreeMap<Address, u32> = planted.community.iter().copied().collect();
    // Hubs, and whoever is unknown, are numbered after the communities.
    let mut alone: BTreeMap<Address, u64> = BTreeMap::new();
    let mut degree: BTreeMap<u64, u64> = BTreeMap::new();
    let (mut inside, mut edges) = (0_u64, 0_u64);
    for one in seen {
        let Some(to) = one.to else { continue };
        if !community.contains_key(&one.from) {
            continue;
        }
        let mut of = |address: Address| match community.get(&address) {
            Some(community) => u64::from(*community),
            None => {
                let next = u64::from(u32::MAX) + 1 + alone.len() as u64;
                *alone.entry(address).or_insert(next)
            }
        };
        let (from, to) = (of(one.from), of(to));
        inside += u64::from(from == to);
        edges += 1;
        *degree.entry(from).or_default() += 1;
        *degree.entry(to).or_default() += 1;
    }
    let ends = 2.0 * edges as f64;
    let expected: f64 = degree.values().map(|degree| (*degree as f64 / ends).powi(2)).sum();
    (edges > 0).then(|| inside as f64 / edges as f64 - expected)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(from: u8, to: u8, block: u64) -> Seen {
        Seen {
            block,
            from: Address::repeat_byte(from),
            to: Some(Address::repeat_byte(to)),
            to_contract: to > 100,
            call: if to > 100 { Call::Function(TRANSFER) } else { Call::Plain },
        }
    }

    #[test]
    fn shares_of_a_few_transactions() {
        let list = [seen(1, 2, 0), seen(1, 2, 0), seen(3, 200, 0), seen(4, 5, 1)];
        let found = Statistics::of(&list);
        assert_eq!((found.plain, found.token_transfers, found.other_calls), (0.75, 0.25, 0.0));
        assert_eq!((found.to_top1, found.to_top10), (0.5, 1.0));
        assert_eq!((found.to_once, found.from_once), (2.0 / 3.0, 2.0 / 3.0));
        assert_eq!((found.hottest_mean, found.hottest_median), ((2.0 / 3.0 + 1.0) / 2.0, 1.0));
        assert_eq!(Statistics::of(&[]).to_top1, 0.0);
    }

    #[test]
    fn an_exact_law_has_its_exponent() {
        for exponent in [0.5, 0.76, 1.08] {
            let count = |rank: u32| (1e9 * libm::pow(f64::from(rank), -exponent)) as u64;
            let counts: Vec<u64> = (1..=500).map(count).collect();
            assert!((zipf(&counts) - exponent).abs() < 1e-4);
        }
        assert_eq!(zipf(&[5, 4, 1]), 0.0, "too few that are seen often");
    }

    #[test]
    fn modularity_of_two_pairs() {
        let address = Address::repeat_byte;
        let planted = Planted {
            phase: 0,
            load: 0,
            community: vec![(address(1), 0), (address(2), 0), (address(3), 1), (address(4), 1)],
            hubs: vec![],
            inside: 0,
            outside: 0,
            hub: 0,
            periods: 0,
        };
        let apart = [seen(1, 2, 0), seen(3, 4, 0)];
        assert_eq!(modularity(&apart, &planted), Some(0.5));
        let crossed = [seen(1, 3, 0), seen(2, 4, 0)];
        assert_eq!(modularity(&crossed, &planted), Some(-0.5));
        assert_eq!(modularity(&[], &planted), None);
    }
}

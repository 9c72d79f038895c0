//! What holds for every graph.

mod support;

use alloy_primitives::Address;
use partitioning::{Home, Residents, Strategy, Stream};
use proptest::prelude::*;
use proptest::sample::Index;
use support::{Case, account, moved};

/// Strategies that hold a cap of a tenth above the mean where the budget lets them.
const CAPPED: [&str; 2] = ["ldg", "fennel"];

fn transactions() -> impl Strategy_ {
    prop::collection::vec(prop::collection::vec(0_u64..60, 1..5), 0..120)
}

/// The name `Strategy` is taken.
trait Strategy_: proptest::strategy::Strategy<Value = Vec<Vec<u64>>> {}
impl<T: proptest::strategy::Strategy<Value = Vec<Vec<u64>>>> Strategy_ for T {}

/// Number 59 is a resident.
fn address(index: &u64) -> Address {
    if *index == 59 { partitioning::OUTBOX } else { account(*index) }
}

fn stream(transactions: &[Vec<u64>]) -> Stream {
    let addresses =
        transactions.iter().map(|touched| touched.iter().map(address).collect::<Vec<_>>());
    addresses.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn proposals_are_well_formed(
        transactions in transactions(),
        shards in 1_u32..9,
        budget in 0_usize..70,
        which in any::<Index>(),
    ) {
        let name = Strategy::NAMES[which.index(Strategy::NAMES.len())];
        let mut case = Case::of(stream(&transactions), shards);
        case.budget = budget;
        let partitioner = Strategy::published(name).unwrap().build().unwrap();
        let proposal = partitioner.propose(&case.problem()).unwrap();
        prop_assert!(proposal.moves.len() <= budget, "{name}");
        let ascending = proposal.moves.windows(2).all(|two| two[0].account < two[1].account);
        prop_assert!(ascending, "{name}: each account once, ascending");
        let residents = Residents::standard(shards);
        for moved in &proposal.moves {
            prop_assert!(!residents.contains(&moved.account), "{name}");
            prop_assert_eq!(case.allocation.home(&moved.account), Home::Shard(moved.from));
            prop_assert!(moved.to != moved.from && moved.to.0 < shards, "{name}: {moved:?}");
            prop_assert!(case.graph.vertex(&moved.account).is_some(), "{name}");
        }
        let all = proposal.stats.wanted <= budget as u64;
        prop_assert_eq!(proposal.moves.len() as u64 == proposal.stats.wanted, all);
        // What it says of the cut is true.
        let before = case.graph.shape(&case.allocation).crossing_weight;
        let after = case.graph.shape(&moved(&case.allocation, &proposal.moves)).crossing_weight;
        if proposal.stats.wanted > 0 {
            prop_assert_eq!(proposal.stats.crossing_before, before, "{}", name);
            prop_assert_eq!(proposal.stats.crossing_after, after, "{}", name);
        }
        // And it is the same the next time.
        prop_assert_eq!(partitioner.propose(&case.problem()).unwrap(), proposal, "{}", name);
    }

    #[test]
    fn the_order_of_traffic_does_not_matter(
        transactions in transactions(),
        shuffled in any::<u64>(),
        which in any::<Index>(),
    ) {
        let names: Vec<_> =
            Strategy::NAMES.into_iter().filter(|name| *name != "shard-scheduler").collect();
        let name = names[which.index(names.len())];
        let case = Case::of(stream(&transactions), 4);
        let mut other = transactions.clone();
        let mut random = support::Random(shuffled);
        for at in (1..other.len()).rev() {
            other.swap(at, random.below(at as u64 + 1) as usize);
        }
        for touched in &mut other {
            touched.reverse();
        }
        let other = Case::of(stream(&other), 4);
        let partitioner = Strategy::published(name).unwrap().build().unwrap();
        let first = partitioner.propose(&case.problem()).unwrap();
        prop_assert_eq!(partitioner.propose(&other.problem()).unwrap(), first, "{}", name);
    }

    #[test]
    fn the_cap_holds_where_it_is_promised(
        transactions in transactions(),
        shards in 2_u32..9,
        which in any::<Index>(),
    ) {
        let name = CAPPED[which.index(CAPPED.len())];
        let case = Case::of(stream(&transactions), shards);
        let partitioner = Strategy::published(name).unwrap().build().unwrap();
        let proposal = partitioner.propose(&case.problem()).unwrap();
        let loads = support::loads(&case.graph, &moved(&case.allocation, &proposal.moves));
        let mean = loads.iter().sum::<f64>() / loads.len() as f64;
        let heaviest = case.graph.loads().iter().max().copied().unwrap_or(0) as f64 / 1e6;
        let most = loads.iter().copied().fold(0.0, f64::max);
        // A vertex that fits nowhere goes to the lightest shard, which is below the mean.
        let bound = (mean * 1.1).max(mean + heaviest) + 1e-3;
        prop_assert!(most <= bound, "{name}: {most} of {bound}, {loads:?}");
    }
}

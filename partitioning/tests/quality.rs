//! How good the strategies are on graphs that reward them: the order of reference measurements on
//! a graph with communities, and what each strategy claims for itself.

mod support;

use cross_shard_msg::Epoch;
use partitioning::{Problem, Proposal, Strategy};
use support::{Case, loads, moved, planted};

const SHARDS: u32 = 8;

/// 64 communities; a tenth of the transactions go anywhere, so 0.0875 of the weight must cross.
fn case() -> Case {
    Case::new(&planted(6_400, 64, 60_000, 100, 3), SHARDS)
}

fn ask(name: &str, case: &Case) -> Proposal {
    Strategy::published(name).unwrap().build().unwrap().propose(&case.problem()).unwrap()
}

fn crossing(case: &Case, proposal: &Proposal) -> f64 {
    let shape = case.graph.shape(&moved(&case.allocation, &proposal.moves));
    shape.crossing_weight as f64 / shape.weight as f64
}

fn imbalance(case: &Case, proposal: &Proposal) -> f64 {
    let loads = loads(&case.graph, &moved(&case.allocation, &proposal.moves));
    let mean = loads.iter().sum::<f64>() / loads.len() as f64;
    loads.iter().copied().fold(0.0, f64::max) / mean
}

#[test]
fn hash_crosses_with_one_minus_one_over_k() {
    let case = case();
    for name in ["hash", "range"] {
        let crossing = crossing(&case, &ask(name, &case));
        assert!((crossing - 0.875).abs() < 0.02, "{name}: {crossing}");
    }
}

#[test]
fn planted_communities_are_found() {
    let case = case();
    // (strategy, crossing at most, heaviest shard over mean at most)
    let table = [
        ("metis", 0.12, 1.05),
        ("fennel", 0.15, 1.11),
        ("clpa", 0.20, 1.60),
        ("label-propagation", 0.30, 1.11),
        ("txallo-global", 0.15, 1.25),
        ("txallo-adaptive", 0.15, 1.25),
        ("louvain", 0.12, 1.25),
        ("leiden", 0.12, 1.25),
        ("ldg", 0.75, 1.11),
        ("forecast", 0.15, 1.11),
        ("reactive", 0.15, 1.11),
        ("oracle", 0.15, 1.11),
    ];
    let mut broken = Vec::new();
    for (name, most, heaviest) in table {
        let proposal = ask(name, &case);
        let (crossing, imbalance) = (crossing(&case, &proposal), imbalance(&case, &proposal));
        let held = crossing <= most && imbalance <= heaviest;
        broken.extend((!held).then(|| format!("{name}: {crossing:.3} crosses, {imbalance:.3}")));
    }
    assert_eq!(broken, Vec::<String>::new());
    let scheduler = ask("shard-scheduler", &case);
    assert!(crossing(&case, &scheduler) < 0.7, "{}", crossing(&case, &scheduler));
}

#[test]
fn more_passes_are_better() {
    let case = case();
    let passes = |passes| {
        let mut options = partitioning::strategies::fennel::FennelOptions::PUBLISHED;
        options.passes = passes;
        let strategy = Strategy::Fennel(options).build().unwrap();
        crossing(&case, &strategy.propose(&case.problem()).unwrap())
    };
    let (one, five) = (passes(1), passes(5));
    assert!(five < one * 0.8, "{one} after one pass, {five} after five");
}

#[test]
fn weights_matter_for_balance() {
    let mut case = case();
    let weighted = imbalance(&case, &ask("metis", &case));
    case.vertex = partitioning::VertexWeight::Unit;
    let unit = imbalance(&case, &ask("metis", &case));
    assert!(weighted < unit, "{weighted} by load, {unit} by count");
}

#[test]
fn lb_chain_balances_and_saves_no_crossing() {
    // One shard has most of the popular accounts.
    let mut case = case();
    let proposal = ask("lb-chain", &case);
    assert!(imbalance(&case, &proposal) < 1.001);
    assert!(crossing(&case, &proposal) > 0.8);
    case.budget = 20;
    let few = ask("lb-chain", &case);
    assert!(few.moves.len() <= 20);
    assert!(imbalance(&case, &few) < imbalance(&case, &Proposal::default()));
}

#[test]
fn a_degree_only_graph_rewards_nobody() {
    // Without communities even the best partitioner leaves most pairs crossing.
    let case = Case::new(&planted(4_000, 1, 40_000, 0, 5), SHARDS);
    let best = crossing(&case, &ask("metis", &case));
    assert!(best > 0.5, "{best}");
}

#[test]
fn a_second_epoch_of_the_same_traffic_moves_little() {
    let mut case = case();
    for name in ["clpa", "label-propagation", "txallo-adaptive", "fennel", "metis"] {
        let first = ask(name, &case);
        let before = std::mem::replace(
            &mut case.allocation,
            moved(&Case::new(&[], SHARDS).allocation, &first.moves),
        );
        let problem = Problem { epoch: Epoch(1), ..case.problem() };
        let strategy = Strategy::published(name).unwrap().build().unwrap();
        let second = strategy.propose(&problem).unwrap();
        assert!(
            second.moves.len() * 3 < first.moves.len(),
            "{name}: {} moves, then {}",
            first.moves.len(),
            second.moves.len()
        );
        case.allocation = before;
    }
}

#[test]
fn a_budget_takes_the_most_useful_moves() {
    let mut case = case();
    let all = ask("metis", &case);
    case.budget = all.moves.len() / 2;
    let half = ask("metis", &case);
    assert_eq!(half.moves.len(), case.budget);
    let (none, half, all) = (0.875, crossing(&case, &half), crossing(&case, &all));
    assert!(all < half && half < none, "{none} {half} {all}");
}

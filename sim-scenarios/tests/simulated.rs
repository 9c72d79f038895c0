//! The scenarios that ship, shortened, in the simulated world: everything settles, nothing is
//! lost, the same seed gives the same run. Then what ships does not show: slow links, overload,
//! congestion, and networks drawn from a seed.
//!
//! A test that fails prints its seed and the command that repeats it.

mod simulated_support;

use cross_shard_msg::ShardId;
use sim_scenarios::scenario::{EXAMPLES, Scenario};
use simulated_support::{Ran, Replay, run, run_with};
use simulation::CostProfile;

const PROGRAM: &str = "simulated";

const GATES: [&str; 2] = ["network.gate=certified", "network.gate=checkpoint"];

const QUICKSTART: &[&str] = &["phase.warmup.for=500ms", "phase.steady.for=2s"];
const TRANSFERS: &[&str] = &[
    "phase.warmup.for=200ms",
    "phase.intra.for=1s",
    "phase.half.for=1s",
    "phase.cross.for=1s",
    "accounts.count=200",
];
const ERC20: &[&str] = &["phase.steady.for=2s", "accounts.count=24"];

fn example(name: &str) -> &'static str {
    EXAMPLES.iter().find(|example| example.name == name).map(|example| example.text).unwrap()
}

/// A scenario that ships, with changes.
fn shipped(replay: &Replay, name: &str, changes: &[&[&str]]) -> Scenario {
    replay.scenario(example(name), &changes.concat())
}

#[test]
fn the_shipped_scenarios_settle_behind_both_gates() {
    let test = "the_shipped_scenarios_settle_behind_both_gates";
    let replay = Replay::new(PROGRAM, test, 1);
    for (name, short) in [("quickstart", QUICKSTART), ("transfers", TRANSFERS), ("erc20", ERC20)] {
        for gate in GATES {
            let ran = run(&shipped(&replay, name, &[short, &[gate]]));
            ran.assert_all_settled();
            let legs = ran.receipt_legs();
            assert!(legs > 100, "{name} {gate}: only {legs} receipts were executed");
            // Every coordinator sends every checkpoint. Nothing else comes twice, or unexpected.
            let drops = ran.drops();
            assert!(drops.keys().all(|reason| *reason == "duplicate"), "{name} {gate}: {drops:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let replay = Replay::new(PROGRAM, "the_same_seed_gives_the_same_run", 1);
    for (name, short) in [("quickstart", QUICKSTART), ("transfers", TRANSFERS), ("erc20", ERC20)] {
        let scenario = shipped(&replay, name, &[short]);
        let (first, second) = (run(&scenario), run(&scenario));
        assert_eq!(first.simulated.digest, second.simulated.digest, "{name}");
        assert_eq!(first.simulated.events, second.simulated.events, "{name}");
        assert_eq!(first.simulated.observations, second.simulated.observations, "{name}");
        let other = Scenario { seed: replay.seed() + 1, ..scenario };
        assert_ne!(first.simulated.digest, run(&other).simulated.digest, "{name}");
    }
}

#[test]
fn slow_links_lose_nothing() {
    let replay = Replay::new(PROGRAM, "slow_links_lose_nothing", 1);
    let slow = ["network.links.delay=50ms", "network.links.jitter=40ms"];
    for gate in GATES {
        for phase in ["aligned", "random", "staggered"] {
            let phase = format!("network.block_phase={phase}");
            let changes: &[&str] = &[gate, &phase];
            let ran = run(&shipped(&replay, "quickstart", &[QUICKSTART, &slow, changes]));
            ran.assert_all_settled();
        }
    }
    run(&shipped(&replay, "erc20", &[ERC20, &slow])).assert_all_settled();
}

#[test]
fn assumed_signatures_change_no_outcome() {
    let replay = Replay::new(PROGRAM, "assumed_signatures_change_no_outcome", 1);
    for (name, short) in [("quickstart", QUICKSTART), ("erc20", ERC20)] {
        let verified = run(&shipped(&replay, name, &[short]));
        let assumed = run(&shipped(&replay, name, &[short, &["network.signatures=assumed"]]));
        // What is not signed has another hash, and so another key.
        let named = |ran: &Ran| -> Vec<String> {
            ran.outcomes().into_iter().map(|(_, outcome)| outcome).collect()
        };
        assert_eq!(named(&verified), named(&assumed), "{name}");
        assert_eq!(balances_root(&verified), balances_root(&assumed), "{name}");
    }
}

#[test]
fn work_that_takes_time_changes_no_outcome() {
    let replay = Replay::new(PROGRAM, "work_that_takes_time_changes_no_outcome", 1);
    for (name, short) in [("quickstart", QUICKSTART), ("erc20", ERC20)] {
        let scenario = shipped(&replay, name, &[short]);
        let ran = run_with(&scenario, CostProfile::REFERENCE);
        ran.assert_all_settled();
        assert_eq!(ran.outcomes(), run(&scenario).outcomes(), "{name}");
    }
}

#[test]
fn a_trace_settles() {
    let test = "a_trace_settles";
    if cross_shard_msg::testdata::or_skip(test).is_none() {
        return;
    }
    let replay = Replay::new(PROGRAM, test, 3);
    let short = ["phase.replay.load[0].count=500"];
    run(&shipped(&replay, "trace", &[&short])).assert_all_settled();
}

#[test]
fn an_overload_ends_with_named_outcomes() {
    let replay = Replay::new(PROGRAM, "an_overload_ends_with_named_outcomes", 1);
    let overload = [
        "network.bounds.mempool=30",
        // What waits for a transaction that was refused for good must end, too.
        "network.bounds.mempool_time=5s",
        // Eight transfers in a block.
        "network.gas_limit=168_000",
        "network.base_fee_moves=false",
        "client.retry_deadline=3s",
        "phase.steady.load[0].rate=500",
    ];
    for gate in GATES {
        let ran = run(&shipped(&replay, "quickstart", &[QUICKSTART, &overload, &[gate]]));
        ran.assert_complete();
        let counts = ran.counts();
        println!("{gate}: {counts:?}");
        assert!(counts["settled"] > 100 && counts["refused:mempool_full"] > 100, "{counts:?}");
        assert!(counts.keys().all(|name| name == "settled" || name.starts_with("refused:")));
    }
}

#[test]
fn congestion_is_no_deadlock() {
    let replay = Replay::new(PROGRAM, "congestion_is_no_deadlock", 1);
    let congestion = [
        // Everybody calls one contract, which can do with a third of the calls.
        "phase.steady.load[0].instances=1",
        "phase.steady.load[0].rate=500",
        "network.gas_limit=2_000_000",
        "network.bounds.delayed_gas=1_000_000",
        "network.bounds.buffered=200",
        "network.bounds.mempool_time=10s",
        "network.base_fee_moves=false",
        "client.retry_deadline=5s",
    ];
    for gate in GATES {
        let ran = run(&shipped(&replay, "erc20", &[ERC20, &congestion, &[gate]]));
        ran.assert_complete();
        let blocks = ran.simulated.records.blocks.values().flatten();
        let level = blocks.map(|block| block.header.congestion.level).max().unwrap();
        let counts = ran.counts();
        println!("{gate}: level {level}, {counts:?}");
        assert!(level >= 1_000, "{gate}: {level}");
        assert!(counts["settled"] > 100, "{gate}: {counts:?}");
        assert!(counts.keys().all(|name| name == "settled" || name.starts_with("refused:")));
    }
}

#[test]
fn networks_drawn_from_seeds_lose_nothing() {
    let replay = Replay::new(PROGRAM, "networks_drawn_from_seeds_lose_nothing", 1);
    let most = std::env::var("SHARDLAB_SEEDS").map_or(16, |text| text.parse().unwrap());
    for replay in replay.others(1..1 + most) {
        let drawn = Draw(replay.seed().wrapping_mul(0x9e37_79b9_7f4a_7c15)).network();
        let changes: Vec<&str> = drawn.iter().map(String::as_str).collect();
        let scenario = replay.scenario(DRAWN, &changes);
        let ran = run(&scenario);
        println!("seed {}: {changes:?}: {:?}", replay.seed(), ran.counts());
        ran.assert_complete();
        let counts = ran.counts();
        let named = |name: &String| name == "settled" || name.starts_with("refused:");
        assert!(counts.keys().all(named), "{changes:?}: {counts:?}");
    }
}

/// Transfers and calls at once. The rest is drawn.
const DRAWN: &str = r#"
    name = "drawn"
    [accounts]
    count = 40
    [client]
    retry_deadline = "5s"
    drain_timeout = "120s"
    [[phase]]
    name = "steady"
    for = "2s"
    [[phase.load]]
    kind = "transfer"
    rate = 60
    [[phase.load]]
    kind = "call"
    rate = 30
    contract = "erc20"
    instances = 3
    [[phase.load.mix]]
    function = "transfer(address,uint256)"
    args = ["account", "1 gwei"]
    weight = 1
"#;

/// Numbers for a network (splitmix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn network(&mut self) -> Vec<String> {
        let block_time = 20 + self.below(400);
        let mut changes = vec![
            format!("network.shards={}", 1 + self.below(6)),
            format!("network.validators={}", self.of(&["1", "2", "4", "5", "7"])),
            format!("network.block_time={block_time}ms"),
            format!("network.checkpoint_every={}ms", 20 + self.below(block_time * 5)),
            format!("network.gate={}", self.of(&["certified", "checkpoint"])),
            format!("network.block_phase={}", self.of(&["aligned", "staggered", "random"])),
            format!("network.links.delay={}ms", self.below(100)),
            format!("network.links.jitter={}ms", self.below(80)),
            format!("accounts.popularity={}", self.of(&["uniform", "{ zipf = 1.5 }"])),
        ];
        let bounds = [
            ("network.bounds.mempool", self.of(&["10", "100", "1000"])),
            ("network.bounds.nonce_window", self.of(&["2", "8", "64"])),
            ("network.bounds.buffered", self.of(&["3", "30", "1000"])),
            ("network.bounds.waiting_batches", self.of(&["1", "4", "1000"])),
            ("network.bounds.delayed_gas", self.of(&["100_000", "10_000_000"])),
            ("network.bounds.mempool_time", self.of(&["1s", "10s"])),
            ("network.gas_limit", self.of(&["1_000_000", "5_000_000", "60_000_000"])),
            ("network.base_fee_moves", self.of(&["true", "false"])),
            ("phase.steady.load[0].rate", self.of(&["20", "60", "300"])),
            ("phase.steady.load[1].rate", self.of(&["20", "60", "300"])),
            ("phase.steady.load[1].instances", self.of(&["1", "3"])),
        ];
        changes.extend(bounds.map(|(name, value)| format!("{name}={value}")));
        changes
    }
}

/// What all shards hold at the end, in total and apart.
fn balances_root(ran: &Ran) -> Vec<(ShardId, alloy_primitives::B256)> {
    let blocks = &ran.simulated.records.blocks;
    blocks.iter().map(|(shard, all)| (*shard, all.last().unwrap().header.state_root)).collect()
}

//! Epochs in the simulated world: what moves, what is said of it, and that nothing is lost.

use sim_scenarios::metrics::migrations::{EpochRow, MigrationResults};
use sim_scenarios::metrics::{RunData, Verdict, measure};
use sim_scenarios::report::summary;
use sim_scenarios::run::simulate::{SimulateOptions, simulate};
use sim_scenarios::run::{Interrupt, Progress};
use sim_scenarios::scenario::{Places, parse};

const MOVING: &str = r#"
name = "moving"
seed = 3

[network]
shards = 4
validators = 4
block_time = "100ms"
checkpoint_every = "200ms"

[accounts]
count = 60

[partitioning]
strategy = "clpa"
epoch = 4
max_moves = 15
window = 1

[[phase]]
name = "steady"
for = "6s"

[[phase.load]]
kind = "transfer"
rate = 100

[[phase.load]]
kind = "call"
rate = 30
contract = "erc20"
instances = 4

[[phase.load.mix]]
function = "transfer(address,uint256)"
args = ["account", 1]
"#;

const FAULTS: &str = r#"
[[phase.fault]]
kind = "crash"
at = "1s"
node = "shard:1"
restart_after = "500ms"

[[phase.fault]]
kind = "pause"
at = "2s"
node = ["shard:2", "leader"]
for = "700ms"

[[phase.fault]]
kind = "loss"
at = "3s"
from = "shard:*"
to = "*"
share = "20%"
for = "1s"

[[phase.fault]]
kind = "crash"
at = "4s"
node = ["shard:0", "leader"]
restart_after = "300ms"
"#;

fn run(text: &str, set: &[&str]) -> RunData {
    let set: Vec<String> = set.iter().map(ToString::to_string).collect();
    let places = Places { base: ".".into(), data: None };
    let scenario = parse("moving.toml", text, &set, &places).unwrap_or_else(|e| panic!("{e}"));
    let options = SimulateOptions::default();
    simulate(&scenario, &options, &Interrupt::default(), &Progress::new(true)).unwrap()
}

#[track_caller]
fn migrations(run: &RunData) -> MigrationResults {
    let measured = measure(run);
    let results = &measured.results;
    assert_eq!(results.verdict, Verdict::Passed, "{}", summary(&measured));
    let counts = results.total.counts;
    assert_eq!((counts.settled, counts.unfinished), (counts.offered, 0));
    results.migrations.clone().unwrap()
}

#[test]
fn accounts_move_with_all_that_they_have() {
    let run = run(MOVING, &[]);
    let found = migrations(&run);
    assert!(found.arrived > 20 && found.slots > 0 && found.epochs.len() >= 3, "{found:?}");
    // Some may be on their way when the run ends.
    assert_eq!(found.left, found.arrived + found.unfinished());
    assert!(found.moves >= found.left && found.moves <= found.left + 15, "{found:?}");
    assert_eq!(found.stalled.count(), found.arrived);
    assert!(found.failed.is_empty() && found.late.is_empty());
    let executed = measure(&run).results.total.intra + measure(&run).results.total.cross;
    let seen = |epoch: &&EpochRow| epoch.began.is_known() && epoch.over.is_known();
    let epochs: Vec<&EpochRow> = found.epochs.iter().filter(seen).collect();
    let count = |of: fn(&EpochRow) -> u64| epochs.iter().map(|epoch| of(epoch)).sum::<u64>();
    let before_and_during = count(|epoch| {
        epoch.before.intra + epoch.before.cross + epoch.during.intra + epoch.during.cross
    });
    let last = epochs.last().unwrap();
    assert_eq!(before_and_during + last.after.intra + last.after.cross, executed);
    for pair in epochs.windows(2) {
        let after = &pair[0].after;
        let before = &pair[1].before;
        assert_eq!((after.intra, after.cross), (before.intra, before.cross));
    }
    for epoch in &found.epochs {
        let over = epoch.arrived == 0 || epoch.began.time() < epoch.over.time();
        assert!(epoch.moves <= 15 && over, "{epoch:?}");
    }
}

#[test]
fn nothing_is_lost_under_faults() {
    let run = run(&format!("{MOVING}{FAULTS}"), &[]);
    let found = migrations(&run);
    assert!(found.arrived > 20, "{found:?}");
    // Those of the last epoch at most.
    assert!(found.unfinished() <= 15, "{found:?}");
}

#[test]
fn equal_runs_are_equal_and_the_strategy_matters() {
    let digest = |run: &RunData| run.simulation.as_ref().unwrap().digest;
    let [one, again] = [run(MOVING, &[]), run(MOVING, &[])];
    assert_eq!(digest(&one), digest(&again));
    assert_eq!(summary(&measure(&one)).to_string(), summary(&measure(&again)).to_string());
    let hash = run(MOVING, &["partitioning.strategy=hash"]);
    assert_ne!(digest(&one), digest(&hash));
    let found = migrations(&hash);
    assert_eq!((found.moves, found.failed.len()), (0, 0));
    assert!(found.answered > 3, "{found:?}");
}

#[test]
fn a_strategy_that_fails_leaves_everybody_where_they_are() {
    let run = run(MOVING, &["partitioning.strategy={ command = [\"false\"] }"]);
    let found = migrations(&run);
    assert_eq!((found.moves, found.strategy.as_str()), (0, "false"));
    assert!(!found.failed.is_empty());
    let measured = measure(&run);
    let warnings: Vec<&String> = measured.results.warnings.all().collect();
    let said = |text: &str| warnings.iter().any(|warning| warning.contains(text));
    assert!(said("accounts stayed where they were") && said("exit status: 1"), "{warnings:?}");
}

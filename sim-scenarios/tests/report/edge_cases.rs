//! Runs in which little happens, or something is missing.

use cross_shard_msg::{Duration, Event, Gas, NodeId, Refusal, ShardId};
use runtime::process::ProcessReport;
use sim_scenarios::metrics::{MachineUse, ProcessFacts, Verdict, measure};
use sim_scenarios::report::{Style, csv_files, summary, terminal};
use sim_scenarios::run::facts::{CpuUse, MachineFacts};
use sim_scenarios::scenario::Outcome;

use crate::numbers::{SCENARIO, everything};
use crate::world::{BlockPlan, World, ms, own};

const NO_THRESHOLDS: &str = r#"
name = "short"

[network]
shards = 2
validators = 2

[[phase]]
name = "steady"
for = "2s"

[[phase.load]]
kind = "transfer"
rate = 10
"#;

fn report(world: &World) -> String {
    let measured = measure(&world.run);
    // Whatever is missing, both can be made.
    let _ = summary(&measured).to_string();
    terminal(&measured, "runs/x".as_ref(), Style { colour: false })
}

#[test]
fn an_empty_run_passes_without_thresholds_and_fails_with_them() {
    let world = World::new(NO_THRESHOLDS);
    let measured = measure(&world.run);
    assert_eq!(measured.results.verdict, Verdict::Passed);
    assert_eq!(measured.results.total.throughput_tps(), 0.0);
    assert_eq!(measured.results.total.cross_shard_ratio(), None);
    assert!(report(&world).contains("no transaction was executed"));
    assert!(report(&world).contains("! nothing was offered in recorded phases"));

    let strict = World::new(SCENARIO);
    let results = measure(&strict.run).results;
    assert_eq!(results.verdict, Verdict::ThresholdFailed);
    let gate = results.thresholds.iter().find(|it| it.threshold.to_string().contains("gate"));
    assert_eq!(gate.map(|it| (it.measured, it.held)), Some((None, false)));
    assert!(report(&strict).contains("there was nothing to measure"));
}

#[test]
fn a_run_that_did_not_start() {
    let mut world = World::new(NO_THRESHOLDS);
    world.run.networks.clear();
    world.run.died = Some("shard:1 died (signal: 9); the end of its log:\n  a\n  b".to_owned());
    let measured = measure(&world.run);
    assert_eq!(measured.results.verdict, Verdict::NetworkDown);
    assert_eq!(measured.results.verdict.exit() as u8, 3);
    assert!(report(&world).contains("shard:1 died (signal: 9)"));
}

#[test]
fn all_refused() {
    let mut world = World::new(NO_THRESHOLDS);
    for (due, refusal) in [(1, Refusal::FeeTooLow), (2, Refusal::FeeTooLow), (3, Refusal::ChainId)]
    {
        let tx = world.plan(0, due, 0);
        world.submit(tx, due, due, 1);
        world.refuse(tx, due + 5, refusal);
    }
    let results = measure(&world.run).results;
    assert_eq!((results.total.counts.offered, results.total.counts.refused), (3, 3));
    assert_eq!(results.total.counts.admitted, 0);
    let by = [(Refusal::ChainId, 1), (Refusal::FeeTooLow, 2)];
    assert_eq!(results.total.refused_by, by.into());
    assert!(report(&world).contains("chain id 1, fee too low 2"));
}

#[test]
fn interrupted_with_a_schedule_that_was_not_reached() {
    let mut world = World::new(NO_THRESHOLDS);
    world.run.interrupted = true;
    world.network().end = ms(500);
    // Phases began 400 ms after the network: what was planned at 200 ms was due at 600 ms.
    let sent = world.plan(0, 50, 0);
    world.submit(sent, 451, 450, 1);
    let due = world.plan(0, 90, 0);
    let later = world.plan(0, 200, 0);
    let measured = measure(&world.run);
    let lives = &measured.networks[0].lifecycles;
    assert_eq!(lives[due].scheduled, ms(490));
    assert_eq!([sent, due, later].map(|tx| lives[tx].due), [true, true, false]);
    let counts = measured.results.total.counts;
    assert_eq!((counts.offered, counts.unfinished, counts.not_due), (3, 3, 1));
    assert_eq!(measured.results.verdict, Verdict::Interrupted);
    assert!(report(&world).starts_with("INTERRUPTED  short\n"));
}

#[test]
fn what_was_executed_is_not_refused() {
    // The client gave up, but a mempool had the transaction.
    let mut world = World::new(NO_THRESHOLDS);
    let tx = world.send(0, [1, 1, 2], 0);
    world.refuse(tx, 100, Refusal::Expired);
    let at = [200, 201, 202];
    let block = BlockPlan { at, waiting: 0, enters: &[], legs: &[own(tx, 0)], releases: &[] };
    world.block(0, &block);
    let measured = measure(&world.run);
    assert_eq!(measured.networks[0].lifecycles[tx].outcome, Outcome::Settled);
}

#[test]
fn lost_observations_mark_the_run() {
    let mut world = World::new(NO_THRESHOLDS);
    let tx = world.send(0, [1, 1, 2], 0);
    let at = [200, 201, 202];
    let block = BlockPlan { at, waiting: 0, enters: &[], legs: &[own(tx, 0)], releases: &[] };
    world.unobserved_block(0, &block);
    let lost = ProcessReport { lost_observations: 3, ..ProcessReport::default() };
    let facts = ProcessFacts { report: Some(lost), ..ProcessFacts::default() };
    world.network().processes.insert(NodeId::Shard(ShardId(0)), facts);
    let measured = measure(&world.run);
    let life = &measured.networks[0].lifecycles[tx];
    assert_eq!((life.outcome, life.settlement()), (Outcome::Settled, None));
    assert_eq!(measured.results.incomplete.len(), 2);
    assert!(report(&world).contains("incomplete: shard:0 could not write 3 observations"));
    assert!(summary(&measured).to_string().contains("\"incomplete\": true"));
}

#[test]
fn a_broken_invariant_comes_first() {
    let mut world = everything();
    world.run.interrupted = true;
    let chain = world.network().records.blocks.get_mut(&ShardId(0)).unwrap();
    std::sync::Arc::make_mut(&mut chain[1]).body.incoming.clear();
    let results = measure(&world.run).results;
    assert_eq!(results.verdict, Verdict::InvariantBroken);
    assert_eq!(results.verdict.exit() as u8, 4);
    assert!(report(&world).contains("✗ invariant broken: exactly_once"));
}

#[test]
fn assumed_signatures_are_in_the_first_line() {
    let assumed = SCENARIO.replace("[network]", "[network]\nsignatures = \"assumed\"");
    let text = report(&World::new(&assumed));
    assert!(text.lines().next().unwrap().contains("signatures assumed"), "{text}");
}

#[test]
fn a_late_generator_and_growing_queues_are_told() {
    let mut world = World::new(NO_THRESHOLDS);
    world.network().end = ms(4_000);
    // 100 a second for 2 s, each 100 ms late; one in a block of 100 ms is executed.
    let all: Vec<usize> = (0..200)
        .map(|index| {
            let due = 1_000 + index * 10;
            world.send(0, [due, due + 100, due + 101], 0)
        })
        .collect();
    for (tx, index) in all.iter().zip(0..30_u64).map(|(tx, index)| (*tx, index)) {
        let start = 1_150 + index * 100;
        world.block(
            0,
            &BlockPlan {
                at: [start, start + 1, start + 2],
                waiting: (index * 9) as u32,
                enters: &[],
                legs: &[own(tx, 0)],
                releases: &[],
            },
        );
    }
    let results = measure(&world.run).results;
    let warnings = &results.warnings.run;
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert!(warnings[0].starts_with("the load generator lagged: 99 % of"), "{}", warnings[0]);
    assert!(warnings[1].starts_with("phase steady: the network was saturated"), "{}", warnings[1]);
    assert!(warnings[2].starts_with("170 transactions, 85.0 % of those offered, did not finish"));
    assert!(warnings[3].starts_with("30 transactions, 15.0 % of those offered, settled but were"));
    assert!(report(&world).contains("  ! the load generator lagged"));
}

#[test]
fn a_late_timer_is_the_machines_fault() {
    let mut world = World::new(NO_THRESHOLDS);
    let late = ProcessReport { timer_lag_p99_us: 30_000, ..ProcessReport::default() };
    let facts = ProcessFacts { report: Some(late), ..ProcessFacts::default() };
    world.network().processes.insert(NodeId::Shard(ShardId(1)), facts);
    let measured = measure(&world.run);
    assert_eq!(measured.results.warnings.machine.len(), 1);
    // It depends on the machine, so the summary does not have it.
    assert!(!measured.results.warnings.run.iter().any(|text| text.contains("timers")));
    assert!(!summary(&measured).to_string().contains("timers"));
}

#[test]
fn a_key_that_nobody_planned_is_not_a_transaction() {
    let mut world = everything();
    let key = cross_shard_msg::TransactionKey(5);
    world.observe(NodeId::Shard(ShardId(0)), 5, Event::Admitted { key });
    assert_eq!(measure(&world.run).results.total.counts.admitted, 8);
}

#[test]
fn large_numbers_fit_a_hundred_columns() {
    let two = format!("{NO_THRESHOLDS}\n[[phase]]\nname = \"{}\"\nfor = \"1s\"\n", "p".repeat(40));
    let mut world = World::new(&two);
    world.run.died = Some("word ".repeat(60));
    let mut measured = measure(&world.run);
    for row in &mut measured.results.by_shard {
        row.blocks = 86_400;
        row.transactions = 1_234_567;
        (row.receipts_in, row.receipts_out) = (2_345_678, 2_345_678);
        (row.gas_used, row.gas_limit) = (Gas(100), Gas(100));
        row.mempool_max = 200_000;
        (row.delayed_max, row.buffered_max) = (200_000, 200_000);
        row.receipt_bytes = 1_023 << 20;
    }
    measured.results.total.counts.offered = 1_234_567;
    measured.results.warnings.run.push("a long warning ".repeat(20));
    let text = terminal(&measured, "runs/x".as_ref(), Style { colour: false });
    assert!(text.contains("pppp"));
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn several_networks_are_put_together() {
    let mut world = everything();
    let mut second = everything();
    world.run.networks.append(&mut second.run.networks);
    world.run.networks[0].label = 46_147;
    world.run.networks[1].label = 9_069_000;
    let measured = measure(&world.run);
    let results = &measured.results;
    assert_eq!((results.total.counts.offered, results.total.counts.settled), (20, 8));
    assert_eq!(results.total.span, Duration::from_millis(1_200));
    assert_eq!((results.checkpoints.finalized, results.checkpoints.interval.count()), (4, 2));
    assert_eq!(results.by_shard[0].blocks, 4);
    let mut table = Vec::new();
    csv_files::checkpoints(&measured, &mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    let networks: Vec<&str> =
        table.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(networks, ["46147", "46147", "9069000", "9069000"]);
}

#[test]
fn what_the_machine_gave_is_told() {
    let mut world = everything();
    let facts =
        MachineFacts { system: "linux".to_owned(), processor: None, cores: 2, memory_kib: None };
    world.run.machine = Some(MachineUse {
        facts,
        started: "2026-11-21T00:00:00Z".to_owned(),
        measured: Duration::from_millis(500),
        durations: Vec::new(),
    });
    let cpu = CpuUse { seconds: 0.95, waited_seconds: 0.2 };
    let process = ProcessFacts { measured: Some(cpu), ..ProcessFacts::default() };
    world.network().processes.insert(NodeId::Client, process);
    let text = report(&world);
    assert!(text.contains("0.9 CPU-seconds from the first scheduled"), "{text}");
    let results = measure(&world.run).results;
    let [used, waited] = &results.warnings.machine[..] else { panic!("{:?}", results.warnings) };
    assert!(used.contains("0.9 CPU-seconds of 1.0 on 2 cores were used"), "{used}");
    assert!(waited.contains("threads of client were ready, but waited"), "{waited}");
}

//! The numbers of a run in which everything happens, computed by hand.

use cross_shard_msg::{DropReason, ValidatorIndex};
use cross_shard_msg::{Duration, Event, Failure, NodeId, ReceiptKind, Refusal, ShardId, View};
use sim_scenarios::metrics::results::Counts;
use sim_scenarios::metrics::{Class, Measured, Verdict, measure};
use sim_scenarios::scenario::{Outcome, Scope, Span, Statistic};

use crate::world::{BlockPlan, World, call, own, refund};

pub const SCENARIO: &str = r#"
name = "by-hand"
seed = 7

[network]
shards = 2
validators = 2

[[phase]]
name = "warmup"
for = "100ms"
record = false

[[phase]]
name = "steady"
for = "2s"

[[phase.load]]
kind = "transfer"
rate = 10

[thresholds]
"steady: cross_shard.p99" = "<= 201ms"
"transactions.settled" = [">= 40%", "== 4"]
"cross_shard.gate.max" = "< 10ms"
"cross_shard_ratio" = "> 50%"
"checkpoints.finalized" = ">= 2"
"#;

/// Positions of the transactions, in the order in which [`everything`] plans them.
pub const WARM: usize = 0;
pub const SETUP: usize = 1;
pub const INTRA: usize = 2;
pub const CROSS: usize = 3;
pub const FAILED: usize = 4;
pub const REFUSED: usize = 5;
pub const REPLACED: usize = 6;
pub const WAITING: usize = 7;
pub const IN_FLIGHT: usize = 8;
pub const NOT_DUE: usize = 9;
pub const CREATION: usize = 10;
pub const TWO_HOPS: usize = 11;

/// Two shards. Shard 0 makes blocks at 200 and 400 ms, shard 1 at 150 and 300 ms.
pub fn everything() -> World {
    let mut world = World::new(SCENARIO);
    for (expected, (phase, times, source)) in [
        (WARM, (0, [0, 1, 2], 0)),
        (SETUP, (0, [0, 1, 2], 1)),
        (INTRA, (1, [100, 101, 102], 0)),
        (CROSS, (1, [110, 110, 111], 0)),
        (FAILED, (1, [120, 125, 126], 1)),
    ] {
        assert_eq!(world.send(phase, times, source), expected);
    }
    world.network().transactions[SETUP].setup = true;
    assert_eq!(world.plan(1, 130, 0), REFUSED);
    world.submit(REFUSED, 131, 130, 1);
    world.submit(REFUSED, 136, 130, 2);
    world.refuse(REFUSED, 139, Refusal::NonceTooLow);
    assert_eq!(world.send(1, [140, 140, 141], 0), REPLACED);
    world.refuse(REPLACED, 300, Refusal::Replaced);
    assert_eq!(world.send(1, [150, 150, 151], 0), WAITING);
    assert_eq!(world.send(1, [155, 155, 156], 0), IN_FLIGHT);
    assert_eq!(world.plan(1, 10_000, 0), NOT_DUE);
    assert_eq!(world.send(1, [170, 171, 172], 1), CREATION);
    assert_eq!(world.send(1, [160, 160, 161], 0), TWO_HOPS);

    world.block(
        1,
        &BlockPlan {
            at: [150, 151, 152],
            waiting: 1,
            enters: &[],
            legs: &[own(SETUP, 0), own(FAILED, 1)],
            releases: &[(0, FAILED, ReceiptKind::Call, 1)],
        },
    );
    world.batch(0, 1, 1, [160, 170]);
    world.block(
        0,
        &BlockPlan {
            at: [200, 203, 205],
            waiting: 3,
            enters: &[(1, 1)],
            legs: &[
                call(FAILED, 1, 1).fails(Failure::Revert),
                own(WARM, 0),
                own(INTRA, 0),
                own(CROSS, 1),
                own(TWO_HOPS, 1),
            ],
            releases: &[
                (1, FAILED, ReceiptKind::Refund, 1),
                (1, CROSS, ReceiptKind::Call, 1),
                (1, TWO_HOPS, ReceiptKind::Call, 1),
            ],
        },
    );
    world.batch(1, 0, 1, [215, 216]);
    world.block(
        1,
        &BlockPlan {
            at: [300, 306, 308],
            waiting: 0,
            enters: &[(0, 1)],
            legs: &[
                refund(FAILED, 0),
                call(CROSS, 0, 0),
                call(TWO_HOPS, 0, 1),
                own(CREATION, 0).creates(1),
            ],
            releases: &[(0, TWO_HOPS, ReceiptKind::Call, 2)],
        },
    );
    world.batch(0, 1, 2, [318, 320]);
    world.block(
        0,
        &BlockPlan {
            at: [400, 404, 406],
            waiting: 1,
            enters: &[(1, 2)],
            legs: &[call(TWO_HOPS, 1, 0), own(IN_FLIGHT, 1)],
            releases: &[(1, IN_FLIGHT, ReceiptKind::Call, 2)],
        },
    );
    world.checkpoint(440, &[460, 455], &[(0, 1, 1), (1, 1, 1)]);
    world.checkpoint(680, &[700, 705], &[(0, 2, 2), (1, 2, 2)]);
    for coordinator in [0, 1] {
        let node = NodeId::Coordinator(ValidatorIndex(coordinator));
        let event = Event::ViewNullified { view: View(2), leader: ValidatorIndex(1) };
        world.observe(node, 600, event);
    }
    let reason = DropReason::Duplicate;
    world.observe(NodeId::Shard(ShardId(1)), 220, Event::Dropped { reason });
    world
}

fn milliseconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.0 as f64 / 1e6)
}

#[test]
fn each_transaction_has_its_outcome_and_its_times() {
    let world = everything();
    let measured = measure(&world.run);
    let lives = &measured.networks[0].lifecycles;
    let table = [
        // Outcome, class, then inclusion, cross-shard, settlement, finality.
        (WARM, Outcome::Settled, Some(Class::Intra), [Some(202.), None, Some(203.), Some(455.)]),
        (SETUP, Outcome::Settled, Some(Class::Intra), [Some(150.), None, Some(151.), Some(455.)]),
        (INTRA, Outcome::Settled, Some(Class::Intra), [Some(102.), None, Some(103.), Some(355.)]),
        (
            CROSS,
            Outcome::Settled,
            Some(Class::Cross),
            [Some(93.), Some(103.), Some(196.), Some(590.)],
        ),
        (
            FAILED,
            Outcome::Failed,
            Some(Class::Cross),
            [Some(26.), Some(52.), Some(186.), Some(580.)],
        ),
        (REFUSED, Outcome::Refused, None, [None; 4]),
        (REPLACED, Outcome::Replaced, None, [None; 4]),
        (WAITING, Outcome::Unfinished, None, [None; 4]),
        (IN_FLIGHT, Outcome::Unfinished, Some(Class::Cross), [Some(249.), None, None, None]),
        (NOT_DUE, Outcome::Unfinished, None, [None; 4]),
        (
            CREATION,
            Outcome::Settled,
            Some(Class::Intra),
            [Some(135.), None, Some(530.), Some(530.)],
        ),
        (
            TWO_HOPS,
            Outcome::Settled,
            Some(Class::Cross),
            [Some(43.), Some(201.), Some(244.), Some(540.)],
        ),
    ];
    assert_eq!(lives.len(), table.len());
    for (tx, outcome, class, latencies) in table {
        let life = &lives[tx];
        assert_eq!((life.outcome, life.class), (outcome, class), "{tx}");
        let found = [life.inclusion(), life.cross_shard(), life.settlement(), life.finality()];
        assert_eq!(found.map(milliseconds), latencies, "{tx}");
        assert_eq!(life.due, tx != NOT_DUE, "{tx}");
    }
    assert_eq!(lives[REFUSED].attempts, 2);
    assert_eq!(lives[REFUSED].refusal, Some(Refusal::NonceTooLow));
    assert_eq!(lives[FAILED].failure, Some(Failure::Revert));
    assert_eq!((lives[FAILED].shards, lives[FAILED].legs), (2, 3));
}

#[test]
fn stages_of_one_hop_and_of_two() {
    let world = everything();
    let measured = measure(&world.run);
    // Release, network, gate, queue, execution.
    for (tx, stages) in
        [(CROSS, [2, 10, 1, 84, 6]), (FAILED, [1, 8, 10, 30, 3]), (TWO_HOPS, [4, 20, 3, 164, 10])]
    {
        let life = &measured.networks[0].lifecycles[tx];
        let found = life.stages.expect("all times are known");
        assert_eq!(found.0, stages.map(Duration::from_millis), "{tx}");
        assert_eq!(Some(found.total()), life.cross_shard(), "{tx}");
    }
}

#[test]
fn only_recorded_transactions_are_counted() {
    let world = everything();
    let Measured { results, .. } = measure(&world.run);
    let total = &results.total;
    let counts = Counts {
        offered: 10,
        admitted: 8,
        refused: 1,
        settled: 4,
        failed: 1,
        replaced: 1,
        unfinished: 3,
        not_due: 1,
    };
    assert_eq!(total.counts, counts);
    assert_eq!((total.intra, total.cross), (2, 4));
    // From 100 ms to the placement at 700 ms.
    assert_eq!(total.span, Duration::from_millis(600));
    assert_eq!(format!("{:.3}", total.throughput_tps()), "6.667");
    assert_eq!(total.shards_touched, [(1, 3), (2, 3)].into());
    assert_eq!(results.setup, (1, 1));
    assert_eq!(results.phases.len(), 1);
    assert_eq!(results.phases[0].counts, counts);
    for (span, scope, count, max) in [
        (Span::Inclusion, Scope::All, 6, 249.),
        (Span::Inclusion, Scope::Cross, 4, 249.),
        (Span::CrossShard, Scope::All, 3, 201.),
        (Span::CrossShard, Scope::Intra, 0, f64::NAN),
        (Span::Settlement, Scope::All, 4, 530.),
        (Span::Settlement, Scope::Cross, 2, 244.),
        (Span::Finality, Scope::Intra, 2, 530.),
        (Span::Finality, Scope::Cross, 2, 590.),
    ] {
        let distribution = total.latency(span, scope);
        assert_eq!(distribution.count(), count, "{span} {scope}");
        let found = milliseconds(distribution.time(Statistic::Max));
        assert_eq!(found, (!max.is_nan()).then_some(max), "{span} {scope}");
    }
}

#[test]
fn shards_and_checkpoints() {
    let world = everything();
    let Measured { results, .. } = measure(&world.run);
    let loads: Vec<f64> = results.by_shard.iter().map(|row| row.load).collect();
    // Intra 1; cross 2 shared by two shards; in flight 2 on the one shard that it reached.
    assert_eq!(loads, [1. + 1. + 1. + 2. + 1., 1. + 1. + 1. + 1.]);
    let row = &results.by_shard[1];
    assert_eq!((row.blocks, row.transactions), (2, 3));
    assert_eq!((row.receipts_in, row.receipts_out, row.failed), (3, 2, 0));
    assert_eq!(row.mempool_max, 1);
    assert_eq!(results.by_shard[0].failed, 1);
    let checkpoints = &results.checkpoints;
    assert_eq!((checkpoints.finalized, checkpoints.view_changes), (2, 1));
    assert_eq!(milliseconds(checkpoints.latency.time(Statistic::Max)), Some(20.));
    assert_eq!(milliseconds(checkpoints.interval.time(Statistic::Max)), Some(245.));
}

#[test]
fn thresholds_decide() {
    let world = everything();
    let Measured { results, .. } = measure(&world.run);
    let found: Vec<(String, bool)> = results
        .thresholds
        .iter()
        .map(|result| (result.threshold.to_string(), result.held))
        .collect();
    let expected = [
        ("steady: cross_shard.p99 <= 201ms", true),
        ("transactions.settled >= 40%", true),
        ("transactions.settled == 4", true),
        ("cross_shard.gate.max < 10ms", false),
        ("cross_shard_ratio > 0.5", true),
        ("checkpoints.finalized >= 2", true),
    ];
    let expected = expected.map(|(text, held)| (text.to_owned(), held));
    assert_eq!(found, expected);
    assert!(results.invariants.iter().all(|result| result.held()), "{:?}", results.invariants);
    assert_eq!(results.verdict, Verdict::ThresholdFailed);
}

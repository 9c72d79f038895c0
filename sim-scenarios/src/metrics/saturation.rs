//! Plain warnings where a run was limited by something else than the protocol: a load generator
//! that was late, queues that grew, a machine without time left, a run that ended before its
//! transactions. Each is measured, against a bound that is named here.

use std::collections::BTreeMap;

use cross_shard_msg::{Duration, NodeId, Refusal, Timestamp};

use super::input::{MachineUse, ProcessFacts, RunData};
use super::joined::Joined;
use super::migrations::MigrationResults;
use super::results::{PhaseResults, Results};

/// The load generator lagged if its 99th percentile is above this.
pub const GENERATOR_LAG_BOUND: Duration = Duration::from_millis(50);
/// The machine was the bottleneck if the 99th percentile of a node's timers was later than this.
pub const TIMER_LAG_BOUND: Duration = Duration::from_millis(20);
/// The machine was the bottleneck if processes used this share of all cores.
pub const CPU_SHARE_BOUND: f64 = 0.9;
/// The machine was the bottleneck if a process's threads together waited for a core for this share
/// of the time.
pub const RUN_QUEUE_SHARE_BOUND: f64 = 0.2;
/// The network was saturated if, of what was due in the second half of a phase, less than this
/// share came to an end in that half, and queues grew.
pub const DONE_SHARE_BOUND: f64 = 0.9;
/// Queues grew if, from the second to the last quarter of a phase, they grew by this share of what
/// was due in its second half.
pub const QUEUE_GROWTH_BOUND: f64 = 0.05;
/// The network was saturated if full queues refused this share of what was offered.
pub const FULL_SHARE_BOUND: f64 = 0.01;
/// Most different failures of a strategy that are told; partitioner.csv has all of them.
const MOST_FAILURES: usize = 3;
/// Below so many transactions in half a phase, saturation is not judged.
pub const FEWEST_JUDGED: u64 = 20;

/// What limited the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// From observations: the load generator, the network.
    pub run: Vec<String>,
    /// About the machine.
    pub machine: Vec<String>,
}

impl Warnings {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.run.iter().chain(&self.machine)
    }
}

pub(super) fn warnings(run: &RunData, networks: &[Joined<'_>], results: &Results) -> Warnings {
    let mut warnings = Warnings::default();
    warnings.run.extend(run.scenario.byzantine_warning());
    warnings.run.extend(run.lost.iter().cloned());
    warnings.run.extend(generator(&results.total));
    for (phase, index) in run.scenario.phases.iter().zip(0..).filter(|(phase, _)| phase.record) {
        let grown = networks.iter().filter_map(|network| Load::of(index, network)?.saturation());
        warnings.run.extend(grown.map(|text| format!("phase {}: {text}", phase.name)));
    }
    warnings.run.extend(full_queues(results));
    warnings.run.extend(left_out(&results.total));
    warnings.run.extend(results.migrations.iter().flat_map(migrations));
    warnings.machine.extend(strategy_failures(run));
    warnings.machine.extend(timers(run));
    warnings.machine.extend(run.machine.as_ref().and_then(|machine| cpu(run, machine)));
    warnings.machine.extend(run.machine.as_ref().and_then(|machine| run_queue(run, machine)));
    warnings
}

/// Epochs without an answer, and accounts that are nowhere.
fn migrations(results: &MigrationResults) -> Vec<String> {
    let mut texts = Vec::new();
    if !results.failed.is_empty() {
        let epochs: Vec<String> = results.failed.iter().map(ToString::to_string).collect();
        texts.push(format!(
            "the strategy failed after epoch {}: accounts stayed where they were",
            epochs.join(", ")
        ));
    }
    if !results.late.is_empty() {
        let epochs: Vec<String> = results.late.iter().map(ToString::to_string).collect();
        texts.push(format!(
            "the strategy's answer about epoch {} came when the next epoch was over: nobody moved; \
             longer epochs give it more time",
            epochs.join(", ")
        ));
    }
    let open = results.unfinished();
    if open > 0 {
        texts.push(format!("{open} accounts had not arrived at their new home when the run ended"));
    }
    texts
}

/// What a strategy says that failed. The same failure is said once.
fn strategy_failures(run: &RunData) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let questions = run.networks.iter().flat_map(|network| &network.questions);
    for failure in questions.filter_map(|asked| asked.failure.as_ref()) {
        let text = format!("the strategy failed: {}", failure.replace('\n', " | "));
        if !texts.contains(&text) && texts.len() < MOST_FAILURES {
            texts.push(text);
        }
    }
    texts
}

fn generator(total: &PhaseResults) -> Option<String> {
    let lag = total.generator_lag.quantile(0.99).filter(|lag| *lag > GENERATOR_LAG_BOUND)?;
    Some(format!(
        "the load generator lagged: 99 % of transactions were sent within {} ms of their time \
         (bound: {} ms)",
        lag.as_millis(),
        GENERATOR_LAG_BOUND.as_millis()
    ))
}

/// What was due in a phase, and what came to an end meanwhile.
struct Load {
    /// From the first to the last scheduled transaction.
    length: Duration,
    /// Due in the second half.
    due: u64,
    /// Of the same phase, ended in the second half.
    done: u64,
    /// What waited in queues, as the sum over shards of the mean over blocks, in the second and in
    /// the last quarter.
    queues: (f64, f64),
}

impl Load {
    /// `None` when the phase has no length.
    fn of(phase: u16, network: &Joined<'_>) -> Option<Self> {
        let own = || network.transactions().filter(|(info, _)| !info.setup && info.phase == phase);
        let first = own().map(|(_, life)| life.scheduled).min()?;
        let last = own().map(|(_, life)| life.scheduled).max()?.min(network.data.end);
        let length = last.since(first);
        let quarter = length.divided(4);
        if quarter == Duration::ZERO {
            return None;
        }
        let point = |quarters: u64| first + quarter.times(quarters);
        let late = |time: Timestamp| time > point(2) && time <= last;
        let ended = own().filter_map(|(_, life)| life.ended().time());
        Some(Self {
            length,
            due: own().filter(|(_, life)| late(life.scheduled)).count() as u64,
            done: ended.filter(|time| late(*time)).count() as u64,
            queues: (queues(network, point(1), point(2)), queues(network, point(3), last)),
        })
    }

    fn saturation(&self) -> Option<String> {
        let due = self.due as f64;
        let slow = (self.done as f64) < due * DONE_SHARE_BOUND;
        let grew = self.queues.1 - self.queues.0 > due * QUEUE_GROWTH_BOUND;
        if self.due < FEWEST_JUDGED || !slow || !grew {
            return None;
        }
        let half = self.length.0 as f64 / 2e9;
        Some(format!(
            "the network was saturated: in the second half {:.0} transactions per second were \
             offered and {:.0} came to an end, and queues grew from {:.0} to {:.0}; latencies \
             depend on how long the load lasts",
            due / half,
            self.done as f64 / half,
            self.queues.0,
            self.queues.1
        ))
    }
}

/// Mean length of all queues of a shard over the blocks of a time, summed over shards.
fn queues(network: &Joined<'_>, from: Timestamp, to: Timestamp) -> f64 {
    let of_shard = |shard| {
        let rows = network.blocks.of(shard).iter();
        let inside = rows.filter(|row| {
            row.executed.time().is_some_and(|executed| executed > from && executed <= to)
        });
        let (blocks, sum) = inside.fold((0_u64, 0_u64), |(blocks, sum), row| {
            let congestion = &row.block.header.congestion;
            let waiting = u64::from(row.waiting.unwrap_or(0));
            (blocks + 1, sum + waiting + congestion.delayed + congestion.buffered)
        });
        if blocks == 0 { 0.0 } else { sum as f64 / blocks as f64 }
    };
    network.data.records.settings.shard_ids().map(of_shard).sum()
}

fn full_queues(results: &Results) -> Option<String> {
    let count = |refusal| results.refusals.get(&refusal).copied().unwrap_or(0);
    let (full, congested) = (count(Refusal::MempoolFull), count(Refusal::Congested));
    let offered = results.total.counts.offered;
    let many = (full + congested) as f64 > offered as f64 * FULL_SHARE_BOUND;
    (full + congested > 0 && many).then(|| {
        format!(
            "the network was saturated: shards refused {full} times because a mempool was full and \
             {congested} times because the recipient's shard was congested"
        )
    })
}

/// What distributions do not show, because it had not ended when the run did.
fn left_out(total: &PhaseResults) -> Vec<String> {
    let mut texts = Vec::new();
    let counts = &total.counts;
    if counts.offered == 0 {
        texts.push("nothing was offered in recorded phases: nothing was measured".to_owned());
    }
    let share = |count: u64| count as f64 * 100.0 / counts.offered as f64;
    let open = counts.unfinished - counts.not_due;
    if open > 0 {
        texts.push(format!(
            "{open} transactions, {:.1} % of those offered, did not finish: latencies are of the \
             others only, and lower than they would be",
            share(open)
        ));
    }
    let not_final = counts.settled.saturating_sub(total.finality.all.count());
    if not_final > 0 {
        texts.push(format!(
            "{not_final} transactions, {:.1} % of those offered, settled but were not finalized \
             when the run ended: finality is of the others only",
            share(not_final)
        ));
    }
    texts
}

fn all_processes(run: &RunData) -> impl Iterator<Item = (&NodeId, &ProcessFacts)> {
    run.networks.iter().flat_map(|network| &network.processes)
}

fn timers(run: &RunData) -> Option<String> {
    let undisturbed = all_processes(run).filter(|(_, facts)| !facts.disturbed);
    let lags = undisturbed.filter_map(|(node, facts)| {
        Some((Duration::from_micros(facts.report.as_ref()?.timer_lag_p99_us), node))
    });
    let (lag, node) = lags.max_by_key(|(lag, _)| *lag).filter(|(lag, _)| *lag > TIMER_LAG_BOUND)?;
    Some(format!(
        "the machine was the bottleneck: 1 % of the timers of {node} were handled more than {} ms \
         late (bound: {} ms)",
        lag.as_millis(),
        TIMER_LAG_BOUND.as_millis()
    ))
}

fn cpu(run: &RunData, machine: &MachineUse) -> Option<String> {
    let wall = machine.measured.0 as f64 / 1e9;
    let used: f64 =
        all_processes(run).filter_map(|(_, facts)| facts.measured).map(|cpu| cpu.seconds).sum();
    let cores = machine.facts.cores as f64;
    (wall > 0.0 && used >= wall * cores * CPU_SHARE_BOUND).then(|| {
        format!(
            "the machine was the bottleneck: {used:.1} CPU-seconds of {:.1} on {cores} cores were \
             used",
            wall * cores
        )
    })
}

fn run_queue(run: &RunData, machine: &MachineUse) -> Option<String> {
    let wall = machine.measured.0 as f64 / 1e9;
    let mut waited: BTreeMap<NodeId, f64> = BTreeMap::new();
    for (node, facts) in all_processes(run) {
        *waited.entry(*node).or_default() += facts.measured.map_or(0.0, |cpu| cpu.waited_seconds);
    }
    let (node, most) = waited.into_iter().max_by(|one, two| one.1.total_cmp(&two.1))?;
    (wall > 0.0 && most > wall * RUN_QUEUE_SHARE_BOUND).then(|| {
        format!(
            "the machine was the bottleneck: threads of {node} were ready, but waited for a core, \
             for {most:.1} s of {wall:.1} s"
        )
    })
}

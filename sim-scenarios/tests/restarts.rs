//! Whole networks of processes in which nodes are killed, started again and paused (R-REC-1 to
//! R-REC-5).
//!
//! The launcher starts its children from its own program: this one also plays their roles.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use consensus::Record;
use consensus::vote::Kind;
use coordinator::CoordinatorRecord;
use cross_shard_msg::{Duration as Span, NodeId, ShardId, Timestamp, ValidatorIndex};
use partitioning::Allocation;
use runtime::clock::RunClock;
use runtime::drive::{Surroundings, drive};
use runtime::observations::ObservationLog;
use runtime::process::tell_address;
use runtime::records::{Durability, RecordLog, read_records};
use sim_scenarios::client::{Client, ClientConfig, ClientProgress, Ended};
use sim_scenarios::launch::{NodeFacts, Processes, Started, run_node, start_network};
use sim_scenarios::run::collect::{Collected, collect};
use sim_scenarios::run::prepare::prepare;
use sim_scenarios::scenario::{Places, parse};
use sim_scenarios::workload::Workers;
use simulation::checkers;

const SCENARIO: &str = r#"
name = "restarts"

[network]
shards = 2
validators = 4
block_time = "150ms"
checkpoint_every = "400ms"

[network.bounds]
mempool_time = "10s"

[accounts]
count = 40

[[phase]]
name = "steady"
for = "4s"

[[phase.load]]
kind = "transfer"
rate = 60
"#;

const LOOK: Duration = Duration::from_millis(10);
/// A network that takes longer is stuck.
const PATIENCE: Span = Span::from_secs(90);

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let Some("shard-node" | "coordinator") = arguments.next().as_deref() {
        let file = arguments.next().expect("a node file");
        if let Err(error) = run_node(Path::new(&file)) {
            eprintln!("{error}");
            std::process::exit(1);
        }
        return;
    }
    let tests: [(&str, fn()); 4] = [
        ("a_killed_shard_comes_back", a_killed_shard_comes_back),
        ("a_killed_coordinator_never_votes_twice", a_killed_coordinator_never_votes_twice),
        ("everybody_dies_in_turn", everybody_dies_in_turn),
        ("a_paused_shard_goes_on", a_paused_shard_goes_on),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
}

const SHARD: NodeId = NodeId::Shard(ShardId(1));
const COORDINATOR: NodeId = NodeId::Coordinator(ValidatorIndex(2));

/// What is done to a network, and when: milliseconds after the load begins.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill(NodeId),
    Restart(NodeId),
    Pause(NodeId),
    Resume(NodeId),
}

fn a_killed_shard_comes_back() {
    let left = run(&[(1_000, Fault::Kill(SHARD)), (2_000, Fault::Restart(SHARD))]);
    left.is_whole();
}

fn a_killed_coordinator_never_votes_twice() {
    let left = run(&[
        (900, Fault::Kill(COORDINATOR)),
        (1_900, Fault::Restart(COORDINATOR)),
        (2_600, Fault::Kill(COORDINATOR)),
        (2_650, Fault::Restart(COORDINATOR)),
    ]);
    left.is_whole();
    left.voted_once();
}

fn everybody_dies_in_turn() {
    let nodes = (0..2)
        .map(|shard| NodeId::Shard(ShardId(shard)))
        .chain((0..4).map(|index| NodeId::Coordinator(ValidatorIndex(index))));
    let faults: Vec<_> = nodes
        .zip((400..).step_by(600))
        .flat_map(|(node, at)| [(at, Fault::Kill(node)), (at + 300, Fault::Restart(node))])
        .collect();
    let left = run(&faults);
    left.is_whole();
    left.voted_once();
}

fn a_paused_shard_goes_on() {
    let left = run(&[(800, Fault::Pause(SHARD)), (2_300, Fault::Resume(SHARD))]);
    left.is_whole();
}

/// What a network leaves.
struct Left {
    client: ClientProgress,
    collected: Collected,
    facts: Vec<NodeFacts>,
    _directory: tempfile::TempDir,
}

impl Left {
    /// Every transaction is settled and final, and the invariants hold.
    fn is_whole(&self) {
        assert_eq!(self.client.ended, Some(Ended::Complete), "{:?}", self.client.run);
        let run = &self.client.run;
        assert_eq!((run.settled, run.finalized), (run.total, run.total), "{run:?}");
        assert_eq!(checkers::check(&self.collected.records), []);
        assert!(self.collected.torn.is_empty(), "a log that goes on has no torn record");
    }

    /// No validator has two votes of one kind in one view, over all its lives.
    fn voted_once(&self) {
        for facts in self.facts.iter().filter(|f| matches!(f.node, NodeId::Coordinator(_))) {
            let read = read_records::<CoordinatorRecord>(&facts.records).unwrap();
            let mut seen = BTreeSet::new();
            for record in read.records {
                let CoordinatorRecord::Agreement(Record::Vote { vote, .. }) = record else {
                    continue;
                };
                assert!(seen.insert((vote.view, vote.kind)), "a second vote: {vote:?}");
                let both = [Kind::Nullify, Kind::Finalize].map(|kind| (vote.view, kind));
                assert!(!both.iter().all(|vote| seen.contains(vote)), "{vote:?} and another");
            }
            assert!(!seen.is_empty(), "{} voted", facts.node);
        }
    }
}

/// Runs the scenario with these faults, to its end.
fn run(faults: &[(u64, Fault)]) -> Left {
    let places = Places { base: ".".into(), data: cross_shard_msg::testdata::dir() };
    let scenario = parse("scenario.toml", SCENARIO, &[], &places).unwrap_or_else(|e| panic!("{e}"));
    let workers = Workers { threads: std::num::NonZeroUsize::MIN, progress: &|_, _| {} };
    let job = prepare(&scenario, &workers).unwrap().jobs.remove(0);
    let directory = tempfile::tempdir().unwrap();
    let plan = job.plan;
    let shards = plan.settings.shard_count();
    let allocation = Allocation::new(shards, plan.base, plan.residents.clone());
    let config = ClientConfig::of(&scenario, Timestamp::ZERO);
    let client = Client::new(config, allocation, Arc::new(job.workload));
    let filter = "info,libp2p=warn,multistream_select=warn,yamux=warn";
    let started = start_network(&plan, directory.path(), filter, 0, &|| false).unwrap();
    let Started { mut processes, client: connected, start } = started;

    let clock = RunClock::starting_at(start);
    let waker = connected.inbox.waker();
    let path = |name: &str| directory.path().join("nodes").join(name);
    let surroundings = Surroundings {
        clock,
        network: connected.network.handle(),
        inbox: connected.inbox,
        records: RecordLog::create(&path("client.records"), Durability::Process).unwrap(),
        observations: ObservationLog::create(&path("client.observations")).unwrap(),
        recovery: None,
        metrics: connected.node_metrics,
    };
    let told = Arc::new(Mutex::new(None::<ClientProgress>));
    let stop = Arc::new(AtomicBool::new(false));
    let (telling, stopping) = (Arc::clone(&told), Arc::clone(&stop));
    let client_thread = thread::Builder::new().name("client".to_owned());
    let spawned = client_thread.spawn(move || {
        drive(client, surroundings, &stopping, |progress: &Arc<ClientProgress>| {
            *telling.lock().unwrap() = Some(ClientProgress::clone(progress));
        })
    });

    let clock = RunClock::starting_at(start);
    let mut faults = faults.iter().peekable();
    loop {
        let death = processes.watch(LOOK);
        assert!(death.is_none(), "{}", death.unwrap());
        for peer in processes.take_moved() {
            tell_address(&connected.runtime, &connected.network, &peer).unwrap();
        }
        let now = clock.now();
        assert!(now.since(Timestamp::ZERO) < PATIENCE, "stuck: {:?}", told.lock().unwrap());
        let (origin, ended) = match &*told.lock().unwrap() {
            Some(progress) => (progress.origin, progress.ended.is_some()),
            None => (None, false),
        };
        if let Some(origin) = origin.filter(|origin| *origin <= now)
            && let Some((at, fault)) = faults.peek()
            && now.since(origin) >= Span::from_millis(*at)
        {
            inflict(&mut processes, *fault);
            faults.next();
        }
        if ended && faults.peek().is_none() {
            break;
        }
    }
    stop.store(true, Ordering::Release);
    waker.wake();
    spawned.unwrap().join().unwrap().unwrap();
    let facts: Vec<NodeFacts> = processes.facts().cloned().collect();
    processes.stop();
    let collected = collect(&plan, facts.iter()).unwrap();
    let client = told.lock().unwrap().take().unwrap();
    Left { client, collected, facts, _directory: directory }
}

fn inflict(processes: &mut Processes, fault: Fault) {
    match fault {
        Fault::Kill(node) => assert!(processes.kill(node).unwrap(), "{node} lived"),
        Fault::Restart(node) => processes.restart(node).unwrap(),
        Fault::Pause(node) => processes.pause(node).unwrap(),
        Fault::Resume(node) => processes.resume(node).unwrap(),
    }
}

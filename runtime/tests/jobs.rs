//! Long computations of a machine, under the real driver: they hold up nothing, and do not outlive
//! their machine's thread in a way that anybody would notice.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use cross_shard_msg::{Effect, Effects, Input, JobId, Machine, NodeId, ShardId, Timestamp};
use prometheus_client::registry::Registry;
use runtime::clock::{RunClock, monotonic_nanos};
use runtime::drive::{Surroundings, drive};
use runtime::network::{NetworkConfig, PeerAddress, bind};
use runtime::node_metrics::NodeMetrics;
use runtime::observations::ObservationLog;
use runtime::records::{Durability, RecordLog};

/// A job that is done when somebody says so, or never if nobody can.
#[derive(Debug)]
struct Waits {
    begun: Sender<u64>,
    go_on: Receiver<u64>,
}

#[derive(Debug)]
enum Job {
    Waits(Waits),
    Doubles(u64),
    Panics,
}

/// Does what a test says, with everything that it is told.
struct Probe(Answer);

type Answer = Box<dyn FnMut(Input<Probe>, &mut Effects<Probe>) + Send>;

impl Machine for Probe {
    type Timer = u64;
    type Record = ();
    type Job = Job;
    type JobResult = u64;
    type Admin = ();
    type Executed = ();

    fn handle(&mut self, _: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        (self.0)(input, effects);
    }

    fn compute(job: Job) -> u64 {
        match job {
            Job::Doubles(number) => 2 * number,
            Job::Panics => panic!("as planned"),
            Job::Waits(Waits { begun, go_on }) => {
                // The test may be over.
                let _ = begun.send(0);
                go_on.recv().unwrap_or(0)
            }
        }
    }
}

/// Drives a machine that is told how to stop; what it panicked with, if it did.
fn run(make: impl FnOnce(Stop) -> Answer) -> Result<(), Box<dyn Any + Send>> {
    let mut tokio = tokio::runtime::Builder::new_multi_thread();
    let tokio = tokio.worker_threads(1).enable_all().build().unwrap();
    let _inside = tokio.enter();
    let node = NodeId::Shard(ShardId(0));
    let bound = tokio.block_on(bind(NetworkConfig::new(node, [1; 32]))).unwrap();
    let me = PeerAddress { node, peer: bound.peer_id(), address: Some(bound.address()) };
    let (network, inbox) = bound.connect(&[me], &mut Registry::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let waker = inbox.waker();
    let stop = Arc::new(AtomicBool::new(false));
    let surroundings = Surroundings {
        clock: RunClock::starting_at(monotonic_nanos()),
        network: network.handle(),
        inbox,
        records: RecordLog::create(&path("records"), Durability::Process).unwrap(),
        observations: ObservationLog::create(&path("observations")).unwrap(),
        recovery: None,
        metrics: NodeMetrics::register(&mut Registry::default()),
    };
    let stopping = Arc::clone(&stop);
    let stop: Stop = Box::new(move || {
        stop.store(true, Ordering::Release);
        waker.wake();
    });
    let machine = Probe(make(stop));
    let driven = thread::Builder::new()
        .spawn(move || drive(machine, surroundings, &stopping, |_| {}).map(drop))
        .unwrap();
    driven.join().map(Result::unwrap)
}

type Stop = Box<dyn Fn() + Send>;

#[test]
fn a_job_does_not_hold_up_its_machine() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let (begun, _) = channel();
    let (release, go_on) = channel();
    let mut waits = Some(Waits { begun, go_on });
    let ended = run(|stop| {
        Box::new(move |input, effects| match input {
            Input::Start => {
                effects.push(Effect::Compute(JobId(1), Job::Waits(waits.take().unwrap())));
                effects.push(Effect::Compute(JobId(2), Job::Doubles(21)));
                effects.set_timer(1, Timestamp(1));
            }
            // Were the machine held up, this would never come.
            Input::Timer(_) => {
                log.lock().unwrap().push("timer".to_owned());
                release.send(7).unwrap();
            }
            Input::Computed(job, result) => {
                log.lock().unwrap().push(format!("{job}: {result}"));
                if job == JobId(2) {
                    stop();
                }
            }
            _ => {}
        })
    });
    ended.unwrap();
    let told = told.lock().unwrap();
    assert_eq!(
        *told,
        ["timer".to_owned(), format!("{}: 7", JobId(1)), format!("{}: 42", JobId(2))]
    );
}

#[test]
fn a_job_that_never_ends_does_not_hold_up_the_end() {
    let (begun, has_begun) = channel();
    // Kept, so that the job waits for as long as this test runs.
    let (_release, go_on) = channel();
    let mut waits = Some(Waits { begun, go_on });
    let ended = run(|stop| {
        thread::Builder::new()
            .spawn(move || {
                has_begun.recv().unwrap();
                stop();
            })
            .unwrap();
        Box::new(move |input, effects| {
            if let Input::Start = input {
                effects.push(Effect::Compute(JobId(1), Job::Waits(waits.take().unwrap())));
            }
        })
    });
    ended.unwrap();
}

#[test]
fn a_job_that_panics_ends_its_machine() {
    let ended = run(|_| {
        Box::new(|input, effects| {
            if let Input::Start = input {
                effects.push(Effect::Compute(JobId(1), Job::Panics));
            }
        })
    });
    assert_eq!(ended.unwrap_err().downcast_ref::<&str>(), Some(&"as planned"));
}

//! A machine that logs what it is told and does what a test says.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use cross_shard_msg::{
    Duration, Effect, Effects, Event, Height, Input, JobId, Machine, Message, NodeId, ShardId,
    Timestamp, Work, WriteId,
};
use simulation::{CostProfile, Follower, Link, Links, World};

/// What a machine was told, and when.
pub type Log = Rc<RefCell<Vec<(u64, String)>>>;

type Answer = Box<dyn FnMut(Timestamp, &Input<Probe>, &mut Effects<Probe>)>;

pub struct Probe {
    log: Log,
    answer: Answer,
}

impl Machine for Probe {
    type Timer = char;
    type Record = &'static str;
    type Job = u64;
    type JobResult = u64;
    type Admin = ();
    type Executed = &'static str;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        self.log.borrow_mut().push((now.0, describe(&input)));
        (self.answer)(now, &input, effects);
    }

    fn compute(job: u64) -> u64 {
        job * 2
    }
}

/// One link's delay in nanoseconds, no jitter.
pub fn links(delay: u64) -> Links {
    Links::uniform(Link { delay: Duration(delay), jitter: Duration::ZERO }, 0)
}

/// A world with links of 100 ns, writes of 1,000 ns, and legs that cost 10 ns.
pub fn world() -> World {
    world_with(links(100))
}

pub fn world_with(links: Links) -> World {
    let profile = CostProfile { leg: 10, recovery: 50, ..CostProfile::FREE };
    World::new(links, profile, Duration(1_000), true)
}

pub fn shard(index: u32) -> NodeId {
    NodeId::Shard(ShardId(index))
}

/// Adds a machine that answers as `answer` says; its log.
pub fn add(
    world: &mut World,
    id: NodeId,
    answer: impl FnMut(Timestamp, &Input<Probe>, &mut Effects<Probe>) + 'static,
) -> Log {
    add_followed(world, id, (), answer)
}

pub fn add_followed(
    world: &mut World,
    id: NodeId,
    follower: impl Follower<Probe> + 'static,
    answer: impl FnMut(Timestamp, &Input<Probe>, &mut Effects<Probe>) + 'static,
) -> Log {
    let log = Log::default();
    let machine = Probe { log: Rc::clone(&log), answer: Box::new(answer) };
    world.add(id, machine, follower);
    log
}

/// Answers nothing.
pub fn silent(_: Timestamp, _: &Input<Probe>, _: &mut Effects<Probe>) {}

/// Answers the start only.
pub fn at_start(
    mut answer: impl FnMut(&mut Effects<Probe>),
) -> impl FnMut(Timestamp, &Input<Probe>, &mut Effects<Probe>) {
    move |_, input, effects| {
        if let Input::Start = input {
            answer(effects);
        }
    }
}

/// Runs until nothing happens any more, and asserts what the machine was told.
pub fn assert_log(world: &mut World, log: &Log, expected: &[(u64, &str)]) {
    world.run(Timestamp(1_000_000_000), || false);
    let log = log.borrow();
    let seen: Vec<(u64, &str)> = log.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(seen, expected);
}

/// A message that carries a number.
pub fn numbered(number: u64) -> Message {
    Message::PullBatches { above: Height(number) }
}

/// An observation that carries a number.
pub fn event(number: u64) -> Event {
    Event::BlockReleased { height: Height(number) }
}

/// Work of so many legs, 10 ns each.
pub fn legs(legs: u32) -> Work {
    Work { legs, ..Work::default() }
}

pub fn persist(id: u64, record: &'static str) -> Effect<Probe> {
    Effect::Persist { id: WriteId(id), record }
}

/// Keeps what it sees.
#[derive(Clone, Default)]
pub struct Seen(pub Rc<RefCell<Vec<&'static str>>>);

impl Follower<Probe> for Seen {
    fn executed(&mut self, executed: &Arc<&'static str>) {
        self.0.borrow_mut().push(executed);
    }

    fn record(&mut self, record: &&'static str) {
        self.0.borrow_mut().push(record);
    }
}

fn describe(input: &Input<Probe>) -> String {
    match input {
        Input::Start => "start".to_owned(),
        Input::Message { from, message: Message::PullBatches { above } } => {
            format!("{above} from {from}")
        }
        Input::Message { from, message } => format!("{message:?} from {from}"),
        Input::Timer(timer) => format!("timer {timer}"),
        Input::Submit(recovered) => format!("submit {}", nonce(recovered)),
        Input::Durable(id) => format!("durable {id}"),
        Input::Computed(JobId(id), result) => format!("computed {id}: {result}"),
        Input::Admin(()) => "admin".to_owned(),
    }
}

fn nonce(recovered: &cross_shard_msg::Recovered) -> u64 {
    alloy_consensus::Transaction::nonce(recovered.transaction().envelope())
}

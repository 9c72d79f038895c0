//! A committee in one process under virtual time: links with delay and loss, disks that lose what
//! was not flushed, crashes, partitions, twins. Same seed, same run.
//!
//! Safety is checked at every output: finalized values agree and have no gaps, and no validator
//! ever shows two votes that contradict one another, whatever its crashes.

#![allow(dead_code, reason = "every test file uses its own part of the network")]

mod parts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::B256;
use consensus::{
    Dropped, Evidence, Finalized, Input, Kind, Message, Output, Proposal, Record, Signer, Simplex,
    Value, Verdict, Vote,
};
use cross_shard_msg::{Duration, Timestamp, ValidatorIndex, View, WriteId};

pub use parts::*;

/// What is wrong with the world. Tests change it as they go.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Permille of all messages that get lost.
    pub loss: u64,
    /// Permille of the messages of a kind that get lost.
    pub class_loss: BTreeMap<&'static str, u64>,
    /// Permille of messages that arrive twice.
    pub duplicates: u64,
    /// Delay of a message: up to so much more than the least.
    pub jitter: Duration,
    /// The side of each validator; messages do not cross.
    pub partition: Option<Vec<u8>>,
    /// How long the application takes to judge a value.
    pub judge: Duration,
    /// Permille of the judgements that are put off.
    pub not_yet: u64,
    /// Permille of the values built that are invalid.
    pub invalid: u64,
    /// Permille of a faulty leader's proposals that ignore what is notarized but not final.
    pub lies: u64,
}

enum Event {
    Start,
    Message { from: ValidatorIndex, message: Box<Message<Number>> },
    Wake(Timestamp),
    Flush(WriteId),
    Input(Input<Number>),
}

/// One process: a validator, or one of two twins that share its key.
pub struct Process {
    pub index: ValidatorIndex,
    pub machine: Option<Simplex<Number>>,
    /// Whom it talks to; all when `None`.
    audience: Option<BTreeSet<u32>>,
    life: u32,
    wake: Option<Timestamp>,
    log: Vec<Record<Number>>,
    unflushed: VecDeque<(WriteId, Record<Number>)>,
    pub finalized: Vec<Finalized<Number>>,
    salt: u64,
}

impl Process {
    pub fn tip(&self) -> u64 {
        self.finalized.last().map_or(0, |run| run.values.last().unwrap().number)
    }
    fn tip_digest(&self) -> B256 {
        self.finalized.last().map_or(genesis().digest, |run| run.certificate.digest())
    }
}

pub struct Network<K> {
    pub keys: Vec<K>,
    pub processes: Vec<Process>,
    pub faults: Faults,
    pub random: Random,
    pub now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), (usize, u32, Event)>,
    sequence: u64,
    pub seed: u64,
    /// Of each number, the digest that is final.
    pub agreed: BTreeMap<u64, B256>,
    /// Every vote that an honest validator has shown.
    shown: BTreeMap<(u32, View), BTreeSet<(u8, B256)>>,
    pub byzantine: BTreeSet<u32>,
    pub evidence: Vec<Evidence>,
    pub dropped: BTreeMap<&'static str, u64>,
    pub sent: BTreeMap<&'static str, u64>,
    pub skipped: u64,
}

impl<K: Signer> Network<K> {
    pub fn new(keys: Vec<K>, seed: u64) -> Self {
        let n = keys.len();
        let mut network = Self {
            keys,
            processes: Vec::new(),
            faults: Faults { judge: millis(1), jitter: millis(5), ..Faults::default() },
            random: Random(seed),
            now: Timestamp::ZERO,
            queue: BTreeMap::new(),
            sequence: 0,
            seed,
            agreed: BTreeMap::new(),
            shown: BTreeMap::new(),
            byzantine: BTreeSet::new(),
            evidence: Vec::new(),
            dropped: BTreeMap::new(),
            sent: BTreeMap::new(),
            skipped: 0,
        };
        for index in 0..n as u32 {
            network.add(ValidatorIndex(index), None);
        }
        network
    }

    fn add(&mut self, index: ValidatorIndex, audience: Option<BTreeSet<u32>>) {
        let salt = self.processes.len() as u64;
        self.processes.push(Process {
            index,
            machine: None,
            audience,
            life: 0,
            wake: None,
            log: Vec::new(),
            unflushed: VecDeque::new(),
            finalized: Vec::new(),
            salt,
        });
        self.restart(salt as usize);
    }

    /// Makes a validator two-faced: a second process with its key, and each talks to some only.
    pub fn twin(&mut self, index: u32, one: &[u32], other: &[u32]) {
        self.byzantine.insert(index);
        self.processes[index as usize].audience = Some(one.iter().copied().collect());
        self.add(ValidatorIndex(index), Some(other.iter().copied().collect()));
    }

    pub fn crash(&mut self, process: usize) {
        let keep = self.random.below(self.processes[process].unflushed.len() as u64 + 1);
        let node = &mut self.processes[process];
        node.machine = None;
        node.life += 1;
        // Some of what was not known to be durable may be.
        for (_, record) in node.unflushed.drain(..).take(keep as usize) {
            node.log.push(record);
        }
        node.unflushed.clear();
        node.finalized = node
            .log
            .iter()
            .filter_map(|record| match record {
                Record::Finalized(run) => Some(run.clone()),
                _ => None,
            })
            .collect();
    }

    pub fn restart(&mut self, process: usize) {
        let node = &mut self.processes[process];
        assert!(node.machine.is_none(), "it is running");
        let keys = &self.keys[node.index.0 as usize];
        let log = node.log.iter().cloned();
        node.machine = Some(Simplex::recover(config(), keys, genesis(), log));
        node.wake = None;
        self.schedule(process, Duration::ZERO, Event::Start);
    }

    pub fn alive(&self, process: usize) -> bool {
        self.processes[process].machine.is_some()
    }

    fn schedule(&mut self, process: usize, after: Duration, event: Event) {
        self.sequence += 1;
        let life = self.processes[process].life;
        self.queue.insert((self.now + after, self.sequence), (process, life, event));
    }

    /// Runs for so long.
    pub fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= until
        {
            let ((at, _), (process, life, event)) = entry.remove_entry();
            self.now = at;
            if self.processes[process].life == life && self.alive(process) {
                self.step(process, event);
            }
        }
        self.now = until;
    }

    fn step(&mut self, process: usize, event: Event) {
        let node = &mut self.processes[process];
        let input = match event {
            Event::Start => Input::Start,
            Event::Message { from, message } => Input::Message { from, message: *message },
            Event::Wake(at) if node.wake == Some(at) => Input::Wake,
            Event::Wake(_) => return,
            Event::Flush(id) => {
                while let Some((first, _)) = node.unflushed.front()
                    && *first <= id
                {
                    let (_, record) = node.unflushed.pop_front().unwrap();
                    node.log.push(record);
                }
                Input::Durable(id)
            }
            Event::Input(input) => input,
        };
        let keys = &self.keys[node.index.0 as usize];
        let mut outputs = Vec::new();
        node.machine.as_mut().unwrap().handle(keys, self.now, input, &mut outputs);
        for output in outputs {
            self.carry_out(process, output);
        }
    }

    fn carry_out(&mut self, process: usize, output: Output<Number>) {
        match output {
            Output::Broadcast(message) => {
                let message = self.lie(process, message);
                for to in 0..self.keys.len() as u32 {
                    if ValidatorIndex(to) != self.processes[process].index {
                        self.send(process, ValidatorIndex(to), message.clone());
                    }
                }
            }
            Output::Send { to, message } => self.send(process, to, message),
            Output::Persist { id, record } => {
                self.processes[process].unflushed.push_back((id, record));
                let flush = Duration::from_micros(200 + self.random.below(2_000));
                self.schedule(process, flush, Event::Flush(id));
            }
            Output::NeedValue { view, parent, number, timestamp } => {
                let invalid = self.random.chance(self.faults.invalid);
                let payload = if invalid { INVALID } else { self.processes[process].salt };
                let value = Number { parent, number, timestamp, payload };
                let build = millis(1);
                self.schedule(process, build, Event::Input(Input::Proposal { view, value }));
            }
            Output::Validate { view, digest, value } => {
                let machine = self.processes[process].machine.as_ref().unwrap();
                let held =
                    machine.tip().digest == value.parent || machine.value(&value.parent).is_some();
                assert!(held, "{}: the parent is at hand", self.context());
                let verdict = if value.payload == INVALID {
                    Verdict::Invalid
                } else if self.random.chance(self.faults.not_yet) {
                    Verdict::NotYet
                } else {
                    Verdict::Valid
                };
                let judge = self.faults.judge;
                let input = Input::Verdict { view, digest, verdict };
                self.schedule(process, judge, Event::Input(input));
            }
            Output::Finalized(run) => self.finalize(process, run),
            Output::Serve { to, after, limit } => {
                let runs: Vec<_> = self.processes[process]
                    .finalized
                    .iter()
                    .filter(|run| run.values.last().unwrap().number > after)
                    .take(limit)
                    .cloned()
                    .collect();
                self.send(process, to, Message::Finalized(runs));
            }
            Output::Wake(at) => {
                assert!(at > self.now, "{}: woken in the past", self.context());
                self.processes[process].wake = Some(at);
                self.schedule(process, at.since(self.now), Event::Wake(at));
            }
            Output::Entered { skipped, .. } => self.skipped += u64::from(skipped),
            Output::Evidence(evidence) => {
                let keys = &self.keys[0];
                assert!(evidence.verify(keys), "{}: evidence stands alone", self.context());
                let accused = evidence.first.validator.0;
                assert!(self.byzantine.contains(&accused), "{}: slander", self.context());
                self.evidence.push(evidence);
            }
            Output::Dropped(reason) => {
                *self.dropped.entry(reason.name()).or_default() += 1;
                // The honest never send what can not be verified.
                if self.byzantine.is_empty() {
                    let fine = !matches!(
                        reason,
                        Dropped::Malformed
                            | Dropped::Unverified
                            | Dropped::Epoch
                            | Dropped::NotLeader
                            | Dropped::Equivocation
                    );
                    assert!(fine, "{}: {reason:?}", self.context());
                }
            }
        }
    }

    /// A faulty leader pretends that all views since the newest final value were nullified.
    fn lie(&mut self, process: usize, message: Message<Number>) -> Message<Number> {
        let node = &self.processes[process];
        let Message::Propose(proposal) = &message else { return message };
        if !self.byzantine.contains(&node.index.0) || !self.random.chance(self.faults.lies) {
            return message;
        }
        let tip = node.machine.as_ref().unwrap().tip();
        let value = Number {
            parent: tip.digest,
            number: tip.number + 1,
            timestamp: proposal.value.timestamp,
            payload: 4_242,
        };
        let keys = &self.keys[node.index.0 as usize];
        let vote = Vote::sign(keys, proposal.vote.view, Kind::Notarize, value.digest());
        Message::Propose(Proposal { parent_view: tip.view, value, vote })
    }

    fn finalize(&mut self, process: usize, run: Finalized<Number>) {
        let context = self.context();
        let node = &mut self.processes[process];
        let parent = (node.tip_digest(), node.tip());
        let proof = run.verify(&self.keys[0], parent);
        assert_eq!(proof, Ok(()), "{context}: process {process} has a gap or no proof");
        for value in &run.values {
            assert_ne!(value.payload, INVALID, "{context}: an invalid value is final");
            let agreed = *self.agreed.entry(value.number).or_insert(value.digest());
            assert_eq!(agreed, value.digest(), "{context}: two values have one number");
        }
        node.finalized.push(run);
    }

    fn send(&mut self, process: usize, to: ValidatorIndex, message: Message<Number>) {
        let from = self.processes[process].index;
        assert_eq!(message.validate(self.keys.len()), Ok(()), "{}", self.context());
        self.check_votes(&message);
        *self.sent.entry(message.name()).or_default() += 1;
        let apart = self
            .faults
            .partition
            .as_ref()
            .is_some_and(|side| side[from.0 as usize] != side[to.0 as usize]);
        let class = self.faults.class_loss.get(message.name()).copied().unwrap_or(0);
        let deaf =
            self.processes[process].audience.as_ref().is_some_and(|some| !some.contains(&to.0));
        let lost = self.random.chance(self.faults.loss) || self.random.chance(class);
        if apart || deaf || lost {
            return;
        }
        let copies = 1 + u64::from(self.random.chance(self.faults.duplicates));
        for _ in 0..copies {
            let jitter = self.random.below(self.faults.jitter.0 + 1);
            let delay = millis(2) + Duration(jitter);
            for receiver in 0..self.processes.len() {
                if self.processes[receiver].index == to {
                    let message = Box::new(message.clone());
                    self.schedule(receiver, delay, Event::Message { from, message });
                }
            }
        }
    }

    /// An honest validator never contradicts itself, in any of its lives.
    fn check_votes(&mut self, message: &Message<Number>) {
        let votes: Vec<&Vote> = match message {
            Message::Propose(proposal) => vec![&proposal.vote],
            Message::Vote(vote) => vec![vote],
            Message::Retry(retry) => retry.votes.iter().collect(),
            _ => return,
        };
        for vote in votes {
            let who = vote.validator.0;
            if self.byzantine.contains(&who) {
                continue;
            }
            let shown = self.shown.entry((who, vote.view)).or_default();
            shown.insert((vote.kind as u8, vote.digest));
            let of = |kind: u8| shown.iter().filter(|(k, _)| *k == kind).count();
            let fine = of(0) <= 1 && of(2) <= 1 && (of(1) == 0 || of(2) == 0);
            assert!(fine, "{}: {who} contradicts itself in view {}", self.context(), vote.view);
        }
    }

    pub fn context(&self) -> String {
        format!("seed {} at {}", self.seed, self.now)
    }

    /// The lowest tip of the processes that run, twins aside.
    pub fn lowest(&self) -> u64 {
        let honest = self.processes.iter().filter(|node| !self.byzantine.contains(&node.index.0));
        honest.filter(|node| node.machine.is_some()).map(Process::tip).min().unwrap()
    }

    pub fn highest(&self) -> u64 {
        self.agreed.keys().last().copied().unwrap_or(0)
    }

    /// Runs for so long and requires that everyone who runs gets at least `values` further than
    /// anyone was.
    pub fn require_progress(&mut self, span: Duration, values: u64) {
        let before = self.highest();
        self.run(span);
        let lowest = self.lowest();
        assert!(lowest >= before + values, "{}: {before} -> {lowest}", self.context());
    }
}

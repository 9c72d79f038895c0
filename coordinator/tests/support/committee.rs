//! A committee under virtual time: one queue of events, ordered by time and then by sequence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consensus::checkpoint::{committee, verify_finalized};
use consensus::{Keyring, Kind, Message as Agreement, Value as _, Vote};
use coordinator::{
    CheckpointValue, Coordinator, CoordinatorConfig, CoordinatorRecord, CoordinatorTimer,
    PartitionerConfig,
};
use cross_shard_msg::{
    Audience, Checkpoint, CheckpointNumber, DropReason, Duration, Effect, Effects, Event,
    FinalizedCheckpoint, Height, Input, JobId, Machine, Message, NodeId, Proposal, Settings,
    ShardId, SignedHeader, Timestamp, ValidatorIndex, Work, WriteId, codec,
};

use super::shards::{INTERVAL, Shards, validator_key};

/// How long a message takes.
const LATENCY: Duration = Duration::from_millis(20);
/// How long a write takes.
const WRITE: Duration = Duration::from_millis(3);

enum Happens {
    Message { from: NodeId, to: usize, message: Message },
    Timer(usize, CoordinatorTimer),
    Durable(usize, WriteId),
    Computed(usize, JobId, <Coordinator as Machine>::JobResult),
}

type Forge = Box<dyn FnMut(&mut Proposal)>;

pub struct Committee {
    pub settings: Settings,
    pub nodes: Vec<Coordinator>,
    pub crashed: BTreeSet<usize>,
    /// Headers that shards answer pulls with: by provider and shard.
    pub served: BTreeMap<(usize, usize), Vec<SignedHeader>>,
    /// Shards that do not answer.
    pub silent: BTreeSet<usize>,
    /// Pulls that shards received, with their provider.
    pub pulls: Vec<(ShardId, ShardId, Height, Height)>,
    pub logs: Vec<Vec<CoordinatorRecord>>,
    pub finalized: Vec<Vec<FinalizedCheckpoint>>,
    /// What went to single shards or the client.
    pub answers: Vec<(NodeId, Message)>,
    pub events: Vec<Vec<Event>>,
    pub work: Vec<Work>,
    /// How long a member's partitioner takes.
    pub job_time: Duration,
    partitioner: Option<PartitionerConfig>,
    /// A leader that lies to everybody.
    liar: Option<(usize, Forge)>,
    now: Timestamp,
    sequence: u64,
    queue: BTreeMap<(Timestamp, u64), Happens>,
    timers: Vec<BTreeMap<CoordinatorTimer, (Timestamp, u64)>>,
}

impl Committee {
    pub fn new(settings: &Settings) -> Self {
        Self::asking(settings, None)
    }

    /// A committee whose members have a partitioner.
    pub fn asking(settings: &Settings, partitioner: Option<PartitionerConfig>) -> Self {
        let config = |index| CoordinatorConfig {
            partitioner: partitioner.clone(),
            ..config(settings, index)
        };
        let count = settings.validators.len();
        let mut committee = Self {
            settings: settings.clone(),
            nodes: (0..count).map(|index| Coordinator::new(config(index)).unwrap()).collect(),
            crashed: BTreeSet::new(),
            served: BTreeMap::new(),
            silent: BTreeSet::new(),
            pulls: Vec::new(),
            logs: vec![Vec::new(); count],
            finalized: vec![Vec::new(); count],
            answers: Vec::new(),
            events: vec![Vec::new(); count],
            work: vec![Work::default(); count],
            job_time: Duration::from_millis(100),
            partitioner,
            liar: None,
            now: Timestamp::ZERO,
            sequence: 0,
            queue: BTreeMap::new(),
            timers: vec![BTreeMap::new(); count],
        };
        for index in 0..count {
            committee.give(index, Input::Start);
        }
        committee
    }

    /// Makes one member forge what it proposes. It says nothing else.
    pub fn lie(&mut self, index: usize, forge: impl FnMut(&mut Proposal) + 'static) {
        self.liar = Some((index, Box::new(forge)));
    }

    /// Restarts a member from its log.
    pub fn restart(&mut self, index: usize) {
        self.queue.retain(|_, happens| match happens {
            Happens::Message { to, .. } => *to != index,
            Happens::Timer(of, _) | Happens::Durable(of, _) | Happens::Computed(of, ..) => {
                *of != index
            }
        });
        self.timers[index].clear();
        self.crashed.remove(&index);
        let log = self.logs[index].clone();
        let partitioner = self.partitioner.clone();
        let config = CoordinatorConfig { partitioner, ..config(&self.settings, index) };
        self.nodes[index] = Coordinator::recover(config, log).unwrap();
        self.give(index, Input::Start);
    }

    /// Sends headers of a shard to some coordinators, and serves them from now on.
    pub fn publish(&mut self, headers: &[SignedHeader], to: &[usize]) {
        for signed in headers {
            let shard = signed.shard.0 as usize;
            self.served.entry((shard, shard)).or_default().push(signed.clone());
        }
        self.deliver(headers, to);
    }

    /// Sends headers of one shard to some coordinators.
    pub fn deliver(&mut self, headers: &[SignedHeader], to: &[usize]) {
        let Some(first) = headers.first() else { return };
        for &to in to {
            let message = Message::Headers(Arc::new(headers.to_vec()));
            self.post(NodeId::Shard(first.shard), to, message);
        }
    }

    /// Publishes what shards signed since `known` to everybody.
    pub fn publish_all(&mut self, shards: &Shards, known: &mut [usize]) {
        let everybody: Vec<usize> = (0..self.nodes.len()).collect();
        for (chain, known) in shards.chains.iter().zip(known) {
            self.publish(&chain[*known..], &everybody);
            *known = chain.len();
        }
    }

    pub fn post(&mut self, from: NodeId, to: usize, message: Message) {
        self.push(self.now + LATENCY, Happens::Message { from, to, message });
    }

    /// Lets so much time pass.
    pub fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((at, sequence), happens) = entry.remove_entry();
            self.now = at;
            match happens {
                Happens::Message { from, to, message } => {
                    self.give(to, Input::Message { from, message });
                }
                Happens::Timer(index, timer) => {
                    if self.timers[index].get(&timer) == Some(&(at, sequence)) {
                        self.timers[index].remove(&timer);
                        self.give(index, Input::Timer(timer));
                    }
                }
                Happens::Durable(index, write) => self.give(index, Input::Durable(write)),
                Happens::Computed(index, job, answer) => {
                    self.give(index, Input::Computed(job, answer));
                }
            }
        }
        self.now = until;
    }

    fn give(&mut self, index: usize, input: Input<Coordinator>) {
        if self.crashed.contains(&index) {
            return;
        }
        let mut effects = Effects::new();
        self.nodes[index].handle(self.now, input, &mut effects);
        let effects: Vec<_> = effects.drain().collect();
        for effect in effects {
            self.carry_out(index, effect);
        }
    }

    fn carry_out(&mut self, index: usize, effect: Effect<Coordinator>) {
        let me = NodeId::Coordinator(ValidatorIndex(index as u32));
        match effect {
            Effect::Send { to: NodeId::Coordinator(to), message } => {
                if let Some(message) = self.said(index, message) {
                    self.post(me, to.0 as usize, message);
                }
            }
            Effect::Send {
                to: NodeId::Shard(by),
                message: Message::PullHeaders { shard, from, to },
            } => {
                self.pulls.push((by, shard, from, to));
                let key = (by.0 as usize, shard.0 as usize);
                let served = self.served.get(&key).into_iter().flatten();
                let found: Vec<_> =
                    served.filter(|signed| (from..=to).contains(&signed.height)).cloned().collect();
                if !found.is_empty() && !self.silent.contains(&key.0) {
                    self.post(NodeId::Shard(by), index, Message::Headers(Arc::new(found)));
                }
            }
            Effect::Send { to, message } => self.answers.push((to, message)),
            Effect::Broadcast { to: Audience::Coordinators, message } => {
                if let Some(message) = self.said(index, message) {
                    for other in (0..self.nodes.len()).filter(|other| *other != index) {
                        self.post(me, other, message.clone());
                    }
                }
            }
            Effect::Broadcast { to, message: Message::Finalized(finalized) } => {
                assert_eq!(to, Audience::ShardsAndClient);
                verify_finalized(&committee(&self.settings).unwrap(), &finalized).unwrap();
                self.finalized[index].push(finalized);
            }
            Effect::Broadcast { message, .. } => panic!("nobody expects {message:?}"),
            Effect::SetTimer { timer, at } => {
                let key = self.push(at.max(self.now), Happens::Timer(index, timer));
                self.timers[index].insert(timer, key);
            }
            Effect::CancelTimer(timer) => {
                self.timers[index].remove(&timer);
            }
            Effect::Persist { id, record } => {
                // What is written is what can be read back.
                let bytes = codec::encode_record(&record).unwrap();
                self.logs[index].push(codec::decode_record(&bytes).unwrap());
                self.push(self.now + WRITE, Happens::Durable(index, id));
            }
            Effect::Busy(work) => {
                self.work[index].verifications += work.verifications;
                self.work[index].signatures += work.signatures;
                self.work[index].bytes += work.bytes;
            }
            Effect::Executed(_) => {}
            Effect::Observe(event) => self.events[index].push(event),
            Effect::Compute(job, question) => {
                let at = self.now + self.job_time;
                let answer = Coordinator::compute(question);
                self.push(at, Happens::Computed(index, job, answer));
            }
        }
    }

    /// What a member really says.
    fn said(&mut self, index: usize, message: Message) -> Option<Message> {
        let Some((_, forge)) = self.liar.as_mut().filter(|(liar, _)| *liar == index) else {
            return Some(message);
        };
        let Message::Consensus(bytes) = message else { return Some(message) };
        match codec::decode::<Agreement<CheckpointValue>>(&bytes).unwrap() {
            Agreement::Propose(mut proposal) => {
                let value = &proposal.value;
                let mut forged = Proposal {
                    checkpoint: (**value.checkpoint()).clone(),
                    evidence: value.evidence().to_vec(),
                };
                forge(&mut forged);
                proposal.value = CheckpointValue::seal(forged).unwrap();
                let keys = Keyring::new(committee(&self.settings).unwrap(), validator_key(index));
                let digest = proposal.value.digest();
                proposal.vote =
                    Vote::sign(&keys.unwrap(), proposal.vote.view, Kind::Notarize, digest);
                let bytes = codec::encode(&Agreement::Propose(proposal)).unwrap();
                Some(Message::Consensus(bytes.into()))
            }
            _ => None,
        }
    }

    fn push(&mut self, at: Timestamp, happens: Happens) -> (Timestamp, u64) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), happens);
        (at, self.sequence)
    }

    /// The final checkpoints of a member, in order.
    pub fn chain(&self, index: usize) -> Vec<Arc<Checkpoint>> {
        self.finalized[index].iter().map(|f| Arc::clone(&f.checkpoint)).collect()
    }

    /// Checks that members that run agree, that chains have no gap, and that value is conserved.
    /// Returns the lowest number that all of them have.
    pub fn agreed(&self) -> u64 {
        let running = (0..self.nodes.len()).filter(|index| !self.crashed.contains(index));
        let chains: Vec<_> = running.clone().map(|index| self.chain(index)).collect();
        let longest = chains.iter().max_by_key(|chain| chain.len()).unwrap();
        for chain in &chains {
            assert_eq!(chain[..], longest[..chain.len()], "members agree");
        }
        for (index, checkpoint) in longest.iter().enumerate() {
            assert_eq!(checkpoint.number, CheckpointNumber(index as u64 + 1));
        }
        for index in running {
            self.nodes[index].tip().check_conservation(&self.settings).unwrap();
        }
        chains.iter().map(Vec::len).min().unwrap() as u64
    }

    /// The height up to which a shard is crosslinked, to everybody's knowledge.
    pub fn crosslinked(&self, shard: usize) -> u64 {
        let running = (0..self.nodes.len()).filter(|index| !self.crashed.contains(index));
        running
            .map(|index| self.nodes[index].tip().previous(ShardId(shard as u32)).unwrap().height.0)
            .min()
            .unwrap()
    }

    pub fn count(&self, index: usize, matches: impl Fn(&Event) -> bool) -> usize {
        self.events[index].iter().filter(|event| matches(event)).count()
    }

    pub fn dropped(&self, index: usize, expected: DropReason) -> usize {
        self.count(index, |event| *event == Event::Dropped { reason: expected })
    }
}

fn config(settings: &Settings, index: usize) -> CoordinatorConfig {
    CoordinatorConfig {
        index: ValidatorIndex(index as u32),
        key: validator_key(index),
        settings: settings.clone(),
        partitioner: None,
    }
}

/// Lets shards make a round of traffic twice per interval, and the committee run, for so many
/// intervals.
pub fn traffic(
    committee: &mut Committee,
    shards: &mut Shards,
    known: &mut [usize],
    intervals: u64,
) {
    for _ in 0..intervals * 2 {
        shards.round();
        committee.publish_all(shards, known);
        committee.run(INTERVAL.divided(2));
    }
}

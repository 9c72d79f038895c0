//! The machine: what arrives goes to the header pool or to the agreement; what the agreement asks
//! for is built, checked, made durable and sent (rules R-CORE-1 to R-CORE-6).

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use consensus::{
    Dropped, Evidence, Finalized, Keyring, Message as Agreement, Output, Record, Response,
    Signer as _, Simplex, Tip, Verdict,
};
use cross_shard_msg::codec::{self, CodecError};
use cross_shard_msg::message::MAX_MESSAGE_ITEMS;
use cross_shard_msg::{
    Audience, CheckpointNumber, DropReason, Effect, Effects, Event, FinalizedCheckpoint, Input,
    JobSize, Machine, Message, NodeId, Settings, ShardId, SignedHeader, Timestamp, ValidatorIndex,
    View, Work, WriteId,
};

use partitioning::{PartitionError, Proposal};

use crate::config::{ConfigError, CoordinatorConfig, agreement, pull_every};
use crate::evidence::{Kept, left_out};
use crate::finality::Finality;
use crate::headers::HeaderPool;
use crate::keys::CountingKeys;
use crate::partition_job::PartitionJob;
use crate::planner::Planner;
use crate::proposal::{build, validate};
use crate::pull::Puller;
use crate::record::CoordinatorRecord;
use crate::rules::Violation;
use crate::state::CheckpointState;
use crate::value::CheckpointValue;

/// Most proofs of faulty validators that are kept, besides the first of each; more are only counted.
pub const MAX_EVIDENCE: usize = 64;

type AgreementInput = consensus::Input<CheckpointValue>;

/// One committee member.
#[derive(Debug)]
pub struct Coordinator {
    settings: Arc<Settings>,
    keyring: Keyring,
    simplex: Simplex<CheckpointValue>,
    pool: HeaderPool,
    puller: Puller,
    finality: Finality,
    /// The last violation of each shard that was observed: one that stays is told once.
    told: BTreeMap<ShardId, Violation>,
    evidence: Kept,
    /// Only where it has a partitioner.
    planner: Option<Planner>,
    work: Work,
}

/// Timers of a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoordinatorTimer {
    /// The agreement wants to be woken.
    Agreement,
    /// Look for missing headers.
    Pull,
}

impl Machine for Coordinator {
    type Timer = CoordinatorTimer;
    type Record = CoordinatorRecord;
    type Job = PartitionJob;
    type JobResult = Result<Proposal, PartitionError>;
    type Admin = Infallible;
    /// Followers are handed each checkpoint when it is final and durable.
    type Executed = FinalizedCheckpoint;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        match input {
            Input::Start => {
                effects.set_timer(CoordinatorTimer::Pull, now + self.pull_every());
                self.agree(now, AgreementInput::Start, effects);
            }
            Input::Message { from, message } => self.receive(now, from, message, effects),
            Input::Timer(CoordinatorTimer::Agreement) => {
                self.agree(now, AgreementInput::Wake, effects)
            }
            Input::Timer(CoordinatorTimer::Pull) => {
                effects.set_timer(CoordinatorTimer::Pull, now + self.pull_every());
                self.pull(effects);
            }
            Input::Submit(_) => drop_input(DropReason::Unexpected, effects),
            Input::Durable(write) if Kept::is_write(write) => {}
            Input::Durable(write) => {
                self.announce(write, effects);
                self.agree(now, AgreementInput::Durable(write), effects);
            }
            Input::Computed(job, result) => {
                if let Some(planner) = &mut self.planner {
                    planner.answered(job, result, effects);
                }
            }
            Input::Admin(request) => match request {},
        }
        self.evidence.log(&self.pool, effects);
        let work = std::mem::take(&mut self.work);
        if work != Work::default() {
            effects.busy(work);
        }
    }

    fn compute(job: PartitionJob) -> Self::JobResult {
        job.run()
    }

    fn job_size(job: &PartitionJob) -> JobSize {
        job.size()
    }
}

impl Coordinator {
    /// A coordinator that has never run.
    ///
    /// # Errors
    /// When the parts of the configuration do not fit together.
    pub fn new(config: CoordinatorConfig) -> Result<Self, ConfigError> {
        Self::recover(config, std::iter::empty())
    }

    /// Rebuilds a coordinator from the log of all its lives, oldest record first. Records are
    /// trusted. Headers that were pending are pulled again. Homes, and which epoch had moves, follow
    /// from the log; what shards reported of their traffic is lost.
    ///
    /// # Errors
    /// When the parts of the configuration do not fit together.
    pub fn recover(
        config: CoordinatorConfig,
        records: impl IntoIterator<Item = CoordinatorRecord>,
    ) -> Result<Self, ConfigError> {
        let keyring = config.keyring()?;
        let partitioner = config.partitioner;
        let settings = Arc::new(config.settings);
        let mut finality = Finality::new(&settings);
        let genesis = finality.tip();
        let mut pool = HeaderPool::new(Arc::clone(&settings), genesis);
        let genesis = Tip::genesis(genesis.digest(), genesis.number().0, genesis.timestamp());
        let mut evidence = Kept::default();
        let mut agreed = Vec::new();
        for record in records {
            if let CoordinatorRecord::Finalized(run) = &record {
                extend(&mut finality, &mut pool, run);
                finality.keep(record.checkpoints());
            }
            match record {
                CoordinatorRecord::Agreement(record) => agreed.push(record),
                CoordinatorRecord::Finalized(run) => agreed.push(Record::Finalized(run)),
                CoordinatorRecord::Evidence(proof) => evidence.recover(proof, &mut pool),
            }
        }
        let config = agreement(settings.checkpoint_every);
        let simplex = Simplex::recover(config, &keyring, genesis, agreed);
        let epochs = settings.epochs;
        let planner = partitioner
            .zip(epochs)
            .map(|(config, epochs)| Planner::new(config, epochs, &settings, finality.tip()));
        Ok(Self {
            puller: Puller::new(&settings),
            planner,
            settings,
            keyring,
            simplex,
            pool,
            finality,
            told: BTreeMap::new(),
            evidence,
            work: Work::default(),
        })
    }

    /// The state after the newest final checkpoint.
    #[must_use]
    pub fn tip(&self) -> &Arc<CheckpointState> {
        self.finality.tip()
    }

    /// Headers that wait, and equivocations of shards.
    #[must_use]
    pub fn pool(&self) -> &HeaderPool {
        &self.pool
    }

    /// Proofs that validators are faulty, the first [`MAX_EVIDENCE`] and the first of each validator.
    #[must_use]
    pub fn evidence(&self) -> &[Evidence] {
        self.evidence.of_validators()
    }

    /// The agreement's current view.
    #[must_use]
    pub fn view(&self) -> View {
        self.simplex.view()
    }

    /// The leader of a view.
    #[must_use]
    pub fn leader(&self, view: View) -> ValidatorIndex {
        self.simplex.leader(view)
    }

    fn pull_every(&self) -> cross_shard_msg::Duration {
        pull_every(self.settings.checkpoint_every)
    }

    fn receive(
        &mut self,
        now: Timestamp,
        from: NodeId,
        message: Message,
        effects: &mut Effects<Self>,
    ) {
        match (from, message) {
            (NodeId::Shard(shard), Message::Headers(headers)) => {
                self.receive_headers(shard, &headers, effects);
            }
            (NodeId::Shard(shard), Message::Traffic(report)) if self.settings.epochs.is_some() => {
                // Who has no partitioner has no use for it.
                if let Some(planner) = &mut self.planner
                    && let Err(reason) = planner.take(shard, report, &mut self.work)
                {
                    drop_input(reason, effects);
                }
            }
            (NodeId::Coordinator(from), Message::Consensus(bytes)) => {
                self.work.bytes += bytes.len() as u64;
                match codec::decode::<Agreement<CheckpointValue>>(&bytes) {
                    Ok(message) => {
                        self.agree(now, AgreementInput::Message { from, message }, effects)
                    }
                    Err(_) => drop_input(DropReason::Undecodable, effects),
                }
            }
            (NodeId::Shard(_) | NodeId::Client, Message::PullCheckpoints { from: number }) => {
                self.serve_checkpoints(from, number, effects);
            }
            _ => drop_input(DropReason::Unexpected, effects),
        }
    }

    fn receive_headers(
        &mut self,
        from: ShardId,
        headers: &Arc<Vec<SignedHeader>>,
        effects: &mut Effects<Self>,
    ) {
        if headers.len() > MAX_MESSAGE_ITEMS {
            return drop_input(DropReason::TooMany, effects);
        }
        for signed in headers.iter() {
            if let Err(reason) = self.pool.take(from, signed.clone(), &mut self.work) {
                drop_input(reason, effects);
            }
        }
    }

    fn serve_checkpoints(&self, to: NodeId, from: CheckpointNumber, effects: &mut Effects<Self>) {
        for finalized in self.finality.checkpoints(from) {
            effects.send(to, Message::Finalized(finalized.clone()));
        }
    }

    fn pull(&mut self, effects: &mut Effects<Self>) {
        for pull in self.puller.round(&self.settings, &self.pool) {
            let message = Message::PullHeaders { shard: pull.shard, from: pull.from, to: pull.to };
            effects.send(NodeId::Shard(pull.provider), message);
        }
    }

    fn announce(&mut self, write: WriteId, effects: &mut Effects<Self>) {
        for finalized in self.finality.release(write) {
            let number = finalized.checkpoint.number;
            let proposed = finalized.checkpoint.timestamp;
            effects.observe(Event::CheckpointFinalized { number, proposed });
            effects.push(Effect::Executed(Arc::new(finalized.clone())));
            effects.broadcast(Audience::ShardsAndClient, Message::Finalized(finalized));
        }
    }

    /// Hands one input to the agreement and does what it asks for, until it asks for nothing.
    fn agree(&mut self, now: Timestamp, input: AgreementInput, effects: &mut Effects<Self>) {
        let mut outputs = VecDeque::new();
        self.step(now, input, &mut outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Broadcast(message) => {
                    let send = |message| (Audience::Coordinators, message);
                    for (to, message) in self.encode(message, effects).into_iter().map(send) {
                        effects.broadcast(to, message);
                    }
                }
                Output::Send { to, message } => self.send(to, message, effects),
                Output::Persist { id, record } => {
                    if let Record::Finalized(run) = &record {
                        self.finality.hold(id, run);
                    }
                    effects.push(Effect::Persist { id, record: record.into() });
                }
                Output::NeedValue { view, parent, number: _, timestamp } => {
                    if let Some(value) = self.propose(parent, timestamp, effects) {
                        self.step(now, AgreementInput::Proposal { view, value }, &mut outputs);
                    }
                }
                Output::Validate { view, digest, value } => {
                    let verdict = self.judge(&value, effects);
                    self.step(now, AgreementInput::Verdict { view, digest, verdict }, &mut outputs);
                }
                // `step` has taken it in.
                Output::Finalized(_) => {}
                Output::Serve { to, after, limit } => {
                    let runs = self.finality.runs(after, limit);
                    if !runs.is_empty() {
                        self.send(to, Agreement::Finalized(runs), effects);
                    }
                }
                Output::Wake(at) => effects.set_timer(CoordinatorTimer::Agreement, at),
                Output::Entered { view, skipped } => {
                    if let (true, Some(view)) = (skipped, view.previous()) {
                        let leader = self.simplex.leader(view);
                        effects.observe(Event::ViewNullified { view, leader });
                    }
                }
                Output::Evidence(evidence) => self.evidence.votes(evidence),
                Output::Dropped(dropped) => {
                    if let Some(reason) = reason(dropped) {
                        drop_input(reason, effects);
                    }
                }
            }
        }
        if let Some(planner) = &mut self.planner {
            let (view, me) = (self.simplex.view(), self.keyring.validator());
            let leads = [view, view.next()].iter().any(|view| self.simplex.leader(*view) == me);
            planner.ask(&self.settings, self.finality.tip(), leads, &mut self.work, effects);
        }
    }

    /// One input. What becomes final is taken in at once, whatever waits before it: the agreement
    /// forgets it.
    fn step(
        &mut self,
        now: Timestamp,
        input: AgreementInput,
        outputs: &mut VecDeque<Output<CheckpointValue>>,
    ) {
        let keys = CountingKeys::new(&self.keyring);
        let mut new = Vec::new();
        self.simplex.handle(&keys, now, input, &mut new);
        keys.charge(&mut self.work);
        for output in &new {
            if let Output::Finalized(run) = output {
                extend(&mut self.finality, &mut self.pool, run);
                if let Some(planner) = &mut self.planner {
                    run.values.iter().for_each(|value| planner.advance(value));
                }
            }
        }
        outputs.extend(new);
    }

    fn state(&mut self, digest: B256) -> Option<Arc<CheckpointState>> {
        let simplex = &self.simplex;
        self.finality.state(digest, |digest| simplex.value(digest))
    }

    fn propose(
        &mut self,
        parent: B256,
        timestamp: Timestamp,
        effects: &mut Effects<Self>,
    ) -> Option<CheckpointValue> {
        let parent = self.state(parent)?;
        let moves = self.planner.as_ref().map_or(&[][..], |planner| planner.moves(&parent));
        let built = build(&parent, &self.settings, &self.pool, timestamp, moves);
        let (value, violations) = built.ok()?;
        for violation in violations {
            if let Some(shard) = violation.shard
                && self.told.insert(shard, violation) != Some(violation)
            {
                drop_input(DropReason::Invalid, effects);
                left_out(&violation).into_iter().for_each(|event| effects.observe(event));
                self.evidence.broken(&self.settings, &violation, &self.pool);
            }
        }
        effects.observe(Event::CheckpointProposed { number: value.checkpoint().number });
        Some(value)
    }

    fn judge(&mut self, value: &CheckpointValue, effects: &mut Effects<Self>) -> Verdict {
        let Some(parent) = self.state(consensus::Value::parent(value)) else {
            return Verdict::NotYet;
        };
        let (pool, settings) = (&self.pool, &self.settings);
        let mut verifications = 0;
        let valid = validate(&parent, settings, value, |signed| {
            let known = pool.knows(signed);
            verifications += u32::from(!known);
            known
        });
        self.work.verifications += verifications;
        match valid {
            Ok(state) => {
                self.pool.absorb(value.evidence());
                self.finality.remember(Arc::new(state));
                Verdict::Valid
            }
            Err(_) => {
                drop_input(DropReason::Invalid, effects);
                Verdict::Invalid
            }
        }
    }

    fn send(
        &mut self,
        to: ValidatorIndex,
        message: Agreement<CheckpointValue>,
        effects: &mut Effects<Self>,
    ) {
        for message in self.encode(message, effects) {
            effects.send(NodeId::Coordinator(to), message);
        }
    }

    /// Encodes a message of the agreement; a response that is too large goes out in parts.
    fn encode(
        &mut self,
        message: Agreement<CheckpointValue>,
        effects: &mut Effects<Self>,
    ) -> Vec<Message> {
        let parts = match (encode(&message), message) {
            (Ok(encoded), _) => vec![Ok(encoded)],
            (Err(_), Agreement::Response(Response { certificates, values })) => {
                let certificates = Response { certificates, values: Vec::new() };
                let values = values
                    .into_iter()
                    .map(|value| Response { certificates: Vec::new(), values: vec![value] });
                std::iter::once(certificates)
                    .chain(values)
                    .map(|response| encode(&Agreement::Response(response)))
                    .collect()
            }
            (error, _) => vec![error],
        };
        let mut messages = Vec::new();
        for part in parts {
            match part {
                Ok(bytes) => {
                    self.work.bytes += bytes.len() as u64;
                    messages.push(Message::Consensus(bytes));
                }
                Err(_) => drop_input(DropReason::TooMany, effects),
            }
        }
        messages
    }
}

fn encode(message: &Agreement<CheckpointValue>) -> Result<Bytes, CodecError> {
    codec::encode(message).map(Bytes::from)
}

fn extend(finality: &mut Finality, pool: &mut HeaderPool, run: &Finalized<CheckpointValue>) {
    finality.extend(run);
    let evidence: Vec<SignedHeader> =
        run.values.iter().flat_map(|value| value.evidence()).cloned().collect();
    pool.advance(finality.tip(), &evidence);
}

fn drop_input(reason: DropReason, effects: &mut Effects<Coordinator>) {
    effects.observe(Event::Dropped { reason });
}

/// The name under which a drop of the agreement is observed; `None` for what a healthy committee
/// produces: votes beyond the quorum, certificates that several hand on, an own answer that came
/// too late.
fn reason(dropped: Dropped) -> Option<DropReason> {
    Some(match dropped {
        Dropped::Malformed | Dropped::Epoch | Dropped::Equivocation => DropReason::Invalid,
        Dropped::Future => DropReason::TooFarAhead,
        Dropped::Unverified => DropReason::Signature,
        Dropped::NotLeader | Dropped::Unasked => DropReason::Unexpected,
        Dropped::Unlinked => DropReason::Disconnected,
        Dropped::Old | Dropped::Duplicate | Dropped::Late => return None,
    })
}

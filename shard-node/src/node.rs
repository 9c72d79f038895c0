//! The shard's machine: what happens on each input (rules R-CORE-1 to R-CORE-6, R-BLK-1, R-BLK-6).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use alloy_primitives::B256;
use cross_shard_msg::settings::Minting;
use cross_shard_msg::{
    Admission, Audience, DropReason, Effect, Effects, Event, FinalizedCheckpoint, Gate, Header,
    Height, Input, Machine, Message, NodeId, ReceiptBatch, Recovered, Refusal, Sequence, ShardId,
    Timestamp, TransactionKey, Work, WriteId,
};
use state::ShardState;

use crate::admission;
use crate::block::Made;
use crate::checkpoints::Checkpoints;
use crate::config::{ConfigError, Environment, ShardConfig, held};
use crate::congestion;
use crate::delayed::Delayed;
use crate::evm::{Executor, Locality as _};
use crate::headers::OwnHeaders;
use crate::incoming::IncomingQueues;
use crate::ledger::Books;
use crate::locale::Locale;
use crate::mempool::{Mempool, MempoolBounds};
use crate::notice::{self, Admissions, FLUSH_AFTER, Flush};
use crate::outgoing::OutgoingQueues;
use crate::parked::Parked;
use crate::prescribed::PrescribedList;
use crate::pulls::Pulls;
use crate::record::{Admin, BlockExecution, ShardRecord};
use crate::recover::NewLife;
use crate::snapshot::SNAPSHOT_EVERY;
use crate::timer::{Job, Timer};
use crate::traffic::Reports;

/// Blocks that may wait to be durable. There the shard waits for its disk.
const MAX_UNDURABLE: usize = 64;
/// Requests of an administrator that wait for the next block.
const MAX_ADMIN: usize = 1_024;
/// What destinations received is noted so often between two blocks; a note more or less only makes
/// a restarted shard send more again.
const MAX_RECEIVED: usize = 4_096;
/// Checkpoint intervals after which a batch that was not received is sent again (R-RCPT-6).
const RESEND_INTERVALS: u64 = 4;

/// One shard of a network.
#[derive(Debug)]
pub struct ShardNode {
    pub(crate) config: ShardConfig,
    pub(crate) locale: Locale,
    pub(crate) levels: congestion::Known,
    pub(crate) state: ShardState,
    pub(crate) executor: Executor,
    pub(crate) pool: Pool,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) incoming: IncomingQueues,
    pub(crate) outgoing: OutgoingQueues,
    pub(crate) pulls: Pulls,
    pub(crate) delayed: Delayed,
    pub(crate) parked: Parked,
    pub(crate) books: Books,
    pub(crate) headers: OwnHeaders,
    pub(crate) reports: Reports,
    /// Base fee of the next block, in wei.
    pub(crate) base_fee: u64,
    pub(crate) block_hashes: Arc<BTreeMap<u64, B256>>,
    pub(crate) admin: Vec<Admin>,
    /// What destinations received, for the next record.
    pub(crate) received: Vec<(ShardId, Sequence)>,
    pub(crate) life: NewLife,
    /// Blocks from one snapshot to the next; 0 for none.
    pub(crate) snapshot_every: u64,
    pub(crate) last_snapshot: Height,
    admissions: Admissions,
    replaced: Vec<(TransactionKey, Refusal)>,
    undurable: VecDeque<(WriteId, Made)>,
    next_write: WriteId,
}

/// Transactions that wait.
#[derive(Debug)]
pub(crate) enum Pool {
    /// Anybody's.
    Open(Mempool),
    /// Those of a prescribed block.
    Prescribed(PrescribedList),
}

type ShardEffects = Effects<ShardNode>;

impl ShardNode {
    /// The shard at genesis.
    ///
    /// # Errors
    /// When the parts of the configuration do not fit together.
    pub fn new(mut config: ShardConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let settings = config.settings.clone();
        let shards = settings.shard_count();
        let bounds = &settings.bounds;
        let pool = match &config.environment {
            Environment::Lab => Pool::Open(Mempool::new(MempoolBounds {
                total: bounds.mempool as usize,
                per_sender: bounds.nonce_window as usize,
                time: bounds.mempool_time,
            })),
            Environment::Prescribed(prescribed) => {
                let every = settings.checkpoint_every;
                Pool::Prescribed(PrescribedList::new(&prescribed.order, settings.block_time, every))
            }
        };
        let committee = config.committee()?;
        let every = settings.checkpoint_every;
        let genesis = std::mem::take(&mut config.genesis);
        Ok(Self {
            locale: Locale::new(config.shard, config.allocation()),
            levels: congestion::Known::new(shards),
            executor: Executor::new(config.rules()),
            pool,
            checkpoints: Checkpoints::new(&settings.network, committee, shards, every),
            incoming: IncomingQueues::new(config.shard, &settings),
            outgoing: OutgoingQueues::new(shards, bounds),
            pulls: Pulls::new(shards, every),
            delayed: Delayed::default(),
            parked: Parked::default(),
            books: Books::new(held(&genesis)),
            state: ShardState::from_genesis(genesis),
            headers: OwnHeaders::new(&settings.network, config.shard),
            reports: Reports::default(),
            base_fee: settings.base_fee,
            block_hashes: Arc::default(),
            admin: Vec::new(),
            received: Vec::new(),
            life: NewLife::default(),
            snapshot_every: SNAPSHOT_EVERY,
            last_snapshot: Height::ZERO,
            admissions: Admissions::default(),
            replaced: Vec::new(),
            undurable: VecDeque::new(),
            next_write: WriteId::ZERO,
            config,
        })
    }

    /// The state after the newest block, which may not be durable yet.
    #[must_use]
    pub fn state(&self) -> &ShardState {
        &self.state
    }

    /// Whether all blocks are durable.
    pub(crate) fn is_durable(&self) -> bool {
        self.undurable.is_empty()
    }

    /// The newest block's header, durable or not; `None` before the first block.
    #[must_use]
    pub fn tip(&self) -> Option<&Header> {
        self.headers.tip()
    }

    fn on_start(&mut self, now: Timestamp, effects: &mut ShardEffects) {
        self.set_block_timer(now, effects);
        effects.set_timer(Timer::Resend, now + self.config.settings.checkpoint_every);
        self.begin_new_life(now, effects);
    }

    /// The first point of this shard's grid of block times that is after `now` (R-BLK-1).
    fn set_block_timer(&self, now: Timestamp, effects: &mut ShardEffects) {
        let settings = &self.config.settings;
        let every = settings.block_time.0;
        let offset = settings.block_offset.get(self.config.shard.0 as usize).map_or(0, |d| d.0);
        let due = match now.0.checked_sub(offset) {
            Some(since) => offset.saturating_add((since / every + 1).saturating_mul(every)),
            None => offset,
        };
        effects.set_timer(Timer::Block, Timestamp(due));
    }

    fn on_block_timer(&mut self, now: Timestamp, effects: &mut ShardEffects) {
        self.set_block_timer(now, effects);
        let waits = match &self.pool {
            // After a restart those that were refused do not come again.
            Pool::Prescribed(list) => !list.is_complete() && self.headers.tip().is_none(),
            Pool::Open(_) => false,
        };
        if waits
            || self.is_catching_up(now)
            || self.undurable.len() >= MAX_UNDURABLE
            || self.headers.is_full()
        {
            return;
        }
        let mut made = self.make_block(now);
        effects.busy(made.work);
        for event in made.events.drain(..) {
            effects.observe(event);
        }
        for (key, refusal) in &made.dropped {
            effects.observe(Event::Refused { key: *key, refusal: *refusal });
        }
        made.dropped.append(&mut self.replaced);
        let waiting = match &self.pool {
            Pool::Open(mempool) => mempool.len(),
            Pool::Prescribed(list) => list.len(),
        };
        effects.observe(Event::BlockExecuted {
            height: made.record.block.header.height,
            started: now,
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
        });
        let id = self.next_write;
        self.next_write = id.next();
        effects.push(Effect::Persist { id, record: made.record.clone() });
        self.undurable.push_back((id, made));
    }

    /// The block is durable: others may know of it (R-BLK-6).
    fn on_durable(&mut self, now: Timestamp, id: WriteId, effects: &mut ShardEffects) {
        let Some((oldest, _)) = self.undurable.front() else { return };
        assert!(*oldest == id, "writes become durable in order: {oldest} is before {id}");
        let Some((_, made)) = self.undurable.pop_front() else { return };
        let block = made.execution.block.clone();
        effects.observe(Event::BlockReleased { height: block.header.height });
        let header = block.header.clone();
        effects.broadcast(Audience::Coordinators, Message::Headers(Arc::new(vec![header.clone()])));
        let height = header.height;
        self.headers.keep(header);
        for report in self.reports.range(height, height) {
            effects.broadcast(Audience::Coordinators, Message::Traffic(report.clone()));
        }
        for batch in self.batches(&made) {
            self.outgoing.retain(batch.clone(), now);
            effects.send(NodeId::Shard(batch.outgoing.destination), Message::Batch(batch));
        }
        if let Some(notice) = notice::of_block(&block, made.dropped) {
            let notice = Arc::new(notice);
            self.life.note(notice.clone());
            effects.send(NodeId::Client, Message::Included(notice));
        }
        effects.push(Effect::Executed(Arc::new(made.execution)));
    }

    pub(crate) fn batches(&self, made: &Made) -> Vec<Arc<ReceiptBatch>> {
        let block = &made.record.block;
        let connected = self.checkpoints.tip(self.config.shard).previous;
        let proven = block.outgoing.iter().zip(&made.proofs);
        proven
            .map(|(outgoing, proof)| {
                let chain = match self.config.settings.gate {
                    Gate::Checkpoint => Vec::new(),
                    Gate::Certified => {
                        let last = self.outgoing.last_batch(outgoing.destination);
                        self.headers.chain(last.max(connected), block.header.height)
                    }
                };
                Arc::new(ReceiptBatch {
                    chain,
                    header: block.header.clone(),
                    outgoing: outgoing.clone(),
                    proof: proof.clone(),
                })
            })
            .collect()
    }

    fn on_submit(&mut self, now: Timestamp, transaction: Recovered, effects: &mut ShardEffects) {
        // Who drives the node has recovered the sender, beside this thread, and charges for it.
        let (key, hash) = (transaction.transaction().key(), transaction.transaction().hash());
        let outcome = self.admit(now, transaction, effects);
        effects.observe(match outcome {
            Ok(()) => Event::Admitted { key },
            Err(refusal) => Event::Refused { key, refusal },
        });
        match self.admissions.push(Admission { hash, outcome }) {
            Flush::Now => self.flush_admissions(effects),
            Flush::Later => effects.set_timer(Timer::FlushAdmissions, now + FLUSH_AFTER),
            Flush::Scheduled => {}
        }
    }

    fn admit(
        &mut self,
        now: Timestamp,
        transaction: Recovered,
        effects: &mut ShardEffects,
    ) -> Result<(), Refusal> {
        let admission = admission::Admission {
            settings: &self.config.settings,
            rules: self.executor.rules(),
            locale: &self.locale,
            state: &self.state,
            outgoing: &self.outgoing,
            levels: &self.levels,
            base_fee: self.base_fee,
        };
        match &mut self.pool {
            Pool::Open(mempool) => {
                let next = admission.check(&transaction)?;
                if let Some(key) = mempool.admit(now, transaction, next)? {
                    effects.observe(Event::Refused { key, refusal: Refusal::Replaced });
                    self.replaced.push((key, Refusal::Replaced));
                }
                Ok(())
            }
            Pool::Prescribed(list) => {
                admission.check_prescribed(&transaction)?;
                list.admit(transaction)
            }
        }
    }

    fn flush_admissions(&mut self, effects: &mut ShardEffects) {
        let admissions = self.admissions.take();
        if !admissions.is_empty() {
            effects.send(NodeId::Client, Message::Admissions(admissions));
        }
    }

    fn on_message(
        &mut self,
        now: Timestamp,
        from: NodeId,
        message: Message,
        effects: &mut ShardEffects,
    ) {
        match (from, message) {
            (NodeId::Shard(source), Message::Batch(batch)) => {
                self.on_batch(now, source, batch, effects);
            }
            (NodeId::Shard(destination), Message::PullBatches { above }) => {
                self.serve_batches(now, destination, above, effects);
            }
            (NodeId::Shard(destination), Message::Received { sequence }) => {
                if !self.outgoing.received(destination, sequence) {
                    drop_input(effects, DropReason::Invalid);
                } else if self.received.len() < MAX_RECEIVED {
                    self.received.push((destination, sequence));
                }
            }
            (NodeId::Coordinator(_), Message::Finalized(checkpoint)) => {
                self.on_finalized(now, from, checkpoint, effects);
            }
            (NodeId::Coordinator(_), Message::PullHeaders { shard, from: first, to }) => {
                self.serve_headers(from, shard, first, to, effects);
            }
            _ => drop_input(effects, DropReason::Unexpected),
        }
    }

    fn on_batch(
        &mut self,
        now: Timestamp,
        source: ShardId,
        batch: Arc<ReceiptBatch>,
        effects: &mut ShardEffects,
    ) {
        let height = batch.header.height;
        let arrival = self.incoming.receive(now, source, batch, &self.checkpoints);
        effects.busy(Work {
            verifications: arrival.verifications,
            bytes: arrival.bytes,
            ..Work::default()
        });
        if let Some(reason) = arrival.dropped {
            drop_input(effects, reason);
        }
        if let Some(sequence) = arrival.received {
            effects.send(NodeId::Shard(source), Message::Received { sequence });
        }
        if arrival.arrived {
            effects.observe(Event::BatchArrived { source, height });
            self.open_gate(source, effects);
        }
        if let Some(above) = arrival.pull {
            effects.send(NodeId::Shard(source), Message::PullBatches { above });
        }
    }

    fn open_gate(&mut self, source: ShardId, effects: &mut ShardEffects) {
        let opened = self.incoming.open_gate(source, &self.checkpoints);
        for height in opened.accepted {
            effects.observe(Event::BatchAccepted { source, height });
        }
        for _ in 0..opened.forked {
            drop_input(effects, DropReason::Disconnected);
        }
    }

    fn on_finalized(
        &mut self,
        now: Timestamp,
        from: NodeId,
        checkpoint: FinalizedCheckpoint,
        effects: &mut ShardEffects,
    ) {
        let arrival = self.checkpoints.receive(now, checkpoint);
        effects.busy(Work { verifications: arrival.verifications, ..Work::default() });
        if let Some(reason) = arrival.dropped {
            drop_input(effects, reason);
        }
        let mut moved = BTreeSet::new();
        for checkpoint in &arrival.known {
            moved.extend(checkpoint.crosslinks.iter().map(|crosslink| crosslink.shard));
        }
        if moved.remove(&self.config.shard) {
            self.on_own_crosslink(effects);
        }
        let shards = self.config.settings.shard_count();
        for source in moved.into_iter().filter(|source| source.0 < shards) {
            self.incoming.crosslinked(source, &self.checkpoints);
            self.open_gate(source, effects);
        }
        if !arrival.known.is_empty() {
            self.catch_up(now, from, effects);
        }
        if let Some(missing) = arrival.missing {
            effects.send(from, Message::PullCheckpoints { from: missing });
        }
    }

    /// The committee saw this shard's blocks up to the tip: sources learn what has entered, and
    /// headers that nobody needs any more are forgotten.
    fn on_own_crosslink(&mut self, effects: &mut ShardEffects) {
        for (source, sequence) in self.forget_crosslinked() {
            effects.send(NodeId::Shard(source), Message::Received { sequence });
        }
    }

    fn on_resend_timer(&mut self, now: Timestamp, effects: &mut ShardEffects) {
        let every = self.config.settings.checkpoint_every;
        for batch in self.outgoing.overdue(now, every.times(RESEND_INTERVALS)) {
            effects.send(NodeId::Shard(batch.outgoing.destination), Message::Batch(batch));
        }
        for (source, above) in self.incoming.gaps(now) {
            effects.send(NodeId::Shard(source), Message::PullBatches { above });
        }
        self.ask_for_checkpoints(effects);
        effects.set_timer(Timer::Resend, now + every);
    }

    fn on_admin(&mut self, request: Admin, effects: &mut ShardEffects) {
        let Admin::SetBalance { address, .. } = &request;
        let mints = self.config.settings.minting == Minting::Administrator;
        if !mints || !self.locale.is_local(address) {
            drop_input(effects, DropReason::Invalid);
        } else if self.admin.len() >= MAX_ADMIN {
            drop_input(effects, DropReason::QueueFull);
        } else {
            self.admin.push(request);
        }
    }
}

impl Machine for ShardNode {
    type Timer = Timer;
    type Record = ShardRecord;
    type Job = Job;
    type JobResult = Job;
    type Admin = Admin;
    type Executed = BlockExecution;

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut Effects<Self>) {
        match input {
            Input::Start => self.on_start(now, effects),
            Input::Timer(Timer::Block) => self.on_block_timer(now, effects),
            Input::Timer(Timer::FlushAdmissions) => self.flush_admissions(effects),
            Input::Timer(Timer::Resend) => self.on_resend_timer(now, effects),
            Input::Submit(transaction) => self.on_submit(now, transaction, effects),
            Input::Durable(id) => self.on_durable(now, id, effects),
            Input::Message { from, message } => self.on_message(now, from, message, effects),
            Input::Admin(request) => self.on_admin(request, effects),
            Input::Computed(_, job) => match job {},
        }
    }

    fn compute(job: Job) -> Job {
        job
    }
}

fn drop_input(effects: &mut ShardEffects, reason: DropReason) {
    effects.observe(Event::Dropped { reason });
}

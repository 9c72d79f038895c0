//! The load generator as a machine (rules R-CLI-1 to R-CLI-6).
//!
//! It sends a signed workload on schedule, repeats what was refused for now, follows blocks and
//! checkpoints, and knows of every transaction when it is settled and final. Like every machine it
//! reads no clock and does no IO.
//!
//! In the order in which data flows: [`config`] says how it behaves; `sending` packs what is due;
//! `retry` keeps what was refused or not answered; [`book`] accounts for every transaction;
//! `checkpoints` accepts what the committee finalized; [`progress`] tells the program.
//!
//! A run has up to three stages. Contracts are deployed; when their placements are final and had
//! time to reach every shard, they are prepared; when that is settled, the clock of the load
//! starts. The first two are closed-loop (a bounded number of transactions is open), the last one
//! is open-loop: what is due is sent, whatever the network does.

pub mod book;
mod checkpoints;
pub mod config;
pub mod progress;
mod retry;
mod sending;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use alloy_primitives::Address;
use cross_shard_msg::message::MAX_MESSAGE_ITEMS;
use cross_shard_msg::{
    BlockNotice, DropReason, Duration, Effect, Effects, Event, FinalizedCheckpoint, Input,
    LegStatus, Machine, Message, NodeId, Refusal, ShardId, Timestamp, TransactionKey,
    ValidatorIndex,
};
use partitioning::Allocation;

use crate::workload::{SignedWorkload, Stage};

pub use book::{Outcome, Tally};
pub use config::ClientConfig;
pub use progress::{ClientProgress, Ended, SetupFailure};

use book::Book;
use checkpoints::Checkpoints;
use retry::{Resubmissions, Retries};
use sending::Outbox;

/// What is due within this time is sent together. Latency counts from the scheduled time, so the
/// delay is measured, not hidden.
pub const TICK: Duration = Duration::from_millis(2);
/// How often the program is told of progress.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// How long the client waits before it asks for the same checkpoints again.
const PULL_AGAIN: Duration = Duration::from_secs(1);

/// The load generator.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    workload: Arc<SignedWorkload>,
    allocation: Allocation,
    book: Book,
    checkpoints: Checkpoints,
    retries: Retries,
    resubmissions: Resubmissions,
    stage: Stage,
    /// When the stage began or will begin; in `Run` the origin of the schedule.
    began: Timestamp,
    /// Transactions of the stage that were not sent yet.
    unsent: Range<usize>,
    /// When something last moved in a set-up stage.
    moved: Timestamp,
    pulled: Option<Timestamp>,
    /// When something was sent last.
    pumped: Option<Timestamp>,
    wake: Option<Timestamp>,
    /// When progress is told next.
    report: Timestamp,
    failure: Option<SetupFailure>,
    ended: Option<Ended>,
}

/// The only timer of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wake;

/// What the program may ask of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAdmin {
    /// End now: what is open is unfinished.
    Stop,
}

/// The client does no long computations and keeps no records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Nothing {}

type ClientEffects = Effects<Client>;

/// Where a sender's transactions go (rule R-CLI-2). A sender that lives everywhere (a prescribed
/// beneficiary) sends at its base home, so that one shard sees all of its nonces.
#[must_use]
pub fn route(allocation: &Allocation, sender: &Address) -> ShardId {
    match allocation.home(sender) {
        partitioning::Home::Shard(shard) => shard,
        partitioning::Home::Everywhere => allocation.base_home(sender),
    }
}

impl Client {
    /// A client that will send `workload` to a network whose allocation at genesis is `allocation`.
    #[must_use]
    pub fn new(
        config: ClientConfig,
        allocation: Allocation,
        workload: Arc<SignedWorkload>,
    ) -> Self {
        Self {
            book: Book::new(&workload, allocation.shards()),
            checkpoints: Checkpoints::new(config.validators),
            retries: Retries::default(),
            resubmissions: Resubmissions::default(),
            stage: Stage::Deploy,
            began: config.start,
            unsent: stage_of(&workload, Stage::Deploy),
            moved: config.start,
            pulled: None,
            pumped: None,
            wake: None,
            report: config.start,
            failure: None,
            ended: None,
            config,
            allocation,
            workload,
        }
    }

    fn on_message(
        &mut self,
        now: Timestamp,
        from: NodeId,
        message: Message,
        effects: &mut ClientEffects,
    ) {
        let drop = |effects: &mut ClientEffects, reason| effects.observe(Event::Dropped { reason });
        match (from, message) {
            (NodeId::Shard(shard), Message::Admissions(admissions)) => {
                if admissions.len() > MAX_MESSAGE_ITEMS {
                    return drop(effects, DropReason::TooMany);
                }
                for admission in admissions {
                    let key = TransactionKey::of(&admission.hash);
                    match admission.outcome {
                        Ok(()) => self.on_admitted(key, effects),
                        Err(refusal) => self.on_refused(now, shard, key, refusal, effects),
                    }
                }
            }
            (NodeId::Shard(shard), Message::Included(notice)) if notice.shard == shard => {
                self.on_included(now, &notice, effects);
            }
            (NodeId::Coordinator(validator), Message::Finalized(finalized)) => {
                self.on_finalized(now, validator, finalized, effects);
            }
            _ => drop(effects, DropReason::Unexpected),
        }
    }

    fn on_admitted(&mut self, key: TransactionKey, effects: &mut ClientEffects) {
        match self.book.index(key) {
            Some(index) => self.book.admitted(index),
            None => effects.observe(Event::Dropped { reason: DropReason::Unexpected }),
        }
    }

    /// R-CLI-3: what may pass later is tried again until the deadline.
    fn on_refused(
        &mut self,
        now: Timestamp,
        from: ShardId,
        key: TransactionKey,
        refusal: Refusal,
        effects: &mut ClientEffects,
    ) {
        let Some(index) = self.book.index(key) else {
            return effects.observe(Event::Dropped { reason: DropReason::Unexpected });
        };
        if self.book.is_decided(index) {
            return;
        }
        match refusal {
            Refusal::AlreadyKnown => return self.book.admitted(index),
            // It was sent before: it is in a block of which the client has not heard yet.
            Refusal::NonceTooLow if self.book.attempts(index) > 1 => return,
            _ => {}
        }
        let again = now + self.retry_delay(from, index, refusal);
        let setup = self.stage.is_setup();
        let in_time = setup || again <= self.scheduled(index) + self.config.retry_deadline;
        if refusal.may_pass_later() && in_time {
            let sender = self.workload.transactions.get(index as usize).map(|t| t.sender);
            if let Some(sender) = sender {
                self.retries.add(sender, index, again);
            }
            return;
        }
        self.book.refused(index, refusal);
        effects.observe(Event::GaveUp { key, refusal });
        if setup {
            self.failure.get_or_insert(SetupFailure::Refused { key, refusal });
        }
    }

    /// How long to wait until what a shard refused is sent again. A sender that moves is live at its
    /// new home after a block or two; if that home is known by now, there is nothing to wait for.
    fn retry_delay(&self, from: ShardId, index: u32, refusal: Refusal) -> Duration {
        let home = || {
            let sender = self.workload.sender(index as usize).unwrap_or_default();
            route(&self.allocation, &sender)
        };
        match refusal {
            Refusal::Moved if home() != from => Duration::ZERO,
            Refusal::Moved | Refusal::InFlight => self.config.follow_delay,
            _ => self.config.retry_delay,
        }
    }

    /// R-CLI-4. A leg whose key is unknown belongs to no transaction: a `Migrate`.
    fn on_included(&mut self, now: Timestamp, notice: &BlockNotice, effects: &mut ClientEffects) {
        if !self.book.include(notice) {
            return effects.observe(Event::Dropped { reason: DropReason::Duplicate });
        }
        if self.stage.is_setup() {
            self.moved = now;
            let failed = notice.legs.iter().find_map(|leg| match leg.status {
                LegStatus::Failed(failure) => Some((leg.key, failure)),
                LegStatus::Succeeded | LegStatus::Forwarded => None,
            });
            if let Some((key, failure)) = failed {
                self.failure.get_or_insert(SetupFailure::Failed { key, failure });
            }
        }
        for (key, refusal) in &notice.dropped {
            self.on_refused(now, notice.shard, *key, *refusal, effects);
        }
    }

    /// R-CLI-2, R-CLI-5.
    fn on_finalized(
        &mut self,
        now: Timestamp,
        from: ValidatorIndex,
        finalized: FinalizedCheckpoint,
        effects: &mut ClientEffects,
    ) {
        if let Err(reason) = self.checkpoints.receive(from, finalized) {
            return effects.observe(Event::Dropped { reason });
        }
        while let Some(checkpoint) = self.checkpoints.next() {
            self.allocation.apply(&checkpoint);
            for crosslink in &checkpoint.crosslinks {
                self.book.cover(crosslink.shard, crosslink.tip());
            }
            self.moved = now;
        }
        let due = self.pulled.is_none_or(|pulled| now >= pulled + PULL_AGAIN);
        if let Some(from_number) = self.checkpoints.missing().filter(|_| due) {
            self.pulled = Some(now);
            let pull = Message::PullCheckpoints { from: from_number };
            effects.send(NodeId::Coordinator(from), pull);
        }
    }

    /// Sends what is due, in the order of the schedule, and so each sender's in nonce order.
    fn pump(&mut self, now: Timestamp, effects: &mut ClientEffects) {
        let mut due = self.retries.take_due(now);
        due.extend(self.resubmissions.take_due(now, |index, attempt| {
            self.book.attempts(index) == attempt && !self.retries.contains(index)
        }));
        due.retain(|index| !self.book.is_decided(*index));
        if now >= self.began {
            let count = self.due_count(now);
            let end = self.unsent.start + count;
            due.extend((self.unsent.start..end).filter_map(|index| u32::try_from(index).ok()));
            self.unsent.start = end;
        }
        due.sort_unstable();
        due.dedup();
        if !due.is_empty() {
            self.pumped = Some(now);
        }
        let mut outbox = Outbox::new(self.allocation.shards());
        for index in due {
            self.send(now, index, &mut outbox, effects);
        }
        outbox.flush(effects);
    }

    /// How many of the unsent ones may be sent now.
    fn due_count(&self, now: Timestamp) -> usize {
        let Some(unsent) = self.workload.transactions.get(self.unsent.clone()) else { return 0 };
        if self.stage.is_setup() {
            let tally = self.book.tally(self.stage);
            let open = tally.submitted.saturating_sub(tally.included + tally.refused);
            return unsent.len().min(self.config.setup_window.saturating_sub(open) as usize);
        }
        let since = now.since(self.began);
        unsent.partition_point(|transaction| transaction.at <= since)
    }

    fn send(
        &mut self,
        now: Timestamp,
        index: u32,
        outbox: &mut Outbox,
        effects: &mut ClientEffects,
    ) {
        let Some(transaction) = self.workload.transactions.get(index as usize) else { return };
        let submission = self.workload.submission(index as usize, self.config.assume_senders);
        let sender = self.workload.sender(index as usize).unwrap_or_default();
        let shard = route(&self.allocation, &sender);
        let attempt = self.book.submitted(index);
        self.resubmissions.add(now + self.config.resubmit_after, index, attempt);
        let (key, scheduled) = (transaction.key, self.scheduled(index));
        effects.observe(Event::Submitted { key, scheduled, shard, attempt });
        outbox.put(shard, submission, effects);
    }

    /// When a transaction was due; in the set-up stages, when its stage began.
    fn scheduled(&self, index: u32) -> Timestamp {
        let transaction = self.workload.transactions.get(index as usize);
        let at = transaction.map_or(Duration::ZERO, |transaction| transaction.at);
        self.began + at
    }

    /// Goes on to the next stage, or to the end.
    fn advance(&mut self, now: Timestamp) {
        while self.ended.is_none() && self.stage.is_setup() {
            let tally = self.book.tally(self.stage);
            if let Some(failure) = self.failure {
                self.ended = Some(Ended::SetupFailed(failure));
            } else if tally.settled == tally.total {
                // A shard may hear of a placement later than the client, and would take the
                // contract for an empty account.
                let margin = match (self.stage, tally.total) {
                    (Stage::Deploy, 1..) => self.config.placement_margin,
                    _ => Duration::ZERO,
                };
                let begin = if tally.total == 0 { self.began } else { now + margin };
                self.stage = if self.stage == Stage::Deploy { Stage::Prepare } else { Stage::Run };
                self.began = begin.max(self.began);
                self.moved = self.began;
                self.unsent = stage_of(&self.workload, self.stage);
            } else if now >= self.moved + self.config.drain_timeout {
                self.ended = Some(Ended::SetupFailed(SetupFailure::Stalled));
            } else {
                return;
            }
        }
        if self.ended.is_some() {
            return;
        }
        let tally = self.book.tally(Stage::Run);
        if now >= self.load_end() && tally.decided == tally.total {
            self.ended = Some(Ended::Complete);
        } else if now >= self.load_end() + self.config.drain_timeout {
            self.ended = Some(Ended::DrainTimeout);
        }
    }

    /// When the last phase ends. Meaningful in stage `Run`.
    fn load_end(&self) -> Timestamp {
        self.began + self.workload.end()
    }

    /// When the client must be woken if nothing else happens.
    fn next_wake(&self, now: Timestamp) -> Timestamp {
        let sends = if self.stage.is_setup() {
            (now >= self.began && self.due_count(now) > 0).then_some(now)
        } else {
            let next = self.workload.transactions.get(self.unsent.start);
            next.filter(|_| !self.unsent.is_empty()).map(|next| self.began + next.at)
        };
        let sends = [sends, self.retries.due(), self.resubmissions.due()];
        let earliest = self.pumped.map_or(now, |pumped| pumped + TICK);
        let sends = sends.into_iter().flatten().min().map(|due| due.max(earliest));
        let ends = if self.stage.is_setup() {
            self.moved + self.config.drain_timeout
        } else if now < self.load_end() {
            self.load_end()
        } else {
            self.load_end() + self.config.drain_timeout
        };
        let begins = (now < self.began).then_some(self.began);
        [sends, begins, Some(ends), Some(self.report)]
            .into_iter()
            .flatten()
            .fold(ends, Timestamp::min)
    }

    fn tell(&mut self, now: Timestamp, effects: &mut ClientEffects) {
        self.report = now + PROGRESS_EVERY;
        let ended = self.ended;
        effects.push(Effect::Executed(Arc::new(ClientProgress {
            stage: self.stage,
            origin: (!self.stage.is_setup()).then_some(self.began),
            load: self.workload.end(),
            setup: self.book.tally(Stage::Deploy).plus(&self.book.tally(Stage::Prepare)),
            run: self.book.tally(Stage::Run),
            retrying: self.retries.len(),
            checkpoint: self.allocation.newest(),
            ended,
            outcomes: ended.map(|_| self.book.outcomes()).unwrap_or_default(),
        })));
    }
}

impl Machine for Client {
    type Timer = Wake;
    type Record = Nothing;
    type Job = Nothing;
    type JobResult = Nothing;
    type Admin = ClientAdmin;
    type Executed = ClientProgress;

    fn compute(job: Nothing) -> Nothing {
        job
    }

    fn handle(&mut self, now: Timestamp, input: Input<Self>, effects: &mut ClientEffects) {
        if self.ended.is_some() {
            return;
        }
        let mut woken = false;
        match input {
            Input::Start => {
                self.began = self.began.max(now);
                self.moved = self.began;
                self.report = now;
            }
            Input::Message { from, message } => self.on_message(now, from, message, effects),
            Input::Timer(Wake) => {
                self.wake = None;
                woken = true;
            }
            Input::Admin(ClientAdmin::Stop) => self.ended = Some(Ended::Stopped),
            Input::Submit(_) | Input::Durable(_) => {
                effects.observe(Event::Dropped { reason: DropReason::Unexpected });
            }
            Input::Computed(_, nothing) => match nothing {},
        }
        self.advance(now);
        if self.ended.is_none() && woken {
            self.pump(now, effects);
        }
        if self.ended.is_some() {
            self.tell(now, effects);
            effects.push(Effect::CancelTimer(Wake));
            return;
        }
        if now >= self.report {
            self.tell(now, effects);
        }
        let wake = self.next_wake(now);
        if self.wake != Some(wake) {
            self.wake = Some(wake);
            effects.set_timer(Wake, wake);
        }
    }
}

/// The transactions of a stage: the workload is sorted by stage.
fn stage_of(workload: &SignedWorkload, stage: Stage) -> Range<usize> {
    let transactions = &workload.transactions;
    let start = transactions.partition_point(|transaction| transaction.stage < stage);
    let end = transactions.partition_point(|transaction| transaction.stage <= stage);
    start..end
}

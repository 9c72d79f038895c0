//! A shard rebuilt from its records, and what it does first in its new life (rules R-REC-1 to
//! R-REC-4).
//!
//! Blocks are executed again from the last snapshot, or from genesis, each from its own body, and must come out as they were.
//! The block above the last durable one was shown to nobody (R-BLK-6), so making another one at its
//! height is safe. What was durable but perhaps not sent is sent again; what was missed is asked for.

use std::collections::VecDeque;
use std::sync::Arc;

use alloy_primitives::Address;
use cross_shard_msg::{
    Audience, Block, BlockNotice, CheckpointNumber, Effects, Header, Height, Message, NodeId,
    Recovered, Sequence, ShardId, Timestamp, Transaction, ValidatorIndex,
};
use state::StateDiff;

use crate::block::Opening;
use crate::config::{ConfigError, ShardConfig};
use crate::evm::NotExecuted;
use crate::execute::Legs;
use crate::moves::Applied;
use crate::node::{Pool, ShardNode};
use crate::notice;
use crate::record::ShardRecord;

/// Notices of blocks that a client is told again, at most; older ones were told long ago.
const MAX_UNSEEN: usize = 1_024;
/// Checkpoints in one answer of a coordinator. If it answers with fewer, the next timer asks again.
const CHECKPOINTS_PER_ANSWER: u64 = 64;
/// Checkpoint intervals without a new checkpoint after which blocks are made nevertheless.
const PATIENT_INTERVALS: u64 = 4;
/// A shard has caught up when its newest checkpoint is at most so many intervals old.
const RECENT_INTERVALS: u64 = 2;

/// Why a shard cannot be rebuilt from its records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// The parts of the configuration do not fit together.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The records are another shard's, or one is missing.
    #[error("after block {last} the records have block {found} of {shard}")]
    Order {
        /// The last block that was executed again.
        last: Height,
        /// The next one in the records.
        found: Height,
        /// The shard that made it.
        shard: ShardId,
    },
    /// A snapshot is another shard's, or its accounts do not have its header's state root.
    #[error("the snapshot after block {0} is damaged")]
    Snapshot(Height),
    /// A checkpoint does not follow the one before.
    #[error("block {height}: checkpoint {number} does not follow the one before")]
    Checkpoint {
        /// The block that applied it.
        height: Height,
        /// The checkpoint.
        number: CheckpointNumber,
    },
    /// A batch of receipts does not follow the one before.
    #[error("block {0}: incoming receipts do not follow those before")]
    Incoming(Height),
    /// A transaction of the body is not executable.
    #[error("block {height}: transaction {index} cannot be executed: {reason}")]
    Transaction {
        /// The block.
        height: Height,
        /// Position in the body.
        index: usize,
        /// Why not.
        reason: String,
    },
    /// Executing the block again gives something else.
    #[error("block {height}: executed again it has another {what}")]
    Diverged {
        /// The block.
        height: Height,
        /// What differs.
        what: &'static str,
    },
}

/// What a recovered shard still has to do.
#[derive(Debug, Default)]
pub(crate) struct NewLife {
    /// What the client may not have been told.
    unseen: VecDeque<Arc<BlockNotice>>,
    /// Set until the shard has caught up.
    catching_up: Option<CatchingUp>,
}

#[derive(Clone, Copy, Debug, Default)]
struct CatchingUp {
    /// When something became known last.
    progress: Timestamp,
    /// From where on checkpoints were asked for last.
    asked: CheckpointNumber,
    /// Whom to ask next.
    next: u32,
    /// Whether an answer brought fewer checkpoints than one may have: there are no more.
    answered: bool,
}

impl NewLife {
    /// The client was told this, or should have been. What was refused is of no use later.
    pub(crate) fn note(&mut self, notice: Arc<BlockNotice>) {
        let mut notice = notice;
        if !notice.dropped.is_empty() {
            Arc::make_mut(&mut notice).dropped.clear();
        }
        if notice.legs.is_empty() && notice.placements.is_empty() {
            return;
        }
        self.unseen.push_back(notice);
        if self.unseen.len() > MAX_UNSEEN {
            self.unseen.pop_front();
        }
    }

    pub(crate) fn unseen(&self) -> impl Iterator<Item = &Arc<BlockNotice>> {
        self.unseen.iter()
    }
}

impl ShardNode {
    /// Rebuilds a shard from the records of all its lives, oldest first. Records are trusted to be
    /// the shard's own, but every block is executed again and compared.
    ///
    /// # Errors
    /// When the parts of the configuration do not fit together, records are missing, or a block
    /// does not come out as it was: then the node must not go on.
    pub fn recover(
        config: ShardConfig,
        records: impl IntoIterator<Item = ShardRecord>,
    ) -> Result<Self, RecoverError> {
        let mut node = Self::new(config)?;
        let mut since = Vec::new();
        for record in records {
            if record.before.is_some() {
                since.clear();
            }
            since.push(record);
        }
        if let Some(snapshot) = since.first().and_then(|record| record.before.as_ref())
            && !node.restore(snapshot)
        {
            return Err(RecoverError::Snapshot(snapshot.height()));
        }
        for record in since {
            node.redo(record)?;
        }
        node.life.catching_up = Some(CatchingUp::default());
        Ok(node)
    }

    /// Executes a recorded block again; returns what it changed.
    pub(crate) fn redo(&mut self, record: ShardRecord) -> Result<StateDiff, RecoverError> {
        let header = &record.block.header;
        let (height, last) = (header.height, self.headers.height());
        if header.shard != self.config.shard || height != last.next() {
            return Err(RecoverError::Order { last, found: height, shard: header.shard });
        }
        let timestamp = header.timestamp;
        let opening = self.reopen(height, &record)?;
        let body = &record.block.body;
        let (done, outcome) = self.run(height, timestamp, &opening.incoming, |legs, pool| {
            transactions(legs, pool, &body.transactions)
        });
        outcome.map_err(|(index, error)| RecoverError::Transaction {
            height,
            index,
            reason: error.to_string(),
        })?;
        let diverged = |what| RecoverError::Diverged { height, what };
        let outgoing = self.outgoing.release_again(&record.block.outgoing);
        let outgoing = outgoing.ok_or(diverged("list of released receipts"))?;
        let mut made = self.close(height, timestamp, opening, done, Vec::new(), outgoing);
        if let Some(what) = difference(&record.block, &made.record.block) {
            return Err(diverged(what));
        }
        made.record.block = record.block.clone();
        self.headers.keep(record.block.header.clone());
        for batch in self.batches(&made) {
            self.outgoing.retain(batch, Timestamp::ZERO);
        }
        if let Some(notice) = notice::of_block(&record.block, Vec::new()) {
            self.life.note(Arc::new(notice));
        }
        Ok(made.execution.diff)
    }

    /// What `open` does for a new block, from the record.
    fn reopen(&mut self, height: Height, record: &ShardRecord) -> Result<Opening, RecoverError> {
        for (destination, sequence) in &record.received {
            self.outgoing.received(*destination, *sequence);
        }
        let mut applied = Applied::default();
        for finalized in &record.checkpoints {
            let number = finalized.checkpoint.number;
            if !self.checkpoints.restore(finalized.clone()) {
                return Err(RecoverError::Checkpoint { height, number });
            }
            let crosslinks = &finalized.checkpoint.crosslinks;
            let shards = self.config.settings.shard_count();
            for source in crosslinks.iter().map(|link| link.shard).filter(|s| s.0 < shards) {
                if source == self.config.shard {
                    self.forget_crosslinked();
                } else {
                    self.incoming.crosslinked(source, &self.checkpoints);
                }
            }
            while let Some(finalized) = self.checkpoints.next_unapplied() {
                self.apply(height, &finalized, &mut applied);
            }
        }
        for request in &record.admin {
            self.carry_out(request);
        }
        for batch in &record.block.body.incoming {
            let value = self.incoming.enter_again(batch).ok_or(RecoverError::Incoming(height))?;
            self.books.received(value);
        }
        self.incoming.connect_again(&record.connected, &self.checkpoints);
        Ok(Opening {
            checkpoints: record.checkpoints.clone(),
            admin: record.admin.clone(),
            received: record.received.clone(),
            connected: record.connected.clone(),
            incoming: record.block.body.incoming.clone(),
            dropped: Vec::new(),
            events: Vec::new(),
        })
    }

    /// The committee took this shard's blocks in up to a height: what was to be repeated because
    /// of a restart is not needed below.
    pub(crate) fn forget_crosslinked(&mut self) -> Vec<(ShardId, Sequence)> {
        let tip = self.checkpoints.tip(self.config.shard);
        let shown = self.headers.at(tip.height);
        let news = shown.map_or_else(Vec::new, |shown| self.incoming.acknowledge(shown));
        self.headers.forget(tip.previous);
        self.reports.forget(tip.previous);
        let unseen = &mut self.life.unseen;
        while unseen.front().is_some_and(|notice| notice.height <= tip.previous) {
            unseen.pop_front();
        }
        news
    }

    /// Says again what may not have been heard, and asks for what was missed.
    pub(crate) fn begin_new_life(&mut self, now: Timestamp, effects: &mut Effects<Self>) {
        let Some(catching_up) = &mut self.life.catching_up else { return };
        catching_up.progress = now;
        for headers in self.headers.messages() {
            let message = Message::Headers(Arc::new(headers));
            effects.broadcast(Audience::Coordinators, message);
        }
        for report in self.reports.range(Height::ZERO, Height(u64::MAX)) {
            effects.broadcast(Audience::Coordinators, Message::Traffic(report.clone()));
        }
        for batch in self.outgoing.all(now) {
            effects.send(NodeId::Shard(batch.outgoing.destination), Message::Batch(batch));
        }
        for (source, above, sequence) in self.incoming.positions() {
            effects.send(NodeId::Shard(source), Message::PullBatches { above });
            if sequence > Sequence::ZERO {
                effects.send(NodeId::Shard(source), Message::Received { sequence });
            }
        }
        for notice in self.life.unseen() {
            effects.send(NodeId::Client, Message::Included(notice.clone()));
        }
        self.ask_for_checkpoints(effects);
    }

    /// Whether blocks have to wait, because the shard was away and does not know yet what was
    /// finalized meanwhile.
    pub(crate) fn is_catching_up(&mut self, now: Timestamp) -> bool {
        let Some(catching_up) = &self.life.catching_up else { return false };
        let every = self.config.settings.checkpoint_every;
        let recent = now.since(self.checkpoints.timestamp()) <= every.times(RECENT_INTERVALS);
        // Finality may take longer than that, on slow disks or links.
        let recent = recent || catching_up.answered;
        let patient = now.since(catching_up.progress) <= every.times(PATIENT_INTERVALS);
        if recent || !patient {
            self.life.catching_up = None;
        }
        self.life.catching_up.is_some()
    }

    /// Checkpoints became known: while the shard catches up, the next ones are asked for at once.
    pub(crate) fn catch_up(&mut self, now: Timestamp, from: NodeId, effects: &mut Effects<Self>) {
        let Some(catching_up) = &mut self.life.catching_up else { return };
        catching_up.progress = now;
        let next = self.checkpoints.number().next();
        if next.0 >= catching_up.asked.0.saturating_add(CHECKPOINTS_PER_ANSWER) {
            catching_up.asked = next;
            effects.send(from, Message::PullCheckpoints { from: next });
        }
    }

    /// Asks the next coordinator, while the shard catches up.
    pub(crate) fn ask_for_checkpoints(&mut self, effects: &mut Effects<Self>) {
        let Some(catching_up) = &mut self.life.catching_up else { return };
        let validators = self.config.settings.validators.len();
        let next = self.checkpoints.number().next();
        let learned = next.0.saturating_sub(catching_up.asked.0);
        if catching_up.asked > CheckpointNumber::ZERO
            && (1..CHECKPOINTS_PER_ANSWER).contains(&learned)
            && !self.checkpoints.has_gap()
        {
            catching_up.answered = true;
        }
        catching_up.asked = next;
        let coordinator = NodeId::Coordinator(ValidatorIndex(catching_up.next));
        catching_up.next = catching_up.next.wrapping_add(1);
        if catching_up.next as usize >= validators {
            catching_up.next = 0;
        }
        effects.send(coordinator, Message::PullCheckpoints { from: next });
    }
}

/// Executes a body's transactions, all of them.
fn transactions(
    legs: &mut Legs<'_>,
    pool: &mut Pool,
    transactions: &[(Transaction, Address)],
) -> Result<(), (usize, NotExecuted)> {
    for (index, (transaction, sender)) in transactions.iter().enumerate() {
        let recovered = Recovered::assumed(transaction.clone(), *sender);
        legs.transaction(&recovered).map_err(|error| (index, error))?;
        if let Pool::Prescribed(list) = pool {
            list.executed_before(&recovered);
        }
    }
    Ok(())
}

/// What differs between a block as it was and as it is executed again; the certificate may.
fn difference(was: &Block, is: &Block) -> Option<&'static str> {
    let differs = |was: &Header, is: &Header| {
        [
            (was.state_root != is.state_root, "state root"),
            (was.transactions_root != is.transactions_root, "transactions root"),
            (was.results_root != is.results_root, "results root"),
            (was.outgoing_receipts_root != is.outgoing_receipts_root, "outgoing receipts root"),
            (was.watermarks != is.watermarks, "list of watermarks"),
            (was.ledger != is.ledger, "ledger"),
            (was.congestion != is.congestion, "congestion"),
            (was != is, "header"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    };
    differs(&was.header, &is.header)
        .or((was.header.hash() != is.header.hash()).then_some("header hash"))
        .or((was.legs != is.legs).then_some("list of legs"))
        .or((was.outgoing != is.outgoing).then_some("list of released receipts"))
        .or((was.written != is.written).then_some("list of written accounts"))
}

//! Liveness: once faults are over, every queue moves within a bound, so that what a durable block
//! began settles; and what a client tries again ends in a named outcome.
//!
//! Under overload a receipt may wait for longer than any bound, but never in a queue that stands
//! still. So what is judged is that nothing stands still while something waits: shards make blocks,
//! the committee finalizes, receipts that were released enter, those that entered are executed, and
//! buffers are released from. And while something is open, something waits somewhere: a receipt
//! that is in no queue at all is lost.

use std::collections::BTreeMap;

use cross_shard_msg::{Cause, Duration, Leg, ShardId, Timestamp, TransactionKey};

use super::Records;
use super::finding::{Checked, Outcome, held, not_applicable};

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// When the client stopped.
    pub at: Timestamp,
    /// When the last fault was over; zero without faults.
    pub calm_since: Timestamp,
    /// How long anything may stand still once faults are over.
    pub bound: Duration,
    /// Transactions that the client sent, that are in no durable block, and of which it knows no
    /// outcome.
    pub unanswered: Vec<Unanswered>,
    /// Why the network cannot be held to it: a node was gone at the end, a fault was not over.
    pub excuse: Option<String>,
}

/// A transaction without an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Which.
    pub key: TransactionKey,
    /// When its time to be tried again, or in a mempool, was over.
    pub until: Timestamp,
}

pub(super) fn check(records: &Records, ending: &Ending) -> Outcome {
    if let Some(excuse) = &ending.excuse {
        return not_applicable(excuse.clone());
    }
    let transactions =
        records.blocks.values().flatten().map(|block| block.body.transactions.len()).sum();
    let open = open(records);
    let waiting = Waiting::of(records);
    waiting.stands_still(records, ending)?;
    if let Some((key, _)) = open.first_key_value()
        && waiting.is_empty()
    {
        return Err(format!(
            "transaction {key} and {} others are not settled, and no receipt is on its way",
            open.len() - 1
        ));
    }
    let overdue = |unanswered: &&Unanswered| ending.is_overdue(unanswered.until);
    if let Some(unanswered) = ending.unanswered.iter().find(overdue) {
        return Err(format!(
            "transaction {} has no outcome {} after its time was over",
            unanswered.key,
            seconds(ending.at.since(unanswered.until))
        ));
    }
    let unsettled = open.len() + ending.unanswered.len();
    let judged = ending.at.since(ending.calm_since);
    if unsettled > 0 && judged <= ending.bound {
        return not_applicable(format!(
            "{unsettled} transactions were open when the run ended, {} after {}; the bound is {}",
            seconds(judged),
            if ending.calm_since == Timestamp::ZERO { "its start" } else { "the last fault" },
            seconds(ending.bound)
        ));
    }
    held(Checked::of("transactions", transactions).and("still_moving", unsettled))
}

impl Ending {
    /// Whether something that waits since then should have moved.
    fn is_overdue(&self, since: Timestamp) -> bool {
        self.at.since(since.max(self.calm_since)) > self.bound
    }
}

/// Transactions of durable blocks that are not settled, with the number of receipts that are open.
fn open(records: &Records) -> BTreeMap<TransactionKey, i64> {
    let mut open: BTreeMap<TransactionKey, i64> = BTreeMap::new();
    for leg in records.blocks.values().flatten().flat_map(|block| &block.legs) {
        let done = i64::from(matches!(leg.cause, Cause::Receipt { .. }));
        let change = i64::from(leg.caused) - done;
        if change != 0 {
            *open.entry(leg.key).or_default() += change;
        }
    }
    // A `Migrate` has no transaction: nobody caused it, and its legs count below zero.
    open.retain(|_, count| *count > 0);
    open
}

/// What waits at the end, and when it last moved.
#[derive(Default)]
struct Waiting {
    /// Released and not entered: since when, by (source, destination).
    flying: BTreeMap<(ShardId, ShardId), Timestamp>,
    /// Shards with receipts that entered and are not executed: since when.
    delayed: BTreeMap<ShardId, Timestamp>,
    /// Shards with receipts that are not released: since when.
    buffered: BTreeMap<ShardId, Timestamp>,
}

impl Waiting {
    fn of(records: &Records) -> Self {
        let mut waiting = Self::default();
        let mut entered: BTreeMap<(ShardId, ShardId), (u64, Timestamp)> = BTreeMap::new();
        for (shard, blocks) in &records.blocks {
            let (mut executed, mut released) = (Timestamp::ZERO, Timestamp::ZERO);
            let mut waited = (0, 0);
            for block in blocks {
                let now = block.header.timestamp;
                for batch in &block.body.incoming {
                    let last = batch.first.0 + batch.receipts.len() as u64;
                    entered.insert((batch.source, *shard), (last.saturating_sub(1), now));
                }
                // A queue that was empty waits for nothing.
                let queues = &block.header.congestion;
                let executes = |leg: &Leg| matches!(leg.cause, Cause::Receipt { .. });
                if queues.delayed == 0 || waited.0 == 0 || block.legs.iter().any(executes) {
                    executed = now;
                }
                if queues.buffered == 0 || waited.1 == 0 || !block.outgoing.is_empty() {
                    released = now;
                }
                waited = (queues.delayed, queues.buffered);
            }
            let queues = blocks.last().map(|block| block.header.congestion).unwrap_or_default();
            if queues.delayed > 0 {
                waiting.delayed.insert(*shard, executed);
            }
            if queues.buffered > 0 {
                waiting.buffered.insert(*shard, released);
            }
        }
        for (source, blocks) in &records.blocks {
            for block in blocks {
                for outgoing in &block.outgoing {
                    let pair = (*source, outgoing.destination);
                    let (last, moved) = entered.get(&pair).copied().unwrap_or_default();
                    if outgoing.last().0 > last {
                        let since = block.header.timestamp.max(moved);
                        waiting.flying.entry(pair).or_insert(since);
                    }
                }
            }
        }
        waiting
    }

    fn is_empty(&self) -> bool {
        self.flying.is_empty() && self.delayed.is_empty() && self.buffered.is_empty()
    }

    fn stands_still(&self, records: &Records, ending: &Ending) -> Result<(), String> {
        let still = |since: &Timestamp| ending.is_overdue(*since);
        let long = |since: &Timestamp| seconds(ending.at.since(*since));
        for shard in records.settings.shard_ids() {
            let last = records.blocks.get(&shard).and_then(|blocks| blocks.last());
            let made = last.map_or(Timestamp::ZERO, |block| block.header.timestamp);
            if still(&made) {
                return Err(format!("shard:{shard} made no block for {}", long(&made)));
            }
        }
        let finalized = records.finalized();
        let newest = finalized.last_key_value();
        let newest = newest.map_or(Timestamp::ZERO, |(_, newest)| newest.checkpoint.timestamp);
        if still(&newest) {
            return Err(format!("no checkpoint was finalized for {}", long(&newest)));
        }
        if let Some(((source, destination), since)) =
            self.flying.iter().find(|(_, since)| still(since))
        {
            return Err(format!(
                "receipts {source}→{destination} were released and none entered for {}",
                long(since)
            ));
        }
        if let Some((shard, since)) = self.delayed.iter().find(|(_, since)| still(since)) {
            return Err(format!(
                "shard:{shard} has delayed receipts and executed none for {}",
                long(since)
            ));
        }
        if let Some((shard, since)) = self.buffered.iter().find(|(_, since)| still(since)) {
            return Err(format!(
                "shard:{shard} has buffered receipts and released none for {}",
                long(since)
            ));
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> String {
    let tenths = time.as_millis() / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}

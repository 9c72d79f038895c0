//! What happens in a world, event by event, for people and for checks.

use std::fmt;

use alloy_primitives::B256;
use cross_shard_msg::{Event, Message, NodeId, Timestamp, WriteId};

use crate::fault::Fault;

/// One event. `Display` makes one line of it.
#[derive(Debug)]
pub struct TraceEvent<'a> {
    /// Virtual time.
    pub at: Timestamp,
    /// The node that it happens to; of a fault, the client.
    pub node: NodeId,
    /// What happens.
    pub what: Happening<'a>,
}

/// What happens.
#[derive(Debug)]
pub enum Happening<'a> {
    /// The node starts.
    Started,
    /// A message arrives and is handled.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: &'a Message,
    },
    /// A timer expires. One that was moved or cancelled is named `cancelled`; nothing happens.
    Timer {
        /// Its name.
        name: &'a str,
    },
    /// A transaction whose sender is known reaches the shard's machine.
    Submitted {
        /// Its hash.
        hash: B256,
    },
    /// A write is durable.
    Durable(WriteId),
    /// A computation is done.
    Computed,
    /// The node tells something. `at` is when its CPU got there.
    Observed(&'a Event),
    /// A fault begins.
    Fault(&'a Fault),
    /// A fault of this number ends.
    FaultEnded(u64),
    /// The node dies.
    Crashed,
    /// The node starts again from its durable records.
    Restarted,
    /// A message to the node gets lost: on the link, or because an end is down.
    Lost {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: &'a Message,
    },
}

impl fmt::Display for TraceEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, nanos) = (self.at.0 / 1_000_000_000, self.at.0 % 1_000_000_000);
        write!(f, "{secs:>4}.{nanos:09} {} ", self.node)?;
        match &self.what {
            Happening::Started => f.write_str("starts"),
            Happening::Message { from, message } => {
                write!(f, "← {from}: ")?;
                summary(message, f)
            }
            Happening::Timer { name } => write!(f, "timer {name}"),
            Happening::Submitted { hash } => write!(f, "is handed transaction {hash}"),
            Happening::Durable(id) => write!(f, "write {id} is durable"),
            Happening::Computed => f.write_str("computation is done"),
            Happening::Observed(event) => write!(f, "· {event:?}"),
            Happening::Fault(fault) => write!(f, "fault: {fault}"),
            Happening::FaultEnded(id) => write!(f, "fault {id} ends"),
            Happening::Crashed => f.write_str("crashes"),
            Happening::Restarted => f.write_str("restarts"),
            Happening::Lost { from, message } => {
                write!(f, "⊘ {from}: ")?;
                summary(message, f)
            }
        }
    }
}

fn summary(message: &Message, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match message {
        Message::Submit(items) => write!(f, "submit {} transactions", items.len()),
        Message::Admissions(items) => {
            let admitted = items.iter().filter(|item| item.outcome.is_ok()).count();
            write!(f, "admissions: {admitted} of {} admitted", items.len())
        }
        Message::Included(notice) => {
            write!(f, "block {} included {} legs", notice.height, notice.legs.len())
        }
        Message::Batch(batch) => write!(
            f,
            "batch of block {}: receipts {} to {}",
            batch.header.height,
            batch.outgoing.first,
            batch.outgoing.last()
        ),
        Message::PullBatches { above } => write!(f, "pull batches above {above}"),
        Message::Received { sequence } => write!(f, "received up to {sequence}"),
        Message::Headers(headers) => match (headers.first(), headers.last()) {
            (Some(first), Some(last)) => {
                write!(f, "headers {} to {} of shard:{}", first.height, last.height, first.shard)
            }
            _ => f.write_str("no headers"),
        },
        Message::Traffic(report) => {
            write!(f, "traffic of block {}: {} executions", report.height, report.accesses.len())
        }
        Message::PullHeaders { shard, from, to } => {
            write!(f, "pull headers {from} to {to} of shard:{shard}")
        }
        Message::Consensus(bytes) => write!(f, "agreement, {} bytes", bytes.len()),
        Message::Finalized(finalized) => {
            write!(f, "checkpoint {} is final", finalized.checkpoint.number)
        }
        Message::PullCheckpoints { from } => write!(f, "pull checkpoints from {from}"),
    }
}

//! `--trace`: one line per event of the simulated world, or of one transaction only.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write as _};

use alloy_primitives::{B256, keccak256};
use cross_shard_msg::{Event, Message, NodeId, Timestamp, TransactionKey};
use simulation::trace::{Happening, TraceEvent};

use super::simulated::Tracer;

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceOptions {
    /// Nothing after this virtual time.
    pub until: Option<Timestamp>,
    /// Only what concerns this transaction.
    pub transaction: Option<B256>,
}

/// Writes to standard output; a reader that has gone (`| head`) is no error.
#[must_use]
pub fn tracer(options: TraceOptions) -> Tracer {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
    let mut gone = false;
    let mut interest = options.transaction.map(Interest::new);
    Box::new(move |event| {
        let late = options.until.is_some_and(|until| event.at > until);
        if gone || late || !interest.as_mut().is_none_or(|interest| interest.concerns(event)) {
            return;
        }
        gone = writeln!(out, "{event}").is_err();
    })
}

/// A transaction, and in which blocks it was executed.
struct Interest {
    hash: B256,
    key: TransactionKey,
    /// Nodes and heights of blocks that executed it.
    blocks: BTreeSet<(NodeId, u64)>,
}

impl Interest {
    fn new(hash: B256) -> Self {
        Self { hash, key: TransactionKey::of(&hash), blocks: BTreeSet::new() }
    }

    fn concerns(&mut self, event: &TraceEvent<'_>) -> bool {
        match &event.what {
            Happening::Submitted { hash } => *hash == self.hash,
            Happening::Observed(event) => key(event) == Some(self.key),
            Happening::Message { from, message } | Happening::Lost { from, message } => {
                self.carried(*from, message)
            }
            Happening::Fault(_)
            | Happening::FaultEnded(_)
            | Happening::Crashed
            | Happening::Restarted => true,
            Happening::Started
            | Happening::Timer { .. }
            | Happening::Durable(_)
            | Happening::Computed => false,
        }
    }

    fn carried(&mut self, from: NodeId, message: &Message) -> bool {
        match message {
            Message::Submit(items) => items.iter().any(|it| keccak256(&it.encoded) == self.hash),
            Message::Admissions(items) => items.iter().any(|item| item.hash == self.hash),
            Message::Included(notice) => {
                let included = notice.legs.iter().any(|leg| leg.key == self.key);
                if included {
                    self.blocks.insert((from, notice.height.0));
                }
                included
            }
            Message::Batch(batch) => {
                batch.outgoing.receipts.iter().any(|receipt| receipt.origin == self.hash)
            }
            Message::Headers(headers) => headers.iter().any(|header| {
                self.blocks.contains(&(NodeId::Shard(header.shard), header.height.0))
            }),
            _ => false,
        }
    }
}

fn key(event: &Event) -> Option<TransactionKey> {
    match event {
        Event::Submitted { key, .. }
        | Event::GaveUp { key, .. }
        | Event::Admitted { key }
        | Event::Refused { key, .. } => Some(*key),
        _ => None,
    }
}

//! Accounts on their way to this shard, and what waits for them (rules R-RCPT-8, R-EPOCH-6 to
//! R-EPOCH-8).
//!
//! What is parked is part of the state, like delayed receipts. Nothing of it is ever dropped; it is
//! bounded by how long an account travels and by what sources send meanwhile: its gas and number are
//! in the shard's congestion level, at 1000 of which only one source at a time may go on, with a few
//! calls in a block.

use std::collections::{BTreeMap, VecDeque};

use alloy_primitives::Address;
use cross_shard_msg::{Action, CheckpointNumber, Gas, Wei};
use serde::{Deserialize, Serialize};

use crate::delayed::Entered;
use crate::evm::Arrived;

/// Accounts in flight to this shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parked {
    accounts: BTreeMap<Address, Waiting>,
    receipts: u64,
    gas: Gas,
}

/// What waits for one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Its parts by the checkpoint that moved it, how many there are, and index. An honest shard sends
    /// those of one move only.
    parts: BTreeMap<(CheckpointNumber, u32), BTreeMap<u32, Entered>>,
    /// `Call`s to it, or that opened it on their way, in order of arrival.
    calls: VecDeque<Entered>,
}

/// What came of a part that entered.
#[derive(Debug)]
pub(crate) enum Part {
    /// Others are missing.
    Waits,
    /// The account is complete.
    Last(Arrival),
    /// This part is there already: no honest shard sends it twice.
    Twice(Entered),
}

/// An account of which all parts are there.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The checkpoint that moved it.
    pub checkpoint: CheckpointNumber,
    /// Its content.
    pub content: Arrived,
    /// The receipts that brought it, by index of the parts, and parts that are of no other use than
    /// the value that they bring: no honest shard sends such.
    pub parts: Vec<Entered>,
    /// Wei of the latter.
    pub stray: Wei,
    /// What waited for it, in order of arrival.
    pub calls: VecDeque<Entered>,
}

impl Parked {
    /// The account is in flight from now on.
    pub(crate) fn expect(&mut self, account: Address) {
        self.accounts.entry(account).or_default();
    }

    /// Whether nothing is in flight to this shard.
    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Whether `account` is in flight to this shard.
    pub(crate) fn contains(&self, account: &Address) -> bool {
        !self.accounts.is_empty() && self.accounts.contains_key(account)
    }

    /// All accounts that are in flight to this shard, ascending.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Address> {
        self.accounts.keys()
    }

    /// A call waits for an account that is in flight.
    pub(crate) fn park(&mut self, account: Address, call: Entered) {
        self.receipts += 1;
        self.gas = self.gas.plus(call.receipt.gas());
        self.accounts.entry(account).or_default().calls.push_back(call);
    }

    /// A part of an account that is in flight has entered.
    pub(crate) fn add_part(&mut self, entered: Entered) -> Part {
        let Action::Migrate(part) = &entered.receipt.action else { return Part::Twice(entered) };
        let (account, index) = (part.account, part.part);
        let (checkpoint, count) = (part.checkpoint, part.parts);
        let waiting = self.accounts.entry(account).or_default();
        let parts = waiting.parts.entry((checkpoint, count)).or_default();
        if parts.contains_key(&index) {
            return Part::Twice(entered);
        }
        parts.insert(index, entered);
        self.receipts += 1;
        if parts.len() < count as usize {
            return Part::Waits;
        }
        let complete = std::mem::take(parts);
        let Some(mut waiting) = self.take(&account) else { return Part::Waits };
        waiting.parts.remove(&(checkpoint, count));
        self.receipts -= complete.len() as u64;
        Part::Last(waiting.arrive(checkpoint, complete))
    }

    /// The account is not in flight to this shard any more; returns what waited for it, parts first.
    pub(crate) fn remove(&mut self, account: &Address) -> Option<VecDeque<Entered>> {
        let waiting = self.take(account)?;
        Some(
            waiting
                .parts
                .into_values()
                .flat_map(BTreeMap::into_values)
                .chain(waiting.calls)
                .collect(),
        )
    }

    /// Receipts that wait.
    pub(crate) fn len(&self) -> u64 {
        self.receipts
    }

    /// Gas of all calls that wait.
    pub(crate) fn gas(&self) -> Gas {
        self.gas
    }

    /// Wei that all of them carry.
    pub(crate) fn value(&self) -> Wei {
        let all = self.accounts.values().flat_map(Waiting::receipts);
        all.fold(Wei::ZERO, |sum, entered| sum.saturating_add(entered.receipt.value()))
    }

    fn take(&mut self, account: &Address) -> Option<Waiting> {
        let waiting = self.accounts.remove(account)?;
        for entered in waiting.receipts() {
            self.receipts -= 1;
            self.gas = self.gas.minus(entered.receipt.gas());
        }
        Some(waiting)
    }
}

impl Waiting {
    fn receipts(&self) -> impl Iterator<Item = &Entered> {
        self.parts.values().flat_map(BTreeMap::values).chain(&self.calls)
    }

    fn arrive(self, checkpoint: CheckpointNumber, complete: BTreeMap<u32, Entered>) -> Arrival {
        let mut content = Arrived::default();
        for entered in complete.values() {
            let Action::Migrate(part) = &entered.receipt.action else { continue };
            if part.part == 0 {
                (content.nonce, content.balance) = (part.nonce, part.balance);
                content.code = part.code.clone();
            }
            content.storage.extend(&part.slots);
        }
        let stray: Vec<Entered> =
            self.parts.into_values().flat_map(BTreeMap::into_values).collect();
        let value = stray.iter().map(|entered| entered.receipt.value());
        Arrival {
            checkpoint,
            content,
            stray: value.fold(Wei::ZERO, Wei::saturating_add),
            parts: complete.into_values().chain(stray).collect(),
            calls: self.calls,
        }
    }
}

//! Accounts on their way to this shard, and what waits for them (rules R-RCPT-8, R-EPOCH-6 to
//! R-EPOCH-8).
//!
//! What is parked is part of the state, like delayed receipts. Nothing of it is ever dropped; it is
//! bounded by how long an account travels and by what sources send meanwhile: its gas and number are
//! in the shard's congestion level, at 1000 of which only one source at a time may go on, with a few
//! calls in a block.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::Address;
use cross_shard_msg::{Action, CheckpointNumber, Gas, Height, ShardId, Wei};
use serde::{Deserialize, Serialize};

use crate::delayed::Entered;
use crate::evm::Arrived;

/// Accounts in flight to this shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parked {
    accounts: BTreeMap<Address, Waiting>,
    /// Those of them that only wait until checkpoints cover what brought them.
    complete: BTreeSet<Address>,
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

    /// A part of an account that is in flight has entered. A contract also waits until `covers` says of
    /// all blocks that brought its parts, by shard and height, that checkpoints cover them: what it
    /// created at its old home is known then (R-EPOCH-7).
    pub(crate) fn add_part(
        &mut self,
        entered: Entered,
        covers: impl Fn(ShardId, Height) -> bool,
    ) -> Part {
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
        if !may_live(parts, covers) {
            self.complete.insert(account);
            return Part::Waits;
        }
        self.arrive(&account, checkpoint, count).map_or(Part::Waits, Part::Last)
    }

    /// Takes the accounts that were complete and whose parts are covered now, ascending.
    pub(crate) fn take_complete(
        &mut self,
        covers: impl Fn(ShardId, Height) -> bool,
    ) -> Vec<(Address, Arrival)> {
        let mut arrivals = Vec::new();
        for account in self.complete.iter().copied().collect::<Vec<_>>() {
            let waiting = self.accounts.get(&account);
            let mut moves = waiting.into_iter().flat_map(|waiting| &waiting.parts);
            let ready = moves.find(|((_, count), parts)| {
                parts.len() == *count as usize && may_live(parts, &covers)
            });
            let Some((&(checkpoint, count), _)) = ready else { continue };
            let arrival = self.arrive(&account, checkpoint, count);
            arrivals.extend(arrival.map(|arrival| (account, arrival)));
        }
        arrivals
    }

    fn arrive(
        &mut self,
        account: &Address,
        checkpoint: CheckpointNumber,
        count: u32,
    ) -> Option<Arrival> {
        let mut waiting = self.take(account)?;
        let parts = waiting.parts.remove(&(checkpoint, count))?;
        Some(waiting.arrive(checkpoint, parts))
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
        self.complete.remove(account);
        for entered in waiting.receipts() {
            self.receipts -= 1;
            self.gas = self.gas.minus(entered.receipt.gas());
        }
        Some(waiting)
    }
}

/// Whether an account of which all parts are there may be live.
fn may_live(parts: &BTreeMap<u32, Entered>, covers: impl Fn(ShardId, Height) -> bool) -> bool {
    let is_contract = parts.values().any(|entered| match &entered.receipt.action {
        Action::Migrate(part) => !part.code.is_empty(),
        _ => false,
    });
    !is_contract || parts.values().all(|entered| covers(entered.source, entered.height))
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

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, Bytes, U256};
    use cross_shard_msg::{Call, Migration, Receipt, Sequence};

    use super::*;

    fn account(byte: u8) -> Address {
        Address::with_last_byte(byte)
    }

    fn entered(sequence: u64, action: Action) -> Entered {
        let receipt = Receipt { origin: B256::ZERO, caused: Height(1), action };
        let (source, sequence) = (ShardId(1), Sequence(sequence));
        Entered { source, height: Height(8), sequence, receipt }
    }

    fn part(checkpoint: u64, part: u32, parts: u32) -> Entered {
        let migration = Migration {
            account: account(1),
            checkpoint: CheckpointNumber(checkpoint),
            part,
            parts,
            nonce: if part == 0 { 7 } else { 0 },
            balance: Wei::from(if part == 0 { 100 } else { 0 }),
            code: if part == 0 { Bytes::from_static(&[1]) } else { Bytes::new() },
            slots: vec![(U256::from(part), U256::from(9))],
        };
        entered(u64::from(part) + 1, Action::Migrate(migration))
    }

    fn call(sequence: u64) -> Entered {
        entered(
            sequence,
            Action::Call(Call {
                from: account(2),
                to: account(1),
                value: Wei::from(5),
                gas: Gas(30),
                gas_price: Wei::from(2),
                input: Bytes::new(),
                refund_to: account(2),
            }),
        )
    }

    fn counts(parked: &Parked) -> (u64, u64, Wei) {
        (parked.len(), parked.gas().0, parked.value())
    }

    #[test]
    fn parts_in_any_order_make_the_account() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut parked = Parked::default();
            assert!(!parked.contains(&account(1)));
            parked.expect(account(1));
            assert_eq!((parked.contains(&account(1)), parked.len()), (true, 0));
            parked.park(account(1), call(10));
            let mut last = None;
            for index in order {
                parked.park(account(1), call(20 + u64::from(index)));
                last = Some(parked.add_part(part(4, index, 3), |_, _| true));
            }
            let Some(Part::Last(arrival)) = last else { panic!("all are there: {last:?}") };
            assert_eq!((arrival.checkpoint, arrival.stray), (CheckpointNumber(4), Wei::ZERO));
            let Arrived { nonce, balance, code, storage } = arrival.content;
            assert_eq!((nonce, balance, code.len()), (7, Wei::from(100), 1));
            assert_eq!(storage, [0, 1, 2].map(|slot| (U256::from(slot), U256::from(9))));
            let sequences: Vec<u64> = arrival.calls.iter().map(|call| call.sequence.0).collect();
            assert_eq!(
                sequences,
                [10, 20 + u64::from(order[0]), 20 + u64::from(order[1]), 20 + u64::from(order[2])]
            );
            assert_eq!(counts(&parked), (0, 0, Wei::ZERO));
            assert!(parked.is_empty());
        }
    }

    #[test]
    fn what_waits_is_counted_and_goes_on_parts_first() {
        let mut parked = Parked::default();
        parked.expect(account(1));
        parked.park(account(1), call(10));
        assert!(matches!(parked.add_part(part(4, 1, 3), |_, _| true), Part::Waits));
        assert!(matches!(parked.add_part(part(4, 0, 3), |_, _| true), Part::Waits));
        parked.park(account(1), call(11));
        assert_eq!(counts(&parked), (4, 60, Wei::from(100 + 2 * 65)));
        let waited = parked.remove(&account(1)).unwrap();
        let sequences: Vec<u64> = waited.iter().map(|entered| entered.sequence.0).collect();
        assert_eq!(sequences, [1, 2, 10, 11]);
        assert_eq!(counts(&parked), (0, 0, Wei::ZERO));
        assert_eq!(parked.remove(&account(1)), None);
    }

    /// Under gate `certified` a part may come before any checkpoint covers its block.
    #[test]
    fn a_contract_waits_until_what_brought_it_is_covered() {
        let mut parked = Parked::default();
        parked.expect(account(1));
        let covers = |last| move |_: ShardId, height: Height| height <= Height(last);
        assert!(matches!(parked.add_part(part(4, 1, 2), covers(7)), Part::Waits));
        assert!(matches!(parked.add_part(part(4, 0, 2), covers(7)), Part::Waits));
        assert!(parked.take_complete(covers(7)).is_empty() && parked.len() == 2);
        let again = parked.clone();
        let arrived = parked.take_complete(covers(8));
        assert_eq!((arrived.len(), arrived[0].1.content.storage.len()), (1, 2));
        assert_eq!((counts(&parked), parked.is_empty()), ((0, 0, Wei::ZERO), true));
        let mut moved_on = again;
        assert_eq!(moved_on.remove(&account(1)).unwrap().len(), 2);
        assert!(moved_on.take_complete(covers(8)).is_empty());
    }

    /// No honest shard sends these; their value must not be lost.
    #[test]
    fn parts_that_do_not_belong_are_only_value() {
        let mut parked = Parked::default();
        parked.expect(account(1));
        assert!(matches!(parked.add_part(part(3, 0, 2), |_, _| true), Part::Waits));
        assert!(matches!(parked.add_part(part(3, 0, 2), |_, _| true), Part::Twice(_)));
        assert!(matches!(parked.add_part(part(4, 0, 2), |_, _| true), Part::Waits));
        let Part::Last(arrival) = parked.add_part(part(4, 1, 2), |_, _| true) else {
            panic!("it is complete")
        };
        assert_eq!((arrival.stray, arrival.parts.len()), (Wei::from(100), 3));
        assert_eq!(counts(&parked), (0, 0, Wei::ZERO));
    }
}

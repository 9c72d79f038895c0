//! Admitted transactions that wait for a block (rules R-POOL-3 to R-POOL-7).
//!
//! Each sender has a queue in nonce order. A sender whose first transaction has its next nonce is
//! **ready**; ready senders take turns in the order in which those transactions arrived. A
//! transaction whose fee cap is below the base fee is **priced out** until the base fee falls.
//!
//! Admission and every turn cost a look-up and a heap operation; nothing scans the pool.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use alloy_consensus::Transaction as _;
use alloy_primitives::Address;
use alloy_primitives::map::AddressMap;
use cross_shard_msg::{Duration, Recovered, Refusal, Timestamp, TransactionKey};

/// Bounds of a [`Mempool`].
#[derive(Clone, Copy, Debug)]
pub struct MempoolBounds {
    /// Transactions in all.
    pub total: usize,
    /// Transactions of one sender, and how far a nonce may be above the next one.
    pub per_sender: usize,
    /// How long a transaction may wait.
    pub time: Duration,
}

/// A bounded pool of transactions in nonce order per sender, in arrival order among senders.
#[derive(Debug)]
pub struct Mempool {
    bounds: MempoolBounds,
    index: AddressMap<u32>,
    senders: Vec<Sender>,
    free: Vec<u32>,
    ready: BinaryHeap<Reverse<(u64, u32)>>,
    /// Fee cap, arrival, sender.
    priced_out: BTreeSet<(u128, u64, u32)>,
    /// Turns that come again in the next block.
    held: Vec<(u64, u32)>,
    /// When which arrival came, oldest first.
    arrivals: VecDeque<Arrival>,
    next_arrival: u64,
    len: usize,
}

#[derive(Debug, Default)]
struct Sender {
    address: Address,
    /// The next nonce of the account.
    next: u64,
    /// Ascending by nonce.
    queue: VecDeque<Entry>,
    /// Arrival of the first transaction, while it is listed in `ready`, `priced_out` or `held`.
    listed: Option<u64>,
}

#[derive(Debug)]
struct Entry {
    transaction: Recovered,
    nonce: u64,
    arrival: u64,
    fee_cap: u128,
    tip_cap: u128,
}

/// Where a transaction went that came at a time.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    at: Timestamp,
    arrival: u64,
    sender: u32,
    nonce: u64,
}

/// A transaction whose turn it is. It must be given back to the pool by exactly one of
/// [`Mempool::executed`], [`Mempool::refuse`], [`Mempool::hold`] and [`Mempool::price_out`].
#[derive(Debug)]
#[must_use]
pub struct Turn {
    /// The transaction.
    pub transaction: Recovered,
    sender: u32,
}

impl Mempool {
    /// An empty pool.
    #[must_use]
    pub fn new(bounds: MempoolBounds) -> Self {
        Self {
            bounds,
            index: AddressMap::default(),
            senders: Vec::new(),
            free: Vec::new(),
            ready: BinaryHeap::new(),
            priced_out: BTreeSet::new(),
            held: Vec::new(),
            arrivals: VecDeque::new(),
            next_arrival: 0,
            len: 0,
        }
    }

    /// Number of transactions that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes a transaction whose other conditions were checked. `next` is the next nonce of its
    /// sender. Returns the transaction that it replaced, if any.
    ///
    /// # Errors
    /// `NonceTooLow`, `NonceTooHigh`, `AlreadyKnown`, `ReplacementUnderpriced`, `SenderFull` and
    /// `MempoolFull`.
    pub fn admit(
        &mut self,
        now: Timestamp,
        transaction: Recovered,
        next: u64,
    ) -> Result<Option<TransactionKey>, Refusal> {
        let envelope = transaction.transaction().envelope();
        let nonce = envelope.nonce();
        if nonce < next {
            return Err(Refusal::NonceTooLow);
        }
        if nonce - next >= self.bounds.per_sender as u64 {
            return Err(Refusal::NonceTooHigh);
        }
        let fee_cap = envelope.max_fee_per_gas();
        let tip_cap = envelope.max_priority_fee_per_gas().unwrap_or(fee_cap);
        let address = transaction.sender();
        let known = self.index.get(&address).copied();
        let mut position = 0;
        if let Some(sender) = known {
            let queue = &mut self.senders[sender as usize].queue;
            match queue.binary_search_by_key(&nonce, |entry| entry.nonce) {
                Ok(at) => {
                    let old = &mut queue[at];
                    let priced_out = (old.fee_cap, old.arrival, sender);
                    let replaced = old.replace_by(transaction, fee_cap, tip_cap)?;
                    if self.priced_out.remove(&priced_out) {
                        self.senders[sender as usize].listed = None;
                        self.list(sender);
                    }
                    return Ok(Some(replaced));
                }
                Err(at) => position = at,
            }
            if queue.len() >= self.bounds.per_sender {
                return Err(Refusal::SenderFull);
            }
        }
        if self.len >= self.bounds.total {
            return Err(Refusal::MempoolFull);
        }
        let sender = known.unwrap_or_else(|| self.new_sender(address));
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        self.len += 1;
        self.arrivals.push_back(Arrival { at: now, arrival, sender, nonce });
        let slot = &mut self.senders[sender as usize];
        slot.next = next;
        slot.queue.insert(position, Entry { transaction, nonce, arrival, fee_cap, tip_cap });
        self.list(sender);
        Ok(None)
    }

    /// Readies transactions whose fee cap covers the base fee again, before a block.
    pub fn reprice(&mut self, base_fee: u64) {
        let affordable = self.priced_out.split_off(&(u128::from(base_fee), 0, 0));
        self.ready
            .extend(affordable.into_iter().map(|(_, arrival, sender)| Reverse((arrival, sender))));
    }

    /// The transaction whose turn is next, or `None` when no sender is ready.
    pub fn next_turn(&mut self) -> Option<Turn> {
        while let Some(Reverse((arrival, sender))) = self.ready.pop() {
            if self.is_turn(arrival, sender) {
                let slot = &mut self.senders[sender as usize];
                slot.listed = None;
                let transaction = slot.queue.front()?.transaction.clone();
                return Some(Turn { transaction, sender });
            }
        }
        None
    }

    /// The transaction is in the block: its sender's next one is ready.
    pub fn executed(&mut self, turn: &Turn) {
        let slot = &mut self.senders[turn.sender as usize];
        slot.next += 1;
        self.remove_first(turn.sender);
    }

    /// The transaction leaves the pool without being executed.
    pub fn refuse(&mut self, turn: &Turn) {
        self.remove_first(turn.sender);
    }

    /// The transaction, and its sender, wait until [`Mempool::end_block`].
    pub fn hold(&mut self, turn: &Turn) {
        let slot = &mut self.senders[turn.sender as usize];
        if let Some(first) = slot.queue.front() {
            slot.listed = Some(first.arrival);
            self.held.push((first.arrival, turn.sender));
        }
    }

    /// The transaction, and its sender, wait until the base fee is at most its fee cap.
    pub fn price_out(&mut self, turn: &Turn) {
        let slot = &mut self.senders[turn.sender as usize];
        if let Some(first) = slot.queue.front() {
            slot.listed = Some(first.arrival);
            self.priced_out.insert((first.fee_cap, first.arrival, turn.sender));
        }
    }

    /// Readies what was held in this block.
    pub fn end_block(&mut self) {
        self.ready.extend(self.held.drain(..).map(Reverse));
    }

    /// Removes what has waited for too long, and returns it.
    pub fn expire(&mut self, now: Timestamp) -> Vec<TransactionKey> {
        let mut expired = Vec::new();
        while let Some(&oldest) = self.arrivals.front() {
            let position = self.position(&oldest);
            if position.is_some() && now.since(oldest.at) <= self.bounds.time {
                break;
            }
            self.arrivals.pop_front();
            let Arrival { arrival, sender, .. } = oldest;
            if let Some(position) = position {
                let slot = &mut self.senders[sender as usize];
                if let Some(entry) = slot.queue.remove(position) {
                    expired.push(entry.transaction.transaction().key());
                    self.len -= 1;
                    slot.listed = slot.listed.filter(|listed| *listed != arrival);
                    self.settle(sender);
                }
            }
        }
        expired
    }

    /// Removes all that waits of a sender, and returns it in nonce order.
    pub fn remove_sender(&mut self, address: &Address) -> Vec<TransactionKey> {
        let Some(&sender) = self.index.get(address) else { return Vec::new() };
        let slot = &mut self.senders[sender as usize];
        let queue = std::mem::take(&mut slot.queue);
        if let Some(first) = queue.front() {
            self.priced_out.remove(&(first.fee_cap, first.arrival, sender));
        }
        self.len -= queue.len();
        self.settle(sender);
        queue.iter().map(|entry| entry.transaction.transaction().key()).collect()
    }

    fn new_sender(&mut self, address: Address) -> u32 {
        let sender = Sender { address, ..Sender::default() };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.senders[slot as usize] = sender;
                slot
            }
            None => {
                self.senders.push(sender);
                // The pool's bound is a u32, and each sender has a transaction.
                (self.senders.len() - 1) as u32
            }
        };
        self.index.insert(address, slot);
        slot
    }

    /// Lists the sender as ready if its first transaction has its next nonce.
    fn list(&mut self, sender: u32) {
        let slot = &mut self.senders[sender as usize];
        let Some(first) = slot.queue.front() else { return };
        if first.nonce == slot.next && slot.listed != Some(first.arrival) {
            slot.listed = Some(first.arrival);
            self.ready.push(Reverse((first.arrival, sender)));
        }
    }

    fn is_turn(&self, arrival: u64, sender: u32) -> bool {
        let slot = &self.senders[sender as usize];
        let first = slot.queue.front();
        slot.listed == Some(arrival)
            && first.is_some_and(|first| first.arrival == arrival && first.nonce == slot.next)
    }

    fn remove_first(&mut self, sender: u32) {
        let slot = &mut self.senders[sender as usize];
        if slot.queue.pop_front().is_some() {
            self.len -= 1;
        }
        self.settle(sender);
    }

    /// Lists the sender again, or forgets it when nothing of it waits.
    fn settle(&mut self, sender: u32) {
        let slot = &mut self.senders[sender as usize];
        if slot.queue.is_empty() {
            slot.listed = None;
            let address = slot.address;
            self.index.remove(&address);
            self.free.push(sender);
        } else {
            self.list(sender);
        }
    }

    /// Where a transaction that came is in its sender's queue, if it still waits. The slot may be
    /// another sender's by now, but an arrival is never another one's.
    fn position(&self, came: &Arrival) -> Option<usize> {
        let queue = &self.senders[came.sender as usize].queue;
        let found = queue.binary_search_by_key(&came.nonce, |entry| entry.nonce).ok();
        found.filter(|position| queue[*position].arrival == came.arrival)
    }
}

impl Entry {
    /// Rule R-POOL-4. The newcomer keeps the place in the order of arrival.
    fn replace_by(
        &mut self,
        transaction: Recovered,
        fee_cap: u128,
        tip_cap: u128,
    ) -> Result<TransactionKey, Refusal> {
        let key = self.transaction.transaction().key();
        if self.transaction.transaction() == transaction.transaction() {
            return Err(Refusal::AlreadyKnown);
        }
        // 10 % of nothing would be nothing: a replacement always pays more.
        let raised =
            |new: u128, old: u128| new > old && new.saturating_mul(10) >= old.saturating_mul(11);
        if !raised(fee_cap, self.fee_cap) || !raised(tip_cap, self.tip_cap) {
            return Err(Refusal::ReplacementUnderpriced);
        }
        self.transaction = transaction;
        self.fee_cap = fee_cap;
        self.tip_cap = tip_cap;
        Ok(key)
    }
}

#[cfg(test)]
mod tests;

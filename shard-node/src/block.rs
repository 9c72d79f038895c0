//! Makes a block (rules R-BLK-2 to R-BLK-6, R-LED-1, R-HDR-1 to R-HDR-6), in the order of R-BLK-2.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use cross_shard_msg::header::signing_digest;
use cross_shard_msg::receipt::prove_outgoing;
use cross_shard_msg::{
    Block, Body, Certificate, Congestion, Event, FinalizedCheckpoint, Gas, Header, Height,
    InclusionProof, Incoming, Outgoing, ReceiptKind, Refusal, SealedHeader, Sequence, ShardId,
    SignedHeader, Timestamp, TrafficReport, TransactionKey, Work,
};
use state::{StateDiff, ordered_root};

use crate::config::Environment;
use crate::congestion;
use crate::delayed::Entered;
use crate::evm::{BlockEnvironment, Locality as _, NotExecuted, next_base_fee};
use crate::execute::{Done, Legs};
use crate::mempool::Mempool;
use crate::moves::Applied;
use crate::node::{Pool, ShardNode};
use crate::outgoing::encoded_bytes;
use crate::record::{Admin, BlockExecution, ShardRecord};
use crate::traffic::Traffic;
use cross_shard_msg::Settings;

/// Transactions that a block passes over because their gas does not fit, before it ends.
const MAX_PASSED_OVER: u32 = 64;
/// Gas below which no transaction fits.
const LEAST_GAS: Gas = Gas(21_000);
/// How many past blocks BLOCKHASH answers for.
const BLOCK_HASHES: usize = 256;
/// Executions that may turn out to wait for an account in flight, before a block ends: each costs as
/// much as one that does not.
const MAX_WAITING: u32 = 1_024;
/// Seconds between two blocks of a prescribed environment: Ethereum's slot.
const SLOT_SECONDS: u64 = 12;

/// A block that was made and waits to be durable.
#[derive(Debug)]
pub(crate) struct Made {
    pub record: ShardRecord,
    pub execution: BlockExecution,
    /// Proofs of the block's outgoing receipts, in their order.
    pub proofs: Vec<InclusionProof>,
    /// Transactions that left the mempool without being executed.
    pub dropped: Vec<(TransactionKey, Refusal)>,
    pub work: Work,
    pub events: Vec<Event>,
}

/// What happened before execution.
pub(crate) struct Opening {
    pub checkpoints: Vec<FinalizedCheckpoint>,
    pub admin: Vec<Admin>,
    pub received: Vec<(ShardId, Sequence)>,
    pub connected: Vec<SignedHeader>,
    pub incoming: Vec<Incoming>,
    /// Transactions whose sender has left.
    pub dropped: Vec<(TransactionKey, Refusal)>,
    pub events: Vec<Event>,
}

impl ShardNode {
    /// Makes the next block at `now`.
    pub(crate) fn make_block(&mut self, now: Timestamp) -> Made {
        let before = self.due_snapshot();
        let height = self.headers.height().next();
        let timestamp = self.headers.timestamp(now);
        let mut opening = self.open(height);
        let mut dropped = std::mem::take(&mut opening.dropped);
        let (done, refused) = self.execute(now, height, timestamp, &opening.incoming);
        dropped.extend(refused);
        let (shard, levels) = (self.config.shard, &self.levels);
        let outgoing = self.outgoing.release(|to| levels.allowance(shard, to));
        let mut made = self.close(height, timestamp, opening, done, dropped, outgoing);
        made.record.before = before;
        made
    }

    /// Applies checkpoints and an administrator's requests, and takes accepted batches into state.
    fn open(&mut self, height: Height) -> Opening {
        let mut checkpoints = Vec::new();
        let mut applied = Applied::default();
        while let Some(finalized) = self.checkpoints.next_unapplied() {
            self.apply(height, &finalized, &mut applied);
            checkpoints.push(finalized);
        }
        let admin = std::mem::take(&mut self.admin);
        for request in &admin {
            self.carry_out(request);
        }
        let newest = self.locale.allocation().newest();
        let (ready, dropped) = self.incoming.take_ready(newest);
        let mut incoming = Vec::with_capacity(ready.len());
        for batch in ready {
            self.books.received(batch.value);
            incoming.push(batch.incoming);
        }
        let Applied { dropped: moved, mut events } = applied;
        events.extend(dropped.into_iter().map(|reason| Event::Dropped { reason }));
        let received = std::mem::take(&mut self.received);
        let connected = self.incoming.newly_connected();
        Opening { checkpoints, admin, received, connected, incoming, dropped: moved, events }
    }

    pub(crate) fn carry_out(&mut self, request: &Admin) {
        let Admin::SetBalance { address, balance } = request;
        if !self.locale.is_local(address) {
            return;
        }
        let mut account = self.state.account(address).copied().unwrap_or_default();
        if *balance >= account.balance {
            self.books.minted(*balance - account.balance);
        } else {
            self.books.burnt(account.balance - *balance);
        }
        account.balance = *balance;
        self.state.set_account(*address, Some(account));
    }

    fn execute(
        &mut self,
        now: Timestamp,
        height: Height,
        timestamp: Timestamp,
        incoming: &[Incoming],
    ) -> (Done, Vec<(TransactionKey, Refusal)>) {
        let base_fee = self.base_fee;
        self.run(height, timestamp, incoming, |legs, pool| match pool {
            Pool::Open(mempool) => transactions(legs, mempool, now, base_fee),
            Pool::Prescribed(list) => list.run(|transaction| legs.transaction(transaction)),
        })
    }

    /// Executes receipts, then what `transactions` takes out of the pool.
    pub(crate) fn run<T>(
        &mut self,
        height: Height,
        timestamp: Timestamp,
        incoming: &[Incoming],
        transactions: impl FnOnce(&mut Legs<'_>, &mut Pool) -> T,
    ) -> (Done, T) {
        let environment = self.environment(height, timestamp);
        let mut evm = self.executor.block(&mut self.state, &self.locale, &environment);
        let traffic = self.config.settings.epochs.as_ref().map(Traffic::new);
        if traffic.is_some() {
            evm.report_accesses();
        }
        let mut legs = Legs {
            evm,
            locale: &self.locale,
            height,
            books: &mut self.books,
            outgoing: &mut self.outgoing,
            delayed: &mut self.delayed,
            parked: &mut self.parked,
            full: false,
            done: Done { traffic, ..Done::default() },
        };
        receipts(&mut legs, incoming);
        let outcome = transactions(&mut legs, &mut self.pool);
        let done = legs.done;
        self.locale.arrived(&done.arrived);
        (done, outcome)
    }

    fn environment(&self, height: Height, timestamp: Timestamp) -> BlockEnvironment {
        match &self.config.environment {
            Environment::Lab => BlockEnvironment {
                number: height.0,
                timestamp: self.config.settings.genesis_time + timestamp.0 / 1_000_000_000,
                beneficiary: Settings::fee_account(self.config.shard),
                base_fee: self.base_fee,
                gas_limit: self.config.gas_limit(),
                difficulty: Default::default(),
                prevrandao: self.headers.parent(),
                excess_blob_gas: 0,
                block_hashes: self.block_hashes.clone(),
            },
            Environment::Prescribed(prescribed) => {
                let later = height.0.saturating_sub(1);
                let mut block = prescribed.block.clone();
                block.number += later;
                block.timestamp += later * SLOT_SECONDS;
                block
            }
        }
    }

    /// Books the receipts that were released, computes roots, balances the books, signs.
    pub(crate) fn close(
        &mut self,
        height: Height,
        timestamp: Timestamp,
        opening: Opening,
        mut done: Done,
        dropped: Vec<(TransactionKey, Refusal)>,
        outgoing: Vec<Outgoing>,
    ) -> Made {
        let shard = self.config.shard;
        let settings = &self.config.settings;
        for released in &outgoing {
            self.books.sent(released.value());
        }
        let (outgoing_receipts_root, proofs) = prove_outgoing(&outgoing);
        let state_root = self.state.root();
        let diff = self.state.take_block_diff();
        let ledger = self.books.close(&diff);
        let gas_used = done.results.gas_used();
        let traffic = done.traffic.take().and_then(|traffic| traffic.report(shard, height));
        let bounds = &settings.bounds;
        let waiting_gas = self.delayed.gas().plus(self.parked.gas());
        let header = Header {
            shard,
            height,
            parent: self.headers.parent(),
            checkpoint: self.locale.allocation().newest(),
            timestamp,
            state_root,
            transactions_root: transactions_root(&done),
            results_root: done.results.root(),
            outgoing_receipts_root,
            watermarks: self.incoming.watermarks(),
            sent: self.outgoing.sent(),
            placements: done.placements,
            gas_used,
            gas_limit: settings.gas_limit,
            base_fee: self.base_fee,
            congestion: Congestion {
                delayed_gas: waiting_gas,
                delayed: self.delayed.len() as u64 + self.parked.len(),
                buffered: self.outgoing.buffered(),
                level: congestion::level(
                    waiting_gas,
                    self.parked.len(),
                    self.outgoing.fullest(),
                    bounds,
                ),
                allowed: congestion::allowed(shard, height, settings.shard_count()),
            },
            ledger,
            traffic: traffic.as_ref().map_or(B256::ZERO, TrafficReport::digest),
        };
        if let Some(traffic) = traffic {
            self.reports.keep(traffic);
        }
        self.locale.created(&header.placements);
        if settings.base_fee_moves {
            self.base_fee = next_base_fee(gas_used, settings.gas_limit, self.base_fee);
        }
        let header = SealedHeader::seal(header);
        let digest = signing_digest(&settings.network, &header.hash());
        let certificate = Certificate::single(&self.config.key, &digest);
        self.headers.advance(header.clone());
        self.remember_hash(height, header.hash());
        let work = work_of(&done.work, done.legs.len(), &diff, &outgoing);
        let mut events = opening.events;
        events.extend(done.events);
        let results = done.results.encoded().iter().cloned().map(Bytes::from).collect();
        let block = Arc::new(Block {
            header: SignedHeader { header, certificate },
            body: Body { incoming: opening.incoming, transactions: done.transactions },
            legs: done.legs,
            outgoing,
            written: diff.accounts.iter().map(|account| account.address).collect(),
        });
        Made {
            record: ShardRecord {
                checkpoints: opening.checkpoints,
                admin: opening.admin,
                received: opening.received,
                connected: opening.connected,
                before: None,
                block: block.clone(),
            },
            execution: BlockExecution { block, results, diff },
            proofs,
            dropped,
            work,
            events,
        }
    }

    fn remember_hash(&mut self, height: Height, hash: B256) {
        let hashes = Arc::make_mut(&mut self.block_hashes);
        hashes.insert(height.0, hash);
        if hashes.len() > BLOCK_HASHES {
            hashes.pop_first();
        }
    }
}

/// What waited for accounts that are live now, then delayed receipts, then those that entered in this
/// block; a `Call` waits behind the first one that does not fit (R-BLK-3).
fn receipts(legs: &mut Legs<'_>, incoming: &[Incoming]) {
    legs.arrivals();
    // What these send to their own shard comes behind them, and waits for the next block.
    for _ in 0..legs.delayed.len() {
        if legs.delayed.first().is_some_and(|first| first.receipt.gas() > legs.evm.gas_left()) {
            legs.full = true;
            break;
        }
        let Some(entered) = legs.delayed.pop() else { break };
        if let Err(entered) = legs.receipt(entered) {
            legs.full = true;
            legs.delayed.push_front(std::iter::once(entered));
            break;
        }
    }
    for batch in incoming {
        for (receipt, sequence) in batch.receipts.iter().zip(batch.first.0..) {
            let sequence = Sequence(sequence);
            let (source, height, receipt) = (batch.source, batch.height, receipt.clone());
            let entered = Entered { source, height, sequence, receipt };
            if legs.full && entered.receipt.kind() == ReceiptKind::Call {
                legs.delayed.push(entered);
            } else if let Err(entered) = legs.receipt(entered) {
                legs.full = true;
                legs.delayed.push(entered);
            }
        }
    }
}

/// Transactions from the mempool until the block is full. Returns those that were refused.
fn transactions(
    legs: &mut Legs<'_>,
    mempool: &mut Mempool,
    now: Timestamp,
    base_fee: u64,
) -> Vec<(TransactionKey, Refusal)> {
    let expired = mempool.expire(now);
    let mut refused: Vec<_> = expired.into_iter().map(|key| (key, Refusal::Expired)).collect();
    mempool.reprice(base_fee);
    let (mut passed_over, mut waiting) = (0, 0);
    while legs.evm.gas_left() >= LEAST_GAS
        && passed_over < MAX_PASSED_OVER
        && waiting < MAX_WAITING
        && let Some(turn) = mempool.next_turn()
    {
        if legs.is_held_back(&turn.transaction) {
            mempool.hold(&turn);
            continue;
        }
        match legs.transaction(&turn.transaction) {
            Ok(()) => mempool.executed(&turn),
            Err(NotExecuted::BlockFull(_)) => {
                passed_over += 1;
                mempool.hold(&turn);
            }
            Err(NotExecuted::InFlight(_)) => {
                waiting += 1;
                mempool.hold(&turn);
            }
            Err(NotExecuted::Refused(Refusal::FeeTooLow)) => mempool.price_out(&turn),
            Err(error) => {
                let refusal = match error {
                    NotExecuted::Refused(refusal) => refusal,
                    _ => Refusal::Malformed,
                };
                refused.push((turn.transaction.transaction().key(), refusal));
                mempool.refuse(&turn);
            }
        }
    }
    mempool.end_block();
    refused
}

fn transactions_root(done: &Done) -> B256 {
    let encoded: Vec<&Bytes> = done.transactions.iter().map(|(tx, _)| tx.encoded()).collect();
    ordered_root(&encoded)
}

fn work_of(executed: &Work, legs: usize, diff: &StateDiff, outgoing: &[Outgoing]) -> Work {
    let slots: usize = diff.accounts.iter().map(|account| account.storage.len()).sum();
    let receipts = outgoing.iter().flat_map(|outgoing| &outgoing.receipts);
    Work {
        legs: legs as u32,
        signatures: 1,
        trie_updates: (diff.accounts.len() + slots) as u32,
        bytes: receipts.map(|receipt| encoded_bytes(receipt) as u64).sum(),
        ..*executed
    }
}

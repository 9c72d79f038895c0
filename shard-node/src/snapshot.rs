//! A shard between two blocks, whole: from it recovery starts instead of from genesis (rule
//! R-REC-6).
//!
//! The record of every [`SNAPSHOT_EVERY`]th block has the snapshot before it. What is not in it is
//! not durable either: the mempool, batches that wait for the gate, checkpoints that no block has
//! applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::{Address, B256};
use cross_shard_msg::{BlockNotice, Height, SignedHeader};
use serde::{Deserialize, Serialize};
use state::{GenesisAccount, ShardState};

use crate::checkpoints::KnownCheckpoints;
use crate::congestion;
use crate::delayed::Delayed;
use crate::incoming::SourceSnapshot;
use crate::ledger::Books;
use crate::locale::Placed;
use crate::node::{Pool, ShardNode};
use crate::outgoing::OutgoingQueues;
use crate::parked::Parked;

/// Blocks from one snapshot to the next, so that recovery executes at most about so many again.
pub const SNAPSHOT_EVERY: u64 = 1_024;
/// Largest snapshot, in bytes of its accounts, as estimated. A shard with more writes none.
pub const MAX_SNAPSHOT_BYTES: usize = 128 << 20;

/// A shard as it was after one of its blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    header: SignedHeader,
    base_fee: u64,
    block_hashes: Vec<(u64, B256)>,
    /// Ascending by address.
    accounts: Vec<(Address, GenesisAccount)>,
    books: Books,
    levels: congestion::Known,
    placed: Placed,
    checkpoints: KnownCheckpoints,
    delayed: Delayed,
    parked: Parked,
    outgoing: OutgoingQueues,
    sources: Vec<SourceSnapshot>,
    kept: Vec<SignedHeader>,
    unseen: Vec<Arc<BlockNotice>>,
}

impl Snapshot {
    /// The block after which it was taken.
    #[must_use]
    pub fn height(&self) -> Height {
        self.header.height
    }
}

impl ShardNode {
    /// The shard with a snapshot every so many blocks, instead of [`SNAPSHOT_EVERY`]; 0 for none.
    #[must_use]
    pub fn with_snapshots(mut self, every: u64) -> Self {
        self.snapshot_every = every;
        self
    }

    /// The shard as its durable records make it. `None` before the first block, while a block is
    /// not durable, with a prescribed environment, and for a state above [`MAX_SNAPSHOT_BYTES`].
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        if matches!(self.pool, Pool::Prescribed(_)) || !self.is_durable() {
            return None;
        }
        let header = self.headers.tip().and_then(|tip| self.headers.at(tip.height))?.clone();
        Some(Snapshot {
            header,
            base_fee: self.base_fee,
            block_hashes: self.block_hashes.iter().map(|(height, hash)| (*height, *hash)).collect(),
            accounts: accounts(&self.state)?,
            books: self.books.clone(),
            levels: self.levels.clone(),
            placed: self.locale.placed(),
            checkpoints: self.checkpoints.snapshot(),
            delayed: self.delayed.clone(),
            parked: self.parked.clone(),
            outgoing: self.outgoing.snapshot(),
            sources: self.incoming.snapshot(),
            kept: self.headers.all().cloned().collect(),
            unseen: self.life.unseen().cloned().collect(),
        })
    }

    /// A snapshot, if one is due before the next block.
    pub(crate) fn due_snapshot(&mut self) -> Option<Arc<Snapshot>> {
        let since = self.headers.height().0.saturating_sub(self.last_snapshot.0);
        if self.snapshot_every == 0 || since < self.snapshot_every || !self.is_durable() {
            return None;
        }
        self.last_snapshot = self.headers.height();
        self.snapshot().map(Arc::new)
    }

    /// Takes the place of a shard at genesis. False if the snapshot is not this shard's.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) -> bool {
        let shard = self.config.shard;
        if snapshot.header.shard != shard
            || snapshot.sources.len() != self.config.settings.shards.len()
        {
            return false;
        }
        self.last_snapshot = snapshot.height();
        self.base_fee = snapshot.base_fee;
        self.block_hashes = Arc::new(BTreeMap::from_iter(snapshot.block_hashes.iter().copied()));
        self.state = ShardState::from_genesis(snapshot.accounts.iter().cloned());
        self.books = snapshot.books.clone();
        self.levels = snapshot.levels.clone();
        self.locale.place(&snapshot.placed, snapshot.parked.accounts());
        self.checkpoints.take_over(&snapshot.checkpoints);
        self.delayed = snapshot.delayed.clone();
        self.parked = snapshot.parked.clone();
        self.outgoing = snapshot.outgoing.clone();
        self.incoming.take_over(&snapshot.sources, &self.checkpoints);
        for header in &snapshot.kept {
            self.headers.keep(header.clone());
        }
        self.headers.advance(snapshot.header.header.clone());
        for notice in &snapshot.unseen {
            self.life.note(notice.clone());
        }
        self.state.root() == snapshot.header.state_root
    }
}

/// All accounts, or `None` if they are too many.
fn accounts(state: &ShardState) -> Option<Vec<(Address, GenesisAccount)>> {
    let mut bytes = 0;
    let mut accounts = Vec::new();
    for address in state.sorted_addresses() {
        let account = state.account(&address).copied().unwrap_or_default();
        let code = state.code(&account.code_hash).cloned().unwrap_or_default();
        let storage = state.sorted_storage(&address);
        bytes += 80 + code.len() + 64 * storage.len();
        if bytes > MAX_SNAPSHOT_BYTES {
            return None;
        }
        let (nonce, balance) = (account.nonce, account.balance);
        accounts.push((address, GenesisAccount { nonce, balance, code, storage }));
    }
    Some(accounts)
}

//! What a finalized checkpoint changes in the block that is the first to apply it: accounts leave,
//! others are expected (rules R-HOME-6, R-EPOCH-5, R-EPOCH-8, R-EPOCH-9).

use alloy_primitives::{Address, B256, U256};
use cross_shard_msg::migration::MAX_PART_SLOTS;
use cross_shard_msg::{
    AccountKey, Action, CheckpointNumber, Event, FinalizedCheckpoint, Height, Migration, Receipt,
    Refusal, ShardId, TransactionKey, Wei,
};

use crate::locale::Change;
use crate::node::{Pool, ShardNode};
use crate::outgoing::encoded_bytes;

/// What a receipt names as its origin when no user's transaction caused it (`Handover`, `Migrate`).
const NO_ORIGIN: B256 = B256::ZERO;

/// What came of applying checkpoints.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Transactions whose sender has left.
    pub dropped: Vec<(TransactionKey, Refusal)>,
    pub events: Vec<Event>,
}

impl ShardNode {
    /// Applies the next checkpoint in the block at `height`.
    pub(crate) fn apply(
        &mut self,
        height: Height,
        finalized: &FinalizedCheckpoint,
        applied: &mut Applied,
    ) {
        let checkpoint = &finalized.checkpoint;
        self.levels.apply(checkpoint);
        for change in self.locale.apply(checkpoint) {
            match change {
                Change::Expect(account) => self.parked.expect(account),
                Change::HandOver { account, to } => {
                    self.send_on(&account);
                    self.hand_over(height, account, to);
                }
                // What was credited meanwhile is all that is here of an account in flight.
                Change::Leave { account, to } if self.send_on(&account) => {
                    self.hand_over(height, account, to);
                }
                Change::Leave { account, to } => {
                    self.emit(height, account, to, checkpoint.number, applied);
                }
            }
        }
    }

    /// What waited for an account that was in flight here goes on to its home: as the first legs of
    /// this block, so that each receipt is seen to be consumed. False if it was not in flight.
    fn send_on(&mut self, account: &Address) -> bool {
        let Some(waited) = self.parked.remove(account) else { return false };
        self.delayed.push_front(waited.into_iter());
        true
    }

    /// Sends the balance of an account, if there is one, as a `Handover`.
    fn hand_over(&mut self, height: Height, address: Address, to: ShardId) {
        let Some(account) = self.state.account(&address).copied() else { return };
        let balance = account.balance;
        if balance.is_zero() {
            return;
        }
        self.state.set_account(address, Some(state::Account { balance: Wei::ZERO, ..account }));
        self.send(height, to, Action::Handover { address, balance });
    }

    /// Sends all of an account that lives here, and forgets it.
    fn emit(
        &mut self,
        height: Height,
        account: Address,
        to: ShardId,
        checkpoint: CheckpointNumber,
        applied: &mut Applied,
    ) {
        let content = self.state.account(&account).copied().unwrap_or_default();
        let code = self.state.code(&content.code_hash).cloned().unwrap_or_default();
        let storage = self.state.sorted_storage(&account);
        let mut chunks: Vec<&[(U256, U256)]> = storage.chunks(MAX_PART_SLOTS).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let parts = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        let mut bytes = 0;
        for (slots, part) in chunks.into_iter().zip(0..) {
            let first = part == 0;
            let action = Action::Migrate(Migration {
                account,
                checkpoint,
                part,
                parts,
                nonce: if first { content.nonce } else { 0 },
                balance: if first { content.balance } else { Wei::ZERO },
                code: if first { code.clone() } else { Default::default() },
                slots: slots.to_vec(),
            });
            bytes += self.send(height, to, action);
        }
        self.state.set_account(account, None);
        if let Pool::Open(mempool) = &mut self.pool {
            let waiting = mempool.remove_sender(&account).into_iter();
            applied.dropped.extend(waiting.map(|key| (key, Refusal::Moved)));
        }
        applied.events.push(Event::AccountLeft {
            account: AccountKey::of(&account),
            checkpoint,
            parts,
            slots: storage.len() as u64,
            bytes,
        });
    }

    /// Queues a receipt that no transaction caused. Returns about how many bytes it has.
    fn send(&mut self, height: Height, to: ShardId, action: Action) -> u64 {
        let receipt = Receipt { origin: NO_ORIGIN, caused: height, action };
        let bytes = encoded_bytes(&receipt) as u64;
        self.books.queued(receipt.value());
        self.outgoing.push(to, receipt);
        bytes
    }
}

//! A block as its shard stores it: header, body, and what its execution did, leg by leg.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::header::SignedHeader;
use crate::ids::{Height, Sequence, ShardId, TransactionKey};
use crate::receipt::{Outgoing, Receipt};
use crate::transaction::Transaction;
use crate::units::Gas;

/// One block of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The header with its certificate.
    pub header: SignedHeader,
    /// What was put in.
    pub body: Body,
    /// What came of it, in order of execution.
    pub legs: Vec<Leg>,
    /// Receipts that were released, ascending by destination.
    pub outgoing: Vec<Outgoing>,
    /// Accounts whose state the block changed, ascending.
    pub written: Vec<Address>,
}

/// Input of a block: incoming receipts first, then transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Batches that enter state in this block, ascending by source, then by height.
    pub incoming: Vec<Incoming>,
    /// Transactions in order of execution, with their senders.
    pub transactions: Vec<(Transaction, Address)>,
}

/// A batch that enters state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// The source.
    pub source: ShardId,
    /// Height of the source's block.
    pub height: Height,
    /// Hash of the source's header.
    pub header: B256,
    /// Sequence of the first receipt.
    pub first: Sequence,
    /// The receipts, in order.
    pub receipts: Vec<Receipt>,
}

/// One execution in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// The user's transaction that it belongs to.
    pub key: TransactionKey,
    /// What was executed.
    pub cause: Cause,
    /// What came of it.
    pub status: LegStatus,
    /// Gas that it used here.
    pub gas_used: Gas,
    /// Number of receipts that it caused. A transaction is settled when as many receipt legs were
    /// executed as its legs caused.
    pub caused: u32,
    /// Number of contracts that it created.
    pub created: u32,
}

/// What a leg executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The body's transaction at this index.
    Transaction(u32),
    /// A receipt, named by where it came from.
    Receipt {
        /// The source.
        source: ShardId,
        /// Its sequence.
        sequence: Sequence,
        /// What it asks for.
        kind: ReceiptKind,
    },
}

/// The action of a receipt, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReceiptKind {
    /// A call.
    Call,
    /// A refund.
    Refund,
    /// The hand-over of a placed address's balance.
    Handover,
    /// A part of an account that moves.
    Migrate,
}

/// What came of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LegStatus {
    /// It did what was asked; at a source shard: the receipt is on its way.
    Succeeded,
    /// It failed and had no effect but its fee and its refund.
    Failed(Failure),
    /// The account lives elsewhere: the receipt went on to its home.
    Forwarded,
}

/// Why a leg failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Failure {
    /// The EVM reverted.
    Revert,
    /// The EVM halted: out of gas, invalid opcode, stack limits.
    Halt,
    /// It touched an account that lives on another shard.
    RemoteAccount,
    /// The address of a creation is taken (EIP-684), or is placed on another shard.
    Collision,
}

impl Receipt {
    /// The kind of its action.
    #[must_use]
    pub fn kind(&self) -> ReceiptKind {
        use crate::receipt::Action;
        match &self.action {
            Action::Call(_) => ReceiptKind::Call,
            Action::Refund { .. } => ReceiptKind::Refund,
            Action::Handover { .. } => ReceiptKind::Handover,
            Action::Migrate(_) => ReceiptKind::Migrate,
        }
    }
}

//! Cross-shard receipts and the batches in which they travel (rules R-RCPT-1 to R-RCPT-9).

use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

use crate::hash::Preimage;
use crate::header::SignedHeader;
use crate::ids::{Height, Sequence, ShardId, TransactionKey};
use crate::merkle::{self, InclusionProof};
use crate::migration::Migration;
use crate::units::{Gas, Wei};

/// Most receipts in one batch. A block releases at most this many for one destination.
pub const MAX_BATCH_RECEIPTS: usize = 16_384;
/// Largest call data of one receipt, in bytes.
pub const MAX_RECEIPT_INPUT_BYTES: usize = 128 << 10;

/// An instruction from a source to a destination shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Hash of the user's transaction that this receipt is a leg of.
    pub origin: B256,
    /// Height of the source's block that caused it. Its release may be later.
    pub caused: Height,
    /// What the destination must do.
    pub action: Action,
}

/// What a receipt asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Run a call at the destination.
    Call(Call),
    /// Add value to an account: unused gas and the value of failed calls. It cannot fail.
    Refund {
        /// Who gets it.
        to: Address,
        /// How much, in wei; never zero.
        value: Wei,
    },
    /// Hand over the balance of an address that was placed elsewhere. It cannot fail.
    Handover {
        /// The placed address.
        address: Address,
        /// Balance to add, in wei.
        balance: Wei,
    },
    /// One part of an account that moves here.
    Migrate(Migration),
}

/// A call whose sender lives on another shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// `msg.sender`. At the destination a phantom: never loaded, debited or written.
    pub from: Address,
    /// The account that is called.
    pub to: Address,
    /// Value that travels, in wei.
    pub value: Wei,
    /// Gas that was paid for at the source, without intrinsic gas.
    pub gas: Gas,
    /// What the sender paid for each unit of gas, in wei.
    pub gas_price: Wei,
    /// Call data.
    pub input: Bytes,
    /// Who gets what is left.
    pub refund_to: Address,
}

impl Receipt {
    /// Short key of the transaction that this receipt is a leg of.
    #[must_use]
    pub fn key(&self) -> TransactionKey {
        TransactionKey::of(&self.origin)
    }

    /// The account that the receipt addresses; its home is the receipt's destination.
    #[must_use]
    pub fn account(&self) -> Address {
        match &self.action {
            Action::Call(call) => call.to,
            Action::Refund { to, .. } => *to,
            Action::Handover { address, .. } => *address,
            Action::Migrate(migration) => migration.account,
        }
    }

    /// All wei that travel with the receipt: its value and its prepaid gas.
    #[must_use]
    pub fn value(&self) -> Wei {
        match &self.action {
            Action::Call(call) => call.value.saturating_add(call.gas.cost(call.gas_price)),
            Action::Refund { value, .. } => *value,
            Action::Handover { balance, .. } => *balance,
            Action::Migrate(migration) => migration.balance,
        }
    }

    /// Gas that the destination must set aside for it.
    #[must_use]
    pub fn gas(&self) -> Gas {
        match &self.action {
            Action::Call(call) => call.gas,
            Action::Refund { .. } | Action::Handover { .. } | Action::Migrate(_) => Gas::ZERO,
        }
    }

    /// Whether the bounds of every field hold and no sum of its value overflows.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        match &self.action {
            Action::Call(call) => {
                call.input.len() <= MAX_RECEIPT_INPUT_BYTES
                    && call
                        .gas_price
                        .checked_mul(Wei::from(call.gas.0))
                        .and_then(|gas| gas.checked_add(call.value))
                        .is_some()
            }
            Action::Refund { value, .. } => !value.is_zero(),
            Action::Handover { .. } => true,
            Action::Migrate(migration) => migration.is_well_formed(),
        }
    }

    /// Its digest, a leaf of the tree over one destination's receipts.
    #[must_use]
    pub fn digest(&self) -> B256 {
        let mut preimage = Preimage::new("shardlab/receipt");
        preimage.hash(&self.origin).u64(self.caused.0);
        match &self.action {
            Action::Call(call) => preimage
                .u8(0)
                .address(&call.from)
                .address(&call.to)
                .wei(&call.value)
                .u64(call.gas.0)
                .wei(&call.gas_price)
                .bytes(&call.input)
                .address(&call.refund_to),
            Action::Refund { to, value } => preimage.u8(1).address(to).wei(value),
            Action::Handover { address, balance } => preimage.u8(2).address(address).wei(balance),
            Action::Migrate(migration) => {
                preimage.u8(3);
                migration.write(&mut preimage);
                &mut preimage
            }
        };
        preimage.finish()
    }
}

/// What one block released for one destination: sequences `first`, `first + 1`, …
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Where the receipts go.
    pub destination: ShardId,
    /// Sequence of the first receipt.
    pub first: Sequence,
    /// The receipts, in order; never empty.
    pub receipts: Vec<Receipt>,
}

impl Outgoing {
    /// Sequence of the last receipt. Saturates: `first` may come from a hostile source.
    #[must_use]
    pub fn last(&self) -> Sequence {
        let others = (self.receipts.len() as u64).saturating_sub(1);
        Sequence(self.first.0.saturating_add(others))
    }

    /// All wei that travel with these receipts.
    #[must_use]
    pub fn value(&self) -> Wei {
        self.receipts.iter().fold(Wei::ZERO, |sum, receipt| sum.saturating_add(receipt.value()))
    }

    /// The leaf of this destination in the tree over destinations.
    #[must_use]
    pub fn digest(&self) -> B256 {
        let leaves: Vec<B256> = self.receipts.iter().map(Receipt::digest).collect();
        Preimage::new("shardlab/outgoing")
            .u32(self.destination.0)
            .u64(self.first.0)
            .hash(&merkle::root(&leaves))
            .finish()
    }
}

/// A block's receipts for one destination, with what proves them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptBatch {
    /// Under gate `certified`: the source's headers between the last one that the destination was
    /// sent and this block's, ascending. Empty under gate `checkpoint`.
    pub chain: Vec<SignedHeader>,
    /// Header of the block that released the receipts.
    pub header: SignedHeader,
    /// The receipts.
    pub outgoing: Outgoing,
    /// Shows that `outgoing` is in the header's `outgoing_receipts_root`.
    pub proof: InclusionProof,
}

impl ReceiptBatch {
    /// Whether the receipts are well-formed, bounded, and proven by the header. Says nothing about
    /// the header itself.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let outgoing = &self.outgoing;
        !outgoing.receipts.is_empty()
            && outgoing.receipts.len() <= MAX_BATCH_RECEIPTS
            && outgoing.first > Sequence::ZERO
            && outgoing.receipts.iter().all(Receipt::is_well_formed)
            && self.proof.verify(&self.header.outgoing_receipts_root, &outgoing.digest())
    }
}

/// Root over what a block released, one leaf per destination in ascending order.
#[must_use]
pub fn outgoing_root(outgoing: &[Outgoing]) -> B256 {
    let leaves: Vec<B256> = outgoing.iter().map(Outgoing::digest).collect();
    merkle::root(&leaves)
}

/// Proofs for each of `outgoing`, in order, against [`outgoing_root`].
#[must_use]
pub fn prove_outgoing(outgoing: &[Outgoing]) -> (B256, Vec<InclusionProof>) {
    let leaves: Vec<B256> = outgoing.iter().map(Outgoing::digest).collect();
    merkle::prove_all(&leaves)
}

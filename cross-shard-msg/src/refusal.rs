//! Why a shard does not take a transaction (rules R-POOL-1 to R-POOL-8).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a transaction was refused. Closed, so that every refusal is counted under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// Not a transaction, or too large.
    Malformed,
    /// The signature gives no sender.
    Signature,
    /// Blob, set-code or pre-EIP-155 transactions are not admitted in this network.
    UnsupportedType,
    /// Signed for another chain.
    ChainId,
    /// The sender lives on another shard.
    Moved,
    /// The sender is on its way to this shard.
    InFlight,
    /// The nonce was used.
    NonceTooLow,
    /// The nonce is beyond the window above the next one.
    NonceTooHigh,
    /// The balance does not cover value and gas.
    InsufficientBalance,
    /// Less gas than the intrinsic gas.
    IntrinsicGas,
    /// More gas than a block, or a receipt at any shard, may have.
    GasLimit,
    /// The fee cap is below the base fee.
    FeeTooLow,
    /// The priority fee exceeds the fee cap.
    PriorityFee,
    /// A replacement does not pay enough more.
    ReplacementUnderpriced,
    /// The very transaction is waiting already.
    AlreadyKnown,
    /// The mempool is full.
    MempoolFull,
    /// The sender has as many waiting transactions as it may have.
    SenderFull,
    /// The destination's queues are full.
    Congested,
    /// Init code is larger than EIP-3860 allows.
    InitCodeSize,
    /// The sender has code (EIP-3607).
    SenderHasCode,
    /// Another transaction with the same sender and nonce, which paid more, took its place.
    Replaced,
    /// It waited in the mempool for longer than the bound.
    Expired,
}

impl Refusal {
    /// Every reason, in the order of the declaration.
    pub const ALL: [Self; 22] = [
        Self::Malformed,
        Self::Signature,
        Self::UnsupportedType,
        Self::ChainId,
        Self::Moved,
        Self::InFlight,
        Self::NonceTooLow,
        Self::NonceTooHigh,
        Self::InsufficientBalance,
        Self::IntrinsicGas,
        Self::GasLimit,
        Self::FeeTooLow,
        Self::PriorityFee,
        Self::ReplacementUnderpriced,
        Self::AlreadyKnown,
        Self::MempoolFull,
        Self::SenderFull,
        Self::Congested,
        Self::InitCodeSize,
        Self::SenderHasCode,
        Self::Replaced,
        Self::Expired,
    ];

    /// Whether the same transaction may be admitted later, so that a client should try again.
    #[must_use]
    pub fn may_pass_later(self) -> bool {
        matches!(
            self,
            Self::Moved
                | Self::InFlight
                | Self::NonceTooHigh
                | Self::InsufficientBalance
                | Self::FeeTooLow
                | Self::MempoolFull
                | Self::SenderFull
                | Self::Congested
                | Self::Expired
        )
    }

    /// The name in reports, logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Signature => "signature",
            Self::UnsupportedType => "unsupported_type",
            Self::ChainId => "chain_id",
            Self::Moved => "moved",
            Self::InFlight => "in_flight",
            Self::NonceTooLow => "nonce_too_low",
            Self::NonceTooHigh => "nonce_too_high",
            Self::InsufficientBalance => "insufficient_balance",
            Self::IntrinsicGas => "intrinsic_gas",
            Self::GasLimit => "gas_limit",
            Self::FeeTooLow => "fee_too_low",
            Self::PriorityFee => "priority_fee",
            Self::ReplacementUnderpriced => "replacement_underpriced",
            Self::AlreadyKnown => "already_known",
            Self::MempoolFull => "mempool_full",
            Self::SenderFull => "sender_full",
            Self::Congested => "congested",
            Self::InitCodeSize => "init_code_size",
            Self::SenderHasCode => "sender_has_code",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! Why a transaction was not executed. Such a transaction changes nothing and pays nothing.

use alloy_primitives::Address;
use cross_shard_msg::{Gas, Refusal};
use revm::context_interface::result::InvalidTransaction;

/// Why a transaction is not in the block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExecuted {
    /// It is not valid here; [`Refusal::may_pass_later`] says whether to try again.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// Its gas limit is above what this block has left. It may pass in the next block.
    #[error("the block has only {0} gas left")]
    BlockFull(Gas),
    /// It opened this account, which is on its way to this shard: it must wait for it as a whole
    /// (R-EPOCH-6).
    #[error("account {0} is on its way to this shard")]
    InFlight(Address),
    /// State or block environment are inconsistent: a fault of this node, not of the transaction.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<Refusal> for NotExecuted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The name under which the network counts what revm found.
///
/// A last nonce (EIP-2681) and sums that overflow can never pass, whatever the account holds; they
/// count as malformed and as insufficient balance.
pub(super) fn refusal(invalid: &InvalidTransaction) -> Option<Refusal> {
    use InvalidTransaction as Invalid;
    Some(match invalid {
        Invalid::InvalidChainId => Refusal::ChainId,
        Invalid::MissingChainId
        | Invalid::Eip2930NotSupported
        | Invalid::Eip1559NotSupported
        | Invalid::Eip4844NotSupported
        | Invalid::Eip7702NotSupported => Refusal::UnsupportedType,
        Invalid::GasPriceLessThanBasefee | Invalid::BlobGasPriceGreaterThanMax { .. } => {
            Refusal::FeeTooLow
        }
        Invalid::PriorityFeeGreaterThanMaxFee => Refusal::PriorityFee,
        Invalid::TxGasLimitGreaterThanCap { .. } | Invalid::CallerGasLimitMoreThanBlock => {
            Refusal::GasLimit
        }
        Invalid::CallGasCostMoreThanGasLimit { .. } | Invalid::GasFloorMoreThanGasLimit { .. } => {
            Refusal::IntrinsicGas
        }
        Invalid::CreateInitCodeSizeLimit => Refusal::InitCodeSize,
        Invalid::NonceTooLow { .. } => Refusal::NonceTooLow,
        Invalid::NonceTooHigh { .. } => Refusal::NonceTooHigh,
        Invalid::RejectCallerWithCode => Refusal::SenderHasCode,
        Invalid::LackOfFundForMaxFee { .. } | Invalid::OverflowPaymentInTransaction => {
            Refusal::InsufficientBalance
        }
        Invalid::NonceOverflowInTransaction
        | Invalid::EmptyBlobs
        | Invalid::BlobVersionNotSupported => Refusal::Malformed,
        _ => return None,
    })
}

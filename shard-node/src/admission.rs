//! What a transaction must fulfil to enter the mempool (rules R-POOL-1, R-POOL-2, R-POOL-8), in the
//! order of the rule. Bounds and replacement are the mempool's own.

use alloy_consensus::{Transaction as _, TxEnvelope, TxType};
use cross_shard_msg::{Gas, Recovered, Refusal, Settings, ShardId, Wei};
use partitioning::Home;
use state::ShardState;

use crate::congestion;
use crate::evm::Locality as _;
use crate::evm::{ChainRules, intrinsic_gas};
use crate::locale::Locale;
use crate::outgoing::OutgoingQueues;

/// Largest init code, in bytes (EIP-3860).
const MAX_INIT_CODE_BYTES: usize = 2 * 24_576;

/// What admission looks at.
pub(crate) struct Admission<'a> {
    pub settings: &'a Settings,
    pub rules: &'a ChainRules,
    pub locale: &'a Locale,
    pub state: &'a ShardState,
    pub outgoing: &'a OutgoingQueues,
    /// Congestion level of each shard as crosslinked last.
    pub levels: &'a congestion::Known,
    /// Base fee of the next block.
    pub base_fee: u64,
}

impl Admission<'_> {
    /// Checks a transaction of a network with its own blocks. Returns the sender's next nonce.
    pub(crate) fn check(&self, transaction: &Recovered) -> Result<u64, Refusal> {
        let envelope = transaction.transaction().envelope();
        check_type(envelope)?;
        self.check_chain_and_home(transaction)?;
        let gas_limit = Gas(envelope.gas_limit());
        if intrinsic_gas(envelope, self.rules.spec).least() > gas_limit {
            return Err(Refusal::IntrinsicGas);
        }
        if gas_limit > self.settings.gas_limit {
            return Err(Refusal::GasLimit);
        }
        if envelope.is_create() && envelope.input().len() > MAX_INIT_CODE_BYTES {
            return Err(Refusal::InitCodeSize);
        }
        let fee_cap = envelope.max_fee_per_gas();
        if envelope.max_priority_fee_per_gas().is_some_and(|tip| tip > fee_cap) {
            return Err(Refusal::PriorityFee);
        }
        if fee_cap < u128::from(self.base_fee) {
            return Err(Refusal::FeeTooLow);
        }
        let account = self.state.account(&transaction.sender()).copied().unwrap_or_default();
        if account.has_code() {
            return Err(Refusal::SenderHasCode);
        }
        let nonce = envelope.nonce();
        if nonce < account.nonce {
            return Err(Refusal::NonceTooLow);
        }
        if nonce - account.nonce >= u64::from(self.settings.bounds.nonce_window) {
            return Err(Refusal::NonceTooHigh);
        }
        let fee = Wei::from(gas_limit.0).checked_mul(Wei::from(fee_cap));
        let needed = fee.and_then(|fee| fee.checked_add(envelope.value()));
        if needed.is_none_or(|needed| needed > account.balance) {
            return Err(Refusal::InsufficientBalance);
        }
        if let Some(destination) = self.destination(envelope)
            && (self.levels.refuses(destination) || self.outgoing.is_full(destination))
        {
            return Err(Refusal::Congested);
        }
        Ok(account.nonce)
    }

    /// Checks a transaction of a prescribed block: funds and nonces may depend on receipts that are
    /// still on their way.
    pub(crate) fn check_prescribed(&self, transaction: &Recovered) -> Result<(), Refusal> {
        self.check_chain_and_home(transaction)
    }

    fn check_chain_and_home(&self, transaction: &Recovered) -> Result<(), Refusal> {
        match transaction.transaction().envelope().chain_id() {
            Some(chain) if chain != self.settings.chain_id => return Err(Refusal::ChainId),
            None if !self.rules.prescribed => return Err(Refusal::UnsupportedType),
            _ => {}
        }
        let sender = transaction.sender();
        if self.locale.is_local(&sender) {
            Ok(())
        } else if self.locale.is_in_flight(&sender) {
            Err(Refusal::InFlight)
        } else {
            Err(Refusal::Moved)
        }
    }

    fn destination(&self, envelope: &TxEnvelope) -> Option<ShardId> {
        let to = envelope.to()?;
        match self.locale.home(&to) {
            Home::Shard(home) if home != self.locale.shard() => Some(home),
            _ => None,
        }
    }
}

fn check_type(envelope: &TxEnvelope) -> Result<(), Refusal> {
    match envelope.tx_type() {
        TxType::Legacy | TxType::Eip2930 | TxType::Eip1559 => Ok(()),
        _ => Err(Refusal::UnsupportedType),
    }
}

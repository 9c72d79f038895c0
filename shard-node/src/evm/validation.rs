//! What must hold before a transaction is executed: the checks of revm, in revm's order, without
//! building anything of revm's. `tests/equals_revm.rs` compares the two.

use alloy_consensus::{Transaction as _, TxEnvelope, Typed2718 as _};
use alloy_primitives::{Address, B256, U256};
use cross_shard_msg::{Gas, Refusal};
use revm::context::Cfg as _;
use revm::context_interface::cfg::GasParams;
use revm::context_interface::transaction::TransactionType;
use revm::primitives::eip4844;
use state::Account;

use super::environment::{BlockEnvironment, ChainRules, SpecId};

/// What a transaction costs before any of its code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntrinsicGas {
    /// Taken from the gas limit before execution begins.
    pub initial: Gas,
    /// The least that is charged in the end (EIP-7623, Prague); zero before.
    pub floor: Gas,
}

impl IntrinsicGas {
    /// The larger of both: what a transaction pays that executes nothing.
    #[must_use]
    pub fn least(self) -> Gas {
        self.initial.max(self.floor)
    }
}

/// The intrinsic gas of a transaction under `spec`.
#[must_use]
pub fn intrinsic_gas(transaction: &TxEnvelope, spec: SpecId) -> IntrinsicGas {
    intrinsic_gas_with(transaction, &GasParams::new_spec(spec))
}

/// Wei per unit of gas that a transaction pays in a block with this base fee.
#[must_use]
pub fn effective_gas_price(transaction: &TxEnvelope, base_fee: u64) -> u128 {
    match transaction.max_priority_fee_per_gas() {
        Some(tip) => transaction.max_fee_per_gas().min(u128::from(base_fee).saturating_add(tip)),
        None => transaction.max_fee_per_gas(),
    }
}

/// Everything about a transaction that does not depend on its sender's account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validated {
    pub intrinsic: IntrinsicGas,
    /// Wei per gas.
    pub gas_price: u128,
    /// Wei for the blobs, all of it burnt.
    pub blob_fee: U256,
    /// Highest gas price, blob fee and value together, in wei.
    pub needed: U256,
}

/// Parts of the configuration that validation reads for every transaction, kept for a block.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    rules: ChainRules,
    gas_params: GasParams,
    gas_cap: u64,
    initcode: usize,
    base_fee: u64,
    block_gas: u64,
    blob_price: u128,
}

impl Limits {
    pub(super) fn new(rules: &ChainRules, environment: &BlockEnvironment) -> Self {
        let cfg = rules.cfg_env();
        Self {
            gas_cap: cfg.tx_gas_limit_cap(),
            initcode: cfg.max_initcode_size(),
            base_fee: environment.base_fee,
            block_gas: environment.gas_limit.0,
            blob_price: environment
                .block_env(rules)
                .blob_excess_gas_and_price
                .map_or(0, |blobs| blobs.blob_gasprice),
            rules: *rules,
            gas_params: cfg.gas_params,
        }
    }

    /// The part of a price per gas that is burnt; nothing was before London.
    pub(super) fn burnt_price(&self, gas_price: u128) -> u128 {
        if self.rules.spec.is_enabled_in(SpecId::LONDON) {
            gas_price.min(u128::from(self.base_fee))
        } else {
            0
        }
    }

    /// Whether a transfer between accounts without code is nothing but a transfer: before EIP-161
    /// it creates empty accounts, from EIP-7708 on it logs.
    pub(super) fn has_plain_transfers(&self) -> bool {
        let spec = self.rules.spec;
        spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) && !spec.is_enabled_in(SpecId::AMSTERDAM)
    }

    /// Checks what does not need the sender's account.
    pub(super) fn check(&self, transaction: &TxEnvelope) -> Result<Validated, Refusal> {
        let spec = self.rules.spec;
        let kind = TransactionType::from(transaction.ty());
        let supported = match kind {
            TransactionType::Legacy => true,
            TransactionType::Eip2930 => spec.is_enabled_in(SpecId::BERLIN),
            TransactionType::Eip1559 => spec.is_enabled_in(SpecId::LONDON),
            TransactionType::Eip4844 => self.rules.prescribed && spec.is_enabled_in(SpecId::CANCUN),
            TransactionType::Eip7702 | TransactionType::Custom => false,
        };
        match transaction.chain_id() {
            Some(chain) if chain != self.rules.chain_id => return Err(Refusal::ChainId),
            None if !self.rules.prescribed => return Err(Refusal::UnsupportedType),
            _ => {}
        }
        let gas_limit = transaction.gas_limit();
        if gas_limit > self.gas_cap {
            return Err(Refusal::GasLimit);
        }
        if !supported {
            return Err(Refusal::UnsupportedType);
        }
        let max_fee = transaction.max_fee_per_gas();
        if transaction.max_priority_fee_per_gas().is_some_and(|tip| tip > max_fee) {
            return Err(Refusal::PriorityFee);
        }
        if max_fee < u128::from(self.base_fee) {
            return Err(Refusal::FeeTooLow);
        }
        self.check_blobs(transaction)?;
        if gas_limit > self.block_gas {
            return Err(Refusal::GasLimit);
        }
        if spec.is_enabled_in(SpecId::SHANGHAI)
            && transaction.is_create()
            && transaction.input().len() > self.initcode
        {
            return Err(Refusal::InitCodeSize);
        }
        if transaction.nonce() == u64::MAX {
            return Err(Refusal::Malformed);
        }
        let intrinsic = intrinsic_gas_with(transaction, &self.gas_params);
        if intrinsic.least().0 > gas_limit {
            return Err(Refusal::IntrinsicGas);
        }
        let blob_gas = u128::from(transaction.blob_gas_used().unwrap_or(0));
        let max_blob_fee = transaction.max_fee_per_blob_gas().unwrap_or(0);
        let needed = u128::from(gas_limit)
            .checked_mul(max_fee)
            .and_then(|fee| U256::from(fee).checked_add(transaction.value()))
            .and_then(|sum| sum.checked_add(U256::from(blob_gas.saturating_mul(max_blob_fee))))
            // No balance covers a sum that overflows.
            .unwrap_or(U256::MAX);
        Ok(Validated {
            intrinsic,
            gas_price: effective_gas_price(transaction, self.base_fee),
            blob_fee: U256::from(blob_gas.saturating_mul(self.blob_price)),
            needed,
        })
    }

    fn check_blobs(&self, transaction: &TxEnvelope) -> Result<(), Refusal> {
        let Some(blobs) = transaction.blob_versioned_hashes() else {
            return Ok(());
        };
        if self.blob_price > transaction.max_fee_per_blob_gas().unwrap_or(0) {
            return Err(Refusal::FeeTooLow);
        }
        let known = |blob: &B256| blob[0] == eip4844::VERSIONED_HASH_VERSION_KZG;
        if blobs.is_empty() || !blobs.iter().all(known) {
            return Err(Refusal::Malformed);
        }
        Ok(())
    }
}

/// Checks a valid transaction against its sender's account. `delegated` tells whether the sender's
/// code, if any, is a delegation (EIP-7702).
pub(super) fn check_sender(
    transaction: &TxEnvelope,
    validated: &Validated,
    account: &Account,
    delegated: bool,
) -> Result<(), Refusal> {
    if account.has_code() && !delegated {
        return Err(Refusal::SenderHasCode);
    }
    let nonce = transaction.nonce();
    if nonce > account.nonce {
        return Err(Refusal::NonceTooHigh);
    }
    if nonce < account.nonce {
        return Err(Refusal::NonceTooLow);
    }
    if validated.needed > account.balance {
        return Err(Refusal::InsufficientBalance);
    }
    Ok(())
}

/// The recipient of a plain transfer: a call without input and access list. Whether it is only a
/// transfer depends on the recipient's code.
pub(super) fn transfer_recipient(transaction: &TxEnvelope) -> Option<Address> {
    let plain = transaction.input().is_empty()
        && transaction.access_list().is_none_or(|list| list.is_empty())
        && transaction.blob_versioned_hashes().is_none()
        && transaction.authorization_list().is_none();
    if plain { transaction.to() } else { None }
}

fn intrinsic_gas_with(transaction: &TxEnvelope, params: &GasParams) -> IntrinsicGas {
    let (accounts, slots) = transaction.access_list().map_or((0, 0), |list| {
        (list.len() as u64, list.iter().map(|item| item.storage_keys.len() as u64).sum())
    });
    let authorizations = transaction.authorization_list().map_or(0, |list| list.len() as u64);
    let gas = params.initial_tx_gas(
        transaction.input(),
        transaction.is_create(),
        accounts,
        slots,
        authorizations,
        None,
    );
    IntrinsicGas { initial: Gas(gas.initial_total_gas()), floor: Gas(gas.floor_gas()) }
}

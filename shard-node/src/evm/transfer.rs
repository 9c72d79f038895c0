//! Plain transfers without the EVM.
//!
//! Two accounts without code, no input, no access list: the EVM would do nothing but move value.
//! Doing that natively is an order of magnitude faster and must equal revm bit for bit, which
//! `tests/equals_revm.rs` checks against revm itself.

use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_primitives::Address;
use state::Account;

use super::executor::BlockExecutor;
use super::result::ExecutionResult;
use super::validation::{Validated, transfer_recipient};

impl BlockExecutor<'_> {
    /// Executes a valid transaction natively if it is a plain transfer between local accounts.
    pub(super) fn plain_transfer(
        &mut self,
        envelope: &TxEnvelope,
        sender: Address,
        account: &Account,
        validated: &Validated,
    ) -> Option<ExecutionResult> {
        if !self.limits.has_plain_transfers() || account.has_code() {
            return None;
        }
        let recipient = transfer_recipient(envelope)?;
        if !self.is_local(&recipient) || is_low(&recipient) {
            return None;
        }
        let value = envelope.value();
        let gas_used = validated.intrinsic.least();
        let (fee_burnt, tip) = self.split_fee(gas_used, validated.gas_price);
        let database = self.evm.database_mut();

        let after = Account {
            nonce: account.nonce + 1,
            // Validation has seen a balance that covers the highest fee and the value.
            balance: account.balance - value - fee_burnt - tip,
            ..*account
        };
        if recipient == sender {
            database.put(sender, Account { balance: after.balance + value, ..after });
        } else {
            let target = database.account(&recipient);
            if target.has_code() {
                return None;
            }
            let balance = target.balance.checked_add(value)?;
            database.put(sender, after);
            database.put(recipient, Account { balance, ..target });
        }
        database.credit(self.beneficiary, tip);
        Some(ExecutionResult::success(gas_used, fee_burnt, tip))
    }
}

/// Whether an address is in the range of precompiles, present and future.
fn is_low(address: &Address) -> bool {
    address.as_slice()[..18].iter().all(|byte| *byte == 0)
}

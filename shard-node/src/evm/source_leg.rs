//! The first leg of a transaction whose recipient lives on another shard (R-EXE-3).

use alloy_consensus::Transaction as _;
use alloy_primitives::U256;
use cross_shard_msg::{Call, Gas, Recovered};
use revm::primitives::TxKind;

use super::executor::BlockExecutor;
use super::refusal::NotExecuted;
use super::result::ExecutionResult;
use super::validation::check_sender;

/// What a transaction did at its sender's shard, and what goes on to its recipient's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLeg {
    /// The payment for the intrinsic gas. It always succeeds.
    pub result: ExecutionResult,
    /// The call to release. What it carries, `value + gas · gas_price`, was taken from the sender.
    pub call: Call,
}

impl BlockExecutor<'_> {
    /// Executes the source's part of a transaction whose recipient lives elsewhere: charges the
    /// intrinsic gas (from Prague on at least EIP-7623's floor), advances the nonce, and takes
    /// value and remaining gas along.
    ///
    /// # Errors
    /// When the transaction cannot be in this block: for the same reasons as in
    /// [`execute_transaction`](Self::execute_transaction), and when it creates a contract. The
    /// state is as before.
    pub fn source_leg(&mut self, transaction: &Recovered) -> Result<SourceLeg, NotExecuted> {
        let envelope = transaction.transaction().envelope();
        let sender = transaction.sender();
        let validated = self.limits.check(envelope)?;
        self.check_sender_is_here(transaction)?;
        let TxKind::Call(to) = envelope.kind() else {
            return Err(NotExecuted::Internal("a creation has no recipient elsewhere".to_owned()));
        };
        let account = self.evm.database().account(&sender);
        let delegated = account.has_code() && self.is_delegated(&account)?;
        check_sender(envelope, &validated, &account, delegated)?;
        let gas_used = validated.intrinsic.least();
        self.check_room(gas_used)?;

        let gas = Gas(envelope.gas_limit()).minus(gas_used);
        let gas_price = U256::from(validated.gas_price);
        let (base_fee, tip) = self.split_fee(gas_used, validated.gas_price);
        let fee_burnt = base_fee + validated.blob_fee;
        let database = self.evm.database_mut();
        let mut account = account;
        account.nonce += 1;
        // Validation has seen a balance that covers the highest fee and the value.
        account.balance -= fee_burnt + tip + gas.cost(gas_price) + envelope.value();
        database.put(sender, account);
        database.credit(self.beneficiary, tip);
        self.use_gas(gas_used);
        Ok(SourceLeg {
            result: ExecutionResult::success(gas_used, fee_burnt, tip),
            call: Call {
                from: sender,
                to,
                value: envelope.value(),
                gas,
                gas_price,
                input: envelope.input().clone(),
                refund_to: sender,
            },
        })
    }
}

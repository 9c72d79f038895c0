//! A user's transaction whose recipient lives here, or that creates a contract (R-EXE-1, R-EXE-2).

use alloy_consensus::{Transaction as _, TxEnvelope, Typed2718 as _};
use alloy_primitives::{Address, Log, U256};
use cross_shard_msg::{Failure, Gas, Recovered};
use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult as EvmResult, HaltReason, Output};
use revm::handler::Handler as _;
use revm::state::EvmState;

use super::database::DatabaseError;
use super::executor::BlockExecutor;
use super::handler::TransactionHandler;
use super::outbox::{self, OUTBOX};
use super::refusal::{NotExecuted, refusal};
use super::result::ExecutionResult;
use super::validation::{Validated, check_sender};

impl BlockExecutor<'_> {
    /// Executes a transaction here, from its validation to the commit of its effects.
    ///
    /// Opening an account of another shard makes it fail, whatever it has done before: it is
    /// included with the reason [`Failure::RemoteAccount`] and charged its whole gas limit. A
    /// recipient that lives elsewhere is such an account; use
    /// [`source_leg`](Self::source_leg) for it.
    ///
    /// # Errors
    /// When the transaction cannot be in this block. The state is as before.
    pub fn execute_transaction(
        &mut self,
        transaction: &Recovered,
    ) -> Result<ExecutionResult, NotExecuted> {
        let envelope = transaction.transaction().envelope();
        let sender = transaction.sender();
        let validated = self.limits.check(envelope)?;
        self.check_sender_is_here(transaction)?;
        let gas_limit = Gas(envelope.gas_limit());
        let account = self.evm.database().account(&sender);
        let delegated = account.has_code() && self.is_delegated(&account)?;
        check_sender(envelope, &validated, &account, delegated)?;
        self.check_room(gas_limit)?;

        let result = match self.plain_transfer(envelope, sender, &account, &validated) {
            Some(result) => result,
            None => self.run_transaction(envelope, sender, &validated)?,
        };
        self.use_gas(result.gas_used);
        Ok(result)
    }

    fn run_transaction(
        &mut self,
        envelope: &TxEnvelope,
        sender: Address,
        validated: &Validated,
    ) -> Result<ExecutionResult, NotExecuted> {
        self.evm.set_transaction(transaction_environment(envelope, sender));
        let mut handler = TransactionHandler::default();
        let outcome = handler.run(&mut self.evm);
        let changes = self.evm.finalize();
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(EVMError::Database(DatabaseError::Remote(remote))) => {
                return Ok(self.charge_remote_account(envelope, sender, validated, remote));
            }
            Err(EVMError::Database(DatabaseError::InFlight(account))) => {
                return Err(NotExecuted::InFlight(account));
            }
            Err(EVMError::Transaction(invalid)) => {
                return Err(refusal(&invalid).map_or_else(
                    || NotExecuted::Internal(invalid.to_string()),
                    NotExecuted::Refused,
                ));
            }
            Err(error) => return Err(NotExecuted::Internal(error.to_string())),
        };
        if let Some(remote) = self.evm.database().foreign_write(&changes) {
            return Ok(self.charge_remote_account(envelope, sender, validated, remote));
        }
        let gas_used = Gas(outcome.tx_gas_used());
        let (base_fee, tip) = self.split_fee(gas_used, validated.gas_price);
        let base = ExecutionResult {
            opened: self.opened(&changes),
            ..ExecutionResult::success(gas_used, base_fee + validated.blob_fee, tip)
        };
        Ok(self.commit_outcome(base, outcome, changes, handler.selfdestruct_burnt))
    }

    /// Commits what an execution changed, and completes its result from what revm reports.
    pub(super) fn commit_outcome(
        &mut self,
        base: ExecutionResult,
        outcome: EvmResult,
        changes: EvmState,
        destroyed_to_itself: U256,
    ) -> ExecutionResult {
        // Value that reached a contract after it had destroyed itself goes with it.
        let destroyed = changes.values().filter(|account| account.is_selfdestructed());
        let late = destroyed.fold(U256::ZERO, |sum, account| sum + account.info.balance);
        let placements = self.evm.database_mut().commit(changes);
        let failure = failure_of(&outcome);
        let (logs, output) = logs_and_output(outcome);
        let sends = if logs.is_empty() { Vec::new() } else { outbox::sends(&logs) };
        for send in &sends {
            self.debit_outbox(send.carried());
        }
        let (output, created) = match output {
            Output::Call(output) => (output, None),
            Output::Create(output, created) => (output, created),
        };
        ExecutionResult {
            failure,
            selfdestruct_burnt: destroyed_to_itself + late,
            output,
            logs,
            created: created.filter(|_| failure.is_none()),
            placements,
            sends,
            ..base
        }
    }

    /// What a send carries leaves this shard's accounts at emission.
    fn debit_outbox(&mut self, wei: U256) {
        let database = self.evm.database_mut();
        let mut account = database.account(&OUTBOX);
        assert!(account.balance >= wei, "Outbox emitted a send without having been paid for it");
        account.balance -= wei;
        database.put(OUTBOX, account);
    }

    /// All that remains of a transaction that opened an account of another shard: its nonce and
    /// the price of its whole gas limit.
    fn charge_remote_account(
        &mut self,
        envelope: &TxEnvelope,
        sender: Address,
        validated: &Validated,
        remote: Address,
    ) -> ExecutionResult {
        let gas = Gas(envelope.gas_limit());
        let (base_fee, tip) = self.split_fee(gas, validated.gas_price);
        let fee_burnt = base_fee + validated.blob_fee;
        let database = self.evm.database_mut();
        let mut account = database.account(&sender);
        account.nonce += 1;
        // Validation has seen a balance that covers the highest fee.
        account.balance -= fee_burnt + tip;
        database.put(sender, account);
        database.credit(self.beneficiary, tip);
        ExecutionResult::remote_account(remote, gas, fee_burnt, tip)
    }
}

/// A transaction as revm takes it.
pub(super) fn transaction_environment(envelope: &TxEnvelope, sender: Address) -> TxEnv {
    TxEnv {
        tx_type: envelope.ty(),
        caller: sender,
        gas_limit: envelope.gas_limit(),
        gas_price: envelope.max_fee_per_gas(),
        kind: envelope.kind(),
        value: envelope.value(),
        data: envelope.input().clone(),
        nonce: envelope.nonce(),
        chain_id: envelope.chain_id(),
        access_list: envelope.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: envelope.max_priority_fee_per_gas(),
        blob_hashes: envelope.blob_versioned_hashes().unwrap_or_default().to_vec(),
        max_fee_per_blob_gas: envelope.max_fee_per_blob_gas().unwrap_or_default(),
        authorization_list: Vec::new(),
    }
}

/// Why revm says that an execution failed.
fn failure_of(outcome: &EvmResult) -> Option<Failure> {
    match outcome {
        EvmResult::Success { .. } => None,
        EvmResult::Revert { .. } => Some(Failure::Revert),
        EvmResult::Halt { reason: HaltReason::CreateCollision, .. } => Some(Failure::Collision),
        EvmResult::Halt { .. } => Some(Failure::Halt),
    }
}

fn logs_and_output(outcome: EvmResult) -> (Vec<Log>, Output) {
    match outcome {
        EvmResult::Success { logs, output, .. } => (logs, output),
        EvmResult::Revert { output, .. } => (Vec::new(), Output::Call(output)),
        EvmResult::Halt { .. } => (Vec::new(), Output::Call(Default::default())),
    }
}

//! A call that arrived from another shard (R-EXE-4 to R-EXE-7).

use alloy_primitives::{TxKind, U256};
use cross_shard_msg::{Call, Gas, Wei};
use revm::context::TxEnv;
use revm::context::result::EVMError;

use super::database::DatabaseError;
use super::executor::BlockExecutor;
use super::handler::CallHandler;
use super::refusal::NotExecuted;
use super::result::ExecutionResult;

/// What an incoming call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutcome {
    /// The execution, fees included.
    pub result: ExecutionResult,
    /// Wei to send home to the call's `refund_to`: unused gas and, after a failure, the value.
    /// Zero: there is nothing to send. It is on no account of this shard any more.
    pub refund: Wei,
}

impl BlockExecutor<'_> {
    /// Executes an incoming call with `msg.sender = from`. Value and gas came with the receipt:
    /// nobody here is debited for them.
    ///
    /// `from` is a phantom. It is opened only if the call itself names it, and that fails like
    /// opening any other account of another shard. The caller of this method has made sure that
    /// `to` lives here.
    ///
    /// All gas used is burnt at min(gas price, base fee); what the sender paid above that is the
    /// tip. A price below the base fee is no reason to refuse.
    ///
    /// # Errors
    /// [`NotExecuted::BlockFull`], [`NotExecuted::InFlight`], or [`NotExecuted::Internal`] when the
    /// state is inconsistent. The state is as before, and the call is still to be executed.
    pub fn execute_call(&mut self, call: &Call) -> Result<CallOutcome, NotExecuted> {
        self.check_room(call.gas)?;
        self.evm.set_transaction(TxEnv {
            caller: call.from,
            gas_limit: call.gas.0,
            gas_price: u128::try_from(call.gas_price).unwrap_or(u128::MAX),
            kind: TxKind::Call(call.to),
            value: call.value,
            data: call.input.clone(),
            ..TxEnv::default()
        });
        let mut handler = CallHandler::default();
        let outcome = handler.run_call(&mut self.evm);
        let changes = self.evm.finalize();
        let remote = match &outcome {
            Ok(_) => self.evm.database().foreign_write(&changes),
            Err(EVMError::Database(DatabaseError::Remote(remote))) => Some(*remote),
            Err(EVMError::Database(DatabaseError::InFlight(account))) => {
                return Err(NotExecuted::InFlight(*account));
            }
            Err(error) => return Err(NotExecuted::Internal(error.to_string())),
        };
        let result = match (outcome, remote) {
            (Ok(outcome), None) => {
                let gas_used = Gas(outcome.tx_gas_used());
                let (fee_burnt, tip) = self.split_call_fee(gas_used, call.gas_price);
                let base = ExecutionResult {
                    opened: self.opened(&changes),
                    ..ExecutionResult::success(gas_used, fee_burnt, tip)
                };
                // A failed call has no effect at all: its value goes home.
                let changes = if outcome.is_success() { changes } else { Default::default() };
                self.commit_outcome(base, outcome, changes, handler.selfdestruct_burnt)
            }
            (_, remote) => {
                let (fee_burnt, tip) = self.split_call_fee(call.gas, call.gas_price);
                let remote = remote.unwrap_or(call.to);
                ExecutionResult::remote_account(remote, call.gas, fee_burnt, tip)
            }
        };
        self.evm.database_mut().credit(self.beneficiary, result.tip);
        self.use_gas(result.gas_used);
        let unused = call.gas.minus(result.gas_used).cost(call.gas_price);
        let returned = if result.is_success() { Wei::ZERO } else { call.value };
        Ok(CallOutcome { refund: unused.saturating_add(returned), result })
    }

    /// Like [`split_fee`](Self::split_fee), for a price that another shard's block set.
    fn split_call_fee(&self, gas: Gas, gas_price: U256) -> (Wei, Wei) {
        match u128::try_from(gas_price) {
            Ok(price) => self.split_fee(gas, price),
            Err(_) => {
                let burnt = self.limits.burnt_price(u128::MAX);
                let burnt = gas.cost(U256::from(burnt));
                (burnt, gas.cost(gas_price).saturating_sub(burnt))
            }
        }
    }
}

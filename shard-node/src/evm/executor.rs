//! One shard's executor: what lives from block to block, and the block that is being executed.

use alloy_primitives::{Address, Bytes, U256};
use cross_shard_msg::{Gas, Recovered, Wei};
use revm::context::TxEnv;
use revm::handler::{Handler as _, SystemCallTx as _};
use revm::state::EvmState;
use state::ShardState;

use super::database::{AnalysedCode, Arrived, ShardDatabase};
use super::environment::{BlockEnvironment, ChainRules};
use super::handler::{ShardEvm, TransactionHandler};
use super::locality::Locality;
use super::refusal::NotExecuted;
use super::validation::Limits;

/// What an executor keeps between blocks: the chain's rules, and contract code analysed for the
/// interpreter.
#[derive(Debug)]
pub struct Executor {
    rules: ChainRules,
    code: AnalysedCode,
}

impl Executor {
    /// An executor for a chain with these rules.
    #[must_use]
    pub fn new(rules: ChainRules) -> Self {
        Self { rules, code: AnalysedCode::default() }
    }

    /// The chain's rules.
    #[must_use]
    pub fn rules(&self) -> &ChainRules {
        &self.rules
    }

    /// Begins a block on `state`. All transactions and calls of the block run in one EVM; each
    /// commits into `state` when it ends.
    pub fn block<'a>(
        &'a mut self,
        state: &'a mut ShardState,
        locality: &'a dyn Locality,
        environment: &BlockEnvironment,
    ) -> BlockExecutor<'a> {
        let database = ShardDatabase::new(state, &mut self.code, locality, environment);
        let block = environment.block_env(&self.rules);
        BlockExecutor {
            limits: Limits::new(&self.rules, environment),
            evm: ShardEvm::new(database, block, self.rules.cfg_env()),
            beneficiary: environment.beneficiary,
            gas_left: environment.gas_limit,
            gas_used: Gas::ZERO,
            reports_accesses: false,
        }
    }
}

/// A block in execution. Its methods execute; each leaves the state consistent, also when it
/// refuses.
pub struct BlockExecutor<'a> {
    pub(super) evm: ShardEvm<'a>,
    pub(super) limits: Limits,
    pub(super) beneficiary: Address,
    gas_left: Gas,
    gas_used: Gas,
    reports_accesses: bool,
}

impl BlockExecutor<'_> {
    /// The state as of the last execution.
    #[must_use]
    pub fn state(&self) -> &ShardState {
        self.evm.database().state
    }

    /// The state, for changes that are no execution: migrations, protocol records.
    pub fn state_mut(&mut self) -> &mut ShardState {
        self.evm.database_mut().state
    }

    /// Gas that transactions and calls have used so far.
    #[must_use]
    pub fn gas_used(&self) -> Gas {
        self.gas_used
    }

    /// Gas that is left to transactions and calls.
    #[must_use]
    pub fn gas_left(&self) -> Gas {
        self.gas_left
    }

    /// Whether the account may be opened here: by the block's locality, or because this block
    /// created it.
    #[must_use]
    pub fn is_local(&self, address: &Address) -> bool {
        self.evm.database().is_local(address)
    }

    /// Adds to a balance: refunds, withdrawals, migrated balances. It cannot fail. Where the value
    /// comes from is the caller's to account for.
    pub fn credit(&mut self, address: Address, wei: Wei) {
        self.evm.database_mut().credit(address, wei);
    }

    /// An account that has moved here is live from now on, also to the executions that follow in this
    /// block.
    pub fn install(&mut self, address: Address, arrived: Arrived) {
        self.evm.database_mut().install(address, arrived);
    }

    /// Lists in results which accounts executions opened.
    pub fn report_accesses(&mut self) {
        self.reports_accesses = true;
    }

    /// Calls a system contract as the protocol does (EIP-4788, EIP-2935): for free, with an own
    /// gas limit, without effect where the contract is not deployed.
    ///
    /// # Errors
    /// [`NotExecuted::Internal`] when the state is inconsistent.
    pub fn system_call(&mut self, contract: Address, input: Bytes) -> Result<(), NotExecuted> {
        self.evm.set_transaction(TxEnv::new_system_tx(contract, input));
        let outcome = TransactionHandler::default().run_system_call(&mut self.evm);
        let changes = self.evm.finalize();
        outcome.map_err(|error| NotExecuted::Internal(error.to_string()))?;
        self.evm.database_mut().commit(changes);
        Ok(())
    }

    /// The accounts that an execution opened, ascending, if somebody wants to know.
    pub(super) fn opened(&self, changes: &EvmState) -> Vec<Address> {
        if !self.reports_accesses {
            return Vec::new();
        }
        let mut opened: Vec<Address> = changes.keys().copied().collect();
        opened.sort_unstable();
        opened
    }

    /// Refuses a gas limit above what the block has left.
    pub(super) fn check_room(&self, gas: Gas) -> Result<(), NotExecuted> {
        if gas > self.gas_left { Err(NotExecuted::BlockFull(self.gas_left)) } else { Ok(()) }
    }

    pub(super) fn use_gas(&mut self, gas: Gas) {
        self.gas_used = self.gas_used.plus(gas);
        self.gas_left = self.gas_left.minus(gas);
    }

    /// Divides the price of `gas` into what is burnt and what the beneficiary gets.
    pub(super) fn split_fee(&self, gas: Gas, gas_price: u128) -> (Wei, Wei) {
        let burnt_price = self.limits.burnt_price(gas_price);
        let burnt = gas.cost(U256::from(burnt_price));
        let tip = gas.cost(U256::from(gas_price.saturating_sub(burnt_price)));
        (burnt, tip)
    }

    /// Whether the account's code is a delegation (EIP-7702).
    pub(super) fn is_delegated(&mut self, account: &state::Account) -> Result<bool, NotExecuted> {
        let code = self.evm.database_mut().analysed(account.code_hash);
        code.map(|code| code.is_eip7702()).map_err(|error| NotExecuted::Internal(error.to_string()))
    }

    pub(super) fn check_sender_is_here(&self, transaction: &Recovered) -> Result<(), NotExecuted> {
        if self.is_local(&transaction.sender()) {
            Ok(())
        } else {
            // One that is in flight has nothing in the mempool.
            Err(NotExecuted::Refused(cross_shard_msg::Refusal::Moved))
        }
    }
}

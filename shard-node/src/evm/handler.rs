//! revm with Shardlab's differences: contracts are created here whatever their base home is, calls
//! may come from a phantom, and what SELFDESTRUCT burns is counted.

use std::marker::PhantomData;

use alloy_primitives::{TxKind, U256};
use revm::JournalEntry;
use revm::context::journaled_state::account::JournaledAccountTr as _;
use revm::context::result::{EVMError, ExecutionResult, HaltReason, ResultGas};
use revm::context::{BlockEnv, Cfg as _, CfgEnv, Context, ContextTr as _, FrameStack, TxEnv};
use revm::context::{JournalTr as _, LocalContextTr as _};
use revm::context_interface::context::take_error;
use revm::handler::evm::{ContextDbError, FrameInitResult};
use revm::handler::instructions::EthInstructions;
use revm::handler::{
    EthFrame, EthPrecompiles, EvmTr, FrameInitOrResult, FrameResult, Handler, MainBuilder as _,
    MainnetContext, MainnetEvm, post_execution,
};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_action::FrameInit;
use revm::interpreter::{
    CallInput, CallInputs, CallScheme, CallValue, FrameInput, GasTracker, InitialAndFloorGas,
    SharedMemory,
};

use super::database::{DatabaseError, ShardDatabase};

/// The context in which a shard's transactions run.
pub(super) type ShardContext<'a> = MainnetContext<ShardDatabase<'a>>;

/// revm's error with ours inside.
pub(super) type ShardError = EVMError<DatabaseError>;

type Instructions<'a> = EthInstructions<EthInterpreter, ShardContext<'a>>;

/// revm over a shard's state.
pub(super) struct ShardEvm<'a>(MainnetEvm<ShardContext<'a>>);

impl<'a> ShardEvm<'a> {
    pub(super) fn new(database: ShardDatabase<'a>, block: BlockEnv, cfg: CfgEnv) -> Self {
        let mut context: ShardContext<'a> = Context::new(database, cfg.spec);
        context.cfg = cfg;
        context.block = block;
        Self(context.build_mainnet())
    }

    pub(super) fn database(&self) -> &ShardDatabase<'a> {
        &self.0.ctx.journaled_state.database
    }

    pub(super) fn database_mut(&mut self) -> &mut ShardDatabase<'a> {
        &mut self.0.ctx.journaled_state.database
    }

    pub(super) fn set_transaction(&mut self, transaction: TxEnv) {
        self.database_mut().set_creating(None);
        self.0.ctx.tx = transaction;
    }

    /// Takes what the last execution changed, and leaves the journal empty.
    pub(super) fn finalize(&mut self) -> revm::state::EvmState {
        self.0.ctx.journaled_state.finalize()
    }

    /// While revm sets up the frame of a creation, the database answers its address as new.
    fn announce_creation(&mut self, input: &FrameInput) {
        if let FrameInput::Create(inputs) = input {
            let journal = &mut self.0.ctx.journaled_state;
            let caller = journal.inner.state.get(&inputs.caller());
            let address = caller.map(|caller| inputs.created_address(caller.info.nonce));
            journal.database.set_creating(address);
        }
    }
}

impl<'a> EvmTr for ShardEvm<'a> {
    type Context = ShardContext<'a>;
    type Instructions = Instructions<'a>;
    type Precompiles = EthPrecompiles;
    type Frame = EthFrame<EthInterpreter>;

    fn all(
        &self,
    ) -> (&Self::Context, &Self::Instructions, &Self::Precompiles, &FrameStack<Self::Frame>) {
        self.0.all()
    }

    fn all_mut(
        &mut self,
    ) -> (
        &mut Self::Context,
        &mut Self::Instructions,
        &mut Self::Precompiles,
        &mut FrameStack<Self::Frame>,
    ) {
        self.0.all_mut()
    }

    fn frame_init(
        &mut self,
        frame_init: FrameInit,
    ) -> Result<FrameInitResult<'_, Self::Frame>, ContextDbError<Self::Context>> {
        self.announce_creation(&frame_init.frame_input);
        self.0.frame_init(frame_init)
    }

    // The first moment after a creation's frame is set up, or has failed to be.
    fn frame_run(
        &mut self,
    ) -> Result<FrameInitOrResult<Self::Frame>, ContextDbError<Self::Context>> {
        self.0.ctx.journaled_state.database.set_creating(None);
        self.0.frame_run()
    }

    fn frame_return_result(
        &mut self,
        result: FrameResult,
    ) -> Result<Option<FrameResult>, ContextDbError<Self::Context>> {
        self.0.frame_return_result(result)
    }
}

/// Runs a user's transaction, validation and fees included, or a system call.
#[derive(Debug, Default)]
pub(super) struct TransactionHandler<'a> {
    /// Wei burnt by contracts that named themselves as heirs.
    pub selfdestruct_burnt: U256,
    evm: PhantomData<ShardEvm<'a>>,
}

impl<'a> Handler for TransactionHandler<'a> {
    type Evm = ShardEvm<'a>;
    type Error = ShardError;
    type HaltReason = HaltReason;

    fn execution_result(
        &mut self,
        evm: &mut Self::Evm,
        result: FrameResult,
        gas: ResultGas,
    ) -> Result<ExecutionResult, ShardError> {
        self.selfdestruct_burnt = selfdestruct_burnt(evm);
        finish(evm, result, gas)
    }
}

/// Runs a call whose sender is a phantom and has paid elsewhere: no validation, no fees, and the
/// value appears instead of being transferred.
#[derive(Debug, Default)]
pub(super) struct CallHandler<'a> {
    /// Wei burnt by contracts that named themselves as heirs.
    pub selfdestruct_burnt: U256,
    evm: PhantomData<ShardEvm<'a>>,
}

impl CallHandler<'_> {
    /// Runs the call that is set as the transaction, with all of its gas limit.
    pub(super) fn run_call(
        &mut self,
        evm: &mut <Self as Handler>::Evm,
    ) -> Result<ExecutionResult, ShardError> {
        self.try_call(evm).or_else(|error| self.catch_error(evm, error))
    }

    fn try_call(
        &mut self,
        evm: &mut <Self as Handler>::Evm,
    ) -> Result<ExecutionResult, ShardError> {
        let nothing_charged = InitialAndFloorGas::new(0, 0);
        let mut gas = self.tx_gas(evm, &nothing_charged);
        self.load_accounts(evm)?;
        let checkpoint = evm.ctx().journal_mut().checkpoint();
        let result = self.execution(evm, checkpoint, &mut gas)?;
        let mut result = match result {
            Some(result) => result,
            None => self.runtime_oog_result(evm, &nothing_charged, &mut gas)?,
        };
        self.refund(evm, &mut result, 0)?;
        let gas = post_execution::build_result_gas(
            result.instruction_result().is_halt(),
            result.gas(),
            nothing_charged,
        );
        self.execution_result(evm, result, gas)
    }
}

impl<'a> Handler for CallHandler<'a> {
    type Evm = ShardEvm<'a>;
    type Error = ShardError;
    type HaltReason = HaltReason;

    fn first_frame_input(
        &mut self,
        evm: &mut Self::Evm,
        gas: &mut GasTracker,
    ) -> Result<Option<FrameInit>, ShardError> {
        let context = evm.ctx();
        let mut memory =
            SharedMemory::new_with_buffer(context.local().shared_memory_buffer().clone());
        memory.set_memory_limit(context.cfg().memory_limit());
        let TxKind::Call(to) = context.tx.kind else {
            return Ok(None);
        };
        let journal = &mut context.journaled_state;
        // Also touches the account, as a transfer of nothing does.
        journal.load_account_mut(to)?.data.incr_balance(context.tx.value);
        let account = &journal.load_account_with_code(to)?.data.info;
        let mut code = (account.code_hash(), account.code.clone().unwrap_or_default());
        if let Some(delegate) = code.1.eip7702_address() {
            let account = &journal.load_account_with_code(delegate)?.data.info;
            code = (account.code_hash(), account.code.clone().unwrap_or_default());
        }
        let inputs = CallInputs {
            input: CallInput::Bytes(context.tx.data.clone()),
            gas_limit: gas.remaining(),
            target_address: to,
            bytecode_address: to,
            known_bytecode: code,
            caller: context.tx.caller,
            value: CallValue::Apparent(context.tx.value),
            scheme: CallScheme::Call,
            is_static: false,
            return_memory_offset: 0..0,
            reservoir: gas.reservoir(),
            charged_new_account_state_gas: false,
        };
        Ok(Some(FrameInit { depth: 0, memory, frame_input: FrameInput::Call(Box::new(inputs)) }))
    }

    fn execution_result(
        &mut self,
        evm: &mut Self::Evm,
        result: FrameResult,
        gas: ResultGas,
    ) -> Result<ExecutionResult, ShardError> {
        self.selfdestruct_burnt = selfdestruct_burnt(evm);
        finish(evm, result, gas)
    }
}

/// What revm does at the end of [`Handler::execution_result`].
fn finish(
    evm: &mut ShardEvm<'_>,
    result: FrameResult,
    gas: ResultGas,
) -> Result<ExecutionResult, ShardError> {
    take_error::<ShardError, _>(evm.ctx().error())?;
    let result = post_execution::output(evm.ctx(), result, gas);
    evm.ctx().journal_mut().commit_tx();
    evm.ctx().local_mut().clear();
    evm.frame_stack().clear();
    Ok(result)
}

/// Wei that destroyed contracts held when they named themselves as heirs. What they receive
/// afterwards is burnt too; that is seen when the state is committed.
fn selfdestruct_burnt(evm: &ShardEvm<'_>) -> U256 {
    let journal = &evm.0.ctx.journaled_state.inner;
    if journal.selfdestructed_addresses.is_empty() {
        return U256::ZERO;
    }
    let burnt = journal.journal.iter().map(|entry| match entry {
        JournalEntry::AccountDestroyed { had_balance, address, target, .. }
            if address == target =>
        {
            *had_balance
        }
        _ => U256::ZERO,
    });
    burnt.fold(U256::ZERO, U256::saturating_add)
}

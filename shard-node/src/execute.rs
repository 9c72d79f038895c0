//! Executes a block's legs and books what they cause (rules R-EXE-1 to R-EXE-9, R-BLK-3).

use alloy_primitives::{Address, B256};
use cross_shard_msg::{
    Action, Call, Cause, Failure, Gas, Height, Leg, LegStatus, Receipt, Recovered, ShardId,
    Transaction, Wei, Work,
};
use partitioning::Home;

use crate::delayed::{Delayed, Entered};
use crate::evm::{BlockExecutor, BlockResults, CallOutcome, ExecutionResult, NotExecuted};
use crate::ledger::Books;
use crate::locale::Locale;
use crate::outgoing::OutgoingQueues;

/// Gas of a leg that is charged as a plain transfer.
const TRANSFER_GAS: Gas = Gas(21_000);

/// The execution of one block.
pub(crate) struct Legs<'a> {
    pub evm: BlockExecutor<'a>,
    pub locale: &'a Locale,
    pub height: Height,
    pub books: &'a mut Books,
    pub outgoing: &'a mut OutgoingQueues,
    pub delayed: &'a mut Delayed,
    pub done: Done,
}

/// What the legs of a block came to.
#[derive(Default)]
pub(crate) struct Done {
    pub legs: Vec<Leg>,
    pub results: BlockResults,
    pub placements: Vec<Address>,
    pub transactions: Vec<(Transaction, Address)>,
    pub work: Work,
}

impl Legs<'_> {
    /// Whether a transaction must wait because the buffer for its recipient's shard is full.
    pub(crate) fn is_held_back(&self, transaction: &Recovered) -> bool {
        let Some(to) = transaction.transaction().recipient() else { return false };
        self.elsewhere(&to).is_some_and(|home| self.outgoing.is_full(home))
    }

    /// Executes a transaction: all of it, or its first leg if its recipient lives elsewhere.
    ///
    /// # Errors
    /// When it cannot be in this block. Nothing has changed then.
    pub(crate) fn transaction(&mut self, recovered: &Recovered) -> Result<(), NotExecuted> {
        let transaction = recovered.transaction();
        let remote = transaction.recipient().is_some_and(|to| self.elsewhere(&to).is_some());
        let (result, call) = if remote {
            let leg = self.evm.source_leg(recovered)?;
            (leg.result, Some(leg.call))
        } else {
            (self.evm.execute_transaction(recovered)?, None)
        };
        let kind = alloy_consensus::Typed2718::ty(transaction.envelope());
        self.done.results.push_transaction(kind, &result);
        self.charge(&result, remote);
        let origin = transaction.hash();
        let mut caused = self.effects(origin, &result);
        if let Some(call) = call {
            self.cause(origin, Action::Call(call));
            caused += 1;
        }
        self.done.legs.push(Leg {
            key: transaction.key(),
            cause: Cause::Transaction(self.done.transactions.len() as u32),
            status: status(result.failure),
            gas_used: result.gas_used,
            caused,
            created: result.placements.len() as u32,
        });
        self.done.transactions.push((transaction.clone(), recovered.sender()));
        self.done.placements.extend(result.placements);
        Ok(())
    }

    /// Executes a receipt that entered state, or forwards it if its account lives elsewhere.
    ///
    /// # Errors
    /// The receipt itself, when its gas does not fit into what is left of the block.
    #[allow(clippy::result_large_err)] // the receipt goes back into its queue
    pub(crate) fn receipt(&mut self, entered: Entered) -> Result<(), Entered> {
        if let Some(home) = self.elsewhere(&entered.receipt.account()) {
            self.forward(home, entered);
            return Ok(());
        }
        if entered.receipt.gas() > self.evm.gas_left() {
            return Err(entered);
        }
        let receipt = &entered.receipt;
        self.books.taken(receipt.value());
        match &receipt.action {
            Action::Call(call) => self.call(&entered, call),
            Action::Refund { to: account, value }
            | Action::Handover { address: account, balance: value } => {
                self.evm.credit(*account, *value);
                self.done.results.push_without_execution();
                self.push_leg(&entered, LegStatus::Succeeded, Gas::ZERO, 0, 0);
            }
            Action::Migrate(part) => {
                self.evm.credit(part.account, part.balance);
                self.done.results.push_without_execution();
                self.push_leg(&entered, LegStatus::Succeeded, Gas::ZERO, 0, 0);
            }
        }
        Ok(())
    }

    fn call(&mut self, entered: &Entered, call: &Call) {
        let origin = entered.receipt.origin;
        let CallOutcome { result, refund } = match self.evm.execute_call(call) {
            Ok(outcome) => outcome,
            Err(error) => refused_call(&entered.receipt, &error),
        };
        self.done.results.push_call(&result);
        self.charge(&result, false);
        let mut caused = self.effects(origin, &result);
        if !refund.is_zero() {
            if self.elsewhere(&call.refund_to).is_some() {
                self.cause(origin, Action::Refund { to: call.refund_to, value: refund });
                caused += 1;
                #[cfg(feature = "planted-bugs")]
                if consensus::quorum::planted::is(consensus::quorum::planted::Bug::RefundTwice) {
                    self.cause(origin, Action::Refund { to: call.refund_to, value: refund });
                    caused += 1;
                }
            } else {
                self.evm.credit(call.refund_to, refund);
            }
        }
        let created = result.placements.len() as u32;
        self.push_leg(entered, status(result.failure), result.gas_used, caused, created);
        self.done.placements.extend(result.placements);
    }

    /// Rule R-EXE-9: consumed once, caused once, unchanged. Its value stays in the queues.
    fn forward(&mut self, home: ShardId, entered: Entered) {
        self.done.results.push_without_execution();
        self.push_leg(&entered, LegStatus::Forwarded, Gas::ZERO, 1, 0);
        self.outgoing.push(home, entered.receipt);
    }

    /// Books what left circulation, and causes what contracts sent. Returns how many receipts.
    fn effects(&mut self, origin: B256, result: &ExecutionResult) -> u32 {
        self.books.burnt(result.burnt());
        for send in &result.sends {
            self.cause(origin, Action::Call(send.call.clone()));
        }
        result.sends.len() as u32
    }

    /// Puts a receipt into the buffer for its account's home. What is for this shard itself waits
    /// for the next block.
    fn cause(&mut self, origin: B256, action: Action) {
        let receipt = Receipt { origin, caused: self.height, action };
        assert!(receipt.is_well_formed(), "a malformed receipt would be refused: {receipt:?}");
        self.books.queued(receipt.value());
        match self.elsewhere(&receipt.account()) {
            Some(home) => self.outgoing.push(home, receipt),
            None => self.delayed.push_local(self.locale.shard(), receipt),
        }
    }

    /// The shard where `address` lives, if it is not this one.
    fn elsewhere(&self, address: &Address) -> Option<ShardId> {
        match self.locale.home(address) {
            Home::Shard(home) if home != self.locale.shard() => {
                (!self.evm.is_local(address)).then_some(home)
            }
            _ => None,
        }
    }

    fn push_leg(
        &mut self,
        entered: &Entered,
        status: LegStatus,
        gas_used: Gas,
        caused: u32,
        created: u32,
    ) {
        let Entered { source, sequence, receipt } = entered;
        let (source, sequence, kind) = (*source, *sequence, receipt.kind());
        let cause = Cause::Receipt { source, sequence, kind };
        self.done.legs.push(Leg { key: receipt.key(), cause, status, gas_used, caused, created });
    }

    fn charge(&mut self, result: &ExecutionResult, source_leg: bool) {
        let work = &mut self.done.work;
        if source_leg || result.gas_used <= TRANSFER_GAS {
            work.transfers += 1;
        } else {
            work.gas = work.gas.plus(result.gas_used);
        }
    }
}

fn status(failure: Option<Failure>) -> LegStatus {
    failure.map_or(LegStatus::Succeeded, LegStatus::Failed)
}

/// A call that this node could not execute at all goes home whole.
fn refused_call(receipt: &Receipt, error: &NotExecuted) -> CallOutcome {
    debug_assert!(false, "a call that fits was not executed: {error}");
    let result = ExecutionResult {
        failure: Some(Failure::Halt),
        remote: None,
        gas_used: Gas::ZERO,
        fee_burnt: Wei::ZERO,
        tip: Wei::ZERO,
        selfdestruct_burnt: Wei::ZERO,
        output: Default::default(),
        logs: Vec::new(),
        created: None,
        placements: Vec::new(),
        sends: Vec::new(),
    };
    CallOutcome { result, refund: receipt.value() }
}

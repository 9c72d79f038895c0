//! Executes a block's legs and books what they cause (rules R-EXE-1 to R-EXE-9, R-BLK-3, R-RCPT-8,
//! R-EPOCH-2, R-EPOCH-6, R-EPOCH-7).

use alloy_primitives::{Address, B256};
use cross_shard_msg::{
    AccountKey, Action, Call, Cause, Event, Failure, Gas, Height, Leg, LegStatus, Migration,
    Receipt, Recovered, ShardId, Transaction, Wei, Work,
};
use partitioning::Home;

use crate::delayed::{Delayed, Entered};
use crate::evm::{BlockExecutor, BlockResults, CallOutcome, ExecutionResult, NotExecuted};
use crate::ledger::Books;
use crate::locale::Locale;
use crate::outgoing::OutgoingQueues;
use crate::parked::{Arrival, Parked, Part};
use crate::traffic::Traffic;

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
    pub parked: &'a mut Parked,
    /// A `Call` did not fit: those that enter later are delayed behind it (R-BLK-3).
    pub full: bool,
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
    /// Accounts that became live here.
    pub arrived: Vec<Address>,
    /// What the block reports to the partitioner; `None` where accounts never move.
    pub traffic: Option<Traffic>,
    pub events: Vec<Event>,
}

impl Legs<'_> {
    /// Whether a transaction must wait because its recipient is in flight (R-EPOCH-6), or because the
    /// buffer for its recipient's shard is full.
    pub(crate) fn is_held_back(&self, transaction: &Recovered) -> bool {
        let Some(to) = transaction.transaction().recipient() else { return false };
        if self.parked.contains(&to) {
            return true;
        }
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
        if self.done.traffic.is_some() {
            let callee = transaction.recipient();
            self.report([recovered.sender()].into_iter().chain(callee), None, &result);
        }
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

    /// Executes a receipt that entered state, forwards it if its account lives elsewhere, or parks it if
    /// the account is in flight (R-EXE-9, R-RCPT-8).
    ///
    /// # Errors
    /// The receipt itself, when its gas does not fit into what is left of the block.
    #[allow(clippy::result_large_err)] // the receipt goes back into its queue
    pub(crate) fn receipt(&mut self, entered: Entered) -> Result<(), Entered> {
        if let Some(home) = self.elsewhere(&entered.receipt.account()) {
            self.forward(home, entered);
            return Ok(());
        }
        if !self.parked.is_empty() {
            let account = entered.receipt.account();
            match &entered.receipt.action {
                Action::Call(_) if self.parked.contains(&account) => {
                    self.parked.park(account, entered);
                    return Ok(());
                }
                Action::Migrate(part) if self.is_awaited(part, entered.source) => {
                    self.part(entered);
                    return Ok(());
                }
                _ => {}
            }
        }
        if entered.receipt.gas() > self.evm.gas_left() {
            return Err(entered);
        }
        let receipt = &entered.receipt;
        match &receipt.action {
            Action::Call(call) => match self.evm.execute_call(call) {
                // It has had no effect, and waits as a whole.
                Err(NotExecuted::InFlight(account)) => self.parked.park(account, entered),
                outcome => self.call(&entered, call, outcome),
            },
            Action::Refund { to: account, value }
            | Action::Handover { address: account, balance: value } => {
                self.evm.credit(*account, *value);
                self.arrived(&entered);
            }
            Action::Migrate(part) => {
                self.evm.credit(part.account, part.balance);
                self.arrived(&entered);
            }
        }
        Ok(())
    }

    /// Whether this is a part of an account that is in flight here: of the account as it was when a
    /// home of it sent it off, not of value that its address had before it was placed (R-EPOCH-9).
    fn is_awaited(&self, part: &Migration, source: ShardId) -> bool {
        self.parked.contains(&part.account)
            && self.locale.allocation().was_home(&part.account, source)
            && !self.locale.was_placed_after(&part.account, part.checkpoint)
    }

    /// A part of an account that is in flight. With the last one it is live (R-EPOCH-7).
    fn part(&mut self, entered: Entered) {
        let account = entered.receipt.account();
        let locale = self.locale;
        match self.parked.add_part(entered, |source, height| locale.covers(source, height)) {
            Part::Waits => {}
            Part::Twice(entered) => {
                self.evm.credit(account, entered.receipt.value());
                self.arrived(&entered);
            }
            Part::Last(arrival) => self.install(account, arrival),
        }
    }

    /// Accounts are live of which the last part entered before, and only now is known what their old
    /// homes created.
    pub(crate) fn arrivals(&mut self) {
        let locale = self.locale;
        for (account, arrival) in
            self.parked.take_complete(|source, height| locale.covers(source, height))
        {
            self.install(account, arrival);
        }
    }

    fn install(&mut self, account: Address, arrival: Arrival) {
        let Arrival { checkpoint, content, parts, stray, mut calls } = arrival;
        self.evm.install(account, content);
        self.evm.credit(account, stray);
        parts.iter().for_each(|entered| self.arrived(entered));
        self.done.arrived.push(account);
        self.done.events.push(Event::AccountArrived {
            account: AccountKey::of(&account),
            checkpoint,
            parked: u32::try_from(calls.len()).unwrap_or(u32::MAX),
        });
        while !self.full
            && let Some(call) = calls.pop_front()
        {
            if let Err(call) = self.receipt(call) {
                self.full = true;
                calls.push_front(call);
            }
        }
        self.delayed.push_front(calls.into_iter());
    }

    /// A receipt whose value is on its account now.
    fn arrived(&mut self, entered: &Entered) {
        self.books.taken(entered.receipt.value());
        self.done.results.push_without_execution();
        self.push_leg(entered, LegStatus::Succeeded, Gas::ZERO, 0, 0);
    }

    fn call(&mut self, entered: &Entered, call: &Call, outcome: Result<CallOutcome, NotExecuted>) {
        self.books.taken(entered.receipt.value());
        let origin = entered.receipt.origin;
        let CallOutcome { result, refund } =
            outcome.unwrap_or_else(|error| refused_call(&entered.receipt, &error));
        self.done.results.push_call(&result);
        self.charge(&result, false);
        if self.done.traffic.is_some() {
            // That these two met, the source has said.
            self.report([call.to].into_iter(), Some(call.from), &result);
        }
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

    /// Reports who was touched: `first`, then what the EVM opened, then where a contract sent to. Nobody
    /// is `left_out`.
    fn report(
        &mut self,
        first: impl Iterator<Item = Address>,
        left_out: Option<Address>,
        result: &ExecutionResult,
    ) {
        let Some(traffic) = &mut self.done.traffic else { return };
        let sent = result.sends.iter().map(|send| send.call.to);
        let others = result.opened.iter().copied().chain(result.remote).chain(sent);
        let (locale, state) = (self.locale, self.evm.state());
        traffic.add(
            first.chain(others).filter(|account| Some(*account) != left_out),
            |account| locale.home(account) == Home::Everywhere,
            |account| state.account(account).is_some_and(state::Account::has_code),
        );
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
        let Entered { source, sequence, receipt, .. } = entered;
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
        opened: Vec::new(),
    };
    CallOutcome { result, refund: receipt.value() }
}

//! A shard's blocks executed again from genesis by somebody who does not trust it (rule R-REC-1).
//!
//! [`crate::ShardNode::recover`] starts at the last snapshot and believes its own books. A
//! [`Replay`] starts at genesis, ignores snapshots, and counts what the shard holds itself: from
//! balances in state and from receipts in queues, not from headers.

use alloy_primitives::Address;
use cross_shard_msg::{Height, Wei};
use state::{ShardState, StateDiff};

use crate::config::{ConfigError, ShardConfig, held};
use crate::node::ShardNode;
use crate::record::ShardRecord;
use crate::recover::RecoverError;

/// A shard that follows its own records.
#[derive(Debug)]
pub struct Replay {
    node: ShardNode,
    /// Σ balances.
    balances: Wei,
    /// What the last block changed.
    diff: StateDiff,
}

impl Replay {
    /// The shard at genesis.
    ///
    /// # Errors
    /// When the parts of the configuration do not fit together.
    pub fn new(config: ShardConfig) -> Result<Self, ConfigError> {
        let balances = held(&config.genesis);
        Ok(Self {
            node: ShardNode::new(config)?.with_snapshots(0),
            balances,
            diff: StateDiff::default(),
        })
    }

    /// Executes the next block again and returns what the shard holds after it, in wei: balances,
    /// receipts that entered and are not executed, and receipts that are not released.
    ///
    /// # Errors
    /// When the block does not follow, or does not come out as it was: state root, results root,
    /// gas, ledger, receipts or anything else of it. The replay is of no use then.
    pub fn block(&mut self, mut record: ShardRecord) -> Result<Wei, RecoverError> {
        record.before = None;
        self.diff = self.node.redo(record)?;
        self.balances = moved(self.balances, &self.diff);
        Ok(self.held())
    }

    /// What the shard holds, in wei.
    #[must_use]
    pub fn held(&self) -> Wei {
        let node = &self.node;
        let queued = [node.delayed.value(), node.parked.value(), node.outgoing.buffered_value()];
        queued.into_iter().fold(self.balances, Wei::saturating_add)
    }

    /// What the last block changed.
    #[must_use]
    pub fn diff(&self) -> &StateDiff {
        &self.diff
    }

    /// The shard's accounts after the last block.
    #[must_use]
    pub fn state(&self) -> &ShardState {
        &self.node.state
    }

    /// Whether an account lives here after the last block, or is at home here and in flight.
    #[must_use]
    pub fn is_home(&self, account: &Address) -> bool {
        self.node.locale.home(account).is(self.node.locale.shard())
    }

    /// Whether an account is at home here and has not arrived yet.
    #[must_use]
    pub fn is_in_flight(&self, account: &Address) -> bool {
        self.node.parked.contains(account)
    }

    /// An account that is here although its home is elsewhere, if there is one. Looks at every account.
    #[must_use]
    pub fn stray(&self) -> Option<Address> {
        let all = self.node.state.sorted_addresses();
        all.into_iter().find(|account| !self.is_home(account))
    }

    /// The last block that was executed again.
    #[must_use]
    pub fn height(&self) -> Height {
        self.node.headers.height()
    }

    /// Σ balances over all accounts of the state, in wei: what the changes of all blocks came to.
    /// Looks at every account.
    #[must_use]
    pub fn balances(&self) -> Wei {
        balances(&self.node.state)
    }

    /// Σ balances as the changes of single blocks add up, in wei. Equals [`Self::balances`].
    #[must_use]
    pub fn summed_balances(&self) -> Wei {
        self.balances
    }
}

fn moved(sum: Wei, diff: &StateDiff) -> Wei {
    let (mut gone, mut come) = (Wei::ZERO, Wei::ZERO);
    for account in &diff.accounts {
        let balance = |account: &Option<state::Account>| {
            account.as_ref().map_or(Wei::ZERO, |account| account.balance)
        };
        gone = gone.saturating_add(balance(&account.old));
        come = come.saturating_add(balance(&account.new));
    }
    sum.saturating_add(come).saturating_sub(gone)
}

fn balances(state: &ShardState) -> Wei {
    let balance = |address: &_| state.account(address).map_or(Wei::ZERO, |it| it.balance);
    state
        .sorted_addresses()
        .iter()
        .fold(Wei::ZERO, |sum, address| sum.saturating_add(balance(address)))
}

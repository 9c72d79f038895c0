//! Checks that run while a world runs: at every durable block, at every final checkpoint and at
//! every observation, and once more at the end.
//!
//! A [`Monitor`] hands what nodes make durable to [`Checker`]s and keeps the first violation. Its
//! followers are given to [`World::add_restartable`](crate::World::add_restartable); a run stops at
//! a violation when [`Monitor::broken`] is its stop condition.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use coordinator::{Coordinator, CoordinatorRecord, Proof};
use cross_shard_msg::{Block, FinalizedCheckpoint, Machine, ShardId, ValidatorIndex};
use shard_node::{ShardNode, ShardRecord};

use crate::host::Follower;

/// An invariant that is checked as a world runs. `Err` says what is wrong and where, for a person.
pub trait Checker {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// A block is durable. Blocks of one shard come in order.
    ///
    /// # Errors
    /// When the invariant does not hold any more.
    fn on_block(&mut self, _shard: ShardId, _block: &Arc<Block>) -> Result<(), String> {
        Ok(())
    }

    /// The same with all that the block can be executed again from.
    ///
    /// # Errors
    /// When the invariant does not hold any more.
    fn on_record(&mut self, _shard: ShardId, _record: &ShardRecord) -> Result<(), String> {
        Ok(())
    }

    /// A final checkpoint is durable at a coordinator. Those of one coordinator come in order.
    ///
    /// # Errors
    /// When the invariant does not hold any more.
    fn on_checkpoint(
        &mut self,
        _by: ValidatorIndex,
        _finalized: &FinalizedCheckpoint,
    ) -> Result<(), String> {
        Ok(())
    }

    /// Proof that a node is faulty is durable at a coordinator.
    ///
    /// # Errors
    /// When the invariant does not hold any more.
    fn on_evidence(&mut self, _by: ValidatorIndex, _proof: &Proof) -> Result<(), String> {
        Ok(())
    }

    /// Faults are over and everything had time to settle.
    ///
    /// # Errors
    /// When something did not.
    fn finish(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Name of the checker.
    pub checker: &'static str,
    /// Where, and what was seen.
    pub detail: String,
}

/// Hands what happens to checkers. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Monitor(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    checkers: Vec<Box<dyn Checker>>,
    violation: Option<Violation>,
}

impl Monitor {
    /// A monitor without checkers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a checker.
    pub fn add(&self, checker: impl Checker + 'static) {
        self.0.borrow_mut().checkers.push(Box::new(checker));
    }

    /// Whether an invariant is broken.
    #[must_use]
    pub fn broken(&self) -> bool {
        self.0.borrow().violation.is_some()
    }

    /// The first invariant that broke.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        self.0.borrow().violation.clone()
    }

    /// Checks that everything has settled. Call it when faults have been over for long enough.
    pub fn finish(&self) {
        self.check(|checker| checker.finish());
    }

    /// Follows an honest shard.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> impl Follower<ShardNode> + use<> {
        ShardFollower { monitor: self.clone(), shard }
    }

    /// Follows an honest coordinator.
    #[must_use]
    pub fn coordinator(&self, index: ValidatorIndex) -> impl Follower<Coordinator> + use<> {
        CoordinatorFollower { monitor: self.clone(), index }
    }

    /// A block of a shard is durable; for followers of other machines.
    pub fn block(&self, shard: ShardId, block: &Arc<Block>) {
        self.check(|checker| checker.on_block(shard, block));
    }

    /// A final checkpoint is durable; for followers of other machines.
    pub fn checkpoint(&self, by: ValidatorIndex, finalized: &FinalizedCheckpoint) {
        self.check(|checker| checker.on_checkpoint(by, finalized));
    }

    fn check(&self, mut ask: impl FnMut(&mut dyn Checker) -> Result<(), String>) {
        let inner = &mut *self.0.borrow_mut();
        for checker in &mut inner.checkers {
            if inner.violation.is_some() {
                return;
            }
            if let Err(detail) = ask(checker.as_mut()) {
                inner.violation = Some(Violation { checker: checker.name(), detail });
            }
        }
    }
}

struct ShardFollower {
    monitor: Monitor,
    shard: ShardId,
}

impl Follower<ShardNode> for ShardFollower {
    fn executed(&mut self, _: &Arc<<ShardNode as Machine>::Executed>) {}

    fn record(&mut self, _: &ShardRecord) {}

    fn durable(&mut self, record: &ShardRecord) {
        self.monitor.block(self.shard, &record.block);
        self.monitor.check(|checker| checker.on_record(self.shard, record));
    }
}

struct CoordinatorFollower {
    monitor: Monitor,
    index: ValidatorIndex,
}

impl Follower<Coordinator> for CoordinatorFollower {
    fn executed(&mut self, _: &Arc<<Coordinator as Machine>::Executed>) {}

    fn record(&mut self, _: &CoordinatorRecord) {}

    fn durable(&mut self, record: &CoordinatorRecord) {
        for finalized in record.checkpoints() {
            self.monitor.checkpoint(self.index, &finalized);
        }
        if let Some(proof) = record.evidence() {
            self.monitor.check(|checker| checker.on_evidence(self.index, proof));
        }
    }
}

//! What the client tells the program.

use cross_shard_msg::{CheckpointNumber, Duration, Failure, Refusal, Timestamp, TransactionKey};

use super::book::{Outcome, Tally};
use crate::workload::Stage;

/// How far the client is: told now and then, and once at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientProgress {
    /// The current stage.
    pub stage: Stage,
    /// When the schedule of the first phase begins; known once everything is set up.
    pub origin: Option<Timestamp>,
    /// How long the phases last.
    pub load: Duration,
    /// Transactions before the load.
    pub setup: Tally,
    /// Transactions of the load.
    pub run: Tally,
    /// Refused transactions that wait for their next attempt.
    pub retrying: usize,
    /// The newest finalized checkpoint.
    pub checkpoint: CheckpointNumber,
    /// Set in the last report only.
    pub ended: Option<Ended>,
    /// The outcome of every transaction of the workload, in its order; empty until the end.
    pub outcomes: Vec<Outcome>,
}

/// Why the client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every transaction has its outcome and is final.
    Complete,
    /// Some have not, and the time to wait for them is over.
    DrainTimeout,
    /// Contracts could not be set up, so the load was not sent.
    SetupFailed(SetupFailure),
    /// The program asked for it.
    Stopped,
}

/// Why contracts could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupFailure {
    /// A transaction was refused.
    Refused {
        /// The transaction.
        key: TransactionKey,
        /// Why.
        refusal: Refusal,
    },
    /// A transaction failed.
    Failed {
        /// The transaction.
        key: TransactionKey,
        /// Why.
        failure: Failure,
    },
    /// Nothing moved for too long.
    Stalled,
}

//! What a coordinator makes durable (rules R-CORE-3, R-CONS-13).

use consensus::{Finalized, Record};
use serde::{Deserialize, Serialize};

use crate::evidence::Proof;
use crate::finality::finalized_checkpoints;
use crate::value::CheckpointValue;
use cross_shard_msg::FinalizedCheckpoint;

/// One entry of a coordinator's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CoordinatorRecord {
    /// An own vote, with the proposal that it is for.
    Agreement(Record<CheckpointValue>),
    /// Checkpoints that became final together, with the headers that they took in and with their
    /// certificate.
    Finalized(Finalized<CheckpointValue>),
    /// Proof that a node is faulty.
    Evidence(Proof),
}

impl CoordinatorRecord {
    /// The proof in it, if it is one.
    #[must_use]
    pub fn evidence(&self) -> Option<&Proof> {
        match self {
            Self::Evidence(proof) => Some(proof),
            Self::Agreement(_) | Self::Finalized(_) => None,
        }
    }

    /// The final checkpoints in it, in order, each with its own proof.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<FinalizedCheckpoint> {
        match self {
            Self::Agreement(_) | Self::Evidence(_) => Vec::new(),
            Self::Finalized(run) => finalized_checkpoints(run),
        }
    }
}

impl From<Record<CheckpointValue>> for CoordinatorRecord {
    fn from(record: Record<CheckpointValue>) -> Self {
        match record {
            Record::Finalized(run) => Self::Finalized(run),
            other => Self::Agreement(other),
        }
    }
}

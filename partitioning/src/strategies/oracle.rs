//! `oracle`: sees the window to come and lets another strategy partition it: an upper bound for
//! whatever learns from the past. It exists in evaluations alone.

use crate::partitioner::{PartitionError, Partitioner, Problem, Proposal};

/// The strategy.
#[derive(Debug)]
pub struct Oracle {
    then: Box<dyn Partitioner>,
}

impl Oracle {
    /// Hands the future to `then`.
    #[must_use]
    pub fn new(then: Box<dyn Partitioner>) -> Self {
        Self { then }
    }
}

impl Partitioner for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let graph = problem.future.ok_or(PartitionError::NoFuture { strategy: "oracle" })?;
        let windows = std::slice::from_ref(graph);
        self.then.propose(&Problem { graph, windows, ..*problem })
    }
}

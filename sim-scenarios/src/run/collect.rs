//! Reads what the nodes of a run left on disk.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use coordinator::CoordinatorRecord;
use cross_shard_msg::{FinalizedCheckpoint, NodeId, Observation};
use runtime::observations::read_observations;
use runtime::records::{RecordError, read_records};
use shard_node::ShardRecord;
use simulation::checkers::Records;

use super::reexecute::ShardLogs;
use crate::launch::{NetworkPlan, NodeFacts, Question, Questions, questions_file};

/// What was left on disk.
#[derive(Debug)]
pub struct Collected {
    /// Blocks and checkpoints.
    pub records: Records,
    /// What each shard's blocks can be executed again from.
    pub logs: ShardLogs,
    /// Observations by node.
    pub observations: BTreeMap<NodeId, Vec<Observation>>,
    /// What coordinators asked their strategy.
    pub questions: Vec<Question>,
    /// Files that end within an entry, as a killed process leaves them.
    pub torn: Vec<PathBuf>,
}

/// Why what was measured cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A record log.
    #[error(transparent)]
    Records(#[from] RecordError),
    /// An observation log, or what was asked of the strategy.
    #[error("{path}: {source}")]
    Observations {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the files of all nodes.
///
/// # Errors
/// When a file is missing or damaged other than by a torn end.
pub fn collect<'a>(
    plan: &NetworkPlan,
    nodes: impl Iterator<Item = &'a NodeFacts>,
) -> Result<Collected, CollectError> {
    let mut collected = Collected {
        records: empty_records(plan),
        logs: ShardLogs::new(),
        observations: BTreeMap::new(),
        questions: Vec::new(),
        torn: Vec::new(),
    };
    for facts in nodes {
        collected.read(facts)?;
    }
    Ok(collected)
}

/// Records of a network in which nothing has happened.
#[must_use]
pub fn empty_records(plan: &NetworkPlan) -> Records {
    Records {
        settings: (*plan.settings).clone(),
        base: plan.base,
        residents: plan.residents.clone(),
        blocks: BTreeMap::new(),
        checkpoints: BTreeMap::new(),
        executions: BTreeMap::new(),
        evidence: BTreeMap::new(),
    }
}

impl Collected {
    fn read(&mut self, facts: &NodeFacts) -> Result<(), CollectError> {
        // A process that died before it began has written nothing.
        if facts.records.exists() {
            let torn = match facts.node {
                NodeId::Shard(shard) => {
                    let read = read_records::<ShardRecord>(&facts.records)?;
                    let blocks = read.records.iter().map(|record| Arc::clone(&record.block));
                    self.records.blocks.insert(shard, blocks.collect());
                    // Snapshots are for recovery; executing again starts at genesis.
                    let bare = |record| ShardRecord { before: None, ..record };
                    self.logs.insert(shard, read.records.into_iter().map(bare).collect());
                    read.torn
                }
                NodeId::Coordinator(index) => {
                    let read = read_records::<CoordinatorRecord>(&facts.records)?;
                    let checkpoints: Vec<FinalizedCheckpoint> =
                        read.records.iter().flat_map(CoordinatorRecord::checkpoints).collect();
                    self.records.checkpoints.insert(index, checkpoints);
                    let evidence = read.records.iter().filter_map(CoordinatorRecord::evidence);
                    self.records.evidence.insert(index, evidence.cloned().collect());
                    read.torn
                }
                NodeId::Client => false,
            };
            if torn {
                self.torn.push(facts.records.clone());
            }
        }
        if matches!(facts.node, NodeId::Coordinator(_)) {
            let path = questions_file(&facts.records);
            let asked = Questions::read(&path)
                .map_err(|source| CollectError::Observations { path, source })?;
            self.questions.extend(asked);
        }
        if facts.observations.exists() {
            let observations = read_observations(&facts.observations).map_err(|source| {
                CollectError::Observations { path: facts.observations.clone(), source }
            })?;
            self.observations.insert(facts.node, observations);
        }
        Ok(())
    }
}

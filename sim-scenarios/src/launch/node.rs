//! The inside of a child process: reads its node file and runs its machine to the end.

use std::path::Path;

use coordinator::Coordinator;
use runtime::logging::{LoggingError, log_to_file};
use runtime::process::{ProcessError, run_child};
use shard_node::ShardNode;

use super::node_file::{NodeFile, NodeFileError, Role};

/// Why a child process ended badly.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its file is of no use.
    #[error(transparent)]
    File(#[from] NodeFileError),
    /// It cannot log.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// Its configuration does not fit.
    #[error("{0}")]
    Config(String),
    /// It could not run on.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// Runs the node that `file` describes, until the launcher stops it.
///
/// # Errors
/// When it cannot start or run on. The error also goes to the node's log.
pub fn run_node(file: &Path) -> Result<(), NodeError> {
    let file = NodeFile::read(file)?;
    log_to_file(&file.log, &file.log_filter)?;
    log_panics();
    let outcome = run(&file);
    if let Err(error) = &outcome {
        tracing::error!(%error, "the node cannot go on");
    }
    outcome
}

fn run(file: &NodeFile) -> Result<(), NodeError> {
    match &file.role {
        Role::Shard { shard, genesis, prescribed } => {
            let config = file.shard_config(*shard, genesis, prescribed.as_ref())?;
            let (log, records) = file.process.open_records()?;
            let machine = if file.process.again {
                ShardNode::recover(config, records)
                    .map_err(|error| NodeError::Config(error.to_string()))?
            } else {
                ShardNode::new(config).map_err(|error| NodeError::Config(error.to_string()))?
            };
            run_child(&file.process, file.network(), machine, log)?;
        }
        Role::Coordinator { index, strategy } => {
            let config = file.coordinator_config(*index, strategy.as_ref())?;
            let (log, records) = file.process.open_records()?;
            let machine = Coordinator::recover(config, records)
                .map_err(|error| NodeError::Config(error.to_string()))?;
            run_child(&file.process, file.network(), machine, log)?;
        }
    }
    Ok(())
}

fn log_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(%panic, "panicked");
        default(panic);
    }));
}

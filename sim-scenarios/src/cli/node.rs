//! `shardlab shard-node` and `shardlab coordinator`: the processes that `run` and `up` start. Not
//! for people, so hidden from the help.

use std::path::PathBuf;

use super::Exit;
use super::terminal::complain;
use crate::launch::run_node;

/// Runs one node of a network; started by `shardlab run` and `shardlab up`
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What the launcher wrote for this node
    file: PathBuf,
}

/// Runs the node until the launcher stops it or is gone.
pub fn run(arguments: &Arguments) -> Exit {
    match run_node(&arguments.file) {
        Ok(()) => Exit::Passed,
        Err(error) => {
            complain(&error.to_string());
            Exit::Internal
        }
    }
}

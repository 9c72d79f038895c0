//! The log of a process: one file, written line by line, so that the last lines of a killed
//! process are there.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// The environment variable that overrides the filter of every process, for example
/// `info,runtime=debug`.
pub const FILTER_VARIABLE: &str = "SHARDLAB_LOG";

/// What is logged unless the environment says otherwise.
pub const DEFAULT_FILTER: &str = "warn,runtime=info,shard_node=info,coordinator=info";

/// Why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The file cannot be written.
    #[error("cannot write the log {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The filter is not valid.
    #[error("{origin} is not a valid log filter: {message}")]
    Filter {
        /// The filter, and where it comes from.
        origin: String,
        /// What is wrong with it.
        message: String,
    },
    /// This process logs already.
    #[error("this process logs already")]
    Started,
}

/// Appends this process's log to `path`, filtered by the environment or else by `filter`.
///
/// # Errors
/// When the file cannot be opened, the filter is not valid, or logging was started before.
pub fn log_to_file(path: &Path, filter: &str) -> Result<(), LoggingError> {
    let (origin, filter) = match std::env::var(FILTER_VARIABLE) {
        Ok(value) => (format!("{FILTER_VARIABLE}={value}"), value),
        Err(_) => (filter.to_owned(), filter.to_owned()),
    };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| LoggingError::Filter { origin, message: error.to_string() })?;
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|source| LoggingError::File { path: path.to_owned(), source })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .try_init()
        .map_err(|_| LoggingError::Started)
}

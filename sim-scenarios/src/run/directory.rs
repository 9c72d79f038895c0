//! Where the files of a run go.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use runtime::logging::{LoggingError, log_to_file};

/// The log of the program itself, which is also the load generator.
pub const LOG: &str = "launcher.log";

/// Runs that may start within one second without a name of their own.
const MOST_ALIKE: u32 = 1_000;

/// Why a run has no directory.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It cannot be made or written.
    #[error("cannot make the run's directory {path}: {source}; name another one with --out")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It has files, with which those of the run would be mixed up.
    #[error("{0} is not empty; name another directory with --out")]
    NotEmpty(PathBuf),
    /// Its log cannot be started.
    #[error(transparent)]
    Logging(#[from] LoggingError),
}

/// Makes the directory of a run and starts this program's log in it. `asked` is made or must be
/// empty; without it, a new directory `runs/NAME-TIME` is made.
///
/// # Errors
/// When it cannot be made, is not empty, or the log cannot be started.
pub fn make(asked: Option<&Path>, name: &str) -> Result<PathBuf, DirectoryError> {
    let directory = match asked {
        Some(directory) => take(directory)?,
        None => fresh(name)?,
    };
    log_to_file(&directory.join(LOG), super::LOG_FILTER)?;
    Ok(directory)
}

fn take(directory: &Path) -> Result<PathBuf, DirectoryError> {
    let failed = |source| DirectoryError::Io { path: directory.to_owned(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    if fs::read_dir(directory).map_err(failed)?.next().is_some() {
        return Err(DirectoryError::NotEmpty(directory.to_owned()));
    }
    Ok(directory.to_owned())
}

/// A directory that nobody had before, also when runs start at the same time.
fn fresh(name: &str) -> Result<PathBuf, DirectoryError> {
    let runs = Path::new("runs");
    fs::create_dir_all(runs)
        .map_err(|source| DirectoryError::Io { path: runs.to_owned(), source })?;
    let time = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let mut number = 1;
    loop {
        let path = runs.join(match number {
            1 => format!("{name}-{time}"),
            _ => format!("{name}-{time}-{number}"),
        });
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < MOST_ALIKE => {
                number += 1;
            }
            Err(source) => return Err(DirectoryError::Io { path, source }),
        }
    }
}

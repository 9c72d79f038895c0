//! `shardlab report`: `report.html` of a run, a sweep or a search for the capacity, made again from
//! the files in its directory.

use std::path::{Path, PathBuf};

use super::Exit;
use super::terminal::{complain, print};
use crate::capacity::output::JSON as CAPACITY;
use crate::report::html::{self, HtmlError};
use crate::sweep::results::SWEEP;

/// Make report.html of a run, a sweep or a capacity search again from the files in its directory
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The directory of a run, of a sweep, or of a capacity search
    run: PathBuf,
}

/// Writes it and says where.
pub fn run(arguments: &Arguments) -> Exit {
    match write(&arguments.run) {
        Ok(path) => print(&format!("{}\n", path.display())),
        Err(error) => {
            complain(&format!(
                "error: {error}\n  expected the directory of a run, a sweep or a capacity search, \
                 with its files"
            ));
            Exit::BadInput
        }
    }
}

fn write(directory: &Path) -> Result<PathBuf, HtmlError> {
    let has = |name: &str| directory.join(name).is_file();
    if has(SWEEP) {
        html::sweep::write(directory)
    } else if has(CAPACITY) {
        html::capacity::write(directory)
    } else {
        html::write(directory)
    }
}

//! `shardlab report`: `report.html` of a run, made again from the files in its directory.

use std::path::PathBuf;

use super::Exit;
use super::terminal::{complain, print};
use crate::report::html;

/// Make report.html of a run again from the files in its directory
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The directory of a run, of `run` or `simulate`
    run: PathBuf,
}

/// Writes it and says where.
pub fn run(arguments: &Arguments) -> Exit {
    match html::write(&arguments.run) {
        Ok(path) => print(&format!("{}\n", path.display())),
        Err(error) => {
            complain(&format!("error: {error}\n  expected the directory of a run, with its files"));
            Exit::BadInput
        }
    }
}

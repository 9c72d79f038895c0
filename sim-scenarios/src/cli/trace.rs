//! `shardlab trace`: one transaction's life across shards, from a run's directory of either world.

use std::path::PathBuf;

use super::Exit;
use super::terminal::{complain, print};
use crate::report::life::life;

/// Columns where the environment does not say how many there are.
const DEFAULT_WIDTH: usize = 100;
/// The narrowest and the widest drawing.
const WIDTHS: (usize, usize) = (60, 240);

/// Draw one transaction's life across shards as a waterfall
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The directory of a run, of `run` or `simulate`
    run: PathBuf,
    /// The transaction: its hash, or the beginning of it that no other one has
    tx: String,
    /// Columns of the drawing [default: $COLUMNS, else 100]
    #[arg(long)]
    width: Option<usize>,
}

/// Draws it.
pub fn run(arguments: &Arguments) -> Exit {
    let width = arguments.width.unwrap_or_else(columns).clamp(WIDTHS.0, WIDTHS.1);
    match life(&arguments.run, &arguments.tx) {
        Ok(life) => print(&life.drawn(width)),
        Err(error) => {
            complain(&format!("error: {error}"));
            Exit::BadInput
        }
    }
}

/// What the shell says of its terminal.
fn columns() -> usize {
    let shell = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    shell.unwrap_or(DEFAULT_WIDTH)
}

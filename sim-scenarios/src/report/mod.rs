//! What a run tells its user: the report on the terminal, `summary.json` and `manifest.json`, CSV
//! tables, HdrHistogram logs, `report.html`. docs/output.md is the dictionary of all of them.
//!
//! [`terminal`], [`summary`] and [`manifest`] are pure; [`write`] puts everything into the run's
//! directory.

pub mod byzantine;
pub mod csv_files;
mod files;
pub mod histogram_log;
pub mod html;
pub mod life;
pub mod manifest;
pub mod migrations;
pub mod number;
pub mod summary;
mod table;
mod tables;
pub mod terminal;

pub use files::{FILES, MIGRATION_FILES, ReportError, write};
pub use manifest::manifest;
pub use summary::{Summary, summary};
pub use terminal::{Style, terminal};

/// Version of the files that a run leaves: names, columns, keys and units. It grows when one of
/// them changes its meaning or goes away, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

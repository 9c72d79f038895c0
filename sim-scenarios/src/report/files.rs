//! Puts everything that a run leaves for its user into the run's directory.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{csv_files, histogram_log, html, manifest, migrations, summary};
use crate::metrics::Measured;
use crate::scenario::Span;

/// The files that [`write`] writes. `senders.csv` only where a trace was replayed.
pub const FILES: &[&str] = &[
    "scenario.toml",
    "summary.json",
    "manifest.json",
    "transactions.csv",
    "legs.csv",
    "blocks.csv",
    "checkpoints.csv",
    "senders.csv",
    "inclusion.hlog",
    "cross_shard.hlog",
    "settlement.hlog",
    "finality.hlog",
    "report.html",
];

/// Those that [`write`] writes besides where accounts may move.
pub const MIGRATION_FILES: &[&str] = &["migrations.csv", "epochs.csv", "partitioner.csv"];

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub struct ReportError {
    /// Which.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// Writes all files into `directory`, which exists; what is there is replaced. The summary comes
/// first, so that a full disk takes the tables and not the results.
///
/// # Errors
/// For the first file that cannot be written.
pub fn write(measured: &Measured<'_>, directory: &Path) -> Result<(), ReportError> {
    let file = |name: &str, content: &dyn Fn(&mut BufWriter<File>) -> io::Result<()>| {
        let path = directory.join(name);
        File::create(&path)
            .map(|file| BufWriter::with_capacity(1 << 18, file))
            .and_then(|mut out| content(&mut out).and_then(|()| out.flush()))
            .map_err(|source| ReportError { path, source })
    };
    file("summary.json", &|out| write!(out, "{}", summary(measured)))?;
    file("manifest.json", &|out| json(&manifest(measured), out))?;
    file("scenario.toml", &|out| write!(out, "{}", measured.run.scenario))?;
    for span in Span::ALL {
        file(&format!("{span}.hlog"), &|out| histogram_log::write(*span, measured, out))?;
    }
    file("checkpoints.csv", &|out| csv_files::checkpoints(measured, out))?;
    file("blocks.csv", &|out| csv_files::blocks(measured, out))?;
    file("transactions.csv", &|out| csv_files::transactions(measured, out))?;
    file("legs.csv", &|out| csv_files::legs(measured, out))?;
    if !measured.run.substitutes.is_empty() {
        file("senders.csv", &|out| csv_files::senders(measured, out))?;
    }
    if let Some(results) = &measured.results.migrations {
        file("migrations.csv", &|out| migrations::migrations(results, out))?;
        file("epochs.csv", &|out| migrations::epochs(results, out))?;
        file("partitioner.csv", &|out| migrations::partitioner(measured, out))?;
    }
    // From the files above, so that a run's directory can always give it again.
    html::write(directory)
        .map(|_| ())
        .map_err(|error| ReportError { path: error.path, source: io::Error::other(error.problem) })
}

/// Writes JSON for programs and people.
///
/// # Errors
/// What the writer says.
fn json(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}

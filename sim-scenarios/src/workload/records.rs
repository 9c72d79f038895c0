//! Rows of a trace in BlockEmulator's columns, from CSV or Parquet.
//!
//! The format follows from the file's name: `.parquet`, or else CSV, plain or gzip. CSV goes by
//! position, Parquet by the columns' names. Either way a row becomes the text of its fields, so that
//! one reading with one set of messages serves both.

use std::io::Read;
use std::path::Path;

use csv::StringRecord;

use super::parquet_rows::ParquetRows;
use super::trace::plain;

/// The columns, in the order of a CSV.
pub const COLUMNS: [&str; 18] = [
    "blockNumber",
    "timestamp",
    "transactionHash",
    "from",
    "to",
    "toCreate",
    "fromIsContract",
    "toIsContract",
    "value",
    "gasLimit",
    "gasPrice",
    "gasUsed",
    "callingFunction",
    "isError",
    "eip2718type",
    "baseFeePerGas",
    "maxFeePerGas",
    "maxPriorityFeePerGas",
];

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It is no such file, or says of itself what cannot be.
    #[error("{0}")]
    Format(String),
    /// A field is not what it should be.
    #[error("column {column} ({name}): expected {expected}, found {found}")]
    Field {
        /// Number of the field in its row, from 1.
        column: usize,
        /// Its name.
        name: &'static str,
        /// What stands there in a good row.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
}

/// Reads rows one after the other.
pub struct Records {
    source: Source,
    /// The row that was read last, from 1.
    row: u64,
}

enum Source {
    Csv(Box<csv::Reader<Box<dyn Read>>>),
    Parquet(Box<ParquetRows>),
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("row", &self.row).finish_non_exhaustive()
    }
}

impl Records {
    /// Begins to read a file of this name. Only the columns of these positions are needed; a
    /// Parquet file may lack any that is not `required`.
    ///
    /// # Errors
    /// When it cannot be read, or is no Parquet file with such columns though it is called one.
    pub fn new(
        name: &Path,
        content: Box<dyn Read>,
        columns: &[usize],
        required: &[usize],
    ) -> Result<Self, RecordError> {
        let source = if is_parquet(name) {
            Source::Parquet(Box::new(ParquetRows::new(content, columns, required)?))
        } else {
            let mut builder = csv::ReaderBuilder::new();
            builder.has_headers(false).flexible(true);
            Source::Csv(Box::new(builder.from_reader(plain(content)?)))
        };
        Ok(Self { source, row: 0 })
    }

    /// Reads the next row, without the header of a CSV. Whether there was one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&mut self, record: &mut StringRecord) -> Result<bool, RecordError> {
        self.row += 1;
        match &mut self.source {
            Source::Parquet(rows) => rows.read(record),
            Source::Csv(reader) => {
                let mut found = reader.read_record(record).map_err(unreadable)?;
                if found && self.row == 1 && record.get(0) == COLUMNS.first().copied() {
                    found = reader.read_record(record).map_err(unreadable)?;
                }
                Ok(found)
            }
        }
    }

    /// Where the row is that was read last: `line 3` of a CSV, `row 3` of a Parquet file.
    #[must_use]
    pub fn place(&self, record: &StringRecord) -> String {
        match &self.source {
            Source::Parquet(_) => format!("row {}", self.row),
            Source::Csv(reader) => {
                let here = reader.position().line();
                format!("line {}", record.position().map_or(here, csv::Position::line))
            }
        }
    }
}

/// Whether a file is called one of Parquet.
#[must_use]
pub fn is_parquet(name: &Path) -> bool {
    name.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

/// What the CSV reader could not read: the system's error, or text that is not UTF-8.
fn unreadable(error: csv::Error) -> RecordError {
    match error.into_kind() {
        csv::ErrorKind::Io(source) => RecordError::Io(source),
        csv::ErrorKind::Utf8 { err, .. } => RecordError::Field {
            column: err.field() + 1,
            name: COLUMNS.get(err.field()).copied().unwrap_or("any"),
            expected: "UTF-8 text",
            found: "other bytes".to_owned(),
        },
        other => RecordError::Format(format!("{other:?}")),
    }
}

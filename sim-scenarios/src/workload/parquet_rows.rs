//! Rows of a Parquet file with a trace's columns, flat and in any order.
//!
//! A file says of itself how large it is. What it says is checked before anything is allocated by
//! it: the file is bounded, its rows are bounded by its bytes, and columns are read in small batches.
//! The crate's decoders may panic on a broken file; that is caught and is an error as any other.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use alloy_primitives::{Address, Bytes, hex};
use csv::StringRecord;
use parquet::basic::Type as Physical;
use parquet::column::reader::ColumnReader;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::records::{COLUMNS, RecordError};

/// The longest file.
const MAX_BYTES: u64 = 1 << 30;
/// Rows for each byte of a file: more are no trace, even where all of them are alike.
const ROWS_PER_BYTE: u64 = 16;
/// The most rows.
const MAX_ROWS: u64 = 100_000_000;
/// The most that a column of a row group may grow to.
const MAX_CHUNK: i64 = 1 << 30;
/// Rows that are read at a time.
const BATCH: usize = 1_024;

pub(super) struct ParquetRows {
    reader: Box<dyn FileReader>,
    /// For each column that is read: its position in a trace's row, and in the file.
    columns: Vec<(usize, usize)>,
    /// The row group that comes next.
    next_group: usize,
    /// Rows of the current one that were not read.
    left: usize,
    open: Vec<ColumnReader>,
    /// Fields of the batch, by column.
    batch: Vec<Vec<Option<String>>>,
    /// The row of the batch that comes next, and how many there are.
    at: usize,
    count: usize,
}

impl ParquetRows {
    /// Reads what the file says of itself.
    pub(super) fn new(
        content: Box<dyn Read>,
        columns: &[usize],
        required: &[usize],
    ) -> Result<Self, RecordError> {
        let mut bytes = Vec::new();
        content.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(RecordError::Format("a Parquet file of more than 1 GiB".to_owned()));
        }
        let length = bytes.len() as u64;
        let reader = guarded(|| SerializedFileReader::new(Bytes::from(bytes).0))?;
        let metadata = reader.metadata();
        let mut rows = 0_u64;
        for group in metadata.row_groups() {
            let claimed = u64::try_from(group.num_rows()).ok();
            rows = claimed.and_then(|claimed| rows.checked_add(claimed)).unwrap_or(u64::MAX);
            let most = (length * ROWS_PER_BYTE).min(MAX_ROWS);
            if rows > most {
                let claim =
                    if rows == u64::MAX { "impossibly many".into() } else { rows.to_string() };
                return Err(RecordError::Format(format!(
                    "a Parquet file of {length} bytes that says it has {claim} rows; expected at \
                     most {most}"
                )));
            }
        }
        let schema = metadata.file_metadata().schema_descr();
        let mut found = Vec::new();
        for position in columns {
            let Some(name) = COLUMNS.get(*position).copied() else { continue };
            let index = schema.columns().iter().position(|column| column.path().string() == name);
            let wrong = |expected, found| RecordError::Field {
                column: position + 1,
                name,
                expected,
                found,
            };
            let Some(index) = index else {
                if required.contains(position) {
                    return Err(wrong("a column of this name", "none".to_owned()));
                }
                continue;
            };
            let column = schema.column(index);
            if column.max_rep_level() > 0 || column.max_def_level() > 1 {
                return Err(wrong("one value per row", "a nested column".to_owned()));
            }
            let physical = column.physical_type();
            if matches!(physical, Physical::INT96 | Physical::FLOAT | Physical::DOUBLE) {
                return Err(wrong("text, bytes or whole numbers", format!("{physical}")));
            }
            let too_large = metadata.row_groups().iter().any(|group| {
                let chunk = group.columns().get(index);
                chunk.is_none_or(|chunk| chunk.uncompressed_size() > MAX_CHUNK)
            });
            if too_large {
                return Err(wrong("at most 1 GiB in each row group", "more, or none".to_owned()));
            }
            found.push((*position, index));
        }
        Ok(Self {
            reader: Box::new(reader),
            columns: found,
            next_group: 0,
            left: 0,
            open: Vec::new(),
            batch: Vec::new(),
            at: 0,
            count: 0,
        })
    }

    /// Reads the next row. Whether there was one.
    pub(super) fn read(&mut self, record: &mut StringRecord) -> Result<bool, RecordError> {
        while self.at >= self.count {
            if self.left > 0 {
                self.fill()?;
            } else if !self.open_group()? {
                return Ok(false);
            }
        }
        record.clear();
        let mut fields = vec![""; COLUMNS.len()];
        for ((position, _), values) in self.columns.iter().zip(&self.batch) {
            let value = values.get(self.at).and_then(Option::as_deref);
            if let (Some(field), Some(value)) = (fields.get_mut(*position), value) {
                *field = value;
            }
        }
        for field in fields {
            record.push_field(field);
        }
        self.at += 1;
        Ok(true)
    }

    fn open_group(&mut self) -> Result<bool, RecordError> {
        let index = self.next_group;
        if index >= self.reader.metadata().num_row_groups() {
            return Ok(false);
        }
        self.next_group += 1;
        let (reader, columns) = (&self.reader, &self.columns);
        let rows = reader.metadata().row_group(index).num_rows();
        self.open = guarded(|| {
            let group = reader.get_row_group(index)?;
            columns.iter().map(|(_, column)| group.get_column_reader(*column)).collect()
        })?;
        self.left = usize::try_from(rows).unwrap_or(0);
        (self.at, self.count) = (0, 0);
        Ok(true)
    }

    fn fill(&mut self) -> Result<(), RecordError> {
        let wanted = self.left.min(BATCH);
        let mut batch = Vec::with_capacity(self.columns.len());
        for ((position, _), column) in self.columns.iter().zip(&mut self.open) {
            let name = COLUMNS.get(*position).copied().unwrap_or_default();
            let values =
                guarded(|| Ok(values(column, wanted)))?.map_err(|problem| match problem {
                    Problem::Parquet(error) => broken(&error),
                    Problem::Text => RecordError::Field {
                        column: position + 1,
                        name,
                        expected: "UTF-8 text or an address of 20 bytes",
                        found: "other bytes".to_owned(),
                    },
                })?;
            if values.len() != wanted {
                return Err(RecordError::Format(format!(
                    "row group {}, column {name}: it ends {} rows before the group does",
                    self.next_group,
                    self.left - values.len().min(self.left),
                )));
            }
            batch.push(values);
        }
        self.batch = batch;
        self.left -= wanted;
        (self.at, self.count) = (0, wanted);
        Ok(())
    }
}

enum Problem {
    Parquet(ParquetError),
    Text,
}

impl From<ParquetError> for Problem {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

/// At most `wanted` values as text.
fn values(column: &mut ColumnReader, wanted: usize) -> Result<Vec<Option<String>>, Problem> {
    macro_rules! read {
        ($reader:expr, $show:expr) => {{
            let (mut values, mut levels) = (Vec::new(), Vec::new());
            let mut rows = 0;
            while rows < wanted {
                let (read, _, _) =
                    $reader.read_records(wanted - rows, Some(&mut levels), None, &mut values)?;
                if read == 0 {
                    break;
                }
                rows += read;
            }
            let mut values = values.iter().map($show);
            if levels.is_empty() {
                // Every row has a value.
                values.map(|value| value.map(Some)).collect::<Result<Vec<_>, Problem>>()
            } else {
                levels
                    .iter()
                    .map(|level| match level {
                        0 => Ok(None),
                        _ => values.next().transpose(),
                    })
                    .collect()
            }
        }};
    }
    match column {
        ColumnReader::BoolColumnReader(reader) => {
            read!(reader, |value: &bool| Ok(u8::from(*value).to_string()))
        }
        ColumnReader::Int32ColumnReader(reader) => {
            read!(reader, |value: &i32| Ok(value.to_string()))
        }
        ColumnReader::Int64ColumnReader(reader) => {
            read!(reader, |value: &i64| Ok(value.to_string()))
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            read!(reader, |value: &parquet::data_type::ByteArray| text(value.data()))
        }
        ColumnReader::FixedLenByteArrayColumnReader(reader) => {
            read!(reader, |value: &parquet::data_type::FixedLenByteArray| text(value.data()))
        }
        // Refused when the file was opened.
        _ => Err(Problem::Text),
    }
}

/// 20 bytes are an address unless they are text.
fn text(bytes: &[u8]) -> Result<String, Problem> {
    let printable = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    match <[u8; 20]>::try_from(bytes) {
        Ok(address) if !printable => Ok(Address::from(address).to_string()),
        _ if bytes.len() == 32 && !printable => Ok(hex::encode_prefixed(bytes)),
        _ => String::from_utf8(bytes.to_vec()).map_err(|_| Problem::Text),
    }
}

/// What a decoder says, or that it panicked.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, RecordError> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(outcome) => outcome.map_err(|error| broken(&error)),
        Err(_) => Err(RecordError::Format("a broken Parquet file".to_owned())),
    }
}

fn broken(error: &ParquetError) -> RecordError {
    let text: String = error.to_string().chars().take(160).collect();
    RecordError::Format(format!("a broken Parquet file: {}", text.replace('\n', " ")))
}

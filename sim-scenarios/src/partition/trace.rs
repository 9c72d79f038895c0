//! Reads a trace in BlockEmulator's columns as the accounts that each transaction touches.
//!
//! Sender and recipient are columns 4 and 5, whether they are contracts columns 7 and 8; rows
//! without a recipient, which create contracts, are left out. The file is CSV, plain or gzip, or
//! Parquet by its name (`.parquet`).

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use alloy_primitives::Address;
use csv::StringRecord;
use partitioning::Stream;

use crate::workload::records::Records;

/// Positions and names of the columns that are read.
const FROM: (usize, &str) = (3, "from");
const TO: (usize, &str) = (4, "to");
const FROM_IS_CONTRACT: usize = 6;
const TO_IS_CONTRACT: usize = 7;
const COLUMNS: [usize; 4] = [FROM.0, TO.0, FROM_IS_CONTRACT, TO_IS_CONTRACT];

/// Transactions in order, and which of their accounts are contracts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The accounts of each transaction, the sender first.
    pub stream: Stream,
    /// Accounts that the trace calls contracts.
    pub contracts: BTreeSet<Address>,
    /// Rows that create a contract, which were left out.
    pub without_recipient: u64,
}

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened or read.
    #[error("cannot read {file}: {message}")]
    Read {
        /// Which.
        file: PathBuf,
        /// What the system or the reader says.
        message: String,
    },
    /// A row does not hold an address where there should be one.
    #[error(
        "{file}, {place}, column {column} ({name}): expected an address of 20 bytes, found {found:?}"
    )]
    Row {
        /// Which file.
        file: PathBuf,
        /// `line 3` of a CSV, `row 3` of a Parquet file, from 1.
        place: String,
        /// Its column, from 1.
        column: usize,
        /// The column's name.
        name: &'static str,
        /// What is there.
        found: String,
    },
    /// There is not a single transaction with a recipient.
    #[error("{0} has no transaction with a recipient")]
    Empty(PathBuf),
}

impl Trace {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, a row is wrong, or there is none.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let failed = |message: String| TraceError::Read { file: path.to_owned(), message };
        let file = File::open(path).map_err(|error| failed(error.to_string()))?;
        let mut records = Records::new(path, Box::new(file), &COLUMNS, &[FROM.0, TO.0])
            .map_err(|error| failed(error.to_string()))?;
        let mut trace = Self::default();
        let mut record = StringRecord::new();
        loop {
            let more = records.read(&mut record);
            if !more.map_err(|error| failed(format!("{}: {error}", records.place(&record))))? {
                break;
            }
            let address = |(index, name): (usize, &'static str)| {
                let text = record.get(index).map_or("", str::trim);
                Address::from_str(text).map_err(|_| TraceError::Row {
                    file: path.to_owned(),
                    place: records.place(&record),
                    column: index + 1,
                    name,
                    found: text.chars().take(80).collect(),
                })
            };
            let from = address(FROM)?;
            if matches!(record.get(TO.0).map(str::trim), Some("" | "None")) {
                trace.without_recipient += 1;
                continue;
            }
            let to = address(TO)?;
            for (account, column) in [(from, FROM_IS_CONTRACT), (to, TO_IS_CONTRACT)] {
                if matches!(record.get(column).map(str::trim), Some("1" | "true" | "True")) {
                    trace.contracts.insert(account);
                }
            }
            trace.stream.push(&[from, to]);
        }
        if trace.stream.is_empty() {
            return Err(TraceError::Empty(path.to_owned()));
        }
        Ok(trace)
    }
}

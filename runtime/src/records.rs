//! The record log of a process: an append-only file of framed records (`durability = process`).
//!
//! A frame is `length ‖ checksum ‖ bytes`. A record counts as durable once it was handed to the
//! operating system, which survives `kill -9`; a torn last frame is found by its checksum.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cross_shard_msg::codec::{self, CodecError, MAX_RECORD_BYTES};
use serde::Serialize;
use serde::de::DeserializeOwned;

const HEADER_BYTES: usize = 8;

/// Why a record log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A record is too large, or the bytes of a complete frame are not one.
    #[error("{path}: record {index}: {source}")]
    Codec {
        /// The log.
        path: PathBuf,
        /// Position of the record, from 0.
        index: usize,
        /// What is wrong.
        source: CodecError,
    },
}

/// Appends records.
#[derive(Debug)]
pub struct RecordLog {
    path: PathBuf,
    file: File,
    written: usize,
    frame: Vec<u8>,
}

impl RecordLog {
    /// Creates the log; what was at `path` is replaced.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        let file = File::create(path).map_err(io_error(path))?;
        Ok(Self { path: path.to_owned(), file, written: 0, frame: Vec::new() })
    }

    /// Appends a record. When this returns, the record survives the death of the process.
    ///
    /// # Errors
    /// When the record is too large or the file cannot be written.
    pub fn append<T: Serialize>(&mut self, record: &T) -> Result<(), RecordError> {
        let bytes = codec::encode_record(record).map_err(|source| RecordError::Codec {
            path: self.path.clone(),
            index: self.written,
            source,
        })?;
        self.frame.clear();
        // A record is at most 256 MiB, so its length fits.
        self.frame.extend((bytes.len() as u32).to_le_bytes());
        self.frame.extend(checksum(&bytes));
        self.frame.extend(bytes);
        self.file.write_all(&self.frame).map_err(io_error(&self.path))?;
        self.written += 1;
        Ok(())
    }
}

/// What was read from a log.
#[derive(Debug)]
pub struct ReadRecords<T> {
    /// The records, in order.
    pub records: Vec<T>,
    /// Whether the file ended within a record, as a killed process leaves it.
    pub torn: bool,
}

/// Reads all records of a log.
///
/// # Errors
/// When the file cannot be read or a complete frame is not a record.
pub fn read_records<T: DeserializeOwned>(path: &Path) -> Result<ReadRecords<T>, RecordError> {
    let mut reader = BufReader::new(File::open(path).map_err(io_error(path))?);
    let mut records = Vec::new();
    loop {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        let read = (&mut reader).take(HEADER_BYTES as u64).read_to_end(&mut header);
        match read.map_err(io_error(path))? {
            0 => return Ok(ReadRecords { records, torn: false }),
            HEADER_BYTES => {}
            _ => return Ok(ReadRecords { records, torn: true }),
        }
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        if length > MAX_RECORD_BYTES {
            return Ok(ReadRecords { records, torn: true });
        }
        let mut bytes = Vec::new();
        let read = (&mut reader).take(length as u64).read_to_end(&mut bytes);
        if read.map_err(io_error(path))? < length || checksum(&bytes) != header[4..8] {
            return Ok(ReadRecords { records, torn: true });
        }
        records.push(codec::decode_record(&bytes).map_err(|source| RecordError::Codec {
            path: path.to_owned(),
            index: records.len(),
            source,
        })?);
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash = blake3::hash(bytes);
    let mut sum = [0; 4];
    sum.copy_from_slice(&hash.as_bytes()[..4]);
    sum
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> RecordError {
    let path = path.to_owned();
    move |source| RecordError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_tail_loses_only_itself() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("records.bin");
        let mut log = RecordLog::create(&path).unwrap();
        for record in ["one", "two", "three"] {
            log.append(&record).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        let all: ReadRecords<String> = read_records(&path).unwrap();
        assert_eq!((all.records.len(), all.torn), (3, false));
        for cut in 1..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let read: ReadRecords<String> = read_records(&path).unwrap();
            assert!(read.records.len() < 3 && all.records.starts_with(&read.records), "{cut}");
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let read: ReadRecords<String> = read_records(&path).unwrap();
        assert_eq!((read.records.len(), read.torn), (2, true));
    }

    #[test]
    fn a_missing_log_is_named() {
        let error = read_records::<u8>(Path::new("no/such.bin")).unwrap_err();
        assert!(error.to_string().starts_with("no/such.bin: "));
    }
}

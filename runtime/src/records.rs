//! The record log of a process: an append-only file of framed records (rule R-REC-5).
//!
//! A frame is `length ‖ checksum ‖ bytes`. What was handed to the operating system survives
//! `kill -9`, which is all that [`Durability::Process`] promises; [`Durability::Disk`] waits for the
//! disk with every record. A torn last frame is found by its checksum, and cut off when the log is
//! opened again.
//!
//! Why not a database: see docs/performance.md, "Records on disk".

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use cross_shard_msg::codec::{self, CodecError, MAX_RECORD_BYTES};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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

/// What a durable record survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// The death of the process, however it dies.
    #[default]
    Process,
    /// A power failure too: every record is flushed to the disk before it counts.
    Disk,
}

/// Appends records.
#[derive(Debug)]
pub struct RecordLog {
    path: PathBuf,
    file: File,
    durability: Durability,
    written: usize,
    frame: Vec<u8>,
}

impl RecordLog {
    /// Creates the log; what was at `path` is replaced.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path, durability: Durability) -> Result<Self, RecordError> {
        let file = File::create(path).map_err(io_error(path))?;
        Ok(Self { path: path.to_owned(), file, durability, written: 0, frame: Vec::new() })
    }

    /// Opens the log of an earlier life, and reads it; what is torn at its end is cut off. A log
    /// that does not exist is created.
    ///
    /// # Errors
    /// When the file cannot be opened or a complete frame is not a record.
    pub fn open<T: DeserializeOwned>(
        path: &Path,
        durability: Durability,
    ) -> Result<(Self, Vec<T>), RecordError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(io_error(path))?;
        let (read, length) = read_frames(path, &mut file)?;
        file.set_len(length).map_err(io_error(path))?;
        file.seek(SeekFrom::Start(length)).map_err(io_error(path))?;
        let written = read.records.len();
        let log = Self { path: path.to_owned(), file, durability, written, frame: Vec::new() };
        Ok((log, read.records))
    }

    /// Appends a record. When this returns, the record survives what the log's [`Durability`] says.
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
        if self.durability == Durability::Disk {
            self.file.sync_data().map_err(io_error(&self.path))?;
        }
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
    let mut file = File::open(path).map_err(io_error(path))?;
    read_frames(path, &mut file).map(|(read, _)| read)
}

/// Reads all whole frames, and says where they end.
fn read_frames<T: DeserializeOwned>(
    path: &Path,
    file: &mut File,
) -> Result<(ReadRecords<T>, u64), RecordError> {
    let mut reader = BufReader::new(file);
    let mut records = Vec::new();
    let mut end = 0;
    loop {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        let read = (&mut reader).take(HEADER_BYTES as u64).read_to_end(&mut header);
        match read.map_err(io_error(path))? {
            0 => return Ok((ReadRecords { records, torn: false }, end)),
            HEADER_BYTES => {}
            _ => return Ok((ReadRecords { records, torn: true }, end)),
        }
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        if length > MAX_RECORD_BYTES {
            return Ok((ReadRecords { records, torn: true }, end));
        }
        let mut bytes = Vec::new();
        let read = (&mut reader).take(length as u64).read_to_end(&mut bytes);
        if read.map_err(io_error(path))? < length || checksum(&bytes) != header[4..8] {
            return Ok((ReadRecords { records, torn: true }, end));
        }
        end += (HEADER_BYTES + length) as u64;
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
        let mut log = RecordLog::create(&path, Durability::Process).unwrap();
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
            // A log that is opened again goes on behind its last whole record.
            let (mut log, before) = RecordLog::open::<String>(&path, Durability::Disk).unwrap();
            assert_eq!(before, read.records);
            log.append(&"more").unwrap();
            let again: ReadRecords<String> = read_records(&path).unwrap();
            let length = before.len();
            assert_eq!((again.records.len(), again.torn), (length + 1, false), "{cut}");
            assert_eq!(again.records[length], "more");
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let read: ReadRecords<String> = read_records(&path).unwrap();
        assert_eq!((read.records.len(), read.torn), (2, true));
    }

    #[test]
    fn a_log_that_never_was_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("records.bin");
        let (mut log, before) = RecordLog::open::<u8>(&path, Durability::Process).unwrap();
        assert!(before.is_empty());
        log.append(&7u8).unwrap();
        drop(log);
        assert_eq!(RecordLog::open::<u8>(&path, Durability::Process).unwrap().1, [7]);
    }

    #[test]
    fn a_missing_log_is_named() {
        let error = read_records::<u8>(Path::new("no/such.bin")).unwrap_err();
        assert!(error.to_string().starts_with("no/such.bin: "));
    }
}

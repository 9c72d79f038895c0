//! The observation log of a process: what its machine observed, buffered and written in order.
//!
//! An observation is one length byte and its encoding. Nothing is dropped: if the disk refuses, the
//! log says so and the run counts as incomplete.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use cross_shard_msg::{Observation, codec};

/// Bytes that wait in memory before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes observations.
#[derive(Debug)]
pub struct ObservationLog {
    writer: BufWriter<File>,
    at_once: bool,
    lost: u64,
}

impl ObservationLog {
    /// Creates the log; what was at `path` is replaced.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let writer = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
        Ok(Self { writer, at_once: false, lost: 0 })
    }

    /// Opens the log of an earlier life, or creates it; what is torn at its end is cut off.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut end = 0;
        while let Some(length) = bytes.get(end)
            && end + usize::from(*length) < bytes.len()
        {
            end += 1 + usize::from(*length);
        }
        file.set_len(end as u64)?;
        file.seek(SeekFrom::Start(end as u64))?;
        let writer = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Self { writer, at_once: false, lost: 0 })
    }

    /// The same log, which writes every observation when it is made: nothing of it is missing when
    /// the process is killed, at the price of a system call each.
    #[must_use]
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Appends an observation.
    pub fn append(&mut self, observation: &Observation) {
        let written = codec::encode(observation).map_err(io::Error::other).and_then(|bytes| {
            let length = u8::try_from(bytes.len()).map_err(io::Error::other)?;
            self.writer.write_all(&[length])?;
            self.writer.write_all(&bytes)
        });
        if written.is_err() {
            self.lost += 1;
        } else if self.at_once {
            self.flush();
        }
    }

    /// Writes what waits in memory.
    pub fn flush(&mut self) {
        if self.writer.flush().is_err() {
            self.lost += 1;
        }
    }

    /// Observations that could not be written; more than zero makes the run incomplete.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// Reads a log. A torn end, as a killed process leaves it, ends the list.
///
/// # Errors
/// When the file cannot be read, or a complete entry is no observation.
pub fn read_observations(path: &Path) -> io::Result<Vec<Observation>> {
    let bytes = std::fs::read(path)?;
    let mut observations = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, tail)) = rest.split_first() {
        let Some(entry) = tail.get(..usize::from(*length)) else { break };
        observations.push(codec::decode(entry).map_err(io::Error::other)?);
        rest = &tail[entry.len()..];
    }
    Ok(observations)
}

#[cfg(test)]
mod tests {
    use cross_shard_msg::{Event, Height, ShardId, Timestamp};

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("observations.bin");
        let event = Event::BatchArrived { source: ShardId(3), height: Height(u64::MAX) };
        let observation = Observation { at: Timestamp(7), event };
        let mut log = ObservationLog::create(&path).unwrap();
        for _ in 0..3 {
            log.append(&observation);
        }
        log.flush();
        assert_eq!(log.lost(), 0);
        assert_eq!(read_observations(&path).unwrap(), vec![observation; 3]);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(read_observations(&path).unwrap().len(), 2);
        let mut log = ObservationLog::open(&path).unwrap();
        log.append(&observation);
        log.flush();
        assert_eq!(read_observations(&path).unwrap(), vec![observation; 3]);
        let mut log = ObservationLog::open(&path).unwrap().at_once();
        log.append(&observation);
        assert_eq!(read_observations(&path).unwrap().len(), 4);
    }
}

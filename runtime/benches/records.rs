//! Where records go: the append-only log against redb, by records per second, bytes and CPU, and
//! what of either is there after a process died (R-REC-5). `cargo bench -p runtime --bench records`.
//!
//! The figures in docs/performance.md ("Records on disk") come from here.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use cross_shard_msg::codec;
use redb::{
    Builder, Database, Durability as Commit, ReadableDatabase as _, ReadableTableMetadata as _,
};
use redb::{StorageBackend, TableDefinition, TableError};
use runtime::clock::monotonic_nanos;
use runtime::records::{Durability, RecordLog, read_records};
use rustix::time::{ClockId, clock_gettime};

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
/// Sizes of records, in bytes: a vote, a block of a hundred transfers, a block of five thousand.
const SIZES: [(usize, u64); 3] = [(200, 20_000), (40_000, 5_000), (2_000_000, 100)];
const WAYS: [&str; 5] = ["log", "log disk", "redb none", "redb no sync", "redb disk"];
/// Waiting for the disk makes a record cost milliseconds.
const SYNCED_RECORDS: u64 = 500;

fn main() {
    let mut arguments = std::env::args().skip(1);
    if let (Some("write"), Some(way), Some(path)) =
        (arguments.next().as_deref(), arguments.next(), arguments.next())
    {
        // A process that dies right after its last record.
        write(&way, Path::new(&path), 200, 1_000);
        std::process::abort();
    }
    println!(
        "{:14} {:>9} {:>12} {:>12} {:>12} {:>9}",
        "", "record", "records/s", "CPU µs", "bytes", "bytes/rec"
    );
    for (size, count) in SIZES {
        for way in WAYS {
            let count = if way.ends_with("disk") { count.min(SYNCED_RECORDS) } else { count };
            let directory = tempfile::tempdir_in(".").unwrap();
            let path = directory.path().join("records");
            let (wall, cpu) = (monotonic_nanos(), cpu_nanos());
            write(way, &path, size, count);
            let (wall, cpu) = (monotonic_nanos() - wall, cpu_nanos() - cpu);
            let bytes = std::fs::metadata(&path).unwrap().len();
            println!(
                "{way:14} {size:>9} {:>12.0} {:>12.1} {bytes:>12} {:>9}",
                count as f64 * 1e9 / wall as f64,
                cpu as f64 / 1e3 / count as f64,
                bytes / count
            );
        }
    }
    println!("\nof 1,000 records, after the process died:");
    for way in WAYS {
        let directory = tempfile::tempdir_in(".").unwrap();
        let path = directory.path().join("records");
        let itself = std::env::current_exe().unwrap();
        let status = Command::new(itself).arg("write").arg(way).arg(&path).status().unwrap();
        assert!(!status.success());
        println!("{way:14} {}", survivors(way, &path));
    }
}

fn write(way: &str, path: &Path, size: usize, count: u64) {
    let record = vec![7u8; size];
    match way {
        "log" | "log disk" => {
            let disk = way == "log disk";
            let durability = if disk { Durability::Disk } else { Durability::Process };
            let mut log = RecordLog::create(path, durability).unwrap();
            (0..count).for_each(|_| log.append(&record).unwrap());
        }
        _ => {
            let database = open(way, path);
            let commit = if way == "redb none" { Commit::None } else { Commit::Immediate };
            for index in 0..count {
                let bytes = codec::encode_record(&record).unwrap();
                let mut transaction = database.begin_write().unwrap();
                transaction.set_durability(commit).unwrap();
                transaction.open_table(TABLE).unwrap().insert(index, bytes.as_slice()).unwrap();
                transaction.commit().unwrap();
            }
            // A database that is closed in order would make everything durable.
            std::mem::forget(database);
        }
    }
}

fn survivors(way: &str, path: &Path) -> u64 {
    if way.starts_with("log") {
        return read_records::<Vec<u8>>(path).unwrap().records.len() as u64;
    }
    let database = open(way, path);
    let read = database.begin_read().unwrap();
    match read.open_table(TABLE) {
        Ok(table) => table.len().unwrap(),
        Err(TableError::TableDoesNotExist(_)) => 0,
        Err(error) => panic!("{way}: {error}"),
    }
}

fn open(way: &str, path: &Path) -> Database {
    if way != "redb no sync" {
        return Database::create(path).unwrap();
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).open(path).unwrap();
    Builder::new().create_with_backend(PageCache(file)).unwrap()
}

/// A file whose writes are left to the operating system.
#[derive(Debug)]
struct PageCache(File);

impl StorageBackend for PageCache {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// CPU time of this process, in nanoseconds.
fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

//! Replays a trace in BlockEmulator's columns as transfers.
//!
//! Who pays whom is the trace's. Its addresses get stand-ins: senders one with a key derived from
//! the seed, all others one derived by hashing. The same address has the same stand-in in all
//! traces of a scenario.

use std::io::{BufRead, BufReader, Read};
use std::str::FromStr as _;

use alloy_primitives::map::HashMap;
use alloy_primitives::{Address, Bytes, U256};
use cross_shard_msg::{Duration, Wei};
use csv::StringRecord;
use partitioning::Allocation;

use super::build::Context;
use super::counterparts::Counterparts;
use super::records::{RecordError, Records};
use super::{
    KeyOf, Open, Planned, Skipped, Stage, TraceName, User, UserIndex, Workers, WorkloadError, keys,
};
use crate::scenario::{FileRef, TRANSFER_GAS, TraceLoad};

/// The first two bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Positions and names of the columns that are read.
const FROM: (usize, &str) = (3, "from");
const TO: (usize, &str) = (4, "to");
const VALUE: (usize, &str) = (8, "value");

/// Position of an address in the book.
type Name = u32;

/// All addresses of all traces, numbered in the order of their first appearance.
#[derive(Debug, Default)]
pub(super) struct TraceBook {
    names: HashMap<Address, Name>,
    /// The address, and whether it sends.
    addresses: Vec<(Address, bool)>,
}

impl TraceBook {
    fn name(&mut self, address: Address, sends: bool) -> Name {
        let next = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        let name = *self.names.entry(address).or_insert(next);
        match self.addresses.get_mut(name as usize) {
            Some(known) => known.1 |= sends,
            None => self.addresses.push((address, sends)),
        }
        name
    }

    /// Gives every address its stand-in.
    pub(super) fn resolve(&self, seed: u64, workers: &Workers<'_>) -> Vec<TraceName> {
        let resolve = |(trace, sends): &(Address, bool)| {
            let address = if *sends {
                keys::address(seed, KeyOf::Trace(*trace))
            } else {
                keys::keyless_address(seed, *trace)
            };
            TraceName { trace: *trace, address, sends: *sends }
        };
        workers
            .chunks(&self.addresses, |_, chunk| chunk.iter().map(resolve).collect::<Vec<_>>())
            .concat()
    }
}

/// Appends the senders of traces to the users. Returns each name's index among them.
pub(super) fn add_users(names: &[TraceName], users: &mut Vec<User>) -> Vec<Option<UserIndex>> {
    let mut add = |name: &TraceName| {
        name.sends.then(|| {
            let index = UserIndex(u32::try_from(users.len()).unwrap_or(u32::MAX));
            users.push(User { address: name.address, key: KeyOf::Trace(name.trace) });
            index
        })
    };
    names.iter().map(&mut add).collect()
}

/// The transfers of one trace file.
#[derive(Debug)]
pub(super) struct TraceRows {
    rows: Vec<Row>,
    read: u64,
    without_recipient: u64,
    to_oneself: u64,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    from: Name,
    to: Name,
    value: Wei,
}

impl TraceRows {
    /// Reads a file up to `wanted` transfers, or to its end.
    pub(super) fn read(
        load: &TraceLoad,
        wanted: Option<usize>,
        open: Open<'_>,
        book: &mut TraceBook,
    ) -> Result<Self, WorkloadError> {
        let file = &load.file;
        let columns =
            if load.value.is_some() { vec![FROM.0, TO.0] } else { vec![FROM.0, TO.0, VALUE.0] };
        let mut record = StringRecord::new();
        let mut records = open(&file.path)
            .map_err(RecordError::Io)
            .and_then(|content| Records::new(&file.path, content, &columns, &columns))
            .map_err(|error| unreadable(file, String::new(), error))?;
        let mut found = Self { rows: Vec::new(), read: 0, without_recipient: 0, to_oneself: 0 };
        while wanted.is_none_or(|wanted| found.rows.len() < wanted) {
            let more = records.read(&mut record);
            if !more.map_err(|error| unreadable(file, records.place(&record), error))? {
                break;
            }
            found.read += 1;
            let row = RowReader { file, record: &record, records: &records };
            let from = row.address(FROM)?;
            let Some(to) = row.recipient()? else {
                found.without_recipient += 1;
                continue;
            };
            if from == to {
                found.to_oneself += 1;
                continue;
            }
            // An amount that is overridden need not be a number.
            let value = load.value.map_or_else(|| row.amount(), Ok)?;
            let (from, to) = (book.name(from, true), book.name(to, false));
            found.rows.push(Row { from, to, value });
        }
        if found.rows.is_empty() && wanted != Some(0) {
            return Err(WorkloadError::NoRows { file: file.written.clone() });
        }
        Ok(found)
    }

    /// Number of transfers.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn skipped(&self, phase: u16, load: u16) -> Skipped {
        Skipped {
            phase,
            load,
            rows: self.read,
            without_recipient: self.without_recipient,
            to_oneself: self.to_oneself,
        }
    }
}

/// Plans one load.
pub(super) struct Replay<'a> {
    pub(super) rows: &'a TraceRows,
    pub(super) context: &'a Context,
    pub(super) names: &'a [TraceName],
    pub(super) senders: &'a [Option<UserIndex>],
}

impl Replay<'_> {
    /// Appends one transfer for each moment of `due`, beginning again when the rows are through.
    pub(super) fn plan(&self, due: &[Duration], transactions: &mut Vec<Planned>) {
        let rows = self.rows.rows.iter().cycle();
        let planned = due
            .iter()
            .zip(rows)
            .filter_map(|(at, row)| self.transfer(*at, row.from, row.to, row.value));
        transactions.extend(planned);
    }

    /// The same, with sender and recipient on one shard.
    pub(super) fn plan_local(
        &self,
        due: &[Duration],
        stand_ins: &StandIns,
        transactions: &mut Vec<Planned>,
    ) {
        let rows = self.rows.rows.iter().cycle();
        let numbered = (usize::from(self.context.load)..).zip(due).zip(rows);
        let planned = numbered.filter_map(|((number, at), row)| {
            let shard = stand_ins.senders.turn(number);
            let from = stand_ins.senders.of(row.from, shard);
            self.transfer(*at, from, stand_ins.all.beside(row.to, from, shard), row.value)
        });
        transactions.extend(planned);
    }

    fn transfer(&self, at: Duration, from: Name, to: Name, value: Wei) -> Option<Planned> {
        Some(Planned {
            stage: Stage::Run,
            phase: self.context.phase,
            load: self.context.load,
            at,
            sender: self.senders.get(from as usize).copied().flatten()?,
            to: Some(self.names.get(to as usize)?.address),
            value,
            gas: TRANSFER_GAS,
            input: Bytes::new(),
        })
    }
}

/// Who stands for whom on which shard, where everything is local.
pub(super) struct StandIns {
    /// Those that send.
    senders: Counterparts,
    all: Counterparts,
}

impl StandIns {
    /// Of all names of all traces.
    ///
    /// # Errors
    /// When a shard has no sender, or nobody beside it.
    pub(super) fn new(names: &[TraceName], allocation: &Allocation) -> Result<Self, WorkloadError> {
        let home = |name: &TraceName| Some(allocation.base_home(&name.address));
        let shards = allocation.shards();
        let sender = |name: &TraceName| if name.sends { home(name) } else { None };
        let senders = Counterparts::new(names.iter().map(sender), shards);
        let all = Counterparts::new(names.iter().map(home), shards);
        let missing = |shard, problem| WorkloadError::AllLocal { shard, problem };
        if let Some(shard) = senders.too_short(1) {
            return Err(missing(shard, "no sender of a trace lives there"));
        }
        if let Some(shard) = all.too_short(2) {
            return Err(missing(shard, "fewer than two addresses of traces live there"));
        }
        Ok(Self { senders, all })
    }
}

/// The content of a file that may be gzip.
pub(crate) fn plain(file: Box<dyn Read>) -> std::io::Result<Box<dyn Read>> {
    let mut buffered = BufReader::with_capacity(64 << 10, file);
    if buffered.fill_buf()?.starts_with(&GZIP) {
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(buffered)));
    }
    Ok(Box::new(buffered))
}

struct RowReader<'a> {
    file: &'a FileRef,
    record: &'a StringRecord,
    records: &'a Records,
}

impl RowReader<'_> {
    fn address(&self, field: (usize, &'static str)) -> Result<Address, WorkloadError> {
        let text = self.text(field)?;
        Address::from_str(text).map_err(|_| self.wrong(field, "an address of 20 bytes", text))
    }

    /// The recipient; `None` where a contract is created: the field is empty or `None`.
    fn recipient(&self) -> Result<Option<Address>, WorkloadError> {
        match self.text(TO)? {
            "" | "None" => Ok(None),
            _ => self.address(TO).map(Some),
        }
    }

    fn amount(&self) -> Result<Wei, WorkloadError> {
        let text = self.text(VALUE)?;
        U256::from_str_radix(text, 10)
            .ok()
            .filter(|_| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or_else(|| self.wrong(VALUE, "a whole number of wei", text))
    }

    fn text(&self, field: (usize, &'static str)) -> Result<&str, WorkloadError> {
        let text = self.record.get(field.0).map(str::trim);
        text.ok_or_else(|| self.wrong(field, "a field", "the end of the line"))
    }

    fn wrong(
        &self,
        (index, field): (usize, &'static str),
        expected: &'static str,
        found: &str,
    ) -> WorkloadError {
        WorkloadError::Row {
            file: self.file.written.clone(),
            place: self.records.place(self.record),
            column: index + 1,
            field,
            expected,
            found: found.chars().take(80).collect(),
        }
    }
}

/// What could not be read, and where.
fn unreadable(file: &FileRef, place: String, error: RecordError) -> WorkloadError {
    let file = file.written.clone();
    match error {
        RecordError::Io(source) => WorkloadError::Read { file, source },
        RecordError::Format(problem) => {
            WorkloadError::Read { file, source: std::io::Error::other(problem) }
        }
        RecordError::Field { column, name, expected, found } => {
            let place = if place.is_empty() { "its schema".to_owned() } else { place };
            WorkloadError::Row { file, place, column, field: name, expected, found }
        }
    }
}

//! One transaction's life across shards, read from the tables of a run and drawn as a waterfall:
//! who had it, in which state, from when to when.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::number::millis;
use cross_shard_msg::Duration;

/// Most transactions that are listed when a prefix has several.
const MOST_LISTED: usize = 5;
/// Columns of a time in the drawing.
const TIME_WIDTH: usize = 9;

/// Why there is nothing to draw.
#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    /// A table is missing or is not what a run writes.
    #[error("{path}: {problem}\n  expected the directory of a run, with its tables")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// No transaction of the run is meant.
    #[error("{asked} is no transaction of this run: transactions.csv has all of them")]
    Unknown {
        /// As asked.
        asked: String,
    },
    /// Several transactions are meant.
    #[error("{asked} is the beginning of {count} transactions, such as {some}")]
    Ambiguous {
        /// As asked.
        asked: String,
        /// How many there are.
        count: usize,
        /// The first ones.
        some: String,
    },
}

/// A transaction's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Its hash.
    pub hash: String,
    /// What it is and what became of it.
    pub summary: String,
    /// Steps, by the time at which they begin.
    pub steps: Vec<Step>,
}

/// A part of a transaction's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where: `shard:1`, `shard:1 to 3`.
    pub place: String,
    /// What: `mempool`, `block 12`.
    pub what: String,
    /// When it began, in nanoseconds from the network's start.
    pub start: u64,
    /// When it was over; not before `start`.
    pub end: u64,
}

/// Finds the transaction whose hash begins with `asked` in the tables of the run in `directory`.
///
/// # Errors
/// When a table cannot be read, or there is not exactly one such transaction.
pub fn life(directory: &Path, asked: &str) -> Result<Life, LifeError> {
    let wanted = asked.trim().to_lowercase();
    let wanted = wanted.strip_prefix("0x").unwrap_or(&wanted).to_owned();
    // Traces name a transaction by its key as a number: the first eight bytes of its hash.
    let key = asked.trim().parse::<u64>().ok().map(|key| format!("{key:016x}"));
    let mut found: Vec<Row> = Vec::new();
    let mut count = 0;
    each(directory, "transactions.csv", |row| {
        let hash = row.text("hash").trim_start_matches("0x");
        let meant = |beginning: &str| hash.starts_with(beginning);
        if meant(&wanted) || key.as_deref().is_some_and(meant) {
            count += 1;
            if found.len() < MOST_LISTED {
                found.push(row);
            }
        }
    })?;
    let hashes: Vec<&str> = found.iter().map(|row| row.text("hash")).collect();
    let transaction = match found.as_slice() {
        [] => return Err(LifeError::Unknown { asked: asked.to_owned() }),
        [one] => one,
        _ => {
            let some = hashes.join(", ");
            return Err(LifeError::Ambiguous { asked: asked.to_owned(), count, some });
        }
    };
    let (network, index) = (transaction.text("network"), transaction.text("index"));
    let mut legs: Vec<Row> = Vec::new();
    each(directory, "legs.csv", |row| {
        if row.text("network") == network && row.text("transaction") == index {
            legs.push(row);
        }
    })?;
    let blocks = blocks_of(directory, network, &legs)?;
    Ok(Life::of(transaction, &legs, &blocks))
}

impl Life {
    /// Puts together what a row of transactions.csv, its rows of legs.csv in order of execution and
    /// the blocks that executed or caused them say.
    #[must_use]
    pub(super) fn of(transaction: &Row, legs: &[Row], blocks: &Blocks) -> Self {
        let mut steps = Vec::new();
        admission(transaction, legs, &mut steps);
        for leg in legs {
            travel(leg, blocks, &mut steps);
        }
        finality(transaction, legs, blocks, &mut steps);
        steps.sort_by_key(|step: &Step| (step.start, step.end));
        let summary = summary(transaction, legs.len());
        Self { hash: transaction.text("hash").to_owned(), summary, steps }
    }

    /// The drawing, at most `width` columns wide where that leaves room for bars.
    #[must_use]
    pub fn drawn(&self, width: usize) -> String {
        let mut text = format!("{}\n{}\n", self.hash, self.summary);
        let (Some(first), Some(last)) =
            (self.steps.first().map(|step| step.start), self.steps.iter().map(|it| it.end).max())
        else {
            text.push_str("it was never sent\n");
            return text;
        };
        let longest = |of: fn(&Step) -> &String| {
            self.steps.iter().map(|step| of(step).chars().count()).max().unwrap_or(0)
        };
        let (place, what) = (longest(|step| &step.place), longest(|step| &step.what));
        let columns = width.saturating_sub(place + what + 2 * TIME_WIDTH + 8).max(10);
        let _ = writeln!(
            text,
            "\n{:place$}  {:what$}  {:columns$}  {:>TIME_WIDTH$}  {:>TIME_WIDTH$}",
            "where", "what", "", "from ms", "took ms",
        );
        let span = u128::from((last - first).max(1));
        let column = |at: u64| (u128::from(at - first) * columns as u128 / span) as usize;
        for step in &self.steps {
            let start = column(step.start).min(columns - 1);
            let end = column(step.end).clamp(start + 1, columns);
            let mark = if step.end == step.start { "·" } else { "█" };
            let bar = format!("{}{}", " ".repeat(start), mark.repeat(end - start));
            let _ = writeln!(
                text,
                "{:place$}  {:what$}  {bar:columns$}  {:>TIME_WIDTH$}  {:>TIME_WIDTH$}",
                step.place,
                step.what,
                millis(Duration(step.start - first)),
                millis(Duration(step.end - step.start)),
            );
        }
        let _ = writeln!(
            text,
            "\nscheduled {} ms after the network's start, {} ms in all",
            millis(Duration(first)),
            millis(Duration(last - first))
        );
        text
    }
}

/// From the schedule into the block at its source.
fn admission(transaction: &Row, legs: &[Row], steps: &mut Vec<Step>) {
    let at = |column| transaction.number(column);
    let source = format!("shard:{}", transaction.text("source"));
    step(steps, "client", "to be sent", at("scheduled_ns"), at("submitted_ns"));
    let admitted = at("admitted_ns");
    step(steps, &format!("client to {source}"), "admission", at("submitted_ns"), admitted);
    let started = legs.first().and_then(|leg| leg.number("started_ns"));
    step(steps, &source, "mempool", admitted, started.or(at("refused_ns")));
    if admitted.is_none() {
        step(steps, &source, "refused", at("submitted_ns"), at("refused_ns"));
    }
}

/// A leg's way to its shard, and its block there.
fn travel(leg: &Row, blocks: &Blocks, steps: &mut Vec<Step>) {
    let at = |column| leg.number(column);
    let (shard, source) = (leg.text("shard"), leg.text("source"));
    let here = format!("shard:{shard}");
    let travelled = at("released_ns").is_some() && !leg.text("source_height").is_empty();
    if travelled {
        let caused = blocks.get(&(source.to_owned(), leg.text("source_height").to_owned()));
        let executed = caused.and_then(|block| block.executed);
        let way = format!("shard:{source} to {shard}");
        step(steps, &format!("shard:{source}"), "release", executed, at("released_ns"));
        step(steps, &way, leg.text("kind"), at("released_ns"), at("arrived_ns"));
        step(steps, &here, "gate", at("arrived_ns"), at("accepted_ns"));
        step(steps, &here, "queue", at("accepted_ns"), at("started_ns"));
    }
    let block = match leg.text("status") {
        "succeeded" => format!("block {}", leg.text("height")),
        status => format!("block {}: {status}", leg.text("height")),
    };
    step(steps, &here, &block, at("started_ns"), at("executed_ns"));
}

/// From the last block to the checkpoint that covers all.
fn finality(transaction: &Row, legs: &[Row], blocks: &Blocks, steps: &mut Vec<Step>) {
    let last = legs.iter().max_by_key(|leg| leg.number("executed_ns"));
    let Some(last) = last else { return };
    let block = blocks.get(&(last.text("shard").to_owned(), last.text("height").to_owned()));
    let place = match block.map(|block| block.checkpoint.as_str()) {
        Some(number) if !number.is_empty() => format!("checkpoint {number}"),
        _ => "checkpoint".to_owned(),
    };
    let executed = last.number("executed_ns");
    step(steps, &place, "finality", executed, transaction.number("finalized_ns"));
}

fn summary(transaction: &Row, legs: usize) -> String {
    let mut words = vec![transaction.text("outcome").to_owned()];
    for column in ["refusal", "failure", "class"] {
        let word = transaction.text(column);
        if !word.is_empty() {
            words.push(word.to_owned());
        }
    }
    words.push(format!("{legs} {}", if legs == 1 { "leg" } else { "legs" }));
    words.push(format!("{} of phase {}", transaction.text("kind"), transaction.text("phase")));
    words.join(", ")
}

/// Adds a step whose ends are known. Clocks of one host agree, but an end is never before its
/// start.
fn step(steps: &mut Vec<Step>, place: &str, what: &str, start: Option<u64>, end: Option<u64>) {
    if let (Some(start), Some(end)) = (start, end) {
        let (place, what) = (place.to_owned(), what.to_owned());
        steps.push(Step { place, what, start, end: end.max(start) });
    }
}

/// What is known of a block.
pub(super) struct BlockFacts {
    /// When it was executed.
    pub executed: Option<u64>,
    /// The checkpoint that covers it, as written; empty without one.
    pub checkpoint: String,
}

/// By shard and height, as written.
pub(super) type Blocks = BTreeMap<(String, String), BlockFacts>;

/// The blocks that executed or caused these legs.
fn blocks_of(directory: &Path, network: &str, legs: &[Row]) -> Result<Blocks, LifeError> {
    let wanted = |shard: &str, height: &str| {
        legs.iter().any(|leg| {
            (leg.text("shard") == shard && leg.text("height") == height)
                || (leg.text("source") == shard && leg.text("source_height") == height)
        })
    };
    let mut blocks = Blocks::new();
    each(directory, "blocks.csv", |row| {
        let (shard, height) = (row.text("shard").to_owned(), row.text("height").to_owned());
        if row.text("network") == network && wanted(&shard, &height) {
            let executed = row.number("executed_ns");
            let checkpoint = row.text("checkpoint").to_owned();
            blocks.insert((shard, height), BlockFacts { executed, checkpoint });
        }
    })?;
    Ok(blocks)
}

/// A row with the names of its columns.
pub(super) struct Row {
    columns: std::rc::Rc<StringRecord>,
    fields: StringRecord,
}

impl Row {
    /// A row of a table with these columns.
    pub fn new(columns: std::rc::Rc<StringRecord>, fields: StringRecord) -> Self {
        Self { columns, fields }
    }

    /// A column's text; empty where there is none.
    pub fn text(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|name| name == column);
        place.and_then(|place| self.fields.get(place)).unwrap_or_default()
    }

    fn number(&self, column: &str) -> Option<u64> {
        self.text(column).parse().ok()
    }
}

fn each(directory: &Path, name: &str, mut take: impl FnMut(Row)) -> Result<(), LifeError> {
    let path = directory.join(name);
    let unreadable = |error: csv::Error| LifeError::Unreadable {
        path: path.clone(),
        problem: error.to_string(),
    };
    let mut reader = csv::Reader::from_path(&path).map_err(unreadable)?;
    let columns = std::rc::Rc::new(reader.headers().map_err(unreadable)?.clone());
    for fields in reader.records() {
        let fields = fields.map_err(unreadable)?;
        take(Row { columns: std::rc::Rc::clone(&columns), fields });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTIONS: &str = "\
network,index,hash,kind,phase,source,outcome,refusal,failure,class,scheduled_ns,submitted_ns,\
admitted_ns,refused_ns,finalized_ns
0,0,0xaa00000000000001ff,transfer,steady,0,settled,,,cross,1000000,2000000,3000000,,90000000
0,1,0xaa00000000000002ff,transfer,steady,1,refused,nonce,,,5000000,6000000,,7000000,
";
    const LEGS: &str = "\
network,transaction,leg,kind,shard,height,source,source_height,status,released_ns,arrived_ns,\
accepted_ns,started_ns,executed_ns
0,0,0,transaction,0,4,,,succeeded,,,,10000000,11000000
0,0,1,call,1,5,0,4,revert,12000000,20000000,20000000,30000000,31000000
";
    const BLOCKS: &str = "\
network,shard,height,checkpoint,executed_ns
0,0,4,2,11000000
0,1,5,3,31000000
";

    fn run() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let tables =
            [("transactions.csv", TRANSACTIONS), ("legs.csv", LEGS), ("blocks.csv", BLOCKS)];
        for (name, text) in tables {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    #[test]
    fn a_life_is_drawn_step_by_step() {
        let run = run();
        let life = life(run.path(), "0xaa00000000000001").unwrap();
        assert_eq!(life.summary, "settled, cross, 2 legs, transfer of phase steady");
        let steps: Vec<String> = life
            .steps
            .iter()
            .map(|step| format!("{}|{}|{}|{}", step.place, step.what, step.start, step.end))
            .collect();
        assert_eq!(
            steps,
            [
                "client|to be sent|1000000|2000000",
                "client to shard:0|admission|2000000|3000000",
                "shard:0|mempool|3000000|10000000",
                "shard:0|block 4|10000000|11000000",
                "shard:0|release|11000000|12000000",
                "shard:0 to 1|call|12000000|20000000",
                "shard:1|gate|20000000|20000000",
                "shard:1|queue|20000000|30000000",
                "shard:1|block 5: revert|30000000|31000000",
                "checkpoint 3|finality|31000000|90000000",
            ]
        );
        for width in [80, 200] {
            let drawn = life.drawn(width);
            assert!(drawn.lines().skip(1).all(|line| line.chars().count() <= width), "{drawn}");
        }
    }

    #[test]
    fn exactly_one_transaction_is_meant() {
        let run = run();
        let refused = life(run.path(), &0xaa00_0000_0000_0002_u64.to_string()).unwrap();
        assert_eq!(refused.hash, "0xaa00000000000002ff");
        assert_eq!(refused.steps.last().unwrap().what, "refused");
        assert!(matches!(life(run.path(), "AA"), Err(LifeError::Ambiguous { count: 2, .. })));
        assert!(matches!(life(run.path(), "0xbb"), Err(LifeError::Unknown { .. })));
        let nowhere = run.path().join("nowhere");
        assert!(matches!(life(&nowhere, "aa"), Err(LifeError::Unreadable { .. })));
    }
}

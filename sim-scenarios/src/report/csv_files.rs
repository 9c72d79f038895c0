//! The CSV tables: one row per transaction, leg, block and checkpoint, and who stood in for whom.
//! Times are nanoseconds since the network's start; a field is empty where there is nothing.

use std::io::Write;

use csv::Writer;

use crate::metrics::blocks::BlockRow;
use crate::metrics::lifecycle::Lifecycle;
use crate::metrics::results::failure_name;
use crate::metrics::stages::Part;
use crate::metrics::{Joined, Measured, Moment, TransactionInfo};
use cross_shard_msg::{Failure, LegStatus, ReceiptKind};

/// Columns of transactions.csv.
pub const TRANSACTIONS: &[&str] = &[
    "network",
    "index",
    "hash",
    "kind",
    "phase",
    "load",
    "setup",
    "sender",
    "recipient",
    "source",
    "outcome",
    "refusal",
    "failure",
    "class",
    "shards",
    "legs",
    "attempts",
    "scheduled_ns",
    "submitted_ns",
    "admitted_ns",
    "refused_ns",
    "executed_ns",
    "released_ns",
    "arrived_ns",
    "accepted_ns",
    "destination_started_ns",
    "destination_executed_ns",
    "settled_ns",
    "finalized_ns",
    "release_stage_ns",
    "network_stage_ns",
    "gate_stage_ns",
    "queue_stage_ns",
    "execution_stage_ns",
];

/// Columns of legs.csv.
pub const LEGS: &[&str] = &[
    "network",
    "transaction",
    "leg",
    "kind",
    "shard",
    "height",
    "position",
    "source",
    "sequence",
    "source_height",
    "status",
    "gas_used",
    "caused",
    "created",
    "released_ns",
    "arrived_ns",
    "accepted_ns",
    "started_ns",
    "executed_ns",
    "finalized_ns",
];

/// Columns of blocks.csv.
pub const BLOCKS: &[&str] = &[
    "network",
    "shard",
    "height",
    "hash",
    "transactions",
    "receipts_in",
    "receipts_out",
    "placements",
    "gas_used",
    "gas_limit",
    "base_fee_wei",
    "mempool",
    "delayed",
    "buffered",
    "congestion_level",
    "applied_checkpoint",
    "checkpoint",
    "started_ns",
    "executed_ns",
    "released_ns",
    "finalized_ns",
];

/// Columns of checkpoints.csv.
pub const CHECKPOINTS: &[&str] = &[
    "network",
    "number",
    "crosslinks",
    "blocks",
    "placements",
    "coordinators",
    "proposed_ns",
    "finalized_ns",
];

/// Columns of senders.csv.
pub const SENDERS: &[&str] = &["trace_address", "address", "sends"];

/// Writes transactions.csv.
///
/// # Errors
/// What the writer says.
pub fn transactions(measured: &Measured<'_>, out: impl Write) -> csv::Result<()> {
    let mut table = Table::new(out, TRANSACTIONS)?;
    for network in &measured.networks {
        for (at, (info, life)) in network.transactions().enumerate() {
            table.field(network.data.label)?;
            table.field(at)?;
            transaction(&mut table, measured, network, at, info, life)?;
            table.end()?;
        }
    }
    table.finish()
}

/// Writes legs.csv.
///
/// # Errors
/// What the writer says.
pub fn legs(measured: &Measured<'_>, out: impl Write) -> csv::Result<()> {
    let mut table = Table::new(out, LEGS)?;
    for network in &measured.networks {
        let mut before = None;
        let mut number = 0;
        for row in network.legs.rows() {
            number = if before == Some(row.transaction) { number + 1 } else { 0 };
            before = Some(row.transaction);
            let block = network.blocks.at(row.block);
            let leg = row.leg(&network.blocks);
            let times = network.leg_times(row);
            table.field(network.data.label)?;
            table.field(row.transaction)?;
            table.field(number)?;
            table.field(row.kind().map_or("transaction", kind_name))?;
            table.field(block.shard())?;
            table.field(block.height())?;
            table.field(row.position)?;
            table.optional(row.origin.map(|origin| origin.source))?;
            table.optional(row.origin.map(|origin| origin.sequence))?;
            table.optional(row.origin.and_then(|origin| origin.released))?;
            table.field(status_name(leg.status))?;
            table.field(leg.gas_used)?;
            table.field(leg.caused)?;
            table.field(leg.created)?;
            table.moment(times.released)?;
            table.moment(times.arrived)?;
            table.moment(times.accepted)?;
            table.moment(times.started)?;
            table.moment(times.executed)?;
            table.moment(block.finalized)?;
            table.end()?;
        }
    }
    table.finish()
}

/// Writes blocks.csv.
///
/// # Errors
/// What the writer says.
pub fn blocks(measured: &Measured<'_>, out: impl Write) -> csv::Result<()> {
    let mut table = Table::new(out, BLOCKS)?;
    for network in &measured.networks {
        for row in network.blocks.rows() {
            table.field(network.data.label)?;
            block(&mut table, row)?;
            table.end()?;
        }
    }
    table.finish()
}

/// Writes checkpoints.csv.
///
/// # Errors
/// What the writer says.
pub fn checkpoints(measured: &Measured<'_>, out: impl Write) -> csv::Result<()> {
    let mut table = Table::new(out, CHECKPOINTS)?;
    for network in &measured.networks {
        for row in &network.checkpoints {
            table.field(network.data.label)?;
            table.field(row.number)?;
            table.field(row.crosslinks)?;
            table.field(row.blocks)?;
            table.field(row.placements)?;
            table.field(row.observers)?;
            table.moment(row.proposed)?;
            table.moment(row.finalized)?;
            table.end()?;
        }
    }
    table.finish()
}

/// Writes senders.csv.
///
/// # Errors
/// What the writer says.
pub fn senders(measured: &Measured<'_>, out: impl Write) -> csv::Result<()> {
    let mut table = Table::new(out, SENDERS)?;
    for substitute in &measured.run.substitutes {
        table.field(substitute.trace)?;
        table.field(substitute.address)?;
        table.field(substitute.sends)?;
        table.end()?;
    }
    table.finish()
}

fn transaction<W: Write>(
    table: &mut Table<W>,
    measured: &Measured<'_>,
    network: &Joined<'_>,
    at: usize,
    info: &TransactionInfo,
    life: &Lifecycle,
) -> csv::Result<()> {
    let phase = measured.run.scenario.phases.get(usize::from(info.phase));
    table.field(info.hash)?;
    table.field(info.kind.name())?;
    table.optional(phase.map(|phase| &phase.name))?;
    table.field(info.load)?;
    table.field(info.setup)?;
    table.field(info.sender)?;
    table.optional(info.recipient)?;
    table.field(life.source)?;
    table.field(life.outcome)?;
    table.optional(life.refusal)?;
    table.optional(life.failure.map(failure_name))?;
    table.optional(life.class.map(crate::metrics::Class::name))?;
    table.field(life.shards)?;
    table.field(life.legs)?;
    table.field(life.attempts)?;
    table.field(life.scheduled.0)?;
    table.moment(life.submitted)?;
    table.moment(life.admitted)?;
    table.moment(life.refused)?;
    table.moment(life.executed)?;
    let last = network.legs.of(at).iter().rfind(|leg| leg.kind() == Some(ReceiptKind::Call));
    let times = last.map(|leg| network.leg_times(leg)).unwrap_or_default();
    table.moment(times.released)?;
    table.moment(times.arrived)?;
    table.moment(times.accepted)?;
    table.moment(times.started)?;
    table.moment(times.executed)?;
    table.moment(life.settled)?;
    table.moment(life.finalized)?;
    for part in Part::ALL {
        table.optional(life.stages.map(|stages| stages.part(part).0))?;
    }
    Ok(())
}

fn block<W: Write>(table: &mut Table<W>, row: &BlockRow<'_>) -> csv::Result<()> {
    let header = &row.block.header;
    let incoming = row.block.body.incoming.iter().map(|batch| batch.receipts.len());
    let outgoing = row.block.outgoing.iter().map(|outgoing| outgoing.receipts.len());
    table.field(header.shard)?;
    table.field(header.height)?;
    table.field(header.hash())?;
    table.field(row.block.body.transactions.len())?;
    table.field(incoming.sum::<usize>())?;
    table.field(outgoing.sum::<usize>())?;
    table.field(header.placements.len())?;
    table.field(header.gas_used)?;
    table.field(header.gas_limit)?;
    table.field(header.base_fee)?;
    table.optional(row.waiting)?;
    table.field(header.congestion.delayed)?;
    table.field(header.congestion.buffered)?;
    table.field(header.congestion.level)?;
    table.field(header.checkpoint)?;
    table.optional(row.checkpoint)?;
    table.moment(row.started)?;
    table.moment(row.executed)?;
    table.moment(row.released)?;
    table.moment(row.finalized)
}

/// A receipt kind's name in files.
fn kind_name(kind: ReceiptKind) -> &'static str {
    match kind {
        ReceiptKind::Call => "call",
        ReceiptKind::Refund => "refund",
        ReceiptKind::Migrate => "migrate",
    }
}

fn status_name(status: LegStatus) -> &'static str {
    match status {
        LegStatus::Succeeded => "succeeded",
        LegStatus::Forwarded => "forwarded",
        LegStatus::Failed(Failure::Revert) => "revert",
        LegStatus::Failed(Failure::Halt) => "halt",
        LegStatus::Failed(Failure::RemoteAccount) => "remote_account",
        LegStatus::Failed(Failure::Collision) => "collision",
    }
}

/// A table that is written field by field, without an allocation for each.
struct Table<W: Write> {
    writer: Writer<W>,
    text: String,
}

impl<W: Write> Table<W> {
    fn new(out: W, columns: &[&str]) -> csv::Result<Self> {
        let mut writer = Writer::from_writer(out);
        writer.write_record(columns)?;
        Ok(Self { writer, text: String::new() })
    }

    fn field(&mut self, value: impl std::fmt::Display) -> csv::Result<()> {
        use std::fmt::Write as _;
        self.text.clear();
        // Writing to a string does not fail.
        let _ = write!(self.text, "{value}");
        self.writer.write_field(&self.text)
    }

    fn optional(&mut self, value: Option<impl std::fmt::Display>) -> csv::Result<()> {
        match value {
            Some(value) => self.field(value),
            None => self.writer.write_field(""),
        }
    }

    fn moment(&mut self, moment: Moment) -> csv::Result<()> {
        self.optional(moment.time().map(|time| time.0))
    }

    fn end(&mut self) -> csv::Result<()> {
        // An empty record ends the row.
        self.writer.write_record(None::<&[u8]>)
    }

    fn finish(mut self) -> csv::Result<()> {
        Ok(self.writer.flush()?)
    }
}

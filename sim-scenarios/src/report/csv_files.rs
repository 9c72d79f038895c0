//! The CSV tables: one row per transaction, leg, block and checkpoint, and who stood in for whom.
//! Times are nanoseconds since the network's start; a field is empty where there is nothing.

use std::io::{self, Write};

use crate::metrics::blocks::BlockRow;
use crate::metrics::lifecycle::Lifecycle;
use crate::metrics::results::failure_name;
use crate::metrics::stages::Part;
use crate::metrics::{Joined, Measured, TransactionInfo};
use crate::report::table::Table;
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
    "view_changes",
];

/// Columns of senders.csv.
pub const SENDERS: &[&str] = &["trace_address", "address", "sends"];

/// Writes transactions.csv.
///
/// # Errors
/// What the writer says.
pub fn transactions(measured: &Measured<'_>, out: impl Write) -> io::Result<()> {
    let mut table = Table::new(out, TRANSACTIONS)?;
    for network in &measured.networks {
        for (at, (info, life)) in network.transactions().enumerate() {
            table.number(network.data.label);
            table.number(at as u64);
            transaction(&mut table, measured, network, at, info, life);
            table.end()?;
        }
    }
    table.finish()
}

/// Writes legs.csv.
///
/// # Errors
/// What the writer says.
pub fn legs(measured: &Measured<'_>, out: impl Write) -> io::Result<()> {
    let mut table = Table::new(out, LEGS)?;
    for network in &measured.networks {
        let mut before = None;
        let mut number = 0_u32;
        for row in network.legs.rows() {
            number = if before == Some(row.transaction) { number + 1 } else { 0 };
            before = Some(row.transaction);
            let block = network.blocks.at(row.block);
            let leg = row.leg(&network.blocks);
            let times = network.leg_times(row);
            table.number(network.data.label);
            table.number(row.transaction);
            table.number(number);
            table.word(row.kind().map_or("transaction", kind_name));
            table.number(block.shard().0);
            table.number(block.height().0);
            table.number(row.position);
            table.optional_number(row.origin.map(|origin| origin.source.0));
            table.optional_number(row.origin.map(|origin| origin.sequence.0));
            table.optional_number(
                row.origin.and_then(|origin| origin.released).map(|height| height.0),
            );
            table.word(status_name(leg.status));
            table.number(leg.gas_used.0);
            table.number(leg.caused);
            table.number(leg.created);
            table.moment(times.released);
            table.moment(times.arrived);
            table.moment(times.accepted);
            table.moment(times.started);
            table.moment(times.executed);
            table.moment(block.finalized);
            table.end()?;
        }
    }
    table.finish()
}

/// Writes blocks.csv.
///
/// # Errors
/// What the writer says.
pub fn blocks(measured: &Measured<'_>, out: impl Write) -> io::Result<()> {
    let mut table = Table::new(out, BLOCKS)?;
    for network in &measured.networks {
        for row in network.blocks.rows() {
            table.field(network.data.label);
            block(&mut table, row);
            table.end()?;
        }
    }
    table.finish()
}

/// Writes checkpoints.csv.
///
/// # Errors
/// What the writer says.
pub fn checkpoints(measured: &Measured<'_>, out: impl Write) -> io::Result<()> {
    let mut table = Table::new(out, CHECKPOINTS)?;
    for network in &measured.networks {
        for row in &network.checkpoints {
            table.field(network.data.label);
            table.field(row.number);
            table.field(row.crosslinks);
            table.field(row.blocks);
            table.field(row.placements);
            table.field(row.observers);
            table.moment(row.proposed);
            table.moment(row.finalized);
            table.field(row.view_changes);
            table.end()?;
        }
    }
    table.finish()
}

/// Writes senders.csv.
///
/// # Errors
/// What the writer says.
pub fn senders(measured: &Measured<'_>, out: impl Write) -> io::Result<()> {
    let mut table = Table::new(out, SENDERS)?;
    for substitute in &measured.run.substitutes {
        table.field(substitute.trace);
        table.field(substitute.address);
        table.field(substitute.sends);
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
) {
    let phase = measured.run.scenario.phases.get(usize::from(info.phase));
    table.hash(&info.hash);
    table.word(info.kind.name());
    table.word(phase.map_or("", |phase| &phase.name));
    table.number(info.load);
    table.word(if info.setup { "true" } else { "false" });
    table.address(&info.sender);
    match &info.recipient {
        Some(recipient) => table.address(recipient),
        None => table.nothing(),
    }
    table.number(life.source.0);
    table.field(life.outcome);
    table.optional(life.refusal);
    table.word(life.failure.map_or("", failure_name));
    table.word(life.class.map_or("", crate::metrics::Class::name));
    table.number(life.shards);
    table.number(life.legs);
    table.number(life.attempts);
    table.number(life.scheduled.0);
    table.moment(life.submitted);
    table.moment(life.admitted);
    table.moment(life.refused);
    table.moment(life.executed);
    let last = network.legs.of(at).iter().rfind(|leg| leg.kind() == Some(ReceiptKind::Call));
    let times = last.map(|leg| network.leg_times(leg)).unwrap_or_default();
    table.moment(times.released);
    table.moment(times.arrived);
    table.moment(times.accepted);
    table.moment(times.started);
    table.moment(times.executed);
    table.moment(life.settled);
    table.moment(life.finalized);
    for part in Part::ALL {
        table.optional_number(life.stages.map(|stages| stages.part(part).0));
    }
}

fn block<W: Write>(table: &mut Table<W>, row: &BlockRow<'_>) {
    let header = &row.block.header;
    let incoming = row.block.body.incoming.iter().map(|batch| batch.receipts.len());
    let outgoing = row.block.outgoing.iter().map(|outgoing| outgoing.receipts.len());
    table.field(header.shard);
    table.field(header.height);
    table.field(header.hash());
    table.field(row.block.body.transactions.len());
    table.field(incoming.sum::<usize>());
    table.field(outgoing.sum::<usize>());
    table.field(header.placements.len());
    table.field(header.gas_used);
    table.field(header.gas_limit);
    table.field(header.base_fee);
    table.optional(row.waiting);
    table.field(header.congestion.delayed);
    table.field(header.congestion.buffered);
    table.field(header.congestion.level);
    table.field(header.checkpoint);
    table.optional(row.checkpoint);
    table.moment(row.started);
    table.moment(row.executed);
    table.moment(row.released);
    table.moment(row.finalized);
}

/// A receipt kind's name in files.
fn kind_name(kind: ReceiptKind) -> &'static str {
    match kind {
        ReceiptKind::Call => "call",
        ReceiptKind::Refund => "refund",
        ReceiptKind::Handover => "handover",
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

//! What a trace or a plan shows of each transaction, in one form: what statistics and exports need.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr as _;

use alloy_primitives::{Address, hex};
use csv::StringRecord;

use super::records::{RecordError, Records};
use super::{Open, Stage, Workload};

/// Transactions that a planned workload is cut into, as many as an average block of the mainnet
/// sample has.
pub const PLANNED_BLOCK: usize = 265;

/// Positions of the columns that are read.
const BLOCK: usize = 0;
const FROM: (usize, &str) = (3, "from");
const TO: (usize, &str) = (4, "to");
const TO_IS_CONTRACT: usize = 7;
const FUNCTION: usize = 12;

/// One transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The block it is in, or the group that stands for one.
    pub block: u64,
    /// Who sends it.
    pub from: Address,
    /// Who gets it; none for one that creates a contract.
    pub to: Option<Address>,
    /// Whether that is a contract.
    pub to_contract: bool,
    /// What it does there.
    pub call: Call,
}

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It has no call data.
    Plain,
    /// It calls this function.
    Function([u8; 4]),
    /// It has call data without a selector.
    Other,
}

/// Why a trace cannot be seen.
#[derive(Debug, thiserror::Error)]
#[error("{file}{place}: {source}")]
pub struct SeenError {
    file: String,
    place: String,
    source: RecordError,
}

/// The transactions of a workload's phases. Each [`PLANNED_BLOCK`] of them count as a block.
#[must_use]
pub fn planned(workload: &Workload) -> Vec<Seen> {
    let contracts: BTreeSet<Address> = contracts(workload);
    let run = workload.transactions.iter().filter(|plan| plan.stage == Stage::Run);
    let seen = run.enumerate().filter_map(|(index, plan)| {
        Some(Seen {
            block: (index / PLANNED_BLOCK) as u64,
            from: workload.users.get(plan.sender.0 as usize)?.address,
            to: plan.to,
            to_contract: plan.to.is_some_and(|to| contracts.contains(&to)),
            call: call(&plan.input),
        })
    });
    seen.collect()
}

/// The contracts that a workload creates.
#[must_use]
pub fn contracts(workload: &Workload) -> BTreeSet<Address> {
    let mut nonces = vec![0_u64; workload.users.len()];
    let mut created = BTreeSet::new();
    for plan in &workload.transactions {
        let index = plan.sender.0 as usize;
        let (Some(nonce), Some(user)) = (nonces.get_mut(index), workload.users.get(index)) else {
            continue;
        };
        if plan.to.is_none() {
            created.insert(user.address.create(*nonce));
        }
        *nonce += 1;
    }
    created
}

/// The transactions of a trace from a block on.
///
/// # Errors
/// When it cannot be read, or a row is wrong.
pub fn traced(file: &Path, from_block: u64, open: Open<'_>) -> Result<Vec<Seen>, SeenError> {
    let name = file.display().to_string();
    let failed = |place: String, source: RecordError| {
        let place = if place.is_empty() { place } else { format!(", {place}") };
        SeenError { file: name.clone(), place, source }
    };
    let columns = [BLOCK, FROM.0, TO.0, TO_IS_CONTRACT, FUNCTION];
    let content = open(file).map_err(|error| failed(String::new(), error.into()))?;
    let mut records = Records::new(file, content, &columns, &[FROM.0, TO.0])
        .map_err(|error| failed(String::new(), error))?;
    let mut record = StringRecord::new();
    let mut seen = Vec::new();
    loop {
        let more = records.read(&mut record);
        if !more.map_err(|error| failed(records.place(&record), error))? {
            return Ok(seen);
        }
        let block = field(&record, BLOCK).parse().unwrap_or(0);
        if block < from_block {
            continue;
        }
        let address = |(index, name): (usize, &'static str)| {
            let text = field(&record, index);
            Address::from_str(text).map_err(|_| {
                let found = text.chars().take(80).collect();
                let expected = "an address of 20 bytes";
                let error = RecordError::Field { column: index + 1, name, expected, found };
                failed(records.place(&record), error)
            })
        };
        let to = match field(&record, TO.0) {
            "" | "None" => None,
            _ => Some(address(TO)?),
        };
        let function = field(&record, FUNCTION);
        let data = hex::decode(function).unwrap_or_default();
        seen.push(Seen {
            block,
            from: address(FROM)?,
            to,
            to_contract: matches!(field(&record, TO_IS_CONTRACT), "1" | "true" | "True"),
            // What is no hex is some call, too.
            call: match (function, data.is_empty()) {
                ("" | "0x", _) => Call::Plain,
                (_, true) => Call::Other,
                (_, false) => call(&data),
            },
        });
    }
}

fn field(record: &StringRecord, index: usize) -> &str {
    record.get(index).map_or("", str::trim)
}

fn call(input: &[u8]) -> Call {
    match (input.is_empty(), input.first_chunk()) {
        (true, _) => Call::Plain,
        (false, Some(selector)) => Call::Function(*selector),
        (false, None) => Call::Other,
    }
}

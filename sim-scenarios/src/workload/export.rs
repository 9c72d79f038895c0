//! A planned workload as a trace in BlockEmulator's columns: what `shardlab workload --out` writes,
//! and what `kind = "trace"` and `shardlab partition --trace` read.
//!
//! Only the phases are in it: contracts are there already, tokens are handed out.

use alloy_primitives::{Address, B256, hex};

use super::records::COLUMNS;
use super::seen::contracts;
use super::{Planned, SignedWorkload, Stage, Workload};
use crate::scenario::Scenario;
use crate::sweep::table::{Column, Values};

/// A row for each transaction of a workload's phases, in order.
///
/// `blockNumber` counts the scenario's block times until the transaction is due, from 0, and
/// `timestamp` the whole seconds. What only execution tells is 0: `gasUsed`, `baseFeePerGas`.
#[must_use]
pub fn columns(scenario: &Scenario, workload: &Workload, signed: &SignedWorkload) -> Vec<Column> {
    let contracts = contracts(workload);
    let rows: Vec<(&Planned, Address, B256)> = workload
        .transactions
        .iter()
        .enumerate()
        .filter(|(_, plan)| plan.stage == Stage::Run)
        .filter_map(|(index, plan)| {
            let sender = workload.users.get(plan.sender.0 as usize)?.address;
            Some((plan, sender, signed.hash(index)))
        })
        .collect();
    let block = scenario.network.block_time.0.max(1);
    let whole = |of: &dyn Fn(&Planned) -> u64| {
        let values = rows.iter().map(|(plan, ..)| i64::try_from(of(plan)).ok());
        Values::Whole(values.collect())
    };
    let text = |of: &dyn Fn(&Planned) -> String| {
        Values::Text(rows.iter().map(|(plan, ..)| Some(of(plan))).collect())
    };
    let price = |wei: &cross_shard_msg::Wei| wei.saturating_to::<u64>();
    let contract = |plan: &Planned| u64::from(plan.to.is_some_and(|to| contracts.contains(&to)));
    let values = [
        whole(&|plan| plan.at.0 / block),
        whole(&|plan| plan.at.as_millis() / 1_000),
        Values::Text(rows.iter().map(|(.., hash)| Some(hash.to_string())).collect()),
        Values::Text(rows.iter().map(|(_, from, _)| Some(lower(from))).collect()),
        Values::Text(rows.iter().map(|(plan, ..)| plan.to.as_ref().map(lower)).collect()),
        Values::Text(vec![None; rows.len()]),
        whole(&|_| 0),
        whole(&contract),
        text(&|plan| plan.value.to_string()),
        whole(&|plan| plan.gas.0),
        whole(&|_| price(&workload.max_fee)),
        whole(&|_| 0),
        text(&|plan| hex::encode_prefixed(plan.input.get(..4).unwrap_or(&plan.input))),
        Values::Text(vec![Some("None".to_owned()); rows.len()]),
        whole(&|_| 2),
        whole(&|_| 0),
        whole(&|_| price(&workload.max_fee)),
        whole(&|_| price(&workload.tip)),
    ];
    let column = |(name, values): (&str, Values)| Column { name: name.to_owned(), values };
    COLUMNS.into_iter().zip(values).map(column).collect()
}

fn lower(address: &Address) -> String {
    format!("{address:#x}")
}

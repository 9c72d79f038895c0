//! What a scenario asks for, made ready to run: one network, or one for each mainnet block.

use std::collections::BTreeMap;
use std::path::Path;

use alloy_primitives::Address;
use cross_shard_msg::{NodeId, ShardId, Timestamp};
use partitioning::{Allocation, Home};
use shard_node::evm::mainnet_spec;
use simulation::checkers::MainnetBlock;

use super::{genesis_allocation, open_file};
use crate::launch::{NetworkPlan, PlanError, Prescription};
use crate::metrics::{Substitute, TransactionInfo, TransactionKind};
use crate::scenario::{Load, MainnetBlocksLoad, Scenario};
use crate::workload::mainnet_blocks::Expected;
use crate::workload::{
    self, BlockNetwork, MainnetBlocks, Planned, SignError, SignedWorkload, Skipped, Stage, Workers,
    Workload, WorkloadError,
};

/// A network that is ready to start, with all that will be sent to it.
#[derive(Debug)]
pub struct Job {
    /// The number of its mainnet block, else 0.
    pub label: u64,
    /// Its nodes.
    pub plan: NetworkPlan,
    /// What is sent.
    pub workload: SignedWorkload,
    /// The same, for metrics.
    pub transactions: Vec<TransactionInfo>,
    /// What mainnet says of its block.
    pub mainnet: Option<MainnetBlock>,
}

/// Everything that a scenario asks for.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The networks, in order.
    pub jobs: Vec<Job>,
    /// Rows of traces that are not replayed, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Stand-ins for accounts of traces.
    pub substitutes: Vec<Substitute>,
}

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Its workload cannot be made.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// Its workload cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Its network cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A directory cannot be listed.
    #[error("{directory}: {source}")]
    Directory {
        /// As the scenario writes it.
        directory: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Makes everything ready: accounts, transactions, signatures. The long part of it tells `workers`
/// how far it is.
///
/// # Errors
/// When files are of no use or settings do not fit.
pub fn prepare(scenario: &Scenario, workers: &Workers<'_>) -> Result<Prepared, PrepareError> {
    let mut prepared = Prepared::default();
    let blocks = |load: &Load| matches!(load, Load::MainnetBlocks(_));
    let loads = || scenario.phases.iter().flat_map(|phase| &phase.loads);
    if loads().count() == 0 || !loads().all(blocks) {
        prepared.generated(scenario, workers)?;
    }
    for (phase, index) in scenario.phases.iter().zip(0..) {
        for load in &phase.loads {
            if let Load::MainnetBlocks(load) = load {
                prepared.mainnet(scenario, index, load)?;
            }
        }
    }
    Ok(prepared)
}

impl Prepared {
    fn generated(
        &mut self,
        scenario: &Scenario,
        workers: &Workers<'_>,
    ) -> Result<(), PrepareError> {
        let allocation = genesis_allocation(scenario);
        let planned = workload::build(scenario, &allocation, &open_file, workers)?;
        let plan = NetworkPlan::new(scenario, &planned.genesis, None)?;
        let signed = workload::sign(&planned, workers)?;
        for skipped in &planned.skipped {
            self.count_skipped(skipped);
        }
        self.substitutes.extend(planned.trace_names.iter().map(|name| Substitute {
            trace: name.trace,
            address: name.address,
            sends: name.sends,
        }));
        let transactions = describe(scenario, &allocation, &planned, &signed);
        self.jobs.push(Job { label: 0, plan, workload: signed, transactions, mainnet: None });
        Ok(())
    }

    fn mainnet(
        &mut self,
        scenario: &Scenario,
        phase: u16,
        load: &MainnetBlocksLoad,
    ) -> Result<(), PrepareError> {
        let directory = &load.directory.path;
        let blocks = MainnetBlocks::open(directory, &open_file)?;
        let names = names_in(directory).map_err(|source| PrepareError::Directory {
            directory: load.directory.written.clone(),
            source,
        })?;
        for number in MainnetBlocks::numbers(&load.blocks, names.into_iter()) {
            let block = blocks.read(number, &open_file)?;
            self.jobs.push(block_job(scenario, phase, &block)?);
        }
        Ok(())
    }

    fn count_skipped(&mut self, skipped: &Skipped) {
        *self.skipped.entry("without_recipient").or_default() += skipped.without_recipient;
        *self.skipped.entry("to_oneself").or_default() += skipped.to_oneself;
    }
}

/// The network of one mainnet block.
///
/// # Errors
/// When the plan does not fit.
pub fn block_job(
    scenario: &Scenario,
    phase: u16,
    block: &BlockNetwork,
) -> Result<Job, PrepareError> {
    let number = block.environment.number;
    let prescription = Prescription {
        spec: mainnet_spec(number, block.environment.timestamp) as u8,
        block: block.environment.clone(),
        order: block
            .transactions
            .iter()
            .map(|(transaction, sender)| (transaction.hash(), *sender))
            .collect(),
    };
    let plan = NetworkPlan::new(scenario, &block.genesis, Some(prescription))?;
    let name = scenario.phases.get(usize::from(phase)).map_or("blocks", |phase| &phase.name);
    let workload = SignedWorkload::prescribed(name, &block.transactions)?;
    let allocation =
        Allocation::new(plan.settings.shard_count(), plan.base, plan.residents.clone());
    let transactions = block.transactions.iter().map(|(transaction, sender)| TransactionInfo {
        key: transaction.key(),
        hash: transaction.hash(),
        sender: *sender,
        recipient: transaction.recipient(),
        phase,
        load: 0,
        scheduled: Timestamp::ZERO,
        setup: false,
        kind: TransactionKind::Mainnet,
        source: source_of(&allocation, sender),
    });
    let expected = &block.expected;
    let mainnet = MainnetBlock {
        number,
        gas_used: expected.gas_used,
        transactions_root: expected.transactions_root,
        receipts_root: Expected::checks_receipts_root(number).then_some(expected.receipts_root),
    };
    Ok(Job {
        label: number,
        transactions: transactions.collect(),
        plan,
        workload,
        mainnet: Some(mainnet),
    })
}

fn describe(
    scenario: &Scenario,
    allocation: &Allocation,
    planned: &Workload,
    signed: &SignedWorkload,
) -> Vec<TransactionInfo> {
    let described = planned.transactions.iter().zip(&signed.transactions).enumerate();
    described
        .map(|(index, (plan, transaction))| {
            let sender = signed.sender(index).unwrap_or_default();
            TransactionInfo {
                key: transaction.key,
                hash: signed.hash(index),
                sender,
                recipient: plan.to,
                phase: plan.phase,
                load: plan.load,
                scheduled: Timestamp(plan.at.0),
                setup: plan.stage.is_setup(),
                kind: kind(scenario, plan),
                source: source_of(allocation, &sender),
            }
        })
        .collect()
}

fn kind(scenario: &Scenario, plan: &Planned) -> TransactionKind {
    let phase = scenario.phases.get(usize::from(plan.phase));
    match phase.and_then(|phase| phase.loads.get(usize::from(plan.load))) {
        Some(Load::Call(_) | Load::Communities(_)) if plan.stage == Stage::Deploy => {
            TransactionKind::Deploy
        }
        Some(Load::Communities(_)) if plan.input.is_empty() => TransactionKind::Transfer,
        Some(Load::Communities(_)) => TransactionKind::Call,
        Some(Load::Call(_)) => TransactionKind::Call,
        Some(Load::Trace(_)) => TransactionKind::Trace,
        Some(Load::MainnetBlocks(_)) => TransactionKind::Mainnet,
        Some(Load::Transfer(_)) | None => TransactionKind::Transfer,
    }
}

fn source_of(allocation: &Allocation, sender: &Address) -> ShardId {
    match allocation.home(sender) {
        Home::Shard(shard) => shard,
        // A resident that sends is served where the base rule puts it.
        Home::Everywhere => allocation.base_home(sender),
    }
}

fn names_in(directory: &Path) -> std::io::Result<Vec<String>> {
    let entries = std::fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    Ok(entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

impl Job {
    /// The name of the network's directory within the run's: empty when there is only one.
    #[must_use]
    pub fn directory_name(&self) -> String {
        if self.label == 0 { String::new() } else { format!("block-{}", self.label) }
    }

    /// The nodes whose processes must run.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        self.plan.nodes()
    }
}

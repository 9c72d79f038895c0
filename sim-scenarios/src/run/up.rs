//! A network that runs without load, for `shardlab up`.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use cross_shard_msg::NodeId;
use partitioning::{Allocation, Home};
use runtime::network::{Network, Wakeup};
use runtime::process::{Connected, ProcessError};

use super::Interrupt;
use crate::launch::{
    Death, LaunchError, Losses, NetworkPlan, PlanError, Processes, Started, start_network,
};
use crate::scenario::{Scenario, print_wei};
use crate::workload::{self, Workers, Workload, WorkloadError, keys};

/// Accounts in the banner; all are in accounts.csv.
const SHOWN_ACCOUNTS: usize = 10;
/// How often a stop is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// A running network.
pub struct Up {
    plan: NetworkPlan,
    workload: Workload,
    losses: Losses,
    processes: Processes,
    network: Network,
    listener: JoinHandle<()>,
    directory: PathBuf,
    _runtime: tokio::runtime::Runtime,
    _metrics: runtime::metrics::MetricsServer,
}

/// Why a network did not come up.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The scenario cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Its accounts cannot be made.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The output directory cannot be written.
    #[error("{}: {}", .0.display(), .1)]
    Directory(PathBuf, io::Error),
    /// Processes, or the launcher's own node, did not start.
    #[error(transparent)]
    Launch(#[from] LaunchError),
}

impl From<(PathBuf, io::Error)> for UpError {
    fn from((path, error): (PathBuf, io::Error)) -> Self {
        Self::Directory(path, error)
    }
}

impl Up {
    /// Starts the network of `scenario`; files go under `directory`, which exists. `metrics_port`
    /// is the first node's port for `/metrics`, the others follow; 0 takes free ones.
    ///
    /// # Errors
    /// When anything does not start, or the user does not wait for it; nothing is left running
    /// then.
    pub fn start(
        scenario: &Scenario,
        directory: &Path,
        metrics_port: u16,
        interrupt: &Interrupt,
    ) -> Result<Self, UpError> {
        let mut idle = scenario.clone();
        idle.phases.iter_mut().for_each(|phase| phase.loads.clear());
        let allocation = super::genesis_allocation(&idle);
        let workload = workload::build(&idle, &allocation, &super::open_file, &Workers::single())?;
        let plan = NetworkPlan::new(&idle, &workload.genesis, None)?;
        write_accounts(&directory.join("accounts.csv"), &workload, &allocation)?;
        let filter = super::LOG_FILTER;
        let started =
            start_network(&plan, directory, filter, metrics_port, &|| interrupt.is_set())?;
        let Started { processes, client, .. } = started;
        let Connected { runtime, network, mut inbox, metrics, .. } = client;
        // What shards tell their client is read, so that no queue fills, and not used.
        let listener = thread::Builder::new()
            .name("client".to_owned())
            .spawn(move || {
                let mut deliveries = std::collections::VecDeque::new();
                while inbox.wait(None, usize::MAX, &mut deliveries) != Wakeup::Closed {
                    deliveries.clear();
                }
            })
            .map_err(|error| LaunchError::Client(ProcessError::Runtime(error)))?;
        Ok(Self {
            losses: Losses::new(&plan.settings),
            plan,
            workload,
            processes,
            network,
            listener,
            directory: directory.to_owned(),
            _runtime: runtime,
            _metrics: metrics,
        })
    }

    /// What a user needs to know of the network.
    #[must_use]
    pub fn banner(&self) -> String {
        let settings = &self.plan.settings;
        let allocation =
            Allocation::new(settings.shard_count(), self.plan.base, self.plan.residents.clone());
        let mut nodes = table(&["node", "process", "libp2p", "metrics", "log"]);
        for facts in self.processes.facts() {
            nodes.add_row([
                facts.node.to_string(),
                facts.process.to_string(),
                facts.network.to_string(),
                format!("http://{}/metrics", facts.metrics),
                facts.log.display().to_string(),
            ]);
        }
        let mut accounts = table(&["account", "private key", "home", "balance"]);
        for (user, (address, account)) in
            self.workload.users.iter().zip(&self.workload.genesis).take(SHOWN_ACCOUNTS)
        {
            accounts.add_row([
                address.to_string(),
                keys::exported(self.workload.seed, user.key).to_string(),
                home(&allocation, address),
                print_wei(account.balance),
            ]);
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}, {}, chain id {}, a block every {}, a checkpoint every {}\n\n{}\n\n{}",
            counted(settings.shard_count() as usize, "shard"),
            counted(settings.validators.len(), "coordinator"),
            settings.chain_id,
            settings.block_time,
            settings.checkpoint_every,
            nodes.trim_fmt(),
            accounts.trim_fmt(),
        );
        let rest = self.workload.users.len().saturating_sub(SHOWN_ACCOUNTS);
        if rest > 0 {
            let file = self.directory.join("accounts.csv");
            let _ = writeln!(text, "and {rest} more in {}", file.display());
        }
        let _ = writeln!(text, "\nThese keys are derived from the seed: never use them elsewhere.");
        let _ = writeln!(text, "Running. Ctrl-C stops the network.");
        text
    }

    /// Waits until the user wants to stop, or a process dies without which the network cannot go
    /// on. `tell` hears of the others that die.
    pub fn wait(&mut self, interrupt: &Interrupt, tell: impl Fn(&str)) -> Option<Death> {
        while !interrupt.is_set() {
            let Some(death) = self.processes.watch(LOOK) else { continue };
            if let Some(death) = self.losses.take(death) {
                return Some(death);
            }
            self.losses.lost().last().into_iter().for_each(|lost| tell(lost));
        }
        None
    }

    /// Stops all processes; returns one that did not end in order, if the network could not have
    /// gone on without it.
    pub fn stop(mut self) -> Option<Death> {
        let deaths = self.processes.stop().deaths;
        drop(self.network);
        if self.listener.join().is_err() {
            tracing::error!("the launcher's node panicked");
        }
        deaths.into_iter().find_map(|death| self.losses.take(death))
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter().copied());
    table
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn home(allocation: &Allocation, address: &alloy_primitives::Address) -> String {
    match allocation.home(address) {
        Home::Everywhere => "everywhere".to_owned(),
        Home::Shard(shard) => NodeId::Shard(shard).to_string(),
    }
}

fn write_accounts(
    path: &Path,
    workload: &Workload,
    allocation: &Allocation,
) -> Result<(), UpError> {
    let failed = |error: csv::Error| (path.to_owned(), io::Error::from(error));
    let mut writer = csv::Writer::from_path(path).map_err(failed)?;
    writer.write_record(["address", "private_key", "home", "balance_wei"]).map_err(failed)?;
    for (user, (address, account)) in workload.users.iter().zip(&workload.genesis) {
        writer
            .write_record([
                address.to_string(),
                keys::exported(workload.seed, user.key).to_string(),
                home(allocation, address),
                account.balance.to_string(),
            ])
            .map_err(failed)?;
    }
    writer.flush().map_err(|error| (path.to_owned(), error))?;
    Ok(())
}

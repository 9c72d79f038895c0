//! What a run's observations and records say: lifecycles, latencies, counts, warnings, verdict.
//!
//! Pure: the launcher fills [`RunData`] from files, the simulated run from memory, and [`measure`]
//! computes everything that the report shows. In the order in which data flows: [`blocks`] and
//! [`checkpoints`] take times from observations, [`legs`] finds what belongs to which transaction,
//! [`lifecycle`] puts both together per transaction (rules R-CLI-1, R-CLI-4 to R-CLI-6), [`stages`]
//! splits cross-shard latency, [`results`] sums up by phase, [`saturation`] warns, [`verdict`]
//! judges. docs/output.md defines every number.

pub mod blocks;
pub mod byzantine;
pub mod checkpoints;
mod circumstances;
pub mod distribution;
pub mod graph;
pub mod input;
pub mod joined;
pub mod legs;
pub mod lifecycle;
pub mod migrations;
pub mod moment;
mod observed;
pub mod results;
pub mod saturation;
pub mod shards;
pub mod stages;
pub mod verdict;

pub use distribution::Distribution;
pub use input::{
    MachineUse, NetworkData, ProcessFacts, RunData, SimulationFacts, Substitute, TransactionInfo,
    TransactionKind,
};
pub use joined::Joined;
pub use lifecycle::{Class, Lifecycle};
pub use moment::Moment;
pub use results::{PhaseResults, Results};
pub use verdict::Verdict;

/// A run with everything that was computed from it.
#[derive(Debug)]
pub struct Measured<'a> {
    /// The run.
    pub run: &'a RunData,
    /// What happened to each transaction, by network.
    pub networks: Vec<Joined<'a>>,
    /// What the report says.
    pub results: Results,
}

/// Computes everything that the report of a run says.
#[must_use]
pub fn measure(run: &RunData) -> Measured<'_> {
    let networks: Vec<Joined<'_>> = run.networks.iter().map(Joined::new).collect();
    let results = Results::new(run, &networks);
    Measured { run, networks, results }
}

impl Measured<'_> {
    /// Transactions that enter the results: of recorded phases, and not of the preparation.
    pub fn recorded(&self) -> impl Iterator<Item = (&Joined<'_>, &TransactionInfo, &Lifecycle)> {
        self.networks.iter().flat_map(|network| {
            let transactions = network.transactions();
            let recorded = transactions.filter(|(info, _)| {
                !info.setup && shards::is_recorded(&self.run.scenario, info.phase)
            });
            recorded.map(move |(info, life)| (network, info, life))
        })
    }
}

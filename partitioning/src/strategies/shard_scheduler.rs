//! `shard-scheduler`: online: with every transaction each of its accounts may move to the shard
//! that they are best aligned with and that is least loaded.
//!
//! M. Król, O. Ascigil, S. Rene, A. Sonnino, M. Al-Bassam, E. Rivière, "Shard Scheduler: object
//! placement and migration in sharded account-based blockchains", AFT 2021, §4. `alignment[a][s]`
//! counts how often a was used together with an account on shard s; the target of a transaction is
//! argmax Σ_a alignment[a][s] / load[s]; a moves there iff 2·alignment[a][target] exceeds the sum of
//! its alignment. A migration costs 2 at either end; contracts do not migrate.
//!
//! Deviations: it follows the past windows' stream, and its net moves are proposed at once, where
//! the paper moves accounts as transactions execute; alignment and load both cover the last
//! `window` transactions; load is in intra-shard transactions, a cross-shard one being η over its
//! shards; of equal targets the lower number wins; a new account is where the base rule puts it.
//! The order of the stream matters.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::options;
use crate::network::{Network, RESIDENT};
use crate::partitioner::{OptionsError, PartitionError, Partitioner, Problem, Proposal};

/// What a migration costs at either end, in intra-shard transactions.
const MIGRATION_COST: f64 = 2.0;

/// Options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardSchedulerOptions {
    /// Transactions that alignment and load look back on, at least 1.
    pub window: u32,
}

impl ShardSchedulerOptions {
    /// A window of 100,000 transactions; the paper gives it as a duration.
    pub const PUBLISHED: Self = Self { window: 100_000 };
}

/// The strategy.
#[derive(Clone, Copy, Debug)]
pub struct ShardScheduler(ShardSchedulerOptions);

impl ShardScheduler {
    /// # Errors
    /// Options out of their bounds.
    pub fn new(options: ShardSchedulerOptions) -> Result<Self, OptionsError> {
        options::at_least_one("shard-scheduler", "window", options.window)?;
        Ok(Self(options))
    }
}

impl Partitioner for ShardScheduler {
    fn name(&self) -> &'static str {
        "shard-scheduler"
    }

    fn propose(&self, problem: &Problem<'_>) -> Result<Proposal, PartitionError> {
        let network = Network::new(problem);
        if network.is_trivial() {
            return Ok(Proposal::default());
        }
        let accounts = network.graph.accounts();
        let fixed = accounts.iter().map(|account| problem.contracts.contains(account)).collect();
        let mut state = State::new(&network, problem.weights.eta, fixed);
        let mut touched = Vec::new();
        for transaction in problem.stream.iter() {
            touched.clear();
            let vertices = transaction.iter().filter_map(|account| network.graph.vertex(account));
            touched.extend(vertices.filter(|vertex| network.home[*vertex as usize] != RESIDENT));
            state.transaction(&touched);
            if state.past.len() > self.0.window as usize {
                state.forget();
            }
        }
        Ok(network.proposal(problem, &state.part, 1))
    }
}

/// What one transaction added, to be taken back when it leaves the window.
#[derive(Debug, Default)]
struct Added {
    alignment: Vec<(u32, u32)>,
    load: Vec<(u32, f64)>,
}

struct State {
    part: Vec<u32>,
    fixed: Vec<bool>,
    /// Per account the shards it is aligned with, and how much; few of them are not zero.
    alignment: Vec<Vec<(u32, u32)>>,
    load: Vec<f64>,
    eta: f64,
    past: VecDeque<Added>,
}

impl State {
    fn new(network: &Network<'_>, eta: f64, fixed: Vec<bool>) -> Self {
        Self {
            part: network.home.clone(),
            fixed,
            alignment: vec![Vec::new(); network.home.len()],
            load: vec![0.0; network.shards as usize],
            eta,
            past: VecDeque::new(),
        }
    }

    fn transaction(&mut self, touched: &[u32]) {
        let mut added = Added::default();
        if touched.len() > 1
            && let Some(target) = self.target(touched)
        {
            for account in touched {
                self.migrate(*account, target, &mut added);
            }
        }
        let mut shards: Vec<u32> =
            touched.iter().map(|account| self.part[*account as usize]).collect();
        for (a, account) in touched.iter().enumerate() {
            for (b, shard) in shards.iter().enumerate() {
                if a != b {
                    added.alignment.push((*account, *shard));
                    add(&mut self.alignment[*account as usize], *shard);
                }
            }
        }
        shards.sort_unstable();
        shards.dedup();
        let work = if shards.len() > 1 { self.eta / shards.len() as f64 } else { 1.0 };
        for shard in shards {
            self.charge(shard, work, &mut added);
        }
        self.past.push_back(added);
    }

    /// The shard with the highest alignment for its load; `None` without any alignment.
    fn target(&self, touched: &[u32]) -> Option<u32> {
        let mut sums: Vec<(u32, u64)> = Vec::new();
        for account in touched {
            for (shard, count) in &self.alignment[*account as usize] {
                match sums.iter_mut().find(|(known, _)| known == shard) {
                    Some((_, sum)) => *sum += u64::from(*count),
                    None => sums.push((*shard, u64::from(*count))),
                }
            }
        }
        // A shard without load counts as one with a single transaction.
        let score = |(shard, sum): &(u32, u64)| *sum as f64 / self.load[*shard as usize].max(1.0);
        let best = sums.iter().max_by(|a, b| score(a).total_cmp(&score(b)).then(b.0.cmp(&a.0)));
        best.map(|(shard, _)| *shard)
    }

    fn migrate(&mut self, account: u32, target: u32, added: &mut Added) {
        let at = account as usize;
        let own = self.part[at];
        if own == target || self.fixed[at] {
            return;
        }
        let (mut there, mut all) = (0_u64, 0_u64);
        for (shard, count) in &self.alignment[at] {
            all += u64::from(*count);
            there += u64::from(*count) * u64::from(*shard == target);
        }
        if 2 * there > all {
            self.part[at] = target;
            self.charge(own, MIGRATION_COST, added);
            self.charge(target, MIGRATION_COST, added);
        }
    }

    fn charge(&mut self, shard: u32, work: f64, added: &mut Added) {
        self.load[shard as usize] += work;
        added.load.push((shard, work));
    }

    /// Takes back what the oldest transaction added.
    fn forget(&mut self) {
        let Some(oldest) = self.past.pop_front() else { return };
        for (account, shard) in oldest.alignment {
            let known = &mut self.alignment[account as usize];
            if let Some(at) = known.iter().position(|(at, _)| *at == shard) {
                known[at].1 -= 1;
                if known[at].1 == 0 {
                    known.remove(at);
                }
            }
        }
        for (shard, work) in oldest.load {
            self.load[shard as usize] -= work;
        }
    }
}

fn add(alignment: &mut Vec<(u32, u32)>, shard: u32) {
    match alignment.iter_mut().find(|(known, _)| *known == shard) {
        Some((_, count)) => *count += 1,
        None => alignment.push((shard, 1)),
    }
}

//! Puts the loads of all phases into one workload.

use alloy_primitives::Address;
use cross_shard_msg::Duration;
use partitioning::Allocation;
use state::GenesisAccount;

use super::arrivals::Schedule;
use super::contracts::{Deployments, Maker};
use super::counterparts::Counterparts;
use super::curve::Warp;
use super::popularity::{ByShard, Sampler};
use super::random::Stream;
use super::trace::{TraceBook, TraceRows};
use super::{
    KeyOf, Open, PhaseSpan, Planned, User, Workers, Workload, WorkloadError, call, communities,
    keys, trace, transfer,
};
use crate::scenario::{Arrivals, Curve, Load, Rate, Scenario};

/// Builds the workload of a scenario: accounts, schedule, transactions. `allocation` is the one at
/// genesis. Phases of `mainnet-blocks` are not part of it (see [`super::MainnetBlocks`]).
///
/// # Errors
/// When a file cannot be used, or a pinned share of cross-shard transactions is impossible.
pub fn build(
    scenario: &Scenario,
    allocation: &Allocation,
    open: Open<'_>,
    workers: &Workers<'_>,
) -> Result<Workload, WorkloadError> {
    let pool = Pool::new(scenario, allocation, workers)?;
    let mut plan = Plan { scenario, open, book: TraceBook::default(), phases: Vec::new() };
    let traces = plan.read()?;
    let names = plan.book.resolve(scenario.seed, workers);
    let mut users = pool.users.clone();
    let senders = trace::add_users(&names, &mut users);

    let stand_ins = match (&pool.local, names.is_empty()) {
        (Some(_), false) => Some(trace::StandIns::new(&names, allocation)?),
        _ => None,
    };

    let mut deployments = Deployments::default();
    let mut societies = communities::Societies::default();
    let mut transactions = Vec::new();
    let mut skipped = Vec::new();
    let mut planted = Vec::new();
    for load in &traces {
        let context = &load.context;
        match load.load {
            Load::Transfer(transfer) => {
                transfer::plan(transfer, context, &load.due, &pool, &mut transactions)?;
            }
            Load::Call(call) => {
                let planner = call::Planner { call, context, pool: &pool, open, scenario };
                planner.plan(&load.due, &mut deployments, &mut transactions)?;
            }
            Load::Communities(load_of) => {
                let maker = Maker { scenario, context, pool: &pool };
                let planner = communities::Planner { load: load_of, maker, start: load.start };
                let due = &load.due;
                planted.push(planner.plan(
                    due,
                    &mut deployments,
                    &mut societies,
                    &mut transactions,
                )?);
            }
            Load::Trace(_) => {
                if let Some(rows) = &load.rows {
                    let plan = trace::Replay { rows, context, names: &names, senders: &senders };
                    match &stand_ins {
                        None => plan.plan(&load.due, &mut transactions),
                        Some(local) => plan.plan_local(&load.due, local, &mut transactions),
                    }
                    skipped.push(rows.skipped(context.phase, context.load));
                }
            }
            Load::MainnetBlocks(_) => {}
        }
    }
    if u32::try_from(transactions.len()).is_err() {
        return Err(WorkloadError::TooMany);
    }
    // Stable: what is due at the same moment keeps the order of the loads.
    transactions.sort_by_key(|planned: &Planned| (planned.stage, planned.at));

    let funded = GenesisAccount { balance: scenario.accounts.balance, ..Default::default() };
    Ok(Workload {
        seed: scenario.seed,
        signatures: scenario.network.signatures,
        chain_id: scenario.network.chain_id,
        max_fee: scenario.client.max_fee,
        tip: scenario.client.tip,
        genesis: users.iter().map(|user| (user.address, funded.clone())).collect(),
        users,
        transactions,
        phases: plan.phases,
        skipped,
        trace_names: names,
        planted,
    })
}

/// The scenario's accounts and how they are drawn.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) users: Vec<User>,
    pub(super) sampler: Sampler,
    pub(super) by_shard: ByShard,
    /// Where everything is local, who stands for whom on which shard.
    pub(super) local: Option<Counterparts>,
}

impl Pool {
    fn new(
        scenario: &Scenario,
        allocation: &Allocation,
        workers: &Workers<'_>,
    ) -> Result<Self, WorkloadError> {
        let accounts = &scenario.accounts;
        let indices: Vec<u32> = (0..accounts.count).collect();
        let users: Vec<User> = workers
            .chunks(&indices, |_, chunk| {
                let user = |index: &u32| {
                    let key = KeyOf::Account(*index);
                    User { address: keys::address(scenario.seed, key), key }
                };
                chunk.iter().map(user).collect::<Vec<_>>()
            })
            .concat();
        let sampler = Sampler::new(accounts.count, accounts.popularity);
        let home: Vec<_> = users.iter().map(|user| allocation.base_home(&user.address)).collect();
        let shards = allocation.shards();
        let local = match accounts.all_local {
            true => Some(Counterparts::new(home.iter().copied().map(Some), shards)),
            false => None,
        };
        if let Some(shard) = local.as_ref().and_then(|local| local.too_short(2)) {
            let problem = "fewer than two of the scenario's accounts live there";
            return Err(WorkloadError::AllLocal { shard, problem });
        }
        let by_shard = ByShard::new(&sampler, home, shards);
        Ok(Self { users, sampler, by_shard, local })
    }

    pub(super) fn address(&self, index: u32) -> Address {
        self.users.get(index as usize).map_or(Address::ZERO, |user| user.address)
    }

    /// Draws an account by popularity. A scenario has at least two.
    pub(super) fn draw(&self, stream: &mut Stream) -> u32 {
        self.sampler.draw(stream).unwrap_or(0)
    }

    /// Draws an account other than `except` by popularity.
    pub(super) fn draw_other(&self, except: u32, stream: &mut Stream) -> u32 {
        self.sampler.draw_except(except, stream).unwrap_or(0)
    }

    /// Sender and recipient of a load's transaction of this number: themselves or, where everything
    /// is local, who stands for them on the shard whose turn it is.
    pub(super) fn placed(&self, number: usize, sender: u32, recipient: u32) -> (u32, u32) {
        let Some(local) = &self.local else { return (sender, recipient) };
        let shard = local.turn(number);
        let sender = local.of(sender, shard);
        (sender, local.beside(recipient, sender, shard))
    }
}

/// Where a load stands in the scenario.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) seed: u64,
    pub(super) phase: u16,
    pub(super) load: u16,
    pub(super) phase_name: String,
}

impl Context {
    /// This load's random numbers for one purpose.
    pub(super) fn stream(&self, purpose: &str) -> Stream {
        Stream::new(self.seed, purpose, self.phase.into(), self.load.into())
    }

    pub(super) fn pinned(&self, problem: &'static str) -> WorkloadError {
        let load = usize::from(self.load) + 1;
        WorkloadError::Pinned { phase: self.phase_name.clone(), load, problem }
    }
}

struct Plan<'a> {
    scenario: &'a Scenario,
    open: Open<'a>,
    book: TraceBook,
    phases: Vec<PhaseSpan>,
}

/// A load whose schedule is known and whose trace is read.
struct Scheduled<'a> {
    load: &'a Load,
    context: Context,
    /// When its transactions are due, counted from the start of the first phase.
    due: Vec<Duration>,
    rows: Option<TraceRows>,
    /// The phase's first moment.
    start: Duration,
}

impl<'a> Plan<'a> {
    /// Schedules every load and reads every trace: which addresses of a trace send is known only
    /// when all of them are read.
    fn read(&mut self) -> Result<Vec<Scheduled<'a>>, WorkloadError> {
        let scenario = self.scenario;
        let mut loads = Vec::new();
        let mut start = Duration::ZERO;
        for (phase_index, phase) in (0_u16..).zip(&scenario.phases) {
            let mut last = Duration::ZERO;
            for (load_index, load) in (0_u16..).zip(&phase.loads) {
                let context = Context {
                    seed: scenario.seed,
                    phase: phase_index,
                    load: load_index,
                    phase_name: phase.name.clone(),
                };
                let schedule = |arrivals: Arrivals, rate: Rate, count: Option<u64>| {
                    Schedule::new(arrivals, rate, context.stream("arrivals"))
                        .collect_until(phase.duration, count)
                };
                let (mut due, rows) = match load {
                    // Without a duration these would never end; the parser asks for one.
                    Load::Transfer(load) => {
                        (schedule(load.arrivals, load.rate, endless(phase.duration)), None)
                    }
                    Load::Call(load) => {
                        (schedule(load.arrivals, load.rate, endless(phase.duration)), None)
                    }
                    Load::Communities(load) => {
                        (schedule(load.arrivals, load.rate, endless(phase.duration)), None)
                    }
                    Load::Trace(load) => {
                        let (due, wanted) = match (load.count, phase.duration) {
                            (None, None) => (None, None),
                            (count, _) => {
                                let due = schedule(load.arrivals, load.rate, count);
                                let wanted = due.len();
                                (Some(due), Some(wanted))
                            }
                        };
                        let rows = TraceRows::read(load, wanted, self.open, &mut self.book)?;
                        let once = load.count.is_none();
                        let due = match due {
                            Some(mut due) => {
                                if once {
                                    due.truncate(rows.len());
                                }
                                due
                            }
                            None => schedule(load.arrivals, load.rate, Some(rows.len() as u64)),
                        };
                        (due, Some(rows))
                    }
                    Load::MainnetBlocks(_) => (Vec::new(), None),
                };
                let curve = load.pace().map_or(&Curve::Constant, |(_, _, curve)| curve);
                if let Some(warp) = Warp::new(curve, phase.duration, self.open)? {
                    due.iter_mut().for_each(|at| *at = warp.at(*at));
                }
                last = last.max(due.last().copied().unwrap_or(Duration::ZERO));
                due.iter_mut().for_each(|at| *at = *at + start);
                loads.push(Scheduled { load, context, due, rows, start });
            }
            let end = start + phase.duration.unwrap_or(last);
            let name = phase.name.clone();
            self.phases.push(PhaseSpan { name, record: phase.record, start, end });
            start = end;
        }
        Ok(loads)
    }
}

fn endless(duration: Option<Duration>) -> Option<u64> {
    if duration.is_some() { None } else { Some(0) }
}

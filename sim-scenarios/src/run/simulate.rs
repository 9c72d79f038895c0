//! A whole scenario in the simulated world: made ready, run network by network, put together for
//! the same report as a run of processes.

use std::num::NonZeroUsize;
use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use cross_shard_msg::{Duration, Timestamp};

use super::begin::{Begun, begin};
use super::faults::fault_bands;
use super::prepare::{Job, PrepareError};
use super::processes::{Stopwatch, add_laps};
use super::reexecute::reexecute;
use super::simulate_faults::{fault_plan, restartable};
use super::simulate_profile::NamedProfile;
use super::simulate_trace::{TraceOptions, tracer};
use super::simulated::{Conditions, SimulationError, Surroundings, simulate_workload};
use super::{Interrupt, Progress};
use crate::client::Ended;
use crate::metrics::{NetworkData, RunData, SimulationFacts};
use crate::scenario::Scenario;
use crate::workload::Workers;

/// No run takes longer than this in virtual time; its client ends it long before.
const END: Timestamp = Timestamp(u64::MAX / 4);

/// The part of [`MachineUse::durations`] that is not wall-clock time: what the simulated world used
/// of one core.
pub const RUNNING_CPU: &str = "running, CPU time";

/// How a scenario is simulated.
#[derive(Clone, Debug, Default)]
pub struct SimulateOptions {
    /// What work costs.
    pub profile: NamedProfile,
    /// What is printed of single events.
    pub trace: Option<TraceOptions>,
}

/// Why a scenario has no result at all.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// It cannot be made ready.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// Its network cannot be simulated.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
}

/// Runs a scenario in the simulated world. All but [`RunData::machine`] is a function of the
/// scenario and the options.
///
/// # Errors
/// When it cannot be made ready, a machine refuses its configuration or cannot be restarted.
pub fn simulate(
    scenario: &Scenario,
    options: &SimulateOptions,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<RunData, SimulateError> {
    let Begun { jobs, mut data, mut machine } = begin(scenario, progress)?;
    let mut whole = Whole::default();
    progress.phase("simulating");
    for job in jobs {
        whole.add(&mut data, job, options, interrupt, progress)?;
        if data.interrupted || data.died.is_some() {
            break;
        }
    }
    machine.durations.append(&mut whole.laps);
    data.simulation = Some(whole.facts(&options.profile));
    data.machine = Some(machine);
    Ok(data)
}

/// What all networks of a scenario come to.
#[derive(Default)]
struct Whole {
    digests: Vec<B256>,
    events: u64,
    time: Duration,
    /// Parts of the run and what they took.
    laps: Vec<(&'static str, Duration)>,
}

impl Whole {
    fn add(
        &mut self,
        data: &mut RunData,
        job: Job,
        options: &SimulateOptions,
        interrupt: &Interrupt,
        progress: &Progress,
    ) -> Result<(), SimulateError> {
        let scenario = &data.scenario;
        let Job { label, plan, workload, transactions, mainnet } = job;
        let mut stopwatch = Stopwatch::start();
        let workload = Arc::new(workload);
        let conditions =
            Conditions { profile: options.profile.costs, end: END, linger: Duration::ZERO };
        let surroundings = Surroundings {
            faults: &|origin| fault_plan(scenario, &workload.phases, origin),
            restartable: restartable(scenario),
            // The run's own signatures are good: what is charged for them need not be done.
            trust_senders: true,
            tracer: options.trace.map(tracer),
            look: &mut |now, told| {
                if let Some(told) = told {
                    progress.client(now, told);
                }
                interrupt.is_set()
            },
            monitor: None,
            disk: None,
        };
        let before = runtime::clock::thread_cpu_nanos();
        let (mut simulated, last) =
            simulate_workload(scenario, &plan, Arc::clone(&workload), conditions, surroundings)?;
        data.interrupted = interrupt.is_set();
        if let Some(Ended::SetupFailed(failure)) = last.as_ref().and_then(|last| last.ended) {
            data.died = Some(format!("the contracts could not be set up: {failure:?}"));
        }
        let bands = last
            .and_then(|last| last.origin)
            .map(|origin| fault_bands(scenario, &workload.phases, label, origin, simulated.end));
        data.faults.extend(bands.unwrap_or_default());
        stopwatch.lap("running");
        // The world is one thread. Beside other work its own time says how fast it is.
        let used = runtime::clock::thread_cpu_nanos().saturating_sub(before);
        stopwatch.laps.push((RUNNING_CPU, Duration(used)));
        progress.phase("executing blocks again");
        let telling = |done, all| progress.count("executing blocks again", done, all);
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let workers = Workers { threads, progress: &telling };
        let logs = std::mem::take(&mut simulated.logs);
        simulated.records.executions = reexecute(&plan, &logs, &transactions, &workers);
        drop(logs);
        stopwatch.lap("executing again");
        add_laps(&mut self.laps, stopwatch.laps);
        self.digests.push(simulated.digest);
        self.events += simulated.events;
        self.time = self.time + simulated.end.since(Timestamp::ZERO);
        data.networks.push(NetworkData {
            label,
            transactions,
            mainnet,
            observations: simulated.observations,
            records: simulated.records,
            questions: plan.strategy.as_ref().map(|it| it.questions().take()).unwrap_or_default(),
            end: simulated.end,
            processes: std::collections::BTreeMap::new(),
        });
        Ok(())
    }

    /// One digest over those of all networks; of a single network its own.
    fn facts(self, profile: &NamedProfile) -> SimulationFacts {
        let digest = match self.digests.as_slice() {
            [one] => *one,
            several => {
                let all: Vec<u8> = several.iter().flatten().copied().collect();
                keccak256(all)
            }
        };
        SimulationFacts { profile: profile.clone(), digest, events: self.events, time: self.time }
    }
}

//! `manifest.json`: what the run was made with and what it took of the machine.

use std::collections::BTreeMap;

use cross_shard_msg::Duration;
use runtime::process::ProcessReport;
use serde::Serialize;

use super::SCHEMA_VERSION;
use super::number::{milliseconds, rounded};
use crate::metrics::Measured;
use crate::run::facts::{CpuUse, MachineFacts};
use crate::run::simulate_profile::NamedProfile;

/// The whole file; serialize it.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    schema_version: u32,
    shardlab: &'static str,
    name: String,
    seed: u64,
    verdict: &'static str,
    started: Option<String>,
    died: Option<String>,
    incomplete: Vec<String>,
    machine: Option<MachineFacts>,
    profile: Option<ProfileSummary>,
    durations: Vec<NamedDuration>,
    measured_ms: Option<f64>,
    cpu_seconds: Option<f64>,
    processes: Vec<ProcessSummary>,
    warnings: Vec<String>,
}

/// What a simulated run charged: nanoseconds by the names of profile files.
#[derive(Clone, Debug, Serialize)]
struct ProfileSummary {
    name: String,
    costs: BTreeMap<&'static str, u64>,
}

impl ProfileSummary {
    fn of(profile: &NamedProfile) -> Self {
        Self { name: profile.name.clone(), costs: profile.prices().into_iter().collect() }
    }
}

#[derive(Clone, Debug, Serialize)]
struct NamedDuration {
    name: &'static str,
    ms: f64,
}

#[derive(Clone, Debug, Serialize)]
struct ProcessSummary {
    network: u64,
    node: String,
    process: Option<u32>,
    cpu_seconds: Option<f64>,
    run_queue_seconds: Option<f64>,
    cpu_seconds_total: Option<f64>,
    report: Option<ProcessReport>,
}

/// The contents of `manifest.json`.
#[must_use]
pub fn manifest(measured: &Measured<'_>) -> Manifest {
    let (run, results) = (measured.run, &measured.results);
    let machine = run.machine.as_ref();
    let named =
        |(name, time): &(&'static str, Duration)| NamedDuration { name, ms: milliseconds(*time) };
    let seconds = |cpu: Option<CpuUse>| cpu.map(|cpu| rounded(cpu.seconds));
    let processes = run.networks.iter().flat_map(|network| {
        network.processes.iter().map(|(node, facts)| ProcessSummary {
            network: network.label,
            node: node.to_string(),
            process: facts.process,
            cpu_seconds: seconds(facts.measured),
            run_queue_seconds: facts.measured.map(|cpu| rounded(cpu.waited_seconds)),
            cpu_seconds_total: seconds(facts.total),
            report: facts.report.clone(),
        })
    });
    let processes: Vec<ProcessSummary> = processes.collect();
    let used: Vec<f64> = processes.iter().filter_map(|process| process.cpu_seconds).collect();
    Manifest {
        schema_version: SCHEMA_VERSION,
        shardlab: env!("CARGO_PKG_VERSION"),
        name: results.name.clone(),
        seed: results.seed,
        verdict: results.verdict.name(),
        started: machine.map(|machine| machine.started.clone()),
        died: run.died.clone(),
        incomplete: results.incomplete.clone(),
        machine: machine.map(|machine| machine.facts.clone()),
        profile: run.simulation.as_ref().map(|facts| ProfileSummary::of(&facts.profile)),
        durations: machine.map(|it| it.durations.iter().map(named).collect()).unwrap_or_default(),
        measured_ms: machine.map(|machine| milliseconds(machine.measured)),
        cpu_seconds: (!used.is_empty()).then(|| rounded(used.iter().sum())),
        processes,
        warnings: results.warnings.machine.clone(),
    }
}

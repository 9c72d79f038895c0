//! `[[phase]]`.

use cross_shard_msg::Duration;

use super::super::files::Places;
use super::super::load::Load;
use super::super::types::Phase;
use super::super::unit::print_duration;
use super::accounts::{ReadAccounts, ReadClient};
use super::faults;
use super::kind;
use super::loads;
use super::network::ReadNetwork;
use super::section::{Field, Notes, Section};

pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// The sections read before, for checks over sections.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) network: &'a ReadNetwork,
    pub(super) accounts: &'a ReadAccounts,
    pub(super) client: &'a ReadClient,
}

/// What was read of the phases.
#[derive(Debug)]
pub(super) struct ReadPhases {
    /// Each name that could be read, and whether the phase is recorded.
    pub(super) names: Vec<(String, bool)>,
    pub(super) phases: Option<Vec<Phase>>,
}

pub(super) fn read(
    notes: &Notes,
    top: &Section<'_>,
    known: &Known<'_>,
    places: &Places,
) -> ReadPhases {
    let Some(sections) = top.sections("phase") else {
        return ReadPhases { names: Vec::new(), phases: None };
    };
    if sections.is_empty() {
        top.missing("phase", "[[phase]]");
    }
    let mut names: Vec<(String, bool)> = Vec::new();
    let mut phases = Some(Vec::new());
    for section in sections {
        let name = section.required("name", "name = \"steady\"", kind::identifier);
        let length = kind::duration(Duration::from_millis(1)..=DAY);
        let duration = section.optional("for", &length);
        let record = section.with_default("record", true, kind::boolean);
        let mut loads = Some(Vec::new());
        let mut finite = true;
        let load_sections = section.sections("load");
        if load_sections.is_none() {
            loads = None;
        }
        let idle = load_sections.as_ref().is_some_and(Vec::is_empty);
        let load_sections = load_sections.unwrap_or_default();
        let alone = load_sections.len() == 1;
        for load in load_sections {
            let (load, ends) = loads::read(notes, load, known, places, duration.as_ref(), alone);
            finite &= ends;
            loads = loads.zip(load).map(|(mut loads, load): (Vec<Load>, Load)| {
                loads.push(load);
                loads
            });
        }
        let faults = faults::read(notes, &section, known, duration.as_ref(), loads.as_deref());
        if (idle || !finite) && !section.has("for") {
            section.missing("for", "for = \"10s\"");
        }
        if let Some(name) = &name {
            if names.iter().any(|(other, _)| *other == name.value) {
                notes.wrong(
                    &name.at,
                    format!("two phases are named `{}`", name.value),
                    "expected a name that no earlier phase has",
                );
            }
            // A phase whose `record` could not be read is taken as recorded: no second problem.
            names.push((name.value.clone(), record.as_ref().is_none_or(|record| record.value)));
        }
        section.finish();
        let phase = || {
            Some(Phase {
                name: name?.value,
                duration: duration.map(|field| field.value),
                record: record?.value,
                loads: loads?,
                faults: faults?,
            })
        };
        phases = phases.zip(phase()).map(|(mut phases, phase)| {
            phases.push(phase);
            phases
        });
    }
    if phases
        .as_ref()
        .is_some_and(|phases| !phases.is_empty() && phases.iter().all(|phase| !phase.record))
    {
        notes.wrong(top.at(), "no phase is recorded", "expected a phase without `record = false`");
    }
    ReadPhases { names, phases }
}

/// Reports a load that would schedule more than `most` transactions within `duration`.
pub(super) fn limit_total(
    notes: &Notes,
    rate: &Field<super::super::unit::Rate>,
    duration: &Field<Duration>,
    most: u64,
) {
    let kiloseconds = u128::from(Duration::from_secs(1_000).0);
    let total = u128::from(rate.value.per_kilosecond) * u128::from(duration.value.0) / kiloseconds;
    if total > u128::from(most) {
        notes.wrong(
            &rate.at,
            format!("`{}` is too much for {}", rate.path, print_duration(duration.value)),
            format!("a load sends at most {} transactions", kind::group(most)),
        );
    }
}

//! When a scenario's faults are due, for both worlds.

use cross_shard_msg::{Duration, Timestamp};

use crate::scenario::{FaultBand, FaultKind, Scenario};
use crate::workload::PhaseSpan;

/// Each fault with the time at which it begins, counted from the start of the first phase, in the
/// order of the scenario. Phases that are not among `phases` run in a network of their own.
pub(super) fn due<'a, 'b>(
    scenario: &'a Scenario,
    phases: &'b [PhaseSpan],
) -> impl Iterator<Item = (Duration, &'a FaultKind)> + use<'a, 'b> {
    let named = |name: &str| phases.iter().find(|span| span.name == name);
    let here = scenario.phases.iter().filter_map(move |phase| Some((phase, named(&phase.name)?)));
    here.flat_map(|(phase, span)| {
        phase.faults.iter().map(|fault| (span.start + fault.at, &fault.kind))
    })
}

/// When each fault was at work in a network that ran from `origin`, the start of the first phase, to
/// `end`, in the order of the scenario. Those that were not due yet are left out.
pub(super) fn fault_bands(
    scenario: &Scenario,
    phases: &[PhaseSpan],
    network: u64,
    origin: Timestamp,
    end: Timestamp,
) -> Vec<FaultBand> {
    let planned = due(scenario, phases).map(|(at, kind)| kind.band(network, origin + at));
    planned.filter(|band| band.start < end).map(|band| band.until(end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Places, parse};

    const TEXT: &str = r#"
name = "x"
[[phase]]
name = "one"
for = "1s"
[[phase.fault]]
kind = "crash"
node = "shard:1"
[[phase]]
name = "two"
for = "9s"
[[phase.fault]]
kind = "loss"
at = "2s"
from = ["shard:0", "leader", "shard:*"]
to = "client"
share = "5%"
for = "3s"
"#;

    #[test]
    fn bands_are_those_of_this_network_until_its_end() {
        let scenario = parse("x", TEXT, &[], &Places { base: ".".into(), data: None }).unwrap();
        let secs = Duration::from_secs;
        let phases = [PhaseSpan::recorded("one", 0, 1), PhaseSpan::recorded("two", 1, 10)];
        let origin = Timestamp::ZERO + secs(100);
        let bands = |phases, end| fault_bands(&scenario, phases, 7, origin, origin + secs(end));

        let all = bands(&phases, 20);
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].kind, all[0].start, all[0].end), ("crash", origin, None));
        assert_eq!(all[1].target, "shard:0, leader, shard:* with client");
        assert_eq!((all[1].start, all[1].end), (origin + secs(3), Some(origin + secs(6))));
        assert_eq!(all[1].network, 7);
        assert_eq!(bands(&phases, 5)[1].end, None, "it lasted");
        assert_eq!(bands(&phases, 3).len(), 1);
        assert_eq!(bands(&phases[1..], 20), all[1..], "another network's");
        assert_eq!(bands(&[], 20), []);
    }
}

//! A scenario's faults as a plan of the simulated world.

use std::collections::BTreeSet;

use cross_shard_msg::{Duration, NodeId, Timestamp};
use simulation::{Fault, FaultPlan, LinkSet, Target};

use super::faults::due;
use crate::scenario::{Damage, FaultKind, FaultTarget, Network, Scenario};
use crate::workload::PhaseSpan;

/// The faults of all phases; the first phase starts at `origin`.
#[must_use]
pub fn fault_plan(scenario: &Scenario, phases: &[PhaseSpan], origin: Timestamp) -> FaultPlan {
    let mut plan = FaultPlan::new();
    for (at, kind) in due(scenario, phases) {
        for fault in faults(kind, &scenario.network) {
            plan.push(origin + at, fault);
        }
    }
    plan
}

/// The nodes that a fault may start again.
#[must_use]
pub fn restartable(scenario: &Scenario) -> BTreeSet<NodeId> {
    let network = &scenario.network;
    let faults = scenario.phases.iter().flat_map(|phase| &phase.faults);
    let crashed = faults.filter_map(|fault| match &fault.kind {
        FaultKind::Crash { nodes, restart_after: Some(_) } => Some(nodes),
        _ => None,
    });
    crashed.flatten().flat_map(|target| target.candidates(network)).collect()
}

/// A fault of nodes strikes each of them.
fn faults(kind: &FaultKind, network: &Network) -> Vec<Fault> {
    match kind {
        FaultKind::Crash { nodes, restart_after } => targets(nodes, network)
            .into_iter()
            .map(|node| Fault::Crash { node, restart_after: *restart_after })
            .collect(),
        FaultKind::Pause { nodes, span } => targets(nodes, network)
            .into_iter()
            .map(|node| Fault::Pause { node, span: *span })
            .collect(),
        FaultKind::Links { from, to, one_way, span, damage } => {
            let links = LinkSet {
                from: targets(from, network),
                to: targets(to, network),
                both_ways: !one_way,
            };
            vec![damaged(links, *damage, *span)]
        }
    }
}

fn damaged(links: LinkSet, damage: Damage, span: Duration) -> Fault {
    match damage {
        Damage::Disconnect => Fault::Disconnect { links, span },
        Damage::Delay { delay, jitter } => Fault::Delay { links, delay, jitter, span },
        Damage::Loss { share } => Fault::Loss { links, per_mille: share.0, span },
        Damage::Duplicate { share } => Fault::Duplicate { links, per_mille: share.0, span },
        Damage::Reorder { share, within } => {
            Fault::Reorder { links, per_mille: share.0, within, span }
        }
        Damage::Bandwidth { bits_per_second } => {
            Fault::Bandwidth { links, bytes_per_second: bits_per_second / 8, span }
        }
    }
}

/// Each node once, in order; the leader is found when the fault begins.
fn targets(targets: &[FaultTarget], network: &Network) -> Vec<Target> {
    let mut all = BTreeSet::new();
    for target in targets {
        match target.nodes(network) {
            Some(nodes) => all.extend(nodes.into_iter().map(Target::Node)),
            None => {
                all.insert(Target::Leader);
            }
        }
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Places, parse};

    const TEXT: &str = r#"
name = "x"
[network]
shards = 2
validators = 2
[[phase]]
name = "one"
for = "1s"
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
[[phase.fault]]
kind = "crash"
node = ["leader", "shard:1"]
restart_after = "1s"
"#;

    #[test]
    fn faults_begin_with_their_phase() {
        let places = Places { base: ".".into(), data: None };
        let scenario = parse("x", TEXT, &[], &places).unwrap();
        let secs = Duration::from_secs;
        let phases = [PhaseSpan::recorded("one", 0, 1), PhaseSpan::recorded("two", 1, 10)];
        let origin = Timestamp::ZERO + secs(100);
        let plan = fault_plan(&scenario, &phases, origin);
        let lines: Vec<String> =
            plan.iter().map(|(at, fault)| format!("{} {fault}", at.0 / 1_000_000_000)).collect();
        assert_eq!(
            lines,
            [
                "101 crash shard:1, restart after 1s",
                "101 crash leader, restart after 1s",
                "103 loss shard:0,shard:1,leader↔client 50‰ for 3s",
            ]
        );
        let nodes: Vec<String> = restartable(&scenario).iter().map(ToString::to_string).collect();
        assert_eq!(nodes, ["shard:1", "coordinator:0", "coordinator:1"]);
    }
}

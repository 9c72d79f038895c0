use cross_shard_msg::{ShardId, ValidatorIndex};

use super::*;
use crate::scenario::{Places, parse};

/// Writes down what is done to it, by second.
struct Log {
    alive: BTreeSet<NodeId>,
    lines: Vec<String>,
    refuses: bool,
}

impl Log {
    fn of(scenario: &Scenario) -> Self {
        let nodes = scenario.network.nodes().filter(|node| *node != NodeId::Client);
        Self { alive: nodes.collect(), lines: Vec::new(), refuses: false }
    }

    fn note(&mut self, line: String) -> Result<(), &'static str> {
        self.lines.push(line);
        if self.refuses { Err("no") } else { Ok(()) }
    }
}

impl Victims for Log {
    type Error = &'static str;

    fn is_running(&self, node: NodeId) -> bool {
        self.alive.contains(&node)
    }

    fn leader(&self) -> NodeId {
        NodeId::Coordinator(ValidatorIndex(1))
    }

    fn kill(&mut self, node: NodeId) -> Result<(), &'static str> {
        assert!(self.alive.remove(&node), "{node} lives");
        self.note(format!("kill {node}"))
    }

    fn restart(&mut self, node: NodeId) -> Result<(), &'static str> {
        assert!(self.alive.insert(node), "{node} is dead");
        self.note(format!("restart {node}"))
    }

    fn pause(&mut self, node: NodeId) -> Result<(), &'static str> {
        assert!(self.alive.contains(&node), "{node} lives");
        self.note(format!("pause {node}"))
    }

    fn resume(&mut self, node: NodeId) -> Result<(), &'static str> {
        assert!(self.alive.contains(&node), "{node} lives");
        self.note(format!("resume {node}"))
    }

    fn break_links(&mut self, from: NodeId, links: &[LinkLine]) -> Result<(), &'static str> {
        for LinkLine { to, faults } in links {
            self.note(format!("{from} to {to}: {faults:?}"))?;
        }
        Ok(())
    }
}

fn scenario(faults: &str) -> Scenario {
    let text = format!(
        "name = \"x\"\n[network]\nshards = 2\nvalidators = 2\n[[phase]]\nname = \"p\"\nfor = \"60s\"\n\
         {faults}"
    );
    parse("x", &text, &[], &Places { base: ".".into(), data: None }).unwrap()
}

const ORIGIN: Timestamp = Timestamp(5_000_000_000);

/// What is done in each second up to `end`, and the bands.
fn run(faults: &str, end: u64) -> (Vec<String>, Vec<FaultBand>) {
    let scenario = scenario(faults);
    let mut faults = ProcessFaults::new(&scenario, &[PhaseSpan::recorded("p", 0, 60)], 3);
    let mut log = Log::of(&scenario);
    let mut lines = Vec::new();
    for second in 0..=end {
        faults.strike(ORIGIN, ORIGIN + Duration::from_secs(second), &mut log).unwrap();
        lines.extend(log.lines.drain(..).map(|line| format!("{second} {line}")));
    }
    let bands = faults.finish(&mut log);
    lines.extend(log.lines.drain(..).map(|line| format!("end {line}")));
    (lines, bands)
}

#[test]
fn a_dead_node_does_not_die_again() {
    let crash =
        |at, rest| format!("[[phase.fault]]\nkind = \"crash\"\nnode = {rest}\nat = \"{at}s\"\n");
    let faults = [
        crash(1, "\"shard:1\"\nrestart_after = \"3s\""),
        crash(2, "\"shard:*\"\nrestart_after = \"1s\""),
        crash(6, "\"leader\""),
    ];
    let (lines, bands) = run(&faults.concat(), 9);
    let expected = [
        "1 kill shard:1",
        "2 kill shard:0",
        "3 restart shard:0",
        "4 restart shard:1",
        "6 kill coordinator:1",
    ];
    assert_eq!(lines, expected);
    let at = |secs| ORIGIN + Duration::from_secs(secs);
    let times: Vec<_> = bands.iter().map(|band| (band.network, band.start, band.end)).collect();
    assert_eq!(times, [(3, at(1), Some(at(4))), (3, at(2), Some(at(3))), (3, at(6), None)]);
}

#[test]
fn pauses_add_up_and_end_with_a_life_or_a_run() {
    let pause = |node, at, span| {
        format!(
            "[[phase.fault]]\nkind = \"pause\"\nnode = \"{node}\"\nat = \"{at}s\"\nfor = \"{span}s\"\n"
        )
    };
    let crash = "[[phase.fault]]\nkind = \"crash\"\nnode = \"shard:1\"\nat = \"4s\"\n\
                 restart_after = \"1s\"\n";
    let faults = [
        pause("shard:0", 1, 2),
        pause("shard:0", 3, 2),
        pause("shard:1", 2, 10),
        pause("coordinator:0", 9, 50),
        crash.to_owned(),
    ];
    let (lines, bands) = run(&faults.concat(), 20);
    let expected = [
        "1 pause shard:0",
        "2 pause shard:1",
        "3 pause shard:0",
        "4 kill shard:1",
        "5 resume shard:0",
        "5 restart shard:1",
        "9 pause coordinator:0",
        "end resume coordinator:0",
    ];
    assert_eq!(lines, expected);
    assert_eq!(bands[3].end, None, "it lasted");
}

#[test]
fn faults_of_one_link_act_together() {
    let faults = "
        [[phase.fault]]
        kind = \"disconnect\"
        from = \"shard:0\"
        to = [\"shard:*\", \"leader\"]
        one_way = true
        for = \"3s\"
        [[phase.fault]]
        kind = \"bandwidth\"
        from = \"client\"
        to = \"shard:0\"
        bandwidth = \"8 kbit/s\"
        at = \"1s\"
        for = \"1s\"
        [[phase.fault]]
        kind = \"loss\"
        from = \"shard:0\"
        to = \"shard:1\"
        share = \"10%\"
        at = \"2s\"
        for = \"4s\"";
    let (lines, _) = run(faults, 9);
    let expected = [
        "0 shard:0 to shard:1: [Disconnected]",
        "0 shard:0 to coordinator:1: [Disconnected]",
        "1 shard:0 to client: [Limited { bytes_per_second: 1000 }]",
        "1 client to shard:0: [Limited { bytes_per_second: 1000 }]",
        "2 shard:0 to shard:1: [Disconnected, Lossy { per_mille: 100 }]",
        "2 shard:1 to shard:0: [Lossy { per_mille: 100 }]",
        "2 shard:0 to client: []",
        "2 client to shard:0: []",
        "3 shard:0 to shard:1: [Lossy { per_mille: 100 }]",
        "3 shard:0 to coordinator:1: []",
        "6 shard:0 to shard:1: []",
        "6 shard:1 to shard:0: []",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn what_cannot_be_done_is_said_and_another_network_is_left_alone() {
    let text = "[[phase.fault]]\nkind = \"pause\"\nnode = \"shard:1\"\nfor = \"1s\"\n";
    let scenario = scenario(text);
    let mut log = Log::of(&scenario);
    let mut faults = ProcessFaults::new(&scenario, &[], 7);
    assert_eq!(faults.next(), None);
    faults.strike(ORIGIN, ORIGIN, &mut log).unwrap();
    assert!(log.lines.is_empty());

    let mut faults = ProcessFaults::new(&scenario, &[PhaseSpan::recorded("p", 0, 60)], 0);
    assert_eq!(faults.next(), Some(Duration::ZERO));
    log.refuses = true;
    let error = faults.strike(ORIGIN, ORIGIN, &mut log).unwrap_err();
    assert_eq!(error, "the fault `pause shard:1` failed: no");
    log.alive.remove(&NodeId::Shard(ShardId(1)));
    assert!(faults.finish(&mut log).iter().all(|band| band.end.is_none()));
}

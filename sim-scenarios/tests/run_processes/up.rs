//! `shardlab up`: its banner, its end.

use std::net::TcpListener;

use crate::lab::{Lab, Running, kill, until};

fn start(lab: &Lab, arguments: &[&str]) -> Running {
    let directory = lab.path("up");
    let up = ["up", "--out", directory.to_str().unwrap(), "--shards", "2"];
    lab.start("up", &[&up, arguments].concat())
}

fn banner(run: &Running) -> String {
    until("the banner", || Some(run.out()).filter(|out| out.contains("Ctrl-C stops")))
}

#[test]
fn the_banner_has_what_a_user_needs_and_ctrl_c_ends_all() {
    let lab = Lab::new("");
    let mut run = start(&lab, &["--set", "network.block_time=150ms"]);
    let banner = banner(&run);
    assert!(banner.starts_with("2 shards, 4 coordinators, chain id 1337"), "{banner}");
    for (node, name) in [
        ("shard:0", "shard-0"),
        ("shard:1", "shard-1"),
        ("coordinator:0", "coordinator-0"),
        ("coordinator:3", "coordinator-3"),
    ] {
        let line = banner.lines().find(|line| line.trim_start().starts_with(node)).unwrap();
        assert!(line.contains(&format!(" {} ", run.node(name))), "{line}");
        assert!(line.contains("http://127.0.0.1:") && line.contains("/metrics"), "{line}");
        assert!(line.contains(&format!("nodes/{name}.log")), "{line}");
    }
    let accounts: Vec<&str> =
        banner.lines().filter(|line| line.trim_start().starts_with("0x")).collect();
    assert_eq!(accounts.len(), 10);
    for line in accounts {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [account, key, home, balance, unit] = cells.as_slice() else { panic!("{line}") };
        assert_eq!((account.len(), key.len()), (42, 66), "{line}");
        assert!(["shard:0", "shard:1"].contains(home), "{line}");
        assert_eq!((*balance, *unit), ("1000", "ether"), "{line}");
        // R-HOME-1: the last 32 bits modulo the number of shards.
        let last = u32::from_str_radix(&account[34..], 16).unwrap();
        assert_eq!(format!("shard:{}", last % 2), *home, "{line}");
    }
    assert!(run.is_running());

    // One of four coordinators may die.
    kill("KILL", run.node("coordinator-1"));
    until("a word on the dead one", || run.err().contains("coordinator:1 died").then_some(()));
    run.under_way();
    assert!(run.is_running());
    kill("INT", run.id());
    let run = run.finish();
    run.ended(0);
    assert_eq!(run.rows("accounts.csv").len(), 10);
}

#[test]
fn a_dead_shard_ends_the_network() {
    let lab = Lab::new("");
    let run = start(&lab, &["--validators", "1"]);
    banner(&run);
    kill("KILL", run.node("shard-0"));
    let run = run.finish();
    run.ended(3);
    assert!(run.err.starts_with("shard:0 died (signal: 9 (SIGKILL)); the end of "), "{}", run.err);
}

#[test]
fn a_busy_port_is_named() {
    let busy = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = busy.local_addr().unwrap().port();
    let lab = Lab::new("");
    let asked = port.to_string();
    let run = start(&lab, &["--validators", "1", "--metrics-port", &asked]).finish();
    run.ended(3);
    // A neighbour may be busy too.
    let named = (port..=port.saturating_add(2))
        .any(|port| run.err.contains(&format!("port {port} of 127.0.0.1 is busy")));
    assert!(named, "{port}: {}", run.err);
    assert_eq!(run.out, "");
}

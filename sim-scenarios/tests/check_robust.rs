//! Whatever the text or the arguments are, reading ends with a scenario or with problems that can
//! be shown; it never panics.

use std::path::PathBuf;

use proptest::prelude::*;
use sim_scenarios::scenario::{Places, parse};

const EVERYTHING: &str = include_str!("everything.toml");

fn read(text: &str, set: &[String]) {
    let places = Places { base: PathBuf::from("/nowhere"), data: Some("/no-data".into()) };
    match parse("random.toml", text, set, &places) {
        Ok(scenario) => {
            assert!(
                scenario
                    .phases
                    .iter()
                    .all(|phase| { phase.duration.is_some() || !phase.loads.is_empty() })
            );
            assert!(!scenario.phases.is_empty());
            let printed = scenario.to_string();
            assert_eq!(parse("printed.toml", &printed, &[], &places).unwrap(), scenario);
        }
        Err(rejected) => {
            assert!(!rejected.render(false).is_empty());
            assert!(!rejected.render(true).is_empty());
            assert!(rejected.located().iter().all(|problem| problem.line != Some(0)));
        }
    }
}

/// A piece of TOML that is often valid where it lands.
fn value() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "1",
        "0",
        "-1",
        "2.5",
        "1e400",
        "nan",
        "inf",
        "true",
        "[]",
        "{}",
        "\"\"",
        "\"1s\"",
        "\"0s\"",
        "\"5 gwei\"",
        "\"8 MiB\"",
        "\"99999999999999999999 ether\"",
        "\"50%\"",
        "\"unlimited\"",
        "\"shard:1\"",
        "\"transfer\"",
        "\"call\"",
        "\"< 3s\"",
        "[\"< 3s\", 4]",
        "{ zipf = 1 }",
        "2026-01-01",
        "0xffffffffffffffffffffffffffffffffffff",
        "'''\nx'''",
        "\"f(address,uint)\"",
        "[\"account\", 1]",
        "\"data:x\"",
        "\"/\"",
        "[{}]",
        "[[[]]]",
    ];
    prop_oneof![
        prop::sample::select(KNOWN).prop_map(str::to_owned),
        any::<String>().prop_map(|text| format!("{text:?}")),
        any::<i128>().prop_map(|number| number.to_string()),
    ]
}

/// A line of the maximal scenario, or one of its keys with another value, or noise.
fn line() -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = EVERYTHING.lines().collect();
    let keys: Vec<&'static str> =
        lines.iter().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
    prop_oneof![
        6 => prop::sample::select(lines).prop_map(str::to_owned),
        3 => (prop::sample::select(keys), value()).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => any::<String>(),
    ]
}

fn argument() -> impl Strategy<Value = String> {
    const PATHS: &[&str] = &[
        "name",
        "seed",
        "network.shards",
        "network.links.override[0].from",
        "phase",
        "phase[0]",
        "phase.mixed.load.0.rate",
        "phase[1].load[1].mix",
        "thresholds.\"mixed: finality.p50\"",
        "thresholds.finality",
        "accounts.popularity.zipf",
        "network",
        "client.tip.x",
        "phase[9].x",
    ];
    prop_oneof![
        (prop::sample::select(PATHS), value()).prop_map(|(path, value)| format!("{path}={value}")),
        any::<String>(),
        "[a-z\\[\\]0-9.\"=]{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_text(text in any::<String>()) {
        read(&text, &[]);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(&String::from_utf8_lossy(&bytes), &[]);
    }

    #[test]
    fn any_lines(lines in prop::collection::vec(line(), 0..60)) {
        read(&lines.join("\n"), &[]);
    }

    /// The maximal scenario with one line replaced: the problems of a nearly valid file.
    #[test]
    fn any_slip(at in 0..200_usize, line in line()) {
        let mut lines: Vec<String> = EVERYTHING.lines().map(str::to_owned).collect();
        let at = at % lines.len();
        lines[at] = line;
        read(&lines.join("\r\n"), &[]);
    }

    #[test]
    fn any_arguments(set in prop::collection::vec(argument(), 0..4)) {
        read(EVERYTHING, &set);
        read("name = \"x\"\n[[phase]]\nname = \"mixed\"\nfor = \"1s\"\n", &set);
    }
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [("[", "]"), ("{ a = ", "}")] {
        read(&format!("name = {}1{}", open.repeat(50_000), close.repeat(50_000)), &[]);
    }
    read(&format!("{}x = 1", "a.".repeat(50_000)), &[]);
    read("", &[format!("{}x=1", "a.".repeat(50_000))]);
    read("phase = [[[1]]]", &[format!("phase{}=1", "[0]".repeat(50_000))]);
}

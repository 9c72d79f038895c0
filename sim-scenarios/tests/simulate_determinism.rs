//! Every scenario that ships, simulated twice: the same digest and the same bytes of summary.json;
//! another seed gives another run.

use sim_scenarios::metrics::{Verdict, measure};
use sim_scenarios::report::summary;
use sim_scenarios::run::simulate::{SimulateOptions, simulate};
use sim_scenarios::run::{Interrupt, Progress};
use sim_scenarios::scenario::{EXAMPLES, Places, parse};

/// What makes a scenario short; its thresholds need not hold then.
fn shortened(name: &str) -> &'static [&'static str] {
    match name {
        "throughput" => &["phase.replay.load.0.count=3000"],
        "large" => &["phase.load.load.0.rate=500", "phase.load.for=4s"],
        "trace" => &["phase.replay.load.0.count=600"],
        "mainnet-blocks" => &["phase.blocks.load.0.blocks=[46147, 1796867]"],
        _ => &[],
    }
}

struct Outcome {
    digest: String,
    summary: String,
    verdict: Verdict,
}

/// `None`, with a word about it, when the scenario's data is not there.
fn run(text: &str, set: &[&str], seed: Option<u64>) -> Option<Outcome> {
    let data = cross_shard_msg::testdata::dir();
    if text.contains("\"data:") && data.is_none() {
        eprintln!("SKIPPED a scenario: the data directory is absent");
        return None;
    }
    let mut set: Vec<String> = set.iter().map(ToString::to_string).collect();
    set.extend(seed.map(|seed| format!("seed={seed}")));
    let places = Places { base: ".".into(), data };
    let scenario = parse("scenario.toml", text, &set, &places).unwrap_or_else(|e| panic!("{e}"));
    let options = SimulateOptions::default();
    let run = simulate(&scenario, &options, &Interrupt::default(), &Progress::new(true)).unwrap();
    let measured = measure(&run);
    Some(Outcome {
        digest: run.simulation.as_ref().unwrap().digest.to_string(),
        summary: summary(&measured).to_string(),
        verdict: measured.results.verdict,
    })
}

#[test]
fn the_same_scenario_and_seed_give_the_same_run() {
    for example in EXAMPLES {
        let set = shortened(example.name);
        let Some(first) = run(example.text, set, None) else { continue };
        let Some(second) = run(example.text, set, None) else { continue };
        assert_eq!(first.digest, second.digest, "{}", example.name);
        assert_eq!(first.summary, second.summary, "{}", example.name);
        if set.is_empty() {
            assert_eq!(first.verdict, Verdict::Passed, "{}: {}", example.name, first.summary);
        }
        assert_ne!(first.verdict, Verdict::InvariantBroken, "{}", example.name);
    }
}

#[test]
fn another_seed_gives_another_run() {
    let quickstart = EXAMPLES.iter().find(|example| example.name == "quickstart").unwrap();
    let [one, other] = [1, 2].map(|seed| run(quickstart.text, &[], Some(seed)).unwrap());
    assert_ne!(one.digest, other.digest);
    assert_ne!(one.summary, other.summary);
}

#[test]
fn faults_change_a_run_and_are_reported() {
    for (name, kinds) in [("restarts", &["crash", "pause"][..]), ("faults", &["loss", "reorder"])] {
        let example = EXAMPLES.iter().find(|example| example.name == name).unwrap();
        let outcome = run(example.text, &[], None).unwrap();
        for kind in kinds {
            let line = format!("\"kind\": \"{kind}\"");
            assert!(outcome.summary.contains(&line), "{}", outcome.summary);
        }
    }
}

/// Every machine, and every profile of the compiler, gives this run this digest. A change of the
/// protocol, of its settings or of costs changes it, and then the failure says the new one.
#[test]
fn a_run_is_the_same_to_the_bit_wherever_it_is_made() {
    let outcome = run(include_str!("data/pinned_run.toml"), &[], None).unwrap();
    let pinned = "0x06fdff308e44a79c33c6ea04a70b1b5ee2d48bc2b8bba446962100e99390c021";
    assert_eq!(outcome.digest, pinned);
}

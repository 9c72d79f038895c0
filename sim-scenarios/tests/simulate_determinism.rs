//! Every scenario that ships, simulated twice: the same digest and the same bytes of summary.json;
//! another seed gives another run.

use sim_scenarios::metrics::{Verdict, measure};
use sim_scenarios::report::{FILES, summary};
use sim_scenarios::run::complete::{CompleteError, World, complete};
use sim_scenarios::run::simulate::{SimulateOptions, simulate};
use sim_scenarios::run::{Interrupt, Progress};
use sim_scenarios::scenario::{EXAMPLES, Places, Scenario, parse};

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
    let pinned = "0x1176ee8c18722c369c5324b1b27e45321d7d0986f39325b925c614db44e13a2a";
    assert_eq!(outcome.digest, pinned);
}

#[test]
fn runs_of_one_program_at_a_time_do_not_disturb_each_other() {
    let [one, other] = [1, 2].map(|seed| {
        let places = Places { base: ".".into(), data: None };
        let example = EXAMPLES.iter().find(|example| example.name == "quickstart").unwrap();
        parse("quickstart.toml", example.text, &[format!("seed={seed}")], &places).unwrap()
    });
    let whole = |scenario: &Scenario| {
        let directory = tempfile::tempdir().unwrap();
        let world = World::Simulation(SimulateOptions::default());
        let (interrupt, progress) = (Interrupt::default(), Progress::new(true));
        let ran = complete(scenario, &world, directory.path(), &interrupt, &progress, |measured| {
            let facts = measured.run.simulation.as_ref().unwrap();
            (facts.digest, measured.results.verdict)
        });
        for file in FILES.iter().filter(|file| **file != "senders.csv") {
            assert!(directory.path().join(file).is_file(), "{file}");
        }
        ran.unwrap()
    };
    let alone = [whole(&one), whole(&other)];
    assert!(alone.iter().all(|(_, verdict)| *verdict == Verdict::Passed));
    assert_ne!(alone[0].0, alone[1].0);
    let together = std::thread::scope(|scope| {
        let threads = [&one, &other].map(|scenario| scope.spawn(|| whole(scenario)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(alone, together);
}

#[test]
fn processes_are_never_byzantine() {
    let example = EXAMPLES.iter().find(|example| example.name == "byzantine").unwrap();
    let places = Places { base: ".".into(), data: None };
    let scenario = parse("byzantine.toml", example.text, &[], &places).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (interrupt, progress) = (Interrupt::default(), Progress::new(true));
    let ran =
        complete(&scenario, &World::Processes, directory.path(), &interrupt, &progress, |_| ());
    assert!(matches!(ran, Err(CompleteError::Byzantine)));
}

//! Accounts that move while the network works, and strategies that fail.

use std::process::Command;

use crate::lab::{Finished, Lab};

/// Two shards whose accounts may move after each second checkpoint.
const EPOCHS: &str = r#"
name = "epochs"

[network]
shards = 2
validators = 1
block_time = "100ms"
checkpoint_every = "250ms"

[accounts]
count = 20

[partitioning]
epoch = 2
max_moves = 5
window = 2

[[phase]]
name = "steady"
for = "2500ms"

[[phase.load]]
kind = "transfer"
rate = 60
"#;

/// With the directory, which is gone when it is dropped.
fn run(strategy: &str) -> (Lab, Finished) {
    let lab = Lab::new(&EPOCHS.replace("epoch = 2", &format!("strategy = {strategy}\nepoch = 2")));
    lab.write("greedy.py", include_str!("../../../strategies/python/greedy.py"));
    let run = lab.run("out", &[]);
    run.ended(0);
    assert_eq!(run.count("unfinished"), 0);
    assert_eq!(run.count("settled"), run.count("offered"));
    run.invariants_held();
    for file in sim_scenarios::report::MIGRATION_FILES {
        assert!(run.directory.join(file).exists(), "{file}");
    }
    (lab, run)
}

#[test]
fn accounts_move_and_nothing_is_lost() {
    // Addresses are random: half of all accounts are on the wrong side.
    let (_lab, run) = run("\"range\"");
    let migrations = &run.summary()["migrations"];
    let count = |key: &str| migrations[key].as_u64().unwrap();
    assert!(count("accounts") > 0, "{migrations}");
    assert_eq!((count("unfinished"), count("accounts")), (0, count("left")), "{migrations}");
    assert_eq!(migrations["epochs"]["failed"], serde_json::json!([]));
    assert_eq!(migrations["stalled_ms"]["count"], migrations["accounts"]);
    let moves = run.rows("migrations.csv");
    assert_eq!(moves.len() as u64, count("moves"));
    for moved in moves {
        let at = |column: &str| moved[column].parse::<u64>().unwrap();
        assert!(at("decided_ns") < at("left_ns") && at("left_ns") < at("arrived_ns"), "{moved:?}");
        assert_ne!(moved["from"], moved["to"]);
    }
    let epochs = run.rows("epochs.csv");
    let sum: u64 = epochs.iter().map(|epoch| epoch["moves"].parse::<u64>().unwrap()).sum();
    assert_eq!(sum, count("moves"));
    assert!(epochs.iter().all(|epoch| epoch["moves"].parse::<u64>().unwrap() <= 5));
    assert!(run.out.contains("migrations: strategy range"), "{}", run.out);
    let page = run.file("report.html");
    assert!(page.contains("<section id=\"migrations\">"));
    let figure = format!("data-key=\"/migrations/accounts\" data-value=\"{}\"", count("accounts"));
    assert!(page.contains(&figure), "{figure}");
    assert!(page.contains("class=\"band moving\""));
    for asked in run.rows("partitioner.csv") {
        assert_eq!(asked["failure"], "");
        assert!(asked["wall_ns"].parse::<u64>().unwrap() > 0);
    }
}

/// The program stands beside the scenario, wherever the run is started.
#[test]
fn a_program_says_who_moves() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no python3");
        return;
    }
    let (_lab, run) = run("{ command = [\"python3\", \"greedy.py\"] }");
    let migrations = &run.summary()["migrations"];
    assert_eq!(migrations["strategy"], "greedy.py");
    assert_eq!(migrations["epochs"]["failed"], serde_json::json!([]));
    // A busy machine starts it so late that nothing comes of what it wants.
    let asked = run.rows("partitioner.csv");
    assert!(asked.iter().any(|asked| asked["moves"] != "0"), "{asked:?}");
}

/// The old allocation stays, the run goes on, and everybody is told why.
#[track_caller]
fn fails(strategy: &str, said: &str) {
    let (_lab, run) = run(strategy);
    let summary = run.summary();
    assert_eq!(summary["migrations"]["moves"], 0);
    assert!(!summary["migrations"]["epochs"]["failed"].as_array().unwrap().is_empty());
    let warned = summary["warnings"].as_array().unwrap().iter();
    let warned = warned.filter(|it| it.as_str().unwrap().starts_with("the strategy failed after"));
    assert_eq!(warned.count(), 1, "{}", summary["warnings"]);
    let one_line = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(one_line.contains(said), "{said}: {}", run.out);
    assert!(run.file("report.html").contains("The strategy failed"));
    let asked = run.rows("partitioner.csv");
    assert!(!asked.is_empty());
    for asked in asked {
        assert!(asked["failure"].contains(said), "{asked:?}");
    }
}

#[test]
fn a_program_that_takes_too_long() {
    fails("{ command = [\"sleep\", \"60\"], timeout = \"100ms\" }", "no answer within 0.1 s");
}

#[test]
fn a_program_that_crashes() {
    let program = "[\"sh\", \"-c\", \"echo out of ideas >&2; exit 3\"]";
    fails(&format!("{{ command = {program} }}"), "exit status: 3");
}

#[test]
fn a_program_that_answers_nonsense() {
    fails("{ command = [\"echo\", \"hello\"] }", "echo hello: ");
}

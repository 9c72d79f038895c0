//! `--print`: what is printed is read as the same scenario.

mod data;

use sim_scenarios::scenario::{EXAMPLES, Places, Scenario, parse, template};

/// A scenario that uses every key, none of them at its default.
const EVERYTHING: &str = include_str!("everything.toml");

fn read(text: &str, set: &[String], places: &Places) -> Scenario {
    parse("scenario.toml", text, set, places)
        .unwrap_or_else(|rejected| panic!("{rejected}\n{text}"))
}

fn round_trip(scenario: &Scenario, places: &Places) -> String {
    let printed = scenario.to_string();
    assert_eq!(&read(&printed, &[], places), scenario, "{printed}");
    printed
}

#[test]
fn printed_scenarios_are_the_same() {
    let data = data::Data::new("print");
    let texts = EXAMPLES.iter().map(|example| example.text.to_owned());
    for text in texts.chain([template("fresh"), EVERYTHING.to_owned()]) {
        let scenario = read(&text, &[], &data.places);
        let printed = round_trip(&scenario, &data.places);
        assert_eq!(read(&printed, &[], &data.places).to_string(), printed);
    }
}

#[test]
fn strategies_are_printed() {
    let data = data::Data::new("strategies");
    std::fs::write(data.places.base.join("homes.csv"), "").unwrap();
    for strategy in [
        "\"hash\"",
        "\"clpa\"",
        "{ name = \"forecast\", level = 1, then = \"metis\" }",
        "{ name = \"trace-file\", file = \"homes.csv\" }",
        "{ command = [\"python3\", \"homes.csv\", \"--now\"], timeout = \"1s\" }",
    ] {
        let text = format!(
            "name = \"x\"\n[partitioning]\nstrategy = {strategy}\nepoch = 3\nmax_moves = 7\n\
             max_accesses = 65_536\nwindow = 2\neta = 1.5\nvertex = \"unit\"\n\
             [[phase]]\nname = \"p\"\nfor = \"1s\"\n"
        );
        let scenario = read(&text, &[], &data.places);
        assert!(scenario.partitioning.is_some());
        let printed = round_trip(&scenario, &data.places);
        assert!(!printed.contains("strategy = \"clpa\""), "options are written out: {printed}");
    }
}

#[test]
fn everything_is_printed() {
    let data = data::Data::new("everything");
    let printed = read(EVERYTHING, &[], &data.places).to_string();
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("everything_printed", printed);
    });
}

#[test]
fn examples_are_named_after_their_files() {
    let data = data::Data::new("names");
    for example in EXAMPLES {
        let scenario = read(example.text, &[], &data.places);
        assert_eq!(scenario.name, example.name);
        let comment = example.text.lines().next().unwrap();
        assert!(comment.starts_with("# ") && comment.ends_with('.'), "{comment}");
    }
}

#[test]
fn set_changes_one_field() {
    let data = data::Data::new("set");
    let quickstart = EXAMPLES[0].text;
    for (set, line) in [
        ("network.shards=8", "shards = 8"),
        ("network.gate=checkpoint", "gate = \"checkpoint\""),
        ("network.block_time=1.5s", "block_time = \"1500ms\""),
        ("network.links.delay=20ms", "delay = \"20ms\""),
        ("accounts.popularity={ zipf = 2 }", "popularity = { zipf = 2.0 }"),
        ("phase[1].load[0].rate=0.5", "rate = 0.5"),
        ("phase.1.load.0.cross_shard=5%", "cross_shard = 0.05"),
        ("phase.steady.for=\"3s\"", "for = \"3s\""),
        ("name=other", "name = \"other\""),
        ("seed=0x10", "seed = 16"),
        ("thresholds.finality.intra.p50=<1s", "\"finality.intra.p50\" = \"< 1s\""),
        ("thresholds.\"steady: throughput_tps\"=>= 1.5", "\"steady: throughput_tps\" = \">= 1.5\""),
    ] {
        let before = read(quickstart, &[], &data.places).to_string();
        let printed = read(quickstart, &[set.to_owned()], &data.places).to_string();
        assert!(!before.lines().any(|other| other == line), "{set}");
        assert!(printed.lines().any(|other| other == line), "{set}\n{printed}");
    }
    let both = ["network.shards=8".to_owned(), "network.shards=9".to_owned()];
    assert_eq!(read(quickstart, &both, &data.places).network.shards, 9);
}

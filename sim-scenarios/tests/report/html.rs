//! `report.html` without a browser: well-formed, self-contained, the numbers of summary.json, and
//! sensible where little happened.

use std::path::Path;

use cross_shard_msg::Refusal;
use sim_scenarios::metrics::measure;
use sim_scenarios::report::html::{FILE, MACHINE_BEGINS, MACHINE_ENDS, render};
use sim_scenarios::report::{self, FILES};
use sim_scenarios::run::simulate::{SimulateOptions, simulate};
use sim_scenarios::run::simulate_profile::{DEFAULT_PROFILE, cost_profile};
use sim_scenarios::run::{Interrupt, Progress};
use sim_scenarios::scenario::{EXAMPLES, Places, parse};
use tempfile::TempDir;

use crate::numbers::everything;
use crate::world::{BlockPlan, World, ms, own};

/// Numbers that must be in every report, by their place in summary.json.
const HEADLINE: &[&str] = &[
    "/throughput_tps",
    "/cross_shard_ratio",
    "/transactions/offered",
    "/transactions/admitted",
    "/transactions/settled",
    "/transactions/failed",
    "/transactions/refused",
    "/transactions/replaced",
    "/transactions/unfinished",
    "/latency_ms/inclusion/all/p99",
    "/latency_ms/cross_shard/all/p50",
    "/latency_ms/cross_shard/all/max",
    "/latency_ms/cross_shard/stages/queue/p99",
    "/latency_ms/settlement/intra/p50",
    "/latency_ms/finality/cross/p999",
    "/latency_ms/finality/all/count",
    "/checkpoints/finalized",
    "/checkpoints/latency_ms/p50",
    "/checkpoints/view_changes",
    "/load_imbalance/max_over_mean",
];

/// Writes all files of a run.
pub fn written(world: &World) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    report::write(&measure(&world.run), directory.path()).unwrap();
    directory
}

/// The page, after everything that must hold of every page was checked.
pub fn checked(directory: &Path) -> String {
    let page = std::fs::read_to_string(directory.join(FILE)).unwrap();
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let tree = roxmltree::Document::parse_with_options(&page, options).unwrap_or_else(|error| {
        panic!("not well-formed: {error}");
    });
    let summary = std::fs::read_to_string(directory.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    for node in tree.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(!["img", "iframe", "object", "embed", "base"].contains(&name), "{name}");
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on") && name != "src", "{name}");
            let inside = value.starts_with('#') || value == "data:,";
            assert!(name != "href" || inside, "{value}");
        }
        let Some(key) = node.attribute("data-key") else { continue };
        let value = summary.pointer(key).unwrap_or_else(|| panic!("summary.json has no {key}"));
        assert_eq!(node.attribute("data-value"), Some(value.to_string().as_str()), "{key}");
        assert_shown(key, node.text().unwrap(), value.as_f64().unwrap());
    }
    for outside in ["http://", "https://", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // A chart's tooltip shows a row of its table, so there is one for each place.
    for svg in tree.descendants().filter(|node| node.has_attribute("data-at")) {
        let places = svg.attribute("data-at").unwrap().split(' ').filter(|at| !at.is_empty());
        let figure = svg.parent().unwrap();
        let body = figure.descendants().find(|node| node.has_tag_name("tbody")).unwrap();
        let rows = body.children().filter(|node| node.has_tag_name("tr"));
        assert_eq!(places.count(), rows.count(), "{:?}", svg.attribute("aria-label"));
    }
    assert!(!page.contains("NaN") && !page.contains("inf%"), "a number that is none");
    page
}

/// What is shown is the number of the file, as far as it is shown.
fn assert_shown(key: &str, text: &str, value: f64) {
    let number = text.replace([',', '%', ' '], "");
    let shown: f64 = number.parse().unwrap_or_else(|_| panic!("{key}: {text}"));
    let shown = if text.contains('%') { shown / 100.0 } else { shown };
    let error = (shown - value).abs();
    assert!(error <= 0.000_51 || error <= value.abs() * 0.006, "{key}: {text} is {value}");
}

/// The page without what depends on the machine.
fn without_machine(page: &str) -> String {
    let mut parts = page.split(MACHINE_BEGINS);
    let mut rest = parts.next().unwrap_or_default().to_owned();
    rest.extend(parts.map(|part| part.split_once(MACHINE_ENDS).unwrap().1));
    rest
}

#[test]
fn numbers_are_those_of_the_summary() {
    let directory = written(&everything());
    let page = checked(directory.path());
    for key in HEADLINE {
        assert!(page.contains(&format!("data-key=\"{key}\"")), "{key}");
    }
    for text in ["A threshold failed", "steady: cross_shard.p99 &lt;= 201ms", "nonce too low"] {
        assert!(page.contains(text), "{text}");
    }
    // Every section, and the slowest transaction as a waterfall.
    for id in ["verdict", "transactions", "latency", "shards", "over-time", "checkpoints"] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert!(page.contains("<details class=\"life\" open=\"open\">"));
    assert!(FILES.contains(&FILE));
    assert_eq!(render(directory.path()).unwrap(), page, "the same files give the same bytes");
}

#[test]
fn what_files_say_is_not_markup() {
    let mut world = everything();
    world.run.died = Some("</pre><script>alert(1)</script>\x1b[31m & \"done\"".to_owned());
    world.run.lost.push("<img src=x onerror=alert(1)>".to_owned());
    let directory = written(&world);
    let page = checked(directory.path());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
    assert_eq!(page.matches("<script>").count(), 1);
}

const LITTLE: &str = r#"
name = "little"

[network]
shards = 1
validators = 2

[[phase]]
name = "steady"
for = "2s"

[[phase.load]]
kind = "transfer"
rate = 10
"#;

#[test]
fn runs_in_which_little_happens() {
    let empty = World::new(LITTLE);
    let page = checked(written(&empty).path());
    for text in ["No block was made", "No transaction was executed", "No checkpoint was finalized"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("One shard: nothing crosses."));

    let mut nothing_started = World::new(LITTLE);
    nothing_started.run.networks.clear();
    nothing_started.run.died = Some("shard:0 died".to_owned());
    let page = checked(written(&nothing_started).path());
    assert!(page.contains("The network went down") && page.contains("shard:0 died"));

    let mut refused = World::new(&LITTLE.replace("shards = 1", "shards = 2"));
    for due in 1..4 {
        let tx = refused.plan(0, due, 0);
        refused.submit(tx, due, due, 1);
        refused.refuse(tx, due + 5, Refusal::FeeTooLow);
    }
    let page = checked(written(&refused).path());
    assert!(page.contains("fee too low") && page.contains("No receipt crossed."));

    let mut local = World::new(&LITTLE.replace("shards = 1", "shards = 2"));
    let tx = local.send(0, [1, 1, 2], 0);
    let at = [200, 201, 202];
    let block = BlockPlan { at, waiting: 0, enters: &[], legs: &[own(tx, 0)], releases: &[] };
    local.block(0, &block);
    let page = checked(written(&local).path());
    assert!(page.contains("Settlement latency") && page.contains("No receipt crossed."));
    assert!(!page.contains("Stages of cross-shard latency"));
}

#[test]
fn several_networks_stand_one_after_the_other() {
    let mut world = everything();
    world.run.networks.append(&mut everything().run.networks);
    world.run.networks[0].label = 46_147;
    world.run.networks[1].label = 9_069_000;
    world.run.networks.iter_mut().for_each(|network| network.end = ms(1_000));
    let page = checked(written(&world).path());
    assert!(page.contains("block 46147") && page.contains("block 9069000"));
}

#[test]
fn equal_simulated_runs_give_equal_reports() {
    let example = EXAMPLES.iter().find(|example| example.name == "faults").unwrap();
    let places = Places { base: ".".into(), data: None };
    let [one, other] = [(); 2].map(|()| {
        let scenario = parse("faults.toml", example.text, &[], &places).unwrap();
        let options =
            SimulateOptions { profile: cost_profile(DEFAULT_PROFILE).unwrap(), trace: None };
        let run =
            simulate(&scenario, &options, &Interrupt::default(), &Progress::new(true)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        report::write(&measure(&run), directory.path()).unwrap();
        checked(directory.path())
    });
    assert!(without_machine(&one) == without_machine(&other), "reports differ");
    assert!(one.contains("class=\"band\"") && one.contains("red bands"));
    assert_ne!(without_machine(&one), one);
}

#[test]
fn a_run_directory_gives_its_report_again() {
    let directory = written(&everything());
    let first = checked(directory.path());
    std::fs::remove_file(directory.path().join(FILE)).unwrap();
    let mut again = assert_cmd::Command::cargo_bin("shardlab").unwrap();
    again.arg("report").arg(directory.path()).assert().success();
    assert_eq!(checked(directory.path()), first);

    std::fs::write(directory.path().join("blocks.csv"), "network,shard\n0,0\n").unwrap();
    let mut damaged = assert_cmd::Command::cargo_bin("shardlab").unwrap();
    let damaged = damaged.arg("report").arg(directory.path()).assert().code(2);
    let text = String::from_utf8_lossy(&damaged.get_output().stderr).into_owned();
    assert!(text.contains("blocks.csv: has no column height"), "{text}");
    let mut nowhere = assert_cmd::Command::cargo_bin("shardlab").unwrap();
    nowhere.arg("report").arg(directory.path().join("nowhere")).assert().code(2);
}

//! `shardlab sweep` as a user calls it: a small sweep, killed and taken up again, the same twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use sim_scenarios::statistics::Finding;
use sim_scenarios::sweep::results::RUN;
use sim_scenarios::sweep::{SweepResults, load};

/// A second of few transfers: 2 × 2 cells, 3 repeats.
const SMALL: &str = r#"
name = "small"
seed = 5

[network]
validators = 1
block_time = "100ms"
checkpoint_every = "300ms"
signatures = "assumed"

[accounts]
count = 40

[[phase]]
name = "steady"
for = "1s"

[[phase.load]]
kind = "transfer"
rate = 100
arrivals = "uniform"

[sweep]
repeats = 3
resamples = 500
metrics = ["throughput_tps", "latency_ms.settlement.all.p50"]

[sweep.matrix]
"network.shards" = [1, 4]
"network.gate" = ["certified", "checkpoint"]
"#;

/// A directory of one test's own.
struct Here(tempfile::TempDir);

impl Here {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.path("sweep.toml");
        fs::write(&path, text).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("shardlab"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn shardlab(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// A sweep that goes on beside the test.
    fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A table without the columns that say something of the machine.
fn table(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let kept: Vec<usize> =
        (0..header.len()).filter(|index| !header[*index].starts_with("machine.")).collect();
    let all = std::iter::once(header).chain(reader.into_records().map(Result::unwrap));
    all.map(|row| kept.iter().map(|index| row[*index].to_owned()).collect()).collect()
}

/// The runs that are marked as done.
fn done(sweep: &Path) -> Vec<PathBuf> {
    let cells = fs::read_dir(sweep.join("runs")).into_iter().flatten();
    let runs = cells.flat_map(|cell| fs::read_dir(cell.unwrap().path()).unwrap());
    let mut marked: Vec<PathBuf> =
        runs.map(|run| run.unwrap().path().join(RUN)).filter(|marker| marker.exists()).collect();
    marked.sort();
    marked
}

fn metric(results: &SweepResults, cell: usize, path: &str) -> Vec<f64> {
    let runs = results.runs.iter().filter(|run| run.cell == cell);
    runs.map(|run| run.metrics[path]).collect()
}

#[test]
fn a_sweep_leaves_runs_tables_and_what_they_show() {
    let here = Here::new();
    here.file(SMALL);
    let ran = here.shardlab(&["sweep", "sweep.toml", "--out", "s"]);
    assert_eq!(ran.status.code(), Some(0), "{}{}", out(&ran), err(&ran));
    let told = out(&ran);
    assert!(told.contains("4 cells × 3 repeats = 12 runs, simulated"), "{told}");
    assert!(told.contains("12 of 12 runs: 12 passed"), "{told}");
    assert!(told.contains("latency_ms.settlement.all.p50"), "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");

    let results = load(&here.path("s")).unwrap();
    assert_eq!((results.runs.len(), results.missing()), (12, 0));
    for repeat in 1..=3 {
        let mut seeds: Vec<u64> =
            results.runs.iter().filter(|run| run.repeat == repeat).map(|run| run.seed).collect();
        seeds.dedup();
        assert_eq!(seeds.len(), 1, "one seed in all cells");
    }
    // With one shard nothing crosses; with four and the same transactions, three of four do.
    assert!(metric(&results, 0, "cross_shard_ratio").iter().all(|ratio| *ratio == 0.0));
    assert!(metric(&results, 2, "cross_shard_ratio").iter().all(|ratio| *ratio > 0.5));
    let crossing = results.effect(2, "cross_shard_ratio").unwrap();
    let against = crossing.against.as_ref().unwrap();
    assert_eq!((against.cell, against.finding), (0, Finding::Higher));
    let interval = against.difference.interval.unwrap();
    assert!(interval.low > 0.5 && interval.low <= interval.estimate, "{interval:?}");
    assert_eq!(against.difference.estimate, crossing.mean);

    let runs = table(&here.path("s/runs.csv"));
    assert_eq!(runs.len(), 13);
    let header = &runs[0];
    for column in ["cell", "network.shards", "network.gate", "repeat", "seed", "verdict", "digest"]
    {
        assert!(header.contains(&column.to_owned()), "{header:?}");
    }
    let throughput = header.iter().position(|column| column == "throughput_tps").unwrap();
    for (row, run) in runs[1..].iter().zip(&results.runs) {
        let summary = fs::read(here.path("s").join(&run.directory).join("summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
        let number: f64 = row[throughput].parse().unwrap();
        assert_eq!(Some(number), summary["throughput_tps"].as_f64());
        assert_eq!(summary["seed"].as_u64(), Some(run.seed));
    }
    let effects = table(&here.path("s/effects.csv"));
    assert_eq!(effects.len(), results.effects.len() + 1);
    for file in ["runs.parquet", "effects.parquet"] {
        let bytes = fs::read(here.path("s").join(file)).unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{file}");
    }
    // Each run is a normal one: its scenario gives the same again.
    let first = &results.runs[0];
    let scenario = format!("s/{}/scenario.toml", first.directory);
    let again = here.shardlab(&["simulate", &scenario, "--out", "again", "--quiet"]);
    assert_eq!(again.status.code(), Some(0), "{}", err(&again));
    let same = |file: &str| fs::read(here.path(file)).unwrap();
    assert_eq!(same("again/summary.json"), same(&format!("s/{}/summary.json", first.directory)));
}

#[test]
fn a_killed_sweep_goes_on_and_comes_to_the_same() {
    let here = Here::new();
    let file = here.file(SMALL);
    let whole = here.shardlab(&["sweep", "sweep.toml", "--out", "whole", "--quiet", "--jobs", "2"]);
    assert_eq!(out(&whole), "small: 12 of 12 runs: 12 passed\n", "{}", err(&whole));

    let mut killed = here.begin(&["sweep", "sweep.toml", "--out", "s", "--jobs", "1"]);
    while done(&here.path("s")).len() < 3 && killed.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = done(&here.path("s"));
    assert!(before.len() >= 3);
    let times: BTreeMap<&PathBuf, _> =
        before.iter().map(|path| (path, fs::metadata(path).unwrap().modified().unwrap())).collect();

    let resumed = here.shardlab(&["sweep", "sweep.toml", "--out", "s"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", err(&resumed));
    let told = out(&resumed);
    assert!(told.contains(&format!("{} runs were there", before.len())), "{told}");
    for (path, time) in times {
        assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), time, "not made again");
    }
    assert_eq!(table(&here.path("s/runs.csv")), table(&here.path("whole/runs.csv")));
    let effects = |sweep: &str| fs::read(here.path(sweep).join("effects.csv")).unwrap();
    assert_eq!(effects("s"), effects("whole"));

    // Nothing is left to do, and another file is another sweep.
    let idle = here.shardlab(&["sweep", "sweep.toml", "--out", "s"]);
    assert!(out(&idle).contains("12 runs were there, 0 were made now"), "{}", out(&idle));
    let other = here.shardlab(&["sweep", "sweep.toml", "--out", "s", "--set", "network.shards=2"]);
    assert_eq!(other.status.code(), Some(2));
    fs::write(&file, SMALL.replace("rate = 100", "rate = 90")).unwrap();
    let changed = here.shardlab(&["sweep", "sweep.toml", "--out", "s"]);
    assert_eq!(changed.status.code(), Some(2));
    assert!(err(&changed).contains("the scenario file has changed since"), "{}", err(&changed));
}

#[test]
fn an_interrupted_sweep_says_how_to_go_on() {
    let here = Here::new();
    here.file(SMALL);
    let mut child = here.begin(&["sweep", "sweep.toml", "--out", "s", "--jobs", "1", "--quiet"]);
    while done(&here.path("s")).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let ended = child.wait_with_output().unwrap();
    // On a slow machine all may have been done just then.
    if ended.status.code() == Some(130) {
        let said = err(&ended);
        assert!(said.contains("shardlab sweep sweep.toml --jobs 1 --out s"), "{said}");
    } else {
        assert_eq!(done(&here.path("s")).len(), 12);
    }
    assert!(load(&here.path("s")).unwrap().runs.iter().all(|run| run.verdict == "passed"));
    let resumed = here.shardlab(&["sweep", "sweep.toml", "--out", "s", "--quiet"]);
    assert_eq!(out(&resumed), "small: 12 of 12 runs: 12 passed\n", "{}", err(&resumed));
}

#[test]
fn a_run_that_breaks_a_threshold_stops_no_other() {
    let here = Here::new();
    here.file(&format!("{SMALL}\n[thresholds]\ncross_shard_ratio = \"< 50%\"\n"));
    let ran = here.shardlab(&["sweep", "sweep.toml", "--out", "s"]);
    assert_eq!(ran.status.code(), Some(99), "{}", err(&ran));
    let told = out(&ran);
    assert!(told.contains("12 of 12 runs: 6 passed, 6 threshold failed"), "{told}");
    assert!(told.contains("threshold failed  shards 4, gate certified, 3 of 3 runs"), "{told}");
    // Their numbers count: it is the experiment's wish that was not met, not the network's rules.
    let results = load(&here.path("s")).unwrap();
    assert_eq!(results.effect(2, "throughput_tps").unwrap().runs, 3);
}

#[test]
fn strategies_lie_between_their_bounds() {
    let here = Here::new();
    let matrix = "\"network.shards\" = [1, 4]\n\"network.gate\" = [\"certified\", \"checkpoint\"]";
    let strategies = "\"partitioning.strategy\" = [\"ldg\", \"hash\"]\n\"network.shards\" = [2, 4]";
    here.file(&SMALL.replace(matrix, strategies).replace("repeats = 3", "repeats = 1"));
    let ran = here.shardlab(&["sweep", "sweep.toml", "--out", "s"]);
    assert_eq!(ran.status.code(), Some(0), "{}{}", out(&ran), err(&ran));
    let told = out(&ran);
    assert!(told.contains("lower bound (hash)"), "{told}");
    assert!(told.contains("upper bound (all local)"), "{told}");
    let results = load(&here.path("s")).unwrap();
    // hash, ldg and all local, each with both numbers of shards.
    assert_eq!(results.plan.cells.len(), 6);
    let baselines: Vec<usize> = results.plan.cells.iter().map(|cell| cell.baseline).collect();
    assert_eq!(baselines, [0, 1, 0, 1, 0, 1], "hash with as many shards");
    for cell in [4, 5] {
        assert_eq!(metric(&results, cell, "cross_shard_ratio"), [0.0], "nothing crosses");
    }
    assert!(metric(&results, 1, "cross_shard_ratio")[0] > 0.5);
}

#[test]
fn json_has_the_chosen_numbers() {
    let here = Here::new();
    here.file(SMALL);
    let ran =
        here.shardlab(&["sweep", "sweep.toml", "--out", "s", "--json", "--set", "sweep.repeats=1"]);
    assert_eq!(ran.status.code(), Some(0), "{}", err(&ran));
    let told: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(told["plan"]["cells"].as_array().unwrap().len(), 4);
    assert_eq!(told["runs"].as_array().unwrap().len(), 4);
    assert_eq!(told["effects"].as_array().unwrap().len(), 8, "two numbers in four cells");
    assert_eq!((&told["exit"], &told["missing"]), (&0.into(), &0.into()));
    assert!(err(&ran).is_empty(), "{}", err(&ran));
}

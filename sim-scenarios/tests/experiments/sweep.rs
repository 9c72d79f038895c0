//! The page of a sweep: its numbers are those of effects.csv.

use std::collections::BTreeMap;
use std::path::Path;

use assert_cmd::Command;
use sim_scenarios::report::html::FILE;

use crate::page::checked;

const SWEEP: &str = r#"
name = "two-axes"
seed = 2

[network]
validators = 2
block_time = "100ms"
checkpoint_every = "300ms"

[accounts]
count = 100

[[phase]]
name = "steady"
for = "2s"

[[phase.load]]
kind = "transfer"
rate = 50

[sweep]
repeats = 3

[sweep.matrix]
"network.shards" = [2, 4]
"network.gate" = ["certified", "checkpoint"]
"#;

/// The numbers of effects.csv: cell/metric/column → value.
fn effects(at: &Path) -> BTreeMap<String, String> {
    let mut numbers = BTreeMap::new();
    let mut table = csv::Reader::from_path(at.join("effects.csv")).unwrap();
    let head = table.headers().unwrap().clone();
    let place = |name: &str| head.iter().position(|column| column == name).unwrap();
    let (cell, metric) = (place("cell"), place("metric"));
    for row in table.records() {
        let row = row.unwrap();
        for (column, value) in head.iter().zip(&row) {
            numbers.insert(format!("{}/{}/{column}", &row[cell], &row[metric]), value.to_owned());
        }
    }
    numbers
}

#[test]
fn a_sweep_has_a_page() {
    let at = tempfile::tempdir().unwrap();
    std::fs::write(at.path().join("sweep.toml"), SWEEP).unwrap();
    let mut sweep = Command::cargo_bin("shardlab").unwrap();
    let sweep = sweep.current_dir(at.path()).args(["sweep", "sweep.toml", "--out", "out"]);
    sweep.arg("--quiet").assert().success();
    let out = at.path().join("out");
    let numbers = effects(&out);
    let number = |key: &str| numbers.get(key).cloned();
    let page = checked(&out.join(FILE), number, 20, 12);
    for said in ["Effects", "Interactions", "Trade-offs", "All 12 runs passed", "baseline"] {
        assert!(page.contains(said), "{said}");
    }
    std::fs::remove_file(out.join(FILE)).unwrap();
    let mut report = Command::cargo_bin("shardlab").unwrap();
    report.arg("report").arg(&out).assert().success();
    assert_eq!(std::fs::read_to_string(out.join(FILE)).unwrap(), page);

    // Cells are groups of runs that can be compared.
    let mut cells: Vec<_> = std::fs::read_dir(out.join("runs")).unwrap().collect();
    cells.sort_by_key(|cell| cell.as_ref().unwrap().path());
    let cells: Vec<_> = cells.into_iter().take(2).map(|cell| cell.unwrap().path()).collect();
    let mut compare = Command::cargo_bin("shardlab").unwrap();
    let told = compare.arg("compare").args(&cells).assert().success();
    let told = String::from_utf8_lossy(&told.get_output().stdout).into_owned();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("3 pairs of runs with the same seed"), "{told}");
}

#[test]
fn strategies_lie_between_bounds() {
    let at = tempfile::tempdir().unwrap();
    let matrix = "\"network.shards\" = [2, 4]\n\"network.gate\" = [\"certified\", \"checkpoint\"]";
    let strategies = "\"partitioning.strategy\" = [\"clpa\"]\n\"network.shards\" = [2, 4]";
    let text = SWEEP.replace(matrix, strategies) + "[partitioning]\nepoch = 2\n";
    std::fs::write(at.path().join("sweep.toml"), text).unwrap();
    let mut sweep = Command::cargo_bin("shardlab").unwrap();
    let sweep = sweep.current_dir(at.path()).args(["sweep", "sweep.toml", "--out", "out"]);
    sweep.arg("--quiet").assert().success();
    let out = at.path().join("out");
    let numbers = effects(&out);
    let page = checked(&out.join(FILE), |key| numbers.get(key).cloned(), 20, 12);
    assert!(page.contains("class=\"reference low\"") && page.contains("class=\"reference up\""));
    assert!(page.contains(">hash</text>") && page.contains(">all local</text>"));
}

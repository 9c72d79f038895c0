//! docs/output.md names every column and every key that there is.

use std::collections::BTreeSet;

use sim_scenarios::metrics::measure;
use sim_scenarios::report::{
    FILES, MIGRATION_FILES, SCHEMA_VERSION, csv_files, manifest, migrations, summary,
};

use crate::numbers::everything;

const OUTPUT: &str = include_str!("../../../docs/output.md");

/// The names in the first column of the first table of one section, in order.
fn documented(section: &str) -> Vec<String> {
    let heading = format!("## {section}\n");
    let start = OUTPUT.find(&heading).unwrap_or_else(|| panic!("docs/output.md has no {heading}"));
    let text = &OUTPUT[start + heading.len()..];
    let text = text.split("\n## ").next().unwrap_or_default();
    let table = text.lines().skip_while(|line| !line.starts_with('|'));
    let table = table.take_while(|line| line.starts_with('|'));
    let rows = table.filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect()
}

#[test]
fn columns() {
    for (section, columns) in [
        ("transactions.csv", csv_files::TRANSACTIONS),
        ("legs.csv", csv_files::LEGS),
        ("blocks.csv", csv_files::BLOCKS),
        ("checkpoints.csv", csv_files::CHECKPOINTS),
        ("senders.csv", csv_files::SENDERS),
        ("migrations.csv", migrations::MIGRATIONS),
        ("epochs.csv", migrations::EPOCHS),
        ("partitioner.csv", migrations::PARTITIONER),
    ] {
        assert_eq!(documented(section), columns, "{section}");
    }
}

#[test]
fn keys() {
    let world = everything();
    let measured = measure(&world.run);
    let summary = serde_json::to_value(summary(&measured)).unwrap();
    let manifest = serde_json::to_value(manifest(&measured)).unwrap();
    for (section, value) in [("summary.json", summary), ("manifest.json", manifest)] {
        let keys: BTreeSet<String> = value.as_object().unwrap().keys().cloned().collect();
        let names = documented(section).into_iter();
        let mut top: BTreeSet<String> =
            names.map(|name| name.split('.').next().unwrap_or_default().to_owned()).collect();
        // Only there if a node is Byzantine, or accounts may move: neither is so in this run.
        top.remove("byzantine");
        top.remove("migrations");
        assert_eq!(top, keys, "{section}");
    }
}

#[test]
fn the_version_and_every_file() {
    assert!(OUTPUT.contains(&format!("schema version {SCHEMA_VERSION}")));
    for file in FILES.iter().chain(MIGRATION_FILES) {
        assert!(OUTPUT.contains(&format!("`{file}`")), "{file}");
    }
}

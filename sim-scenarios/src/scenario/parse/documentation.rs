//! docs/scenarios.md against the parser: every key is described, every example is valid.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::examples::EXAMPLES;
use super::super::files::Places;
use super::super::threshold::{Metric, Statistic};
use super::section::Notes;
use super::{parse, parse_with};

const DOCUMENT: &str = include_str!("../../../../docs/scenarios.md");

/// A data directory that has what the examples name, with nothing in it.
fn places(test: &str) -> Places {
    let data = std::env::temp_dir().join(format!("shardlab-{test}-{}", std::process::id()));
    for block in
        [46147, 1796867, 5283152, 9069000, 12300570, 14029313, 16257471, 18426253, 19426587]
    {
        std::fs::create_dir_all(data.join("mainnet-blocks").join(block.to_string())).unwrap();
    }
    std::fs::write(data.join("mainnet-transactions.csv.gz"), "").unwrap();
    Places { base: PathBuf::from("/"), data: Some(data) }
}

/// The text between ```` ```toml ```` and ```` ``` ````, each.
fn toml_examples() -> Vec<&'static str> {
    let parts = DOCUMENT.split("```toml\n").skip(1);
    parts.map(|part| part.split("```").next().unwrap()).collect()
}

#[test]
fn every_example_of_the_document_is_valid() {
    let places = places("document");
    let examples = toml_examples();
    assert!(examples.len() >= 5);
    for (index, text) in examples.into_iter().enumerate() {
        if let Err(rejected) = parse(&format!("example {index}"), text, &[], &places) {
            panic!("{rejected}");
        }
    }
    std::fs::remove_dir_all(places.data.unwrap()).unwrap();
}

#[test]
fn every_key_is_described() {
    let places = places("keys");
    let mut known = BTreeSet::new();
    let texts = EXAMPLES.iter().map(|example| example.text).chain(toml_examples());
    for text in texts {
        let notes = Notes::default();
        assert!(parse_with(&notes, text, &[], &places).is_some(), "{notes:?}");
        known.extend(notes.known_keys());
    }
    assert!(known.contains("network.links.override.from"), "{known:?}");
    assert!(known.contains("phase.load.mix.weight"), "{known:?}");
    assert!(known.contains("phase.load.blocks"), "{known:?}");
    assert!(known.contains("phase.fault.within"), "{known:?}");
    assert!(known.contains("byzantine.behaviour"), "{known:?}");
    assert!(known.contains("partitioning.max_accesses"), "{known:?}");
    let tables =
        ["network", "network.bounds", "network.links", "network.links.override", "accounts"];
    let tables = tables.into_iter().chain([
        "network.regions",
        "client",
        "phase",
        "phase.load",
        "phase.load.senders",
        "phase.load.contracts",
        "phase.load.hubs",
        "phase.load.drift",
        "phase.fault",
        "partitioning",
        "byzantine",
        "thresholds",
        "sweep",
    ]);
    let tables: Vec<&str> = tables.collect();
    for path in known {
        let key = path.rsplit('.').next().unwrap();
        let described = if tables.contains(&path.as_str()) {
            DOCUMENT.contains(&format!("[{path}]"))
        } else {
            DOCUMENT.contains(&format!("`{key}`"))
        };
        assert!(described, "docs/scenarios.md does not describe `{path}`");
    }
    std::fs::remove_dir_all(places.data.unwrap()).unwrap();
}

#[test]
fn sweeps_are_described() {
    let places = places("sweeps");
    let parts = DOCUMENT.split("```toml sweep\n").skip(1);
    let examples: Vec<&str> = parts.map(|part| part.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for text in examples {
        let notes = Notes::default();
        let root = super::tree_of(&notes, text, &[]).unwrap();
        let read = super::sweep::read(&notes, root, &[], &places);
        assert!(read.is_some() && notes.is_empty(), "{notes:?}");
        let known = notes.known_keys();
        assert!(known.contains("sweep.resamples"), "{known:?}");
        for key in known.iter().filter_map(|path| path.strip_prefix("sweep.")) {
            assert!(DOCUMENT.contains(&format!("`{key}`")), "`{key}` is not described");
        }
    }
    std::fs::remove_dir_all(places.data.unwrap()).unwrap();
}

#[test]
fn every_metric_is_described() {
    for metric in Metric::all() {
        let path = metric.to_string();
        let family = path
            .rsplit_once('.')
            .filter(|(_, last)| Statistic::ALL.iter().any(|s| s.to_string() == *last))
            .map_or(path.clone(), |(family, _)| format!("{family}.S"));
        // The table names the scopes once, for inclusion, and the outcomes after the first ones
        // by their last step.
        let family = family.replace("settlement.", "inclusion.").replace("finality.", "inclusion.");
        let last = family.rsplit('.').next().unwrap();
        let described = DOCUMENT.contains(&format!("`{family}`"))
            || (family.starts_with("transactions.") && DOCUMENT.contains(&format!("`.{last}`")));
        assert!(described, "docs/scenarios.md does not describe `{path}`");
    }
}

//! A run as its directory has it, and the sides of a comparison that runs make up.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Table;

use crate::report::SCHEMA_VERSION;

/// How deep below a directory runs are looked for: a sweep's cell has them one or two below.
const DEEPEST: usize = 3;
/// Most runs of one side.
const MOST_RUNS: usize = 10_000;

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A file of a run is missing or is not what a run writes.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no run here.
    #[error(
        "{} has no summary.json, and no directory below it has one\n  expected the directory of a \
         run, or one with runs in it, such as a sweep's cell", .0.display()
    )]
    NoRun(PathBuf),
    /// One side has several runs, the other one a single run.
    #[error(
        "side {single} has one run and side {several} has several: how much runs of side {single} \
         vary is unknown\n  give each side at least two runs (other seeds), or each side one"
    )]
    OneAgainstSeveral {
        /// The side with one run.
        single: String,
        /// The other one.
        several: String,
    },
    /// Nothing to compare with.
    #[error("there is one side only: name at least two runs, or two groups of runs")]
    OneSide,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its directory, as it was named.
    pub directory: PathBuf,
    /// `summary.json`.
    pub summary: Value,
    /// `manifest.json`; null where there is none.
    pub manifest: Value,
    /// Every field of `scenario.toml` with its value as TOML: `network.shards` → `4`.
    pub fields: BTreeMap<String, String>,
}

/// Runs that differ in their seeds only, or a single run.
#[derive(Clone, Debug)]
pub struct Side {
    /// Its name.
    pub name: String,
    /// At least one.
    pub runs: Vec<Run>,
}

impl Run {
    /// Reads the small files of a run's directory.
    ///
    /// # Errors
    /// When one of them is missing or is not what a run writes.
    pub fn read(directory: &Path) -> Result<Self, CompareError> {
        let at = |name: &str| directory.join(name);
        let summary = json(&at("summary.json"))?;
        let version = summary.get("schema_version").and_then(Value::as_u64);
        if version != Some(SCHEMA_VERSION.into()) {
            let problem = match version {
                Some(version) => format!(
                    "has schema version {version}, this program compares version {SCHEMA_VERSION}"
                ),
                None => "is not the summary of a run".to_owned(),
            };
            return Err(CompareError::File { path: at("summary.json"), problem });
        }
        let manifest = json(&at("manifest.json")).unwrap_or(Value::Null);
        let path = at("scenario.toml");
        let text = read(&path)?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| CompareError::File {
            path,
            problem: error.message().to_owned(),
        })?;
        let mut fields = BTreeMap::new();
        flatten("", &toml::Value::Table(table), &mut fields);
        Ok(Self { directory: directory.to_owned(), summary, manifest, fields })
    }

    /// The seed of its scenario.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.summary.get("seed").and_then(Value::as_u64).unwrap_or(0)
    }

    /// A text of the summary; empty where there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.summary.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A count of the summary; 0 where there is none.
    #[must_use]
    pub fn count(&self, pointer: &str) -> u64 {
        self.summary.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
    }

    /// `simulated` or `processes`.
    #[must_use]
    pub fn world(&self) -> &'static str {
        match self.summary.get("simulation") {
            None | Some(Value::Null) => "processes",
            Some(_) => "simulated",
        }
    }
}

impl Side {
    /// The runs at or below directories, by seed.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub fn read(name: &str, directories: &[PathBuf]) -> Result<Self, CompareError> {
        let mut found = Vec::new();
        for directory in directories {
            let before = found.len();
            runs_below(directory, DEEPEST, &mut found);
            if found.len() == before {
                return Err(CompareError::NoRun(directory.clone()));
            }
        }
        found.dedup();
        let mut runs: Vec<Run> =
            found.iter().map(|directory| Run::read(directory)).collect::<Result<_, _>>()?;
        runs.sort_by_key(Run::seed);
        Ok(Self { name: name.to_owned(), runs })
    }
}

/// Short names for directories: the last parts of their paths that tell them apart.
#[must_use]
pub fn names(directories: &[PathBuf]) -> Vec<String> {
    let parts = |path: &PathBuf| -> Vec<String> {
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let all: Vec<Vec<String>> = directories.iter().map(parts).collect();
    let last =
        |parts: &[String], count: usize| parts[parts.len().saturating_sub(count)..].join("/");
    let longest = all.iter().map(Vec::len).max().unwrap_or(1);
    let distinct = |count: &usize| {
        let mut names: Vec<String> = all.iter().map(|parts| last(parts, *count)).collect();
        names.sort();
        names.windows(2).all(|pair| pair[0] != pair[1])
    };
    let count = (1..longest).find(distinct).unwrap_or(longest);
    all.iter().map(|parts| last(parts, count)).collect()
}

fn runs_below(directory: &Path, deepest: usize, found: &mut Vec<PathBuf>) {
    if directory.join("summary.json").is_file() && directory.join("transactions.csv").is_file() {
        found.push(directory.to_owned());
        return;
    }
    if deepest == 0 || found.len() >= MOST_RUNS {
        return;
    }
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut below: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    below.sort();
    for path in below.iter().filter(|path| path.is_dir()) {
        runs_below(path, deepest - 1, found);
    }
}

fn read(path: &Path) -> Result<String, CompareError> {
    fs::read_to_string(path)
        .map_err(|error| CompareError::File { path: path.to_owned(), problem: error.to_string() })
}

fn json(path: &Path) -> Result<Value, CompareError> {
    serde_json::from_str(&read(path)?)
        .map_err(|error| CompareError::File { path: path.to_owned(), problem: error.to_string() })
}

/// Writes every leaf with its path. An element of an array of tables goes by its `name` if it has
/// one, else by its index.
fn flatten(path: &str, value: &toml::Value, fields: &mut BTreeMap<String, String>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                flatten(&below(name), value, fields);
            }
        }
        toml::Value::Array(elements) if elements.iter().all(toml::Value::is_table) => {
            for (index, element) in elements.iter().enumerate() {
                match element.get("name").and_then(toml::Value::as_str) {
                    Some(name) => flatten(&below(name), element, fields),
                    None => flatten(&below(&index.to_string()), element, fields),
                }
            }
        }
        leaf => {
            fields.insert(path.to_owned(), leaf.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_paths() {
        let table: Table = "seed = 1\n[network]\nshards = 4\n[[phase]]\nname = \"steady\"\n\
                            [[phase.load]]\nrate = 200\n[[phase.load]]\nrate = 1.5\n"
            .parse()
            .unwrap();
        let mut fields = BTreeMap::new();
        flatten("", &toml::Value::Table(table), &mut fields);
        let found: Vec<String> =
            fields.iter().map(|(path, value)| format!("{path}={value}")).collect();
        let expected = [
            "network.shards=4",
            "phase.steady.load.0.rate=200",
            "phase.steady.load.1.rate=1.5",
            "phase.steady.name=\"steady\"",
            "seed=1",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn names_are_as_long_as_they_must_be() {
        let paths = |all: &[&str]| all.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(names(&paths(&["runs/a", "runs/b"])), ["a", "b"]);
        assert_eq!(names(&paths(&["x/one/s1", "x/two/s1"])), ["one/s1", "two/s1"]);
    }
}

//! Strategies as the command line names them: `fennel`, `fennel:passes=1:slack=0.05`,
//! `trace-file:homes.csv`, or a command.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use alloy_primitives::Address;
use cross_shard_msg::ShardId;
use partitioning::{OptionsError, Partitioner, Strategy};
use serde_json::{Map, Value};

use super::external::External;

/// The strategy that reads an allocation from a file.
const TRACE_FILE: &str = "trace-file";

/// A strategy that was asked for.
#[derive(Debug)]
pub struct Chosen {
    /// As it was asked for: what tables call it.
    pub label: String,
    /// The strategy.
    pub partitioner: Box<dyn Partitioner>,
    /// Whether it may see the future.
    pub oracle: bool,
}

/// Why there is no such strategy.
#[derive(Debug, thiserror::Error)]
pub enum ChosenError {
    /// Nobody knows the name.
    #[error("there is no strategy {name:?}{}; known are {}", did_you_mean(.name), Strategy::NAMES.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The strategy needs what a trace does not have.
    #[error(
        "{name} needs the delays between shards and the places of users, which a trace does not have"
    )]
    NoPlaces {
        /// Its name.
        name: String,
    },
    /// An option is not written NAME=VALUE, or is not one of the strategy's.
    #[error("{strategy}: {message}")]
    Option {
        /// The strategy.
        strategy: String,
        /// What is wrong.
        message: String,
    },
    /// An option's value is out of its bounds.
    #[error(transparent)]
    Bounds(#[from] OptionsError),
    /// The file of homes cannot be used.
    #[error("{file}, line {line}: {message}")]
    File {
        /// Which.
        file: String,
        /// Its line, from 1; 0 for the file as a whole.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A command without a program.
    #[error("the command is empty")]
    NoCommand,
}

impl Chosen {
    /// A strategy by name, with options.
    ///
    /// # Errors
    /// There is none of that name, or its options or its file are wrong.
    pub fn named(text: &str) -> Result<Self, ChosenError> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let strategy = if let Some(file) = text.strip_prefix("trace-file:") {
            Strategy::TraceFile { homes: homes(Path::new(file))? }
        } else {
            let unknown = || ChosenError::Unknown { name: name.to_owned() };
            let published = Strategy::published(name).ok_or_else(unknown)?;
            with_options(name, published, parts)?
        };
        if matches!(strategy, Strategy::Region(_)) {
            return Err(ChosenError::NoPlaces { name: name.to_owned() });
        }
        let oracle = matches!(strategy, Strategy::Oracle { .. });
        Ok(Self { label: text.to_owned(), partitioner: strategy.build()?, oracle })
    }

    /// A program of the user's, its arguments separated by white space.
    ///
    /// # Errors
    /// There is no program.
    pub fn command(text: &str, timeout: Duration) -> Result<Self, ChosenError> {
        let command: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        // The last argument that names a file tells more than `python3`.
        let file = command.iter().rev().find_map(|part| Path::new(part).file_name());
        let label = file.map_or_else(String::new, |file| file.to_string_lossy().into_owned());
        let external = External::new(command, timeout).ok_or(ChosenError::NoCommand)?;
        Ok(Self { label, partitioner: Box::new(external), oracle: false })
    }
}

/// The published options with some changed. Where a strategy asks another one, `then=NAME` says
/// which.
fn with_options<'a>(
    name: &str,
    published: Strategy,
    given: impl Iterator<Item = &'a str>,
) -> Result<Strategy, ChosenError> {
    let failed = |message: String| ChosenError::Option { strategy: name.to_owned(), message };
    let value = serde_json::to_value(&published).map_err(|error| failed(error.to_string()))?;
    let mut options = match value {
        Value::Object(mut tagged) => match tagged.remove(name) {
            Some(Value::Object(options)) => options,
            _ => Map::new(),
        },
        _ => Map::new(),
    };
    let mut changed = false;
    for option in given {
        let (key, text) = option
            .split_once('=')
            .ok_or_else(|| failed(format!("expected OPTION=VALUE, found {option:?}")))?;
        let known: Vec<String> = leaves(&options).collect();
        if !known.iter().any(|known| known == key) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(failed(format!("there is no option {key:?}; its options are {known}")));
        }
        let mut value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        if key == "then" {
            let inner = Strategy::published(text);
            let inner = inner.ok_or_else(|| ChosenError::Unknown { name: text.to_owned() })?;
            value = serde_json::to_value(inner).map_err(|error| failed(error.to_string()))?;
        }
        set(&mut options, key, value);
        changed = true;
    }
    if !changed {
        return Ok(published);
    }
    let tagged = Value::Object(Map::from_iter([(name.to_owned(), Value::Object(options))]));
    serde_json::from_value(tagged).map_err(|error| failed(error.to_string()))
}

/// The names of options; those of a forecast's prediction are on the same level.
fn leaves(options: &Map<String, Value>) -> impl Iterator<Item = String> {
    options.iter().flat_map(|(key, value)| match value {
        Value::Object(inner) if key != "then" => inner.keys().cloned().collect(),
        _ => vec![key.clone()],
    })
}

fn set(options: &mut Map<String, Value>, key: &str, value: Value) {
    if let Some(known) = options.get_mut(key) {
        *known = value;
        return;
    }
    for (outer, inner) in options.iter_mut().filter(|(outer, _)| *outer != "then") {
        if let Value::Object(inner) = inner
            && inner.contains_key(key)
        {
            debug_assert_ne!(outer, key);
            inner.insert(key.to_owned(), value);
            return;
        }
    }
}

/// Reads lines `ADDRESS,SHARD`; a first line of other text is a header.
fn homes(path: &Path) -> Result<BTreeMap<Address, ShardId>, ChosenError> {
    let failed = |line: u64, message: String| ChosenError::File {
        file: path.display().to_string(),
        line,
        message,
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(0, error.to_string()))?;
    let mut homes = BTreeMap::new();
    for (line, row) in (1_u64..).zip(text.lines()) {
        let fields = row.split_once(',').and_then(|(address, shard)| {
            let address = Address::from_str(address.trim()).ok()?;
            Some((address, ShardId(shard.trim().parse().ok()?)))
        });
        match fields {
            Some((address, shard)) => {
                if homes.insert(address, shard).is_some() {
                    return Err(failed(line, format!("{address} is there already")));
                }
            }
            None if line == 1 && !row.starts_with("0x") => {}
            None => return Err(failed(line, format!("expected ADDRESS,SHARD, found {row:?}"))),
        }
    }
    Ok(homes)
}

fn did_you_mean(name: &str) -> String {
    if name == TRACE_FILE {
        return " without a file: write trace-file:FILE".to_owned();
    }
    let close = |known: &&&str| strsim::damerau_levenshtein(known, name) <= 2;
    let near = Strategy::NAMES.iter().find(close);
    near.map_or_else(String::new, |known| format!(", did you mean {known:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_options_and_mistakes() {
        for name in Strategy::NAMES.iter().filter(|name| **name != "region") {
            assert_eq!(Chosen::named(name).unwrap().partitioner.name(), *name);
        }
        let good = [
            "fennel:passes=1:slack=0.05:start=current",
            "forecast:level=1:trend=0:then=metis",
            "txallo-adaptive:global_every=5",
        ];
        for text in good {
            assert_eq!(Chosen::named(text).unwrap().label, text);
        }
        let bad = [
            ("fenel", "there is no strategy \"fenel\", did you mean \"fennel\"?; known are"),
            ("trace-file", "there is no strategy \"trace-file\" without a file"),
            ("region", "region needs the delays"),
            ("fennel:passes", "fennel: expected OPTION=VALUE, found \"passes\""),
            ("fennel:pases=1", "fennel: there is no option \"pases\"; its options are"),
            ("hash:x=1", "hash: there is no option \"x\"; its options are none"),
            ("fennel:passes=many", "fennel: invalid type"),
            ("fennel:passes=0", "fennel.passes must be at least 1, not 0"),
            ("oracle:then=oracle", "oracle.then must be a strategy that asks no other"),
            ("oracle:then=mts", "there is no strategy \"mts\""),
            ("trace-file:/absent", "/absent, line 0: "),
        ];
        for (text, expected) in bad {
            let error = Chosen::named(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        let command = |text| Chosen::command(text, Duration::from_secs(1));
        assert_eq!(command("python3 some/strategy.py").unwrap().label, "strategy.py");
        assert!(command("  ").is_err());
    }

    #[test]
    fn homes_from_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("homes.csv");
        let account = Address::with_last_byte(0x55);
        std::fs::write(&file, format!("address,shard\n{account},3\n")).unwrap();
        assert_eq!(homes(&file).unwrap(), BTreeMap::from([(account, ShardId(3))]));
        for wrong in [format!("{account},3\n{account},3"), format!("{account}"), "0x12,1".into()] {
            std::fs::write(&file, &wrong).unwrap();
            assert!(homes(&file).is_err(), "{wrong}");
        }
    }
}

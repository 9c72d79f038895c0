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
use super::own::{self, NotBuilt};

/// The strategy that reads an allocation from a file.
pub(super) const TRACE_FILE: &str = "trace-file";

/// A strategy that was asked for.
#[derive(Debug)]
pub struct Chosen {
    /// As it was asked for: what tables call it.
    pub label: String,
    /// The strategy.
    pub partitioner: Box<dyn Partitioner>,
    /// Whether it may see the future.
    pub oracle: bool,
    /// Whether it needs to know where shards and users are.
    pub places: bool,
    /// All its options, as [`Chosen::with_options`] takes them.
    pub options: BTreeMap<String, Value>,
}

/// Why there is no such strategy.
#[derive(Debug, thiserror::Error)]
pub enum ChosenError {
    /// Nobody knows the name.
    #[error("there is no strategy {name:?}{}; known are {}", did_you_mean(.name), names().collect::<Vec<_>>().join(", "))]
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
    /// A strategy by name, with options: `fennel:passes=1`.
    ///
    /// # Errors
    /// There is none of that name, or its options or its file are wrong.
    pub fn named(text: &str) -> Result<Self, ChosenError> {
        let chosen = if let Some(file) = text.strip_prefix("trace-file:") {
            Self::with_options(TRACE_FILE, [("file".to_owned(), file.into())])?
        } else {
            let (name, options) =
                text.split_once(':').map_or((text, None), |(name, options)| (name, Some(options)));
            let written = |option: &str| match option.split_once('=') {
                Some((key, text)) => {
                    let value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
                    Ok((key.to_owned(), value))
                }
                None => Err(ChosenError::Option {
                    strategy: name.to_owned(),
                    message: format!("expected OPTION=VALUE, found {option:?}"),
                }),
            };
            let options = options.into_iter().flat_map(|options| options.split(':'));
            Self::with_options(name, options.map(written).collect::<Result<Vec<_>, _>>()?)?
        };
        Ok(Self { label: text.to_owned(), ..chosen })
    }

    /// A strategy by name, with some of its options changed; its label is the name. This is the one
    /// place where names of strategies are understood: those of `partitioning`, `trace-file` with
    /// the option `file`, and those that the program brings along ([`register`](super::register)).
    ///
    /// # Errors
    /// There is none of that name, or its options or its file are wrong.
    pub fn with_options(
        name: &str,
        given: impl IntoIterator<Item = (String, Value)>,
    ) -> Result<Self, ChosenError> {
        let failed = |message: String| ChosenError::Option { strategy: name.to_owned(), message };
        let (mut oracle, mut places) = (false, false);
        let mut resolved = Value::Null;
        let partitioner = if name == TRACE_FILE {
            let file = given.into_iter().find(|(key, _)| key == "file").map(|(_, value)| value);
            let Some(Value::String(file)) = file else {
                return Err(ChosenError::Unknown { name: name.to_owned() });
            };
            Strategy::TraceFile { homes: homes(Path::new(&file))? }.build()?
        } else if let Some(own) = own::registered(name) {
            let defaults = own.defaults().map_err(|error| failed(error.to_string()))?;
            resolved = changed(name, defaults, given)?;
            own.build(resolved.clone()).map_err(|error| match error {
                NotBuilt::Type(error) => failed(error.to_string()),
                NotBuilt::Bounds(error) => error.into(),
            })?
        } else {
            let unknown = || ChosenError::Unknown { name: name.to_owned() };
            let published = Strategy::published(name).ok_or_else(unknown)?;
            let tagged = serde_json::to_value(&published).map_err(|e| failed(e.to_string()))?;
            // A strategy without options is its name alone.
            let defaults = tagged.get(name).cloned().unwrap_or(Value::Null);
            let options = changed(name, defaults.clone(), given)?;
            resolved = options.clone();
            let strategy = if options == defaults {
                published
            } else {
                let tagged = Value::Object(Map::from_iter([(name.to_owned(), options)]));
                serde_json::from_value(tagged).map_err(|error| failed(error.to_string()))?
            };
            oracle = matches!(strategy, Strategy::Oracle { .. });
            places = matches!(strategy, Strategy::Region(_));
            strategy.build()?
        };
        Ok(Self { label: name.to_owned(), partitioner, oracle, places, options: flat(resolved) })
    }

    /// The same, if it can be asked where nobody knows where shards and users are.
    ///
    /// # Errors
    /// It goes by distance.
    pub fn without_places(self) -> Result<Self, ChosenError> {
        if self.places {
            return Err(ChosenError::NoPlaces { name: self.label });
        }
        Ok(self)
    }

    /// A program of the user's, its arguments separated by white space.
    ///
    /// # Errors
    /// There is no program.
    pub fn command(text: &str, timeout: Duration) -> Result<Self, ChosenError> {
        Self::program(text.split_whitespace().map(str::to_owned).collect(), timeout)
    }

    /// A program of the user's, with its arguments.
    ///
    /// # Errors
    /// There is no program.
    pub fn program(command: Vec<String>, timeout: Duration) -> Result<Self, ChosenError> {
        // The last argument that names a file tells more than `python3`.
        let file = command.iter().rev().find_map(|part| Path::new(part).file_name());
        let label = file.map_or_else(String::new, |file| file.to_string_lossy().into_owned());
        let external = External::new(command, timeout).ok_or(ChosenError::NoCommand)?;
        let partitioner = Box::new(external);
        Ok(Self { label, partitioner, oracle: false, places: false, options: BTreeMap::new() })
    }
}

/// The default options with some changed. Where a strategy asks another one, `then` names it.
fn changed(
    name: &str,
    defaults: Value,
    given: impl IntoIterator<Item = (String, Value)>,
) -> Result<Value, ChosenError> {
    let failed = |message: String| ChosenError::Option { strategy: name.to_owned(), message };
    let (mut options, none) = match defaults {
        Value::Object(options) => (options, false),
        _ => (Map::new(), true),
    };
    for (key, mut value) in given {
        let known: Vec<String> = leaves(&options).collect();
        if !known.contains(&key) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(failed(format!("there is no option {key:?}; its options are {known}")));
        }
        if key == "then"
            && let Value::String(text) = &value
        {
            let inner = Strategy::published(text);
            let inner = inner.ok_or_else(|| ChosenError::Unknown { name: text.clone() })?;
            value = serde_json::to_value(inner).map_err(|error| failed(error.to_string()))?;
        }
        set(&mut options, &key, value);
    }
    Ok(if none { Value::Null } else { Value::Object(options) })
}

/// All options on one level.
fn flat(options: Value) -> BTreeMap<String, Value> {
    let Value::Object(options) = options else { return BTreeMap::new() };
    let each = options.into_iter().flat_map(|(key, value)| match value {
        Value::Object(inner) if key != "then" => inner.into_iter().collect(),
        value => vec![(key, value)],
    });
    each.collect()
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

/// All names that need no file.
fn names() -> impl Iterator<Item = &'static str> {
    Strategy::NAMES.into_iter().chain(own::names())
}

fn did_you_mean(name: &str) -> String {
    if name == TRACE_FILE {
        return " without a file: write trace-file:FILE".to_owned();
    }
    let near = names().find(|known| strsim::damerau_levenshtein(known, name) <= 2);
    near.map_or_else(String::new, |known| format!(", did you mean {known:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_options_and_mistakes() {
        for name in Strategy::NAMES {
            let chosen = Chosen::named(name).unwrap();
            assert_eq!((chosen.label.as_str(), chosen.partitioner.name()), (name, name));
            assert_eq!((chosen.oracle, chosen.places), (name == "oracle", name == "region"));
        }
        let region = Chosen::named("region").unwrap().without_places().unwrap_err();
        assert!(region.to_string().starts_with("region needs the delays"), "{region}");
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

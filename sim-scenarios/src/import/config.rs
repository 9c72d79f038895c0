//! The settings of a BlockEmulator `paramsConfig.json`: their names, bounds and published values.
//!
//! As in Go's `encoding/json`, names may be written in any case. Names that older versions and forks
//! use are understood as well.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::json::{JsonFile, Member};
use crate::scenario::{Problem, Rejected, nearest};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// Its name.
    pub key: &'static str,
    /// Its value.
    pub value: T,
    /// Whether the file has it; else the value is the published one.
    pub stated: bool,
}

/// `ConsensusMethod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// 0: CLPA moves accounts, brokers serve what still crosses.
    ClpaBroker,
    /// 1: CLPA moves accounts, the rest is relayed.
    Clpa,
    /// 2: brokers.
    Broker,
    /// 3: relayed.
    Relay,
    /// 4, in the version for Broker2Earn: brokers that are paid.
    BrokerEarn,
}

/// A configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// How transactions cross shards, and whether accounts move.
    pub method: Setting<Method>,
    /// Milliseconds.
    pub block_interval: Setting<u64>,
    /// Transactions of a block.
    pub block_size: Setting<u64>,
    /// Whether blocks are bounded by bytes instead.
    pub use_bytes: Setting<bool>,
    /// Transactions per second.
    pub inject_speed: Setting<u64>,
    /// Transactions in all.
    pub total: Setting<u64>,
    /// Transactions that are read at once.
    pub batch: Setting<u64>,
    /// The trace, relative to where the emulator is started.
    pub dataset: Setting<String>,
    /// Seconds.
    pub reconfig_gap: Setting<u64>,
    /// Milliseconds; below 0: none.
    pub delay: Setting<i64>,
    /// Milliseconds, half of it each way from `delay`; below 0: none.
    pub jitter: Setting<i64>,
    /// Bytes per second of a process; below 0: no limit.
    pub bandwidth: Setting<i64>,
    /// Number of shards.
    pub shards: Setting<u64>,
    /// Settings that a scenario has nothing for: name, value and why.
    pub left_out: Vec<LeftOut>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// A setting that a scenario has nothing for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// As the file writes it.
    pub name: String,
    /// Its value as JSON.
    pub value: String,
    /// Why.
    pub why: &'static str,
}

/// Settings that a scenario has something for.
const MAPPED: [&str; 13] = [
    "ConsensusMethod",
    "Block_Interval",
    "BlockSize",
    "UseBlocksizeInBytes",
    "InjectSpeed",
    "TotalDataSize",
    "TxBatchSize",
    "DatasetFile",
    "ReconfigTimeGap",
    "Delay",
    "JitterRange",
    "Bandwidth",
    "ShardNum",
];

/// What only BlockEmulator has: names and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("PbftViewChangeTimeOut", "a shard is one process, which needs no agreement with itself"),
    ("ExpDataRootDir", "--out of `shardlab run` names the directory"),
    ("DataWrite_path", "--out of `shardlab run` names the directory"),
    ("LogWrite_path", "--out of `shardlab run` names the directory"),
    ("DatabaseWrite_path", "--out of `shardlab run` names the directory"),
    ("SupervisorAddr", "ports are the system's choice"),
    ("BlocksizeInBytes", "blocks are bounded by gas"),
    ("BrokerNum", "there are no brokers"),
    ("IterNum_B2E", "there are no brokers"),
    ("Brokerage", "there are no brokers"),
    ("RelayWithMerkleProof", "receipts always carry a proof"),
    ("NodesInShard", "a shard is one process"),
    ("NodeNum", "a shard is one process"),
];

/// Why an unknown setting is not in the scenario.
const UNKNOWN: &str = "BlockEmulator v1 has no such setting";

impl Config {
    /// Understands a file. `shards` of the command line replaces the file's.
    ///
    /// # Errors
    /// All values that are of a wrong type or out of their bounds.
    pub fn new(file: &JsonFile, shards: Option<u32>) -> Result<Self, Rejected> {
        let mut reader =
            Reader { file, taken: Vec::new(), problems: Vec::new(), absent: Vec::new() };
        let method = reader.method();
        let hour = 3_600_000;
        let block_interval =
            reader.whole("Block_Interval", &["BlockInterval"], 1..=hour, Usual::Needed(5_000));
        // The gas of so many transfers is the most that a block's limit may be.
        let sizes = 1..=47_619_047;
        let block_size =
            reader.whole("BlockSize", &["MaxBlockSize_global"], sizes, Usual::Needed(2_000));
        let use_bytes = reader.whole("UseBlocksizeInBytes", &[], 0..=1, Usual::Later(0));
        let inject_speed = reader.whole("InjectSpeed", &[], 1..=1_000_000, Usual::Needed(2_000));
        let most = 100_000_000;
        let total = reader.whole("TotalDataSize", &[], 1..=most, Usual::Needed(160_000));
        let batch = reader.whole("TxBatchSize", &["BatchSize"], 1..=most, Usual::Needed(16_000));
        let dataset = reader.dataset();
        let reconfig_gap = reader.whole("ReconfigTimeGap", &[], 1..=1_000_000, Usual::Needed(50));
        let minute = -i64::from(i32::MAX)..=60_000;
        let delay = reader.integer("Delay", &[], minute.clone(), Usual::Later(-1));
        let jitter = reader.integer("JitterRange", &[], minute, Usual::Later(-1));
        let bandwidth = reader.bandwidth();
        let mut shard_count = reader.whole("ShardNum", &[], 1..=1_024, Usual::Later(4));
        if let Some(shards) = shards {
            shard_count.value = u64::from(shards);
        }
        let (left_out, mut warnings) = reader.left_out();
        warnings.extend(reader.absent.iter().map(|absent| {
            format!("{}: {absent}; BlockEmulator itself would read 0 or nothing", file.name())
        }));
        if !reader.problems.is_empty() {
            return Err(file.rejected(reader.problems));
        }
        Ok(Self {
            method,
            block_interval,
            block_size,
            use_bytes: Setting {
                key: use_bytes.key,
                value: use_bytes.value == 1,
                stated: use_bytes.stated,
            },
            inject_speed,
            total,
            batch,
            dataset,
            reconfig_gap,
            delay,
            jitter,
            bandwidth,
            shards: shard_count,
            left_out,
            warnings,
        })
    }
}

impl Method {
    const ALL: [Self; 5] =
        [Self::ClpaBroker, Self::Clpa, Self::Broker, Self::Relay, Self::BrokerEarn];

    /// BlockEmulator's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClpaBroker => "CLPA_Broker",
            Self::Clpa => "CLPA",
            Self::Broker => "Broker",
            Self::Relay => "Relay",
            Self::BrokerEarn => "Broker_b2e",
        }
    }

    /// Whether CLPA moves accounts.
    #[must_use]
    pub fn moves(self) -> bool {
        matches!(self, Self::ClpaBroker | Self::Clpa)
    }

    /// Whether brokers serve what crosses shards.
    #[must_use]
    pub fn has_brokers(self) -> bool {
        matches!(self, Self::ClpaBroker | Self::Broker | Self::BrokerEarn)
    }
}

/// What a setting is that the file does not have.
enum Usual<T> {
    /// The published value, and the user is told.
    Needed(T),
    /// What it was before there was such a setting.
    Later(T),
}

struct Reader<'a> {
    file: &'a JsonFile,
    /// Positions of the members that were understood.
    taken: Vec<usize>,
    problems: Vec<Problem>,
    absent: Vec<String>,
}

impl<'a> Reader<'a> {
    /// The member of one of these names, the first in the file; a second one is a problem.
    fn find(&mut self, key: &str, also: &[&str]) -> Option<&'a Member> {
        let called = |name: &str| {
            name.eq_ignore_ascii_case(key)
                || also.iter().any(|also| name.eq_ignore_ascii_case(also))
        };
        let mut found: Option<&Member> = None;
        for (position, member) in self.file.members.iter().enumerate() {
            if !called(&member.name) {
                continue;
            }
            self.taken.push(position);
            match found {
                Some(first) => self.problems.push(member.misnamed(
                    format!("`{}` is there twice", member.name),
                    format!("it is `{}` again", first.name),
                )),
                None => found = Some(member),
            }
        }
        found
    }

    fn whole(
        &mut self,
        key: &'static str,
        also: &[&str],
        range: RangeInclusive<u64>,
        usual: Usual<u64>,
    ) -> Setting<u64> {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let usual = match usual {
            Usual::Needed(value) => Usual::Needed(signed(value)),
            Usual::Later(value) => Usual::Later(signed(value)),
        };
        let range = signed(*range.start())..=signed(*range.end());
        let Setting { key, value, stated } = self.integer(key, also, range, usual);
        Setting { key, value: value.unsigned_abs(), stated }
    }

    fn integer(
        &mut self,
        key: &'static str,
        also: &[&str],
        range: RangeInclusive<i64>,
        usual: Usual<i64>,
    ) -> Setting<i64> {
        let Some(member) = self.find(key, also) else {
            let value = match usual {
                Usual::Later(value) => value,
                Usual::Needed(value) => {
                    self.absent
                        .push(format!("{key} is absent: its published value {value} is taken"));
                    value
                }
            };
            return Setting { key, value, stated: false };
        };
        let number = member.value.as_i64().filter(|number| range.contains(number));
        let value = number.unwrap_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let expected = match *least < 0 {
                true => format!("expected a whole number, at most {most}"),
                false => format!("expected a whole number from {least} to {most}"),
            };
            // More than 64 bits are a number of the right type all the same.
            let whole = member.value.as_f64().is_some_and(|number| number.fract() == 0.0);
            self.wrong(member, whole, &expected);
            *most
        });
        Setting { key, value, stated: true }
    }

    fn method(&mut self) -> Setting<Method> {
        let number = self.whole("ConsensusMethod", &[], 0..=4, Usual::Needed(0));
        let index = usize::try_from(number.value).unwrap_or_default();
        let value = Method::ALL.get(index).copied().unwrap_or(Method::Relay);
        Setting { key: number.key, value, stated: number.stated }
    }

    /// A limit of 0 would let nothing pass, and the emulator would wait for ever.
    fn bandwidth(&mut self) -> Setting<i64> {
        let range = i64::MIN..=1_000_000_000_000;
        let setting = self.integer("Bandwidth", &[], range, Usual::Later(-1));
        if setting.stated
            && (0..125).contains(&setting.value)
            && let Some(member) = self.member(setting.key)
        {
            let expected = "expected at least 125 bytes per second, or below 0 for no limit";
            self.wrong(member, true, expected);
        }
        setting
    }

    fn dataset(&mut self) -> Setting<String> {
        let (key, published) = ("DatasetFile", "./selectedTxs_300K.csv");
        let Some(member) = self.find(key, &["FileInput"]) else {
            self.absent
                .push(format!("{key} is absent: its published value {published:?} is taken"));
            return Setting { key, value: published.to_owned(), stated: false };
        };
        let text = member.value.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.wrong(member, member.value.is_string(), "expected the path of a CSV file");
        }
        Setting { key, value: text.unwrap_or_default().to_owned(), stated: true }
    }

    /// What is left of the file, in its order; the user is told of what nobody knows.
    fn left_out(&self) -> (Vec<LeftOut>, Vec<String>) {
        let (mut left_out, mut warnings) = (Vec::new(), Vec::new());
        let members = self.file.members.iter().enumerate();
        for (_, member) in members.filter(|(position, _)| !self.taken.contains(position)) {
            let known = ELSEWHERE.iter().find(|(key, _)| member.name.eq_ignore_ascii_case(key));
            if known.is_none() {
                let names = MAPPED.iter().copied().chain(ELSEWHERE.iter().map(|(key, _)| *key));
                let near = nearest(&member.name, names);
                let meant = near.map_or_else(String::new, |near| format!(", did you mean {near}?"));
                let (line, name) = (self.file.line_of(member), member.name.escape_debug());
                warnings.push(format!("{line}: unknown setting {name} is left out{meant}"));
            }
            left_out.push(LeftOut {
                name: member.name.clone(),
                value: member.value.to_string(),
                why: known.map_or(UNKNOWN, |(_, why)| why),
            });
        }
        (left_out, warnings)
    }

    fn member(&self, name: &str) -> Option<&'a Member> {
        self.file.members.iter().find(|member| member.name.eq_ignore_ascii_case(name))
    }

    fn wrong(&mut self, member: &Member, right_type: bool, expected: &str) {
        let name = &member.name;
        let problem = match right_type {
            true => member.wrong(format!("wrong value for `{name}`"), expected.to_owned()),
            false => {
                let found = match &member.value {
                    Value::Null => "null",
                    Value::Bool(_) => "a boolean",
                    Value::Number(_) => "a fraction",
                    Value::String(_) => "a string",
                    Value::Array(_) => "an array",
                    Value::Object(_) => "an object",
                };
                let label = format!("{expected}, found {found}");
                member.wrong(format!("wrong type for `{name}`"), label)
            }
        };
        self.problems.push(problem);
    }
}

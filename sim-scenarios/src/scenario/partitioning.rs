//! Epochs at which accounts move, and the strategy that decides which (rules R-EPOCH-1 to R-EPOCH-9).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration as StdDuration;

use cross_shard_msg::settings::Epochs;
use cross_shard_msg::{Duration, NodeId, ShardId};
use partitioning::{Places, VertexWeight, Weights};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::network::Network;
use super::unit::print_duration;
use crate::partition::{Chosen, ChosenError};

/// When accounts move, how many, and who decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Partitioning {
    /// Who decides.
    pub strategy: StrategyChoice,
    /// Checkpoints of one epoch. 1 to 1,000,000.
    pub epoch: u64,
    /// Most accounts that move at the end of an epoch. 1 to 100,000.
    pub max_moves: u32,
    /// Most executions that one block's traffic report may have. 1 to
    /// [`cross_shard_msg::migration::MAX_ACCESSES`].
    pub max_accesses: u32,
    /// Past epochs whose traffic the strategy sees. 1 to 1,000.
    pub window: u32,
    /// What counts how much; η from 1 to 1,000.
    pub weights: Weights,
}

/// A strategy of a running network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StrategyChoice {
    /// One that the program knows.
    Named {
        /// Its name.
        name: String,
        /// All its options.
        options: BTreeMap<String, Value>,
    },
    /// A program of the user's.
    Command {
        /// The program and its arguments, none of them relative to the scenario file any more.
        command: Vec<String>,
        /// How long it may take for one answer. 1 ms to 1 h.
        timeout: Duration,
    },
}

impl StrategyChoice {
    /// Makes it.
    ///
    /// # Errors
    /// There is none of that name, or its options or its file are wrong.
    pub fn build(&self) -> Result<Chosen, ChosenError> {
        match self {
            Self::Named { name, options } => Chosen::with_options(name, options.clone()),
            Self::Command { command, timeout } => {
                Chosen::program(command.clone(), StdDuration::from_nanos(timeout.0))
            }
        }
    }

    /// What reports call it: its name; of a command the last file, or else the program.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Named { name, .. } => name.clone(),
            Self::Command { command, .. } => {
                let is_file = |part: &&String| Path::new(part).is_absolute();
                let file = command.iter().rfind(is_file).or(command.first()).map(Path::new);
                let file = file.and_then(Path::file_name);
                file.map_or_else(String::new, |file| file.to_string_lossy().into_owned())
            }
        }
    }

    fn printed(&self) -> String {
        match self {
            Self::Named { name, options } if options.is_empty() => quoted(name),
            Self::Named { name, options } => {
                let name = [format!("name = {}", quoted(name))];
                let options = options.iter();
                let options = options.map(|(key, value)| format!("{key} = {}", inline(value)));
                let each: Vec<String> = name.into_iter().chain(options).collect();
                format!("{{ {} }}", each.join(", "))
            }
            Self::Command { command, timeout } => {
                let command: Vec<String> = command.iter().map(|part| quoted(part)).collect();
                let timeout = quoted(&print_duration(*timeout));
                format!("{{ command = [{}], timeout = {timeout} }}", command.join(", "))
            }
        }
    }
}

impl Partitioning {
    /// What the nodes agree on.
    #[must_use]
    pub fn epochs(&self) -> Epochs {
        Epochs {
            checkpoints: self.epoch,
            max_moves: self.max_moves,
            max_accesses: self.max_accesses,
        }
    }

    /// The section of a scenario file.
    pub(super) fn printed(&self) -> String {
        let vertex = match self.weights.vertex {
            VertexWeight::Load => "load",
            VertexWeight::Unit => "unit",
        };
        format!(
            "[partitioning]\nstrategy = {}\nepoch = {}\nmax_moves = {}\nmax_accesses = {}\n\
             window = {}\neta = {:?}\nvertex = \"{vertex}\"",
            self.strategy.printed(),
            self.epoch,
            self.max_moves,
            self.max_accesses,
            self.window,
            self.weights.eta,
        )
    }
}

impl Network {
    /// Delays between shards, if the network says where they are. Users have no places of their own,
    /// as all load comes from one client: each is taken to be where its account lives.
    #[must_use]
    pub fn places(&self) -> Option<Places> {
        if self.links.regions.is_empty() {
            return None;
        }
        let shards = || (0..self.shards).map(|shard| NodeId::Shard(ShardId(shard)));
        let delay = |from: NodeId, to: NodeId| match from == to {
            true => Duration::ZERO,
            false => self.links.between(from, to).delay,
        };
        let delays = shards().map(|from| shards().map(|to| delay(from, to)).collect()).collect();
        Some(Places { delays, nearest: BTreeMap::new() })
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// An option's value in TOML.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(elements) => {
            let each: Vec<String> = elements.iter().map(inline).collect();
            format!("[{}]", each.join(", "))
        }
        Value::Object(entries) => {
            let each = entries.iter();
            let each = each.map(|(key, value)| format!("{} = {}", quoted(key), inline(value)));
            format!("{{ {} }}", each.collect::<Vec<_>>().join(", "))
        }
        // Numbers and booleans are written alike in both; TOML has no null, and no option is.
        other => other.to_string(),
    }
}

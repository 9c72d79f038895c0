//! Scenario files: what they say, how they are read, how they are printed back.
//!
//! The types here are resolved: complete, within bounds, consistent. docs/scenarios.md describes
//! every field of the file.

mod byzantine;
mod examples;
mod fault;
mod files;
mod load;
mod network;
mod parse;
mod partitioning;
mod print;
mod problem;
mod sweep;
mod threshold;
mod types;
mod unit;

pub use byzantine::{Behaviour, Byzantine};
pub use cross_shard_msg::Gate;
pub use cross_shard_msg::settings::Bounds;
pub use examples::{EXAMPLES, Example, template};
pub use fault::*;
pub use files::{DATA_VARIABLE, Places};
pub use load::*;
pub use network::*;
pub use parse::is_identifier;
pub use parse::{MAX_FILE_BYTES, load, parse, refuse_byzantine};
pub use parse::{is_sweep, load_sweep, parse_sweep};
pub use partitioning::{Partitioning, StrategyChoice};
pub use problem::{Located, Rejected};
pub(crate) use problem::{Place, Problem, Source, nearest};
pub use sweep::*;
pub use threshold::*;
pub use types::*;
pub use unit::*;

//! `shardlab compare`: which differences between runs are real.
//!
//! - Two single runs: the [`within`] bootstrap over slices of time. It knows how a run varies from
//!   one moment to another, and nothing of how runs vary from seed to seed; the output says so.
//! - Several runs on each side: the numbers of the runs' summaries, in pairs where both sides have
//!   the same seeds ([`crate::statistics`]).
//!
//! Many metrics are compared at once, so p-values are adjusted (Holm, 1979) before anything is
//! called real. What makes runs incomparable is said first ([`circumstances`]).

pub mod circumstances;
pub mod differences;
pub mod metric;
pub mod output;
pub mod run;
pub mod samples;
pub mod within;

pub use circumstances::FieldDifference;
pub use differences::{Compared, Comparison, Method, Row, compare};
pub use metric::{Better, Metric, Unit};
pub use run::{CompareError, Run, Side, names};

//! One member of the committee: from headers through crosslinks and checkpoints to finality.
//!
//! In the order in which data flows: [`headers`] collects what shards sign, [`pull`] asks for what
//! is missing, [`cut`] finds the largest closed cut above a checkpoint, [`proposal`] makes a
//! checkpoint of it or checks somebody else's, [`rules`] says what both obey, `consensus` agrees,
//! [`finality`] keeps and hands out what is final. [`state`] is what all of them need to know of
//! the checkpoints so far, [`homes`] where accounts live by them, and [`Coordinator`] is the machine
//! around them.
//!
//! Beside this flow: [`traffic`] keeps what shards report, [`partition_job`] asks the partitioner
//! about it when an epoch ends, and [`moves`] says what of its answer a checkpoint may contain.
//!
//! Rules R-HDR-1 to R-HDR-6, R-LED-1 to R-LED-3, R-CKPT-1 to R-CKPT-9 and R-EPOCH-1 to R-EPOCH-4 of
//! docs/protocol.md.

pub mod config;
mod coordinator;
pub mod cut;
pub mod evidence;
pub mod finality;
pub mod headers;
pub mod homes;
mod keys;
pub mod moves;
pub mod partition_job;
mod planner;
pub mod proposal;
pub mod pull;
pub mod record;
pub mod releases;
pub mod rules;
pub mod state;
pub mod traffic;
pub mod value;

pub use config::{ConfigError, CoordinatorConfig, PartitionerConfig};
pub use coordinator::{Coordinator, CoordinatorTimer, MAX_EVIDENCE};
pub use evidence::{BrokenHeader, Proof};
pub use partition_job::PartitionJob;
pub use record::CoordinatorRecord;
pub use rules::{Rule, Violation};
pub use state::CheckpointState;
pub use value::CheckpointValue;

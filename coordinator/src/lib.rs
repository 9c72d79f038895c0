//! One member of the committee: from headers through crosslinks and checkpoints to finality.
//!
//! In the order in which data flows: [`headers`] collects what shards sign, [`pull`] asks for what
//! is missing, [`cut`] finds the largest closed cut above a checkpoint, [`proposal`] makes a
//! checkpoint of it or checks somebody else's, [`rules`] says what both obey, `consensus` agrees,
//! [`finality`] keeps and hands out what is final. [`state`] is what all of them need to know of
//! the checkpoints so far, and [`Coordinator`] is the machine around them.
//!
//! Rules R-HDR-1 to R-HDR-6, R-LED-1 to R-LED-3 and R-CKPT-1 to R-CKPT-9 of docs/protocol.md.

pub mod config;
mod coordinator;
pub mod cut;
pub mod evidence;
pub mod finality;
pub mod headers;
mod keys;
pub mod proposal;
pub mod pull;
pub mod record;
pub mod releases;
pub mod rules;
pub mod state;
pub mod value;

pub use config::{ConfigError, CoordinatorConfig, PartitionerConfig};
pub use coordinator::{Coordinator, CoordinatorTimer, MAX_EVIDENCE};
pub use evidence::{BrokenHeader, Proof};
pub use record::CoordinatorRecord;
pub use rules::{Rule, Violation};
pub use state::CheckpointState;
pub use value::CheckpointValue;

//! One shard: mempool, block, execution, outgoing and incoming receipts.
//!
//! [`ShardNode`] is a state machine without IO. In the order in which a transaction passes through:
//! `admission` and [`mempool`] take it; `block` makes a block of what waits, `execute` runs its legs
//! on [`evm`]; `outgoing` releases what they cause and keeps it until it is received; `incoming` and
//! `source` take what other shards released, through the gate that `checkpoints` opens. `ledger`
//! balances the books of every block. `recover` rebuilds a shard from its records.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod admission;
mod block;
mod checkpoints;
pub mod config;
mod congestion;
mod delayed;
pub mod evm;
mod execute;
mod headers;
mod incoming;
mod ledger;
mod locale;
pub mod mempool;
mod moves;
mod node;
mod notice;
mod outgoing;
mod parked;
mod prescribed;
mod pulls;
mod record;
mod recover;
mod replay;
mod snapshot;
mod source;
mod timer;
mod traffic;

pub use config::{ConfigError, Environment, Prescribed, ShardConfig, genesis_of, held};
pub use node::ShardNode;
pub use record::{Admin, BlockExecution, ShardRecord};
pub use recover::RecoverError;
pub use replay::Replay;
pub use snapshot::{MAX_SNAPSHOT_BYTES, SNAPSHOT_EVERY, Snapshot};
pub use timer::{Job, Timer};

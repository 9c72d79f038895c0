//! One shard: mempool, block, execution, outgoing and incoming receipts.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod evm;

//! What the tests share: shards that sign real headers without executing anything, and a committee
//! under virtual time.

#![allow(dead_code, reason = "every test binary uses another part")]

pub mod committee;
pub mod shards;
pub mod strategies;

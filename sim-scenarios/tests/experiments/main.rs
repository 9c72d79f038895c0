//! `shardlab compare` and `shardlab capacity` as a user runs them, and the pages of comparisons,
//! searches and sweeps.

#[path = "../browser_support/mod.rs"]
mod browser_support;

mod capacity;
mod compare;
mod page;
mod sweep;

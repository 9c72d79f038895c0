//! The shardlab program.
fn main() {}

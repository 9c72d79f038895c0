//! The parts of the `shardlab` program, as a library for its tests and benches.

pub mod scenario;

//! The world with a tiny machine: time and order, timers, CPUs, writes, computations, links, the
//! edge of a node, and the digest.

mod cpu;
mod edge;
mod order;
mod probe;
mod runs;

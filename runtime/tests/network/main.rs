//! The network over real sockets on the loopback interface, several nodes in one process.
#![allow(clippy::disallowed_methods, reason = "tests measure time and send from threads")]

mod delivery;
mod endpoint;
mod nodes;
mod raw;
mod refusals;
mod shaping;

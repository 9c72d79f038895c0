//! The network over real sockets on the loopback interface, several nodes in one process.

mod delivery;
mod endpoint;
mod nodes;
mod raw;
mod refusals;
mod shaping;

//! Networks of real shards and coordinators in the simulated world: faults, restarts, and nodes
//! that break the rules.

mod byzantine_shards;
mod byzantine_validators;
mod crashes;
mod epochs;
mod link_faults;
mod support;

//! The strategies, one file each: what it cites, how it deviates, its options.

pub mod clpa;
pub mod communities;
pub mod fennel;
pub mod forecast;
pub mod given;
pub mod hash;
pub mod label_propagation;
pub mod lb_chain;
pub mod ldg;
mod louvain;
pub mod metis;
pub mod options;
pub mod oracle;
pub mod range;
pub mod region;
pub mod shard_scheduler;
pub mod streaming;
pub mod txallo;

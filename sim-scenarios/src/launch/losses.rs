//! Which deaths of processes a network survives.

use consensus::quorum::max_faulty;
use cross_shard_msg::{NodeId, Settings};

use super::Death;

/// The processes that died so far. A committee of n goes on without ⌊(n − 1)/3⌋ members; nobody
/// takes the place of a shard.
#[derive(Debug)]
pub struct Losses {
    tolerated: usize,
    lost: Vec<String>,
}

impl Losses {
    /// None yet, in a network with these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { tolerated: max_faulty(settings.validators.len()), lost: Vec::new() }
    }

    /// Takes note of a death; returns it if the network cannot go on.
    pub fn take(&mut self, death: Death) -> Option<Death> {
        let member = matches!(death.node, NodeId::Coordinator(_));
        if !member || self.lost.len() == self.tolerated {
            return Some(death);
        }
        let lost = format!("{} died ({}); the others went on without it", death.node, death.status);
        tracing::warn!("{lost}");
        self.lost.push(lost);
        None
    }

    /// One sentence for each process without which the network goes on.
    #[must_use]
    pub fn lost(&self) -> &[String] {
        &self.lost
    }
}

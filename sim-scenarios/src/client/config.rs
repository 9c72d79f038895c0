//! How the client behaves.

use cross_shard_msg::{Duration, NodeId, ShardId, Timestamp, ValidatorIndex};

use crate::scenario::{Scenario, Signatures};

/// The bounds of the time after which a transaction that no block included is sent again.
const RESUBMIT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// The bounds of the time between a refusal and the next attempt.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// The bounds of the same for a sender that changes its home.
const FOLLOW: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// A sender that changes its home is looked for so often in a block time: few of its transactions miss
/// the first block in which it is live again.
const LOOKS_PER_BLOCK: u64 = 8;
/// The most transactions that are open at a time in a set-up stage.
const SETUP_WINDOW: u32 = 1_024;

/// Settings of a [`super::Client`]. Complete on purpose: [`ClientConfig::of`] derives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Number of validators; at least 1.
    pub validators: u32,
    /// Whether transactions name their sender.
    pub assume_senders: bool,
    /// The first moment at which anything is sent: the schedule's origin if nothing is set up.
    pub start: Timestamp,
    /// Time between a refusal that may pass later and the next attempt.
    pub retry_delay: Duration,
    /// The same where the refusal says that the sender is on its way to another shard.
    pub follow_delay: Duration,
    /// Refusals are retried until this long after the scheduled time.
    pub retry_deadline: Duration,
    /// What is in no block after this time is sent again: its shard may have lost its mempool.
    pub resubmit_after: Duration,
    /// How long after the last phase, or after the last movement of a set-up stage, the client
    /// waits.
    pub drain_timeout: Duration,
    /// How long after its finalization a placement is known on every shard.
    pub placement_margin: Duration,
    /// Most transactions that are open at a time in a set-up stage; at least 1.
    pub setup_window: u32,
}

impl ClientConfig {
    /// The settings that a scenario implies, for a load that starts at `start`.
    #[must_use]
    pub fn of(scenario: &Scenario, start: Timestamp) -> Self {
        let network = &scenario.network;
        let slowest = (0..network.validators)
            .flat_map(|validator| (0..network.shards).map(move |shard| (validator, shard)))
            .map(|(validator, shard)| {
                let from = NodeId::Coordinator(ValidatorIndex(validator));
                let link = network.links.between(from, NodeId::Shard(ShardId(shard)));
                link.delay + link.jitter
            })
            .max()
            .unwrap_or(Duration::ZERO);
        let clamp = |span: Duration, (least, most)| span.max(least).min(most);
        Self {
            validators: network.validators,
            assume_senders: network.signatures == Signatures::Assumed,
            start,
            retry_delay: clamp(network.block_time, RETRY),
            follow_delay: clamp(network.block_time.divided(LOOKS_PER_BLOCK), FOLLOW),
            retry_deadline: scenario.client.retry_deadline,
            resubmit_after: clamp(network.bounds.mempool_time.divided(2), RESUBMIT),
            drain_timeout: scenario.client.drain_timeout,
            // A shard applies a checkpoint with its next block; one more block time for the time
            // that blocks take.
            placement_margin: slowest + network.block_time.times(2),
            setup_window: network.bounds.nonce_window.clamp(1, SETUP_WINDOW),
        }
    }
}

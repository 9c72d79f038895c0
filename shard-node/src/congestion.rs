//! Back-pressure between shards (rules R-CONG-1, R-CONG-2, R-POOL-8).
//!
//! A shard tells how full its queues are; sources send it less the fuller they are, and nothing but
//! what one source at a time may always send. That one goes round, so there is no deadlock.

use cross_shard_msg::receipt::MAX_BATCH_RECEIPTS;
use cross_shard_msg::settings::Bounds;
use cross_shard_msg::{Checkpoint, Congestion, Gas, Height, ShardId};

/// A queue at its bound.
const FULL: u64 = 1_000;
/// Level above which new transactions to a shard are refused.
pub(crate) const REFUSING_LEVEL: u16 = 250;
/// `Call`s that the allowed source may release for a shard in one block, however full it is.
pub(crate) const ALLOWED_RELEASE: usize = 256;

/// How full the queues are: delayed receipts by gas, and the fullest buffer of outgoing receipts.
pub(crate) fn level(delayed_gas: Gas, fullest_buffer: usize, bounds: &Bounds) -> u16 {
    let delayed = thousandths(delayed_gas.0, bounds.delayed_gas.0);
    let buffered = thousandths(fullest_buffer as u64, u64::from(bounds.buffered));
    delayed.max(buffered)
}

/// The source that may always send to `shard` after its block at `height`: all others in turn.
pub(crate) fn allowed(shard: ShardId, height: Height, shards: u32) -> ShardId {
    let others = u64::from(shards.saturating_sub(1));
    let Some(turn) = height.0.checked_rem(others) else { return shard };
    let turn = u32::try_from(turn).unwrap_or(0);
    ShardId(if turn < shard.0 { turn } else { turn + 1 })
}

/// Congestion of all shards, as crosslinked last in the checkpoints that were applied.
#[derive(Clone, Debug)]
pub(crate) struct Known(Vec<Option<Congestion>>);

impl Known {
    pub(crate) fn new(shards: u32) -> Self {
        Self(vec![None; shards as usize])
    }

    pub(crate) fn apply(&mut self, checkpoint: &Checkpoint) {
        for crosslink in &checkpoint.crosslinks {
            if let Some(known) = self.0.get_mut(crosslink.shard.0 as usize) {
                *known = Some(crosslink.congestion);
            }
        }
    }

    /// Whether new transactions to `destination` are refused.
    pub(crate) fn refuses(&self, destination: ShardId) -> bool {
        self.of(destination).is_some_and(|congestion| congestion.level > REFUSING_LEVEL)
    }

    /// How many `Call`s `source` may release for `destination` in one block.
    pub(crate) fn allowance(&self, source: ShardId, destination: ShardId) -> usize {
        let Some(congestion) = self.of(destination) else { return MAX_BATCH_RECEIPTS };
        let room = FULL.saturating_sub(u64::from(congestion.level)) as usize;
        let proportional = MAX_BATCH_RECEIPTS * room / FULL as usize;
        if congestion.allowed == source { proportional.max(ALLOWED_RELEASE) } else { proportional }
    }

    fn of(&self, shard: ShardId) -> Option<&Congestion> {
        self.0.get(shard.0 as usize)?.as_ref()
    }
}

fn thousandths(used: u64, bound: u64) -> u16 {
    let level = (u128::from(used) * u128::from(FULL)).checked_div(u128::from(bound));
    level.map_or(FULL as u16, |level| level.min(u128::from(FULL)) as u16)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use cross_shard_msg::{CheckpointNumber, Crosslink, Duration, Epoch, Timestamp};

    use super::*;

    fn bounds() -> Bounds {
        Bounds {
            mempool: 10,
            nonce_window: 4,
            delayed_gas: Gas(1_000_000),
            buffered: 200,
            waiting_batches: 8,
            pending_headers: 64,
            mempool_time: Duration::from_secs(60),
        }
    }

    #[test]
    fn the_level_is_that_of_the_fullest_queue() {
        let table = [
            (0, 0, 0),
            (250_000, 0, 250),
            (250_000, 100, 500),
            (999_999, 0, 999),
            (5_000_000, 0, 1_000),
            (0, 500, 1_000),
        ];
        for (gas, buffered, expected) in table {
            assert_eq!(level(Gas(gas), buffered, &bounds()), expected, "{gas} {buffered}");
        }
    }

    #[test]
    fn every_other_shard_is_allowed_in_turn() {
        let turns = |shard| (0..6).map(move |h| allowed(ShardId(shard), Height(h), 4).0);
        assert_eq!(turns(0).collect::<Vec<_>>(), [1, 2, 3, 1, 2, 3]);
        assert_eq!(turns(2).collect::<Vec<_>>(), [0, 1, 3, 0, 1, 3]);
        assert_eq!(allowed(ShardId(0), Height(9), 1), ShardId(0), "alone");
    }

    #[test]
    fn the_allowance_falls_with_the_level() {
        let mut known = Known::new(3);
        let to = ShardId(1);
        assert_eq!(known.allowance(ShardId(0), to), MAX_BATCH_RECEIPTS, "nothing known yet");
        let table = [
            (0, MAX_BATCH_RECEIPTS, false),
            (250, MAX_BATCH_RECEIPTS * 3 / 4, false),
            (251, 12_271, true),
            (1_000, 0, true),
        ];
        for (level, expected, refuses) in table {
            let congestion = Congestion { level, allowed: ShardId(2), ..Congestion::default() };
            known.apply(&Checkpoint {
                number: CheckpointNumber(1),
                parent: B256::ZERO,
                timestamp: Timestamp::ZERO,
                epoch: Epoch::ZERO,
                crosslinks: vec![Crosslink {
                    shard: to,
                    first: Height(1),
                    headers: vec![B256::ZERO],
                    congestion,
                }],
                placements: Vec::new(),
            });
            assert_eq!(known.allowance(ShardId(0), to), expected, "{level}");
            assert_eq!(known.refuses(to), refuses, "{level}");
            assert_eq!(known.allowance(ShardId(2), to), expected.max(ALLOWED_RELEASE));
        }
    }
}

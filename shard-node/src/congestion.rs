//! Back-pressure between shards (rules R-CONG-1, R-CONG-2, R-POOL-8).
//!
//! A shard tells how full its queues are; sources send it less the fuller they are, and nothing but
//! what one source at a time may always send. That one goes round, so there is no deadlock.

use cross_shard_msg::receipt::MAX_BATCH_RECEIPTS;
use cross_shard_msg::settings::Bounds;
use cross_shard_msg::{Checkpoint, Congestion, Gas, Height, ShardId};
use serde::{Deserialize, Serialize};

/// A queue at its bound.
const FULL: u64 = 1_000;
/// Level above which new transactions to a shard are refused.
pub(crate) const REFUSING_LEVEL: u16 = 250;
/// The golden ratio's fraction, times 2⁶⁴, rounded to odd.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
/// `Call`s that the allowed source may release for a shard in one block, however full it is.
pub(crate) const ALLOWED_RELEASE: usize = 256;

/// How full the queues are: delayed and parked receipts by gas, parked ones also by number because
/// transfers have none, and the fullest buffer of outgoing receipts.
pub(crate) fn level(waiting_gas: Gas, parked: u64, fullest_buffer: usize, bounds: &Bounds) -> u16 {
    let waiting = thousandths(waiting_gas.0, bounds.delayed_gas.0);
    let longest = parked.max(fullest_buffer as u64);
    waiting.max(thousandths(longest, u64::from(bounds.buffered)))
}

/// The source that may always send to `shard` after its block at `height`: all others get turns.
///
/// Others hear of the heights that are crosslinked only. Those may be any fixed distance apart, so
/// counting modulo the number of others could name the same one for ever. Multiples of the golden
/// ratio, taken modulo 1, are spread evenly at any distance.
pub(crate) fn allowed(shard: ShardId, height: Height, shards: u32) -> ShardId {
    let Some(others) = shards.checked_sub(1).filter(|others| *others > 0) else { return shard };
    let fraction = height.0.wrapping_mul(GOLDEN_RATIO);
    let turn = ((u128::from(fraction) * u128::from(others)) >> 64) as u32;
    ShardId(if turn < shard.0 { turn } else { turn + 1 })
}

/// Congestion of all shards, as crosslinked last in the checkpoints that were applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
            (0, 0, 0, 0),
            (250_000, 0, 0, 250),
            (250_000, 0, 100, 500),
            (250_000, 100, 0, 500),
            (999_999, 0, 0, 999),
            (5_000_000, 0, 0, 1_000),
            (0, 0, 500, 1_000),
            (0, 500, 0, 1_000),
        ];
        for (gas, parked, buffered, expected) in table {
            let level = level(Gas(gas), parked, buffered, &bounds());
            assert_eq!(level, expected, "{gas} {parked} {buffered}");
        }
    }

    #[test]
    fn every_other_shard_is_allowed_whatever_heights_are_crosslinked() {
        for (shards, shard, distance) in
            (2..=16).flat_map(|n| (0..n).flat_map(move |s| (1..=64).map(move |d| (n, s, d))))
        {
            let mut turns = vec![0; shards as usize];
            for crosslink in 1..=1_000 {
                let allowed = allowed(ShardId(shard), Height(crosslink * distance), shards);
                turns[allowed.0 as usize] += 1;
            }
            assert_eq!(turns.remove(shard as usize), 0, "itself");
            let fair = 1_000 / (shards - 1);
            let least = turns.into_iter().min().unwrap();
            assert!(least >= fair / 2, "{least} of {fair}: {shards} shards, distance {distance}");
        }
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
                moves: Vec::new(),
            });
            assert_eq!(known.allowance(ShardId(0), to), expected, "{level}");
            assert_eq!(known.refuses(to), refuses, "{level}");
            assert_eq!(known.allowance(ShardId(2), to), expected.max(ALLOWED_RELEASE));
        }
    }
}

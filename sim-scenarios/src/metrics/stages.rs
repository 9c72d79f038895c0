//! The parts of cross-shard latency: what a receipt waited for, hop by hop.
//!
//! A hop begins when the block that caused the receipt was executed and ends when the block that
//! executed the receipt was. Five parts follow one another without a gap:
//!
//! - **release**: executed → the source's releasing block was durable and sent its header;
//! - **network**: sent → the batch arrived and is proven;
//! - **gate**: arrived → the gate let the batch through;
//! - **queue**: accepted → the executing block was started;
//! - **execution**: started → executed.
//!
//! For a call that caused further calls, the parts are summed along the chain of hops that ends
//! with the last executed call. Parts therefore always sum to the latency. A time that lies outside
//! of its neighbours (two threads took it) is moved to the nearest of them. What a contract sends
//! to its own shard does not travel: such a hop is queue and execution only.

use cross_shard_msg::{Duration, ShardId};

use super::Moment;
use super::blocks::{BlockRow, Blocks};
use super::legs::LegRow;
use super::observed::Observed;

/// A part of a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Executed at the source → header sent.
    Release,
    /// Sent → arrived.
    Network,
    /// Arrived → accepted.
    Gate,
    /// Accepted → block started.
    Queue,
    /// Started → executed.
    Execution,
}

impl Part {
    /// All, in order.
    pub const ALL: [Self; 5] =
        [Self::Release, Self::Network, Self::Gate, Self::Queue, Self::Execution];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Network => "network",
            Self::Gate => "gate",
            Self::Queue => "queue",
            Self::Execution => "execution",
        }
    }
}

/// How long each part took, in the order of [`Part::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages(pub [Duration; 5]);

impl Stages {
    /// One part.
    #[must_use]
    pub fn part(&self, part: Part) -> Duration {
        self.0[part as usize]
    }

    /// All parts together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.0.iter().fold(Duration::ZERO, |sum, part| sum + *part)
    }

    /// Splits the time between two executions at four points; each is moved between its
    /// neighbours.
    fn split(from: u64, points: [u64; 4], to: u64) -> Self {
        let to = to.max(from);
        let mut previous = from;
        let mut parts = [Duration::ZERO; 5];
        for (part, point) in parts.iter_mut().zip(points.into_iter().chain([to])) {
            let point = point.clamp(previous, to);
            *part = Duration(point - previous);
            previous = point;
        }
        Self(parts)
    }

    fn add(&mut self, other: Self) {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            *sum = *sum + part;
        }
    }
}

/// When a receipt passed each point of its way. A leg that did not travel knows only the last two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegTimes {
    /// The source sent it.
    pub released: Moment,
    /// It arrived and is proven.
    pub arrived: Moment,
    /// The gate let it through.
    pub accepted: Moment,
    /// The executing block was started.
    pub started: Moment,
    /// The executing block was executed.
    pub executed: Moment,
}

/// The times of one leg.
pub(super) fn times(leg: &LegRow, blocks: &Blocks<'_>, observed: &Observed) -> LegTimes {
    let executing = blocks.at(leg.block);
    let mut times = LegTimes {
        started: executing.started,
        executed: executing.executed,
        ..LegTimes::default()
    };
    let travelled = leg.origin.and_then(|origin| Some((origin.source, origin.released?)));
    if let Some((source, height)) = travelled {
        let batch = observed.batches.get(&(executing.shard(), source, height));
        let batch = batch.copied().unwrap_or_default();
        let releasing = blocks.find(source, height).map(|index| blocks.at(index));
        times.released = releasing.map_or(Moment::NONE, |row| row.released);
        times.arrived = batch.arrived;
        times.accepted = batch.accepted;
    }
    times
}

/// The parts of the time from the transaction's own leg to the leg at `last`, of `legs` in order of
/// execution. `None` when a time on the way is unknown.
pub(super) fn split(
    legs: &[LegRow],
    last: usize,
    blocks: &Blocks<'_>,
    observed: &Observed,
) -> Option<Stages> {
    let mut stages = Stages::default();
    let mut at = last;
    while let Some(origin) = legs.get(at)?.origin {
        let leg = legs.get(at)?;
        let parent = cause_of(legs, at, blocks)?;
        let from = blocks.at(legs.get(parent)?.block).executed.time()?;
        let times = times(leg, blocks, observed);
        let (started, to) = (times.started.time()?, times.executed.time()?);
        let points = if origin.released.is_some() {
            let accepted = times.accepted.time()?;
            [times.released.time()?.0, times.arrived.time()?.0, accepted.0, started.0]
        } else {
            [from.0, from.0, from.0, started.0]
        };
        stages.add(Stages::split(from.0, points, to.0));
        at = parent;
    }
    Some(stages)
}

/// The leg that caused the receipt of the leg at `at`: an earlier one on the receipt's source, in
/// the block that the receipt names if there is such a one (a forwarded receipt names another
/// shard's block).
fn cause_of(legs: &[LegRow], at: usize, blocks: &Blocks<'_>) -> Option<usize> {
    let origin = legs.get(at)?.origin?;
    let latest = origin.released.unwrap_or(blocks.at(legs.get(at)?.block).height());
    let earlier = legs.get(..at)?;
    let fits = |leg: &LegRow| {
        let row = blocks.at(leg.block);
        is_of(row, origin.source) && row.height() <= latest && leg.leg(blocks).caused > 0
    };
    let named = |leg: &&LegRow| Some(blocks.at(leg.block).height()) == origin.caused;
    earlier
        .iter()
        .rposition(|leg| fits(leg) && named(&leg))
        .or_else(|| earlier.iter().rposition(fits))
}

fn is_of(row: &BlockRow<'_>, shard: ShardId) -> bool {
    row.shard() == shard
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn points_outside_are_moved_to_their_neighbours() {
        for (points, parts) in [
            ([12, 15, 20, 25], [2, 3, 5, 5, 5]),
            ([5, 15, 11, 99], [0, 5, 0, 15, 0]),
            ([99, 0, 0, 0], [20, 0, 0, 0, 0]),
        ] {
            assert_eq!(Stages::split(10, points, 30), Stages(parts.map(Duration)), "{points:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole(from: u32, points: [u32; 4], to: u32) {
            let stages = Stages::split(from.into(), points.map(u64::from), to.into());
            prop_assert_eq!(stages.total().0, u64::from(to.saturating_sub(from)));
        }
    }
}

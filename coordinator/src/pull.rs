//! Asking for headers that are missing (rule R-CKPT-9).
//!
//! A header is missing when a later one of its shard is known, or when another shard's watermark
//! names it. It is asked for at the shard first, then in turn at the shards whose watermarks name
//! it, which keep it under gate `certified`. The pace slows down while nothing comes.

use cross_shard_msg::checkpoint::MAX_CROSSLINK_HEADERS;
use cross_shard_msg::{Height, Settings, ShardId};

use crate::headers::HeaderPool;

/// Slowest pace: one request in so many rounds.
const MAX_PAUSE: u32 = 16;

/// A request for headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Who is asked.
    pub provider: ShardId,
    /// Whose headers.
    pub shard: ShardId,
    /// First height.
    pub from: Height,
    /// Last height.
    pub to: Height,
}

/// What was asked for so far.
#[derive(Clone, Debug)]
pub struct Puller(Vec<Progress>);

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// First missing height, when something is.
    from: Option<Height>,
    /// Rounds since it has been missing.
    rounds: u32,
    /// Requests since then.
    requests: u32,
    /// Round of the next request.
    due: u32,
}

impl Puller {
    /// Nothing was asked for.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self(vec![Progress::default(); settings.shards.len()])
    }

    /// One round: what to ask for now. What has just become missing is given one round to arrive.
    pub fn round(&mut self, settings: &Settings, pool: &HeaderPool) -> Vec<Pull> {
        let named = named(settings, pool);
        let mut pulls = Vec::new();
        for (shard, progress) in settings.shard_ids().zip(&mut self.0) {
            let named = named.get(shard.0 as usize).map_or(&[][..], Vec::as_slice);
            let highest = named.iter().map(|(height, _)| *height).max().unwrap_or_default();
            let Some((from, to)) = pool.missing(shard, highest) else {
                *progress = Progress::default();
                continue;
            };
            if progress.from != Some(from) {
                *progress = Progress { from: Some(from), due: 1, ..Progress::default() };
                continue;
            }
            progress.rounds += 1;
            if progress.rounds < progress.due {
                continue;
            }
            let others: Vec<ShardId> =
                named.iter().filter(|(height, _)| *height >= from).map(|(_, by)| *by).collect();
            let turn = progress.requests as usize % (others.len() + 1);
            let provider = turn.checked_sub(1).and_then(|turn| others.get(turn)).copied();
            // Everybody is asked once before the pace slows down.
            let rounds = progress.requests / (others.len() as u32 + 1);
            progress.due = progress.rounds
                + 1_u32.checked_shl(rounds).map_or(MAX_PAUSE, |pause| pause.min(MAX_PAUSE));
            progress.requests += 1;
            let to = to.min(Height(from.0.saturating_add(MAX_CROSSLINK_HEADERS as u64 - 1)));
            pulls.push(Pull { provider: provider.unwrap_or(shard), shard, from, to });
        }
        pulls
    }
}

/// Per shard, the heights that other shards' newest watermarks name, and which shards these are.
fn named(settings: &Settings, pool: &HeaderPool) -> Vec<Vec<(Height, ShardId)>> {
    let mut named = vec![Vec::new(); settings.shards.len()];
    for by in settings.shard_ids() {
        for mark in pool.newest(by).iter().flat_map(|newest| &newest.watermarks) {
            if let Some(list) = named.get_mut(mark.source.0 as usize) {
                list.push((mark.height, by));
            }
        }
    }
    named
}

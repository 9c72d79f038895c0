//! The traffic that shards report, as far as it is final (rules R-EPOCH-2, R-EPOCH-3).
//!
//! A report counts when the header of its block is final and has its digest. It then takes its place
//! in the epoch's window: in the order of checkpoints, shards and heights, whenever it came, so that
//! coordinators that got the same reports know the same traffic. One that does not come before its
//! epoch ends is missing. Nothing of it is durable: a coordinator that starts again knows what comes
//! from then on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use alloy_primitives::map::HashSet;
use alloy_primitives::{Address, B256};
use cross_shard_msg::settings::Epochs;
use cross_shard_msg::{Access, DropReason, Height, Settings, ShardId, SignedHeader, TrafficReport};

use crate::state::CheckpointState;

/// Most accounts that all executions of all windows name together: about 200 MB. The oldest windows
/// make room for the current one; what finds none in it is missing.
pub const MAX_KEPT_TOUCHES: usize = 1 << 22;
/// Most blocks of all windows together.
pub const MAX_KEPT_BLOCKS: usize = 1 << 18;
/// Most accounts that the reports of blocks which are not final name, over all shards; each has an
/// equal part. The report of a shard's next block always fits.
pub const MAX_PENDING_TOUCHES: usize = 1 << 22;

/// Reports of the current epoch and of those before.
#[derive(Clone, Debug)]
pub struct Traffic {
    max_accesses: usize,
    /// How far above its tip reports of a shard are kept.
    ahead: u64,
    /// Past windows to keep.
    keep: usize,
    shards: Vec<Pending>,
    current: Window,
    past: VecDeque<Arc<Window>>,
}

/// Reports of one shard whose blocks are not final.
#[derive(Clone, Debug)]
struct Pending {
    tip: Height,
    reports: BTreeMap<Height, Arc<TrafficReport>>,
    touches: usize,
}

/// The traffic of one epoch.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// The final blocks that had traffic, in order.
    blocks: Vec<Block>,
    /// Where the blocks stand whose reports are not here yet.
    awaited: BTreeMap<(ShardId, Height), usize>,
    touches: usize,
    /// Blocks for which there was no room.
    lost: u32,
}

#[derive(Clone, Debug)]
struct Block {
    digest: B256,
    report: Option<Arc<TrafficReport>>,
}

/// How much traffic there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Distinct accounts.
    pub accounts: u32,
    /// Executions.
    pub accesses: u32,
    /// Accounts that the executions name, together.
    pub touches: u64,
    /// Reports that are missing.
    pub missing: u32,
}

impl Traffic {
    /// No traffic, above a checkpoint. `keep` past epochs are kept, at least one.
    #[must_use]
    pub fn new(settings: &Settings, epochs: &Epochs, keep: u32, tip: &CheckpointState) -> Self {
        let pending = |shard| Pending {
            tip: tip.previous(shard).map_or(Height::ZERO, |previous| previous.height),
            reports: BTreeMap::new(),
            touches: 0,
        };
        Self {
            max_accesses: epochs.max_accesses as usize,
            ahead: u64::from(settings.bounds.pending_headers),
            keep: keep.max(1) as usize,
            shards: settings.shard_ids().map(pending).collect(),
            current: Window::default(),
            past: VecDeque::new(),
        }
    }

    /// Takes a report that came from `from`.
    ///
    /// # Errors
    /// Why it is dropped.
    pub fn take(&mut self, from: ShardId, report: Arc<TrafficReport>) -> Result<(), DropReason> {
        if report.accesses.len() > self.max_accesses || !report.is_well_formed() {
            return Err(DropReason::TooMany);
        }
        if report.shard != from || (report.accesses.is_empty() && report.omitted == 0) {
            return Err(DropReason::Invalid);
        }
        let share = MAX_PENDING_TOUCHES / self.shards.len().max(1);
        let Some(pending) = self.shards.get_mut(from.0 as usize) else {
            return Err(DropReason::Invalid);
        };
        if report.height <= pending.tip {
            return self.fill(report);
        }
        if report.height.0 > pending.tip.0.saturating_add(self.ahead) {
            return Err(DropReason::TooFarAhead);
        }
        if pending.reports.contains_key(&report.height) {
            return Err(DropReason::Duplicate);
        }
        let touches = touches(&report);
        if pending.touches + touches > share && report.height != pending.tip.next() {
            return Err(DropReason::QueueFull);
        }
        pending.touches += touches;
        pending.reports.insert(report.height, report);
        Ok(())
    }

    /// Moves up over the headers of a final checkpoint.
    pub fn advance(&mut self, headers: &[SignedHeader]) {
        for header in headers {
            let Some(pending) = self.shards.get_mut(header.shard.0 as usize) else { continue };
            pending.tip = header.height;
            let report = pending.reports.remove(&header.height);
            pending.touches -= report.as_deref().map_or(0, touches);
            if !header.traffic.is_zero() {
                let report = report.filter(|report| report.digest() == header.traffic);
                self.push(header, report);
            }
        }
    }

    /// Ends the epoch: what is missing of its traffic stays so.
    pub fn close(&mut self) {
        let mut ended = std::mem::take(&mut self.current);
        ended.lost = ended.lost.saturating_add(count(ended.awaited.len()));
        ended.awaited.clear();
        self.past.push_back(Arc::new(ended));
        while self.past.len() > self.keep {
            self.past.pop_front();
        }
    }

    /// The traffic of past epochs, oldest first.
    pub fn past(&self) -> impl Iterator<Item = &Arc<Window>> {
        self.past.iter()
    }

    /// How much traffic past epochs had.
    #[must_use]
    pub fn extent(&self) -> Extent {
        // Counted only.
        let mut accounts: HashSet<Address> = HashSet::default();
        let mut extent = Extent::default();
        for window in &self.past {
            extent.missing = extent.missing.saturating_add(window.lost);
            extent.touches += window.touches as u64;
            for (_, access) in window.accesses() {
                extent.accesses = extent.accesses.saturating_add(1);
                accounts.extend(access.accounts.iter().copied());
            }
        }
        extent.accounts = count(accounts.len());
        extent
    }

    /// Takes a report of a block that is final already.
    fn fill(&mut self, report: Arc<TrafficReport>) -> Result<(), DropReason> {
        let place = (report.shard, report.height);
        let Some(at) = self.current.awaited.get(&place).copied() else {
            return Err(DropReason::Duplicate);
        };
        let block = self.current.blocks.get(at);
        if block.is_none_or(|block| block.digest != report.digest()) {
            return Err(DropReason::Invalid);
        }
        let touches = touches(&report);
        if !self.make_room(touches) {
            return Err(DropReason::QueueFull);
        }
        self.current.touches += touches;
        self.current.awaited.remove(&place);
        if let Some(block) = self.current.blocks.get_mut(at) {
            block.report = Some(report);
        }
        Ok(())
    }

    fn push(&mut self, header: &SignedHeader, report: Option<Arc<TrafficReport>>) {
        let touches = report.as_deref().map_or(0, touches);
        if !self.make_room(touches) {
            self.current.lost = self.current.lost.saturating_add(1);
            return;
        }
        let window = &mut self.current;
        if report.is_none() {
            window.awaited.insert((header.shard, header.height), window.blocks.len());
        }
        window.touches += touches;
        window.blocks.push(Block { digest: header.traffic, report });
    }

    /// Makes room for a report in the current window; false if past windows do not suffice for it.
    fn make_room(&mut self, touches: usize) -> bool {
        loop {
            let windows = || self.past.iter().map(Arc::as_ref).chain([&self.current]);
            let kept: usize = windows().map(|window| window.touches).sum();
            let blocks: usize = windows().map(|window| window.blocks.len()).sum();
            if kept + touches <= MAX_KEPT_TOUCHES && blocks < MAX_KEPT_BLOCKS {
                return true;
            }
            if self.past.pop_front().is_none() {
                return false;
            }
        }
    }
}

impl Window {
    /// Its executions in order, each with the shard that reported it.
    pub fn accesses(&self) -> impl Iterator<Item = (ShardId, &Access)> {
        let reports = self.blocks.iter().filter_map(|block| block.report.as_deref());
        reports.flat_map(|report| report.accesses.iter().map(|access| (report.shard, access)))
    }
}

fn touches(report: &TrafficReport) -> usize {
    report.accesses.iter().map(|access| access.accounts.len()).sum()
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

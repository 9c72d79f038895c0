//! Epochs and accounts that moved (rules R-EPOCH-1 to R-EPOCH-9): what the strategy was asked and
//! answered, what each move took, and what it did to latency and to the cross-shard ratio.
//!
//! A move is what a finalized checkpoint says. It is joined with what its old and its new home observed
//! of the account. Where an account moves again on its way, the first move brings it to its newest
//! home, and the second one has no times.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use cross_shard_msg::{
    AccountKey, Checkpoint, CheckpointNumber, Duration, Epoch, Event, LegStatus, NodeId, Refusal,
    ShardId, Timestamp,
};

use super::input::RunData;
use super::joined::Joined;
use super::lifecycle::{Class, Lifecycle};
use super::shards::is_recorded;
use super::{Distribution, Moment};
use crate::scenario::{MigrationCount, Outcome};

/// What is said of epochs and migrations; only where accounts may move.
#[derive(Clone, Debug, Default)]
pub struct MigrationResults {
    /// What the strategy is called.
    pub strategy: String,
    /// Epochs that ended with a finalized checkpoint, summed over networks.
    pub ended: u64,
    /// Epochs about which at least one coordinator asked the strategy.
    pub asked: u64,
    /// Epochs about which at least one got an answer.
    pub answered: u64,
    /// Epochs about which at least one got none, ascending.
    pub failed: Vec<Epoch>,
    /// Epochs about which an answer with moves came, none of which a checkpoint decided although the
    /// next epoch has ended: it was too late. Ascending.
    pub late: Vec<Epoch>,
    /// Moves that finalized checkpoints decided.
    pub moves: u64,
    /// Accounts that left their old home.
    pub left: u64,
    /// Accounts that are live at a new home; one that moved twice counts twice.
    pub arrived: u64,
    /// Receipts that carried them.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Slots of storage that moved.
    pub slots: u64,
    /// Left → arrived.
    pub stalled: Distribution,
    /// Receipts that waited for an account on its way.
    pub parked: u64,
    /// Receipts that were sent on because their account lived elsewhere.
    pub forwarded: u64,
    /// Answers of shards that the sender lives elsewhere.
    pub refused_moved: u64,
    /// Answers of shards that the sender is on its way.
    pub refused_in_flight: u64,
    /// Transactions that got one of these answers.
    pub rerouted: u64,
    /// Cross-shard ratio of what was scheduled before the first account left.
    pub ratio_before: Option<f64>,
    /// The same after the last account arrived, of the last migration after which anything was due.
    pub ratio_after: Option<f64>,
    /// Epochs at whose end accounts moved, by network and checkpoint.
    pub epochs: Vec<EpochRow>,
    /// Every move, by network, checkpoint and account.
    pub rows: Vec<MoveRow>,
}

/// One account's move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoveRow {
    /// The number of the network's block (`mainnet-blocks`), else 0.
    pub network: u64,
    /// The account.
    pub account: Address,
    /// The checkpoint that decided.
    pub checkpoint: CheckpointNumber,
    /// Its old home.
    pub from: ShardId,
    /// Its new one.
    pub to: ShardId,
    /// When the checkpoint was final.
    pub decided: Moment,
    /// When the old home sent it off.
    pub left: Moment,
    /// When all of it had arrived; at a later home, if it moved again on its way.
    pub arrived: Moment,
    /// Receipts that carried it.
    pub parts: u32,
    /// Slots of its storage.
    pub slots: u64,
    /// Bytes of all parts.
    pub bytes: u64,
    /// Receipts that waited for it.
    pub parked: u32,
}

impl MoveRow {
    /// For how long it was nowhere.
    #[must_use]
    pub fn stalled(&self) -> Option<Duration> {
        self.arrived.since(self.left)
    }
}

/// An epoch at whose end accounts moved.
#[derive(Clone, Debug, Default)]
pub struct EpochRow {
    /// The number of the network's block (`mainnet-blocks`), else 0.
    pub network: u64,
    /// The epoch that ended.
    pub epoch: Epoch,
    /// The checkpoint that moves accounts.
    pub checkpoint: CheckpointNumber,
    /// When it was final.
    pub decided: Moment,
    /// Moves in it.
    pub moves: u64,
    /// Accounts that left.
    pub left: u64,
    /// Those of them that arrived.
    pub arrived: u64,
    /// Receipts that carried them.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their slots.
    pub slots: u64,
    /// Receipts that waited for them.
    pub parked: u64,
    /// When the first one left.
    pub began: Moment,
    /// When the last one arrived.
    pub over: Moment,
    /// Left → arrived.
    pub stalled: Distribution,
    /// What was scheduled since the migration before, or since the start.
    pub before: Window,
    /// What was scheduled while accounts were on their way.
    pub during: Window,
    /// What was scheduled after, until the next migration.
    pub after: Window,
}

/// What was scheduled between two moments, in recorded phases.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// Executed at their source: intra-shard.
    pub intra: u64,
    /// Executed at their source: cross-shard.
    pub cross: u64,
    /// Submitted → executed at the source.
    pub inclusion: Distribution,
    /// Executed at the source → last call executed.
    pub cross_shard: Distribution,
    /// Scheduled → settled.
    pub settlement: Distribution,
}

impl Window {
    /// Cross-shard ones among those that were executed; `None` without any.
    #[must_use]
    pub fn cross_shard_ratio(&self) -> Option<f64> {
        ratio(self.intra, self.cross)
    }

    fn add(&mut self, life: &Lifecycle) {
        match life.class {
            None => return,
            Some(Class::Intra) => self.intra += 1,
            Some(Class::Cross) => self.cross += 1,
        }
        let record = |distribution: &mut Distribution, time: Option<Duration>| {
            time.into_iter().for_each(|time| distribution.record(time));
        };
        record(&mut self.inclusion, life.inclusion());
        record(&mut self.cross_shard, life.cross_shard());
        if life.outcome == Outcome::Settled {
            record(&mut self.settlement, life.settlement());
        }
    }
}

fn ratio(intra: u64, cross: u64) -> Option<f64> {
    (intra + cross > 0).then(|| cross as f64 / (intra + cross) as f64)
}

/// `None` where no account may move.
pub(super) fn results(run: &RunData, networks: &[Joined<'_>]) -> Option<MigrationResults> {
    let partitioning = run.scenario.partitioning.as_ref()?;
    let mut results =
        MigrationResults { strategy: partitioning.strategy.label(), ..Default::default() };
    let (mut failed, mut late) = (BTreeSet::new(), BTreeSet::new());
    let (mut before, mut after) = ((0, 0), (0, 0));
    for network in networks {
        let seen = Seen::of(network);
        results.asked += seen.asked.len() as u64;
        results.answered += seen.answered.len() as u64;
        // Several coordinators may ask; one answer is enough.
        failed.extend(seen.failed.iter().filter(|epoch| !seen.answered.contains_key(epoch)));
        let epochs = partitioning.epochs();
        let last = |number: &CheckpointNumber| epochs.is_last(*number);
        let finalized = network.checkpoints.iter().map(|row| row.number);
        results.ended += finalized.filter(last).count() as u64;
        let rows = rows(network, &seen);
        let mut table = epoch_rows(&epochs, &rows);
        let newest = network.checkpoints.last().map(|row| epochs.of(row.number.next()));
        late.extend(seen.answered.iter().filter_map(|(epoch, moves)| {
            let is_over = newest.is_some_and(|newest| newest > epoch.next());
            let decided = table.iter().any(|row| row.epoch == *epoch);
            (*moves > 0 && is_over && !decided).then_some(*epoch)
        }));
        fill_windows(run, network, &mut table);
        // Accounts may move on when the load is over.
        let last =
            table.iter().map(|row| &row.after).rfind(|after| after.cross_shard_ratio().is_some());
        let first = table.first().map(|row| &row.before);
        for (sum, window) in [(&mut before, first), (&mut after, last)] {
            let Some(window) = window else { continue };
            *sum = (sum.0 + window.intra, sum.1 + window.cross);
        }
        results.add_rows(&rows);
        results.rows.extend(rows);
        results.epochs.extend(table);
        let legs = network.blocks.rows().iter().flat_map(|row| &row.block.legs);
        results.forwarded += legs.filter(|leg| leg.status == LegStatus::Forwarded).count() as u64;
        let refusals = network.refusals();
        let refused = |refusal| refusals.get(&refusal).copied().unwrap_or(0);
        results.refused_moved += refused(Refusal::Moved);
        results.refused_in_flight += refused(Refusal::InFlight);
        results.rerouted += network.rerouted();
    }
    results.failed = failed.into_iter().collect();
    results.late = late.into_iter().collect();
    results.ratio_before = ratio(before.0, before.1);
    results.ratio_after = ratio(after.0, after.1);
    Some(results)
}

impl MigrationResults {
    /// Accounts that left and did not arrive before the run ended.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        self.rows.iter().filter(|row| row.left.is_known() && !row.arrived.is_known()).count() as u64
    }

    /// A count that a threshold asks for.
    #[must_use]
    pub fn count(&self, what: MigrationCount) -> u64 {
        match what {
            MigrationCount::Accounts => self.arrived,
            MigrationCount::Moves => self.moves,
            MigrationCount::Unfinished => self.unfinished(),
            MigrationCount::Slots => self.slots,
            MigrationCount::Bytes => self.bytes,
            MigrationCount::Parked => self.parked,
            MigrationCount::Forwarded => self.forwarded,
            MigrationCount::Asked => self.asked,
            MigrationCount::Failed => self.failed.len() as u64,
        }
    }

    fn add_rows(&mut self, rows: &[MoveRow]) {
        for row in rows {
            self.moves += 1;
            self.left += u64::from(row.left.is_known());
            self.arrived += u64::from(row.arrived.is_known());
            self.parts += u64::from(row.parts);
            self.bytes += row.bytes;
            self.slots += row.slots;
            self.parked += u64::from(row.parked);
            row.stalled().into_iter().for_each(|time| self.stalled.record(time));
        }
    }
}

type MoveKey = (AccountKey, CheckpointNumber);

/// What nodes observed.
#[derive(Default)]
struct Seen {
    asked: BTreeSet<Epoch>,
    /// With the most moves that anybody was answered.
    answered: BTreeMap<Epoch, u32>,
    failed: BTreeSet<Epoch>,
    left: BTreeMap<MoveKey, Left>,
    arrived: BTreeMap<MoveKey, (Timestamp, u32)>,
}

struct Left {
    at: Timestamp,
    parts: u32,
    slots: u64,
    bytes: u64,
}

impl Seen {
    fn of(network: &Joined<'_>) -> Self {
        let mut seen = Self::default();
        for (node, observations) in &network.data.observations {
            for observation in observations {
                seen.take(*node, observation.at, observation.event);
            }
        }
        seen
    }

    /// A node that was restarted may observe the same again: the first time counts.
    fn take(&mut self, node: NodeId, at: Timestamp, event: Event) {
        match (event, node) {
            (Event::PartitionerAsked { epoch, .. }, _) => self.asked.extend([epoch]),
            (Event::PartitionerAnswered { epoch, moves }, _) => {
                let most = self.answered.entry(epoch).or_default();
                *most = moves.max(*most);
            }
            (Event::PartitionerFailed { epoch }, _) => self.failed.extend([epoch]),
            (Event::AccountLeft { account, checkpoint, parts, slots, bytes }, NodeId::Shard(_)) => {
                let left = Left { at, parts, slots, bytes };
                let first = self.left.entry((account, checkpoint)).or_insert(left);
                first.at = first.at.min(at);
            }
            (Event::AccountArrived { account, checkpoint, parked }, NodeId::Shard(_)) => {
                let first = self.arrived.entry((account, checkpoint)).or_insert((at, parked));
                first.0 = first.0.min(at);
            }
            _ => {}
        }
    }
}

/// Every move of finalized checkpoints.
fn rows(network: &Joined<'_>, seen: &Seen) -> Vec<MoveRow> {
    let all = network.data.records.checkpoints.values().flatten();
    let by_number: BTreeMap<CheckpointNumber, &Checkpoint> =
        all.map(|finalized| (finalized.checkpoint.number, &*finalized.checkpoint)).collect();
    let decided: BTreeMap<CheckpointNumber, Moment> =
        network.checkpoints.iter().map(|row| (row.number, row.finalized)).collect();
    let moves = by_number
        .into_iter()
        .flat_map(|(number, checkpoint)| checkpoint.moves.iter().map(move |moved| (number, moved)));
    let row = |(checkpoint, moved): (CheckpointNumber, &cross_shard_msg::Move)| {
        let key = (AccountKey::of(&moved.account), checkpoint);
        let (left, arrived) = (seen.left.get(&key), seen.arrived.get(&key));
        MoveRow {
            network: network.data.label,
            account: moved.account,
            checkpoint,
            from: moved.from,
            to: moved.to,
            decided: decided.get(&checkpoint).copied().unwrap_or(Moment::NONE),
            left: left.map_or(Moment::NONE, |left| Moment::at(left.at)),
            arrived: arrived.map_or(Moment::NONE, |(at, _)| Moment::at(*at)),
            parts: left.map_or(0, |left| left.parts),
            slots: left.map_or(0, |left| left.slots),
            bytes: left.map_or(0, |left| left.bytes),
            parked: arrived.map_or(0, |(_, parked)| *parked),
        }
    };
    moves.map(row).collect()
}

/// One row for each checkpoint with moves.
fn epoch_rows(epochs: &cross_shard_msg::settings::Epochs, rows: &[MoveRow]) -> Vec<EpochRow> {
    let mut table: Vec<EpochRow> = Vec::new();
    for row in rows {
        if table.last().is_none_or(|last| last.checkpoint != row.checkpoint) {
            table.push(EpochRow {
                network: row.network,
                epoch: epochs.of(row.checkpoint).previous().unwrap_or_default(),
                checkpoint: row.checkpoint,
                decided: row.decided,
                ..EpochRow::default()
            });
        }
        let Some(epoch) = table.last_mut() else { continue };
        epoch.moves += 1;
        epoch.left += u64::from(row.left.is_known());
        epoch.arrived += u64::from(row.arrived.is_known());
        epoch.parts += u64::from(row.parts);
        epoch.bytes += row.bytes;
        epoch.slots += row.slots;
        epoch.parked += u64::from(row.parked);
        if let Some(at) = row.left.time() {
            epoch.began.or_earlier(at);
        }
        if let Some(at) = row.arrived.time() {
            epoch.over = Moment::at(epoch.over.time().map_or(at, |latest| latest.max(at)));
        }
        row.stalled().into_iter().for_each(|time| epoch.stalled.record(time));
    }
    table
}

/// Sorts what was scheduled in recorded phases into the windows of each migration. What lies between
/// two migrations is after the one and before the other.
fn fill_windows(run: &RunData, network: &Joined<'_>, table: &mut [EpochRow]) {
    // An epoch of which nothing was observed has no place in time.
    let bands: Vec<(usize, Timestamp, Timestamp)> = table
        .iter()
        .enumerate()
        .filter_map(|(at, row)| Some((at, row.began.time()?, row.over.time()?)))
        .collect();
    for (info, life) in network.transactions() {
        if info.setup || !is_recorded(&run.scenario, info.phase) {
            continue;
        }
        let at = life.scheduled;
        let next = bands.partition_point(|(_, began, _)| *began <= at);
        let (last, next) = (next.checked_sub(1).and_then(|it| bands.get(it)), bands.get(next));
        if let Some((index, _, over)) = last {
            let row = &mut table[*index];
            if at <= *over {
                row.during.add(life);
                continue;
            }
            row.after.add(life);
        }
        if let Some((index, ..)) = next {
            table[*index].before.add(life);
        }
    }
}

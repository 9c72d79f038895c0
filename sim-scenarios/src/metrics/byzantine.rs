//! What Byzantine nodes did, and what the others made of it: proof of it, shards that were left out,
//! and shards that stand still because they consumed what the committee did not take.
//!
//! A shard stands still when a block of it names a header of another shard that is not on that
//! shard's crosslinked chain and never will be: the committee took another one of that height, or
//! leaves the source out below it, or the source stands still itself (R-CKPT-4).

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use coordinator::{Proof, Rule};
use cross_shard_msg::{Event, Height, NodeId, ShardId, Timestamp, ValidatorIndex};
use simulation::checkers::Records;

use super::input::{NetworkData, RunData};

/// Everything about Byzantine nodes, over all networks of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByzantineResults {
    /// Proof that nodes are faulty.
    pub evidence: Vec<EvidenceRow>,
    /// Shards of which the committee took no more from a header on.
    pub left_out: Vec<LeftOutRow>,
    /// Byzantine shards of which the committee finalized headers that their own blocks do not give.
    pub false_headers: Vec<FalseHeadersRow>,
    /// Honest shards that stand still.
    pub stalled: Vec<StalledRow>,
}

/// What the committee finalized of a shard, but the shard did not execute: nobody but who executes
/// its blocks again can see that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FalseHeadersRow {
    /// The shard.
    pub shard: ShardId,
    /// How many of its finalized headers are not those of its blocks.
    pub count: u64,
    /// The lowest one.
    pub height: Height,
}

/// Proof against one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRow {
    /// Who is faulty.
    pub accused: NodeId,
    /// `votes`, `headers` or `broken_header`.
    pub kind: &'static str,
    /// How many different views or heights are proven.
    pub count: u64,
    /// The first view or height.
    pub first: u64,
    /// Who keeps some of it.
    pub kept_by: BTreeSet<ValidatorIndex>,
    /// Whether every piece proves what it says to somebody who knows the settings alone.
    pub verified: bool,
}

/// A shard that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftOutRow {
    /// The shard.
    pub shard: ShardId,
    /// The rule that its header breaks, as docs/protocol.md names it.
    pub rule: &'static str,
    /// The lowest such header.
    pub height: Height,
    /// When a leader saw it first.
    pub since: Timestamp,
}

/// An honest shard that stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalledRow {
    /// The shard.
    pub shard: ShardId,
    /// Its first block that the committee can never take.
    pub height: Height,
    /// When it made that block.
    pub since: Timestamp,
    /// Whose header that block names.
    pub source: ShardId,
    /// The height of that header.
    pub source_height: Height,
    /// Why the committee does not have it.
    pub because: Because,
}

/// Why a header that was consumed is on no crosslinked chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// The committee took another header of that height.
    Fork,
    /// The source is left out.
    LeftOut,
    /// The source stands still itself.
    Stalled,
}

impl Because {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::LeftOut => "left_out",
            Self::Stalled => "stalled",
        }
    }
}

/// `None` when no node is Byzantine, and none was found to be.
pub(super) fn results(run: &RunData) -> Option<ByzantineResults> {
    let mut all = ByzantineResults::default();
    for network in &run.networks {
        let left_out = left_out(network);
        all.evidence.extend(evidence(&network.records));
        all.false_headers.extend(false_headers(&network.records, &dishonest(run)));
        all.stalled.extend(stalled(&network.records, &dishonest(run), &left_out));
        all.left_out.extend(left_out);
    }
    let found = all != ByzantineResults::default();
    (found || !run.scenario.byzantine.is_empty()).then_some(all)
}

/// Shards that the scenario makes Byzantine.
pub(super) fn dishonest(run: &RunData) -> BTreeSet<ShardId> {
    let shard = |node| match node {
        NodeId::Shard(shard) => Some(shard),
        NodeId::Coordinator(_) | NodeId::Client => None,
    };
    run.scenario.byzantine.iter().filter_map(|one| shard(one.target)).collect()
}

fn evidence(records: &Records) -> Vec<EvidenceRow> {
    let mut rows: BTreeMap<(NodeId, &str), (EvidenceRow, BTreeSet<u64>)> = BTreeMap::new();
    let kept = records.evidence.iter().flat_map(|(by, all)| all.iter().map(|one| (*by, one)));
    for (by, proof) in kept {
        let (accused, kind): (NodeId, &'static str) = (proof.accused(), Proof::name(proof));
        let (row, places) = rows.entry((accused, kind)).or_insert_with(|| {
            let kept_by = BTreeSet::new();
            let row = EvidenceRow { accused, kind, count: 0, first: 0, kept_by, verified: true };
            (row, BTreeSet::new())
        });
        row.verified &= proof.verify(&records.settings);
        row.kept_by.insert(by);
        places.insert(proof.place());
    }
    let rows = rows.into_values().map(|(row, places)| EvidenceRow {
        count: places.len() as u64,
        first: places.first().copied().unwrap_or_default(),
        ..row
    });
    rows.collect()
}

fn left_out(network: &NetworkData) -> Vec<LeftOutRow> {
    let mut rows: BTreeMap<(ShardId, u8), LeftOutRow> = BTreeMap::new();
    for observation in network.observations.values().flatten() {
        let Event::LeftOut { shard, height, rule: code } = observation.event else { continue };
        let rule = Rule::from_code(code).map_or("unknown", Rule::name);
        let row = LeftOutRow { shard, rule, height, since: observation.at };
        let known = rows.entry((shard, code)).or_insert(row);
        known.height = known.height.min(height);
        known.since = known.since.min(observation.at);
    }
    rows.into_values().collect()
}

/// The chain of each shard as the committee took it.
type Chains = BTreeMap<ShardId, BTreeMap<Height, B256>>;

fn stalled(
    records: &Records,
    dishonest: &BTreeSet<ShardId>,
    left_out: &[LeftOutRow],
) -> Vec<StalledRow> {
    let chains = crosslinked(records);
    let tip = |shard: ShardId| {
        let last = chains.get(&shard).and_then(|chain| chain.last_key_value());
        last.map_or(Height::ZERO, |(height, _)| *height)
    };
    // From which header on a shard is taken no more, and why.
    let mut ends: BTreeMap<ShardId, (Height, Because)> = BTreeMap::new();
    for row in left_out.iter().filter(|row| row.height > tip(row.shard)) {
        let end = ends.entry(row.shard).or_insert((row.height, Because::LeftOut));
        end.0 = end.0.min(row.height);
    }
    let mut rows: BTreeMap<ShardId, StalledRow> = BTreeMap::new();
    loop {
        let before = rows.len();
        for (shard, blocks) in &records.blocks {
            if dishonest.contains(shard) || rows.contains_key(shard) {
                continue;
            }
            let open = blocks.partition_point(|block| block.header.height <= tip(*shard));
            let row = blocks[open..].iter().find_map(|block| {
                let header = &block.header;
                header.watermarks.iter().find_map(|mark| {
                    let taken = chains.get(&mark.source).and_then(|chain| chain.get(&mark.height));
                    let because = match (taken, ends.get(&mark.source)) {
                        (Some(hash), _) if *hash != mark.header => Because::Fork,
                        (None, Some((end, because))) if mark.height >= *end => *because,
                        _ => return None,
                    };
                    Some(StalledRow {
                        shard: *shard,
                        height: header.height,
                        since: header.timestamp,
                        source: mark.source,
                        source_height: mark.height,
                        because,
                    })
                })
            });
            if let Some(row) = row {
                rows.insert(*shard, row);
                ends.insert(*shard, (row.height, Because::Stalled));
            }
        }
        if rows.len() == before {
            return rows.into_values().collect();
        }
    }
}

fn false_headers(records: &Records, dishonest: &BTreeSet<ShardId>) -> Vec<FalseHeadersRow> {
    let chains = crosslinked(records);
    let rows = dishonest.iter().filter_map(|shard| {
        let blocks = records.blocks.get(shard).into_iter().flatten();
        let executed: BTreeMap<Height, B256> =
            blocks.map(|block| (block.header.height, block.header.hash())).collect();
        let chain = chains.get(shard).into_iter().flatten();
        let mut wrong = chain.filter(|(height, hash)| executed.get(height) != Some(hash));
        let (height, _) = wrong.next()?;
        Some(FalseHeadersRow { shard: *shard, count: 1 + wrong.count() as u64, height: *height })
    });
    rows.collect()
}

fn crosslinked(records: &Records) -> Chains {
    let mut chains = Chains::new();
    for finalized in records.checkpoints.values().flatten() {
        for link in &finalized.checkpoint.crosslinks {
            let chain = chains.entry(link.shard).or_default();
            chain.extend((link.first.0..).map(Height).zip(link.headers.iter().copied()));
        }
    }
    chains
}

//! The report's part on Byzantine nodes: in `summary.json`, and as lines on the terminal.

use cross_shard_msg::Timestamp;
use serde::Serialize;

use super::number::milliseconds;
use crate::metrics::Measured;
use crate::metrics::byzantine::{
    ByzantineResults, EvidenceRow, FalseHeadersRow, LeftOutRow, StalledRow,
};
use crate::scenario::{Byzantine, print_duration};

/// `byzantine` of `summary.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ByzantineSummary {
    nodes: Vec<Node>,
    evidence: Vec<Evidence>,
    left_out: Vec<LeftOut>,
    false_headers: Vec<FalseHeaders>,
    stalled: Vec<Stalled>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Node {
    target: String,
    behaviour: &'static str,
    from_ms: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Evidence {
    accused: String,
    kind: &'static str,
    count: u64,
    first: u64,
    kept_by: Vec<u32>,
    verified: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct LeftOut {
    shard: u32,
    rule: &'static str,
    height: u64,
    since_ms: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct FalseHeaders {
    shard: u32,
    count: u64,
    height: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Stalled {
    shard: u32,
    height: u64,
    since_ms: f64,
    source: u32,
    source_height: u64,
    because: &'static str,
}

impl ByzantineSummary {
    pub(super) fn of(measured: &Measured<'_>) -> Option<Self> {
        let results = measured.results.byzantine.as_ref()?;
        let node = |one: &Byzantine| Node {
            target: one.target.to_string(),
            behaviour: one.behaviour.name(),
            from_ms: milliseconds(one.from),
        };
        Some(Self {
            nodes: measured.run.scenario.byzantine.iter().map(node).collect(),
            evidence: results.evidence.iter().map(Evidence::of).collect(),
            left_out: results.left_out.iter().map(LeftOut::of).collect(),
            false_headers: results.false_headers.iter().map(FalseHeaders::of).collect(),
            stalled: results.stalled.iter().map(Stalled::of).collect(),
        })
    }
}

impl Evidence {
    fn of(row: &EvidenceRow) -> Self {
        Self {
            accused: row.accused.to_string(),
            kind: row.kind,
            count: row.count,
            first: row.first,
            kept_by: row.kept_by.iter().map(|index| index.0).collect(),
            verified: row.verified,
        }
    }
}

impl LeftOut {
    fn of(row: &LeftOutRow) -> Self {
        let LeftOutRow { shard, rule, height, since } = *row;
        Self { shard: shard.0, rule, height: height.0, since_ms: since_start(since) }
    }
}

impl FalseHeaders {
    fn of(row: &FalseHeadersRow) -> Self {
        let FalseHeadersRow { shard, count, height } = *row;
        Self { shard: shard.0, count, height: height.0 }
    }
}

impl Stalled {
    fn of(row: &StalledRow) -> Self {
        Self {
            shard: row.shard.0,
            height: row.height.0,
            since_ms: since_start(row.since),
            source: row.source.0,
            source_height: row.source_height.0,
            because: row.because.name(),
        }
    }
}

/// One line for each thing, none without Byzantine nodes.
pub(super) fn lines(measured: &Measured<'_>) -> Vec<String> {
    let Some(results) = &measured.results.byzantine else { return Vec::new() };
    let ByzantineResults { evidence, left_out, false_headers, stalled } = results;
    let nodes = measured.run.scenario.byzantine.iter();
    let mut lines: Vec<String> =
        nodes.map(|one| format!("byzantine: {} {}", one.target, one.behaviour)).collect();
    lines.extend(evidence.iter().map(|row| {
        let what = match row.kind {
            "votes" => "contradicting votes in view",
            "headers" => "two headers of height",
            _ => "a header that breaks a rule at height",
        };
        let more = match row.count {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let verified = if row.verified { "verified" } else { "NOT VERIFIED" };
        let kept = row.kept_by.len();
        format!(
            "evidence against {}: {what} {}{more}; kept by {kept} of the committee, {verified}",
            row.accused, row.first
        )
    }));
    lines.extend(left_out.iter().map(|row| {
        format!(
            "shard:{} left out from height {} on since {}: {} is broken",
            row.shard,
            row.height,
            time(row.since),
            row.rule
        )
    }));
    lines.extend(false_headers.iter().map(|row| {
        format!(
            "shard:{} shows the committee other blocks than it keeps: {} finalized headers, from height \
             {} on, are not those of its blocks, executed again; transactions in them count as not \
             finalized",
            row.shard, row.count, row.height
        )
    }));
    lines.extend(stalled.iter().map(|row| {
        let because = match row.because.name() {
            "fork" => "of which the committee took another one",
            "left_out" => "which is left out",
            _ => "which stands still itself",
        };
        format!(
            "shard:{} stands still at height {} since {}: it consumed block {} of shard:{}, {because}",
            row.shard,
            row.height,
            time(row.since),
            row.source_height,
            row.source
        )
    }));
    lines
}

fn since_start(at: Timestamp) -> f64 {
    milliseconds(at.since(Timestamp::ZERO))
}

fn time(at: Timestamp) -> String {
    let whole = cross_shard_msg::Duration::from_millis(at.since(Timestamp::ZERO).as_millis());
    print_duration(whole)
}

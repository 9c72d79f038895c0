//! The largest closed cut above a checkpoint (rule R-CKPT-5).
//!
//! Each shard brings a chain of headers. It ends before the first one that breaks a rule of its
//! own. Then shards are lowered until every watermark names a header that is taken. Closed cuts are
//! closed under taking the longer chain of each shard, so there is a largest one, and lowering from
//! above ends there in whatever order.

use cross_shard_msg::checkpoint::MAX_CROSSLINK_HEADERS;
use cross_shard_msg::{CheckpointNumber, Header, Settings, ShardId, SignedHeader};

use crate::headers::HeaderPool;
use crate::rules::{Need, Rule, Violation, check_header, new_watermarks, watermark_need};
use crate::state::{CheckpointState, Previous};

/// Most headers that one proposal takes in, over all shards.
pub const MAX_PROPOSAL_HEADERS: usize = 16_384;
/// Most bytes that the headers of one proposal take when encoded, by [`cost`]. Leaves a quarter of the largest
/// message to the checkpoint itself and to the agreement.
pub const MAX_PROPOSAL_BYTES: usize = 12 << 20;
/// Largest header in bytes, certificate included: room for a thousand shards and all placements
/// that fit into a block.
pub const MAX_HEADER_BYTES: usize = 1 << 20;

/// What a leader can propose.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Per shard the headers to take; empty for a shard that does not move.
    pub chains: Vec<Vec<SignedHeader>>,
    /// Why shards are left out, at most one entry for each.
    pub violations: Vec<Violation>,
}

/// Finds the largest closed cut of `pool` above `parent` that fits into a proposal.
#[must_use]
pub fn largest(parent: &CheckpointState, settings: &Settings, pool: &HeaderPool) -> Candidate {
    let number = parent.number().next();
    let mut violations = Vec::new();
    let mut chains = Vec::new();
    for shard in settings.shard_ids() {
        let (chain, broken) = valid_chain(parent, settings, pool, shard, number);
        chains.push(chain);
        violations.extend(broken);
    }
    within_bounds(&mut chains, number);
    let (needs, disagreeing) = needs(parent, &mut chains);
    violations.extend(disagreeing);
    let mut taken: Vec<usize> = chains.iter().map(Vec::len).collect();
    lower(&mut taken, &needs);
    for (chain, taken) in chains.iter_mut().zip(taken) {
        chain.truncate(taken);
    }
    Candidate { chains, violations }
}

/// That a header of a shard can be taken only if so many headers of another shard are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Index of the header in its shard's chain.
    pub header: usize,
    /// Index of the other shard.
    pub source: usize,
    /// How many of the other shard's headers must be taken; [`usize::MAX`] when no number is enough.
    pub needed: usize,
}

/// Lowers `taken`, the number of headers taken of each shard, to the largest closed cut that is not
/// above it. `dependencies` are per shard, ascending by header.
pub fn lower(taken: &mut [usize], dependencies: &[Vec<Dependency>]) {
    loop {
        let mut lowered = false;
        for (shard, dependencies) in dependencies.iter().enumerate() {
            let open = dependencies.iter().find(|dependency| {
                taken.get(dependency.source).is_none_or(|have| *have < dependency.needed)
            });
            if let (Some(open), Some(mine)) = (open, taken.get_mut(shard))
                && *mine > open.header
            {
                *mine = open.header;
                lowered = true;
            }
        }
        if !lowered {
            return;
        }
    }
}

/// Upper bound of the encoded size of a header with its certificate, in bytes.
#[must_use]
pub fn encoded_bytes(signed: &SignedHeader) -> usize {
    // Fixed-width fields and lengths; then per item of each list.
    576 + 104 * signed.watermarks.len()
        + 56 * signed.sent.len()
        + 28 * signed.placements.len()
        + 80 * signed.certificate.signatures.len()
}

/// Upper bound of what a header adds to a proposal, in bytes: besides itself, the checkpoint names
/// its hash and its placements.
#[must_use]
pub fn cost(signed: &SignedHeader) -> usize {
    encoded_bytes(signed) + 128 + 40 * signed.placements.len()
}

/// The headers of one shard above `parent` that obey all rules of their own.
fn valid_chain(
    parent: &CheckpointState,
    settings: &Settings,
    pool: &HeaderPool,
    shard: ShardId,
    number: CheckpointNumber,
) -> (Vec<SignedHeader>, Option<Violation>) {
    let mut chain: Vec<SignedHeader> = Vec::new();
    let Some(tip) = parent.previous(shard) else { return (chain, None) };
    for signed in pool.above(shard, tip.height).take(MAX_CROSSLINK_HEADERS) {
        let previous = chain.last().map_or(tip, Previous::from);
        // Not wrong, only too new for this checkpoint.
        if signed.checkpoint >= number {
            break;
        }
        if let Err(violation) = check_header(settings, &previous, signed, number) {
            return (chain, Some(violation));
        }
        chain.push(signed.clone());
    }
    (chain, None)
}

/// Shortens chains until all fit into one proposal. Shards get room in turns, header by header;
/// who is first goes round with the checkpoints.
fn within_bounds(chains: &mut [Vec<SignedHeader>], number: CheckpointNumber) {
    let shards = chains.len();
    let (mut headers, mut bytes) = (0, 0);
    let mut open = vec![true; shards];
    for round in 0..MAX_CROSSLINK_HEADERS {
        for turn in 0..shards {
            let shard = (turn + (number.0 % shards as u64) as usize) % shards;
            let Some(chain) = chains.get_mut(shard).filter(|_| open[shard]) else { continue };
            let Some(header) = chain.get(round) else {
                open[shard] = false;
                continue;
            };
            let size = cost(header);
            if headers < MAX_PROPOSAL_HEADERS && bytes + size <= MAX_PROPOSAL_BYTES {
                headers += 1;
                bytes += size;
            } else {
                chain.truncate(round);
                open[shard] = false;
            }
        }
        if !open.contains(&true) {
            return;
        }
    }
}

/// What each chain needs of the others. Chains end before a watermark that can not be right.
fn needs(
    parent: &CheckpointState,
    chains: &mut [Vec<SignedHeader>],
) -> (Vec<Vec<Dependency>>, Vec<Violation>) {
    let mut violations = Vec::new();
    let mut all = Vec::with_capacity(chains.len());
    let mut ends = Vec::with_capacity(chains.len());
    for chain in chains.iter() {
        let mut needs = Vec::new();
        let mut end = chain.len();
        'chain: for (index, header) in chain.iter().enumerate() {
            let Some(previous) = before(parent, chain, index) else { break };
            for mark in new_watermarks(&previous, header) {
                let source = mark.source.0 as usize;
                let source_chain = chains.get(source).map_or(&[][..], Vec::as_slice);
                let needed = match watermark_need(parent, source_chain, header.shard, mark) {
                    Need::Nothing => continue,
                    Need::Headers(needed) => needed,
                    Need::Missing => usize::MAX,
                    Need::Disagrees => {
                        violations.push(disagreement(header));
                        end = index;
                        break 'chain;
                    }
                };
                needs.push(Dependency { header: index, source, needed });
            }
        }
        all.push(needs);
        ends.push(end);
    }
    for (chain, end) in chains.iter_mut().zip(ends) {
        chain.truncate(end);
    }
    (all, violations)
}

/// What comes before the header at `index` of a chain above `parent`.
pub(crate) fn before<'a>(
    parent: &'a CheckpointState,
    chain: &'a [SignedHeader],
    index: usize,
) -> Option<Previous<'a>> {
    match index.checked_sub(1) {
        Some(before) => chain.get(before).map(Previous::from),
        None => parent.previous(chain.first()?.shard),
    }
}

/// That R-LED-3 is broken by a header.
pub(crate) fn disagreement(header: &Header) -> Violation {
    Violation { rule: Rule::Watermark, shard: Some(header.shard), height: Some(header.height) }
}

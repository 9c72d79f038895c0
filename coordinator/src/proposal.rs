//! Building a checkpoint as leader, and checking one as validator (rules R-CKPT-1 to R-CKPT-8,
//! R-EPOCH-4).
//!
//! Whether a proposal is valid follows from the proposal and its parent's state alone. What a
//! validator knows besides only saves it work.

use cross_shard_msg::{Checkpoint, Crosslink, Move, Proposal, Settings, SignedHeader, Timestamp};

use crate::cut::{before, disagreement, largest};
use crate::headers::HeaderPool;
use crate::moves::{allowed, check_moves};
use crate::rules::{
    Need, Rule, Violation, check_certificate, check_crosslinks, check_header, check_parent,
    epoch_of, new_watermarks, watermark_need,
};
use crate::state::CheckpointState;
use crate::value::CheckpointValue;

/// Builds the child of `parent` that takes in as much of `pool` as possible, and moves the accounts
/// of `moves` that may move, as many as may. A checkpoint that takes in nothing is fine: time goes
/// on. Also says why shards are left out.
///
/// # Errors
/// When the evidence does not fit its checkpoint, which no input causes.
pub fn build(
    parent: &CheckpointState,
    settings: &Settings,
    pool: &HeaderPool,
    timestamp: Timestamp,
    moves: &[Move],
) -> Result<(CheckpointValue, Vec<Violation>), crate::value::EvidenceMismatch> {
    let candidate = largest(parent, settings, pool);
    let crosslinks = candidate.chains.iter().filter_map(|chain| {
        let (first, tip) = (chain.first()?, chain.last()?);
        Some(Crosslink {
            shard: first.shard,
            first: first.height,
            headers: chain.iter().map(SignedHeader::hash).collect(),
            congestion: tip.congestion,
        })
    });
    let placements = parent.placements(candidate.chains.iter().map(Vec::as_slice));
    let number = parent.number().next();
    let checkpoint = Checkpoint {
        number,
        parent: parent.digest(),
        timestamp,
        epoch: epoch_of(settings, number),
        crosslinks: crosslinks.collect(),
        moves: allowed(parent, settings, &placements, moves),
        placements,
    };
    let evidence = candidate.chains.into_iter().flatten().collect();
    let value = CheckpointValue::seal(Proposal { checkpoint, evidence })?;
    Ok((value, candidate.violations))
}

/// Rule R-CKPT-7: checks a proposal against its parent, and returns the state after it.
/// `is_certified` checks a header's certificate, or knows that it was checked.
///
/// # Errors
/// The first rule that is broken. What costs little is checked first.
pub fn validate(
    parent: &CheckpointState,
    settings: &Settings,
    value: &CheckpointValue,
    mut is_certified: impl FnMut(&SignedHeader) -> bool,
) -> Result<CheckpointState, Violation> {
    let checkpoint = value.checkpoint();
    check_parent(settings, parent, checkpoint)?;
    check_crosslinks(parent, checkpoint)?;
    let mut chains = vec![&[][..]; settings.shards.len()];
    for (crosslink, chain) in value.chains() {
        check_chain(parent, settings, crosslink, chain)?;
        if let Some(slot) = chains.get_mut(crosslink.shard.0 as usize) {
            *slot = chain;
        }
    }
    for chain in &chains {
        check_closed(parent, &chains, chain)?;
    }
    if checkpoint.placements != parent.placements(chains.iter().copied()) {
        return Err(Violation { rule: Rule::Placements, shard: None, height: None });
    }
    check_moves(settings, parent, checkpoint)?;
    let state = parent.apply(value);
    state.check_conservation(settings)?;
    for signed in value.evidence() {
        if !is_certified(signed) {
            check_certificate(settings, signed)?;
        }
    }
    Ok(state)
}

/// R-CKPT-3, and what a crosslink says of its tip.
fn check_chain(
    parent: &CheckpointState,
    settings: &Settings,
    crosslink: &Crosslink,
    chain: &[SignedHeader],
) -> Result<(), Violation> {
    let broken = |rule| Violation { rule, shard: Some(crosslink.shard), height: None };
    for (index, header) in chain.iter().enumerate() {
        if header.shard != crosslink.shard {
            return Err(broken(Rule::Evidence));
        }
        let previous = before(parent, chain, index).ok_or(broken(Rule::Crosslinks))?;
        check_header(settings, &previous, header, parent.number().next())?;
    }
    match chain.last() {
        Some(tip) if tip.congestion == crosslink.congestion => Ok(()),
        _ => Err(broken(Rule::Evidence)),
    }
}

/// R-CKPT-4 with R-LED-3, for one shard's chain among all.
fn check_closed(
    parent: &CheckpointState,
    chains: &[&[SignedHeader]],
    chain: &[SignedHeader],
) -> Result<(), Violation> {
    for (index, header) in chain.iter().enumerate() {
        let Some(previous) = before(parent, chain, index) else { continue };
        for mark in new_watermarks(&previous, header) {
            let source = chains.get(mark.source.0 as usize).copied().unwrap_or_default();
            match watermark_need(parent, source, header.shard, mark) {
                Need::Nothing | Need::Headers(_) => {}
                Need::Missing => {
                    return Err(Violation { rule: Rule::Closed, ..disagreement(header) });
                }
                Need::Disagrees => return Err(disagreement(header)),
            }
        }
    }
    Ok(())
}

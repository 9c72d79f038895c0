//! `[[byzantine]]`: nodes that break the rules. What a node can do depends on what it is.

use cross_shard_msg::{Duration, NodeId};

use super::super::byzantine::{Behaviour, Byzantine};
use super::super::load::Load;
use super::super::network::Endpoint;
use super::super::types::Phase;
use super::kind::{self, Wrong};
use super::network::{ReadNetwork, named_endpoint};
use super::phases::DAY;
use super::section::{Field, Notes, Section};
use super::tree::Node;

const TARGETS: &str = "\"shard:0\" or \"coordinator:0\"";

/// The Byzantine nodes; `None` if one of them cannot be read.
pub(super) fn read(
    notes: &Notes,
    top: &Section<'_>,
    network: &ReadNetwork,
    phases: Option<&[Phase]>,
) -> Option<Vec<Byzantine>> {
    let sections = top.sections("byzantine")?;
    let prescribed = |load: &Load| matches!(load, Load::MainnetBlocks(_));
    let prescribed =
        phases.is_some_and(|phases| phases.iter().any(|phase| phase.loads.iter().any(prescribed)));
    let mut all: Option<Vec<Byzantine>> = Some(Vec::new());
    for section in sections {
        if prescribed {
            notes.wrong(
                section.at(),
                "a Byzantine node does not go with `mainnet-blocks`",
                "each block is a network of its own, which is over in a moment",
            );
        }
        let one = byzantine(notes, network, all.as_deref().unwrap_or_default(), section);
        all = all.zip(one).map(|(mut all, one)| {
            all.push(one);
            all
        });
    }
    all
}

fn byzantine(
    notes: &Notes,
    network: &ReadNetwork,
    before: &[Byzantine],
    section: Section<'_>,
) -> Option<Byzantine> {
    let target = section.required("target", "target = \"coordinator:3\"", |node| {
        let target = target(network, node)?;
        match before.iter().any(|one| one.target == target) {
            true => Err(Wrong::value(format!("`{target}` is Byzantine already"))),
            false => Ok(target),
        }
    });
    let behaviours =
        target.as_ref().map_or(&Behaviour::OF_SHARDS[..], |it| Behaviour::of(it.value));
    let words: Vec<_> = behaviours.iter().map(|one| (one.name(), *one)).collect();
    let behaviour = section.required("behaviour", "behaviour = \"equivocate\"", |node| {
        // Without a target nobody knows what it can do.
        let all = [&Behaviour::OF_COORDINATORS[..], &Behaviour::OF_SHARDS[..]].concat();
        let any: Vec<_> = all.into_iter().map(|one| (one.name(), one)).collect();
        kind::choice(if target.is_some() { &words } else { &any })(node)
    });
    let from = section.with_default("from", Duration::ZERO, kind::duration(Duration::ZERO..=DAY));
    section.finish();
    let (target, behaviour, from) = (target?, behaviour?, from?);
    check_from(notes, &target, &behaviour, &from);
    Some(Byzantine { target: target.value, behaviour: behaviour.value, from: from.value })
}

fn check_from(
    notes: &Notes,
    target: &Field<NodeId>,
    behaviour: &Field<Behaviour>,
    from: &Field<Duration>,
) {
    if from.value > Duration::ZERO && !behaviour.value.begins(target.value) {
        notes.wrong(
            &from.at,
            format!("`{}` does not go with this behaviour", from.path),
            "only a shard's lies begin later; the others do so from the start",
        );
    }
}

fn target(network: &ReadNetwork, node: &Node) -> Result<NodeId, Wrong> {
    let value = |field: &Option<Field<u32>>| field.as_ref().map(|it| it.value);
    let text = kind::string(node, TARGETS)?;
    let (shards, validators) = (value(&network.shards), value(&network.validators));
    match named_endpoint(text, TARGETS, shards, validators)? {
        Endpoint::Shard(shard) => Ok(NodeId::Shard(shard)),
        Endpoint::Coordinator(index) => Ok(NodeId::Coordinator(index)),
        _ => Err(Wrong::value(format!("expected {TARGETS}"))
            .help("one node for each `[[byzantine]]`; the client is honest")),
    }
}

//! `[network.regions]`: which nodes are where in the world.

use simulation::regions::Region;

use super::super::network::{Endpoint, RegionNodes};
use super::super::problem::nearest;
use super::kind::{self, Wrong};
use super::network::named_endpoint;
use super::section::{Notes, Section};
use super::tree::{Node, Table, Value};

const NODES: &str =
    "\"shard:0\", \"shard:*\", \"coordinator:0\", \"coordinator:*\", \"client\" or \"*\"";

/// Each key is a region, its value who is there. `None` if one of them cannot be read.
pub(super) fn read(
    notes: &Notes,
    network: &Section<'_>,
    shards: Option<u32>,
    validators: Option<u32>,
) -> Option<Vec<RegionNodes>> {
    let empty = Table::default();
    let section = network.section("regions", &empty);
    let mut regions: Vec<RegionNodes> = Vec::new();
    let mut complete = true;
    for (name, at, node) in section.entries() {
        let Ok(region) = Region::named(name) else {
            let names = || Region::all().map(Region::name);
            let label = match nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
            };
            notes.wrong(at, format!("there is no region `{name}`"), label);
            complete = false;
            continue;
        };
        let nodes = match nodes(node, shards, validators) {
            Ok(nodes) => nodes,
            Err(wrong) => {
                notes.add(wrong.into_problem(&section.path_of(name), node));
                complete = false;
                continue;
            }
        };
        let taken = regions
            .iter()
            .flat_map(|other| other.nodes.iter().map(move |end| (other.region, *end)))
            .find(|(_, end)| nodes.iter().any(|own| overlap(*own, *end)));
        if let Some((other, end)) = taken {
            let label = format!("`{end}` is in `{}` already", other.name());
            notes.wrong(&node.at, "a node is in one region only", label);
        }
        regions.push(RegionNodes { region, nodes });
    }
    complete.then_some(regions)
}

/// Nodes, or an array of them.
fn nodes(
    node: &Node,
    shards: Option<u32>,
    validators: Option<u32>,
) -> Result<Vec<Endpoint>, Wrong> {
    let elements = match &node.value {
        Value::Text(_) => std::slice::from_ref(node),
        Value::Array(elements) if !elements.is_empty() => elements.as_slice(),
        Value::Array(_) => return Err(Wrong::value("expected at least one node")),
        _ => return Err(Wrong::kind(&format!("{NODES}, or an array of these"), node)),
    };
    let mut nodes = Vec::new();
    for element in elements {
        let end = named_endpoint(kind::string(element, NODES)?, NODES, shards, validators)?;
        if let Some(other) = nodes.iter().find(|other| overlap(**other, end)) {
            return Err(Wrong::value(format!("`{other}` and `{end}` have nodes in common")));
        }
        nodes.push(end);
    }
    Ok(nodes)
}

/// Whether some node is among both.
fn overlap(one: Endpoint, other: Endpoint) -> bool {
    use Endpoint::{Any, Coordinator, Coordinators, Shard, Shards};
    match (one, other) {
        (Any, _) | (_, Any) => true,
        (Shards, Shard(_)) | (Shard(_), Shards) => true,
        (Coordinators, Coordinator(_)) | (Coordinator(_), Coordinators) => true,
        (one, other) => one == other,
    }
}

//! A scenario's Byzantine nodes as machines of the simulated world.

use std::sync::Arc;

use cross_shard_msg::{Duration, Height, Machine, NodeId, ShardId, ValidatorIndex};
use shard_node::{ShardNode, ShardRecord};
use simulation::byzantine::{EquivocatingLeader, Garbage, Lie, LyingShard, Silent, Twins};
use simulation::{Follower, World};

use super::simulated::{Recorder, SimulationError};
use crate::launch::NetworkPlan;
use crate::scenario::{Behaviour, Byzantine};

/// Value of a forged receipt, in wei, and of a lie about what is held.
const FORGED: u64 = 1_000_000;
/// What is said to be minted, in ether.
const MINTED: u64 = 1_000;

/// Puts a Byzantine node into the world. It is not restarted after a crash.
///
/// # Errors
/// When its machine refuses its configuration.
pub(super) fn add(
    world: &mut World,
    plan: &NetworkPlan,
    one: &Byzantine,
    recorder: Recorder,
) -> Result<(), SimulationError> {
    let node = one.target;
    let refused = |problem: String| SimulationError::Machine { node, problem };
    if one.behaviour == Behaviour::Garbage {
        // Noise of its own for each node.
        let number = match node {
            NodeId::Shard(shard) => u64::from(shard.0) << 1,
            NodeId::Coordinator(index) => u64::from(index.0) << 1 | 1,
            NodeId::Client => u64::MAX,
        };
        world.add(node, Garbage::new(plan.seed.rotate_left(17) ^ number), ());
        return Ok(());
    }
    match node {
        NodeId::Shard(shard) => {
            let Some(lie) = lie(one.behaviour) else { return Err(refused(unfit(one))) };
            let config = plan.shard_config(shard)?;
            let from = first_block(plan, shard, one.from);
            let liar = LyingShard::new(config, lie, from);
            world.add(node, liar.map_err(|error| refused(error.to_string()))?, recorder);
        }
        NodeId::Coordinator(index) => {
            add_coordinator(world, plan, index, one).map_err(refused)?;
        }
        NodeId::Client => return Err(refused(unfit(one))),
    }
    Ok(())
}

fn add_coordinator(
    world: &mut World,
    plan: &NetworkPlan,
    index: ValidatorIndex,
    one: &Byzantine,
) -> Result<(), String> {
    let node = one.target;
    let config = || plan.coordinator_config(index);
    let coordinator = || coordinator::Coordinator::new(config()).map_err(|error| error.to_string());
    match one.behaviour {
        Behaviour::Silent => world.add(node, Silent::new(coordinator()?), ()),
        Behaviour::Equivocate => {
            let leader = EquivocatingLeader::new(config()).map_err(|error| error.to_string())?;
            world.add(node, leader, ());
        }
        Behaviour::Twins => {
            let size = u32::try_from(plan.settings.validators.len()).unwrap_or(u32::MAX);
            let others = (0..size).map(ValidatorIndex).filter(|other| *other != index);
            let others: Vec<ValidatorIndex> = others.collect();
            // One in the middle hears both.
            let middle = others.len() / 2;
            let first = others.get(..=middle).unwrap_or(&others).to_vec();
            let second = others.get(middle..).unwrap_or_default().to_vec();
            world.add(node, Twins::new([coordinator()?, coordinator()?], first, second), ());
        }
        _ => return Err(unfit(one)),
    }
    Ok(())
}

fn lie(behaviour: Behaviour) -> Option<Lie> {
    Some(match behaviour {
        Behaviour::ForgeReceipt => Lie::Forge { value: FORGED, covered: false },
        Behaviour::ForgePaid => Lie::Forge { value: FORGED, covered: true },
        Behaviour::SkipReceipt => Lie::Skip,
        Behaviour::RepeatReceipt => Lie::Repeat,
        Behaviour::TamperReceipt => Lie::Tamper,
        Behaviour::LieStateRoot => Lie::StateRoot,
        Behaviour::LieLedger => Lie::Ledger(FORGED),
        Behaviour::Mint => Lie::Mint { ether: MINTED },
        Behaviour::Equivocate => Lie::Equivocate,
        Behaviour::Twins | Behaviour::Silent | Behaviour::Garbage => return None,
    })
}

/// The first block that is due at `from` or later. Blocks may be late; then it is a later one.
fn first_block(plan: &NetworkPlan, shard: ShardId, from: Duration) -> Height {
    let offset = plan.settings.block_offset.get(shard.0 as usize).copied().unwrap_or_default();
    let after = from.0.saturating_sub(offset.0);
    Height(after.div_ceil(plan.settings.block_time.0.max(1)) + 1)
}

fn unfit(one: &Byzantine) -> String {
    format!("it cannot be `{}`", one.behaviour)
}

/// The liar's own blocks, which are those that the real node made, not those that it told of.
impl Follower<LyingShard> for Recorder {
    fn executed(&mut self, _: &Arc<<LyingShard as Machine>::Executed>) {}

    fn record(&mut self, _: &ShardRecord) {}

    fn durable(&mut self, record: &ShardRecord) {
        Follower::<ShardNode>::durable(self, record);
    }
}

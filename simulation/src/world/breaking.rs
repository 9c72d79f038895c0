//! Faults in a world: brought about at once, by a plan, or piece by piece.

use cross_shard_msg::{Duration, NodeId, Timestamp};
use rand_core::Rng as _;

use super::{Disk, Due, World};
use crate::fault::{Fault, FaultPlan, LinkSet, Target};
use crate::host::Delivery;
use crate::links::{Affected, Condition};
use crate::trace::Happening;

/// Names a fault of links that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId(pub(super) u64);

impl World {
    /// Brings about the faults of a plan at their times; what should have begun already begins now.
    pub fn schedule(&mut self, plan: &FaultPlan) {
        for (at, fault) in plan.iter() {
            self.queue.push((*at).max(self.now), Due::Fault(Box::new(fault.clone())));
        }
    }

    /// Brings about a fault now. Nodes that do not exist are passed over.
    pub fn inject(&mut self, fault: &Fault) {
        let node = NodeId::Client;
        self.show(self.now, node, Happening::Fault(fault));
        match fault {
            Fault::Crash { node, restart_after } => {
                let node = self.resolve(*node);
                let Some(place) = self.up(node) else { return };
                self.crash(node);
                if let Some(after) = restart_after {
                    let life = self.nodes[place].life();
                    self.queue.push(self.now + *after, Due::Restart { node: place, life });
                }
            }
            Fault::Pause { node, span } => {
                if let Some(place) = self.up(self.resolve(*node)) {
                    self.nodes[place].pause(self.now + *span);
                }
            }
            Fault::ClockSkew { node, offset, span } => {
                if let Some(place) = self.up(self.resolve(*node)) {
                    let (life, offset) = (self.nodes[place].life(), *offset);
                    self.nodes[place].skew(offset);
                    let ends = Due::SkewEnds { node: place, life, offset };
                    self.queue.push(self.now + *span, ends);
                }
            }
            Fault::Disconnect { links, span } => {
                self.links_fault(links, Condition::Disconnected, *span);
            }
            Fault::Delay { links, delay, jitter, span } => {
                let what = Condition::Delayed { delay: *delay, jitter: *jitter };
                self.links_fault(links, what, *span);
            }
            Fault::Loss { links, per_mille, span } => {
                self.links_fault(links, Condition::Lossy(*per_mille), *span);
            }
            Fault::Duplicate { links, per_mille, span } => {
                self.links_fault(links, Condition::Duplicating(*per_mille), *span);
            }
            Fault::Reorder { links, per_mille, within, span } => {
                let what = Condition::Reordering { per_mille: *per_mille, within: *within };
                self.links_fault(links, what, *span);
            }
            Fault::Bandwidth { links, bytes_per_second, span } => {
                self.links_fault(links, Condition::Limited(*bytes_per_second), *span);
            }
        }
    }

    /// Kills a node. Does nothing if it is down or unknown.
    pub fn crash(&mut self, id: NodeId) {
        let Some(place) = self.up(id) else { return };
        self.digest.event(self.now, place as u32, 32, 0);
        let node = &mut self.nodes[place];
        let kept = match node.disk.torn {
            true => self.torn.next_u64() % (node.writes_begun(self.now) as u64 + 1),
            false => 0,
        };
        let lost = node.crash(self.now, usize::try_from(kept).unwrap_or(usize::MAX));
        self.statistics.crashes += 1;
        self.statistics.lost_writes += lost as u64;
        // What its CPU had not come to yet did not happen.
        let now = self.now;
        self.observations.retain(|(node, seen)| *node != id || seen.at <= now);
        self.show(self.now, id, Happening::Crashed);
    }

    /// Starts a node that is down from its durable records. False if it is up or unknown, or was
    /// not added by [`World::add_restartable`].
    pub fn restart(&mut self, id: NodeId) -> bool {
        match self.places.get(&id) {
            Some(&place) if !self.nodes[place].is_up() => self.restart_at(place),
            _ => false,
        }
    }

    /// Lets a node stand still until it is resumed. What it is computing already it finishes.
    pub fn pause(&mut self, id: NodeId) {
        if let Some(place) = self.up(id) {
            self.nodes[place].pause(Timestamp(u64::MAX));
        }
    }

    /// Ends a node's pauses.
    pub fn resume(&mut self, id: NodeId) {
        if let Some(place) = self.up(id) {
            self.nodes[place].resume(self.now);
            self.wake_when_free(place);
        }
    }

    /// Cuts links until the fault is healed.
    pub fn disconnect(&mut self, links: &LinkSet) -> FaultId {
        self.begin(links, Condition::Disconnected)
    }

    /// Ends a fault of links. Does nothing if it is over.
    pub fn heal(&mut self, fault: FaultId) {
        if self.links.end(fault.0) {
            self.show(self.now, NodeId::Client, Happening::FaultEnded(fault.0));
            self.release();
        }
    }

    /// Gives a node another disk. Writes under way keep their time.
    pub fn replace_disk(&mut self, id: NodeId, disk: Disk) {
        if let Some(&place) = self.places.get(&id) {
            self.nodes[place].disk = disk;
        }
    }

    /// Whether a node exists and is up.
    #[must_use]
    pub fn is_up(&self, id: NodeId) -> bool {
        self.up(id).is_some()
    }

    pub(super) fn restart_at(&mut self, place: usize) -> bool {
        let node = &mut self.nodes[place];
        if node.is_up() || !node.restart(self.now) {
            return false;
        }
        let id = node.id;
        self.digest.event(self.now, place as u32, 33, 0);
        self.statistics.restarts += 1;
        self.show(self.now, id, Happening::Restarted);
        self.deliver_at(self.now, place, Delivery::Start);
        true
    }

    fn up(&self, id: NodeId) -> Option<usize> {
        self.places.get(&id).copied().filter(|place| self.nodes[*place].is_up())
    }

    fn resolve(&self, target: Target) -> NodeId {
        match target {
            Target::Node(id) => id,
            Target::Leader => {
                self.leader.unwrap_or(NodeId::Coordinator(cross_shard_msg::ValidatorIndex(0)))
            }
        }
    }

    fn links_fault(&mut self, links: &LinkSet, what: Condition, span: Duration) {
        let FaultId(id) = self.begin(links, what);
        self.queue.push(self.now + span, Due::FaultEnds(id));
    }

    fn begin(&mut self, links: &LinkSet, what: Condition) -> FaultId {
        let places = |targets: &[Target]| {
            let ids = targets.iter().map(|target| self.resolve(*target));
            ids.filter_map(|id| self.places.get(&id).copied()).collect()
        };
        let (from, to) = (places(&links.from), places(&links.to));
        let affected = Affected { from, to, both_ways: links.both_ways };
        self.faults += 1;
        self.links.begin(self.faults, affected, what);
        FaultId(self.faults)
    }
}

//! A scenario's faults in a network of processes: what is done to whom, and when. Overlapping faults
//! add up as in the simulated world: a node that is down cannot die again, one that is paused twice
//! goes on when both pauses are over, faults of one link act together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cross_shard_msg::{Duration, NodeId, Timestamp};
use runtime::network::LinkFault;
use runtime::process::LinkLine;

use super::faults::due;
use crate::scenario::{Damage, FaultBand, FaultKind, FaultTarget, Network, Scenario};
use crate::workload::PhaseSpan;

/// The network that faults strike.
pub(super) trait Victims {
    /// Why something cannot be done.
    type Error: std::fmt::Display;

    /// Whether a node's process lives.
    fn is_running(&self, node: NodeId) -> bool;

    /// The coordinator that proposed last.
    fn leader(&self) -> NodeId;

    /// Kills a running node.
    fn kill(&mut self, node: NodeId) -> Result<(), Self::Error>;

    /// Starts a killed node again.
    fn restart(&mut self, node: NodeId) -> Result<(), Self::Error>;

    /// Stops a running node where it is.
    fn pause(&mut self, node: NodeId) -> Result<(), Self::Error>;

    /// Lets it go on.
    fn resume(&mut self, node: NodeId) -> Result<(), Self::Error>;

    /// Breaks links that leave a node, the client's too, in these ways and no others.
    fn break_links(&mut self, from: NodeId, links: &[LinkLine]) -> Result<(), Self::Error>;
}

/// The faults of one network.
#[derive(Debug)]
pub(super) struct ProcessFaults<'a> {
    network: &'a Network,
    label: u64,
    kinds: Vec<&'a FaultKind>,
    /// What is still to be done, by time from the start of the first phase. Of what is due together,
    /// beginnings come before ends.
    steps: VecDeque<(Duration, Step, usize)>,
    /// Who is down, and by which fault.
    down: BTreeMap<NodeId, usize>,
    /// Who was killed or paused at some time.
    struck: BTreeSet<NodeId>,
    /// Who is paused, and by which faults.
    paused: BTreeMap<NodeId, BTreeSet<usize>>,
    /// What is the matter with links, in the order in which it began.
    broken: Vec<Broken>,
    /// By fault: when it was at work.
    bands: BTreeMap<usize, FaultBand>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Begin,
    End,
}

#[derive(Debug)]
struct Broken {
    fault: usize,
    what: LinkFault,
    /// By sender and receiver.
    links: BTreeSet<(NodeId, NodeId)>,
}

impl<'a> ProcessFaults<'a> {
    /// The faults of the network that runs `phases`; its number is `label`.
    pub fn new(scenario: &'a Scenario, phases: &[PhaseSpan], label: u64) -> Self {
        let due: Vec<(Duration, &FaultKind)> = due(scenario, phases).collect();
        let mut steps = Vec::new();
        for (index, (at, kind)) in due.iter().enumerate() {
            steps.push((*at, Step::Begin, index));
            steps.extend(kind.span().map(|span| (*at + span, Step::End, index)));
        }
        steps.sort_unstable();
        Self {
            network: &scenario.network,
            label,
            kinds: due.into_iter().map(|(_, kind)| kind).collect(),
            steps: steps.into(),
            down: BTreeMap::new(),
            struck: BTreeSet::new(),
            paused: BTreeMap::new(),
            broken: Vec::new(),
            bands: BTreeMap::new(),
        }
    }

    /// When something is to be done next, counted from the start of the first phase.
    pub fn next(&self) -> Option<Duration> {
        self.steps.front().map(|(at, ..)| *at)
    }

    /// Whether a fault has killed this node, and nothing has started it again.
    pub fn is_down(&self, node: NodeId) -> bool {
        self.down.contains_key(&node)
    }

    /// Whether a fault has killed or paused this node at some time.
    pub fn has_struck(&self, node: NodeId) -> bool {
        self.struck.contains(&node)
    }

    /// Does everything that is due at `now`; the first phase started at `origin`.
    ///
    /// # Errors
    /// What could not be done, for a person: the network is not what the scenario asks for.
    pub fn strike<V: Victims>(
        &mut self,
        origin: Timestamp,
        now: Timestamp,
        victims: &mut V,
    ) -> Result<(), String> {
        while let Some((_, step, fault)) = self.steps.pop_front_if(|(at, ..)| origin + *at <= now) {
            let Some(kind) = self.kinds.get(fault).copied() else { continue };
            let done = match step {
                Step::Begin => {
                    tracing::warn!(kind = kind.name(), target = kind.target(), "a fault begins");
                    let band = FaultBand { end: None, ..kind.band(self.label, now) };
                    self.bands.insert(fault, band);
                    self.begin(fault, kind, victims)
                }
                Step::End => {
                    tracing::warn!(kind = kind.name(), target = kind.target(), "a fault ends");
                    if let Some(band) = self.bands.get_mut(&fault) {
                        band.end = Some(now);
                    }
                    self.end(fault, kind, victims)
                }
            };
            done.map_err(|error| {
                format!("the fault `{} {}` failed: {error}", kind.name(), kind.target())
            })?;
        }
        Ok(())
    }

    /// Lets everybody go on who is paused, so that all can be stopped in order; says when each fault
    /// was at work, in the order of the scenario.
    pub fn finish<V: Victims>(&mut self, victims: &mut V) -> Vec<FaultBand> {
        for node in std::mem::take(&mut self.paused).into_keys() {
            if victims.is_running(node)
                && let Err(error) = victims.resume(node)
            {
                tracing::warn!(%node, %error, "cannot be resumed");
            }
        }
        std::mem::take(&mut self.bands).into_values().collect()
    }

    fn begin<V: Victims>(
        &mut self,
        fault: usize,
        kind: &FaultKind,
        victims: &mut V,
    ) -> Result<(), V::Error> {
        match kind {
            FaultKind::Crash { nodes, .. } => {
                for node in self.resolve(nodes, victims) {
                    if victims.is_running(node) {
                        victims.kill(node)?;
                        self.struck.insert(node);
                        self.down.insert(node, fault);
                        // Its next life is not paused.
                        self.paused.remove(&node);
                    }
                }
                Ok(())
            }
            FaultKind::Pause { nodes, .. } => {
                for node in self.resolve(nodes, victims) {
                    if victims.is_running(node) {
                        victims.pause(node)?;
                        self.struck.insert(node);
                        self.paused.entry(node).or_default().insert(fault);
                    }
                }
                Ok(())
            }
            FaultKind::Links { from, to, one_way, damage, .. } => {
                let (from, to) = (self.resolve(from, victims), self.resolve(to, victims));
                let there = from.iter().flat_map(|a| to.iter().map(move |b| (*a, *b)));
                let back = there.clone().map(|(a, b)| (b, a)).filter(|_| !one_way);
                let links: BTreeSet<_> =
                    there.clone().chain(back).filter(|(from, to)| from != to).collect();
                self.broken.push(Broken { fault, what: link_fault(*damage), links: links.clone() });
                self.tell(&links, victims)
            }
        }
    }

    fn end<V: Victims>(
        &mut self,
        fault: usize,
        kind: &FaultKind,
        victims: &mut V,
    ) -> Result<(), V::Error> {
        match kind {
            FaultKind::Crash { .. } => {
                let struck: Vec<NodeId> =
                    self.down.extract_if(.., |_, by| *by == fault).map(|(node, _)| node).collect();
                struck.into_iter().try_for_each(|node| victims.restart(node))
            }
            FaultKind::Pause { .. } => {
                let mut resumed = Vec::new();
                self.paused.retain(|node, faults| {
                    let was_paused = faults.remove(&fault);
                    if was_paused && faults.is_empty() {
                        resumed.push(*node);
                    }
                    !faults.is_empty()
                });
                let resumed = resumed.into_iter().filter(|node| victims.is_running(*node));
                resumed.collect::<Vec<_>>().into_iter().try_for_each(|node| victims.resume(node))
            }
            FaultKind::Links { .. } => {
                let Some(place) = self.broken.iter().position(|broken| broken.fault == fault)
                else {
                    return Ok(());
                };
                let Broken { links, .. } = self.broken.remove(place);
                self.tell(&links, victims)
            }
        }
    }

    /// Tells the senders of these links what is the matter with them now.
    fn tell<V: Victims>(
        &self,
        links: &BTreeSet<(NodeId, NodeId)>,
        victims: &mut V,
    ) -> Result<(), V::Error> {
        let mut by_sender: BTreeMap<NodeId, Vec<LinkLine>> = BTreeMap::new();
        for link in links {
            let own = self.broken.iter().filter(|broken| broken.links.contains(link));
            let faults = own.map(|broken| broken.what).collect();
            by_sender.entry(link.0).or_default().push(LinkLine { to: link.1, faults });
        }
        by_sender.into_iter().try_for_each(|(from, lines)| victims.break_links(from, &lines))
    }

    /// Who is meant, each once; the leader is who leads now.
    fn resolve(&self, targets: &[FaultTarget], victims: &impl Victims) -> BTreeSet<NodeId> {
        let nodes = |target: &FaultTarget| {
            target.nodes(self.network).unwrap_or_else(|| vec![victims.leader()])
        };
        targets.iter().flat_map(nodes).collect()
    }
}

fn link_fault(damage: Damage) -> LinkFault {
    match damage {
        Damage::Disconnect => LinkFault::Disconnected,
        Damage::Delay { delay, jitter } => LinkFault::Delayed { delay, jitter },
        Damage::Loss { share } => LinkFault::Lossy { per_mille: share.0 },
        Damage::Duplicate { share } => LinkFault::Duplicating { per_mille: share.0 },
        Damage::Reorder { share, within } => LinkFault::Reordering { per_mille: share.0, within },
        Damage::Bandwidth { bits_per_second } => {
            LinkFault::Limited { bytes_per_second: bits_per_second / 8 }
        }
    }
}

#[cfg(test)]
mod tests;

//! What faults do to processes: killed, started again, paused, their links broken.

use std::io;

use cross_shard_msg::{Event, NodeId, ValidatorIndex};
use runtime::observations::read_observations;
use runtime::process::{FromProcess, LinkLine, PeerLine, ToProcess};
use rustix::process::Signal;

use super::super::child::{Child, FromChild};
use super::super::node_file::NodeFile;
use super::{LaunchError, Processes, STOP_PATIENCE};

impl Processes {
    /// Kills a node's process (kill -9) and returns when it is dead; false if it is dead already.
    /// This is no death that [`Self::watch`] reports.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(&mut self, node: NodeId) -> io::Result<bool> {
        let Some(mut child) = self.children.remove(&node) else { return Ok(false) };
        child.kill()?;
        self.joining.remove(&node);
        // Its last words must not be taken for those of its next life.
        let is_last =
            |(from, said): &(NodeId, FromChild)| *from == node && matches!(said, FromChild::Silent);
        let mut silent = self.early.iter().any(is_last);
        self.early.retain(|(from, _)| *from != node);
        while !silent && let Ok(event) = self.events.recv_timeout(STOP_PATIENCE) {
            silent = is_last(&event);
            if event.0 != node {
                self.early.push_back(event);
            }
        }
        Ok(true)
    }

    /// Starts a node's process again, after [`Self::kill`] or a death: it goes on from its records,
    /// at another port. Returns at once; [`Self::watch`] brings it into the network, and
    /// [`Self::take_moved`] then tells where it is. A node that lives is left alone.
    ///
    /// # Errors
    /// When its file cannot be written again, or no process starts.
    pub fn restart(&mut self, node: NodeId) -> Result<(), LaunchError> {
        if self.children.contains_key(&node) {
            return Ok(());
        }
        let Some(facts) = self.facts.get_mut(&node) else { return Ok(()) };
        let file = facts.log.with_extension("node");
        NodeFile::read(&file)?.again().write(&file)?;
        let spawned = Child::start(&self.program, node, &file, &facts.log, self.sender.clone());
        let program = self.program.clone();
        let child = spawned.map_err(|source| LaunchError::Spawn { node, program, source })?;
        facts.process = child.id();
        self.children.insert(node, child);
        self.joining.insert(node);
        Ok(())
    }

    /// Stops a node's process where it is (SIGSTOP), until [`Self::resume`].
    ///
    /// # Errors
    /// When the operating system refuses, or the process is dead.
    pub fn pause(&self, node: NodeId) -> io::Result<()> {
        self.signal(node, Signal::STOP)
    }

    /// Lets a paused process go on (SIGCONT).
    ///
    /// # Errors
    /// When the operating system refuses, or the process is dead.
    pub fn resume(&self, node: NodeId) -> io::Result<()> {
        self.signal(node, Signal::CONT)
    }

    /// Breaks links that leave a node in these ways, and these links in no others; also in the node's
    /// later lives. Links that are not named stay as they are.
    pub fn set_faults(&mut self, from: NodeId, links: &[LinkLine]) {
        let kept = self.faults.entry(from).or_default();
        kept.retain(|old| links.iter().all(|new| new.to != old.to));
        kept.extend(links.iter().filter(|link| !link.faults.is_empty()).cloned());
        // Who is joining hears of it when it does.
        if !self.joining.contains(&from) {
            self.tell(from, &ToProcess::Faults(links.to_vec()));
        }
    }

    /// Whether a node's process lives, as far as is known.
    #[must_use]
    pub fn is_running(&self, node: NodeId) -> bool {
        self.children.contains_key(&node)
    }

    /// Nodes that were started again since the last call: the launcher's own node must be told
    /// where they are (`runtime::process::tell_address`).
    pub fn take_moved(&mut self) -> Vec<PeerLine> {
        std::mem::take(&mut self.moved)
    }

    fn signal(&self, node: NodeId, signal: Signal) -> io::Result<()> {
        match self.children.get(&node) {
            Some(child) => child.signal(signal),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// A process that was started again says how far it is.
    pub(super) fn bring_in(&mut self, node: NodeId, said: FromProcess) {
        match said {
            FromProcess::Listening { network, metrics } => {
                let (Some(facts), Some(peer)) =
                    (self.facts.get_mut(&node), self.peers.get_mut(&node))
                else {
                    return;
                };
                (facts.network, facts.metrics, peer.address) = (network, metrics, network);
                let moved = peer.clone();
                let peers = self.peers.values().cloned().collect();
                self.joining.remove(&node);
                for (other, child) in &mut self.children {
                    if *other != node && !self.joining.contains(other) {
                        child.tell(&ToProcess::Address(moved.clone()));
                    }
                }
                self.tell(node, &ToProcess::Connect(peers));
                if let Some(links) = self.faults.get(&node).filter(|links| !links.is_empty()) {
                    let links = ToProcess::Faults(links.clone());
                    self.tell(node, &links);
                }
                self.moved.push(moved);
            }
            FromProcess::Ready => {
                if let Some(at) = self.start {
                    self.tell(node, &ToProcess::Start { at });
                }
            }
            FromProcess::Stopped(report) => {
                tracing::warn!(%node, "stopped by itself");
                self.reports.insert(node, report);
            }
        }
    }

    /// The coordinator that proposed last, or coordinator 0 before the first proposal: as far as
    /// coordinators have written what they observed.
    #[must_use]
    pub fn leader(&self) -> NodeId {
        let coordinators =
            self.facts.values().filter(|facts| matches!(facts.node, NodeId::Coordinator(_)));
        let proposals = coordinators.flat_map(|facts| {
            let observed = read_observations(&facts.observations).unwrap_or_default();
            let proposed = |event| matches!(event, Event::CheckpointProposed { .. });
            let last = observed.into_iter().rev().find(|it| proposed(it.event));
            last.map(|last| (last.at, facts.node))
        });
        proposals.max().map_or(NodeId::Coordinator(ValidatorIndex(0)), |(_, node)| node)
    }
}

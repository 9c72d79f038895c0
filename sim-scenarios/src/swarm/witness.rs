//! Looks on at a trial, event by event: counts what seldom happens, and sees whom nodes accuse.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use cross_shard_msg::{AccountKey, CheckpointNumber, DropReason, Event, Message, NodeId, Refusal};
use simulation::trace::{Happening, TraceEvent};

use super::proven::Proofs;
use super::situations::{Situation, Situations};
use crate::run::simulated::Tracer;

/// What was seen. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub(super) struct Witness(Rc<RefCell<Seen>>);

#[derive(Default)]
pub(super) struct Seen {
    pub situations: Situations,
    /// Where which account arrived, and the checkpoint that had sent it off.
    pub arrived: Vec<(NodeId, AccountKey, CheckpointNumber)>,
    /// The first accusation of an honest node.
    pub accused: Option<String>,
    proofs: Option<Proofs>,
    shown: Option<Tracer>,
    byzantine: BTreeSet<NodeId>,
    torn: bool,
    /// Whether a block or vote is asked for and not durable, by node; with its height or view.
    writing: BTreeMap<NodeId, u64>,
}

impl Witness {
    /// Tells `proofs` of every batch that arrives, and shows everything to `shown`.
    pub fn new(
        byzantine: BTreeSet<NodeId>,
        torn: bool,
        proofs: Option<Proofs>,
        shown: Option<Tracer>,
    ) -> Self {
        let seen = Seen { byzantine, torn, proofs, shown, ..Seen::default() };
        Self(Rc::new(RefCell::new(seen)))
    }

    pub fn tracer(&self) -> Tracer {
        let witness = self.clone();
        Box::new(move |event| witness.0.borrow_mut().see(event))
    }

    pub fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.0.borrow())
    }
}

impl Seen {
    fn see(&mut self, event: &TraceEvent<'_>) {
        let node = event.node;
        if let Some(shown) = &mut self.shown {
            shown(event);
        }
        match &event.what {
            Happening::Message { message, .. } => match message {
                Message::Batch(batch) => {
                    if let Some(proofs) = &self.proofs {
                        proofs.saw(batch);
                    }
                }
                Message::PullBatches { .. } => self.situations.note(Situation::BatchesPulled),
                Message::PullHeaders { .. } => self.situations.note(Situation::HeadersPulled),
                Message::PullCheckpoints { .. } => {
                    self.situations.note(Situation::CheckpointsPulled);
                }
                _ => {}
            },
            Happening::Lost { .. } => self.situations.note(Situation::MessageLost),
            Happening::Durable(_) => {
                if let Some(open) = self.writing.get_mut(&node) {
                    *open = open.saturating_sub(1);
                }
            }
            Happening::Crashed => self.crashed(node),
            Happening::Observed(event) => self.observed(node, event),
            _ => {}
        }
    }

    fn crashed(&mut self, node: NodeId) {
        if self.writing.remove(&node).is_none_or(|open| open == 0) {
            return;
        }
        self.situations.note(match node {
            NodeId::Coordinator(_) => Situation::CrashWhileVoting,
            _ => Situation::CrashWhileWritingBlock,
        });
        if self.torn {
            self.situations.note(Situation::TornEnd);
        }
    }

    fn observed(&mut self, node: NodeId, event: &Event) {
        match event {
            Event::BlockExecuted { .. } | Event::CheckpointProposed { .. } => {
                *self.writing.entry(node).or_default() += 1;
            }
            Event::ViewNullified { .. } => self.situations.note(Situation::ViewNullified),
            Event::Submitted { attempt, .. } if *attempt > 1 => {
                self.situations.note(Situation::Resubmitted);
            }
            Event::GaveUp { .. } => self.situations.note(Situation::GaveUp),
            Event::Refused { refusal, .. } => match refusal {
                Refusal::Congested => self.situations.note(Situation::Congested),
                Refusal::MempoolFull => self.situations.note(Situation::MempoolFull),
                Refusal::Expired => self.situations.note(Situation::Expired),
                Refusal::Moved => self.situations.note(Situation::RefusedMoved),
                Refusal::InFlight => self.situations.note(Situation::RefusedInFlight),
                _ => {}
            },
            Event::AccountLeft { slots, .. } => {
                self.situations.add(Situation::StorageMoved, u64::from(*slots > 0));
            }
            Event::AccountArrived { account, checkpoint, parked } => {
                self.situations.note(Situation::AccountMoved);
                self.situations.add(Situation::ReceiptParked, u64::from(*parked));
                self.arrived.push((node, *account, *checkpoint));
            }
            Event::Dropped { reason } => match reason {
                DropReason::Duplicate => self.situations.note(Situation::DuplicateBatch),
                DropReason::QueueFull => self.situations.note(Situation::BatchesFull),
                DropReason::Proof => self.situations.note(Situation::ProofRefused),
                _ => {}
            },
            Event::ShardEquivocated { shard, height } => {
                self.situations.note(Situation::ShardEquivocated);
                let what = format!("two headers of height {height}");
                self.accuse(node, NodeId::Shard(*shard), &what);
            }
            Event::ValidatorEquivocated { validator, view } => {
                self.situations.note(Situation::ValidatorEquivocated);
                let what = format!("votes that contradict one another in view {view}");
                self.accuse(node, NodeId::Coordinator(*validator), &what);
            }
            Event::LeftOut { shard, height, rule } => {
                self.situations.note(Situation::ShardLeftOut);
                let what = format!("block {height}, which breaks rule {rule}");
                self.accuse(node, NodeId::Shard(*shard), &what);
            }
            _ => {}
        }
    }

    /// An honest node has proof against another honest one, which must not be.
    fn accuse(&mut self, by: NodeId, accused: NodeId, what: &str) {
        if !self.byzantine.contains(&by) && !self.byzantine.contains(&accused) {
            self.accused.get_or_insert_with(|| format!("{accused} signed {what}, says {by}"));
        }
    }
}

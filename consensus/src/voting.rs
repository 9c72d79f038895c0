//! The rules of the paper: entering views, proposing, and casting the three votes (rules R-CONS-5
//! to R-CONS-8, R-CONS-10, R-CONS-11).

use alloy_primitives::B256;
use cross_shard_msg::{Timestamp, View, WriteId};

use crate::chain::Reach;
use crate::committee::Signer;
use crate::interface::{Dropped, Output};
use crate::message::{MAX_CERTIFICATES, MAX_RETRY_VOTES, Message, Proposal, Retry};
use crate::recover::Record;
use crate::simplex::{Asked, Simplex};
use crate::value::Value;
use crate::view::{Check, Proposed};
use crate::vote::{Kind, Vote};

/// What a proposal of the current view should extend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub view: View,
    pub digest: B256,
    pub number: u64,
    pub timestamp: Timestamp,
}

/// Whether a proposal's place in the chain is right.
enum Link {
    Right { timestamp: Timestamp },
    Unknown,
    Wrong,
}

impl<V: Value> Simplex<V> {
    /// Does everything that has become possible.
    pub(crate) fn advance(
        &mut self,
        keys: &impl Signer,
        now: Timestamp,
        outputs: &mut Vec<Output<V>>,
    ) {
        self.enter(now, outputs);
        self.finalize(keys, outputs);
        self.deliver(outputs);
        // Finality may have moved the tip past the view.
        self.enter(now, outputs);
        self.consider(now, outputs);
        self.notarize(keys, outputs);
        self.ask(now, outputs);
        self.time_out(keys, now, outputs);
        self.request_missing(now, outputs);
        self.set_wake(now, outputs);
    }

    /// Enters the view after the latest one that has a certificate, and hands the certificate on.
    fn enter(&mut self, now: Timestamp, outputs: &mut Vec<Output<V>>) {
        let certified = self.rounds.iter().rev().find(|(_, round)| round.exit().is_some());
        let last = certified.map_or(View::ZERO, |(view, _)| *view).max(self.chain.tip().view);
        if last < self.view {
            return;
        }
        let final_view = self.final_view();
        self.view = last.next();
        self.entered_at = now;
        // The finality of the view before arrives only after this one is entered.
        let failed = last.0.saturating_sub(final_view.0).saturating_sub(1);
        self.timeout = self.config.timing.after(failed);
        self.retry_at = None;
        self.asked = None;
        let entry = self.entry().cloned();
        let skipped = entry.as_ref().is_some_and(|entry| entry.kind == Kind::Nullify);
        if let Some(entry) = entry {
            self.persist(Record::Certificate(entry.clone()), outputs);
            self.broadcast(Message::Certificate(entry), outputs);
        }
        outputs.push(Output::Entered { view: self.view, skipped });
    }

    /// The latest view that is known to be final, with its value at hand or not.
    fn final_view(&self) -> View {
        let known = self.rounds.iter().rev();
        let known = known.filter(|(_, round)| round.certificate(Kind::Finalize).is_some());
        known.map(|(view, _)| *view).next().unwrap_or(self.chain.tip().view)
    }

    /// Votes to finalize every view that was left with a notarization and without an own vote to
    /// skip it. Such a vote can not be cast any more, since only the current view is skipped.
    fn finalize(&mut self, keys: &impl Signer, outputs: &mut Vec<Output<V>>) {
        let open = self.rounds.range(..self.view).filter_map(|(view, round)| {
            let notarized = round.certificate(Kind::Notarize)?;
            let free = round.own(Kind::Nullify).is_none()
                && round.own(Kind::Finalize).is_none()
                && !round.nullified();
            free.then_some((*view, notarized.digest))
        });
        for (view, digest) in open.collect::<Vec<_>>() {
            self.cast(keys, view, Kind::Finalize, digest, outputs);
        }
    }

    /// Establishes the place of the current view's proposal, then asks whether it is valid.
    fn consider(&mut self, now: Timestamp, outputs: &mut Vec<Output<V>>) {
        let Some((proposed, value)) = self.current_proposal() else { return };
        let due = match proposed.check {
            Check::Linking => true,
            Check::AskAt(at) => now >= at,
            Check::Asked | Check::Valid | Check::Refused => false,
        };
        if !due {
            return;
        }
        let digest = proposed.vote.digest;
        let check = match self.link(proposed.parent_view, value) {
            Link::Unknown => return,
            Link::Wrong => {
                outputs.push(Output::Dropped(Dropped::Unlinked));
                Check::Refused
            }
            Link::Right { timestamp } if timestamp > now + self.config.timing.max_skew => return,
            Link::Right { .. } => {
                let (view, value) = (self.view, value.clone());
                outputs.push(Output::Validate { view, digest, value });
                Check::Asked
            }
        };
        if let Some(proposed) = self.rounds.get_mut(&self.view).and_then(|r| r.proposal.as_mut()) {
            proposed.check = check;
        }
    }

    /// Rule R-CONS-6: the parent is notarized, every view between is nullified, and the whole
    /// chain from the newest final value is at hand.
    fn link(&self, parent_view: View, value: &V) -> Link {
        let tip = self.chain.tip();
        if parent_view < tip.view {
            return Link::Wrong;
        }
        let between = (parent_view.0 + 1)..self.view.0;
        for view in between.map(View) {
            if !self.rounds.get(&view).is_some_and(|round| round.nullified()) {
                return Link::Unknown;
            }
        }
        let notarized = if parent_view == tip.view {
            Some(tip.digest)
        } else {
            self.rounds.get(&parent_view).and_then(|round| round.notarized())
        };
        match notarized {
            None => return Link::Unknown,
            Some(digest) if digest != value.parent() => return Link::Wrong,
            Some(_) => {}
        }
        let Reach::Held { number, timestamp } = self.chain.reach(value.parent()) else {
            return Link::Unknown;
        };
        let earliest = timestamp + self.config.timing.interval;
        if value.number() != number.saturating_add(1) || value.timestamp() < earliest {
            return Link::Wrong;
        }
        Link::Right { timestamp: value.timestamp() }
    }

    fn current_proposal(&self) -> Option<(&Proposed, &V)> {
        let proposed = self.rounds.get(&self.view)?.proposal.as_ref()?;
        Some((proposed, self.chain.value(&proposed.vote.digest)?))
    }

    /// Votes for the current view's proposal once it is valid, be it after a vote to skip.
    fn notarize(&mut self, keys: &impl Signer, outputs: &mut Vec<Output<V>>) {
        let Some((proposed, _)) = self.current_proposal() else { return };
        let voted = self.rounds.get(&self.view).is_some_and(|r| r.own(Kind::Notarize).is_some());
        if proposed.check != Check::Valid || voted {
            return;
        }
        let digest = proposed.vote.digest;
        self.cast(keys, self.view, Kind::Notarize, digest, outputs);
    }

    /// What a proposal of the current view should extend: the latest notarized value such that all
    /// views after it are nullified. `Err` has the views whose certificates are missing, by range.
    pub(crate) fn parent(&self) -> Result<Parent, Option<(View, View)>> {
        let tip = self.chain.tip();
        let mut unknown: Option<(View, View)> = None;
        let mut unknowns = 0;
        let mut candidate = None;
        let mut at = self.view;
        while let Some(view) = at.previous()
            && view > tip.view
        {
            at = view;
            let round = self.rounds.get(&view);
            let notarized = round.and_then(|round| round.notarized());
            if let Some(digest) = notarized
                && let Reach::Held { number, timestamp } = self.chain.reach(digest)
            {
                candidate = Some(Parent { view, digest, number, timestamp });
                break;
            }
            if !round.is_some_and(|round| round.nullified()) {
                if notarized.is_some() {
                    // Its value is missing, and nothing below can be the parent.
                    return Err(unknown);
                }
                unknown = Some((view, unknown.map_or(view, |(_, to)| to)));
                unknowns += 1;
                if unknowns == MAX_CERTIFICATES {
                    // Far behind: a request has no room for more.
                    break;
                }
            }
        }
        match unknown {
            Some(range) => Err(Some(range)),
            None => Ok(candidate.unwrap_or(Parent {
                view: tip.view,
                digest: tip.digest,
                number: tip.number,
                timestamp: tip.timestamp,
            })),
        }
    }

    /// When the current view's proposal is due. Unknown parents are taken to be young.
    fn due(&self) -> Timestamp {
        let interval = self.config.timing.interval;
        let due = match self.parent() {
            Ok(parent) => parent.timestamp + interval,
            Err(_) => self.entered_at + interval,
        };
        due.max(self.entered_at)
    }

    fn leads(&self) -> bool {
        let voted = self.rounds.get(&self.view).is_some_and(|r| r.own(Kind::Notarize).is_some());
        self.leader(self.view) == self.me && !voted
    }

    /// The leader asks for a value when the proposal is due.
    fn ask(&mut self, now: Timestamp, outputs: &mut Vec<Output<V>>) {
        if !self.leads() || self.asked.is_some() {
            return;
        }
        let Ok(parent) = self.parent() else { return };
        let earliest = parent.timestamp + self.config.timing.interval;
        if now < earliest {
            return;
        }
        let number = parent.number.saturating_add(1);
        self.asked = Some(Asked {
            view: self.view,
            parent_view: parent.view,
            parent: parent.digest,
            number,
            earliest,
        });
        outputs.push(Output::NeedValue {
            view: self.view,
            parent: parent.digest,
            number,
            timestamp: now,
        });
    }

    /// The leader's own vote for the value that it asked for; it is proposed when durable.
    pub(crate) fn take_value(
        &mut self,
        keys: &impl Signer,
        view: View,
        value: V,
        outputs: &mut Vec<Output<V>>,
    ) {
        let Some(asked) = self.asked.filter(|asked| asked.view == view && self.leads()) else {
            outputs.push(Output::Dropped(Dropped::Late));
            return;
        };
        let linked = value.parent() == asked.parent
            && value.number() == asked.number
            && value.timestamp() >= asked.earliest;
        if !linked {
            outputs.push(Output::Dropped(Dropped::Unlinked));
            return;
        }
        let digest = value.digest();
        self.chain.insert(digest, value);
        let vote = Vote::sign(keys, view, Kind::Notarize, digest);
        let parent_view = asked.parent_view;
        let proposed = Proposed { parent_view, vote: vote.clone(), check: Check::Valid };
        self.rounds.entry(view).or_default().proposal = Some(proposed);
        self.record(vote, outputs);
    }

    /// Skips the current view: it has timed out, or its proposal is invalid.
    pub(crate) fn nullify(
        &mut self,
        keys: &impl Signer,
        now: Timestamp,
        outputs: &mut Vec<Output<V>>,
    ) {
        let round = self.rounds.entry(self.view).or_default();
        if round.own(Kind::Nullify).is_some() || round.own(Kind::Finalize).is_some() {
            return;
        }
        self.retry_at = Some(now + self.config.timing.retry);
        self.cast(keys, self.view, Kind::Nullify, B256::ZERO, outputs);
    }

    fn time_out(&mut self, keys: &impl Signer, now: Timestamp, outputs: &mut Vec<Output<V>>) {
        if now >= self.deadline() {
            self.nullify(keys, now, outputs);
        }
        if self.retry_at.is_some_and(|at| now >= at) {
            self.retry(outputs);
            let again = self.nullified_here().then(|| now + self.config.timing.retry);
            self.retry_at = again;
        }
    }

    pub(crate) fn deadline(&self) -> Timestamp {
        self.due() + self.timeout
    }

    fn nullified_here(&self) -> bool {
        self.rounds.get(&self.view).is_some_and(|round| round.own(Kind::Nullify).is_some())
    }

    /// Shows the others where this validator is stuck.
    fn retry(&self, outputs: &mut Vec<Output<V>>) {
        let mut votes: Vec<Vote> = self
            .rounds
            .get(&self.view)
            .into_iter()
            .flat_map(|round| round.durable().cloned())
            .collect();
        for (_, round) in self.rounds.range(..self.view).rev() {
            let finalize = round.own(Kind::Finalize).filter(|cast| cast.durable);
            votes.extend(finalize.map(|cast| cast.vote.clone()));
        }
        votes.truncate(MAX_RETRY_VOTES);
        let retry = Retry {
            view: self.view,
            entry: self.entry().cloned(),
            votes,
            finalized: self.chain.tip().number,
        };
        self.broadcast(Message::Retry(retry), outputs);
    }

    /// This validator's proposal as the leader of `view`, when it may be shown.
    pub(crate) fn own_proposal(&self, view: View) -> Option<Proposal<V>> {
        let round = self.rounds.get(&view)?;
        let proposed = round.proposal.as_ref()?;
        let durable = round.own(Kind::Notarize).is_some_and(|cast| cast.durable);
        if !durable || proposed.vote.validator != self.me {
            return None;
        }
        let value = self.chain.value(&proposed.vote.digest)?.clone();
        Some(Proposal { parent_view: proposed.parent_view, value, vote: proposed.vote.clone() })
    }

    fn cast(
        &mut self,
        keys: &impl Signer,
        view: View,
        kind: Kind,
        digest: B256,
        outputs: &mut Vec<Output<V>>,
    ) {
        self.record(Vote::sign(keys, view, kind, digest), outputs);
    }

    /// Rule R-CONS-5: a vote is remembered at once and written; it counts when it is durable.
    fn record(&mut self, vote: Vote, outputs: &mut Vec<Output<V>>) {
        let round = self.rounds.entry(vote.view).or_default();
        round.cast(vote.clone(), false);
        let proposed = round.proposal.clone().filter(|_| vote.kind == Kind::Notarize);
        let proposal = proposed.and_then(|proposed| {
            let value = self.chain.value(&proposed.vote.digest)?.clone();
            Some(Proposal { parent_view: proposed.parent_view, value, vote: proposed.vote })
        });
        let pending = (vote.view, vote.kind);
        let id = self.persist(Record::Vote { vote, proposal }, outputs);
        self.pending.insert(id, pending);
    }

    pub(crate) fn persist(&mut self, record: Record<V>, outputs: &mut Vec<Output<V>>) -> WriteId {
        self.last_write = self.last_write.next();
        outputs.push(Output::Persist { id: self.last_write, record });
        self.last_write
    }

    /// Counts and shows the votes that have become durable.
    pub(crate) fn take_durable(&mut self, id: WriteId, outputs: &mut Vec<Output<V>>) {
        let later = self.pending.split_off(&id.next());
        for (_, (view, kind)) in std::mem::replace(&mut self.pending, later) {
            // A view that is final by now needs no more votes.
            let Some(round) = self.rounds.get_mut(&view) else { continue };
            round.set_durable(kind);
            let Some(vote) = round.own(kind).map(|cast| cast.vote.clone()) else { continue };
            let own = self.own_proposal(view).filter(|_| kind == Kind::Notarize);
            self.broadcast(own.map_or(Message::Vote(vote.clone()), Message::Propose), outputs);
            if let Err(reason) = self.tally(&vote, outputs) {
                outputs.push(Output::Dropped(reason));
            }
        }
    }

    pub(crate) fn broadcast(&self, message: Message<V>, outputs: &mut Vec<Output<V>>) {
        if self.size > 1 {
            outputs.push(Output::Broadcast(message));
        }
    }

    /// Asks to be woken when the next thing is due.
    fn set_wake(&mut self, now: Timestamp, outputs: &mut Vec<Output<V>>) {
        let proposal = self.current_proposal().and_then(|(proposed, value)| match proposed.check {
            Check::AskAt(at) => Some(at),
            Check::Linking => {
                let ready =
                    Timestamp(value.timestamp().0.saturating_sub(self.config.timing.max_skew.0));
                (ready > now).then_some(ready)
            }
            _ => None,
        });
        let lead = self.leads() && self.asked.is_none() && self.parent().is_ok();
        let due = lead.then(|| self.due());
        let deadline = (!self.nullified_here()).then(|| self.deadline());
        let wake =
            [proposal, due, deadline, self.retry_at, self.fetch.ask_at].into_iter().flatten().min();
        if let Some(at) = wake
            && self.wake != Some(at)
        {
            self.wake = Some(at);
            outputs.push(Output::Wake(at));
        }
    }
}

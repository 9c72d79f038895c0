//! The machine: its state, its inputs, and what it does with each message (rules R-CONS-4 to
//! R-CONS-14). What follows from the state is in `voting`, `finality` and `fetch`.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use cross_shard_msg::{Duration, Epoch, Timestamp, ValidatorIndex, View, WriteId};

use crate::certificate::Certificate;
use crate::chain::Chain;
use crate::committee::Signer;
use crate::evidence::Evidence;
use crate::fetch::Fetch;
use crate::interface::{Config, Dropped, Input, Output, Verdict};
use crate::message::{Message, Proposal, Retry};
use crate::value::{Tip, Value};
use crate::view::{Check, Proposed, Round, Tally};
use crate::vote::{Kind, Vote};

/// One validator's side of Simplex.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Simplex<V> {
    pub(crate) config: Config,
    pub(crate) epoch: Epoch,
    pub(crate) me: ValidatorIndex,
    pub(crate) size: usize,
    pub(crate) quorum: usize,
    pub(crate) chain: Chain<V>,
    /// Views above the tip's. Past ones stay until a later value is final.
    pub(crate) rounds: BTreeMap<View, Round>,
    pub(crate) view: View,
    pub(crate) entered_at: Timestamp,
    /// Of the current view, from the time its proposal is due.
    pub(crate) timeout: Duration,
    /// When votes of the current view are repeated.
    pub(crate) retry_at: Option<Timestamp>,
    /// What the application was asked to build.
    pub(crate) asked: Option<Asked>,
    /// Votes that are not durable yet.
    pub(crate) pending: BTreeMap<WriteId, (View, Kind)>,
    pub(crate) last_write: WriteId,
    pub(crate) fetch: Fetch,
    pub(crate) wake: Option<Timestamp>,
    pub(crate) started: bool,
    pub(crate) recovered: bool,
}

/// The value that the application was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub view: View,
    pub parent_view: View,
    pub parent: B256,
    pub number: u64,
    pub earliest: Timestamp,
}

impl<V: Value> Simplex<V> {
    /// A validator that has never voted. `keys` must be the same with every input.
    pub fn new(config: Config, keys: &impl Signer, genesis: Tip) -> Self {
        Self {
            config,
            epoch: keys.domain().epoch,
            me: keys.validator(),
            size: keys.size(),
            quorum: keys.quorum(),
            view: genesis.view.next(),
            chain: Chain::new(genesis),
            rounds: BTreeMap::new(),
            entered_at: Timestamp::ZERO,
            timeout: config.timing.timeout,
            retry_at: None,
            asked: None,
            pending: BTreeMap::new(),
            last_write: WriteId::ZERO,
            fetch: Fetch::default(),
            wake: None,
            started: false,
            recovered: false,
        }
    }

    /// Handles one input at time `now` and appends what must happen to `outputs`. Bad input is
    /// dropped, and [`Output::Dropped`] says so. Time must not go back.
    pub fn handle(
        &mut self,
        keys: &impl Signer,
        now: Timestamp,
        input: Input<V>,
        outputs: &mut Vec<Output<V>>,
    ) {
        if !self.started {
            self.start(now);
        }
        match input {
            Input::Start => {}
            Input::Wake => self.wake = None,
            Input::Message { from, message } => self.receive(keys, from, message, outputs),
            Input::Proposal { view, value } => self.take_value(keys, view, value, outputs),
            Input::Verdict { view, digest, verdict } => {
                self.take_verdict(keys, now, view, digest, verdict, outputs);
            }
            Input::Durable(id) => self.take_durable(id, outputs),
        }
        self.advance(keys, now, outputs);
    }

    /// The current view.
    #[must_use]
    pub const fn view(&self) -> View {
        self.view
    }

    /// The leader of a view: the validators take turns.
    #[must_use]
    pub fn leader(&self, view: View) -> ValidatorIndex {
        let index = view.0 % self.size as u64;
        ValidatorIndex(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The newest final value.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        self.chain.tip()
    }

    /// A value that is proposed or notarized, and not final.
    #[must_use]
    pub fn value(&self, digest: &B256) -> Option<&V> {
        self.chain.value(digest)
    }

    /// How many validators there are.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    fn start(&mut self, now: Timestamp) {
        self.started = true;
        self.entered_at = now;
        if self.recovered {
            self.retry_at = Some(now);
        }
    }

    fn receive(
        &mut self,
        keys: &impl Signer,
        from: ValidatorIndex,
        message: Message<V>,
        outputs: &mut Vec<Output<V>>,
    ) {
        let member = (from.0 as usize) < self.size && from != self.me;
        if !member || message.validate(self.size).is_err() {
            outputs.push(Output::Dropped(Dropped::Malformed));
            return;
        }
        let refused = match message {
            Message::Propose(proposal) => self.receive_proposal(keys, proposal, outputs),
            Message::Vote(vote) => self.receive_vote(keys, &vote, outputs),
            Message::Certificate(certificate) => {
                self.receive_certificate(keys, &certificate, outputs)
            }
            Message::Retry(retry) => self.receive_retry(keys, from, &retry, outputs),
            Message::Request(request) => {
                self.answer(from, &request, outputs);
                Ok(())
            }
            Message::Response(response) => self.receive_response(keys, response, outputs),
            Message::Finalized(runs) => self.receive_finalized(keys, runs, outputs),
        };
        if let Err(reason) = refused {
            outputs.push(Output::Dropped(reason));
        }
    }

    fn receive_proposal(
        &mut self,
        keys: &impl Signer,
        proposal: Proposal<V>,
        outputs: &mut Vec<Output<V>>,
    ) -> Result<(), Dropped> {
        let Proposal { parent_view, value, vote } = proposal;
        self.admit(vote.epoch, vote.view)?;
        if vote.validator != self.leader(vote.view) || vote.validator == self.me {
            return Err(Dropped::NotLeader);
        }
        if parent_view >= vote.view {
            return Err(Dropped::Unlinked);
        }
        let known = self.rounds.get(&vote.view);
        let first = known.is_none_or(|round| round.proposal.is_none());
        // A late proposal still brings the value of a notarization, which vouches for it.
        let wanted = self.fetch.wants_value(&vote.digest);
        if !wanted {
            if vote.view < self.view {
                return Err(Dropped::Old);
            }
            if !first && known.is_some_and(|round| round.knows(&vote)) {
                return Err(Dropped::Duplicate);
            }
        }
        if value.digest() != vote.digest || !vote.verify(keys) {
            return Err(Dropped::Unverified);
        }
        let counted = self.tally(&vote, outputs);
        if wanted {
            self.chain.insert(vote.digest, value.clone());
        }
        counted?;
        if first && vote.view >= self.view {
            self.chain.insert(vote.digest, value);
            let round = self.rounds.entry(vote.view).or_default();
            round.proposal = Some(Proposed { parent_view, vote, check: Check::Linking });
        }
        Ok(())
    }

    pub(crate) fn receive_vote(
        &mut self,
        keys: &impl Signer,
        vote: &Vote,
        outputs: &mut Vec<Output<V>>,
    ) -> Result<(), Dropped> {
        self.admit(vote.epoch, vote.view)?;
        let known = self.rounds.get(&vote.view).is_some_and(|round| round.knows(vote));
        if known || vote.validator == self.me {
            return Err(Dropped::Duplicate);
        }
        if !vote.verify(keys) {
            return Err(Dropped::Unverified);
        }
        self.tally(vote, outputs)
    }

    pub(crate) fn receive_certificate(
        &mut self,
        keys: &impl Signer,
        certificate: &Certificate,
        outputs: &mut Vec<Output<V>>,
    ) -> Result<(), Dropped> {
        if certificate.epoch != self.epoch {
            return Err(Dropped::Epoch);
        }
        // No bound ahead: a certificate proves that a quorum was there.
        if certificate.view <= self.chain.tip().view {
            return Err(Dropped::Old);
        }
        let known = self.rounds.get(&certificate.view);
        if known.is_some_and(|round| round.certificate(certificate.kind).is_some()) {
            return Err(Dropped::Duplicate);
        }
        if certificate.verify(keys).is_err() {
            return Err(Dropped::Unverified);
        }
        let round = self.rounds.entry(certificate.view).or_default();
        for evidence in round.certify(certificate) {
            self.accuse(Some(evidence), outputs);
        }
        Ok(())
    }

    fn receive_retry(
        &mut self,
        keys: &impl Signer,
        from: ValidatorIndex,
        retry: &Retry,
        outputs: &mut Vec<Output<V>>,
    ) -> Result<(), Dropped> {
        let mut refused = Ok(());
        if let Some(entry) = &retry.entry {
            refused = refused.and(self.receive_certificate(keys, entry, outputs));
        }
        for vote in &retry.votes {
            refused = refused.and(self.receive_vote(keys, vote, outputs));
        }
        self.help(from, retry, outputs);
        // What a retry repeats is mostly known: that is what it is for.
        refused.or_else(|reason| match reason {
            Dropped::Duplicate | Dropped::Old => Ok(()),
            other => Err(other),
        })
    }

    /// Gives a validator that is stuck what moves it on.
    fn help(&self, to: ValidatorIndex, retry: &Retry, outputs: &mut Vec<Output<V>>) {
        let mut send = |message| outputs.push(Output::Send { to, message });
        if retry.view < self.view
            && let Some(entry) = self.entry()
        {
            send(Message::Certificate(entry.clone()));
        }
        if retry.finalized < self.chain.tip().number
            && let Some(proof) = &self.chain.tip().certificate
            && self.entry() != Some(proof.certificate())
        {
            send(Message::Certificate(proof.certificate().clone()));
        }
        let notarized = retry.votes.iter().any(|vote| vote.kind == Kind::Notarize);
        if retry.view == self.view
            && !notarized
            && let Some(proposal) = self.own_proposal(self.view)
        {
            send(Message::Propose(proposal));
        }
    }

    /// The certificate by which the current view was entered; `None` in the first one.
    pub(crate) fn entry(&self) -> Option<&Certificate> {
        let tip = self.chain.tip();
        let before = self.view.previous()?;
        if before == tip.view {
            return tip.certificate.as_ref().map(|proof| proof.certificate());
        }
        self.rounds.get(&before)?.exit()
    }

    /// Whether a vote in this view is worth a look.
    fn admit(&self, epoch: Epoch, view: View) -> Result<(), Dropped> {
        if epoch != self.epoch {
            Err(Dropped::Epoch)
        } else if view <= self.chain.tip().view {
            Err(Dropped::Old)
        } else if view.0 > self.view.0.saturating_add(self.config.future_views) {
            Err(Dropped::Future)
        } else {
            Ok(())
        }
    }

    /// Counts a verified vote, an own durable one included.
    pub(crate) fn tally(
        &mut self,
        vote: &Vote,
        outputs: &mut Vec<Output<V>>,
    ) -> Result<(), Dropped> {
        let round = self.rounds.entry(vote.view).or_default();
        match round.tally(vote, self.quorum) {
            Tally::Counted => Ok(()),
            Tally::Conflict(evidence) => {
                self.accuse(evidence.map(|evidence| *evidence), outputs);
                Err(Dropped::Equivocation)
            }
        }
    }

    fn accuse(&self, evidence: Option<Evidence>, outputs: &mut Vec<Output<V>>) {
        outputs.extend(evidence.map(Output::Evidence));
    }

    fn take_verdict(
        &mut self,
        keys: &impl Signer,
        now: Timestamp,
        view: View,
        digest: B256,
        verdict: Verdict,
        outputs: &mut Vec<Output<V>>,
    ) {
        let again = now + self.config.timing.fetch_retry;
        let proposal = self.rounds.get_mut(&view).and_then(|round| round.proposal.as_mut());
        match proposal {
            Some(proposal)
                if view == self.view
                    && proposal.vote.digest == digest
                    && matches!(proposal.check, Check::Asked | Check::AskAt(_)) =>
            {
                proposal.check = match verdict {
                    Verdict::Valid => Check::Valid,
                    Verdict::NotYet => Check::AskAt(again),
                    Verdict::Invalid => Check::Refused,
                };
                if verdict == Verdict::Invalid {
                    self.nullify(keys, now, outputs);
                }
            }
            _ => outputs.push(Output::Dropped(Dropped::Late)),
        }
    }
}

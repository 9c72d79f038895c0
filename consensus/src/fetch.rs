//! Asking for missing certificates and values, and answering (rule R-CONS-10).
//!
//! What is missing follows from the state, so it is computed anew after every input. One request
//! is open at a time; the next one goes to the next validator.

use std::collections::BTreeSet;

use alloy_primitives::B256;
use cross_shard_msg::{Timestamp, ValidatorIndex, View};

use crate::chain::Reach;
use crate::committee::Signer;
use crate::interface::{Dropped, Output};
use crate::message::{MAX_CERTIFICATES, MAX_RUNS, MAX_VALUES, Message, Request, Response};
use crate::simplex::Simplex;
use crate::value::Value;

/// What is asked for, and when next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Fetch {
    /// Values that are known by a certificate or a descendant only.
    values: BTreeSet<B256>,
    pub ask_at: Option<Timestamp>,
    /// Requests so far: decides who is asked next.
    requests: u64,
    /// The last input brought something that was missing: ask for what is behind it at once.
    pub progress: bool,
}

impl Fetch {
    pub fn wants_value(&self, digest: &B256) -> bool {
        self.values.contains(digest)
    }
}

impl<V: Value> Simplex<V> {
    /// Asks the next validator for what is missing, when it is time.
    pub(crate) fn request_missing(&mut self, now: Timestamp, outputs: &mut Vec<Output<V>>) {
        let values = self.missing_values();
        let certificates = self.missing_certificates();
        let progress = std::mem::take(&mut self.fetch.progress);
        self.fetch.values = values;
        if self.size == 1 || (self.fetch.values.is_empty() && certificates.is_none()) {
            self.fetch.ask_at = None;
            return;
        }
        let timing = self.config.timing;
        match self.fetch.ask_at {
            Some(at) if now >= at || progress => {}
            Some(_) => return,
            None => {
                self.fetch.ask_at = Some(now + timing.fetch_after);
                return;
            }
        }
        self.fetch.ask_at = Some(now + timing.fetch_retry);
        let request = Request {
            certificates,
            values: self.fetch.values.iter().take(MAX_VALUES).copied().collect(),
            finalized: self.chain.tip().number,
        };
        let to = self.next_peer();
        outputs.push(Output::Send { to, message: Message::Request(request) });
    }

    fn next_peer(&mut self) -> ValidatorIndex {
        let others = self.size as u64 - 1;
        let step = 1 + self.fetch.requests % others;
        self.fetch.requests = self.fetch.requests.wrapping_add(1);
        let index = (u64::from(self.me.0) + step) % self.size as u64;
        ValidatorIndex(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The first missing ancestor of every value that is certified, or proposed to extend.
    fn missing_values(&self) -> BTreeSet<B256> {
        let certified = self.rounds.values().filter_map(|round| round.notarized());
        let proposed = self
            .rounds
            .get(&self.view)
            .and_then(|round| round.proposal.as_ref())
            .map(|proposed| proposed.vote.digest);
        let missing =
            certified.chain(proposed).filter_map(|digest| match self.chain.reach(digest) {
                Reach::Missing(digest) => Some(digest),
                Reach::Held { .. } | Reach::Forked => None,
            });
        missing.collect()
    }

    /// Views of which certificates are missing: between the best parent and the current view, or
    /// between the parent that the leader claims and the current view.
    fn missing_certificates(&self) -> Option<(View, View)> {
        let found = match self.parent() {
            Err(range) => range,
            Ok(_) => self.missing_for_proposal(),
        };
        found.map(|(from, to)| {
            (from, to.min(View(from.0.saturating_add(MAX_CERTIFICATES as u64 - 1))))
        })
    }

    fn missing_for_proposal(&self) -> Option<(View, View)> {
        let proposed = self.rounds.get(&self.view)?.proposal.as_ref()?;
        if proposed.check != crate::view::Check::Linking {
            return None;
        }
        let parent_view = proposed.parent_view;
        let tip = self.chain.tip().view;
        let lacks = |view: &View| {
            let round = self.rounds.get(view);
            if *view == parent_view {
                round.is_none_or(|round| round.notarized().is_none())
            } else {
                round.is_none_or(|round| !round.nullified())
            }
        };
        let mut missing = (parent_view.0.max(tip.0 + 1)..self.view.0).map(View).filter(lacks);
        let from = missing.next()?;
        Some((from, missing.next_back().unwrap_or(from)))
    }

    /// Answers a request with what is at hand, and lets the application serve what is final.
    pub(crate) fn answer(
        &self,
        to: ValidatorIndex,
        request: &Request,
        outputs: &mut Vec<Output<V>>,
    ) {
        let tip = self.chain.tip();
        if request.finalized < tip.number {
            outputs.push(Output::Serve { to, after: request.finalized, limit: MAX_RUNS });
        }
        let mut certificates = Vec::new();
        if let Some((from, until)) = request.certificates {
            let proof = tip.certificate.iter().filter(|_| from <= tip.view);
            let proof = proof.map(|proof| proof.certificate());
            // A bound of the message, checked before, keeps the range short; but it is a claim.
            let rounds =
                if from <= until { self.rounds.range(from..=until).collect() } else { Vec::new() };
            let others = rounds.into_iter().flat_map(|(_, round)| round.certificates());
            certificates.extend(proof.chain(others).take(MAX_CERTIFICATES).cloned());
        }
        let values = request.values.iter().filter_map(|digest| self.chain.value(digest));
        let values: Vec<V> = values.take(MAX_VALUES).cloned().collect();
        if !certificates.is_empty() || !values.is_empty() {
            let message = Message::Response(Response { certificates, values });
            outputs.push(Output::Send { to, message });
        }
    }

    /// Takes the certificates and values that are missing here.
    pub(crate) fn receive_response(
        &mut self,
        keys: &impl Signer,
        response: Response<V>,
        outputs: &mut Vec<Output<V>>,
    ) -> Result<(), Dropped> {
        let mut refused = Ok(());
        for certificate in &response.certificates {
            match self.receive_certificate(keys, certificate, outputs) {
                Ok(()) => self.fetch.progress = true,
                Err(reason) => refused = Err(reason),
            }
        }
        for value in response.values {
            let digest = value.digest();
            if self.fetch.wants_value(&digest) {
                self.chain.insert(digest, value);
                self.fetch.progress = true;
            } else {
                refused = Err(Dropped::Unasked);
            }
        }
        refused
    }
}

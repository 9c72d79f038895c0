//! What is known of one view: its proposal, the votes in it, and their certificates.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use cross_shard_msg::signature::NodeSignature;
use cross_shard_msg::{Timestamp, ValidatorIndex, View};

use crate::certificate::Certificate;
use crate::evidence::Evidence;
use crate::vote::{Kind, Vote};

/// How far this validator has come with a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Check {
    /// Its place in the chain is not established yet.
    Linking,
    /// The application is asked.
    Asked,
    /// The application wants to be asked again.
    AskAt(Timestamp),
    /// It may be voted for.
    Valid,
    /// It will never be voted for.
    Refused,
}

/// The first proposal of a view's leader. Its value is in the chain's store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Proposed {
    pub parent_view: View,
    pub vote: Vote,
    pub check: Check,
}

/// A vote of this validator. It counts, and is sent, once it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cast {
    pub vote: Vote,
    pub durable: bool,
}

/// The votes of one kind: the first of each validator.
type Votes = BTreeMap<ValidatorIndex, (B256, NodeSignature)>;

/// One view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Round {
    pub proposal: Option<Proposed>,
    /// By [`Kind::code`].
    votes: [Votes; 3],
    certificates: [Option<Certificate>; 3],
    own: [Option<Cast>; 3],
    accused: BTreeSet<ValidatorIndex>,
}

/// What became of a vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tally {
    /// It counts; a quorum of equal ones is now a certificate.
    Counted,
    /// It contradicts another vote of the same validator, and is not counted. The evidence comes
    /// only the first time.
    Conflict(Option<Box<Evidence>>),
}

impl Round {
    pub fn certificate(&self, kind: Kind) -> Option<&Certificate> {
        self.certificates[usize::from(kind.code())].as_ref()
    }

    pub fn own(&self, kind: Kind) -> Option<&Cast> {
        self.own[usize::from(kind.code())].as_ref()
    }

    /// The value that a quorum voted for. A finalization proves that as well.
    pub fn notarized(&self) -> Option<B256> {
        let certificate = self.certificate(Kind::Notarize).or(self.certificate(Kind::Finalize));
        certificate.map(|certificate| certificate.digest)
    }

    pub fn nullified(&self) -> bool {
        self.certificate(Kind::Nullify).is_some()
    }

    /// What moves validators past this view. A value is preferred to a skip.
    pub fn exit(&self) -> Option<&Certificate> {
        [Kind::Notarize, Kind::Finalize, Kind::Nullify]
            .into_iter()
            .find_map(|kind| self.certificate(kind))
    }

    /// All certificates there are.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.iter().flatten()
    }

    /// Own votes that may be shown to others.
    pub fn durable(&self) -> impl Iterator<Item = &Vote> {
        self.own.iter().flatten().filter(|cast| cast.durable).map(|cast| &cast.vote)
    }

    /// Remembers an own vote before it may be shown.
    pub fn cast(&mut self, vote: Vote, durable: bool) {
        let slot = &mut self.own[usize::from(vote.kind.code())];
        assert!(slot.is_none(), "a validator votes once of each kind in a view");
        *slot = Some(Cast { vote, durable });
    }

    pub fn set_durable(&mut self, kind: Kind) {
        if let Some(cast) = &mut self.own[usize::from(kind.code())] {
            cast.durable = true;
        }
    }

    /// Whether this vote would change nothing, so that it need not be verified.
    pub fn knows(&self, vote: &Vote) -> bool {
        let slot = usize::from(vote.kind.code());
        match self.votes[slot].get(&vote.validator) {
            Some((digest, _)) if *digest == vote.digest => true,
            Some(_) => self.accused.contains(&vote.validator),
            None => {
                let decided = self.certificates[slot].is_some();
                decided && self.contradicted(vote).is_none()
            }
        }
    }

    /// Counts a verified vote; `quorum` equal ones make a certificate.
    pub fn tally(&mut self, vote: &Vote, quorum: usize) -> Tally {
        if self.contradicted(vote).is_some() {
            return Tally::Conflict(self.accuse(vote).map(Box::new));
        }
        let slot = usize::from(vote.kind.code());
        let votes = &mut self.votes[slot];
        votes.entry(vote.validator).or_insert((vote.digest, vote.signature));
        if self.certificates[slot].is_some() {
            return Tally::Counted;
        }
        let equal = votes.iter().filter(|(_, (digest, _))| *digest == vote.digest);
        let signatures: Vec<_> = equal.map(|(who, (_, signature))| (*who, *signature)).collect();
        if signatures.len() < quorum {
            return Tally::Counted;
        }
        self.certificates[slot] = Some(Certificate {
            epoch: vote.epoch,
            view: vote.view,
            kind: vote.kind,
            digest: vote.digest,
            signatures,
        });
        Tally::Counted
    }

    /// Keeps a verified certificate, and returns whom it convicts.
    pub fn certify(&mut self, certificate: &Certificate) -> Vec<Evidence> {
        let slot = usize::from(certificate.kind.code());
        self.certificates[slot].get_or_insert_with(|| certificate.clone());
        certificate.votes().filter_map(|vote| self.accuse(&vote)).collect()
    }

    /// Evidence of this vote and an earlier one, the first time there is some.
    pub fn accuse(&mut self, vote: &Vote) -> Option<Evidence> {
        let evidence = self.contradicted(vote)?;
        self.accused.insert(vote.validator).then_some(evidence)
    }

    /// What makes this vote an equivocation.
    pub fn contradicted(&self, vote: &Vote) -> Option<Evidence> {
        [Kind::Notarize, Kind::Nullify, Kind::Finalize].into_iter().find_map(|kind| {
            let (digest, signature) =
                self.votes[usize::from(kind.code())].get(&vote.validator).copied()?;
            let first = Vote {
                epoch: vote.epoch,
                view: vote.view,
                kind,
                digest,
                validator: vote.validator,
                signature,
            };
            Evidence::new(first, vote.clone())
        })
    }
}

//! Proof that a node broke the protocol, kept for whoever asks later (rules R-CONS-12, R-CKPT-10).
//!
//! Each piece is self-contained: with the network's settings alone anybody can check it. It goes
//! into the coordinator's log like a vote, so that it outlives the process.

use consensus::Evidence;
use cross_shard_msg::header::genesis_hash;
use cross_shard_msg::{
    CheckpointNumber, Effect, Effects, Event, Height, NodeId, Settings, SignedHeader, WriteId,
};
use serde::{Deserialize, Serialize};

use crate::coordinator::{Coordinator, MAX_EVIDENCE};
use crate::headers::{Equivocation, HeaderPool};
use crate::record::CoordinatorRecord;
use crate::rules::{Rule, Violation, check_certificate, check_header};
use crate::state::Previous;

/// Most headers that break a rule of which proof is kept, besides the first of each shard; more are
/// only left out.
pub const MAX_BROKEN: usize = 64;
/// Writes of evidence are numbered from here, above all those of the agreement.
const WRITES: u64 = 1 << 62;

/// Proof that a node is faulty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proof {
    /// A validator cast two votes that no honest one casts both.
    Votes(Evidence),
    /// A shard signed two headers of one height.
    Headers(Equivocation),
    /// A shard signed a header that breaks a rule.
    Broken(BrokenHeader),
}

/// A signed header that breaks a rule which the header before it suffices to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenHeader {
    /// The header before; `None` for the shard's first one.
    pub before: Option<SignedHeader>,
    /// The header.
    pub header: SignedHeader,
}

impl Proof {
    /// Who is faulty.
    #[must_use]
    pub fn accused(&self) -> NodeId {
        match self {
            Self::Votes(evidence) => NodeId::Coordinator(evidence.first.validator),
            Self::Headers(pair) => NodeId::Shard(pair.first.shard),
            Self::Broken(broken) => NodeId::Shard(broken.header.shard),
        }
    }

    /// The view of the votes, or the height of the header.
    #[must_use]
    pub fn place(&self) -> u64 {
        match self {
            Self::Votes(evidence) => evidence.first.view.0,
            Self::Headers(pair) => pair.first.height.0,
            Self::Broken(broken) => broken.header.height.0,
        }
    }

    /// Its name in reports: `votes`, `headers`, `broken_header`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Votes(_) => "votes",
            Self::Headers(_) => "headers",
            Self::Broken(_) => "broken_header",
        }
    }

    /// Whether it proves what it says, to somebody who knows the network's settings and nothing
    /// else.
    #[must_use]
    pub fn verify(&self, settings: &Settings) -> bool {
        match self {
            Self::Votes(evidence) => consensus::checkpoint::committee(settings)
                .is_ok_and(|committee| evidence.verify(&committee)),
            Self::Headers(pair) => pair.verify(settings),
            Self::Broken(broken) => broken.violation(settings).is_some(),
        }
    }
}

impl Equivocation {
    /// Whether both headers are the shard's own, of one height, and differ.
    #[must_use]
    pub fn verify(&self, settings: &Settings) -> bool {
        let Self { first, second } = self;
        (first.shard, first.height) == (second.shard, second.height)
            && first.hash() != second.hash()
            && [first, second].into_iter().all(|one| check_certificate(settings, one).is_ok())
    }
}

impl BrokenHeader {
    /// The rule that it breaks; `None` if it breaks none, or is not the shard's.
    #[must_use]
    pub fn violation(&self, settings: &Settings) -> Option<Violation> {
        let Self { before, header } = self;
        let parent = match before {
            Some(before) => before.hash(),
            None => genesis_hash(&settings.network, header.shard),
        };
        let follows = header.parent == parent
            && before.as_ref().is_none_or(|before| before.shard == header.shard);
        let signed = before.iter().chain([header]);
        let signed = signed.into_iter().all(|one| check_certificate(settings, one).is_ok());
        if !follows || !signed {
            return None;
        }
        let previous = match before {
            Some(before) => Previous::from(before),
            None => Previous { height: Height::ZERO, hash: parent, header: None },
        };
        // Which checkpoint takes a header in is not the shard's to say.
        let any = CheckpointNumber(u64::MAX);
        check_header(settings, &previous, header, any).err()
    }
}

/// What a coordinator has of it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    votes: Vec<Evidence>,
    broken: Vec<BrokenHeader>,
    /// How many votes, equivocations and broken headers are in the log.
    logged: (usize, usize, usize),
    writes: u64,
}

impl Kept {
    /// Takes over a piece from the log.
    pub fn recover(&mut self, proof: Proof, pool: &mut HeaderPool) {
        match proof {
            Proof::Votes(evidence) => self.votes.push(evidence),
            Proof::Headers(pair) => pool.remember(pair),
            Proof::Broken(broken) => self.broken.push(broken),
        }
        self.logged = (self.votes.len(), pool.equivocations().len(), self.broken.len());
    }

    /// Keeps two votes that contradict one another, if they are the first of their validator and
    /// view. An earlier life may have kept them.
    pub fn votes(&mut self, evidence: Evidence) {
        let of = |known: &&Evidence| known.first.validator == evidence.first.validator;
        let mut known = self.votes.iter().filter(of).peekable();
        let room = self.votes.len() < MAX_EVIDENCE || known.peek().is_none();
        if room && known.all(|known| known.first.view != evidence.first.view) {
            self.votes.push(evidence);
        }
    }

    /// Keeps a header that breaks a rule, if the header before it shows that.
    pub fn broken(&mut self, settings: &Settings, violation: &Violation, pool: &HeaderPool) {
        let (Some(shard), Some(height)) = (violation.shard, violation.height) else { return };
        let Some(header) = pool.at(shard, height) else { return };
        let before = height.previous().and_then(|before| pool.at(shard, before));
        let broken = BrokenHeader { before: before.cloned(), header: header.clone() };
        let known = self.broken.iter().any(|known| known.header.hash() == header.hash());
        let first = self.broken.iter().all(|known| known.header.shard != shard);
        let room = self.broken.len() < MAX_BROKEN || first;
        if room && !known && broken.violation(settings).is_some() {
            self.broken.push(broken);
        }
    }

    /// Votes that contradict one another.
    pub fn of_validators(&self) -> &[Evidence] {
        &self.votes
    }

    /// Makes durable and observes what is new.
    pub fn log(&mut self, pool: &HeaderPool, effects: &mut Effects<Coordinator>) {
        let (votes, headers, broken) = self.logged;
        if (votes, headers, broken)
            == (self.votes.len(), pool.equivocations().len(), self.broken.len())
        {
            return;
        }
        let mut new: Vec<Proof> = self.votes[votes..].iter().cloned().map(Proof::Votes).collect();
        new.extend(pool.equivocations()[headers..].iter().cloned().map(Proof::Headers));
        new.extend(self.broken[broken..].iter().cloned().map(Proof::Broken));
        for proof in new {
            match &proof {
                Proof::Votes(Evidence { first, .. }) => {
                    effects.observe(Event::ValidatorEquivocated {
                        validator: first.validator,
                        view: first.view,
                    })
                }
                Proof::Headers(Equivocation { first, .. }) => effects
                    .observe(Event::ShardEquivocated { shard: first.shard, height: first.height }),
                // That the shard is left out is observed by itself.
                Proof::Broken(_) => {}
            }
            self.writes += 1;
            let id = WriteId(WRITES | self.writes);
            effects.push(Effect::Persist { id, record: CoordinatorRecord::Evidence(proof) });
        }
        self.logged = (self.votes.len(), pool.equivocations().len(), self.broken.len());
    }

    /// Whether this is a write of evidence, for which nothing waits.
    pub fn is_write(write: WriteId) -> bool {
        write.0 & WRITES != 0
    }
}

/// What is observed of a shard that is left out from a height on.
pub(crate) fn left_out(violation: &Violation) -> Option<Event> {
    let Violation { rule, shard, height } = *violation;
    Some(Event::LeftOut { shard: shard?, height: height?, rule: Rule::code(rule) })
}

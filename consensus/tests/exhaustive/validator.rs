//! One honest validator: the real machine, and what it has ever voted.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use consensus::{
    Certificate, Input, Kind, Message, Outline, Output, Proposal, Record, Response, Simplex, Value,
    Verdict, Vote,
};
use cross_shard_msg::{Epoch, Timestamp, ValidatorIndex, View};

use crate::word::{Assumed, FAULTY, SIZE, UNSIGNED, Word, config, genesis};

/// What a vote or a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fact {
    pub view: u8,
    pub kind: Kind,
    pub word: Word,
}

/// What may happen to a validator next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Its current view times out.
    TimeOut,
    /// It learns that a quorum voted this: the faulty one and the honest in the set, by index.
    Certify(Fact, u8),
    /// The leader proposes this value.
    Propose(Word),
    /// It crashes and starts again from its log.
    Restart,
}

/// The bounds of a search that a validator has to know.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub quorum: usize,
    /// The view of genesis; the first view is the next one.
    pub genesis: u8,
    /// The last view in which anything is proposed or times out.
    pub last: u8,
}

#[derive(Clone, Debug)]
pub struct Validator {
    pub who: u32,
    pub machine: Simplex<Word>,
    now: Timestamp,
    /// Every vote that it has shown in any of its lives.
    pub cast: BTreeMap<(u8, Kind), Word>,
    log: Vec<Record<Word>>,
    /// What became final to it last.
    tip: (B256, u64),
    /// The first rule that it broke.
    pub broken: Option<&'static str>,
}

/// What tells validators apart in a search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    who: u32,
    outline: Outline,
    cast: BTreeMap<(u8, Kind), Word>,
    /// The certificates in its log: those by which it entered views are not told from others by
    /// its outline, and it has them again after a restart.
    logged: BTreeSet<Fact>,
    broken: bool,
}

impl Validator {
    pub fn new(bounds: Bounds, who: u32) -> Self {
        let keys = Assumed { me: who, quorum: bounds.quorum };
        let mut validator = Self {
            who,
            machine: Simplex::new(config(), &keys, genesis(bounds.genesis)),
            now: Timestamp::ZERO,
            cast: BTreeMap::new(),
            log: Vec::new(),
            tip: (Word::genesis(bounds.genesis).0, 0),
            broken: None,
        };
        validator.give(bounds, Input::Start);
        validator
    }

    pub fn key(&self) -> Key {
        Key {
            who: self.who,
            outline: self.machine.outline(),
            cast: self.cast.clone(),
            logged: self.logged().collect(),
            broken: self.broken.is_some(),
        }
    }

    fn logged(&self) -> impl Iterator<Item = Fact> {
        let tip = self.machine.tip().view;
        self.log.iter().filter_map(move |record| match record {
            Record::Certificate(c) if c.view > tip => {
                Some(Fact { view: c.view.0 as u8, kind: c.kind, word: Word(c.digest) })
            }
            _ => None,
        })
    }

    pub fn view(&self) -> u8 {
        self.machine.view().0 as u8
    }

    /// The validator after `step`.
    pub fn after(&self, bounds: Bounds, step: Step) -> Self {
        let mut next = self.clone();
        match step {
            Step::TimeOut => {
                next.now.0 += 1;
                next.give(bounds, Input::Wake);
            }
            Step::Certify(fact, signers) => {
                next.hear(bounds, Message::Certificate(certificate(fact, signers)));
                next.fetch(bounds, fact.word);
            }
            Step::Propose(word) => {
                let view = View(word.view().into());
                let leader = self.machine.leader(view);
                let keys = Assumed { me: leader.0, quorum: bounds.quorum };
                let vote = Vote::sign(&keys, view, Kind::Notarize, word.0);
                let parent_view = View(word.parent().view().into());
                next.hear(bounds, Message::Propose(Proposal { parent_view, value: word, vote }));
                next.fetch(bounds, word.parent());
            }
            Step::Restart => {
                let keys = Assumed { me: self.who, quorum: bounds.quorum };
                let log = self.log.iter().cloned();
                next.machine = Simplex::recover(config(), &keys, genesis(bounds.genesis), log);
                next.give(bounds, Input::Start);
                for fact in self.logged() {
                    next.fetch(bounds, fact.word);
                }
            }
        }
        next
    }

    /// The faulty one passes on what others said.
    fn hear(&mut self, bounds: Bounds, message: Message<Word>) {
        self.give(bounds, Input::Message { from: ValidatorIndex(FAULTY), message });
    }

    /// Gives an input, and everything that follows from it without anybody else: writes become
    /// durable, values are valid, and values that are missing are at hand.
    fn give(&mut self, bounds: Bounds, input: Input<Word>) {
        let keys = Assumed { me: self.who, quorum: bounds.quorum };
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut outputs = Vec::new();
            self.machine.handle(&keys, self.now, input, &mut outputs);
            for output in outputs {
                match output {
                    Output::Persist { id, record } => {
                        self.log.push(record);
                        inputs.push(Input::Durable(id));
                    }
                    Output::Validate { view, digest, .. } => {
                        inputs.push(Input::Verdict { view, digest, verdict: Verdict::Valid });
                    }
                    Output::NeedValue { view, parent, .. } if view.0 <= bounds.last.into() => {
                        let value = Word(parent).child(view.0 as u8, 0);
                        inputs.push(Input::Proposal { view, value });
                    }
                    Output::Broadcast(Message::Vote(vote)) => self.show(&vote),
                    Output::Broadcast(Message::Propose(proposal)) => self.show(&proposal.vote),
                    Output::Broadcast(Message::Retry(retry)) => {
                        retry.votes.iter().for_each(|vote| self.show(vote));
                    }
                    Output::Finalized(run) => {
                        if run.verify(&keys, self.tip).is_err() {
                            self.broken.get_or_insert("a final value has no proof or leaves a gap");
                        }
                        let last = run.values.last().expect("a run has values");
                        self.tip = (last.digest(), last.number());
                    }
                    Output::Evidence(evidence)
                        if evidence.first.validator.0 != FAULTY || !evidence.verify(&keys) =>
                    {
                        self.broken.get_or_insert("an honest validator is accused");
                    }
                    _ => {}
                }
            }
        }
    }

    /// Answers the requests for this value and its ancestors. Whoever voted for one has it.
    fn fetch(&mut self, bounds: Bounds, word: Word) {
        let mut at = word;
        while u64::from(at.view()) > self.machine.tip().view.0 {
            if self.machine.value(&at.0).is_none() {
                let response = Response { certificates: Vec::new(), values: vec![at] };
                self.hear(bounds, Message::Response(response));
            }
            at = at.parent();
        }
    }

    /// An honest validator never contradicts itself.
    fn show(&mut self, vote: &Vote) {
        let view = vote.view.0 as u8;
        let word = Word(vote.digest);
        let said = *self.cast.entry((view, vote.kind)).or_insert(word);
        let both = self.cast.contains_key(&(view, Kind::Nullify))
            && self.cast.contains_key(&(view, Kind::Finalize));
        if said != word || both {
            self.broken.get_or_insert("an honest validator contradicts itself");
        }
    }
}

fn certificate(fact: Fact, signers: u8) -> Certificate {
    let signers = (0..SIZE as u32).filter(|who| *who == FAULTY || signers & (1 << who) != 0);
    Certificate {
        epoch: Epoch::ZERO,
        view: View(fact.view.into()),
        kind: fact.kind,
        digest: fact.word.0,
        signatures: signers.map(|who| (ValidatorIndex(who), UNSIGNED)).collect(),
    }
}

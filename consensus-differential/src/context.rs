//! The types with which Tendermint decides the setting.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_malachitebft_core_types as core;
use core::{NilOrVal, Round, SignedExtension, VoteType};

use crate::simplex::FIRST_TURN;

/// Turns are counted through as in Simplex: a round that fails hands on to the next leader, who is
/// followed by the one after it also when the height is decided.
#[derive(Clone, Default)]
pub(crate) struct Turns {
    /// How many turns the decided heights took, by height from 1.
    pub taken: Arc<Mutex<Vec<u64>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number(pub u64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::Height for Number {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);
    fn increment_by(&self, n: u64) -> Self {
        Self(self.0 + n)
    }
    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }
    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl core::Address for Number {}

impl core::Value for Number {
    type Id = Self;
    fn id(&self) -> Self {
        *self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member(Number);

impl core::Validator<Turns> for Member {
    fn address(&self) -> &Number {
        &self.0
    }
    fn public_key(&self) -> &Number {
        &self.0
    }
    fn voting_power(&self) -> u64 {
        1
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members(Vec<Member>);

impl Members {
    pub fn new(size: usize) -> Self {
        Self((0..size as u64).map(|who| Member(Number(who))).collect())
    }
}

impl core::ValidatorSet<Turns> for Members {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn total_voting_power(&self) -> u64 {
        self.0.len() as u64
    }
    fn get_by_address(&self, address: &Number) -> Option<&Member> {
        self.0.get(address.0 as usize)
    }
    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.0.get(index)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    height: Number,
    round: Round,
    value: Number,
    pol_round: Round,
    leader: Number,
}

impl core::Proposal<Turns> for Proposal {
    fn height(&self) -> Number {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &Number {
        &self.value
    }
    fn take_value(self) -> Number {
        self.value
    }
    fn pol_round(&self) -> Round {
        self.pol_round
    }
    fn validator_address(&self) -> &Number {
        &self.leader
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part;

impl core::ProposalPart<Turns> for Part {
    fn is_first(&self) -> bool {
        true
    }
    fn is_last(&self) -> bool {
        true
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vote {
    kind: VoteType,
    height: Number,
    round: Round,
    value: NilOrVal<Number>,
    voter: Number,
    extension: Option<SignedExtension<Turns>>,
}

impl core::Vote<Turns> for Vote {
    fn height(&self) -> Number {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &NilOrVal<Number> {
        &self.value
    }
    fn take_value(self) -> NilOrVal<Number> {
        self.value
    }
    fn vote_type(&self) -> VoteType {
        self.kind
    }
    fn validator_address(&self) -> &Number {
        &self.voter
    }
    fn extension(&self) -> Option<&SignedExtension<Turns>> {
        self.extension.as_ref()
    }
    fn take_extension(&mut self) -> Option<SignedExtension<Turns>> {
        self.extension.take()
    }
    fn extend(self, extension: SignedExtension<Turns>) -> Self {
        Self { extension: Some(extension), ..self }
    }
}

/// Signatures are assumed: nobody forges them here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assumed;

impl core::SigningScheme for Assumed {
    type DecodingError = fmt::Error;
    type Signature = ();
    type PublicKey = Number;
    type PrivateKey = ();
    fn decode_signature(_: &[u8]) -> Result<(), fmt::Error> {
        Ok(())
    }
    fn encode_signature((): &()) -> Vec<u8> {
        Vec::new()
    }
    fn decode_public_key(_: &[u8]) -> Result<Number, fmt::Error> {
        Err(fmt::Error)
    }
    fn encode_public_key(key: &Number) -> Vec<u8> {
        key.0.to_be_bytes().to_vec()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeouts;

impl core::Timeouts<Turns> for Timeouts {
    fn duration_for(&self, timeout: core::Timeout) -> Duration {
        let round = u64::from(timeout.round.as_u32().unwrap_or(0));
        match timeout.kind {
            core::TimeoutKind::Propose => Duration::from_millis(300 + 100 * round),
            _ => Duration::from_millis(150 + 100 * round),
        }
    }
}

impl core::Context for Turns {
    type Address = Number;
    type Height = Number;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = Timeouts;
    type Value = Number;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Assumed;

    fn select_proposer<'a>(
        &self,
        members: &'a Members,
        height: Number,
        round: Round,
    ) -> &'a Member {
        let taken = self.taken.lock().expect("one thread");
        let before: u64 = taken.iter().take(height.0 as usize - 1).sum();
        let round = u64::from(round.as_u32().expect("a round has a number"));
        let turn = FIRST_TURN + before + round;
        &members.0[(turn % members.0.len() as u64) as usize]
    }

    fn new_proposal(
        &self,
        height: Number,
        round: Round,
        value: Number,
        pol_round: Round,
        leader: Number,
    ) -> Proposal {
        Proposal { height, round, value, pol_round, leader }
    }

    fn new_prevote(
        &self,
        height: Number,
        round: Round,
        value: NilOrVal<Number>,
        voter: Number,
    ) -> Vote {
        Vote { kind: VoteType::Prevote, height, round, value, voter, extension: None }
    }

    fn new_precommit(
        &self,
        height: Number,
        round: Round,
        value: NilOrVal<Number>,
        voter: Number,
    ) -> Vote {
        Vote { kind: VoteType::Precommit, height, round, value, voter, extension: None }
    }
}

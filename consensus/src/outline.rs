//! What of a validator's state decides which votes it will cast and which values it will call
//! final. Two validators with one outline that get the same messages cast the same votes.
//!
//! Left out: times (a search lets a view time out whenever it likes), signatures and who gave them,
//! single votes short of a quorum, requests, numbers of writes, whom it has accused.

use alloy_primitives::B256;
use cross_shard_msg::View;

use crate::simplex::Simplex;
use crate::value::Value;
use crate::view::Check;
use crate::vote::Kind;

const KINDS: [Kind; 3] = [Kind::Notarize, Kind::Nullify, Kind::Finalize];

/// A validator's state without what has no influence on its votes. For search and for comparison.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outline {
    view: View,
    tip: (View, B256),
    rounds: Vec<(View, Round)>,
    values: Vec<B256>,
    asked: Option<(View, B256)>,
}

/// One view above the tip's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Round {
    /// What is certified, by [`Kind::code`].
    certified: [Option<B256>; 3],
    /// What this validator voted, and whether that may be shown.
    own: [Option<(B256, bool)>; 3],
    /// In the current view only: the parent's view, the value and whether it is refused, asked
    /// about or valid. A proposal of a view that is over is never voted for.
    proposal: Option<(View, B256, u8)>,
}

impl<V: Value> Simplex<V> {
    /// The part of the state that decides votes and finality.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let rounds = self.rounds.iter().map(|(view, round)| {
            let proposal = round.proposal.as_ref().filter(|_| *view >= self.view);
            let check = |check| match check {
                Check::Linking => 0,
                Check::Asked | Check::AskAt(_) => 1,
                Check::Valid => 2,
                Check::Refused => 3,
            };
            let outline = Round {
                certified: KINDS.map(|kind| round.certificate(kind).map(|c| c.digest)),
                own: KINDS.map(|kind| round.own(kind).map(|c| (c.vote.digest, c.durable))),
                proposal: proposal.map(|p| (p.parent_view, p.vote.digest, check(p.check))),
            };
            (*view, outline)
        });
        let known = |(_, round): &(View, Round)| *round != Round::default();
        let tip = self.chain.tip();
        Outline {
            view: self.view,
            tip: (tip.view, tip.digest),
            rounds: rounds.filter(known).collect(),
            values: self.chain.digests().copied().collect(),
            asked: self.asked.map(|asked| (asked.view, asked.parent)),
        }
    }
}

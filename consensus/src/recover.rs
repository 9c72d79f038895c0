//! What must survive a crash, and how a validator is rebuilt from it (rules R-CONS-5, R-CONS-13).
//!
//! The log is append-only, so what is durable is a prefix of what was written. A vote is shown only
//! when it is durable: a vote that the log does not have was seen by nobody. Every vote stands
//! behind the certificate by which its view was entered.

use serde::{Deserialize, Serialize};

use crate::certificate::{Certificate, Finalized};
use crate::committee::Signer;
use crate::interface::Config;
use crate::message::Proposal;
use crate::simplex::Simplex;
use crate::value::{Tip, Value};
use crate::view::{Check, Proposed};
use crate::vote::{Kind, Vote};

/// One entry of a validator's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Record<V> {
    /// An own vote. A `notarize` vote stands with what it is for, so that the value outlives a
    /// crash of the whole committee.
    Vote {
        /// The vote.
        vote: Vote,
        /// The proposal that it is for.
        proposal: Option<Proposal<V>>,
    },
    /// The certificate by which a view was entered.
    Certificate(Certificate),
    /// Values that became final. Runs stand in the log in order.
    Finalized(Finalized<V>),
}

impl<V: Value> Simplex<V> {
    /// Rebuilds a validator from its log: the records of all its lives, oldest first. It then votes
    /// nothing that contradicts a vote in the log, and asks the others where they are on
    /// [`crate::Input::Start`]. Records are trusted. With no records this is [`Simplex::new`].
    pub fn recover(
        config: Config,
        keys: &impl Signer,
        genesis: Tip,
        records: impl IntoIterator<Item = Record<V>>,
    ) -> Self {
        let mut machine = Self::new(config, keys, genesis);
        for record in records {
            machine.recovered = true;
            match record {
                Record::Finalized(run) => {
                    machine.chain.advance(&run);
                    machine.prune();
                }
                Record::Certificate(certificate) => {
                    if certificate.view > machine.chain.tip().view {
                        machine.rounds.entry(certificate.view).or_default().certify(&certificate);
                    }
                }
                Record::Vote { vote, proposal } => machine.recover_vote(vote, proposal),
            }
        }
        machine
    }

    fn recover_vote(&mut self, vote: Vote, proposal: Option<Proposal<V>>) {
        if vote.view <= self.chain.tip().view {
            return;
        }
        self.view = self.view.max(vote.view);
        let round = self.rounds.entry(vote.view).or_default();
        round.tally(&vote, self.quorum);
        if let Some(Proposal { parent_view, value, vote: leaders }) = proposal
            && vote.kind == Kind::Notarize
        {
            round.tally(&leaders, self.quorum);
            round.proposal = Some(Proposed { parent_view, vote: leaders, check: Check::Valid });
            self.chain.insert(vote.digest, value);
        }
        round.cast(vote, true);
    }
}

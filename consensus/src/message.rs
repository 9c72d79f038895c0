//! What validators say to one another, and its bounds (rule R-CONS-4).

use alloy_primitives::B256;
use cross_shard_msg::View;
use serde::{Deserialize, Serialize};

use crate::certificate::{Certificate, Finalized};
use crate::vote::{Kind, Vote};

/// Most certificates in one response, and most views that one request spans.
pub const MAX_CERTIFICATES: usize = 64;
/// Most values in one request or response.
pub const MAX_VALUES: usize = 16;
/// Most votes in one retry.
pub const MAX_RETRY_VOTES: usize = 8;
/// Most runs of finalized values in one message.
pub const MAX_RUNS: usize = 32;
/// Most values in one run. Reached only if so many views in a row are notarized and none of them
/// finalized.
pub const MAX_RUN_VALUES: usize = 1_024;

/// A message between two validators. The transport says reliably who sent it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message<V> {
    /// The leader's value for a view.
    Propose(Proposal<V>),
    /// One vote.
    Vote(Vote),
    /// A certificate that moves the receiver on, or proves finality.
    Certificate(Certificate),
    /// The sender's view has timed out: its votes again, and why it is there.
    Retry(Retry),
    /// Asks for what is missing.
    Request(Request),
    /// Answers as far as the sender can.
    Response(Response<V>),
    /// Runs of finalized values, in order, to catch up with.
    Finalized(Vec<Finalized<V>>),
}

/// The leader's value for a view, authenticated by the leader's own `notarize` vote.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal<V> {
    /// The view of the parent. A claim: the receiver checks it against its certificates.
    pub parent_view: View,
    /// What is proposed.
    pub value: V,
    /// The leader's vote for it, which names the view.
    pub vote: Vote,
}

/// What a validator repeats while it is stuck in a view.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Retry {
    /// The view that the sender is in.
    pub view: View,
    /// The certificate by which it entered; `None` in the first view.
    pub entry: Option<Certificate>,
    /// Its durable votes in this view, and `finalize` votes of views that are not final to it.
    pub votes: Vec<Vote>,
    /// The number of the last value that is final to it.
    pub finalized: u64,
}

/// Asks for certificates and values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Certificates of the views from the first to the second, both included.
    pub certificates: Option<(View, View)>,
    /// Values by digest, not final to the sender.
    pub values: Vec<B256>,
    /// The number of the last value that is final to it.
    pub finalized: u64,
}

/// Answers a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Response<V> {
    /// Certificates, of whichever kinds the sender has.
    pub certificates: Vec<Certificate>,
    /// Values.
    pub values: Vec<V>,
}

/// Why a message is refused before anything in it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A list is longer than its bound.
    #[error("{0} exceed the bound")]
    TooMany(&'static str),
    /// A range ends before it starts.
    #[error("a range of views ends before it starts")]
    Range,
    /// A proposal whose vote is not a `notarize` vote.
    #[error("a proposal comes with another kind of vote")]
    Kind,
}

impl<V> Message<V> {
    /// Checks that the message keeps the bounds of a committee of `size` members.
    ///
    /// # Errors
    /// The first bound that is exceeded.
    pub fn validate(&self, size: usize) -> Result<(), MessageError> {
        match self {
            Self::Propose(proposal) if proposal.vote.kind != Kind::Notarize => {
                Err(MessageError::Kind)
            }
            Self::Propose(_) | Self::Vote(_) => Ok(()),
            Self::Certificate(certificate) => signatures(certificate, size),
            Self::Retry(retry) => {
                most("votes", retry.votes.len(), MAX_RETRY_VOTES)?;
                retry.entry.as_ref().map_or(Ok(()), |entry| signatures(entry, size))
            }
            Self::Request(request) => {
                most("values", request.values.len(), MAX_VALUES)?;
                match request.certificates {
                    Some((from, to)) if from > to => Err(MessageError::Range),
                    Some((from, to)) if to.0 - from.0 >= MAX_CERTIFICATES as u64 => {
                        Err(MessageError::TooMany("views"))
                    }
                    _ => Ok(()),
                }
            }
            Self::Response(response) => {
                most("values", response.values.len(), MAX_VALUES)?;
                most("certificates", response.certificates.len(), MAX_CERTIFICATES)?;
                response.certificates.iter().try_for_each(|one| signatures(one, size))
            }
            Self::Finalized(runs) => {
                most("runs", runs.len(), MAX_RUNS)?;
                runs.iter().try_for_each(|run| {
                    most("values of a run", run.values.len(), MAX_RUN_VALUES)?;
                    signatures(run.certificate.certificate(), size)
                })
            }
        }
    }

    /// The name of its kind, for counters.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Propose(_) => "propose",
            Self::Vote(vote) => match vote.kind {
                Kind::Notarize => "notarize",
                Kind::Nullify => "nullify",
                Kind::Finalize => "finalize",
            },
            Self::Certificate(_) => "certificate",
            Self::Retry(_) => "retry",
            Self::Request(_) => "request",
            Self::Response(_) => "response",
            Self::Finalized(_) => "finalized",
        }
    }
}

fn most(what: &'static str, len: usize, bound: usize) -> Result<(), MessageError> {
    if len > bound { Err(MessageError::TooMany(what)) } else { Ok(()) }
}

fn signatures(certificate: &Certificate, size: usize) -> Result<(), MessageError> {
    most("signatures", certificate.signatures.len(), size)
}

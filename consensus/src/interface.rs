//! What goes into the machine and what comes out.

use alloy_primitives::B256;
use cross_shard_msg::{Timestamp, ValidatorIndex, View, WriteId};

use crate::certificate::Finalized;
use crate::evidence::Evidence;
use crate::message::Message;
use crate::recover::Record;
use crate::timeout::Timing;

/// The settings of one validator. All validators of a committee should have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The times.
    pub timing: Timing,
    /// Votes and proposals more than this many views ahead are dropped unverified.
    pub future_views: u64,
}

/// Something that happened to the validator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<V> {
    /// The process has started, or started again. The first input, given once.
    Start,
    /// A message from another validator, as the transport authenticated it.
    Message {
        /// Its sender.
        from: ValidatorIndex,
        /// What it says.
        message: Message<V>,
    },
    /// The time of the last [`Output::Wake`] has come. Harmless at any other time.
    Wake,
    /// Answers [`Output::NeedValue`]. Late answers are dropped.
    Proposal {
        /// The view that was asked for.
        view: View,
        /// A valid child of the parent that was named.
        value: V,
    },
    /// Answers [`Output::Validate`], at any later time.
    Verdict {
        /// The view that was asked about.
        view: View,
        /// The value that was asked about.
        digest: B256,
        /// The answer.
        verdict: Verdict,
    },
    /// This record and all that were emitted before it are durable.
    Durable(WriteId),
}

/// Whether a proposed value is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may be voted for.
    Valid,
    /// It never will be: the view is voted to be skipped at once.
    Invalid,
    /// Ask again after [`Timing::fetch_retry`], if the view still runs.
    NotYet,
}

/// Something that must happen now, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output<V> {
    /// Send to every other validator.
    Broadcast(Message<V>),
    /// Send to one validator.
    Send {
        /// The receiver.
        to: ValidatorIndex,
        /// What to say.
        message: Message<V>,
    },
    /// Append to the log; [`Input::Durable`] follows when it is durable. Ids count from 1 in every
    /// life of the process. Only votes wait for it.
    Persist {
        /// Names the write.
        id: WriteId,
        /// What to write.
        record: Record<V>,
    },
    /// This validator leads: build a value now.
    NeedValue {
        /// For this view.
        view: View,
        /// The value that it must extend: final, or at hand in [`crate::Simplex::value`].
        parent: B256,
        /// The position that it must have.
        number: u64,
        /// The timestamp that it should have: now. It may be later, not earlier.
        timestamp: Timestamp,
    },
    /// Is this proposal a valid child of its parent? The parent is the newest final value or at
    /// hand in [`crate::Simplex::value`], and so are all ancestors between. Linkage, number and
    /// timestamp are already checked. May be asked again for one value in another view.
    Validate {
        /// The view.
        view: View,
        /// The value's digest.
        digest: B256,
        /// The value.
        value: V,
    },
    /// These values are final. Runs come in order and without gaps. After a restart, what was not
    /// durable comes again.
    Finalized(Finalized<V>),
    /// Send the runs that follow number `after`, at most `limit` and in order, as one
    /// [`Message::Finalized`]. The caller has them from its log.
    Serve {
        /// Who asks.
        to: ValidatorIndex,
        /// The number of the last value it has.
        after: u64,
        /// Most runs to send.
        limit: usize,
    },
    /// Give [`Input::Wake`] at this time. Replaces the one before.
    Wake(Timestamp),
    /// A view has begun.
    Entered {
        /// The view.
        view: View,
        /// Whether the one before it was skipped.
        skipped: bool,
    },
    /// A validator is proven to be faulty. Given once per validator, view and contradiction seen.
    Evidence(Evidence),
    /// An input, or a part of one, was ignored.
    Dropped(Dropped),
}

/// Why something was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// A bound of the message is exceeded, or its sender is not a member.
    Malformed,
    /// It is of another committee's epoch.
    Epoch,
    /// It is about a view or value that is already final.
    Old,
    /// It is too many views ahead.
    Future,
    /// It is known already.
    Duplicate,
    /// A signature is wrong, or signers are no quorum.
    Unverified,
    /// A proposal that its view's leader did not make.
    NotLeader,
    /// A proposal that does not extend what it claims to, or comes too early after it.
    Unlinked,
    /// A value that nobody asked for.
    Unasked,
    /// An answer of the application for a view that is over.
    Late,
    /// A validator contradicted itself.
    Equivocation,
}

impl Dropped {
    /// Its name in counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Epoch => "epoch",
            Self::Old => "old",
            Self::Future => "future",
            Self::Duplicate => "duplicate",
            Self::Unverified => "unverified",
            Self::NotLeader => "not_leader",
            Self::Unlinked => "unlinked",
            Self::Unasked => "unasked",
            Self::Late => "late",
            Self::Equivocation => "equivocation",
        }
    }
}

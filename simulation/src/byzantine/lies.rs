//! What a dishonest shard may say, each lie in a file of its own.

mod forge;
mod fork;
mod ledger;
mod mint;
mod repeat;
pub(super) mod skip;
mod state_root;
pub(super) mod tamper;

use cross_shard_msg::{Header, Outgoing, Receipt, ShardId, Wei};

/// A lie, told from a height on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// The state root of every block is made up.
    StateRoot,
    /// Every header says that the shard holds this many wei more than it does.
    Ledger(u64),
    /// One block releases a receipt for this many wei more, which nobody paid for. `covered` says
    /// whether the shard's own books pay.
    Forge {
        /// Value of the receipt, in wei.
        value: u64,
        /// Whether `held` is less by that much.
        covered: bool,
    },
    /// The same, and the books say that an administrator added the value (R-LED-4).
    Mint {
        /// Value of the receipt, in units of 10¹⁸ wei.
        ether: u64,
    },
    /// One batch is never sent.
    Skip,
    /// One block releases its last receipt twice.
    Repeat,
    /// Every batch has a receipt that is not the one which was proven.
    Tamper,
    /// Two chains: validators with an even and shards with an odd number are shown one, the others
    /// the other.
    Equivocate,
}

/// How a story differs from what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Not at all.
    Truth,
    Lie(Lie),
    /// The other chain of [`Lie::Equivocate`].
    Fork,
}

/// What a liar has said so far that its books do not have.
#[derive(Clone, Debug, Default)]
pub(super) struct Surplus {
    pub receipts: u64,
    pub value: Wei,
    /// The pair whose sequence has moved on.
    pub destination: Option<ShardId>,
}

impl Lie {
    /// The stories that it takes, which are told in turns to validators, and to shards.
    pub(super) fn stories(self) -> Vec<Told> {
        match self {
            Self::Equivocate => vec![Told::Truth, Told::Fork],
            lie => vec![Told::Lie(lie)],
        }
    }

    /// The receipt that one block releases besides its own, of which `last` is the last.
    fn extra(self, last: &Receipt) -> Option<Receipt> {
        match self {
            Self::Forge { value, .. } => Some(forge::receipt(last, Wei::from(value))),
            Self::Mint { ether } => Some(forge::receipt(last, mint::value(ether))),
            Self::Repeat => Some(repeat::receipt(last)),
            Self::StateRoot | Self::Ledger(_) | Self::Skip | Self::Tamper | Self::Equivocate => {
                None
            }
        }
    }
}

impl Told {
    /// Changes what a block says that it released; once.
    pub(super) fn outgoing(self, outgoing: &mut [Outgoing], surplus: &mut Surplus) {
        let Self::Lie(lie) = self else { return };
        let Some(first) = outgoing.first_mut().filter(|_| surplus.destination.is_none()) else {
            return;
        };
        let Some(extra) = first.receipts.last().and_then(|last| lie.extra(last)) else { return };
        surplus.receipts = 1;
        surplus.value = extra.value();
        surplus.destination = Some(first.destination);
        first.receipts.push(extra);
    }

    /// Changes a header, whose receipts and parent are changed already.
    pub(super) fn header(self, header: &mut Header, surplus: &Surplus) {
        if let Some(destination) = surplus.destination {
            for sent in header.sent.iter_mut().filter(|sent| sent.destination == destination) {
                sent.sequence.0 += surplus.receipts;
                sent.value = sent.value.saturating_add(surplus.value);
            }
            header.ledger.sent = header.ledger.sent.saturating_add(surplus.value);
        }
        match self {
            Self::Truth => {}
            Self::Fork => fork::differ(header),
            Self::Lie(Lie::StateRoot) => state_root::make_up(header),
            Self::Lie(Lie::Ledger(more)) => ledger::inflate(header, more),
            Self::Lie(Lie::Forge { covered: true, .. }) => forge::pay(header, surplus),
            Self::Lie(Lie::Mint { .. }) => mint::book(header, surplus),
            Self::Lie(
                Lie::Forge { .. } | Lie::Repeat | Lie::Skip | Lie::Tamper | Lie::Equivocate,
            ) => {}
        }
    }
}

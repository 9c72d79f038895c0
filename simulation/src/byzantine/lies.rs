//! What a dishonest shard may say.

use alloy_primitives::B256;
use cross_shard_msg::{Action, Header, Outgoing, Receipt, ShardId, Wei};

/// Wei in a unit of [`Lie::Mint`].
const ETHER: Wei = Wei::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);

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
    /// The same, and the books say that an administrator added the value. Validators take a
    /// shard's word for that (R-LED-4).
    Mint {
        /// Value of the receipt, in units of 10¹⁸ wei.
        ether: u64,
    },
    /// One batch is never sent.
    Skip,
    /// One block releases its last receipt twice.
    Repeat,
    /// Other headers go to half of the committee than to the other half: a fork at every block.
    Equivocate,
}

/// What a liar has said so far that its books do not have.
#[derive(Clone, Debug, Default)]
pub(super) struct Surplus {
    pub receipts: u64,
    pub value: Wei,
    pub covered: bool,
    /// The pair whose sequence has moved on.
    pub destination: Option<ShardId>,
}

impl Lie {
    /// Changes what a block says that it released; once.
    pub(super) fn outgoing(self, outgoing: &mut [Outgoing], surplus: &mut Surplus) {
        let Some(first) = outgoing.first_mut().filter(|_| surplus.destination.is_none()) else {
            return;
        };
        let Some(last) = first.receipts.last().cloned() else { return };
        let gift = |value| {
            let action = Action::Refund { to: last.account(), value };
            Receipt { action, ..last.clone() }
        };
        let (extra, covered) = match self {
            Self::Forge { value, covered } => (gift(Wei::from(value)), covered),
            Self::Mint { ether } => (gift(Wei::from(ether).saturating_mul(ETHER)), false),
            Self::Repeat => (last, false),
            _ => return,
        };
        surplus.receipts = 1;
        surplus.value = extra.value();
        surplus.covered = covered;
        surplus.destination = Some(first.destination);
        first.receipts.push(extra);
    }

    /// Changes a header, whose receipts and parent are changed already.
    pub(super) fn header(self, header: &mut Header, surplus: &Surplus) {
        match self {
            Self::StateRoot => header.state_root = B256::repeat_byte(0xbb),
            Self::Ledger(more) => {
                header.ledger.held = header.ledger.held.saturating_add(Wei::from(more));
            }
            Self::Forge { .. } | Self::Repeat | Self::Mint { .. } => {
                let Some(destination) = surplus.destination else { return };
                for sent in header.sent.iter_mut().filter(|sent| sent.destination == destination) {
                    sent.sequence.0 += surplus.receipts;
                    sent.value = sent.value.saturating_add(surplus.value);
                }
                header.ledger.sent = header.ledger.sent.saturating_add(surplus.value);
                if let Self::Mint { .. } = self {
                    header.ledger.minted = header.ledger.minted.saturating_add(surplus.value);
                }
                if surplus.covered {
                    header.ledger.held = header.ledger.held.saturating_sub(surplus.value);
                }
            }
            Self::Skip | Self::Equivocate => {}
        }
    }
}

//! A shard's books (rules R-LED-1 to R-LED-4).
//!
//! What is held follows from the state's diff and from the queues of receipts; everything else is
//! booked where it is caused. That both agree is asserted at every block: if they ever do not, the
//! node must not sign another header.

use alloy_primitives::aliases::I512;
use cross_shard_msg::{Ledger, Wei};
use serde::{Deserialize, Serialize};
use state::StateDiff;

/// Cumulative books of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Books {
    genesis: Wei,
    /// Σ balances after the last block.
    balances: Wei,
    /// Value of receipts in state that are not executed, and of those not released.
    queued: Wei,
    received: Wei,
    sent: Wei,
    burnt: Wei,
    minted: Wei,
}

impl Books {
    /// Books of a shard whose accounts hold `genesis` wei at height 0.
    pub(crate) fn new(genesis: Wei) -> Self {
        let zero = Wei::ZERO;
        let (queued, received, sent, burnt, minted) = (zero, zero, zero, zero, zero);
        Self { genesis, balances: genesis, queued, received, sent, burnt, minted }
    }

    /// A batch of receipts entered state.
    pub(crate) fn received(&mut self, value: Wei) {
        self.received += value;
        self.queued += value;
    }

    /// A receipt was taken out of its queue to be executed.
    pub(crate) fn taken(&mut self, value: Wei) {
        self.queued -= value;
    }

    /// A receipt was put into a queue: it is caused here, or waits for its turn.
    pub(crate) fn queued(&mut self, value: Wei) {
        self.queued += value;
    }

    /// Receipts were released.
    pub(crate) fn sent(&mut self, value: Wei) {
        self.queued -= value;
        self.sent += value;
    }

    /// Value left circulation.
    pub(crate) fn burnt(&mut self, value: Wei) {
        self.burnt += value;
    }

    /// Value came into circulation.
    pub(crate) fn minted(&mut self, value: Wei) {
        self.minted += value;
    }

    /// The ledger after a block that changed balances by `diff`.
    ///
    /// # Panics
    /// When the books do not balance: a programmer's error that must not be signed.
    pub(crate) fn close(&mut self, diff: &StateDiff) -> Ledger {
        self.balances = shifted(self.balances, diff.balance_delta());
        let ledger = Ledger {
            held: self.balances + self.queued,
            received: self.received,
            sent: self.sent,
            burnt: self.burnt,
            minted: self.minted,
        };
        assert!(ledger.balances(self.genesis), "the ledger does not balance: {ledger:?}, {self:?}");
        ledger
    }
}

/// `base + delta`, which is a sum of balances: neither negative nor above 2²⁵⁶.
fn shifted(base: Wei, delta: I512) -> Wei {
    let amount = Wei::from_limbs_slice(&delta.unsigned_abs().as_limbs()[..4]);
    if delta.is_negative() { base - amount } else { base + amount }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use state::{Account, AccountDiff};

    use super::*;

    fn moved(old: u64, new: u64) -> StateDiff {
        let account = |wei| Some(Account::without_code(0, Wei::from(wei)));
        StateDiff {
            accounts: vec![AccountDiff {
                address: Address::ZERO,
                old: account(old),
                new: account(new),
                code: None,
                storage: Vec::new(),
            }],
        }
    }

    #[test]
    fn the_books_balance_along_a_receipts_way() {
        let wei = Wei::from::<u64>;
        let mut books = Books::new(wei(100));
        // A sender pays 30: 10 travel, 5 are burnt, 15 are tip.
        books.queued(wei(10));
        books.burnt(wei(5));
        assert_eq!(books.close(&moved(100, 85)).held, wei(95));
        books.sent(wei(10));
        let ledger = books.close(&StateDiff::default());
        assert_eq!((ledger.held, ledger.sent), (wei(85), wei(10)));
        // 7 arrive, wait for a block, and are executed.
        books.received(wei(7));
        assert_eq!(books.close(&StateDiff::default()).held, wei(92));
        books.taken(wei(7));
        assert_eq!(books.close(&moved(85, 92)).received, wei(7));
        books.minted(wei(8));
        assert_eq!(books.close(&moved(92, 100)).minted, wei(8));
    }

    #[test]
    #[should_panic(expected = "the ledger does not balance")]
    fn value_from_nowhere_stops_the_node() {
        Books::new(Wei::from(100)).close(&moved(100, 101));
    }
}

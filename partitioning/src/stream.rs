//! Transactions in order, each as the accounts that it touches: what an online strategy follows,
//! and what a strategy is judged on.

use alloy_primitives::Address;

/// A sequence of transactions. Flat, so that millions of them stay small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    touched: Vec<Address>,
    ends: Vec<usize>,
}

impl Stream {
    /// Appends a transaction that touches `accounts`; one that is named twice counts once. The
    /// sender comes first by convention.
    pub fn push(&mut self, accounts: &[Address]) {
        let start = self.touched.len();
        for account in accounts {
            if !self.touched[start..].contains(account) {
                self.touched.push(*account);
            }
        }
        self.ends.push(self.touched.len());
    }

    /// Number of transactions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no transaction.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The accounts of each transaction, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[Address]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.touched[start..*end])
    }

    /// The transactions from `first` up to but without `end`; what lies beyond the end is absent.
    #[must_use]
    pub fn slice(&self, first: usize, end: usize) -> Self {
        let mut part = Self::default();
        for transaction in self.iter().take(end).skip(first) {
            part.touched.extend_from_slice(transaction);
            part.ends.push(part.touched.len());
        }
        part
    }
}

impl<T: AsRef<[Address]>> FromIterator<T> for Stream {
    fn from_iter<I: IntoIterator<Item = T>>(transactions: I) -> Self {
        let mut stream = Self::default();
        for transaction in transactions {
            stream.push(transaction.as_ref());
        }
        stream
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_a_transaction_are_distinct_and_in_order() {
        let account = Address::with_last_byte;
        let stream: Stream =
            [vec![account(9), account(3), account(9)], vec![], vec![account(1)]].iter().collect();
        let all: Vec<_> = stream.iter().map(<[Address]>::to_vec).collect();
        assert_eq!(all, [vec![account(9), account(3)], vec![], vec![account(1)]]);
        assert_eq!(stream.slice(1, 9).iter().count(), 2);
        assert_eq!(stream.slice(2, 1).len(), 0);
    }
}

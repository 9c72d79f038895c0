//! The tree of values above the newest final one (rule R-CONS-6).

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use cross_shard_msg::Timestamp;

use crate::certificate::Finalized;
use crate::value::{Tip, Value};

/// Values by digest, and the newest final one, from which they must descend.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chain<V> {
    tip: Tip,
    values: BTreeMap<B256, V>,
}

/// Whether a value and all its ancestors down to the tip are at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// They are: the value's number and timestamp.
    Held { number: u64, timestamp: Timestamp },
    /// The one with this digest is not.
    Missing(B256),
    /// It does not descend from the tip, and never becomes final.
    Forked,
}

impl<V: Value> Chain<V> {
    pub const fn new(tip: Tip) -> Self {
        Self { tip, values: BTreeMap::new() }
    }

    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    pub fn value(&self, digest: &B256) -> Option<&V> {
        self.values.get(digest)
    }

    pub fn digests(&self) -> impl Iterator<Item = &B256> {
        self.values.keys()
    }

    /// Keeps a value whose digest the caller has computed.
    pub fn insert(&mut self, digest: B256, value: V) {
        self.values.entry(digest).or_insert(value);
    }

    pub fn reach(&self, digest: B256) -> Reach {
        if digest == self.tip.digest {
            return Reach::Held { number: self.tip.number, timestamp: self.tip.timestamp };
        }
        let mut at = digest;
        let mut above = None;
        loop {
            let Some(value) = self.values.get(&at) else { return Reach::Missing(at) };
            // Numbers fall by one on the way down. A quorum has checked that for what it notarized;
            // checking it here bounds the walk for everything else.
            let number = value.number();
            let steps = above.is_none_or(|above| number.checked_add(1) == Some(above));
            if number <= self.tip.number || !steps {
                return Reach::Forked;
            }
            if number == self.tip.number + 1 {
                if value.parent() != self.tip.digest {
                    return Reach::Forked;
                }
                break;
            }
            (at, above) = (value.parent(), Some(number));
        }
        match self.values.get(&digest) {
            Some(value) => Reach::Held { number: value.number(), timestamp: value.timestamp() },
            None => Reach::Missing(digest),
        }
    }

    /// The values above the tip up to `digest`, which must be held.
    pub fn run(&self, digest: B256) -> Vec<V> {
        let mut run = Vec::new();
        let mut at = digest;
        while at != self.tip.digest
            && let Some(value) = self.values.get(&at)
        {
            run.push(value.clone());
            at = value.parent();
        }
        run.reverse();
        run
    }

    /// Moves the tip to the end of a run that follows it. Values stay until they are pruned.
    pub fn advance(&mut self, run: &Finalized<V>) {
        let Some(last) = run.values.last() else { return };
        self.tip = Tip {
            view: run.certificate.view(),
            digest: run.certificate.digest(),
            number: last.number(),
            timestamp: last.timestamp(),
            certificate: Some(run.certificate.clone()),
        };
    }

    /// Forgets every value that is neither one of `needed` nor an ancestor of one above the tip.
    pub fn prune(&mut self, needed: impl Iterator<Item = B256>) {
        let mut keep = BTreeSet::new();
        for digest in needed {
            let mut at = digest;
            while let Some(value) = self.values.get(&at)
                && value.number() > self.tip.number
                && keep.insert(at)
            {
                at = value.parent();
            }
        }
        self.values.retain(|digest, _| keep.contains(digest));
    }
}

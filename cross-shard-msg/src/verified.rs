//! Remembers node signatures that are good, for a driver that runs many nodes in one thread.
//!
//! In a simulated world a header's certificate is checked by every shard that gets a batch and by
//! every coordinator, and each of these checks has the same answer. While a [`Verified`] is in use
//! ([`Verified::during`]) the first answer serves all of them, and what a key of this world signed
//! is not checked at all: Ed25519 accepts what its own signing made. What is remembered is key,
//! digest and signature in full, not a hash of them, so no input can borrow another one's answer.
//! Bad signatures are not remembered.
//!
//! Nothing that a machine does depends on it: answers are the same with and without, and the work
//! is charged either way. Processes do not use it. It is found through the thread, as signatures are
//! checked far below the machines that would have to hand it down.

use std::cell::RefCell;

use alloy_primitives::B256;
use alloy_primitives::map::HashSet;

use crate::signature::{NodeSignature, PublicKey};

/// Entries of one generation. There are two; the older one is forgotten when the newer one is
/// full: 128 bytes each. Seven eighths of a power of two is what a table of that size holds before
/// it doubles, so both take about 16 MiB.
const GENERATION: usize = (1 << 16) / 8 * 7;

type Entry = (PublicKey, B256, NodeSignature);

/// Good signatures over digests.
#[derive(Debug, Default)]
pub struct Verified {
    young: HashSet<Entry>,
    old: HashSet<Entry>,
}

thread_local! {
    static IN_USE: RefCell<Option<Verified>> = const { RefCell::new(None) };
}

impl Verified {
    /// Uses this memory while `work` runs, in this thread.
    pub fn during<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let outer = IN_USE.replace(Some(std::mem::take(self)));
        let _back = Back { own: self, outer };
        work()
    }

    fn knows(&self, entry: &Entry) -> bool {
        self.young.contains(entry) || self.old.contains(entry)
    }

    fn add(&mut self, entry: Entry) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(entry);
    }
}

/// Whether `signature` is the one of `key` over `digest`: known, or found out by `check`, which is
/// a pure function of the three.
pub fn check(
    key: &PublicKey,
    digest: &B256,
    signature: &NodeSignature,
    check: impl FnOnce() -> bool,
) -> bool {
    let entry = (*key, *digest, *signature);
    if IN_USE.with_borrow(|memory| memory.as_ref().is_some_and(|memory| memory.knows(&entry))) {
        return true;
    }
    let good = check();
    if good {
        remember(entry);
    }
    good
}

/// `key` signed `digest` just now.
pub(crate) fn signed(key: impl FnOnce() -> PublicKey, digest: &B256, signature: &NodeSignature) {
    if IN_USE.with_borrow(Option::is_some) {
        remember((key(), *digest, *signature));
    }
}

fn remember(entry: Entry) {
    IN_USE.with_borrow_mut(|memory| {
        if let Some(memory) = memory {
            memory.add(entry);
        }
    });
}

/// Puts the memories back where they were, also when the work panics.
struct Back<'a> {
    own: &'a mut Verified,
    outer: Option<Verified>,
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        if let Some(own) = IN_USE.replace(self.outer.take()) {
            *self.own = own;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::SecretKey;

    fn signed_by(seed: u8, digest: &B256) -> (PublicKey, NodeSignature) {
        let key = SecretKey::from_seed(&B256::repeat_byte(seed));
        (key.public(), key.sign(digest))
    }

    #[test]
    fn answers_are_those_of_checking() {
        let (mine, other) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let (alice, by_alice) = signed_by(1, &mine);
        let (bob, by_bob) = signed_by(2, &mine);
        let mut bent = by_alice;
        bent.0.0[40] ^= 1;
        let cases: Vec<_> = [alice, bob, PublicKey(B256::ZERO)]
            .into_iter()
            .flat_map(|key| [mine, other].map(|digest| (key, digest)))
            .flat_map(|(key, digest)| [by_alice, by_bob, bent].map(|by| (key, digest, by)))
            .collect();
        let check = |(key, digest, by): &(PublicKey, B256, NodeSignature)| key.verify(digest, by);
        let plain: Vec<bool> = cases.iter().map(check).collect();
        assert_eq!(plain.iter().filter(|good| **good).count(), 2);
        let mut verified = Verified::default();
        for _ in 0..2 {
            assert_eq!(verified.during(|| cases.iter().map(check).collect::<Vec<_>>()), plain);
        }
    }

    #[test]
    fn the_real_check_is_done_once_and_only_while_in_use() {
        let digest = B256::repeat_byte(3);
        let (key, signature) = signed_by(3, &digest);
        let asked = std::cell::Cell::new(0);
        let ask = || {
            check(&key, &digest, &signature, || {
                asked.set(asked.get() + 1);
                true
            })
        };
        let mut verified = Verified::default();
        assert!(ask() && ask() && asked.take() == 2);
        assert!(verified.during(|| ask() && ask()) && asked.take() == 1);
        assert!(verified.during(|| Verified::default().during(ask) && ask()) && asked.take() == 1);
        assert!(ask() && asked.take() == 1);
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            verified.during(|| panic!("as a test"));
        }));
        assert!(broken.is_err() && ask() && asked.take() == 1);
        assert!(verified.during(ask) && asked.take() == 0);
    }

    #[test]
    fn what_is_signed_is_known_and_memory_is_bounded() {
        let mut verified = Verified::default();
        let digest = B256::repeat_byte(4);
        let (key, signature) = verified.during(|| signed_by(4, &digest));
        assert!(verified.during(|| check(&key, &digest, &signature, || false)));
        for number in 0..3 * GENERATION as u64 {
            let mut other = signature;
            other.0.0[..8].copy_from_slice(&number.to_be_bytes());
            verified.add((key, digest, other));
        }
        assert!(verified.young.len() <= GENERATION && verified.old.len() <= GENERATION);
        assert!(!verified.knows(&(key, digest, signature)));
    }
}

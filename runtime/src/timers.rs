//! The timers of one machine.

use std::collections::{BTreeMap, BTreeSet};

use cross_shard_msg::Timestamp;

/// Set timers, by name and by time. A timer that is set again moves.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    by_timer: BTreeMap<T, Timestamp>,
    by_time: BTreeSet<(Timestamp, T)>,
}

impl<T: Clone + Ord> Timers<T> {
    pub fn new() -> Self {
        Self { by_timer: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    pub fn set(&mut self, timer: T, at: Timestamp) {
        self.cancel(&timer);
        self.by_timer.insert(timer.clone(), at);
        self.by_time.insert((at, timer));
    }

    pub fn cancel(&mut self, timer: &T) {
        if let Some(at) = self.by_timer.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    /// When the next timer expires.
    pub fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest timer that has expired at `now`.
    pub fn expired(&mut self, now: Timestamp) -> Option<(Timestamp, T)> {
        if self.next()? > now {
            return None;
        }
        let (at, timer) = self.by_time.pop_first()?;
        self.by_timer.remove(&timer);
        Some((at, timer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_that_is_set_again_moves() {
        let mut timers = Timers::new();
        timers.set('a', Timestamp(5));
        timers.set('b', Timestamp(3));
        timers.set('a', Timestamp(1));
        assert_eq!(timers.expired(Timestamp(2)), Some((Timestamp(1), 'a')));
        assert_eq!(timers.expired(Timestamp(2)), None);
        timers.cancel(&'b');
        assert_eq!(timers.next(), None);
    }
}

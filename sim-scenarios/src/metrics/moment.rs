//! A point in time that may be unknown, in eight bytes: lifecycles hold many of them.

use std::num::NonZeroU64;

use cross_shard_msg::{Duration, Timestamp};

/// A time since the run's start, or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment(Option<NonZeroU64>);

impl Moment {
    /// Unknown, or it did not happen.
    pub const NONE: Self = Self(None);

    /// At this time. The last nanosecond of 64 bits counts as the one before.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self(NonZeroU64::new(time.0.saturating_add(1)))
    }

    /// The time, if there is one.
    #[must_use]
    pub fn time(self) -> Option<Timestamp> {
        self.0.map(|plus_one| Timestamp(plus_one.get() - 1))
    }

    /// Whether it is known.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.0.is_some()
    }

    /// Takes `time` if it is the first one, or earlier.
    pub fn or_earlier(&mut self, time: Timestamp) {
        if self.time().is_none_or(|known| time < known) {
            *self = Self::at(time);
        }
    }

    /// The later of two; unknown if either is.
    #[must_use]
    pub fn and_later(self, other: Self) -> Self {
        match (self.time(), other.time()) {
            (Some(one), Some(two)) => Self::at(one.max(two)),
            _ => Self::NONE,
        }
    }

    /// Time from `earlier` to here; zero if `earlier` is later. `None` if either is unknown.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        Some(self.time()?.since(earlier.time()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_not_zero() {
        let (zero, two) = (Moment::at(Timestamp::ZERO), Moment::at(Timestamp(2)));
        assert_eq!(std::mem::size_of::<Moment>(), 8);
        assert_eq!((zero.time(), Moment::NONE.time()), (Some(Timestamp::ZERO), None));
        assert_eq!(two.since(zero), Some(Duration(2)));
        assert_eq!(zero.since(two), Some(Duration::ZERO));
        assert_eq!(two.since(Moment::NONE), None);
        assert_eq!(zero.and_later(two), two);
        assert_eq!(two.and_later(Moment::NONE), Moment::NONE);
        let mut first = Moment::NONE;
        for time in [5, 3, 4] {
            first.or_earlier(Timestamp(time));
        }
        assert_eq!(first, Moment::at(Timestamp(3)));
        assert!(Moment::at(Timestamp(u64::MAX)).is_known());
    }
}

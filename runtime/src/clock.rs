//! The run's clock: the host's monotonic clock minus the run's start, shared by all processes of
//! one host (design: timestamps of different processes can be subtracted).

use std::time::{Duration as StdDuration, Instant};

use cross_shard_msg::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Reads time since the run's start.
#[derive(Clone, Copy, Debug)]
pub struct RunClock {
    start: u64,
}

/// The host's monotonic clock in nanoseconds: the same for all processes since the host booted.
#[must_use]
pub fn monotonic_nanos() -> u64 {
    nanos(ClockId::Monotonic)
}

/// CPU time that the calling thread has used, in nanoseconds.
#[must_use]
pub fn thread_cpu_nanos() -> u64 {
    nanos(ClockId::ThreadCPUTime)
}

impl RunClock {
    /// A clock whose zero is at `start` of [`monotonic_nanos`]; before that it stands at zero.
    #[must_use]
    pub fn starting_at(start: u64) -> Self {
        Self { start }
    }

    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(monotonic_nanos().saturating_sub(self.start))
    }

    /// The instant at which this clock shows `at`; now, if that has passed.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where the process reads its clock")]
    pub fn instant(&self, at: Timestamp) -> Instant {
        let target = self.start.saturating_add(at.0);
        Instant::now() + StdDuration::from_nanos(target.saturating_sub(monotonic_nanos()))
    }
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_start_it_stands_at_zero() {
        let clock = RunClock::starting_at(monotonic_nanos() + 3_600_000_000_000);
        assert_eq!(clock.now(), Timestamp::ZERO);
        let clock = RunClock::starting_at(monotonic_nanos().saturating_sub(1_000));
        assert!(clock.now() >= Timestamp(1_000));
    }
}

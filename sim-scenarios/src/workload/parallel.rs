//! The one place of a workload that uses threads: deriving keys and signing are pure, but take 25
//! to 50 µs each, and a program that starts a run should use the machine for them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Items that one thread takes at a time.
const CHUNK: usize = 512;

/// How work is spread, and who hears of its progress. The result never depends on either.
#[derive(Clone, Copy)]
pub struct Workers<'a> {
    /// How many threads work.
    pub threads: NonZeroUsize,
    /// Told (done, all) now and then, from any thread.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

impl std::fmt::Debug for Workers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Workers<'static> {
    /// The calling thread alone, silently.
    #[must_use]
    pub fn single() -> Self {
        Self { threads: NonZeroUsize::MIN, progress: &|_, _| {} }
    }
}

impl Workers<'_> {
    /// Applies `work` to chunks of `items`, each with the index of its first item, and returns the
    /// results in the order of the chunks.
    pub fn chunks<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(usize, &[T]) -> R + Sync,
    ) -> Vec<R> {
        let chunks: Vec<&[T]> = items.chunks(CHUNK).collect();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results: Mutex<Vec<Option<R>>> = Mutex::new(chunks.iter().map(|_| None).collect());
        let run = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(chunk) = chunks.get(index) else { return };
                let result = work(index * CHUNK, chunk);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(slot) = results.get_mut(index) {
                    *slot = Some(result);
                }
                drop(results);
                let done = done.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len();
                (self.progress)(done, items.len());
            }
        };
        // The calling thread works too, so that one thread means none is started.
        std::thread::scope(|scope| {
            for _ in 1..self.threads.get().min(chunks.len()) {
                scope.spawn(run);
            }
            run();
        });
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_whatever_the_threads() {
        let items: Vec<u64> = (0..5_000).collect();
        let sums = |threads| {
            let seen = AtomicUsize::new(0);
            let progress = |done: usize, all: usize| {
                assert!(done <= all);
                seen.fetch_max(done, Ordering::Relaxed);
            };
            let workers =
                Workers { threads: NonZeroUsize::new(threads).unwrap(), progress: &progress };
            let result = workers.chunks(&items, |first, chunk| {
                assert_eq!(first as u64, chunk[0]);
                chunk.iter().sum::<u64>()
            });
            assert_eq!(seen.into_inner(), 5_000);
            result
        };
        assert_eq!(sums(1), sums(4));
        assert_eq!(sums(3).iter().sum::<u64>(), 4_999 * 5_000 / 2);
        assert!(Workers::single().chunks(&[], |_, _: &[u8]| ()).is_empty());
    }
}

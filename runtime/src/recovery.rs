//! Worker threads that recover the senders of submitted transactions: the edge of a shard process.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use alloy_primitives::keccak256;
use cross_shard_msg::{Admission, Recovered, Refusal, Submission};

use crate::network::InboxWaker;

/// Submissions that may wait for recovery.
pub const MAX_WAITING_SUBMISSIONS: usize = 1 << 16;

/// A group of submissions, decoded and recovered, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// Transactions whose sender is known.
    pub recovered: Vec<Recovered>,
    /// What the client must be told at once.
    pub refused: Vec<Admission>,
}

/// Recovers senders on threads of its own; the machine's thread is woken for each result.
#[derive(Debug)]
pub struct RecoveryPool {
    jobs: SyncSender<Vec<Submission>>,
    results: Receiver<Batch>,
    waiting: Arc<AtomicUsize>,
    overflow: VecDeque<Batch>,
}

impl RecoveryPool {
    /// Starts `workers` threads (at least one), which end when the pool is dropped. With one
    /// worker, results come in the order of submission.
    #[must_use]
    pub fn start(workers: usize, verify: bool, waker: &InboxWaker) -> Self {
        let (jobs, incoming) = sync_channel(MAX_WAITING_SUBMISSIONS);
        let (outgoing, results) = channel();
        let incoming = Arc::new(Mutex::new(incoming));
        let waiting = Arc::new(AtomicUsize::new(0));
        for _ in 0..workers.max(1) {
            let worker = Worker {
                jobs: Arc::clone(&incoming),
                results: outgoing.clone(),
                waiting: Arc::clone(&waiting),
                waker: waker.clone(),
                verify,
            };
            thread::Builder::new()
                .name("recovery".to_owned())
                .spawn(move || worker.run())
                .unwrap_or_else(|error| panic!("the system starts no thread: {error}"));
        }
        Self { jobs, results, waiting, overflow: VecDeque::new() }
    }

    /// Hands over submissions. What exceeds [`MAX_WAITING_SUBMISSIONS`] is refused as
    /// `mempool_full`, which the next [`Self::take`] reports.
    pub fn submit(&mut self, submissions: Vec<Submission>) {
        let count = submissions.len();
        if self.waiting.load(Ordering::Relaxed) + count > MAX_WAITING_SUBMISSIONS {
            self.refuse(&submissions);
            return;
        }
        self.waiting.fetch_add(count, Ordering::Relaxed);
        if let Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) =
            self.jobs.try_send(submissions)
        {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            self.refuse(&back);
        }
    }

    /// The next result, if one is ready.
    pub fn take(&mut self) -> Option<Batch> {
        self.overflow.pop_front().or_else(|| self.results.try_recv().ok())
    }

    /// Submissions that wait for a worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn refuse(&mut self, submissions: &[Submission]) {
        let refused = submissions.iter().map(|submission| Admission {
            hash: keccak256(&submission.encoded),
            outcome: Err(Refusal::MempoolFull),
        });
        self.overflow.push_back(Batch { recovered: Vec::new(), refused: refused.collect() });
    }
}

struct Worker {
    jobs: Arc<Mutex<Receiver<Vec<Submission>>>>,
    results: Sender<Batch>,
    waiting: Arc<AtomicUsize>,
    waker: InboxWaker,
    verify: bool,
}

impl Worker {
    fn run(self) {
        loop {
            let job = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(submissions) = job else { return };
            let mut batch = Batch::default();
            for submission in &submissions {
                match submission.recover(self.verify) {
                    Ok(recovered) => batch.recovered.push(recovered),
                    Err(admission) => batch.refused.push(admission),
                }
            }
            self.waiting.fetch_sub(submissions.len(), Ordering::Relaxed);
            if self.results.send(batch).is_err() {
                return;
            }
            self.waker.wake();
        }
    }
}

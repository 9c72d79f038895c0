//! A machine's long computations, on a thread of their own: one after the other, without holding up
//! the machine.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use cross_shard_msg::{JobId, Machine};

use crate::network::InboxWaker;

/// Runs jobs. What runs when it is dropped is abandoned: its thread ends after the job, or with the
/// process.
pub(crate) struct Jobs<M: Machine> {
    waker: InboxWaker,
    /// Started with the first job; most machines never have one.
    worker: Option<Worker<M>>,
}

struct Worker<M: Machine> {
    jobs: Sender<(JobId, M::Job)>,
    results: Receiver<(JobId, M::JobResult)>,
    thread: JoinHandle<()>,
}

impl<M> Jobs<M>
where
    M: Machine + 'static,
    M::Job: Send,
    M::JobResult: Send,
{
    /// No jobs yet. `waker` wakes the machine's thread when a result can be taken.
    pub fn new(waker: InboxWaker) -> Self {
        Self { waker, worker: None }
    }

    /// Starts a job, when those before it are done.
    ///
    /// # Panics
    /// When an earlier one panicked, or the system starts no thread.
    pub fn start(&mut self, id: JobId, job: M::Job) {
        let worker = self.worker.get_or_insert_with(|| Worker::start(self.waker.clone()));
        if worker.jobs.send((id, job)).is_err() {
            self.panicked();
        }
    }

    /// A result, if one is ready.
    ///
    /// # Panics
    /// When a job panicked.
    pub fn take(&mut self) -> Option<(JobId, M::JobResult)> {
        match self.worker.as_ref()?.results.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.panicked(),
        }
    }

    /// The worker ends by itself only when a job panics.
    fn panicked(&mut self) -> ! {
        match self.worker.take().map(|worker| worker.thread.join()) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => unreachable!("the worker ends when there is nobody to work for"),
        }
    }
}

impl<M> Worker<M>
where
    M: Machine + 'static,
    M::Job: Send,
    M::JobResult: Send,
{
    fn start(waker: InboxWaker) -> Self {
        let (jobs, todo) = channel();
        let (done, results) = channel();
        let work = move || {
            // Also wakes the machine when a job panics, after the results are disconnected.
            let _wake = WakeAtEnd(waker.clone());
            let done: Sender<(JobId, M::JobResult)> = done;
            while let Ok((id, job)) = todo.recv() {
                if done.send((id, M::compute(job))).is_err() {
                    return;
                }
                waker.wake();
            }
        };
        let thread = thread::Builder::new()
            .name("jobs".to_owned())
            .spawn(work)
            .unwrap_or_else(|error| panic!("the system starts no thread: {error}"));
        Self { jobs, results, thread }
    }
}

struct WakeAtEnd(InboxWaker);

impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}
